"""The processes that read: they die, are missing their model, or are stopped."""

import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
from sqlalchemy import select

from db.engine import Database
from db.queue import MOST_DEATHS
from db.tables import RecordingState, Segment, SegmentState
from jobs import worker
from jobs.segment import Ending, SegmentOutcome, prepare, run_segment
from jobs.worker import run_worker
from settings import Settings
from tests.integration.jobs.conftest import taken_in
from tests.made_footage import write_picture
from tests.made_jobs import (
    made_camera,
    recording,
)

P = ParamSpec("P")
R = TypeVar("R")


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


def test_without_a_model_the_worker_still_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SATISFACE_MODEL_DIR", str(tmp_path))
    thread = threading.Thread(target=prepare, args=(1,))
    thread.start()
    thread.join()
    assert "missing" in caplog.text
