"""A database moved to another address holds the same rows, and goes on from there."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, func, insert, select, text

from analytics.periods import Every
from db import copy
from db.copy import CopyError, checksums, copy_database
from db.engine import Database, downgrade, upgrade
from db.places import create_site, delete_site, list_sites
from db.recordings import delete_recording
from db.schedules import Plan, create_schedule, delete_schedule
from db.scores import active_score
from db.tables import Base, Recording, Site
from tests.made_jobs import rows
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video, read_segment

SCENE = Scene([Person([0, 100, 6 * 60_000, 11 * 60_000]), Person([200], "unknown")], segments=3)


@pytest.fixture
def filled(database: Database, database_url: str) -> str:
    """The address of a database of either kind, with rows of most kinds."""
    with database.write() as session:
        camera = add_camera(session, "Éingang „Süd“")
        recording = add_video(session, camera, warnings=("Two frames could not be read.",))
        add_video(session, camera, name="waits.mp4")
        deleted = add_video(session, camera, name="deleted.mp4")
    with database.write() as session:
        delete_recording(session, deleted)
        # The later segments first, so that a person's first track has the highest number.
        for index in (2, 1, 0):
            read_segment(session, recording, SCENE, index)
        active_score(session)
    return database_url


@pytest.fixture
def target(empty_url: str) -> str:
    return empty_url


def opened(url: str, request: pytest.FixtureRequest) -> Database:
    database = Database(url)
    request.addfinalizer(database.close)
    return database


def test_a_copy_holds_the_same_rows(
    filled: str, target: str, request: pytest.FixtureRequest
) -> None:
    copied = copy_database(filled, target)
    here, there = opened(filled, request), opened(target, request)
    assert rows(there) == rows(here)
    with here.read() as mine, there.read() as theirs:
        assert checksums(theirs) == checksums(mine) == copied
        for table in Base.metadata.sorted_tables:
            query = select(table).order_by(*table.primary_key.columns)
            assert theirs.execute(query).all() == mine.execute(query).all()
    assert copied["tracks"].rows == 4
    assert copied["recordings"].rows == 2


def test_new_rows_are_numbered_behind_those_that_were_copied(
    filled: str, target: str, request: pytest.FixtureRequest
) -> None:
    copy_database(filled, target)
    there = opened(target, request)
    with there.write() as session:
        highest = session.scalar(select(func.max(Recording.id))) or 0
        camera = add_camera(session, "Till")
        recording = add_video(session, camera, name="new.mp4")
        read_segment(session, recording, SCENE, 0)
        assert recording > highest
        assert len(list_sites(session)) == 2


def test_a_number_that_was_deleted_before_the_copy_is_not_given_behind_it(
    filled: str, target: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    here, back = opened(filled, request), f"sqlite:///{tmp_path / 'back.db'}"
    plan = Plan("Weekly", Every.WEEK, 6, "UTC", folder=".")
    with here.write() as session:
        gone = create_site(session, "Gone", "UTC")
        delete_site(session, gone)
        only = create_schedule(session, plan, NOON)
        delete_schedule(session, only)
    copy_database(filled, target)
    copy_database(target, back)
    for url in (target, back):
        with opened(url, request).write() as session:
            assert create_site(session, "Next", "UTC") == gone + 1
            assert create_schedule(session, plan, NOON) == only + 1
            # Of those of which nothing was deleted, the next follows what was copied.
            assert add_camera(session, "Till") == 2


def test_a_target_that_was_emptied_gives_no_number_again(
    filled: str, target: str, request: pytest.FixtureRequest
) -> None:
    upgrade(target)
    there = opened(target, request)
    with there.write() as session:
        ours = [create_site(session, name, "UTC") for name in ("A", "B", "C")]
        for site in ours:
            delete_site(session, site)
    copy_database(filled, target)
    with there.write() as session:
        assert create_site(session, "Next", "UTC") == ours[-1] + 1


def test_a_copy_comes_back_as_it_was(filled: str, target: str, tmp_path: Path) -> None:
    there = copy_database(filled, target)
    assert copy_database(target, f"sqlite:///{tmp_path / 'back.db'}") == there


def test_a_target_that_holds_something_is_refused(filled: str, target: str) -> None:
    upgrade(target)
    database = Database(target)
    with database.write() as session:
        create_site(session, "Elsewhere", "UTC")
    with pytest.raises(CopyError, match="not empty: it holds sites"):
        copy_database(filled, target)
    with database.read() as session:
        assert [site.name for site in list_sites(session)] == ["Elsewhere"]
    database.close()


def test_a_target_of_somebody_else_is_refused(filled: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'other.db'}"
    engine = create_engine(target)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
    engine.dispose()
    with pytest.raises(CopyError, match="something else: orders"):
        copy_database(filled, target)


def test_a_copy_to_itself_is_refused(sqlite_url: str) -> None:
    with pytest.raises(CopyError, match="to itself"):
        copy_database(sqlite_url, sqlite_url)


def test_an_old_database_is_migrated_first(sqlite_url: str, tmp_path: Path) -> None:
    downgrade(sqlite_url, "0001")
    with pytest.raises(CopyError, match="migrate first"):
        copy_database(sqlite_url, f"sqlite:///{tmp_path / 'target.db'}")


def test_a_copy_that_is_interrupted_leaves_the_target_empty(filled: str, target: str) -> None:
    def interrupt(table: str, _done: int, _total: int) -> None:
        if table == "tracks":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_database(filled, target, interrupt)
    assert {one.rows for one in copy_database(filled, target).values()} > {0}


def test_what_arrives_changed_is_told_and_not_kept(
    filled: str, target: str, request: pytest.FixtureRequest
) -> None:
    there = opened(target, request)

    def change(connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO segments"):
            connection.exec_driver_sql("UPDATE sites SET time_zone = 'UTC'")  # type: ignore[attr-defined]

    class Tampered(Database):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            event.listen(self._engine, "after_cursor_execute", change)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copy, "Database", Tampered)
        with pytest.raises(CopyError, match="not what was sent, in sites"):
            copy_database(filled, target)
    with there.read() as session:
        assert session.scalar(select(func.count()).select_from(Site)) == 0


def test_progress_counts_all_rows(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "_AT_ONCE", 2)
    told: list[tuple[str, int, int]] = []
    copied = copy_database(
        filled, f"sqlite:///{tmp_path / 'target.db'}", lambda *step: told.append(step)
    )
    total = sum(one.rows for one in copied.values())
    assert told[-1][1:] == (total, total)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_a_checksum_tells_rows_apart_and_not_their_order(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    at = datetime(2026, 3, 2, tzinfo=UTC)

    def digest(names: list[str]) -> str:
        with database.write() as session:
            session.execute(
                insert(Base.metadata.tables["sites"]),
                [
                    {"id": number, "name": name, "time_zone": "UTC", "created_at": at}
                    for number, name in enumerate(names)
                ],
            )
            found = checksums(session)["sites"].digest
            session.rollback()
        return found

    assert digest(["North", "South"]) == digest(["North", "South"])
    assert digest(["North", "South"]) != digest(["South", "North"])
    assert digest(["North"]) != digest(["North", "South"])
    database.close()
