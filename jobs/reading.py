"""Inside a process of the pool: read a segment with the loaded model, write what it held."""

import logging
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import cv2
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from db.engine import Database
from db.queue import HELD, Lease, fail, holding, release
from db.results import LeaseLost, prepare_to_write, write_segment
from db.tables import Base, Camera, Recording, Segment
from fer_core.analysis import analyse_segment, detector_for, reader_for
from fer_core.detection import YuNetDetector, Zone
from fer_core.errors import Cancelled, FootageError, ModelError
from fer_core.expression import ExpressionReader
from fer_core.options import AnalysisOptions
from fer_core.remote import RemoteVideo
from fer_core.types import FootageInfo, FootageKind, SegmentPlan, SegmentResult
from jobs.heartbeat import Heartbeat, is_for_want, patiently
from jobs.segment import Ending, SegmentOutcome, SegmentTask
from jobs.store import FootageStore, StoreUnreachable

log = logging.getLogger(__name__)


def read_segment(task: SegmentTask) -> SegmentOutcome:
    """Read the segment of the task and write what it held. Raises nothing that is foreseen."""
    began = time.monotonic()
    try:
        outcome = _outcome(task)
    except DBAPIError as error:
        if not is_for_want(error):
            raise
        # It is no fault of this footage: whatever else waits would fail one by one.
        log.exception("the database has no room, or is away, for %s", task.lease)
        outcome = SegmentOutcome(Ending.DATABASE_AWAY)
    return replace(outcome, seconds=time.monotonic() - began)


def _outcome(task: SegmentTask) -> SegmentOutcome:
    """Without the time it took."""
    database = _opened.at(task.database_url)
    assignment = patiently(lambda: _assignment(database, task.lease))
    if assignment is None:
        return SegmentOutcome(Ending.LOST)
    with Heartbeat(database, task.lease, task.lease_seconds) as heartbeat:
        return _read_and_write(database, task, assignment, heartbeat)


class _Opened:
    """The database of this process. It stays open from one segment to the next: to put queries
    into SQL again and to connect again would cost more than all else that a segment's lease
    costs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._url = ""
        self._database: Database | None = None

    def at(self, url: str) -> Database:
        with self._lock:
            if self._database is None or url != self._url:
                if self._database is not None:
                    self._database.close()
                self._url, self._database = url, Database(url)
            return self._database


_opened = _Opened()


@dataclass(frozen=True, slots=True)
class _Assignment:
    """What the database says of the segment."""

    name: str
    footage_key: str | None
    info: FootageInfo
    plan: SegmentPlan
    sample_rate: float
    zones: tuple[Zone, ...]


_recording, _camera, _segment = (
    Base.metadata.tables[table.__tablename__] for table in (Recording, Camera, Segment)
)
_TOLD: Final = (
    select(
        _recording.c.name,
        _recording.c.footage_key,
        _recording.c.kind,
        _recording.c.width,
        _recording.c.height,
        _recording.c.duration_ms,
        _recording.c.frame_rate,
        _recording.c.codec,
        _recording.c.sample_rate,
        _camera.c.staff_zones,
        _segment.c.index,
        _segment.c.start_ms,
        _segment.c.end_ms,
    )
    .join_from(_segment, _recording, _recording.c.id == _segment.c.recording_id)
    .join(_camera, _camera.c.id == _recording.c.camera_id)
    .where(*HELD)
)


def _assignment(database: Database, lease: Lease) -> _Assignment | None:
    """None where the segment is another worker's meanwhile, or its recording was deleted."""
    with database.read() as session:
        told = session.connection().execute(_TOLD, holding(lease)).one_or_none()
    if told is None:
        return None
    return _Assignment(
        name=told.name,
        footage_key=told.footage_key,
        info=FootageInfo(
            kind=FootageKind(told.kind),
            width=told.width,
            height=told.height,
            duration_ms=told.duration_ms,
            frame_rate=told.frame_rate,
            codec=told.codec,
            rotation=0,
            captured=None,
        ),
        plan=SegmentPlan(told[10], told.start_ms, told.end_ms),  # "index" is a method of rows
        sample_rate=told.sample_rate,
        zones=tuple(tuple((float(x), float(y)) for x, y in zone) for zone in told.staff_zones),
    )


def _read_and_write(
    database: Database, task: SegmentTask, assignment: _Assignment, heartbeat: Heartbeat
) -> SegmentOutcome:
    """Raises DBAPIError where the database is for want of something (``is_for_want``)."""
    name, permanent = assignment.name, False
    try:
        result = patiently(
            lambda: _analyse(task, assignment, heartbeat),
            heartbeat.is_lost,
            trouble=(StoreUnreachable,),
        )
        log.info(
            "recording=%d segment=%d read, to be written",
            task.lease.recording_id,
            task.lease.index,
        )
        was_last = patiently(lambda: _write(database, task, result), heartbeat.is_lost)
    except (Cancelled, LeaseLost):
        return SegmentOutcome(Ending.LOST)
    except FootageError as error:
        reason, permanent = f"{name}: {error.reason}", True
    except _FootageGone:
        reason, permanent = f"{name}: its footage is not in the store any more.", True
    except ModelError as error:
        reason = str(error)
    except StoreUnreachable:
        log.exception("reading %s", task.lease)
        if not FootageStore(task.footage_url).answers():
            # It is no fault of this footage: whatever else waits would fail one by one.
            patiently(lambda: _give_back(database, task.lease))
            return SegmentOutcome(Ending.STORE_AWAY)
        reason = "the footage store could not give its footage"
    except MemoryError:
        log.exception("reading %s", task.lease)
        reason = "there was not enough memory"
    except DBAPIError as error:
        if is_for_want(error):
            raise
        log.exception("writing %s", task.lease)
        reason = "the database could not be written"
    except Exception:
        log.exception("reading %s", task.lease)
        reason = "an unexpected fault stopped the reading; the log tells more"
    else:
        return SegmentOutcome(
            Ending.DONE,
            frames=result.frames,
            faces=len(result.predictions),
            tracks=len(result.tracks),
            was_last=was_last,
        )
    patiently(lambda: _fail(database, task, reason, permanent=permanent))
    return SegmentOutcome(Ending.FAILED if permanent else Ending.POSTPONED)


class _FootageGone(Exception):
    """The store does not hold the footage any more."""


def _analyse(task: SegmentTask, assignment: _Assignment, heartbeat: Heartbeat) -> SegmentResult:
    if assignment.footage_key is None:
        raise _FootageGone
    store = FootageStore(task.footage_url, task.scratch)
    loaded = _loaded(task.threads)
    options = AnalysisOptions(
        rate=assignment.sample_rate,
        zones=assignment.zones,
        limits=task.limits,
        min_face_video=task.smallest_face_in_video,
    )
    loaded.detector.min_face = options.least_face
    try:
        with _footage(store, assignment.footage_key, assignment.info) as path:
            return analyse_segment(
                path,
                assignment.info,
                assignment.plan,
                options,
                loaded.model,
                loaded.detector,
                heartbeat.tell,
                heartbeat.is_lost,
                name=assignment.name,
            )
    except FileNotFoundError as error:
        raise _FootageGone from error


def _footage(
    store: FootageStore, key: str, info: FootageInfo
) -> AbstractContextManager[Path | RemoteVideo]:
    """Of a video elsewhere only what the segment needs is fetched. Pictures, and the GIFs that
    move, are small: they are read from a copy."""
    in_pieces = info.kind is FootageKind.VIDEO and info.codec != "gif"
    return store.video(key) if in_pieces else store.local(key)


def _write(database: Database, task: SegmentTask, result: SegmentResult) -> bool:
    """Whether the recording was read with it."""
    version = _loaded(task.threads).model.card.version
    if result.predictions:
        prepare_to_write(database, task.lease, result)
    with database.write() as session:
        return write_segment(session, task.lease, result, version, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class _Loaded:
    model: ExpressionReader
    detector: YuNetDetector


# Loaded once in a process; model and detector serve one thread only.
_by_thread = threading.local()


def _loaded(threads: int) -> _Loaded:
    """Raises ModelError."""
    loaded: _Loaded | None = getattr(_by_thread, "loaded", None)
    if loaded is None:
        cv2.setNumThreads(threads)
        options = AnalysisOptions()
        loaded = _Loaded(reader_for(options, threads), detector_for(options, threads))
        _by_thread.loaded = loaded
    return loaded


def load(threads: int) -> None:
    """Load what reading needs, so that the first segment need not wait for it."""
    try:
        _loaded(threads)
    except ModelError as error:
        # Told again by each segment that is to be read, where people see it.
        log.error("%s", error)


def _give_back(database: Database, lease: Lease) -> None:
    with database.write() as session:
        release(session, lease)


def _fail(database: Database, task: SegmentTask, reason: str, *, permanent: bool) -> None:
    with database.write() as session:
        fail(
            session,
            task.lease,
            reason,
            permanent=permanent,
            max_attempts=task.max_attempts,
            now=datetime.now(UTC),
        )
