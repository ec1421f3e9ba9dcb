"""What administrators set: scores, alerts, reports to come, keys of programs, retention."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from analytics.alert_rules import AlertKind
from db.tables.base import NUMBERED_ONCE, Base, is_one_of
from fer_core.types import EXPRESSIONS


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
        CheckConstraint(is_one_of("kind", [kind.value for kind in AlertKind]), name="kind"),
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
        CheckConstraint(is_one_of("every", ["day", "week", "month"]), name="every"),
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
