"""Deletion on request: everybody whom a camera saw in a stretch of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from db.buckets import rebuild_hours, rebuild_span
from db.months import in_months, months_of
from db.recordings import cancel_recording
from db.spans import Footage, recordings_between
from db.tables import Prediction, Recording, SealedBucket, Track

_AT_ONCE: Final = 500
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Erased:
    """What one recording lost. ``footage_key``: of its footage, which is for the caller to delete;
    None where none is kept."""

    name: str
    people: int
    footage_key: str | None


def recordings_touching(
    session: Session, camera_id: int, start: datetime, end: datetime
) -> list[int]:
    """Ids of the camera's recordings of which a part lies in [start, end)."""
    query = select(Recording.id, Recording.captured_at, Recording.duration_ms).where(
        *recordings_between(session, start, end, [camera_id])
    )
    return [
        recording_id
        for recording_id, captured_at, duration_ms in session.execute(query)
        if captured_at + timedelta(milliseconds=duration_ms) >= start
    ]


def erase_people(
    session: Session,
    recording_id: int,
    start: datetime,
    end: datetime,
    *,
    now: datetime | None = None,
) -> Erased | None:
    """Delete all people of a recording of whose appearance a part lies in [start, end), with all
    their faces, and count its hours anew. A recording that waits or is being read is cancelled:
    it would bring them back. None where it is gone.
    """
    cancel_recording(session, recording_id, now=now)
    recording = session.get(Recording, recording_id, with_for_update=True)
    if recording is None:
        return None
    footage = Footage(recording_id, recording.captured_at, recording.duration_ms)
    seen = (
        select(func.coalesce(Track.root_id, Track.id))
        .where(
            Track.recording_id == recording_id,
            Track.end_ms >= footage.milliseconds_until(start),
            Track.start_ms < footage.milliseconds_until(end),
        )
        .distinct()
    )
    people = list(session.scalars(seen))
    for place in range(0, len(people), _AT_ONCE):
        _delete(session, people[place : place + _AT_ONCE], months_of(recording))
    if people:
        left = select(Track.id).where(Track.recording_id == recording_id).limit(1)
        if session.scalar(left) is None:
            recording.people_deleted_at = now or datetime.now(UTC)
            session.flush()
        last = recording.captured_at + timedelta(milliseconds=recording.duration_ms)
        rebuild_span(session, recording.camera_id, recording.captured_at, last)
    return Erased(recording.name, len(people), recording.footage_key)


def _delete(session: Session, people: Sequence[int], months: Sequence[int]) -> None:
    tracks = select(Track.id).where(or_(Track.id.in_(people), Track.root_id.in_(people)))
    session.execute(delete(Prediction).where(Prediction.track_id.in_(tracks), in_months(months)))
    session.execute(delete(Track).where(Track.root_id.in_(people)))
    session.execute(delete(Track).where(Track.id.in_(people)))


def erase_sealed(session: Session, camera_id: int, start: datetime, end: datetime) -> int:
    """Delete the sealed hours of a camera of which a part lies in [start, end): sums of people
    whose rows are gone already, which cannot be taken apart. Returns how many."""
    within = (
        SealedBucket.camera_id == camera_id,
        SealedBucket.hour > start - _HOUR,
        SealedBucket.hour < end,
    )
    hours = list(session.scalars(select(SealedBucket.hour).where(*within)))
    if hours:
        session.execute(delete(SealedBucket).where(*within))
        rebuild_hours(session, camera_id, hours)
    return len(hours)
