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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

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
_LONGEST_PAUSE_S: Final = 60.0
"""Twice as long each time in a row, as what was read meanwhile was read for nothing."""

_BACKLOG_PAUSE_S: Final = 10.0

ExecutorFactory = Callable[[], Executor]
"""Makes an executor of one segment at a time, or a cluster, which tells its number itself."""


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
    return (lambda: Cluster(address)) if address else SegmentPool


@dataclass(slots=True, eq=False)
class _Slot:
    """A place to read at: a process here, one for each slot, so that whatever kills it takes along
    only what it was reading itself; or a whole cluster.

    ``loading``: nothing is handed out before it ends. ``next_start``: of time.monotonic().
    """

    executor: Executor | None = None
    loading: Future[None] | None = None
    running: dict[Future[SegmentOutcome], Lease] = field(default_factory=dict)
    next_start: float = -math.inf

    def room(self) -> int:
        """For how many more segments. Raises BrokenExecutor where it can read no more."""
        if self.executor is None or (self.loading is not None and not self.loading.done()):
            return 0
        if self.loading is not None:
            self.loading.result()
        capacity = self.executor.capacity if isinstance(self.executor, Cluster) else 1
        return capacity - len(self.running)

    def read(self, task: SegmentTask) -> None:
        """Raises BrokenExecutor."""
        assert self.executor is not None
        self.running[self.executor.submit(run_segment, task)] = task.lease

    def discard(self, pause_s: float = 0.0) -> None:
        """End the executor; the next one is started after a pause."""
        if self.executor is not None:
            self.executor.shutdown(wait=False, cancel_futures=True)
        self.executor = self.loading = None
        self.next_start = time.monotonic() + pause_s


class _Worker:
    def __init__(
        self, settings: Settings, database: Database, executor_factory: ExecutorFactory
    ) -> None:
        self._settings = settings
        self._database = database
        self._executor_factory = executor_factory
        self._store = FootageStore(settings.resolved_footage_url)
        self._name = f"{socket.gethostname()[:60]}:{os.getpid()}"
        slots = 1 if settings.scheduler_address else settings.worker_processes
        self._slots = [_Slot() for _ in range(slots)]
        self._to_give_back: list[Lease] = []
        self._next_claim = -math.inf
        self._pause_s = _TROUBLE_PAUSE_S
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
                awaited: list[Future[Any]] = [*self._running, *self._loading()]
                if awaited:
                    wait(awaited, POLL_S, FIRST_COMPLETED)
                else:
                    stop.wait(POLL_S)
        finally:
            self._end()

    def _step(self) -> bool:
        """Collect what has ended, start what there is room for. False when nothing is left."""
        self._reports.step()
        any_ended = self._collect()
        self._hand_back()
        if any_ended:
            # Where one segment ended most often another one waits: no need to ask first.
            self._hand_out()
        busy = bool(self._running) or self._is_anything_unfinished()
        if time.monotonic() >= self._sweep_at or not (busy or self._swept):
            self._sweep()
        if busy:
            # A lease starts to run when it is claimed: not before a process could load all.
            self._start()
            self._hand_out()
        return busy

    @property
    def _running(self) -> dict[Future[SegmentOutcome], Lease]:
        """What is being read."""
        return {future: lease for slot in self._slots for future, lease in slot.running.items()}

    def _loading(self) -> set[Future[None]]:
        return {slot.loading for slot in self._slots if slot.loading and not slot.loading.done()}

    def _is_anything_unfinished(self) -> bool:
        """Whether a segment waits or is being read, by whatever worker."""
        unfinished = (SegmentState.QUEUED.value, SegmentState.LEASED.value)
        with self._database.read() as session:
            return bool(session.scalar(select(exists().where(Segment.state.in_(unfinished)))))

    def _hand_out(self) -> None:
        """Claim segments as long as there is room for them, and have them read; none for a while
        after the footage store did not answer, or the database had no room."""
        if time.monotonic() < self._next_claim:
            return
        for slot in self._slots:
            lease = None
            try:
                while slot.room() > 0:
                    lease = self._claim()
                    if lease is None:
                        return
                    slot.read(self._task(lease))
            except BrokenExecutor as error:
                log.error("worker=%s the engine broke: %s", self._name, error)
                if lease is not None and lease not in slot.running.values():
                    self._give_back(lease)
                slot.discard(_TROUBLE_PAUSE_S)

    def _start(self) -> None:
        """Give every slot that has none an executor. The first process among those that are new
        loads what reading needs, and all of them wait for it: where loading ends badly no segment
        is to suffer for it. The others start once there is a segment for them."""
        loading: Future[None] | None = None
        for slot in self._slots:
            if slot.executor is not None or time.monotonic() < slot.next_start:
                continue
            try:
                slot.executor = self._executor_factory()
                if loading is None and not isinstance(slot.executor, Cluster):
                    loading = slot.executor.submit(prepare, self._threads)
                slot.loading = loading
            except BrokenExecutor as error:
                log.error("worker=%s the engine did not start: %s", self._name, error)
                slot.discard(_TROUBLE_PAUSE_S)

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
        any_ended = False
        for slot in self._slots:
            ended = [future for future in slot.running if future.done()]
            if any(isinstance(future.exception(), BrokenExecutor) for future in ended):
                # The end of a cluster's scheduler takes along all that it was reading.
                log.error("worker=%s the engine broke", self._name)
                slot.discard()
                ended = list(wait(slot.running).done)
            for future in ended:
                self._conclude(slot.running.pop(future), future)
            any_ended = any_ended or bool(ended)
        return any_ended

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
            self._pause(outcome.ending in (Ending.STORE_AWAY, Ending.DATABASE_AWAY))
            if outcome.ending is Ending.DATABASE_AWAY:
                self._to_give_back.append(lease)
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

    def _pause(self, trouble: bool) -> None:
        now = time.monotonic()
        if not trouble:
            self._pause_s = _TROUBLE_PAUSE_S
        elif now >= self._next_claim:  # no pause yet by another that ended so
            self._next_claim = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

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

    def _hand_back(self) -> None:
        """Give back what a task could not write. Where the database still takes nothing it raises
        SQLAlchemyError, and all of it is kept for the next step."""
        while self._to_give_back:
            self._give_back(self._to_give_back[-1])
            self._to_give_back.pop()

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

    def _end(self) -> None:
        """Hand back what is being read, then end the executors."""
        self._reports.close()
        for lease in [*self._to_give_back, *self._running.values()]:
            try:
                self._give_back(lease)
            except SQLAlchemyError:
                log.exception("worker=%s a lease could not be handed back", self._name)
        for slot in self._slots:
            if slot.executor is not None:
                slot.executor.shutdown(wait=True, cancel_futures=True)
        log.info("worker=%s ended", self._name)
