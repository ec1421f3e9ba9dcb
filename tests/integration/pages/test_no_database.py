"""A database that cannot be reached or read: each page says so in a sentence, and how to go on."""

import logging
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from db.engine import Database
from db.places import list_sites
from pages.trouble import ZONES_TO_SAVE
from pages.zones import revision
from settings import settings
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.words import buttons, words
from tests.unit.db.made_rows import add_camera

pytestmark = pytest.mark.embedded

PAGES = ("overview.py", "compare.py", "upload.py", "recordings.py", "report.py", "configuration.py")
DRAWN = (((0.5, 0.5), (0.9, 0.5), (0.9, 0.9)),)
SENTENCE = "The database cannot be reached or read at the moment."


def spoil(home: Path, database: Database) -> None:
    database.close()
    for file in home.glob("satisface.db*"):
        file.write_bytes(b"no database at all" * 1000)


def mend(home: Path, database: Database, kept: bytes) -> None:
    database.close()
    for file in home.glob("satisface.db-*"):
        file.unlink()
    (home / "satisface.db").write_bytes(kept)


@pytest.mark.parametrize("file", PAGES)
def test_a_broken_database_is_said_on_each_page(
    open_page: OpenPage,
    home: Path,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    file: str,
) -> None:
    spoil(home, database)
    with caplog.at_level(logging.ERROR):
        app = open_page(file)
    assert SENTENCE in words(app)
    assert buttons(app)[-1] == "Try again"
    assert any(r.exc_info and "no database" in r.getMessage() for r in caplog.records)


def test_trying_again_shows_the_page_once_the_database_is_back(
    open_page: OpenPage, home: Path, database: Database
) -> None:
    kept = (home / "satisface.db").read_bytes()
    spoil(home, database)
    app = open_page("overview.py")
    mend(home, database, kept)
    app = app.button(key="try_again").click().run()
    assert not app.exception
    assert SENTENCE not in words(app)
    assert "Start with some footage" in words(app)


def test_zones_that_could_not_be_saved_are_saved_by_trying_again(
    open_page: OpenPage, home: Path, database: Database
) -> None:
    with database.write() as session:
        add_camera(session)
    app = open_page("configuration.py", zones="1")
    database.close()
    kept = (home / "satisface.db").read_bytes()
    spoil(home, database)
    app.session_state[ZONES_TO_SAVE] = (1, {"zones": DRAWN, "revision": revision(())})
    app = app.run()
    assert SENTENCE in words(app)
    mend(home, database, kept)
    app = app.button(key="try_again").click().run()
    assert not app.exception
    assert "1 staff zone saved" in words(app)
    with database.read() as session:
        assert list_sites(session)[0].cameras[0].staff_zones == DRAWN


@pytest.mark.parametrize(
    ("file", "query"),
    [("overview.py", {}), ("configuration.py", {}), ("configuration.py", {"zones": "2"})],
)
def test_zones_that_could_not_be_saved_are_dropped_once_their_page_is_left(
    open_page: OpenPage, home: Path, database: Database, file: str, query: dict[str, str]
) -> None:
    with database.write() as session:
        for name in ("Entrance", "Till"):
            add_camera(session, name)
    app = open_page("configuration.py", zones="1")
    database.close()
    kept = (home / "satisface.db").read_bytes()
    spoil(home, database)
    app.session_state[ZONES_TO_SAVE] = (1, {"zones": DRAWN, "revision": revision(())})
    app = go_to(app.run(), file, query)
    assert SENTENCE in words(app)
    mend(home, database, kept)
    app = go_to(app, "configuration.py", {"zones": "1"})
    assert "Staff zones of Site of Entrance" in words(app)
    with database.read() as session:
        assert [site.cameras[0].staff_zones for site in list_sites(session)] == [(), ()]


def go_to(app: AppTest, file: str, query: dict[str, str]) -> AppTest:
    app.switch_page(file)
    app.query_params = query
    app.run()
    assert not app.exception
    return app


def test_a_server_that_does_not_answer_is_said(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("SATISFACE_DATABASE_URL", "postgresql+psycopg://x@127.0.0.1:1/x")
        settings.cache_clear()
        app = open_page("overview.py")
    settings.cache_clear()
    assert SENTENCE in words(app)


def test_the_model_is_shown_without_a_database(
    open_page: OpenPage, home: Path, database: Database
) -> None:
    spoil(home, database)
    app = open_page("model.py")
    assert SENTENCE not in words(app)
    assert [title.value for title in app.title] == ["Model"]
