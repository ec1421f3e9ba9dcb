"""People, their faces, and the hours that they add up to."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, BigId, is_one_of
from fer_core.types import EXPRESSIONS, UNKNOWN, UnknownReason


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


class _Probabilities:
    """The seven probabilities of one person or face, behind all other columns."""

    p_angry: Mapped[float | None] = mapped_column(sort_order=1)
    p_disgust: Mapped[float | None] = mapped_column(sort_order=1)
    p_fear: Mapped[float | None] = mapped_column(sort_order=1)
    p_happy: Mapped[float | None] = mapped_column(sort_order=1)
    p_sad: Mapped[float | None] = mapped_column(sort_order=1)
    p_surprise: Mapped[float | None] = mapped_column(sort_order=1)
    p_neutral: Mapped[float | None] = mapped_column(sort_order=1)


class Track(_Probabilities, Base):
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
        CheckConstraint(is_one_of("expression", [*EXPRESSIONS, UNKNOWN]), name="expression"),
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


class Prediction(_Probabilities, Base):
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
        CheckConstraint(is_one_of("expression", [*EXPRESSIONS, UNKNOWN]), name="expression"),
        CheckConstraint(
            "(expression = 'unknown') = (unknown_reason IS NOT NULL)", name="unknown_has_reason"
        ),
        CheckConstraint(
            "unknown_reason IS NULL OR "
            + is_one_of("unknown_reason", [reason.value for reason in UnknownReason]),
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
