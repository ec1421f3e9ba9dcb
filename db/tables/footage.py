"""Sites, their cameras, what these recorded, and the segments in which it is read."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.tables.base import NUMBERED_ONCE, Base, is_one_of
from fer_core.types import FootageKind


class RecordingState(StrEnum):
    """``queued`` waits for a worker; ``reading`` has a segment started; the others are ends."""

    QUEUED = "queued"
    READING = "reading"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SegmentState(StrEnum):
    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Site(Base):
    """A store. ``time_zone``: an IANA name. ``is_demonstration``: invented data, marked as such
    on every page.

    ``opening_hours``: empty where they are not known; else seven entries from Monday on, each
    null (closed) or [opens, closes] in minutes since local midnight.
    ``target``: the satisfaction index that the site aims at.
    """

    __tablename__ = "sites"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),
        NUMBERED_ONCE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    time_zone: Mapped[str] = mapped_column(String(64))
    is_demonstration: Mapped[bool] = mapped_column(default=False)
    opening_hours: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    target: Mapped[float | None]
    created_at: Mapped[datetime]

    cameras: Mapped[list["Camera"]] = relationship(back_populates="site", order_by="Camera.name")


class Camera(Base):
    """One view in a site. ``staff_zones``: polygons of (x, y) from 0 to 1, left out of reading."""

    __tablename__ = "cameras"
    __table_args__ = (
        UniqueConstraint("site_id", "name"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),
        NUMBERED_ONCE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(String(100))
    staff_zones: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime]

    site: Mapped[Site] = relationship(back_populates="cameras")


class Recording(Base):
    """One uploaded picture or video of one camera.

    ``footage_key``: its place in the footage store; NULL once the footage is deleted.
    ``warnings``: sentences about what could not be read, gathered from probe and segments.
    ``error``: why it failed, one sentence.
    ``faces_deleted_at``, ``people_deleted_at``: when all its predictions, or all its tracks with
    them, were deleted because their time was up or somebody asked for it.
    """

    __tablename__ = "recordings"
    __table_args__ = (
        UniqueConstraint("camera_id", "sha256"),
        Index(None, "sha256"),
        # What became of all recordings of some days is told without reading their rows.
        Index(
            "ix_recordings_of_days",
            *("camera_id", "captured_at", "state", "model_version", "duration_ms"),
        ),
        # The longest recording of a camera, at once: how far back one that is still running at
        # a given time can have begun.
        Index(None, "camera_id", "duration_ms"),
        Index(None, "created_at"),
        Index(None, "state", "created_at"),
        Index(None, "state", "niceness", "created_at"),
        CheckConstraint(is_one_of("kind", [k.value for k in FootageKind]), name="kind"),
        CheckConstraint(is_one_of("state", [s.value for s in RecordingState]), name="state"),
        CheckConstraint("duration_ms >= 0 AND width > 0 AND height > 0 AND bytes > 0", name="size"),
        CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error_when_failed"),
        CheckConstraint("length(sha256) = 64", name="sha256"),
        NUMBERED_ONCE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("cameras.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    duration_ms: Mapped[int] = mapped_column(BigInteger)
    frame_rate: Mapped[float | None]
    codec: Mapped[str] = mapped_column(String(64))
    captured_at: Mapped[datetime]
    captured_from: Mapped[str] = mapped_column(String(16))
    footage_key: Mapped[str | None] = mapped_column(String(512))
    state: Mapped[str] = mapped_column(String(16), default=RecordingState.QUEUED.value)
    error: Mapped[str | None] = mapped_column(String(1000))
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    sample_rate: Mapped[float]
    niceness: Mapped[int] = mapped_column(default=0, server_default="0")
    model_version: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    faces_deleted_at: Mapped[datetime | None]
    people_deleted_at: Mapped[datetime | None]

    camera: Mapped[Camera] = relationship()
    segments: Mapped[list["Segment"]] = relationship(
        back_populates="recording", order_by="Segment.index", passive_deletes=True
    )


class Segment(Base):
    """A stretch of a recording: the unit of work, of retry, of progress and of one transaction.

    A lease is held while ``state`` is leased: ``lease_owner`` must renew it before
    ``lease_until``, or another worker takes the segment.
    ``attempts``: times it was handed out; ``faults``: those that ended with an error. Of the
    others the process died, or reads it now.
    ``progress_ms``: footage read so far, from ``start_ms`` on.
    """

    __tablename__ = "segments"
    __table_args__ = (
        Index(None, "state", "lease_until"),
        CheckConstraint("start_ms >= 0 AND end_ms > start_ms", name="stretch"),
        CheckConstraint(
            "faults BETWEEN 0 AND attempts AND progress_ms >= 0 AND frames >= 0", name="counts"
        ),
        CheckConstraint(is_one_of("state", [s.value for s in SegmentState]), name="state"),
        CheckConstraint(
            "(state = 'leased') = (lease_owner IS NOT NULL)"
            " AND (lease_owner IS NULL) = (lease_until IS NULL)",
            name="lease",
        ),
    )

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    index: Mapped[int] = mapped_column(primary_key=True)
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16), default=SegmentState.QUEUED.value)
    attempts: Mapped[int] = mapped_column(default=0)
    faults: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    progress_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    frames: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(String(1000))
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    finished_at: Mapped[datetime | None]

    recording: Mapped[Recording] = relationship(back_populates="segments")
