"""Alerts, the rules for them, and which cameras have fallen silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median, quantiles
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from analytics.alert_rules import AlertKind, rules_of
from analytics.alert_rules import AlertRule as Rule
from analytics.alerts import RECENT_DAYS, Alert, WatchedSite, find_alerts
from analytics.control_chart import HISTORY_DAYS as CHART_DAYS
from analytics.periods import day_bounds
from analytics.silence import FORGOTTEN_DAYS, HISTORY_DAYS, Silence, silence
from db.days import Chosen, cameras_by_zone, read_days
from db.places import SiteRow
from db.recordings import RUNNING
from db.scores import active_score
from db.tables import AlertRule, Bucket, Recording, RecordingState
from db.unread import unread_between

_READ_BACK: Final = timedelta(days=HISTORY_DAYS + FORGOTTEN_DAYS)
_BROUGHT_LATER_S: Final = 24 * 3600
"""Footage that mostly comes later than this is brought now and then: nobody can tell yet whether
its camera saw people today."""

_NOT_READ: Final = (RecordingState.FAILED.value, RecordingState.CANCELLED.value)


def read_rules(session: Session) -> list[Rule]:
    """All rules that were chosen, for every site and for single ones (see rules_of)."""
    return [
        Rule(AlertKind(row.kind), row.site_id, row.threshold, row.is_enabled)
        for row in session.scalars(select(AlertRule).order_by(AlertRule.id))
    ]


def save_rule(session: Session, rule: Rule, *, now: datetime | None = None) -> None:
    """In the place of the rule of this kind for this site, or for every site."""
    remove_rule(session, rule.kind, rule.site_id)
    session.add(
        AlertRule(
            kind=rule.kind.value,
            site_id=rule.site_id,
            threshold=rule.threshold,
            is_enabled=rule.is_enabled,
            created_at=now or datetime.now(UTC),
        )
    )
    session.flush()


def remove_rule(session: Session, kind: AlertKind, site_id: int | None) -> None:
    """A site then goes by the rule for every site, and every site by the default."""
    session.execute(
        delete(AlertRule).where(AlertRule.kind == kind.value, AlertRule.site_id == site_id)
    )


def read_alerts(
    session: Session,
    sites: Sequence[SiteRow],
    *,
    first: date,
    last: date,
    minimum_people: int,
    now: datetime,
) -> list[Alert]:
    """The alerts of ``sites`` about the last days of a period (both ends included), the most
    pressing and newest first.

    A camera that is silent by ``now`` is left out of periods that end before it fell silent.
    """
    if not sites:
        return []
    rules = read_rules(session)
    silent = {
        camera_id: since
        for camera_id, since in silent_cameras(session, sites, rules, now=now).items()
        if _last_day_seen(since) <= last
    }
    first = max(first, last - timedelta(days=RECENT_DAYS - 1))
    unread = _unread_days(session, sites, first, last)
    watched = [
        WatchedSite(
            site_id=site.id,
            name=site.name,
            target=site.target,
            cameras={camera.id: camera.name for camera in site.cameras},
            today=now.astimezone(ZoneInfo(site.time_zone)).date(),
            rules=rules_of(rules, site.id),
            silent={camera.id: silent[camera.id] for camera in site.cameras if camera.id in silent},
            unread={camera.id: unread[camera.id] for camera in site.cameras if camera.id in unread},
        )
        for site in sites
    ]
    buckets = read_days(session, _chosen(sites), first - timedelta(days=CHART_DAYS), last)
    return find_alerts(
        buckets, watched, active_score(session), minimum_people, first=first, last=last
    )


def _last_day_seen(since: Silence) -> date:
    # An hour that ends at midnight belongs to the day before.
    return (since.last_seen - timedelta(microseconds=1)).date()


def _unread_days(
    session: Session, sites: Sequence[SiteRow], first: date, last: date
) -> dict[int, set[date]]:
    """By camera id, the days of its site with footage that is not read yet."""
    days: dict[int, set[date]] = {}
    for zone, cameras in cameras_by_zone(_chosen(sites)).items():
        for one in unread_between(session, *day_bounds(first, last, zone), cameras):
            days.setdefault(one.camera_id, set()).update(one.days(zone))
    return days


def _chosen(sites: Sequence[SiteRow]) -> Chosen:
    """With all their cameras."""
    return [(site, [camera.id for camera in site.cameras]) for site in sites]


@dataclass(slots=True)
class _Arrivals:
    """``ends``: of footage that was read. ``delays_s``: seconds from there to when it was added.
    ``failed_until``: the end of the newest that failed or was cancelled. ``is_behind``: some
    still waits."""

    ends: list[datetime] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    failed_until: datetime | None = None
    is_behind: bool = False


def silent_cameras(
    session: Session, sites: Sequence[SiteRow], rules: Sequence[Rule], *, now: datetime
) -> dict[int, Silence]:
    """By camera id, those that ought to have seen people by ``now`` (see analytics.silence).

    Footage takes its usual time to come in: what a camera's uploads are late by mostly is allowed
    for. A camera whose footage still waits to be read is not judged, nor one whose footage is
    brought later than a day as a rule. The clock of an invented site stands where its data ends.
    """
    watched = {site.id: rules_of(rules, site.id)[AlertKind.SILENT] for site in sites}
    watched = {site_id: rule for site_id, rule in watched.items() if rule.is_enabled}
    cameras = [camera.id for site in sites if site.id in watched for camera in site.cameras]
    arrivals = _arrivals(session, cameras, now)
    seen = _hours_with_people(session, cameras, now - _READ_BACK)
    found: dict[int, Silence] = {}
    for site in sites:
        threshold = watched[site.id].threshold if site.id in watched else None
        if threshold is None:
            continue
        clock = now
        if site.is_demonstration:
            ends = [end for c in site.cameras if c.id in arrivals for end in arrivals[c.id].ends]
            clock = min([now, max(ends, default=now)])
        for camera in site.cameras:
            came = arrivals.get(camera.id, _Arrivals())
            until = _read_until(came, clock)
            if until is None:
                continue
            silent = silence(
                seen.get(camera.id, []),
                time_zone=site.time_zone,
                opening_hours=site.opening_hours,
                until=until,
                filmed_until=max(came.ends),
                failed_until=came.failed_until,
                threshold=threshold,
            )
            if silent is not None:
                found[camera.id] = silent
    return found


def _read_until(came: _Arrivals, clock: datetime) -> datetime | None:
    """Up to when a camera's footage has come in by now, if it comes as it always did; all that
    came in was read, or ``is_behind`` says that some was not."""
    delays = came.delays_s
    if came.is_behind or len(delays) < 2 or median(delays) > _BROUGHT_LATER_S:
        return None
    # One upload in twenty may come later than that.
    return clock - timedelta(seconds=quantiles(delays, n=20, method="inclusive")[-1])


def _arrivals(session: Session, cameras: Sequence[int], now: datetime) -> Mapping[int, _Arrivals]:
    rows = session.execute(
        select(
            Recording.camera_id,
            Recording.captured_at,
            Recording.duration_ms,
            Recording.created_at,
            Recording.state,
        ).where(Recording.camera_id.in_(cameras), Recording.captured_at >= now - _READ_BACK)
    )
    arrivals: dict[int, _Arrivals] = {}
    for camera_id, captured_at, duration_ms, created_at, state in rows:
        came = arrivals.setdefault(camera_id, _Arrivals())
        came.is_behind |= state in RUNNING
        end = captured_at + timedelta(milliseconds=duration_ms)
        if state in _NOT_READ:
            came.failed_until = max(end, came.failed_until or end)
        if state == RecordingState.DONE.value:
            came.ends.append(end)
            # Not from when it was read: reading it again would make it late.
            came.delays_s.append(max((created_at - end).total_seconds(), 0))
    return arrivals


def _hours_with_people(
    session: Session, cameras: Sequence[int], since: datetime
) -> dict[int, list[datetime]]:
    hours: dict[int, list[datetime]] = {}
    query = select(Bucket.camera_id, Bucket.hour).where(
        Bucket.camera_id.in_(cameras), Bucket.hour >= since
    )
    for camera_id, hour in session.execute(query):
        hours.setdefault(camera_id, []).append(hour)
    return hours
