"""Recordings: how one is added, cancelled, tried again, deleted (listed: db.recording_rows)."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from db.months import faces_of, in_months, months_of, stretches
from db.partitions import ensure_months
from db.tables import (
    Base,
    Prediction,
    Recording,
    RecordingState,
    Segment,
    SegmentState,
    Track,
)
from fer_core.errors import SatisfaceError
from fer_core.types import FootageInfo, SegmentPlan

BACKLOG_AFTER: Final = timedelta(days=3)
"""Footage older than this when it is added can wait for what was taken since."""

_NAME_LENGTH: Final = 255
_UNFINISHED: Final = (SegmentState.QUEUED.value, SegmentState.LEASED.value)
RUNNING: Final = (RecordingState.QUEUED.value, RecordingState.READING.value)
"""States of recordings that wait or are being read."""

_GONE: Final = "This recording no longer exists."


class RecordingError(SatisfaceError):
    """A recording cannot be added, changed or tried again so; the message says why."""


def add_recording(
    session: Session,
    *,
    camera_id: int,
    name: str,
    info: FootageInfo,
    plans: Sequence[SegmentPlan],
    sha256: str,
    bytes: int,  # noqa: A002  the column's name, and the field's
    captured_at: datetime,
    captured_from: str,
    footage_key: str,
    sample_rate: float,
    now: datetime | None = None,
) -> int:
    """A recording that waits to be read, with a queued segment for each plan. Footage older than
    BACKLOG_AFTER lets newer footage go first.

    ``captured_at``: aware. ``captured_from``: where that was read from, in a word or two.
    Raises RecordingError where this camera already has this file, and ValueError without plans.
    """
    if not plans:
        raise ValueError("a recording without segments would never end")
    same = select(Recording.name).where(
        Recording.camera_id == camera_id, Recording.sha256 == sha256
    )
    if (other := session.scalar(same)) is not None:
        raise RecordingError(f"{name} was already uploaded for this camera, as {other}.")
    created_at = now or datetime.now(UTC)
    recording = Recording(
        camera_id=camera_id,
        name=name[:_NAME_LENGTH],
        kind=info.kind.value,
        sha256=sha256,
        bytes=bytes,
        width=info.width,
        height=info.height,
        duration_ms=info.duration_ms,
        frame_rate=info.frame_rate,
        codec=info.codec[:64],
        captured_at=captured_at,
        captured_from=captured_from,
        footage_key=footage_key,
        warnings=list(info.warnings),
        sample_rate=sample_rate,
        niceness=int(created_at - captured_at > BACKLOG_AFTER),
        created_at=created_at,
    )
    session.add(recording)
    session.flush()
    session.execute(
        insert(Base.metadata.tables[Segment.__tablename__]),
        [
            {
                "recording_id": recording.id,
                "index": plan.index,
                "start_ms": plan.start_ms,
                "end_ms": plan.end_ms,
            }
            for plan in plans
        ],
    )
    return recording.id


def read_first(session: Session, recording_id: int) -> bool:
    """Put a recording before all others that wait. False where it does not wait."""
    recording = _locked(session, recording_id)
    if recording is None or recording.state not in RUNNING:
        return False
    recording.niceness = -1
    session.flush()
    return True


def cancel_recording(session: Session, recording_id: int, *, now: datetime | None = None) -> bool:
    """Stop a recording that waits or is being read; what was read stays.

    The worker notices when it next renews its lease. False where there was nothing to stop.
    """
    recording = _locked(session, recording_id)
    if recording is None or recording.state not in RUNNING:
        return False
    cancel_unfinished_segments(session, recording_id)
    recording.state = RecordingState.CANCELLED.value
    recording.finished_at = now or datetime.now(UTC)
    session.flush()
    return True


def cancel_unfinished_segments(session: Session, recording_id: int) -> None:
    """A recording at its end has no segment that anybody could still take or write."""
    session.execute(
        update(Segment)
        .where(Segment.recording_id == recording_id, Segment.state.in_(_UNFINISHED))
        .values(
            state=SegmentState.CANCELLED.value, lease_owner=None, lease_until=None, progress_ms=0
        )
    )


def retry_recording(session: Session, recording_id: int) -> None:
    """Queue again all that was not read of a failed or cancelled recording, or all of one that
    was read to its end: what stands there is replaced segment by segment. Segments whose faces
    were deleted since are read again, too: it is by its faces that the next segment knows a
    person who goes on (db.chains).

    Raises RecordingError where it is gone, waits or is being read, where its footage is no longer
    kept, or where its people were deleted (they would count twice).
    """
    recording = _locked(session, recording_id)
    if recording is None:
        raise RecordingError(_GONE)
    if recording.state in RUNNING:
        raise RecordingError(f"{recording.name} waits to be read or is being read already.")
    if recording.footage_key is None:
        raise RecordingError(
            f"The footage of {recording.name} is no longer kept. Delete the recording and "
            "upload the file again."
        )
    if recording.people_deleted_at is not None:
        raise RecordingError(
            f"The people of {recording.name} were deleted and stay counted in its hours; read "
            "again they would count twice."
        )
    segments = [Segment.recording_id == recording_id]
    if recording.state != RecordingState.DONE.value:
        segments.append(or_(Segment.state != SegmentState.DONE.value, _lost_faces(recording)))
    session.execute(
        update(Segment)
        .where(*segments)
        .values(
            state=SegmentState.QUEUED.value,
            attempts=0,
            faults=0,
            lease_owner=None,
            lease_until=None,
            progress_ms=0,
            error=None,
        )
    )
    recording.state = RecordingState.QUEUED.value
    recording.error = None
    recording.started_at = None
    recording.finished_at = None
    recording.faces_deleted_at = None
    session.flush()


def _lost_faces(recording: Recording) -> ColumnElement[bool]:
    """Holds for segments of which only the people are left, and no face."""
    people = exists().where(
        Track.recording_id == recording.id, Track.segment_index == Segment.index
    )
    faces = exists().where(faces_of(recording), Prediction.segment_index == Segment.index)
    return and_(people, ~faces)


def readable_again(session: Session, camera_id: int) -> list[int]:
    """Ids of the camera's recordings that retry_recording would take, by capture time."""
    query = (
        select(Recording.id)
        .where(
            Recording.camera_id == camera_id,
            Recording.state.not_in(RUNNING),
            Recording.footage_key.is_not(None),
            Recording.people_deleted_at.is_(None),
        )
        .order_by(Recording.captured_at, Recording.id)
    )
    return list(session.scalars(query))


def delete_recording(
    session: Session, recording_id: int, *, added_at: datetime | None = None
) -> str | None:
    """Delete a recording in any state, with all that was read of it. Sealed hours stay as they are
    (db.retention).

    ``added_at``: its ``created_at``, from whoever saw it a while ago; None for whatever recording
    has the id now.

    Returns the key of the footage that is now nobody's, None where there is none. Nothing
    happens where the recording is gone already; with ``added_at`` that raises RecordingError.
    """
    recording = _locked(session, recording_id, added_at)
    if recording is None:
        if added_at is not None:
            raise RecordingError(_GONE)
        return None
    camera_id, footage_key = recording.camera_id, recording.footage_key
    span = _span(recording)
    delete_rows(session, recording)
    session.expunge(recording)
    session.execute(delete(Segment).where(Segment.recording_id == recording_id))
    session.execute(delete(Recording).where(Recording.id == recording_id))
    _rebuild(session, camera_id, span)
    return footage_key


def delete_rows(session: Session, recording: Recording) -> None:
    """Delete all predictions and tracks of a recording; its buckets are for the caller."""
    # In this order no row is left for the database to search dependants of one by one.
    session.execute(
        delete(Prediction).where(faces_of(recording)).execution_options(synchronize_session=False)
    )
    for later_segments in (True, False):
        tracks = Track.root_id.is_not(None) if later_segments else Track.root_id.is_(None)
        session.execute(delete(Track).where(Track.recording_id == recording.id, tracks))


def set_captured_at(
    session: Session, recording_id: int, when: datetime, *, added_at: datetime | None = None
) -> None:
    """Say when a recording was taken (aware): its people move to other hours.

    ``added_at``: as for delete_recording. Raises RecordingError where it is gone, or where its
    people were deleted: their hours are sealed.
    """
    recording = _locked(session, recording_id, added_at)
    if recording is None:
        raise RecordingError(_GONE)
    if recording.people_deleted_at is not None:
        raise RecordingError(
            f"The people of {recording.name} were deleted; their hours can no longer be moved."
        )
    before, months = _span(recording), months_of(recording)
    recording.captured_at = when.astimezone(UTC)
    ensure_months(session, months_of(recording))
    recording.captured_from = "given"
    session.flush()
    _move_faces(session, recording, months)
    for span in (before, _span(recording)):
        _rebuild(session, recording.camera_id, span)


def _move_faces(session: Session, recording: Recording, months: Sequence[int]) -> None:
    """Into the months in which they were seen, out of ``months``."""
    for stretch in stretches(recording.captured_at, recording.duration_ms):
        if months != [stretch.month]:
            session.execute(
                update(Prediction)
                .where(
                    Prediction.recording_id == recording.id,
                    in_months(months),
                    Prediction.month != stretch.month,
                    Prediction.time_ms >= stretch.first_ms,
                    Prediction.time_ms < stretch.behind_ms,
                )
                .values(month=stretch.month)
                .execution_options(synchronize_session=False)
            )


def footage_may_go(session: Session, recording_id: int, key: str) -> bool:
    """Whether ``key`` is still the footage of this recording, and the recording neither waits nor
    is being read. For a key that was looked up a while ago."""
    ended = exists().where(
        Recording.id == recording_id,
        Recording.footage_key == key,
        Recording.state.not_in(RUNNING),
    )
    return bool(session.scalar(select(ended)))


def footage_released(session: Session, recording_id: int, key: str) -> None:
    """Note that the footage ``key`` is not kept any more. Nothing where the recording of
    this id has other footage."""
    own = (Recording.id == recording_id, Recording.footage_key == key)
    session.execute(update(Recording).where(*own).values(footage_key=None))


def footage_keys(
    session: Session, states: Collection[RecordingState] | None = None
) -> dict[int, str]:
    """Recording id to key of all footage still kept, of recordings in ``states`` (None: any)."""
    query = select(Recording.id, Recording.footage_key).where(Recording.footage_key.is_not(None))
    if states is not None:
        query = query.where(Recording.state.in_([RecordingState(s).value for s in states]))
    return {row.id: row.footage_key for row in session.execute(query) if row.footage_key}


def _span(recording: Recording) -> tuple[datetime, datetime]:
    return (
        recording.captured_at,
        recording.captured_at + timedelta(milliseconds=recording.duration_ms),
    )


def _rebuild(session: Session, camera_id: int, span: tuple[datetime, datetime]) -> None:
    # Buckets take pandas. A worker takes its work by this module, and is to start without.
    from db.buckets import rebuild_span

    rebuild_span(session, camera_id, *span)


def _locked(
    session: Session, recording_id: int, added_at: datetime | None = None
) -> Recording | None:
    """The recording, so that nobody else changes it or its segments until the commit (SQLite
    has one writer anyway).

    None where it is gone, or was not added at ``added_at``: once a backup was restored, ids are
    given again that were given after it.
    """
    query = select(Recording).where(Recording.id == recording_id)
    if added_at is not None:
        query = query.where(Recording.created_at == added_at)
    return session.scalar(query.with_for_update())
