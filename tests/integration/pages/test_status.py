"""Status in Settings says what is wrong before anybody has to look into a log."""

from pathlib import Path

import pytest

from db.engine import Database
from settings import settings
from tests.chosen_database import ON_BOTH
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.words import words
from tests.unit.db.made_rows import add_camera, add_video


@ON_BOTH
def test_an_installation_that_works_says_so(open_page: OpenPage, backend: str) -> None:
    shown = words(open_page("configuration.py"))
    assert "Everything that this installation needs is working." in shown
    assert {"sqlite": "SQLite 3", "postgresql": "PostgreSQL 1"}[backend] in shown
    assert "none yet" in shown


def test_what_is_wrong_is_named(
    open_page: OpenPage, database: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as session:
        add_video(session, add_camera(session), segments=3)  # long ago, and nobody reads it
    (home / "a file").write_bytes(b"x")
    monkeypatch.setenv("SATISFACE_FOOTAGE_URL", str(home / "a file" / "footage"))
    settings.cache_clear()
    shown = words(open_page("configuration.py"))
    assert "The footage store cannot be written." in shown
    assert "Work waits, and no worker has given a sign of life for" in shown
    assert "3 segments; the oldest recording came" in shown
    assert "is working" not in shown
