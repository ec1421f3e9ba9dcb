"""Work for the workers: leases on segments.

A lease is a promise to give a sign of life before ``until``. Who does not loses the segment to
the next worker that asks, and finds out by ``renew`` or when writing. ``attempts`` counts the
times that a segment was handed out; together with the owner it tells one lease from another of
the same segment.

queued -> leased -> done                     write_segment
             |----> queued                   release, or fail with attempts left
             |----> failed                   fail; the recording fails, its other segments cancel
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Result,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from db.recordings import cancel_unfinished_segments
from db.tables import Base, Recording, RecordingState, Segment, SegmentState, UtcDateTime

_RECORDINGS: Final = Base.metadata.tables[Recording.__tablename__]
_SEGMENTS: Final = Base.metadata.tables[Segment.__tablename__]
_RECORDING: Final = _RECORDINGS.c
_SEGMENT: Final = _SEGMENTS.c

_NOW: Final = bindparam("now", type_=UtcDateTime())

_LENGTH: Final = 1000
"""Characters of a stored error."""

_LOST: Final = "the worker that read it stopped without a word"

MOST_DEATHS: Final = 15
"""Times that a process may die over one segment. Many, since most deaths have other causes (a
restart, a full machine); not endless, since footage may be what kills it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to read one segment. ``until``: UTC, when it was handed out."""

    recording_id: int
    index: int
    owner: str
    until: datetime
    attempts: int


HELD: Final[tuple[ColumnElement[bool], ...]] = (
    _SEGMENT.recording_id == bindparam("of"),
    _SEGMENT.index == bindparam("at"),
    _SEGMENT.state == SegmentState.LEASED.value,
    _SEGMENT.lease_owner == bindparam("owner"),
    _SEGMENT.attempts == bindparam("tried"),
)
"""Conditions on table segments that hold while a lease is not lost; their values: ``holding``."""


def holding(lease: Lease) -> dict[str, object]:
    return {
        "of": lease.recording_id,
        "at": lease.index,
        "owner": lease.owner,
        "tried": lease.attempts,
    }


_OF_LEASE: Final = update(_SEGMENTS).where(*HELD)
_UNREAD: Final[dict[str, object]] = {
    "state": SegmentState.QUEUED.value,
    "lease_owner": None,
    "lease_until": None,
    "progress_ms": 0,
}


def claim(
    session: Session,
    owner: str,
    lease_seconds: float,
    now: datetime,
    *,
    max_deaths: int = MOST_DEATHS,
) -> Lease | None:
    """Take the next segment, None when there is nothing to do.

    Recordings of the lowest niceness take turns: first the one with the fewest segments being
    read, then the oldest; in it, the first segment. A segment whose lease ran out is free again;
    when that happened ``max_deaths`` times already, its recording fails instead.
    """
    while (free := _one(session, _NEXT, {"now": now})) is not None:
        if free.deaths >= max_deaths:
            _fail_recording(
                session, free, _given_up(session, free, _LOST), now, segment_error=_LOST
            )
            continue
        until = now + timedelta(seconds=lease_seconds)
        values: dict[str, object] = {
            "state": SegmentState.LEASED.value,
            "lease_owner": owner,
            "lease_until": until,
            "attempts": free.attempts + 1,
            "progress_ms": 0,
        }
        if free.state == SegmentState.LEASED.value:
            values["error"] = _LOST
        # The conditions are asked again: another worker may have been faster (not in SQLite). A
        # recording is locked before its segments, and only by who changes it, so that workers
        # never wait for each other in a circle.
        connection = session.connection()
        if free.recording_waits and not _changed(
            connection.execute(_BEGIN, {"of": free.recording_id, "now": now})
        ):
            continue
        place = {"of": free.recording_id, "at": free.index, "tried": free.attempts, "now": now}
        if not _changed(connection.execute(_TAKE, {**place, **values})):
            continue
        return Lease(free.recording_id, free.index, owner, until, free.attempts + 1)
    return None


def renew(
    session: Session, lease: Lease, lease_seconds: float, progress_ms: int, now: datetime
) -> bool:
    """Give a sign of life and tell how much footage of the segment was read.

    False when the lease is lost or the recording was cancelled or deleted: stop.
    """
    until = now + timedelta(seconds=lease_seconds)
    told = {**holding(lease), "lease_until": until, "progress_ms": progress_ms}
    return _changed(session.connection().execute(_OF_LEASE, told))


def release(session: Session, lease: Lease) -> None:
    """Give a segment back unread; the attempt does not count. Nothing where it is lost."""
    back = _OF_LEASE.values(_UNREAD | {"attempts": _SEGMENT.attempts - 1})
    session.connection().execute(back, holding(lease))


def fail(
    session: Session,
    lease: Lease,
    reason: str,
    *,
    permanent: bool,
    max_attempts: int,
    now: datetime,
    died: bool = False,
    max_deaths: int = MOST_DEATHS,
) -> None:
    """The segment could not be read: queue it again, or fail the recording.

    ``permanent``: trying again would not help; ``reason`` is then shown as it is and must be a
    sentence that names the file. Otherwise the recording fails when that happened
    ``max_attempts`` times, and ``reason`` is shown behind "could not be read after 3 attempts" (a
    name of the file at its beginning is not repeated). ``died``: the process was killed or
    crashed, which is rarely the footage's fault and is tried up to ``max_deaths`` times. Nothing
    happens where the lease is lost.
    """
    reason = reason[:_LENGTH]
    lock_recording(session, lease.recording_id)
    own = _segments().where(*HELD).with_for_update(of=_SEGMENTS)
    segment = _one(session, own, holding(lease))
    if segment is None:
        return
    # The attempt that now ends counts among the deaths until it is told to be a fault.
    spent = segment.deaths >= max_deaths if died else segment.faults + 1 >= max_attempts
    if permanent or spent:
        error = reason if permanent else _given_up(session, segment, reason)
        _fail_recording(session, segment, error, now, segment_error=reason)
        return
    faults = _SEGMENT.faults + (0 if died else 1)
    again = _OF_LEASE.values(_UNREAD | {"faults": faults, "error": reason})
    session.connection().execute(again, holding(lease))


@dataclass(frozen=True, slots=True)
class _Segment:
    recording_id: int
    index: int
    state: str
    attempts: int
    faults: int
    recording_waits: bool

    @property
    def deaths(self) -> int:
        """Attempts that ended without a word; the one under way is among them."""
        return self.attempts - self.faults


def _segments() -> Select[Any, Any, Any, Any, Any, Any]:
    return select(
        _SEGMENT.recording_id,
        _SEGMENT.index,
        _SEGMENT.state,
        _SEGMENT.attempts,
        _SEGMENT.faults,
        _RECORDING.state,
    ).join_from(_SEGMENTS, _RECORDINGS, _RECORDING.id == _SEGMENT.recording_id)


def _one(
    session: Session,
    query: Select[Any, Any, Any, Any, Any, Any],
    values: dict[str, object] | None = None,
) -> _Segment | None:
    row = session.connection().execute(query, values).one_or_none()
    if row is None:
        return None
    waits = row[5] == RecordingState.QUEUED.value
    return _Segment(row[0], row[1], row[2], row[3], row[4], waits)


def lock_recording(session: Session, recording_id: int) -> None:
    """Nobody else changes the recording, or more than one of its segments, until the commit."""
    session.execute(
        select(Recording.id).where(Recording.id == recording_id).with_for_update(key_share=True)
    )


def _is_free() -> ColumnElement[bool]:
    return or_(
        _SEGMENT.state == SegmentState.QUEUED.value,
        and_(_SEGMENT.state == SegmentState.LEASED.value, _SEGMENT.lease_until < _NOW),
    )


def _started() -> Select[Any, Any, Any, Any]:
    free = case((_is_free(), 1), else_=0)
    running = func.sum(1 - free).label("running")
    order = (_RECORDING.niceness, running, _RECORDING.created_at, _RECORDING.id)
    return (
        select(*order)
        .join_from(_RECORDINGS, _SEGMENTS, _SEGMENT.recording_id == _RECORDING.id)
        .where(
            _RECORDING.state == RecordingState.READING.value,
            _SEGMENT.state.in_([SegmentState.QUEUED.value, SegmentState.LEASED.value]),
        )
        .group_by(_RECORDING.id, _RECORDING.niceness, _RECORDING.created_at)
        .having(func.sum(free) > 0)
        .order_by(*order)
        .limit(1)
    )


def _waiting() -> Select[Any, Any, Any, Any]:
    return (
        select(
            _RECORDING.niceness, literal(0).label("running"), _RECORDING.created_at, _RECORDING.id
        )
        .where(
            _RECORDING.state == RecordingState.QUEUED.value,
            select(_SEGMENT.index)
            .where(_SEGMENT.recording_id == _RECORDING.id, _is_free())
            .exists(),
        )
        .order_by(_RECORDING.niceness, _RECORDING.created_at, _RECORDING.id)
        .limit(1)
    )


def _whose_turn() -> ScalarSelect[int]:
    """Recordings being read are few, so they are all looked at; of those that wait only the
    oldest can be next, and the index gives it without a look at the others."""
    # Each in a query of its own: SQLite sorts and cuts no part of a union.
    two = union_all(*(select(one.subquery()) for one in (_started(), _waiting()))).subquery()
    order = (two.c.niceness, two.c.running, two.c.created_at, two.c.id)
    return select(two.c.id).order_by(*order).limit(1).scalar_subquery()


# Put together once, of tables and not of classes: every worker asks them for every segment, and
# SQLAlchemy takes longer to put one together than a database to answer it.
_NEXT: Final = (
    _segments()
    .where(_SEGMENT.recording_id == _whose_turn(), _is_free())
    .order_by(_SEGMENT.index)
    .limit(1)
)
_BEGIN: Final = (
    update(_RECORDINGS)
    .where(_RECORDING.id == bindparam("of"), _RECORDING.state == RecordingState.QUEUED.value)
    .values(
        state=RecordingState.READING.value, started_at=func.coalesce(_RECORDING.started_at, _NOW)
    )
)
_TAKE: Final = update(_SEGMENTS).where(
    _SEGMENT.recording_id == bindparam("of"),
    _SEGMENT.index == bindparam("at"),
    _SEGMENT.attempts == bindparam("tried"),
    _is_free(),
)


def _given_up(session: Session, segment: _Segment, reason: str) -> str:
    name = session.execute(
        select(Recording.name).where(Recording.id == segment.recording_id)
    ).scalar_one()
    times = "1 attempt" if segment.attempts == 1 else f"{segment.attempts} attempts"
    sentence = f"{name} could not be read after {times}: {reason.removeprefix(f'{name}: ')}"
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _fail_recording(
    session: Session, segment: _Segment, error: str, now: datetime, *, segment_error: str
) -> None:
    lock_recording(session, segment.recording_id)
    session.execute(
        update(Segment)
        .where(Segment.recording_id == segment.recording_id, Segment.index == segment.index)
        .values(
            state=SegmentState.FAILED.value,
            lease_owner=None,
            lease_until=None,
            progress_ms=0,
            error=segment_error,
        )
        .execution_options(synchronize_session=False)
    )
    cancel_unfinished_segments(session, segment.recording_id)
    session.execute(
        update(Recording)
        .where(Recording.id == segment.recording_id)
        .values(state=RecordingState.FAILED.value, error=error[:_LENGTH], finished_at=now)
        .execution_options(synchronize_session=False)
    )


def _changed(result: Result[Any]) -> bool:
    return isinstance(result, CursorResult) and result.rowcount > 0
