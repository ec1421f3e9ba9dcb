"""Transactions: what a reader sees, how writers take turns, what is refused."""

import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from db.engine import Database, upgrade
from db.tables import Camera, Site

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def a_site(name: str) -> Site:
    return Site(name=name, time_zone="UTC", created_at=NOW)


def count_sites(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Site)) or 0


def test_what_is_written_is_there_for_the_next_reader(database: Database) -> None:
    with database.write() as session:
        session.add(a_site("North"))
    assert count_sites(database) == 1


def test_nothing_is_left_of_a_write_that_raises(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as session:
            session.add(a_site("North"))
            session.flush()
            raise RuntimeError("power failed")

    with pytest.raises(RuntimeError, match="power failed"):
        write_and_fail()
    assert count_sites(database) == 0


def test_a_reader_cannot_write(database: Database) -> None:
    with database.read() as session:
        session.add(a_site("North"))
        with pytest.raises(DBAPIError, match=r"read-?only"):
            session.flush()
    with database.write() as session:
        session.add(a_site("North"))
    assert count_sites(database) == 1


def test_a_reader_sees_one_state_to_its_end(database: Database) -> None:
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Site)) == 0
        with database.write() as other:
            other.add(a_site("North"))
        assert session.scalar(select(func.count()).select_from(Site)) == 0
    assert count_sites(database) == 1


def test_a_writer_waits_for_another_and_sees_what_it_wrote(sqlite_url: str) -> None:
    """In a file. On a server writers wait for each other where they touch the same rows."""
    database = Database(sqlite_url)
    holding, counted = threading.Event(), []

    def write_second() -> None:
        holding.wait(10)
        with database.write() as session:
            counted.append(session.scalar(select(func.count()).select_from(Site)))
            session.add(a_site("South"))

    second = threading.Thread(target=write_second)
    second.start()
    with database.write() as session:
        session.add(a_site("North"))
        session.flush()
        holding.set()
        second.join(0.2)
        assert second.is_alive()
    second.join()
    assert counted == [1]
    assert count_sites(database) == 2
    database.close()


def test_foreign_keys_are_enforced(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Camera(site_id=7, name="Entrance", staff_zones=[], created_at=NOW))


def test_every_connection_is_set_up_for_several_processes(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.write() as session:
        settings = {
            name: session.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }
    database.close()


def test_the_folder_may_have_any_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'Jo & co 100%' / 'satisface.db'}"
    upgrade(url)
    database = Database(url)
    assert count_sites(database) == 0
    database.close()
    assert (tmp_path / "Jo & co 100%" / "satisface.db").exists()


def test_a_closed_database_opens_again(database: Database) -> None:
    with database.write() as session:
        session.add(a_site("North"))
    database.close()
    assert count_sites(database) == 1


@pytest.mark.postgresql
def test_what_a_server_has_prepared_for_a_connection_stays_when_a_reader_ends(
    postgresql_url: str,
) -> None:
    with closing(Database(postgresql_url)) as database:
        for _ in range(10):
            count_sites(database)
        with database.read() as session:
            prepared = session.execute(text("SELECT statement FROM pg_prepared_statements"))
            assert any("FROM sites" in statement for statement in prepared.scalars())


def test_a_reader_that_met_an_error_ends_well(database: Database) -> None:
    with database.read() as session, pytest.raises(DBAPIError):
        session.execute(text("SELECT nothing FROM nowhere"))
    assert count_sites(database) == 0
