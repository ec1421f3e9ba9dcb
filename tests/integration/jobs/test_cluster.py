"""Segments read by the workers of a real Dask scheduler, and what happens when those are killed."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path

import psutil
import pytest
from distributed.comm.core import CommClosedError

from db.tables import RecordingState, SegmentState
from jobs.cluster import Cluster
from jobs.intake import Accepted
from jobs.pool import ProcessDied
from jobs.worker import run_worker
from tests.integration.jobs.test_crash import count
from tests.made_footage import Appearance, write_video
from tests.made_jobs import (
    ROOT,
    made_camera,
    made_settings,
    opened,
    read_all,
    recording,
    rows,
    take_in,
    until,
)

SECONDS = 8
PEOPLE = (Appearance(60, 90, to=(250, 90), end_s=SECONDS, face_height=60),)


class DaskProcesses:
    """A scheduler on a port of its own, and workers with one thread each."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._folder = folder
        self.started: list[psutil.Popen] = []

    def scheduler(self) -> psutil.Popen:
        return self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port))

    def worker(self) -> psutil.Popen:
        return self._start("worker", self.address, "--nthreads", "1", "--no-nanny")

    def _start(self, *words: str) -> psutil.Popen:
        with (self._folder / f"dask-{len(self.started)}.log").open("wb") as log:
            process = psutil.Popen(
                [sys.executable, "-m", "dask", *words, "--no-dashboard"],
                cwd=ROOT,
                env=os.environ
                | {"PYTHONPATH": str(ROOT), "DASK_TEMPORARY_DIRECTORY": str(self._folder)},
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[DaskProcesses]:
    processes = DaskProcesses(tmp_path)
    yield processes
    for process in processes.started:
        with contextlib.suppress(psutil.Error):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "door_20260302_101500.mp4"
    write_video(path, PEOPLE, (320, 180), fps=5, seconds=SECONDS, gop=5)
    return path


def test_workers_and_scheduler_are_killed_and_the_rows_are_those_of_an_undisturbed_run(
    tmp_path: Path, dask: DaskProcesses, video: Path
) -> None:
    values = {"segment_seconds": 1, "sample_rate": 3, "lease_seconds": 2.0}
    undisturbed = made_settings(tmp_path / "undisturbed", **values)
    with opened(undisturbed) as database:
        take_in(database, undisturbed, made_camera(database), video)
        read_all(undisturbed)
        expected = rows(database)

    settings = made_settings(tmp_path / "cluster", scheduler_address=dask.address, **values)
    with opened(settings) as database:
        (outcome,) = take_in(database, settings, made_camera(database), video).values()
        assert isinstance(outcome, Accepted)
        scheduler = dask.scheduler()
        first, _ = dask.worker(), dask.worker()
        reading = threading.Thread(
            target=run_worker, args=(settings, threading.Event()), kwargs={"until_idle": True}
        )
        reading.start()
        until(lambda: count(database, SegmentState.DONE) >= 2)
        first.kill()
        until(lambda: count(database, SegmentState.DONE) >= 4)
        scheduler.kill()
        scheduler.wait()
        dask.scheduler()
        dask.worker()
        reading.join(240)
        assert not reading.is_alive()
        assert recording(database, outcome.recording_id).state is RecordingState.DONE
        assert rows(database) == expected


def test_a_worker_that_dies_fails_its_task_alone(dask: DaskProcesses) -> None:
    dask.scheduler()
    dask.worker()
    cluster = Cluster(dask.address)
    until(lambda: cluster.capacity == 1)
    assert cluster.submit(abs, -7).result(240) == 7
    with pytest.raises(ZeroDivisionError):
        cluster.submit(divmod, 1, 0).result(240)
    ended = cluster.submit(os._exit, 1)
    for _ in range(4):  # Dask tries a task on several workers before it gives it up
        dask.worker()
    with pytest.raises(ProcessDied):
        ended.result(240)
    cluster.shutdown(cancel_futures=True)


def test_a_result_that_cannot_be_fetched_ends_its_task(
    dask: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask.scheduler()
    dask.worker()
    cluster = Cluster(dask.address)
    until(lambda: cluster.capacity == 1)

    async def gone(*_: object, **__: object) -> None:
        raise CommClosedError("the scheduler was killed just now")

    monkeypatch.setattr("distributed.client.retry_operation", gone)
    with pytest.raises(BrokenExecutor):
        cluster.submit(abs, -7).result(240)
    monkeypatch.undo()
    assert cluster.submit(abs, -7).result(240) == 7
    cluster.shutdown(cancel_futures=True)


def test_who_leaves_a_cluster_leaves_no_future_without_an_end(dask: DaskProcesses) -> None:
    dask.scheduler()
    dask.worker()
    cluster = Cluster(dask.address)
    until(lambda: cluster.capacity == 1)
    running, waiting = (cluster.submit(time.sleep, 3600) for _ in range(2))
    cluster.shutdown(wait=False, cancel_futures=True)
    for future in (running, waiting):
        with pytest.raises(BrokenExecutor):
            future.result(240)
    with pytest.raises(BrokenExecutor):
        cluster.submit(abs, -7)


def test_a_cluster_can_be_waited_for(dask: DaskProcesses) -> None:
    dask.scheduler()
    dask.worker()
    with Cluster(dask.address) as cluster:
        futures = [cluster.submit(pow, 2, n) for n in range(4)]
    assert [future.result(0) for future in futures] == [1, 2, 4, 8]


def test_a_scheduler_that_answers_no_more_is_given_up(
    dask: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = dask.scheduler()
    dask.worker()
    cluster = Cluster(dask.address)
    until(lambda: cluster.capacity == 1)
    running = cluster.submit(time.sleep, 3600)
    monkeypatch.setattr("jobs.cluster._PATIENCE_S", 1)
    monkeypatch.setattr("jobs.cluster._COUNTED_FOR_S", 0)
    scheduler.suspend()
    with pytest.raises(BrokenExecutor):
        until(lambda: cluster.capacity > 1)
    cluster.shutdown(wait=False, cancel_futures=True)
    with pytest.raises(BrokenExecutor):
        running.result(240)


def test_a_client_that_has_given_its_scheduler_up_is_of_no_more_use(dask: DaskProcesses) -> None:
    dask.scheduler()
    cluster = Cluster(dask.address)
    # As it does by itself when it has not found it again for ten seconds.
    cluster._client.close()
    with pytest.raises(BrokenExecutor):
        _ = cluster.capacity
    with pytest.raises(BrokenExecutor):
        cluster.submit(abs, -7)
    cluster.shutdown(cancel_futures=True)
