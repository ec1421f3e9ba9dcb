"""Recordings as the pages list them, with how far each was read and whom it shows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVarTuple

from sqlalchemy import Select, and_, case, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from db.tables import (
    Camera,
    Recording,
    RecordingState,
    Segment,
    SegmentState,
    Site,
    Track,
)

Columns = TypeVarTuple("Columns")
_COLUMNS: Final = (Recording, Camera.name, Site)


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One recording as the pages show it.

    ``progress``: 0 to 1 of its footage. ``seconds_left``: from its pace so far, None until that
    is known (while it waits, and when it is at its end). ``people``, ``unknown`` (people who
    could not be read) and ``faces``: found so far. ``bytes``: of the file as uploaded.
    ``has_faces``, ``has_people``: False once those rows were deleted (db.retention).
    ``sha256``: of that file, hexadecimal.
    """

    id: int
    name: str
    kind: str
    camera_id: int
    camera: str
    site_id: int
    site: str
    time_zone: str
    captured_at: datetime
    captured_from: str
    duration_ms: int
    width: int
    height: int
    bytes: int
    sha256: str
    codec: str
    state: RecordingState
    error: str | None
    warnings: tuple[str, ...]
    progress: float
    seconds_left: float | None
    people: int
    unknown: int
    faces: int
    segments: int
    segments_done: int
    has_footage: bool
    has_faces: bool
    has_people: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class TakenBetween:
    """[start, end) (UTC), for the sites of one time zone: the same days begin elsewhere at other
    instants."""

    time_zone: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class _Progress:
    """``paced_ms``: footage read since the recording was last started."""

    segments: int = 0
    done: int = 0
    total_ms: int = 0
    read_ms: int = 0
    paced_ms: int = 0


@dataclass(frozen=True, slots=True)
class _People:
    people: int = 0
    unknown: int = 0
    faces: int = 0


def list_recordings(
    session: Session,
    *,
    states: Collection[str] | None = None,
    camera_ids: Collection[int] | None = None,
    search: str | None = None,
    ids: Collection[int] | None = None,
    taken: Collection[TakenBetween] | None = None,
    with_footage: bool = False,
    sha256: str | None = None,
    newest_first: bool = True,
    limit: int = 50,
    offset: int = 0,
    older_than: tuple[datetime, int] | None = None,
    now: datetime | None = None,
) -> list[RecordingRow]:
    """Recordings in the order in which they were added, a page at a time.

    ``search``: part of the name of the recording, its camera or its site. ``taken``: those
    that began in one of these stretches. ``older_than``: added before the recording with this
    ``created_at`` and id. None: no filter.
    """
    order = (Recording.created_at, Recording.id)
    query = _filtered(
        select(*_COLUMNS),
        states=states,
        camera_ids=camera_ids,
        search=search,
        ids=ids,
        taken=taken,
        with_footage=with_footage,
    )
    if sha256 is not None:
        query = query.where(Recording.sha256 == sha256)
    if older_than is not None:
        query = query.where(tuple_(*order) < older_than)
    query = query.order_by(*(column.desc() if newest_first else column for column in order))
    return _rows(session, query.limit(limit).offset(offset), now or datetime.now(UTC))


def count_recordings(
    session: Session,
    *,
    states: Collection[str] | None = None,
    camera_ids: Collection[int] | None = None,
    search: str | None = None,
    ids: Collection[int] | None = None,
    taken: Collection[TakenBetween] | None = None,
    with_footage: bool = False,
) -> int:
    """How many recordings list_recordings would give without limit."""
    query = _filtered(
        select(func.count(Recording.id)),
        states=states,
        camera_ids=camera_ids,
        search=search,
        ids=ids,
        taken=taken,
        with_footage=with_footage,
    )
    return session.scalar(query) or 0


def get_recording(
    session: Session, recording_id: int, *, now: datetime | None = None
) -> RecordingRow | None:
    """None where it does not exist (any more)."""
    rows = list_recordings(session, ids=[recording_id], limit=1, now=now)
    return rows[0] if rows else None


def find_by_sha256(session: Session, sha256: str) -> list[RecordingRow]:
    """The recordings, of any camera, whose file has this hash."""
    query = _filtered(select(*_COLUMNS))
    query = query.where(Recording.sha256 == sha256).order_by(Recording.id)
    return _rows(session, query, datetime.now(UTC))


def _filtered(
    query: Select[*Columns],
    *,
    states: Collection[str] | None = None,
    camera_ids: Collection[int] | None = None,
    search: str | None = None,
    ids: Collection[int] | None = None,
    taken: Collection[TakenBetween] | None = None,
    with_footage: bool = False,
) -> Select[*Columns]:
    query = query.select_from(Recording).join(Recording.camera).join(Camera.site)
    if states is not None:
        query = query.where(Recording.state.in_([RecordingState(s).value for s in states]))
    if camera_ids is not None:
        query = query.where(Recording.camera_id.in_(camera_ids))
    if ids is not None:
        query = query.where(Recording.id.in_(ids))
    if taken is not None:
        stretches = (
            and_(
                Site.time_zone == stretch.time_zone,
                Recording.captured_at >= stretch.start,
                Recording.captured_at < stretch.end,
            )
            for stretch in taken
        )
        query = query.where(or_(false(), *stretches))
    if with_footage:
        query = query.where(Recording.footage_key.is_not(None))
    if search:
        names = (Recording.name, Camera.name, Site.name)
        query = query.where(or_(*(name.icontains(search, autoescape=True) for name in names)))
    return query


def _rows(
    session: Session, query: Select[Recording, str, Site], now: datetime
) -> list[RecordingRow]:
    found = session.execute(query).all()
    ids = [recording.id for recording, *_ in found]
    progress = _progress(session, ids)
    people = _people(session, ids)
    return [
        _row(
            recording,
            camera,
            site,
            progress.get(recording.id, _Progress()),
            people.get(recording.id, _People()),
            now,
        )
        for recording, camera, site in found
    ]


def _row(
    recording: Recording,
    camera: str,
    site: Site,
    read: _Progress,
    found: _People,
    now: datetime,
) -> RecordingRow:
    return RecordingRow(
        id=recording.id,
        name=recording.name,
        kind=recording.kind,
        camera_id=recording.camera_id,
        camera=camera,
        site_id=site.id,
        site=site.name,
        time_zone=site.time_zone,
        captured_at=recording.captured_at,
        captured_from=recording.captured_from,
        duration_ms=recording.duration_ms,
        width=recording.width,
        height=recording.height,
        bytes=recording.bytes,
        sha256=recording.sha256,
        codec=recording.codec,
        state=RecordingState(recording.state),
        error=recording.error,
        warnings=tuple(recording.warnings),
        progress=read.read_ms / read.total_ms if read.total_ms else 0.0,
        seconds_left=_seconds_left(recording, read, now),
        people=found.people,
        unknown=found.unknown,
        faces=found.faces,
        segments=read.segments,
        segments_done=read.done,
        has_footage=recording.footage_key is not None,
        has_faces=recording.faces_deleted_at is None,
        has_people=recording.people_deleted_at is None,
        created_at=recording.created_at,
        started_at=recording.started_at,
        finished_at=recording.finished_at,
    )


def _seconds_left(recording: Recording, read: _Progress, now: datetime) -> float | None:
    """What is left at the pace so far, which holds other recordings read beside it, too.

    A recording that waits has no pace yet: how long it waits depends on what is before it.
    """
    if recording.state != RecordingState.READING.value or recording.started_at is None:
        return None
    elapsed = (now - recording.started_at).total_seconds()
    if elapsed <= 0 or read.paced_ms <= 0:
        return None
    return (read.total_ms - read.read_ms) * elapsed / read.paced_ms


def _progress(session: Session, ids: Sequence[int]) -> dict[int, _Progress]:
    length = Segment.end_ms - Segment.start_ms
    done = Segment.state == SegmentState.DONE.value
    leased = Segment.state == SegmentState.LEASED.value
    beyond = and_(leased, Segment.progress_ms > length)
    read = case((or_(done, beyond), length), (leased, Segment.progress_ms), else_=0)
    # A segment that was done before the recording was tried again tells nothing of its pace.
    paced = case((and_(done, Segment.finished_at < Recording.started_at), 0), else_=read)
    query = (
        select(
            Segment.recording_id,
            func.count(),
            func.sum(case((done, 1), else_=0)),
            func.sum(length),
            func.sum(read),
            func.sum(paced),
        )
        .join(Recording, Recording.id == Segment.recording_id)
        .where(Segment.recording_id.in_(ids))
        .group_by(Segment.recording_id)
    )
    return {row[0]: _Progress(*(int(v) for v in row[1:])) for row in session.execute(query)}


def _people(session: Session, ids: Sequence[int]) -> dict[int, _People]:
    person = func.coalesce(Track.root_id, Track.id)
    query = (
        select(
            Track.recording_id,
            func.sum(case((Track.root_id.is_(None), 1), else_=0)),
            func.count(case((Track.weight > 0, person)).distinct()),
            func.sum(Track.faces),
        )
        .where(Track.recording_id.in_(ids))
        .group_by(Track.recording_id)
    )
    return {
        recording_id: _People(int(people), int(people) - int(read), int(faces))
        for recording_id, people, read, faces in session.execute(query)
    }
