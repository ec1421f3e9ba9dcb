"""The worker: takes segments from the database and has them read by an executor.

Nothing that matters lives in this process. It can be killed at any moment: its leases run out
and another worker takes the segments.
"""

import logging
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError

from db.engine import Database
from db.months import month_of, next_month
from db.partitions import prepare_months
from db.queue import Lease, claim, fail, release
from db.tables import Segment, SegmentState
from jobs import metrics
from jobs.cluster import Cluster
from jobs.pool import ProcessDied, SegmentPool
from jobs.schedules import ScheduledReports
from jobs.segment import Ending, SegmentOutcome, SegmentTask, prepare, run_segment
from jobs.store import FootageStore, unfinished_folder
from jobs.sweep import delete_orphans, delete_read_footage, delete_unfinished
from settings import Settings

log = logging.getLogger(__name__)

POLL_S: Final = 0.5
SWEEP_S: Final = 300.0
_FIRST_SWEEP_S: Final = 10.0
"""What waits to be read goes first when a worker starts."""

_SWEEP_BUDGET_S: Final = 5.0
"""For each of the things that are swept: nothing is handed out meanwhile."""

_TROUBLE_PAUSE_S: Final = 5.0
_BACKLOG_PAUSE_S: Final = 10.0

ExecutorFactory = Callable[[int], Executor]
"""Makes an executor that runs the given number of segments at the same time."""


def run_worker(
    settings: Settings,
    stop: threading.Event,
    *,
    until_idle: bool = False,
    executor_factory: ExecutorFactory | None = None,
) -> None:
    """Read what waits, until ``stop`` is set; what is being read then is handed back.

    ``until_idle``: return once no segment waits or is being read, by whatever worker.
    ``executor_factory``: None takes the cluster that the settings name, else processes here.
    """
    database = Database(settings.resolved_database_url)
    try:
        _Worker(settings, database, executor_factory or _engine(settings)).run(
            stop, until_idle=until_idle
        )
    finally:
        database.close()


def _engine(settings: Settings) -> ExecutorFactory:
    address = settings.scheduler_address
    return (lambda _: Cluster(address)) if address else SegmentPool


class _Worker:
    def __init__(
        self, settings: Settings, database: Database, executor_factory: ExecutorFactory
    ) -> None:
        self._settings = settings
        self._database = database
        self._executor_factory = executor_factory
        self._store = FootageStore(settings.resolved_footage_url)
        self._name = f"{socket.gethostname()[:60]}:{os.getpid()}"
        self._executor: Executor | None = None
        self._running: dict[Future[SegmentOutcome], Lease] = {}
        self._next_start = -math.inf
        self._next_claim = -math.inf
        self._sweep_at = time.monotonic() + _FIRST_SWEEP_S
        self._swept = False
        self._reports = ScheduledReports(settings, database)

    def run(self, stop: threading.Event, *, until_idle: bool) -> None:
        log.info("worker=%s started processes=%d", self._name, self._settings.worker_processes)
        try:
            while not stop.is_set():
                try:
                    busy = self._step()
                except SQLAlchemyError:
                    log.exception("worker=%s database in trouble", self._name)
                    stop.wait(_TROUBLE_PAUSE_S)
                    continue
                if until_idle and not busy:
                    return
                if self._running:
                    wait(self._running, POLL_S, FIRST_COMPLETED)
                else:
                    stop.wait(POLL_S)
        finally:
            self._end()

    def _step(self) -> bool:
        """Collect what has ended, start what there is room for. False when nothing is left."""
        self._reports.step()
        if self._collect() and self._executor is not None:
            # Where one segment ended most often another one waits: no need to ask first.
            self._hand_out(self._executor)
        busy = bool(self._running) or self._is_anything_unfinished()
        if time.monotonic() >= self._sweep_at or not (busy or self._swept):
            self._sweep()
        if busy:
            # A lease starts to run when it is claimed: not before there is a process to read it.
            executor = self._ready_executor()
            if executor is not None:
                self._hand_out(executor)
        return busy

    def _is_anything_unfinished(self) -> bool:
        """Whether a segment waits or is being read, by whatever worker."""
        unfinished = (SegmentState.QUEUED.value, SegmentState.LEASED.value)
        with self._database.read() as session:
            return bool(session.scalar(select(exists().where(Segment.state.in_(unfinished)))))

    def _hand_out(self, executor: Executor) -> None:
        """Claim segments as long as there is room for them, and have them read; none for a while
        after the footage store did not answer."""
        if time.monotonic() < self._next_claim:
            return
        lease = None
        try:
            while len(self._running) < self._capacity:
                lease = self._claim()
                if lease is None:
                    break
                self._running[executor.submit(run_segment, self._task(lease))] = lease
        except BrokenExecutor as error:
            log.error("worker=%s the engine broke: %s", self._name, error)
            if lease is not None and lease not in self._running.values():
                self._give_back(lease)
            self._discard_executor()

    def _ready_executor(self) -> Executor | None:
        """The executor, warm: a first process has loaded what reading needs. None when it has to
        be tried again later."""
        if self._executor is None and time.monotonic() >= self._next_start:
            try:
                self._executor = self._executor_factory(self._settings.worker_processes)
                if not isinstance(self._executor, Cluster):
                    self._executor.submit(prepare, self._threads).result()
            except BrokenExecutor as error:
                log.error("worker=%s the engine did not start: %s", self._name, error)
                self._discard_executor()
                self._next_start = time.monotonic() + _TROUBLE_PAUSE_S
        return self._executor

    @property
    def _capacity(self) -> int:
        """How many segments can be read at the same time."""
        if isinstance(self._executor, Cluster):
            return self._executor.capacity
        return self._settings.worker_processes

    @property
    def _threads(self) -> int:
        if self._settings.scheduler_address:
            return 1  # a cluster has a process for each of its cores
        return max((os.cpu_count() or 1) // self._settings.worker_processes, 1)

    def _task(self, lease: Lease) -> SegmentTask:
        return SegmentTask(
            database_url=self._settings.resolved_database_url,
            footage_url=self._settings.resolved_footage_url,
            scratch=unfinished_folder(self._settings),
            lease=lease,
            lease_seconds=self._settings.lease_seconds,
            max_attempts=self._settings.max_attempts,
            threads=self._threads,
            limits=self._settings.footage_limits,
            smallest_face_in_video=self._settings.smallest_face_in_video,
        )

    def _claim(self) -> Lease | None:
        # A name of its own for every lease, so that none is taken for an earlier one.
        owner = f"{self._name}:{secrets.token_hex(8)}"
        with self._database.write() as session:
            return claim(
                session,
                owner,
                self._settings.lease_seconds,
                datetime.now(UTC),
            )

    def _collect(self) -> bool:
        """Whether any had ended."""
        ended = [future for future in self._running if future.done()]
        if any(isinstance(future.exception(), BrokenExecutor) for future in ended):
            # The death of one process takes the whole pool along, and all that it was reading;
            # so does the end of a cluster's scheduler.
            log.error("worker=%s the engine broke", self._name)
            self._discard_executor()
            ended = list(wait(self._running).done)
        for future in ended:
            self._conclude(self._running.pop(future), future)
        return bool(ended)

    def _conclude(self, lease: Lease, future: Future[SegmentOutcome]) -> None:
        where = f"worker={self._name} recording={lease.recording_id} segment={lease.index}"
        error = future.exception()
        if isinstance(error, BrokenExecutor | ProcessDied):
            self._fail(
                lease, "the process that read it died, perhaps for want of memory", died=True
            )
            metrics.count_death()
        elif error is not None:
            log.error("%s the task ended with a fault", where, exc_info=error)
            self._fail(lease, "an unexpected fault stopped the reading; the log tells more")
        else:
            outcome = future.result()
            metrics.count(outcome)
            if outcome.ending is Ending.STORE_AWAY:
                self._next_claim = time.monotonic() + _TROUBLE_PAUSE_S
            log.info(
                "%s %s seconds=%.1f frames=%d faces=%d tracks=%d",
                where,
                outcome.ending,
                outcome.seconds,
                outcome.frames,
                outcome.faces,
                outcome.tracks,
            )
            if outcome.was_last:
                self._delete_read_footage()

    def _delete_read_footage(self) -> bool:
        """False where some is left for want of time."""
        if self._settings.keep_footage:
            return True
        deadline = time.monotonic() + _SWEEP_BUDGET_S
        return delete_read_footage(self._database, self._store, deadline=deadline).in_time

    def _fail(self, lease: Lease, reason: str, *, died: bool = False) -> None:
        with self._database.write() as session:
            fail(
                session,
                lease,
                reason,
                permanent=False,
                max_attempts=self._settings.max_attempts,
                now=datetime.now(UTC),
                died=died,
            )

    def _give_back(self, lease: Lease) -> None:
        with self._database.write() as session:
            release(session, lease)

    def _sweep(self) -> None:
        # Loads pandas, which the start is not to wait for.
        from jobs.expiry import delete_expired

        self._swept = True
        pause = SWEEP_S
        try:
            this_month = month_of(datetime.now(UTC))
            prepare_months(self._database, [this_month, next_month(this_month)])
            read_gone = self._delete_read_footage()
            expired_gone = delete_expired(
                self._database,
                self._store,
                keep_footage=self._settings.keep_footage,
                budget_s=_SWEEP_BUDGET_S,
            )
            delete_unfinished(unfinished_folder(self._settings))
            deadline = time.monotonic() + _SWEEP_BUDGET_S
            orphans = delete_orphans(self._database, self._store, deadline=deadline)
            if not (read_gone and expired_gone and orphans.in_time):
                pause = _BACKLOG_PAUSE_S  # soon again, with room for reading in between
        except Exception:
            # Nothing is read less well for it, and there is another sweep to come.
            log.exception("worker=%s sweeping", self._name)
        # Counted from its end: a sweep that takes longer than the pause is not all that is done.
        self._sweep_at = time.monotonic() + pause

    def _discard_executor(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _end(self) -> None:
        """Hand back what is being read, then end the executor."""
        self._reports.close()
        for lease in self._running.values():
            try:
                self._give_back(lease)
            except SQLAlchemyError:
                log.exception("worker=%s a lease could not be handed back", self._name)
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
        log.info("worker=%s ended", self._name)
