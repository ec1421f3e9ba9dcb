"""While the footage store or the database cannot be reached, or has no room."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import engine
from db.engine import Database
from db.queue import Lease, claim, release
from db.tables import RecordingState, Segment
from fer_core.analysis import analyse_segment
from fer_core.types import SegmentResult
from jobs import heartbeat, reading, worker
from jobs.segment import Ending, run_segment
from jobs.store import FootageStore, StoreUnreachable
from jobs.sweep import GRACE, Swept, delete_orphans
from jobs.worker import run_worker
from settings import Settings
from tests.integration.jobs.conftest import task_of
from tests.made_jobs import (
    in_a_thread,
    made_camera,
    made_settings,
    opened,
    read_all,
    recording,
    store,
)
from tests.unit.db.made_rows import Person, Scene, add_video

P = ParamSpec("P")
R = TypeVar("R")


def test_a_store_that_goes_away_as_footage_is_opened_is_no_damage(
    settings: Settings, database: Database, film: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings.home / "footage"
    away, times = folder.with_name("away"), [0]

    def away_at_first(*args: Any, **kwargs: Any) -> SegmentResult:
        times[0] += 1
        if times[0] > 1:
            return analyse_segment(*args, **kwargs)
        folder.rename(away)
        try:
            return analyse_segment(*args, **kwargs)
        finally:
            away.rename(folder)

    monkeypatch.setattr(reading, "analyse_segment", away_at_first)
    read_all(settings)
    assert recording(database, film).state is RecordingState.DONE
    assert times[0] == 4  # three segments, one of them twice
    with database.read() as session:
        assert {segment.attempts for segment in session.scalars(select(Segment))} == {1}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(worker, "_TROUBLE_PAUSE_S", 0.01)


@pytest.mark.usefixtures("impatient")
def test_a_store_that_is_away_for_long_costs_no_attempt_and_fails_nothing(
    settings: Settings, database: Database, film: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = (settings.home / "footage").rename(settings.home / "away")
    give_back, times = release, [0]

    def back_at_last(session: Session, lease: Lease) -> None:
        times[0] += 1
        give_back(session, lease)
        if times[0] == settings.max_attempts + 2:
            away.rename(settings.home / "footage")

    monkeypatch.setattr(reading, "release", back_at_last)
    task = task_of(settings, database)
    assert run_segment(task).ending is Ending.STORE_AWAY
    row = recording(database, film)
    assert (row.state, row.error) == (RecordingState.READING, None)
    with database.read() as session:
        found = {(one.state, one.attempts, one.faults) for one in session.scalars(select(Segment))}
    assert found == {("queued", 0, 0)}
    read_all(settings)
    assert times[0] == settings.max_attempts + 2
    assert recording(database, film).state is RecordingState.DONE


def attempts(database: Database) -> set[tuple[int, int]]:
    """How often segments were handed out, and how often that was a fault."""
    with database.read() as session:
        return {(one.attempts, one.faults) for one in session.scalars(select(Segment))}


@pytest.mark.embedded
@pytest.mark.usefixtures("impatient")
def test_a_disk_that_is_full_costs_no_attempt_and_fails_nothing_that_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = made_settings(tmp_path, keep_footage=True)
    most_pages, times = [1_000_000], [0]
    begin, give_back = engine._begin_sqlite, release

    def begin_on_a_disk(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most_pages[0]}")
        begin(connection)

    def room_at_last(session: Session, lease: Lease) -> None:
        times[0] += 1
        give_back(session, lease)
        if times[0] == small.max_attempts + 2:
            most_pages[0] = 1_000_000

    seen = Scene([Person(range(0, 290_000, 200)) for _ in range(3)], segments=1)
    loaded = SimpleNamespace(model=SimpleNamespace(card=SimpleNamespace(version="1")))
    monkeypatch.setattr(engine, "_begin_sqlite", begin_on_a_disk)
    monkeypatch.setattr(worker, "release", room_at_last)
    monkeypatch.setattr(reading, "_analyse", lambda *_: seen.result(0))
    monkeypatch.setattr(reading, "_loaded", lambda _: loaded)
    with opened(small) as database:
        camera = made_camera(database)
        with database.write() as session:
            waiting = [add_video(session, camera, segments=1, name=name) for name in "abc"]
            pages = session.scalar(text("PRAGMA page_count"))
        assert pages is not None
        most_pages[0] = pages + 2  # room to lease a segment, and not for what it holds
        read_all(small)
        assert {recording(database, one).state for one in waiting} == {RecordingState.DONE}
        assert attempts(database) == {(1, 0)}
    assert times[0] == small.max_attempts + 2


AWAY = OperationalError("SELECT 1", None, Exception("the server is away"))


@pytest.mark.usefixtures("impatient")
def test_a_segment_goes_back_once_the_database_takes_it(
    settings: Settings, database: Database, photo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away_for(times: int, action: Callable[P, R]) -> Callable[P, R]:
        left = [times]

        def then(*args: P.args, **kwargs: P.kwargs) -> R:
            left[0] -= 1
            if left[0] >= 0:
                raise AWAY
            return action(*args, **kwargs)

        return then

    monkeypatch.setattr(reading, "_assignment", away_for(heartbeat._TRIES, reading._assignment))
    monkeypatch.setattr(worker, "release", away_for(3, release))
    read_all(settings)
    assert recording(database, photo).state is RecordingState.DONE
    assert attempts(database) == {(1, 0)}


@pytest.mark.parametrize(
    "statement", ["INSERT INTO nowhere VALUES (1)", "UPDATE segments SET recording_id = NULL"]
)
@pytest.mark.usefixtures("impatient")
def test_rows_that_can_never_be_written_end_after_the_last_attempt(
    settings: Settings,
    database: Database,
    photo: int,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
) -> None:
    def refused(session: Session, *_: object) -> None:
        session.execute(text(statement))

    monkeypatch.setattr(reading, "write_segment", refused)
    read_all(settings)
    row = recording(database, photo)
    assert row.state is RecordingState.FAILED
    assert row.error == (
        "photo.jpg could not be read after 3 attempts: the database could not be written."
    )


@pytest.mark.parametrize("what", ["store", "database"])
@pytest.mark.usefixtures("impatient", "film")
def test_while_store_or_database_is_away_a_worker_takes_nothing_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def no_room(*_: object) -> bool:
        raise AWAY

    if what == "store":
        (settings.home / "footage").rename(settings.home / "away")
    else:
        monkeypatch.setattr(reading, "_write", no_room)
    monkeypatch.setattr(worker, "_TROUBLE_PAUSE_S", 1e6)
    stop, taken, steps = threading.Event(), [0], [0]
    is_anything_unfinished = worker._Worker._is_anything_unfinished

    def counted(*arguments: Any) -> Any:
        taken[0] += 1
        if taken[0] > 1:
            stop.set()
        return claim(*arguments)

    def five_more(self: worker._Worker) -> bool:
        steps[0] += bool(taken[0] and not self._running)
        if steps[0] == 5:
            stop.set()
        return is_anything_unfinished(self)

    monkeypatch.setattr(worker, "claim", counted)
    monkeypatch.setattr(worker, "POLL_S", 0.01)
    monkeypatch.setattr(worker._Worker, "_is_anything_unfinished", five_more)
    run_worker(settings, stop, executor_factory=in_a_thread)
    assert taken == [1]


@pytest.mark.usefixtures("photo")
def test_a_worker_waits_longer_each_time_the_database_has_no_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, waits = SimpleNamespace(now=0.0), list[float]()
    conclude, write = worker._Worker._conclude, reading._write

    def no_room_at_first(*arguments: Any) -> bool:
        if len(waits) < 7:
            raise AWAY
        return write(*arguments)

    def concluded(self: worker._Worker, *arguments: Any) -> None:
        conclude(self, *arguments)
        waits.append(self._next_claim - clock.now)
        clock.now = max(clock.now, self._next_claim)

    monkeypatch.setattr(heartbeat, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(reading, "_write", no_room_at_first)
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(worker._Worker, "_conclude", concluded)
    run_worker(settings, threading.Event(), until_idle=True, executor_factory=in_a_thread)
    assert waits == [5, 10, 20, 40, 60, 60, 60, 0]


@pytest.mark.usefixtures("impatient")
def test_footage_that_a_store_does_not_give_ends_after_the_last_attempt(
    settings: Settings, database: Database, photo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> SegmentResult:
        raise StoreUnreachable("The footage store could not be read.")

    monkeypatch.setattr(reading, "analyse_segment", refuse)
    read_all(settings)
    row = recording(database, photo)
    assert row.state is RecordingState.FAILED
    assert row.error == (
        "photo.jpg could not be read after 3 attempts: "
        "the footage store could not give its footage."
    )


def test_a_store_that_is_away_when_footage_is_to_be_deleted_stops_no_worker(
    settings: Settings, database: Database, photo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete, times = FootageStore.delete, [0]

    def away_at_first(self: FootageStore, key: str) -> None:
        times[0] += 1
        if times[0] == 1:
            raise StoreUnreachable("The footage store could not be reached.")
        delete(self, key)

    monkeypatch.setattr(FootageStore, "delete", away_at_first)
    read_all(settings)
    assert recording(database, photo).state is RecordingState.DONE
    assert times[0] > 0
    # Whatever it did not delete is nobody's any more.
    delete_orphans(database, store(settings), datetime.now(UTC) + 2 * GRACE)
    assert list(store(settings).stored()) == []


@pytest.mark.parametrize("in_time", [True, False])
def test_the_pause_between_sweeps_begins_at_the_end_of_one(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, *, in_time: bool
) -> None:
    clock = [0.0]

    def slow(*_: object, **__: object) -> Swept:
        clock[0] += 10 * worker.SWEEP_S
        return Swept(0, in_time)

    monkeypatch.setattr(worker, "delete_orphans", slow)
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    sweeping = worker._Worker(settings, database, in_a_thread)
    sweeping._sweep()
    pause = worker.SWEEP_S if in_time else worker._BACKLOG_PAUSE_S
    assert sweeping._sweep_at == clock[0] + pause
    sweeping._end()


def test_a_database_in_trouble_stops_no_worker(
    settings: Settings, database: Database, photo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_TROUBLE_PAUSE_S", 0.01)
    trouble = [3]

    def sometimes(*arguments: object, **options: object) -> object:
        if trouble[0] > 0:
            trouble[0] -= 1
            raise OperationalError("BEGIN IMMEDIATE", None, Exception("database is locked"))
        return claim(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "claim", sometimes)
    run_worker(settings, threading.Event(), until_idle=True, executor_factory=in_a_thread)
    assert trouble == [0]
    assert recording(database, photo).state is RecordingState.DONE
