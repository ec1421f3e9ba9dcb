"""From a recording that waits to its rows: the worker and its tasks, in this process."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import engine
from db.engine import Database
from db.places import update_camera
from db.queue import MOST_DEATHS, Lease, claim, release
from db.recordings import cancel_recording, delete_recording, retry_recording
from db.results import people_frame
from db.tables import RecordingState, Segment, SegmentState
from fer_core.analysis import analyse_segment
from fer_core.errors import ModelError, UnreadableFootage
from fer_core.types import SegmentResult
from jobs import heartbeat, reading, worker
from jobs.heartbeat import Heartbeat
from jobs.intake import Accepted
from jobs.segment import Ending, SegmentOutcome, SegmentTask, prepare, run_segment
from jobs.store import FootageStore, StoreUnreachable
from jobs.sweep import GRACE, Swept, delete_orphans
from jobs.worker import run_worker
from settings import Settings
from tests.made_footage import Appearance, write_picture, write_video
from tests.made_jobs import (
    in_a_thread,
    made_camera,
    made_settings,
    opened,
    read_all,
    recording,
    rows,
    store,
    take_in,
)
from tests.unit.db.made_rows import Person, Scene, add_video

P = ParamSpec("P")
R = TypeVar("R")

PEOPLE = (
    Appearance(80, 90, to=(230, 90), end_s=6, face_height=60),
    Appearance(250, 80, start_s=1.5, end_s=3.5, face_height=50, look="mirrored"),
)
"""One walks through, over two ends of segments; one comes and goes."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "till_20260105_101500.mp4"
    write_video(path, PEOPLE, (320, 180), seconds=6)
    return path


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return made_settings(tmp_path, database_url=database_url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with opened(settings) as database:
        yield database


@pytest.fixture
def film(video: Path, settings: Settings, database: Database) -> int:
    """A recording of three segments that waits."""
    return taken_in(video, settings, database)


@pytest.fixture
def photo(tmp_path: Path, settings: Settings, database: Database) -> int:
    """A recording that is read in no time."""
    write_picture(tmp_path / "photo.jpg", [Appearance(160, 90, face_height=60)], (320, 180))
    return taken_in(tmp_path / "photo.jpg", settings, database)


def taken_in(video: Path, settings: Settings, database: Database, camera: int | None = None) -> int:
    camera = made_camera(database) if camera is None else camera
    (outcome,) = take_in(database, settings, camera, video).values()
    assert isinstance(outcome, Accepted)
    return outcome.recording_id


def task_of(settings: Settings, database: Database) -> SegmentTask:
    """The next segment, claimed."""
    with database.write() as session:
        lease = claim(session, "tester", 60, datetime.now(UTC))
    assert lease is not None
    return SegmentTask(
        settings.resolved_database_url,
        settings.resolved_footage_url,
        settings.home,
        lease,
        lease_seconds=60,
        max_attempts=3,
        threads=1,
    )


def test_a_video_is_read_to_its_end(settings: Settings, database: Database, film: int) -> None:
    read_all(settings)
    row = recording(database, film)
    assert row.state is RecordingState.DONE
    assert (row.segments, row.segments_done, row.progress) == (3, 3, 1.0)
    # Two people, though one of them stands in three segments.
    assert row.people == 2
    with database.read() as session:
        people = people_frame(session, film)
    assert people["start_ms"].tolist() == pytest.approx([0, 1500], abs=300)
    assert people["end_ms"].tolist() == pytest.approx([5900, 3400], abs=300)
    found = rows(database)
    assert len(found["tracks"]) == 5
    assert sum(int(str(bucket[2])) for bucket in found["buckets"]) == 2
    assert len(found["predictions"]) == row.faces == pytest.approx(40, abs=4)


def test_footage_is_deleted_after_it_was_read(
    settings: Settings, database: Database, photo: int
) -> None:
    assert recording(database, photo).has_footage
    read_all(settings)
    assert not recording(database, photo).has_footage
    assert list(store(settings).stored()) == []


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


def test_footage_is_kept_where_that_was_chosen(
    settings: Settings, database: Database, photo: int
) -> None:
    kept = settings.model_copy(update={"keep_footage": True})
    read_all(kept)
    assert recording(database, photo).has_footage
    assert len(list(store(settings).stored())) == 1
    # A worker that keeps nothing clears what another one left.
    read_all(settings)
    assert not recording(database, photo).has_footage
    assert list(store(settings).stored()) == []


def test_staff_zones_are_left_out(settings: Settings, database: Database, photo: int) -> None:
    with database.write() as session:
        everywhere = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
        camera = recording(database, photo).camera_id
        update_camera(session, camera, staff_zones=(everywhere,))
    read_all(settings)
    row = recording(database, photo)
    assert (row.state, row.people, row.faces) == (RecordingState.DONE, 0, 0)


@pytest.mark.usefixtures("film")
def test_the_task_tells_its_progress(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    tell = Heartbeat.tell

    def noted(self: Heartbeat, progress_ms: int) -> None:
        seen.append(progress_ms)
        tell(self, progress_ms)

    monkeypatch.setattr(Heartbeat, "tell", noted)
    outcome = run_segment(task_of(settings, database))
    assert outcome.ending is Ending.DONE
    assert outcome.frames == 10
    assert seen == sorted(seen)
    assert seen[-1] == 2000


def test_cancelling_stops_the_task_that_reads(
    settings: Settings, database: Database, film: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = replace(task_of(settings, database), lease_seconds=0.05)
    tell = Heartbeat.tell

    def cancelled_meanwhile(self: Heartbeat, progress_ms: int) -> None:
        tell(self, progress_ms)
        with database.write() as session:
            cancel_recording(session, film)
        assert self._lost.wait(240)  # the next renewal finds it out

    monkeypatch.setattr(Heartbeat, "tell", cancelled_meanwhile)
    assert run_segment(task).ending is Ending.LOST
    row = recording(database, film)
    assert (row.state, row.people) == (RecordingState.CANCELLED, 0)
    assert row.has_footage


def test_a_cancelled_recording_can_be_read_after_all(
    settings: Settings, database: Database, film: int
) -> None:
    assert run_segment(task_of(settings, database)).ending is Ending.DONE
    with database.write() as session:
        cancel_recording(session, film)
    read_all(settings)
    assert recording(database, film).segments_done == 1
    with database.write() as session:
        retry_recording(session, film)
    read_all(settings)
    row = recording(database, film)
    assert (row.state, row.segments_done, row.people) == (RecordingState.DONE, 3, 2)


def test_a_segment_of_a_deleted_recording_leaves_nothing(
    settings: Settings, database: Database, photo: int
) -> None:
    task = task_of(settings, database)
    with database.write() as session:
        delete_recording(session, photo)
    assert run_segment(task).ending is Ending.LOST
    assert rows(database) == {"predictions": [], "tracks": [], "buckets": []}


@pytest.mark.usefixtures("photo")
def test_a_lease_taken_over_while_reading_writes_nothing(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(settings, database)

    def taken_over(*arguments: object, **options: object) -> SegmentResult:
        result = analyse_segment(*arguments, **options)  # type: ignore[arg-type]
        with database.write() as session:
            session.execute(update(Segment).where(Segment.index == 0).values(lease_owner="other"))
        return result

    monkeypatch.setattr(reading, "analyse_segment", taken_over)
    assert run_segment(task).ending is Ending.LOST
    assert rows(database)["predictions"] == []


def test_footage_that_is_gone_fails_for_good_and_says_so(
    settings: Settings, database: Database, photo: int
) -> None:
    for footage in list(store(settings).stored()):
        store(settings).delete(footage.key)
    assert run_segment(task_of(settings, database)).ending is Ending.FAILED
    row = recording(database, photo)
    assert row.state is RecordingState.FAILED
    assert row.error == f"{row.name}: its footage is not in the store any more."


@pytest.mark.parametrize(
    ("fault", "ending", "said"),
    [
        (UnreadableFootage("x", "the file is damaged."), Ending.FAILED, "the file is damaged."),
        (MemoryError(), Ending.POSTPONED, "not enough memory"),
        (ModelError("The model is missing."), Ending.POSTPONED, "The model is missing."),
        (RuntimeError("secret detail"), Ending.POSTPONED, "an unexpected fault"),
    ],
)
def test_what_goes_wrong_ends_as_a_sentence(
    settings: Settings,
    database: Database,
    photo: int,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    ending: Ending,
    said: str,
) -> None:
    def failing(*_: object, **__: object) -> SegmentResult:
        raise fault

    monkeypatch.setattr(reading, "analyse_segment", failing)
    assert run_segment(task_of(settings, database)).ending is ending
    if ending is Ending.POSTPONED:
        read_all(settings)  # until the last attempt
    row = recording(database, photo)
    assert row.state is RecordingState.FAILED
    assert row.error is not None
    assert said in row.error
    assert row.name in row.error
    assert "secret detail" not in row.error
    assert row.has_footage

    # What was in the way is gone: tried again, it is read.
    monkeypatch.undo()
    with database.write() as session:
        retry_recording(session, photo)
    read_all(settings)
    assert recording(database, photo).state is RecordingState.DONE


def test_without_a_model_the_worker_still_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SATISFACE_MODEL_DIR", str(tmp_path))
    thread = threading.Thread(target=prepare, args=(1,))
    thread.start()
    thread.join()
    assert "missing" in caplog.text


class Breaking(Executor):
    """An executor whose first processes die while they read."""

    def __init__(self, deaths: list[int]) -> None:
        self._deaths = deaths
        self._pool = ThreadPoolExecutor(1)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        if fn is run_segment and self._deaths[0] > 0:
            self._deaths[0] -= 1
            dead: Future[R] = Future()
            dead.set_exception(BrokenExecutor("a child process terminated abruptly"))
            return dead
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def test_a_pool_that_dies_is_replaced_and_the_segment_read_again(
    settings: Settings, database: Database, photo: int
) -> None:
    deaths: list[int] = [2]
    made: list[Executor] = []

    def breaking() -> Executor:
        made.append(Breaking(deaths))
        return made[-1]

    run_worker(settings, threading.Event(), until_idle=True, executor_factory=breaking)
    assert len(made) == 3
    assert recording(database, photo).state is RecordingState.DONE


def test_a_segment_that_kills_every_process_fails_its_recording_only(
    tmp_path: Path, settings: Settings, database: Database, photo: int
) -> None:
    deaths = [MOST_DEATHS]
    write_picture(tmp_path / "other.png")
    other = taken_in(tmp_path / "other.png", settings, database, made_camera(database, "Till"))
    run_worker(
        settings, threading.Event(), until_idle=True, executor_factory=lambda: Breaking(deaths)
    )
    dead = recording(database, photo)
    assert dead.state is RecordingState.FAILED
    assert dead.error is not None
    assert dead.error.startswith(f"photo.jpg could not be read after {MOST_DEATHS} attempts: ")
    assert recording(database, other).state is RecordingState.DONE


def test_a_process_that_dies_before_it_can_read_costs_no_attempt(
    settings: Settings, database: Database, photo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_TROUBLE_PAUSE_S", 0.01)
    left = [2]

    class Unready(ThreadPoolExecutor):
        def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
            if fn is prepare and left[0] > 0:
                left[0] -= 1
                dead: Future[R] = Future()
                dead.set_exception(BrokenExecutor("a child process terminated abruptly"))
                return dead
            return super().submit(fn, *args, **kwargs)

    two = settings.model_copy(update={"worker_processes": 2})
    run_worker(two, threading.Event(), until_idle=True, executor_factory=lambda: Unready(1))
    assert left == [0]
    assert recording(database, photo).state is RecordingState.DONE
    with database.read() as session:
        assert set(session.scalars(select(Segment.attempts))) == {1}


class Endless(ThreadPoolExecutor):
    """An executor in which reading does not end until it is shut down."""

    def __init__(self, started: threading.Event) -> None:
        super().__init__(2)
        self._started = started
        self._over = threading.Event()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        if fn is not run_segment:
            return super().submit(fn, *args, **kwargs)

        def wait(*_: object) -> SegmentOutcome:
            self._started.set()
            self._over.wait()
            return SegmentOutcome(Ending.LOST, 0.0)

        return super().submit(wait)  # type: ignore[arg-type]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._over.set()
        super().shutdown(wait, cancel_futures=cancel_futures)


def test_stopping_hands_back_what_is_being_read(
    settings: Settings, database: Database, film: int
) -> None:
    two = settings.model_copy(update={"worker_processes": 2})
    stop, started = threading.Event(), threading.Event()
    worker = threading.Thread(
        target=run_worker,
        args=(two, stop),
        kwargs={"executor_factory": lambda: Endless(started)},
    )
    worker.start()
    assert started.wait(240)
    with database.read() as session:
        leased = select(Segment).where(Segment.state == SegmentState.LEASED.value)
        # As many as there is room for, and no more.
        held = 0
        while held < 2:
            held = len(session.scalars(leased).all())
            session.rollback()
        assert held == 2
    stop.set()
    worker.join(240)
    assert not worker.is_alive()
    with database.read() as session:
        segments = session.scalars(select(Segment)).all()
    assert {(found.state, found.attempts) for found in segments} == {("queued", 0)}
    assert recording(database, film).has_footage


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
