"""How long rows are kept, and what goes when their time is up.

Faces (single predictions) go first, people (tracks, and with them their faces) later, and the
hourly sums stay: before the people of a recording are deleted, their part of each hour is added to
the hour's sealed bucket, and a bucket is ever after what its tracks and its sealed bucket give
together. Rebuilding, deleting or reading what is beside them in the hour thus loses nobody.

Age counts from the beginning of a recording, or from its upload where that was earlier.

Where each month of predictions is a table of its own (db.partitions), a month goes whole once all
that was seen in it has expired.
"""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pandas as pd
from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from analytics.buckets import BUCKET_COLUMNS, aggregate, local_hour
from db.buckets import add_to_sealed, locked_time_zone
from db.months import begin_of, faces_of, months_seen
from db.partitions import drop_months, lock_for_dropping, month_tables
from db.people import read_people
from db.recordings import delete_rows
from db.spans import Footage, recordings_between
from db.tables import Prediction, Recording, RecordingState, Retention, Track
from fer_core.errors import SatisfaceError

_ENDED: Final = (
    RecordingState.DONE.value,
    RecordingState.FAILED.value,
    RecordingState.CANCELLED.value,
)
_LONGEST: Final = 36_500
_SLACK: Final = timedelta(days=1)
"""What is being read can turn out longer than its container told."""


class RetentionError(SatisfaceError):
    """Rows cannot be kept for so long; the message says why."""


@dataclass(frozen=True, slots=True)
class KeptDays:
    """Days for which rows are kept; None means for good.

    ``faces``: single predictions; they go with their people at the latest. ``people``: tracks.
    ``footage``: where it is kept after reading.
    """

    faces: int | None = None
    people: int | None = None
    footage: int | None = None

    @property
    def days_of_faces(self) -> int | None:
        """For which a face is kept, since it goes with its person."""
        return min((n for n in (self.faces, self.people) if n is not None), default=None)


@dataclass(frozen=True, slots=True)
class Due:
    """What would be deleted: rows of faces and of people, and recordings whose footage goes."""

    faces: int
    people: int
    footage: int


def kept_days(session: Session) -> KeptDays:
    """As it was last set; for good where nobody ever set it."""
    row = session.get(Retention, 1)
    if row is None:
        return KeptDays()
    return KeptDays(row.prediction_days, row.track_days, row.footage_days)


def keep_for(session: Session, days: KeptDays, *, shown: KeptDays | None = None) -> None:
    """Set how long rows are kept. Nothing is deleted here: the worker's next sweep does it.

    ``shown``: what ``days`` were chosen from; what is as in it stays as it is stored now. Raises
    RetentionError where a number is no number of days.
    """
    if shown is not None:
        each = zip(astuple(days), astuple(shown), astuple(kept_days(session)), strict=True)
        days = KeptDays(*(stored if chosen == old else chosen for chosen, old, stored in each))
    for number in (days.faces, days.people, days.footage):
        if number is not None and not 1 <= number <= _LONGEST:
            raise RetentionError(f"Rows are kept from 1 to {_LONGEST:,} days, or for good.")
    row = session.get(Retention, 1) or Retention(id=1)
    row.prediction_days, row.track_days, row.footage_days = days.faces, days.people, days.footage
    session.add(row)
    session.flush()


def count_due(session: Session, days: KeptDays, now: datetime | None = None) -> Due:
    """What keeping rows for ``days`` would delete now."""
    faces_days = days.days_of_faces
    faces_of = select(Recording.id).where(*_due(faces_days, now), _ENDED_AND_THERE)
    people_of = select(Recording.id).where(*_due(days.people, now), _ENDED_AND_THERE)
    kept_footage = (Recording.footage_key.is_not(None), Recording.state.in_(_ENDED))
    people = Track.root_id.is_(None)
    return Due(
        faces=_count(session, Prediction.recording_id, Prediction.recording_id.in_(faces_of))
        if faces_days is not None
        else 0,
        people=_count(session, Track.id, Track.recording_id.in_(people_of), people)
        if days.people is not None
        else 0,
        footage=_count(session, Recording.id, *_due(days.footage, now), *kept_footage)
        if days.footage is not None
        else 0,
    )


_ENDED_AND_THERE: Final = Recording.state.in_(_ENDED) & Recording.people_deleted_at.is_(None)


def _count(
    session: Session, counted: InstrumentedAttribute[int], *conditions: ColumnElement[bool]
) -> int:
    return session.scalar(select(func.count(counted)).where(*conditions)) or 0


def _due(days: int | None, now: datetime | None) -> tuple[ColumnElement[bool], ...]:
    if days is None:
        return ()
    latest = (now or datetime.now(UTC)) - timedelta(days=days)
    return (or_(Recording.captured_at < latest, Recording.created_at < latest),)


def recordings_with_old_faces(
    session: Session,
    days: int,
    *,
    limit: int,
    besides: Collection[int] = (),
    now: datetime | None = None,
) -> list[int]:
    """Ids of recordings, ``besides`` left out, whose predictions are older than ``days`` and
    still there."""
    there = Recording.faces_deleted_at.is_(None) & _ENDED_AND_THERE
    return _oldest(session, (*_due(days, now), there, Recording.id.not_in(besides)), limit)


def recordings_with_old_people(
    session: Session,
    days: int,
    *,
    limit: int,
    besides: Collection[int] = (),
    now: datetime | None = None,
) -> list[int]:
    """Ids of recordings, ``besides`` left out, whose tracks are older than ``days`` and still
    there."""
    there = (_ENDED_AND_THERE, Recording.id.not_in(besides))
    return _oldest(session, (*_due(days, now), *there), limit)


def old_footage(session: Session, days: int, *, now: datetime | None = None) -> dict[int, str]:
    """Recording id to key of footage older than ``days`` that nobody is to read any more."""
    query = select(Recording.id, Recording.footage_key).where(
        *_due(days, now), Recording.footage_key.is_not(None), Recording.state.in_(_ENDED)
    )
    return {row.id: row.footage_key for row in session.execute(query) if row.footage_key}


def unread_footage(session: Session, days: int, *, now: datetime | None = None) -> dict[int, str]:
    """Recording id to key of the footage of recordings that failed or were cancelled more than
    ``days`` ago."""
    latest = (now or datetime.now(UTC)) - timedelta(days=days)
    query = select(Recording.id, Recording.footage_key).where(
        Recording.state.in_([RecordingState.FAILED.value, RecordingState.CANCELLED.value]),
        Recording.finished_at < latest,
        Recording.footage_key.is_not(None),
    )
    return {row.id: row.footage_key for row in session.execute(query) if row.footage_key}


def _oldest(session: Session, conditions: Sequence[ColumnElement[bool]], limit: int) -> list[int]:
    query = select(Recording.id).where(*conditions).order_by(Recording.captured_at).limit(limit)
    return list(session.scalars(query))


def old_months(session: Session, days: int, *, now: datetime | None = None) -> list[int]:
    """The months of predictions that are tables of their own, lie wholly before ``days`` ago, and
    that nothing read now can still write to."""
    latest = (now or datetime.now(UTC)) - timedelta(days=days)
    return sorted(
        first
        for first, behind in month_tables(session).values()
        if begin_of(behind) <= latest and not _can_be_written(session, first, behind)
    )


def drop_old_month(session: Session, month: int) -> bool:
    """Drop the whole table that begins with ``month``, one of old_months. False where its rows are
    wanted again. Raises MonthInUse, and the transaction is over, where it is being read."""
    lock_for_dropping(session)
    for first, behind in month_tables(session).values():
        if first == month and not _can_be_written(session, first, behind):
            drop_months(session, first, behind)
            return True
    return False


def _can_be_written(session: Session, first: int, behind: int) -> bool:
    """Whether a recording waits or is being read whose faces may lie in months [first, behind).
    All others that touch them began, and have expired, before those that lie in them."""
    touching = recordings_between(session, begin_of(first) - _SLACK, begin_of(behind), None)
    return bool(session.scalar(select(exists().where(*touching, Recording.state.not_in(_ENDED)))))


def note_faces_gone(
    session: Session, recording_ids: Sequence[int], *, now: datetime | None = None
) -> set[int]:
    """Mark those of some recordings whose predictions went with their month, and return their
    ids. What somebody else is at is left to the next time."""
    there = select(Recording).where(
        Recording.id.in_(recording_ids), _ENDED_AND_THERE, Recording.faces_deleted_at.is_(None)
    )
    locked = there.order_by(Recording.id).with_for_update(skip_locked=True)
    recordings = session.scalars(locked).all()
    months = months_seen(Footage(one.id, one.captured_at, one.duration_ms) for one in recordings)
    faces = exists().where(Prediction.recording_id == Recording.id, months)
    left = set(
        session.scalars(
            select(Recording.id).where(Recording.id.in_([one.id for one in recordings]), faces)
        )
    )
    gone = {one.id for one in recordings} - left
    if gone:
        session.execute(
            update(Recording)
            .where(Recording.id.in_(gone))
            .values(faces_deleted_at=now or datetime.now(UTC))
        )
    return gone


def segments_with_faces(session: Session, recording_id: int) -> list[int]:
    """Indices of the segments of which predictions are stored."""
    recording = session.get(Recording, recording_id)
    if recording is None:
        return []
    seen = select(Prediction.segment_index).where(faces_of(recording))
    return sorted(session.scalars(seen.distinct()))


def delete_faces(
    session: Session, recording_id: int, segments: Sequence[int], *, now: datetime | None = None
) -> None:
    """Delete the predictions of some segments; the recording is marked when none are left.

    Nothing happens where it is gone or is being read again.
    """
    recording = _ended(session, recording_id)
    if recording is None:
        return
    session.execute(
        delete(Prediction)
        .where(faces_of(recording), Prediction.segment_index.in_(segments))
        .execution_options(synchronize_session=False)
    )
    left = select(Prediction.face).where(faces_of(recording)).limit(1)
    if session.scalar(left) is None:
        recording.faces_deleted_at = now or datetime.now(UTC)
        session.flush()


def seal_people(session: Session, recording_id: int, *, now: datetime | None = None) -> int:
    """Delete the tracks of a recording, and what is left of its predictions; their part of each
    hour goes into its sealed bucket, so that no figure of hours or days changes.

    Nothing happens where it is gone, sealed already, or is being read again. Returns how many
    people went.
    """
    recording = _ended(session, recording_id)
    if recording is None or recording.people_deleted_at is not None:
        return 0
    zone = locked_time_zone(session, recording.camera_id)
    people = read_people(session, Track.recording_id == recording_id)
    if not people.empty:
        seen = pd.Timestamp(recording.captured_at) + pd.to_timedelta(people["start_ms"], unit="ms")
        people["camera_id"] = recording.camera_id
        people["hour"] = local_hour(seen, zone)
        add_to_sealed(session, aggregate(people)[list(BUCKET_COLUMNS)])
    delete_rows(session, recording)
    recording.people_deleted_at = now or datetime.now(UTC)
    recording.faces_deleted_at = recording.faces_deleted_at or recording.people_deleted_at
    session.flush()
    return len(people)


def _ended(session: Session, recording_id: int) -> Recording | None:
    """The recording, locked, unless it waits or is being read."""
    return session.scalar(
        select(Recording)
        .where(Recording.id == recording_id, Recording.state.in_(_ENDED))
        .with_for_update()
    )
