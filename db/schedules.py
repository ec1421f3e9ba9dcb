"""Scheduled reports: what is made when, and whose turn it is to make it.

A worker takes a schedule that is due by a lease, as it takes segments, and renews that while it
works: of two workers one makes the report, and when that one dies another does it again once the
lease has run out. However many occasions passed while nobody worked, one report is made: that of
the last.

Each site counts by its own days, so a report waits until those that it covers are over at all of
its sites: at seven in Sydney, the day before still has eleven hours to go in Los Angeles.

due -> leased -> made, due at the next occasion
 |        |----> failed: due again after a pause, for a day; then at the next occasion
 |----> postponed: due again once its days are over everywhere
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from analytics.periods import Every, day_bounds, last_whole, latest_due, next_due
from db.tables import Camera, ReportSchedule, Site
from fer_core.errors import SatisfaceError

FORMATS: Final = ("pdf", "xlsx", "csv")
"""Endings of the files that a schedule can make."""

GONE_SITE: Final = 0
"""Stands in a plan for a site that was deleted; no site has this number."""

LEASE: Final = timedelta(minutes=10)
RETRY_PAUSE: Final = timedelta(minutes=15)
RETRY_FOR: Final = timedelta(days=1)
_LENGTH: Final = 1000
_NAME_LENGTH: Final = 100
_MOST_RECIPIENTS: Final = 50
# No control characters, spaces or separators: an address is one header's value and nothing more.
_ADDRESS: Final = re.compile(r"[^\s@,;:<>\"()\[\]\\]{1,64}@[^\s@,;:<>\"()\[\]\\]+\.[^\s@,;.]+")


class ScheduleError(SatisfaceError):
    """A schedule cannot be saved so, or is gone; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is made, when and for whom. See db.tables.ReportSchedule.

    ``folder``: inside the folder of reports (SATISFACE_REPORTS_FOLDER), "." for that itself; empty
    where no file is left.
    """

    name: str
    every: Every
    hour: int
    time_zone: str
    formats: tuple[str, ...] = ("pdf",)
    site_ids: tuple[int, ...] = ()
    sections: tuple[str, ...] = ()
    folder: str = ""
    recipients: tuple[str, ...] = ()
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan with what became of it. ``ready_at``: ``due_at``, or later where the days that it
    covers end later at one of its sites. ``waits_until``: being made, or not tried (again),
    until then."""

    id: int
    plan: Plan
    due_at: datetime
    ready_at: datetime
    waits_until: datetime | None
    made_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """The right to make a report, until ``until``, by which it is told from later ones.
    ``occasion``: when it was to be made (UTC); ``first_day``, ``last_day``: what it covers."""

    id: int
    plan: Plan
    occasion: datetime
    until: datetime
    first_day: date
    last_day: date


def list_schedules(session: Session) -> list[Schedule]:
    """All of them, by name."""
    rows = session.scalars(select(ReportSchedule).order_by(ReportSchedule.name))
    zones = _zones(session)
    return [
        Schedule(
            id=row.id,
            plan=(plan := _plan(row)),
            due_at=row.due_at,
            ready_at=_ready_at(plan, row.due_at, zones),
            waits_until=row.lease_until,
            made_at=row.made_at,
            error=row.error,
        )
        for row in rows
    ]


def create_schedule(session: Session, plan: Plan, now: datetime) -> int:
    """First made at its next occasion. Raises ScheduleError."""
    row = ReportSchedule(
        **_values(session, plan), due_at=_next(plan, now), created_at=now, lease_until=None
    )
    session.add(row)
    session.flush()
    return row.id


def update_schedule(
    session: Session, schedule_id: int, plan: Plan, now: datetime, *, shown: Plan | None = None
) -> None:
    """Next made at the occasion that follows ``now``; one that waits for its days to end is made,
    too. ``shown``: what ``plan`` was made from; what is as in it stays as it is stored now. Raises
    ScheduleError."""
    row = _row(session, schedule_id)
    waits = row.due_at <= now
    if shown is not None:
        names = [field.name for field in fields(Plan)]
        changes = {n: getattr(plan, n) for n in names if getattr(plan, n) != getattr(shown, n)}
        plan = replace(_plan(row), **changes)
    for name, value in _values(session, plan, besides=schedule_id).items():
        setattr(row, name, value)
    row.due_at = _coming(session, plan, now) if waits else _next(plan, now)
    row.lease_until, row.error = None, None
    session.flush()


def delete_schedule(session: Session, schedule_id: int) -> None:
    session.execute(delete(ReportSchedule).where(ReportSchedule.id == schedule_id))


def forget_site(session: Session, site_id: int) -> None:
    """Plans that name this number name GONE_SITE instead, and mean no later site that gets it."""
    for row in session.scalars(select(ReportSchedule)):
        if site_id in row.site_ids:
            left = (GONE_SITE if one == site_id else one for one in row.site_ids)
            row.site_ids = list(dict.fromkeys(left))
    session.flush()


def request_now(session: Session, schedule_id: int, now: datetime) -> None:
    """Have it made at once, beside its occasions, whether or not its days are over at all sites.
    Raises ScheduleError."""
    row = _row(session, schedule_id)
    if not row.is_enabled:
        raise ScheduleError(f"The schedule {row.name} is switched off. Switch it on first.")
    row.due_at, row.lease_until, row.error = now, None, None
    session.flush()


def is_any_due(session: Session, now: datetime) -> bool:
    return bool(session.scalar(select(exists().where(_is_due(now)))))


def claim_due(session: Session, now: datetime, *, lease: timedelta = LEASE) -> Due | None:
    """Take the schedule that has been due for longest; None where nothing is due. One whose days
    are not over at all of its sites is postponed until they are."""
    query = select(ReportSchedule).where(_is_due(now)).order_by(ReportSchedule.due_at)
    zones = _zones(session)
    for row in session.scalars(query).all():
        plan = _plan(row)
        occasion = max(row.due_at, _last_ready(plan, now, zones))
        ready_at = _ready_at(plan, occasion, zones)
        until = now + lease if ready_at <= now else ready_at
        # The conditions hold again where another worker was faster (not possible in SQLite).
        taken = session.execute(
            update(ReportSchedule)
            .where(ReportSchedule.id == row.id, ReportSchedule.due_at == row.due_at, _is_due(now))
            .values(lease_until=until)
            .execution_options(synchronize_session=False)
        )
        if _changed(taken) and ready_at <= now:
            return Due(row.id, plan, occasion, until, *_days(plan, occasion))
    return None


def renew(session: Session, due: Due, now: datetime, *, lease: timedelta = LEASE) -> Due | None:
    """The same right from ``now`` on. None where it was lost: the plan was changed or deleted, or
    another worker makes the report."""
    until = now + lease
    return replace(due, until=until) if _change(session, due, lease_until=until) else None


def recipients_left(session: Session, due: Due) -> tuple[str, ...]:
    """Those it is for who are still to have it: while it is made, the plan may be changed, switched
    off or deleted."""
    row = session.get(ReportSchedule, due.id)
    still = row.recipients if row is not None and row.is_enabled else ()
    return tuple(one for one in due.plan.recipients if one in still)


def finish(session: Session, due: Due, now: datetime, *, error: str | None = None) -> bool:
    """It was made; ``error``: what went wrong beside. False where the lease was lost."""
    coming = _after(session, due)
    return _change(session, due, due_at=coming, lease_until=None, made_at=now, error=_cut(error))


def fail(session: Session, due: Due, now: datetime, error: str) -> bool:
    """It could not be made or sent: again after a pause, or at the next occasion where this one
    could have been made a day ago. False where the lease was lost."""
    if now - _ready_at(due.plan, due.occasion, _zones(session)) < RETRY_FOR:
        return _change(session, due, lease_until=now + RETRY_PAUSE, error=_cut(error))
    coming = _after(session, due)
    return _change(session, due, due_at=coming, lease_until=None, error=_cut(error))


def slug(name: str) -> str:
    """A name as part of a file's name: ``Weekly, all sites`` is ``weekly-all-sites``."""
    return re.sub(r"[^\w]+", "-", name.casefold()).strip("-_") or "report"


def _change(session: Session, due: Due, **values: object) -> bool:
    """False, and nothing is changed, where the lease was lost."""
    changed = session.execute(
        update(ReportSchedule)
        .where(ReportSchedule.id == due.id, ReportSchedule.lease_until == due.until)
        .values(values)
        .execution_options(synchronize_session=False)
    )
    return _changed(changed)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(
        ReportSchedule.is_enabled,
        ReportSchedule.due_at <= now,
        or_(ReportSchedule.lease_until.is_(None), ReportSchedule.lease_until <= now),
    )


def _changed(result: Any) -> bool:
    assert isinstance(result, CursorResult)
    return result.rowcount > 0


def _next(plan: Plan, now: datetime) -> datetime:
    return next_due(plan.every, plan.hour, plan.time_zone, now).astimezone(UTC)


def _after(session: Session, due: Due) -> datetime:
    """The occasion after that of ``due``, also where it passed while the report was made."""
    return _coming(session, due.plan, _ready_at(due.plan, due.occasion, _zones(session)))


def _coming(session: Session, plan: Plan, now: datetime) -> datetime:
    """The occasion after the last that can be made by ``now``. It has passed where it is postponed:
    neither a report on request nor a change of the plan does away with it."""
    return _next(plan, _last_ready(plan, now, _zones(session)))


def _last_ready(plan: Plan, now: datetime, zones: Mapping[int, str]) -> datetime:
    """The last occasion whose days are over at all sites by ``now``."""
    occasion = latest_due(plan.every, plan.hour, plan.time_zone, now)
    while _ready_at(plan, occasion, zones) > now:
        before = occasion - timedelta(microseconds=1)
        occasion = latest_due(plan.every, plan.hour, plan.time_zone, before)
    return occasion


def _ready_at(plan: Plan, due_at: datetime, zones: Mapping[int, str]) -> datetime:
    """When what is due at ``due_at`` can be made: then, or once its days are over at all sites."""
    if latest_due(plan.every, plan.hour, plan.time_zone, due_at) != due_at:
        return due_at  # no occasion of the plan: somebody asked for it
    sites = plan.site_ids or zones
    ends = (day_bounds(*_days(plan, due_at), zones[site])[1] for site in sites if site in zones)
    return max([due_at, *ends])


def _days(plan: Plan, occasion: datetime) -> tuple[date, date]:
    """First and last day that a report of this occasion covers."""
    return last_whole(plan.every, occasion.astimezone(ZoneInfo(plan.time_zone)).date())


def _zones(session: Session) -> dict[int, str]:
    """Site id to IANA name, of the sites that have cameras."""
    query = select(Site.id, Site.time_zone).where(exists().where(Camera.site_id == Site.id))
    return {row.id: row.time_zone for row in session.execute(query)}


def _row(session: Session, schedule_id: int) -> ReportSchedule:
    row = session.get(ReportSchedule, schedule_id)
    if row is None:
        raise ScheduleError("This schedule no longer exists.")
    return row


def _plan(row: ReportSchedule) -> Plan:
    return Plan(
        name=row.name,
        every=Every(row.every),
        hour=row.hour,
        time_zone=row.time_zone,
        formats=tuple(row.formats),
        site_ids=tuple(row.site_ids),
        sections=tuple(row.sections),
        folder=row.folder,
        recipients=tuple(row.recipients),
        is_enabled=row.is_enabled,
    )


def _values(session: Session, plan: Plan, *, besides: int | None = None) -> dict[str, Any]:
    """The columns of a plan that can be kept, or ScheduleError."""
    name = " ".join(plan.name.split())
    if not 0 < len(name) <= _NAME_LENGTH:
        raise ScheduleError(f"A schedule needs a name of at most {_NAME_LENGTH} letters.")
    for other_id, other in session.execute(select(ReportSchedule.id, ReportSchedule.name)):
        # Files are named so: one schedule must not write over another's.
        if other_id != besides and slug(other) == slug(name):
            raise ScheduleError(f"There is already a schedule named {other}.")
    if not 0 <= plan.hour <= 23:
        raise ScheduleError("The hour must lie between 0 and 23.")
    if plan.time_zone not in available_timezones():
        raise ScheduleError(f"There is no time zone named {plan.time_zone}.")
    if not plan.formats or not set(plan.formats) <= set(FORMATS):
        raise ScheduleError("Choose what is made: PDF, Excel or CSV.")
    if not plan.folder and not plan.recipients:
        raise ScheduleError("Say where the report goes: into a folder, to people by mail, or both.")
    return {
        "name": name,
        "every": plan.every.value,
        "hour": plan.hour,
        "time_zone": plan.time_zone,
        "site_ids": list(plan.site_ids),
        "sections": list(plan.sections),
        "formats": list(plan.formats),
        "folder": _folder(plan.folder),
        "recipients": _recipients(plan.recipients),
        "is_enabled": plan.is_enabled,
    }


def _folder(folder: str) -> str:
    if not folder:
        return ""
    path = PurePosixPath(folder.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in folder or not folder.isprintable():
        raise ScheduleError(
            f"{folder} leads out of the folder of reports. Give the name of a folder inside it."
        )
    return str(path)


def _recipients(recipients: Sequence[str]) -> list[str]:
    if len(recipients) > _MOST_RECIPIENTS:
        raise ScheduleError(f"A report goes to at most {_MOST_RECIPIENTS} people.")
    for address in recipients:
        if not _ADDRESS.fullmatch(address) or not address.isprintable():
            raise ScheduleError(f"{address} is not a mail address.")
    return list(dict.fromkeys(recipients))


def _cut(error: str | None) -> str | None:
    return None if error is None else error[:_LENGTH]
