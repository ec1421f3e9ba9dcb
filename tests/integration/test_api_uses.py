"""That keys were used is noted beside the answers: no request waits for it, and few threads do."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

import api.v1.uses
from api.v1.app import here_from
from api.v1.here import Here
from api.v1.uses import Uses
from db.engine import Database
from db.keys import create_key, list_keys, note_use
from tests.made_api import ALL, Client, mounted, settings_for
from tests.made_jobs import until
from tests.made_server import served

EARLIER = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def here(database_url: str, tmp_path: Path) -> Iterator[Here]:
    made = here_from(settings_for(tmp_path, database_url))
    yield made
    made.database.close()


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The keys whose use somebody began to note."""
    tried: list[int] = []

    def counted(session: Session, key_id: int, now: datetime) -> None:
        tried.append(key_id)
        note_use(session, key_id, now)

    monkeypatch.setattr(api.v1.uses, "note_use", counted)
    return tried


def made_key(database: Database, name: str) -> tuple[str, int]:
    with database.write() as session:
        given, row = create_key(session, name, ALL)
    return given, row.id


def used(database: Database) -> dict[int, datetime | None]:
    with database.read() as session:
        return {row.id: row.last_used_at for row in list_keys(session)}


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/sites", 200), ("HEAD", "/uploads/" + "x" * 22, 404)]
)
def test_a_database_that_is_written_to_for_long_stops_nobody(
    here: Here, database: Database, tries: list[int], method: str, path: str, status: int
) -> None:
    given, key = made_key(database, "busy")
    with served(mounted(here)) as port, database.write() as session:
        note_use(session, key, EARLIER)  # of all SQLite, or of this row of PostgreSQL, the lock
        client = Client(port, given)
        for _ in range(30):
            assert client.ask(method, path, Tus_Resumable="1.0.0").status == status
        until(lambda: tries)
        assert tries == [key]


def test_what_came_while_one_note_waited_is_written_after_it(
    database: Database, tries: list[int]
) -> None:
    uses, now = Uses(), datetime.now(UTC)
    (_, first), (_, second) = (made_key(database, name) for name in ("first", "second"))
    with database.write() as session:
        note_use(session, first, EARLIER)
        waiting = threading.Thread(target=uses.note, args=(database, first, now))
        waiting.start()
        until(lambda: tries)
        uses.note(database, second, now)  # returns, though nobody can write
        assert tries == [first]
    waiting.join()
    assert tries == [first, second]
    assert used(database) == {first: now, second: now}


def test_what_could_not_be_noted_is_not_tried_again_at_once(
    database: Database, tries: list[int], tmp_path: Path
) -> None:
    _, key = made_key(database, "a program")
    away = Database(f"sqlite:///{tmp_path / 'not there' / 'nothing.db'}")
    uses, now = Uses(), datetime.now(UTC)
    uses.note(away, key, now)
    uses.note(database, key, now)
    assert tries == [key]
    assert used(database) == {key: None}


def test_a_later_use_is_noted_again(
    database: Database, tries: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.v1.uses, "_TRIED_EVERY_S", 0.0)
    _, key = made_key(database, "a program")
    uses, now = Uses(), datetime.now(UTC)
    uses.note(database, key, EARLIER)
    uses.note(database, key, now)
    assert tries == [key, key]
    assert used(database) == {key: now}
