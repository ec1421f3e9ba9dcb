"""A database that cannot be reached or read: each page says so in a sentence, and how to go on."""

import logging
from pathlib import Path

import pytest

from db.engine import Database
from db.places import list_sites
from pages.zones import _TO_SAVE, revision
from settings import settings
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.words import buttons, words
from tests.unit.db.made_rows import add_camera

pytestmark = pytest.mark.embedded

PAGES = ("overview.py", "compare.py", "upload.py", "recordings.py", "report.py", "configuration.py")
SENTENCE = "The database cannot be reached or read at the moment."


def spoil(home: Path, database: Database) -> None:
    database.close()
    for file in home.glob("satisface.db*"):
        file.write_bytes(b"no database at all" * 1000)


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
    database.close()
    for file in home.glob("satisface.db-*"):
        file.unlink()
    (home / "satisface.db").write_bytes(kept)
    app = app.button(key="try_again").click().run()
    assert not app.exception
    assert SENTENCE not in words(app)
    assert "Start with some footage" in words(app)


def test_zones_that_could_not_be_saved_are_saved_by_trying_again(
    open_page: OpenPage, home: Path, database: Database
) -> None:
    with database.write() as session:
        add_camera(session)
    drawn = (((0.5, 0.5), (0.9, 0.5), (0.9, 0.9)),)
    app = open_page("configuration.py", zones="1")
    database.close()
    kept = (home / "satisface.db").read_bytes()
    spoil(home, database)
    app.session_state[_TO_SAVE] = (1, {"zones": drawn, "revision": revision(())})
    app = app.run()
    assert SENTENCE in words(app)
    database.close()
    for file in home.glob("satisface.db-*"):
        file.unlink()
    (home / "satisface.db").write_bytes(kept)
    app = app.button(key="try_again").click().run()
    assert not app.exception
    assert "1 staff zone saved" in words(app)
    with database.read() as session:
        assert list_sites(session)[0].cameras[0].staff_zones == drawn


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
