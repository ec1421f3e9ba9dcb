"""The tables. All times are UTC; expressions stand in FER2013's order everywhere.

site 1-n camera 1-n recording 1-n segment 1-n (track, prediction)
camera 1-n bucket: one local hour of one camera, derived from tracks and rebuildable from them
camera 1-n sealed bucket: what remains of an hour whose tracks were deleted
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from analytics.alert_rules import AlertKind
from fer_core.types import EXPRESSIONS, UNKNOWN, FootageKind, UnknownReason

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the key is a plain INTEGER."""

NUMBERED_ONCE: Final[dict[str, Any]] = {"sqlite_autoincrement": True}
"""For tables whose numbers are known outside: in addresses, to programs, on open pages. SQLite else
gives that of a deleted row to a later one; PostgreSQL never does."""


def _in(column: str, values: list[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


class UtcDateTime(TypeDecorator[datetime]):
    """Takes and gives aware UTC datetimes; stores them without a zone on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must be aware")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


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


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime(), list[Any]: JSON}


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
        CheckConstraint(_in("kind", [k.value for k in FootageKind]), name="kind"),
        CheckConstraint(_in("state", [s.value for s in RecordingState]), name="state"),
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
        CheckConstraint(_in("state", [s.value for s in SegmentState]), name="state"),
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


def _probabilities(prefix: str, *, lowest: float, highest: float | None) -> str:
    """All seven present or none, each within bounds."""
    columns = [f"{prefix}_{expression}" for expression in EXPRESSIONS]
    nothing = " AND ".join(f"{column} IS NULL" for column in columns)
    ceiling = "" if highest is None else f" AND {{0}} <= {highest}"
    inside = " AND ".join(
        f"{column} IS NOT NULL AND {column} >= {lowest}{ceiling.format(column)}"
        for column in columns
    )
    return f"({nothing}) OR ({inside})"


class Track(Base):
    """One person's unbroken appearance in one segment.

    ``root_id``: the track of an earlier segment that this one goes on from, the first of the
    chain; NULL where a person begins. People are the tracks without a root.
    ``lead_in_time_ms`` and ``lead_in_face``: key of the face in the segment before that joins
    the two.
    ``p_*``: quality-weighted means of the readable faces' probabilities; ``weight``: the sum of
    qualities behind them. NULL and 0 for a person who could not be read.
    ``start_probabilities``, ``end_probabilities``: seven means over the first and the last
    seconds (see fer_core.types.Track); NULL where no face there could be read.
    """

    __tablename__ = "tracks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["recording_id", "segment_index"],
            ["segments.recording_id", "segments.index"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("recording_id", "segment_index", "number"),
        Index(None, "root_id"),
        Index(None, "recording_id", "start_ms"),
        CheckConstraint("start_ms >= 0 AND end_ms >= start_ms", name="stretch"),
        CheckConstraint("faces > 0 AND faces_unknown BETWEEN 0 AND faces", name="faces"),
        CheckConstraint(_in("expression", [*EXPRESSIONS, UNKNOWN]), name="expression"),
        CheckConstraint("(expression = 'unknown') = (p_angry IS NULL)", name="unknown_unread"),
        CheckConstraint("(weight > 0) = (p_angry IS NOT NULL)", name="weight"),
        CheckConstraint(
            "(lead_in_time_ms IS NULL) = (lead_in_face IS NULL)"
            " AND (root_id IS NULL OR lead_in_face IS NOT NULL)",
            name="lead_in",
        ),
        CheckConstraint(_probabilities("p", lowest=0, highest=1.001), name="probabilities"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    recording_id: Mapped[int]
    segment_index: Mapped[int]
    number: Mapped[int]
    root_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("tracks.id", ondelete="SET NULL"))
    lead_in_time_ms: Mapped[int | None] = mapped_column(BigInteger)
    lead_in_face: Mapped[int | None]
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int] = mapped_column(BigInteger)
    faces: Mapped[int]
    faces_unknown: Mapped[int]
    expression: Mapped[str] = mapped_column(String(16))
    weight: Mapped[float]
    start_probabilities: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    end_probabilities: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    p_angry: Mapped[float | None]
    p_disgust: Mapped[float | None]
    p_fear: Mapped[float | None]
    p_happy: Mapped[float | None]
    p_sad: Mapped[float | None]
    p_surprise: Mapped[float | None]
    p_neutral: Mapped[float | None]


class Prediction(Base):
    """One face, read or counted as unknown. No pixels, no embedding.

    ``month``: in which it was seen, UTC; 202603 is March 2026 (db.months). PostgreSQL keeps each
    month in a table of its own (db.partitions), and wants it in the key for that.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["recording_id", "segment_index"],
            ["segments.recording_id", "segments.index"],
            ondelete="CASCADE",
        ),
        Index(None, "recording_id", "segment_index"),
        Index(None, "track_id"),
        CheckConstraint("width > 0 AND height > 0", name="box"),
        CheckConstraint(
            "detector_score BETWEEN 0 AND 1 AND quality BETWEEN 0 AND 1"
            " AND confidence BETWEEN 0 AND 1.001",
            name="ranges",
        ),
        CheckConstraint(_in("expression", [*EXPRESSIONS, UNKNOWN]), name="expression"),
        CheckConstraint(
            "(expression = 'unknown') = (unknown_reason IS NOT NULL)", name="unknown_has_reason"
        ),
        CheckConstraint(
            "unknown_reason IS NULL OR "
            + _in("unknown_reason", [reason.value for reason in UnknownReason]),
            name="unknown_reason",
        ),
        CheckConstraint(_probabilities("p", lowest=0, highest=1.001), name="probabilities"),
        {"postgresql_partition_by": "RANGE (month)"},
    )

    recording_id: Mapped[int] = mapped_column(primary_key=True)
    time_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    face: Mapped[int] = mapped_column(primary_key=True)
    month: Mapped[int] = mapped_column(primary_key=True)
    segment_index: Mapped[int]
    track_id: Mapped[int] = mapped_column(BigId, ForeignKey("tracks.id", ondelete="CASCADE"))
    x: Mapped[float]
    y: Mapped[float]
    width: Mapped[float]
    height: Mapped[float]
    detector_score: Mapped[float]
    quality: Mapped[float]
    expression: Mapped[str] = mapped_column(String(16))
    confidence: Mapped[float]
    unknown_reason: Mapped[str | None] = mapped_column(String(16))
    p_angry: Mapped[float | None]
    p_disgust: Mapped[float | None]
    p_fear: Mapped[float | None]
    p_happy: Mapped[float | None]
    p_sad: Mapped[float | None]
    p_surprise: Mapped[float | None]
    p_neutral: Mapped[float | None]


class _HourOfCamera:
    """Counts and sums of the people of one local hour of one camera.

    ``hour``: the UTC instant at which the site's local hour began. A person counts in the hour
    in which they were first seen, with all segments of their appearance.
    ``n_*``: people by expression. ``sum_*``: sums over read people of their mean probabilities.
    ``products``: the 28 sums of pairwise products p_i * p_j, upper triangle by rows, so that any
    score definition gets its mean and interval without raw rows.
    """

    camera_id: Mapped[int] = mapped_column(
        ForeignKey("cameras.id", ondelete="CASCADE"), primary_key=True
    )
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    people: Mapped[int]
    unknown: Mapped[int]
    faces: Mapped[int]
    faces_unknown: Mapped[int]
    n_angry: Mapped[int]
    n_disgust: Mapped[int]
    n_fear: Mapped[int]
    n_happy: Mapped[int]
    n_sad: Mapped[int]
    n_surprise: Mapped[int]
    n_neutral: Mapped[int]
    sum_angry: Mapped[float]
    sum_disgust: Mapped[float]
    sum_fear: Mapped[float]
    sum_happy: Mapped[float]
    sum_sad: Mapped[float]
    sum_surprise: Mapped[float]
    sum_neutral: Mapped[float]
    products: Mapped[list[Any]]


def _people_add_up() -> tuple[CheckConstraint, ...]:
    return (
        CheckConstraint(
            "people > 0 AND unknown BETWEEN 0 AND people AND faces >= people"
            " AND faces_unknown BETWEEN 0 AND faces",
            name="counts",
        ),
        CheckConstraint(
            "people - unknown = n_angry + n_disgust + n_fear + n_happy + n_sad + n_surprise"
            " + n_neutral",
            name="people_add_up",
        ),
    )


class Bucket(_HourOfCamera, Base):
    """One local hour of one camera: what charts are made of. Derived from its tracks and its
    sealed bucket."""

    __tablename__ = "buckets"
    __table_args__ = (*_people_add_up(), Index(None, "hour"))


class SealedBucket(_HourOfCamera, Base):
    """The part of a bucket whose tracks were deleted when their time was up: it can only be
    added to, and outlives them (see db.retention)."""

    __tablename__ = "sealed_buckets"
    __table_args__ = _people_add_up()


class BucketDay(Base):
    """The buckets of one camera whose hour began on one day (UTC), packed to be read quickly: see
    db.bucket_days. Written together with them. ``day``: its midnight."""

    __tablename__ = "bucket_days"

    camera_id: Mapped[int] = mapped_column(
        ForeignKey("cameras.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[datetime] = mapped_column(primary_key=True)
    hours: Mapped[bytes]


class ScoreDefinition(Base):
    """Weights from -1 to 1 that turn probabilities into the satisfaction index. A change makes a
    new version, so that a report can say what it was scored with. At most one is active."""

    __tablename__ = "score_definitions"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        Index(
            "uq_score_definitions_active",
            "is_active",
            unique=True,
            sqlite_where=text("is_active"),
            postgresql_where=text("is_active"),
        ),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint(
            " AND ".join(f"w_{expression} BETWEEN -1 AND 1" for expression in EXPRESSIONS),
            name="weights",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[int]
    is_active: Mapped[bool] = mapped_column(default=False)
    w_angry: Mapped[float]
    w_disgust: Mapped[float]
    w_fear: Mapped[float]
    w_happy: Mapped[float]
    w_sad: Mapped[float]
    w_surprise: Mapped[float]
    w_neutral: Mapped[float]
    created_at: Mapped[datetime]


class AlertRule(Base):
    """What the Overview warns of: see analytics.alert_rules. ``site_id``: NULL means all."""

    __tablename__ = "alert_rules"
    __table_args__ = (
        UniqueConstraint("kind", "site_id"),
        CheckConstraint(_in("kind", [kind.value for kind in AlertKind]), name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("sites.id", ondelete="CASCADE"))
    threshold: Mapped[float | None]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class ReportSchedule(Base):
    """A report that is made again and again, left in a folder, sent by mail, or both.

    ``every``: day, week or month; it covers the last whole one, and is made at ``hour`` o'clock
    in ``time_zone``. ``site_ids``: empty means all sites, 0 one that was deleted. ``formats``: file
    endings.
    ``folder``: empty means no file is left. ``recipients``: mail addresses.
    ``due_at``: when it is made next. A worker that makes it holds a lease on it until
    ``lease_until``; one that was postponed waits until then. ``error``: why the last one could not
    be made or sent, one sentence.
    """

    __tablename__ = "report_schedules"
    __table_args__ = (
        Index(None, "due_at"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),
        CheckConstraint(_in("every", ["day", "week", "month"]), name="every"),
        CheckConstraint("hour BETWEEN 0 AND 23", name="hour"),
        NUMBERED_ONCE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    every: Mapped[str] = mapped_column(String(8))
    hour: Mapped[int]
    time_zone: Mapped[str] = mapped_column(String(64))
    site_ids: Mapped[list[Any]] = mapped_column(default=list)
    sections: Mapped[list[Any]] = mapped_column(default=list)
    formats: Mapped[list[Any]] = mapped_column(default=list)
    folder: Mapped[str] = mapped_column(String(1000), default="")
    recipients: Mapped[list[Any]] = mapped_column(default=list)
    is_enabled: Mapped[bool] = mapped_column(default=True)
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    made_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(1000))
    created_at: Mapped[datetime]


class ApiKey(Base):
    """A program's key to the HTTP API: see db.keys.

    ``digest``: SHA-256 of the key, which itself is kept nowhere; hexadecimal. ``hint``: its first
    letters, so that people can tell keys apart. ``scopes``: values of db.keys.Scope.
    ``all_sites``: False binds the key to the sites of ApiKeySite, also once these are gone.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),
        CheckConstraint("length(digest) = 64", name="digest"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[list[Any]] = mapped_column(default=list)
    all_sites: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class ApiKeySite(Base):
    """A site that a key is bound to. The row goes with the site."""

    __tablename__ = "api_key_sites"

    key_id: Mapped[int] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True
    )
    site_id: Mapped[int] = mapped_column(
        ForeignKey("sites.id", ondelete="CASCADE"), primary_key=True
    )


class Retention(Base):
    """How many days rows are kept; NULL means for good. One row at most.

    ``prediction_days``: single faces. ``track_days``: people, and with them their faces; buckets
    stay. ``footage_days``: footage that is kept after reading.
    """

    __tablename__ = "retention"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("prediction_days > 0 AND track_days > 0 AND footage_days > 0", name="days"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    prediction_days: Mapped[int | None]
    track_days: Mapped[int | None]
    footage_days: Mapped[int | None]
