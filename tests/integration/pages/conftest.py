import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import RerunData
from streamlit.testing.v1 import AppTest, app_test, local_script_runner

from db.engine import Database
from pages import state
from settings import settings

_NAVIGATION = Path(__file__).parents[3] / "pages" / "navigation.py"


class OpenPage(Protocol):
    def __call__(self, file: str, **query: str) -> AppTest: ...


@pytest.fixture
def home(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    migrated: Path,
    backend: str,
) -> Iterator[Path]:
    """An installation of its own, for the length of a test."""
    monkeypatch.setenv("SATISFACE_HOME", str(tmp_path))
    if backend == "sqlite":
        shutil.copy(migrated, tmp_path / "satisface.db")
    else:
        monkeypatch.setenv("SATISFACE_DATABASE_URL", request.getfixturevalue(f"{backend}_url"))
    settings.cache_clear()
    yield tmp_path
    state.database().close()
    settings.cache_clear()


@pytest.fixture
def database(home: Path) -> Database:  # noqa: ARG001  the place it is in
    return state.database()


@pytest.fixture
def open_page(home: Path) -> OpenPage:  # noqa: ARG001  the place it is in
    """Opens a page by its file, as a browser would; no page may end in an error."""

    def run(file: str, **query: str) -> AppTest:
        app = AppTest.from_file(_NAVIGATION, default_timeout=240)
        if file != "overview.py":
            app.run().switch_page(file)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return run


def forget_ids(session: Session) -> None:
    """As SQLite does where a backup from before the last recordings is restored: their ids are
    given again."""
    session.execute(text("DELETE FROM sqlite_sequence WHERE name = 'recordings'"))


def refresh(app: AppTest) -> AppTest:
    """Draw the parts of the page anew that do so by themselves, as a browser asks for it; what is
    shown is then theirs alone."""
    parts = list(app._fragment_storage._fragments)
    assert parts
    asked = partial(RerunData, fragment_id_queue=parts, is_auto_rerun=True)
    known = app._registered_pages

    class Pages(PagesManager):
        """A browser's session knows the menu from the run before; that of a test is new."""

        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            self.set_pages_and_resolve(known)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_script_runner, "RerunData", asked)
        patch.setattr(app_test, "PagesManager", Pages)
        app.run()
    assert not app.exception
    return app
