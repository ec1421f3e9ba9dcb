"""What the database tells of itself and of the work that waits, for whoever watches over it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from db.tables import Bucket, Recording, RecordingState, Segment, SegmentState

_RECENT: Final = 50
"""Recordings that came last: one of them is the one that ended last, or nearly so."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Segments that wait and that are being read; recordings by state.

    ``waiting_since``: when the oldest recording that nobody has begun came in. ``last_sign``:
    when a worker last began, read on in or ended something, as far as is known.
    """

    waiting: int
    being_read: int
    recordings: dict[RecordingState, int]
    waiting_since: datetime | None
    last_sign: datetime | None


@dataclass(frozen=True, slots=True)
class Server:
    """``kind``: SQLite or PostgreSQL. ``bytes``: what the database takes on its disk."""

    kind: str
    version: str
    bytes: int


def queue(session: Session, now: datetime, lease_seconds: float) -> Queue:
    """``lease_seconds``: how long a lease runs, which tells when it was last renewed."""
    held = (Segment.state == SegmentState.LEASED.value, Segment.lease_until >= now)
    being_read = _count(session, *held)
    leased = _count(session, Segment.state == SegmentState.LEASED.value)
    queued = _count(session, Segment.state == SegmentState.QUEUED.value)
    states = session.execute(
        select(Recording.state, func.count()).group_by(Recording.state).order_by(Recording.state)
    )
    recordings = dict.fromkeys(RecordingState, 0)
    recordings |= {RecordingState(row[0]): row[1] for row in states}
    return Queue(
        waiting=queued + leased - being_read,
        being_read=being_read,
        recordings=recordings,
        waiting_since=session.scalar(
            select(func.min(Recording.created_at)).where(
                Recording.state == RecordingState.QUEUED.value
            )
        ),
        last_sign=_last_sign(session, timedelta(seconds=lease_seconds)),
    )


def server(session: Session) -> Server:
    if session.get_bind().dialect.name == "sqlite":
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        page = session.execute(text("PRAGMA page_size")).scalar_one()
        version = session.execute(text("SELECT sqlite_version()")).scalar_one()
        return Server("SQLite", str(version), int(pages) * int(page))
    size = session.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    version = session.execute(text("SHOW server_version")).scalar_one()
    return Server("PostgreSQL", str(version).split()[0], int(size))


def faces(session: Session) -> int:
    """All faces that the hours hold."""
    return session.scalar(select(func.sum(Bucket.faces))) or 0


def _count(session: Session, *conditions: object) -> int:
    return (
        session.scalar(select(func.count()).select_from(Segment).where(*conditions)) or 0  # type: ignore[arg-type]
    )


def _last_sign(session: Session, lease: timedelta) -> datetime | None:
    renewed = session.scalar(
        select(func.max(Segment.lease_until)).where(Segment.state == SegmentState.LEASED.value)
    )
    running = session.execute(
        select(func.max(Recording.started_at), func.max(Segment.finished_at))
        .join(Segment, Segment.recording_id == Recording.id)
        .where(Recording.state == RecordingState.READING.value)
    ).one()
    signs = [renewed - lease if renewed else None, running[0], running[1]]
    for state in (RecordingState.DONE, RecordingState.FAILED):
        signs += session.scalars(
            select(Recording.finished_at)
            .where(Recording.state == state.value)
            .order_by(Recording.created_at.desc())
            .limit(_RECENT)
        )
    return max((sign for sign in signs if sign is not None), default=None)
