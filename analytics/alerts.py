"""What a manager should hear of without asking: alerts from buckets and rules."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.alert_rules import AlertKind, AlertRule
from analytics.buckets import merge
from analytics.control_chart import HISTORY_DAYS, control_chart
from analytics.intervals import Estimate, share_interval
from analytics.scores import ScoreDefinition
from analytics.silence import Silence
from analytics.summary import figures_of, index_moments, local_time

RECENT_DAYS: Final = 7
"""Alerts speak of the last days of a period: an older one is no news."""

LEAST_RISE: Final = 0.05
"""By so much the share that could not be read must have risen to be worth a word."""


class Severity(IntEnum):
    """``urgent``: something broke, or changed from one day to the next."""

    NOTICE = 1
    URGENT = 2


@dataclass(frozen=True, slots=True)
class WatchedSite:
    """``cameras``: names by id. ``today``: the local day that is not over yet. ``rules``: see
    alert_rules.rules_of. ``silent``: the cameras that are. ``unread``: by camera id, local days
    with footage that is not read yet."""

    site_id: int
    name: str
    target: float | None
    cameras: Mapping[int, str]
    today: date
    rules: Mapping[AlertKind, AlertRule]
    silent: Mapping[int, Silence]
    unread: Mapping[int, Collection[date]] = field(default_factory=dict)

    @property
    def unread_days(self) -> frozenset[date]:
        """Days of which some camera's footage is not read yet: they lack hours, which may be unlike
        the others."""
        return frozenset().union(*self.unread.values())


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look into. The words for it: reports.alert_words.

    ``camera_id``, ``camera``: None where it is about the whole site.
    ``first``, ``last``: the local days it is about, both included.
    ``people``: those behind ``value``: who was read, for the share of unknown who was seen.
    ``value``: the index, or the share that could not be read; None for a silent camera.
    ``usual``: what the weeks before let expect, with the range of ordinary days up to the rule's
    limit. ``target``, ``silence``: where the alert is about them. ``left_out``: days between
    ``first`` and ``last`` that are not in ``value``, as their footage is still being read.
    """

    kind: AlertKind
    severity: Severity
    site_id: int
    site: str
    camera_id: int | None
    camera: str | None
    first: date
    last: date
    people: int
    value: Estimate | None = None
    usual: Estimate | None = None
    target: float | None = None
    silence: Silence | None = None
    left_out: int = 0


def find_alerts(
    buckets: pd.DataFrame,
    sites: Sequence[WatchedSite],
    score: ScoreDefinition,
    minimum_people: int,
    *,
    first: date,
    last: date,
) -> list[Alert]:
    """All alerts about the days from ``first`` to ``last``, the most pressing and newest first.

    ``buckets``: as the database gives them, from HISTORY_DAYS before ``first`` on; those of
    cameras that no site names are left alone.
    """
    cameras = [camera_id for site in sites for camera_id in site.cameras]
    rows = buckets[buckets["camera_id"].isin(cameras)]
    rows = rows.assign(day=local_time(rows).dt.normalize())
    rows = rows[rows["day"] <= pd.Timestamp(last)]
    alerts = [alert for site in sites for alert in _silent(site)]
    if not rows.empty:
        days = figures_of(merge(rows, ["site_id", "day"]), score, minimum_people)
        recent = rows[rows["day"] >= pd.Timestamp(first)]
        together = figures_of(merge(_read_days(recent, sites), ["site_id"]), score, minimum_people)
        alerts += _below_target(sites, together, days, first, last)
        alerts += _sudden_drops(sites, days, _variance_of_one(rows, score), score, first, last)
        alerts += _unknown_shares(sites, rows, minimum_people, first, last)
    return sorted(
        alerts, key=lambda a: (-a.severity, -a.last.toordinal(), a.site, a.camera or "", a.kind)
    )


def _read_days(rows: pd.DataFrame, sites: Sequence[WatchedSite]) -> pd.DataFrame:
    """Without the days of a site that are only half read."""
    half_read = {(site.site_id, pd.Timestamp(day)) for site in sites for day in site.unread_days}
    return rows[~pd.MultiIndex.from_frame(rows[["site_id", "day"]]).isin(half_read)]


def _silent(site: WatchedSite) -> list[Alert]:
    return [
        Alert(
            AlertKind.SILENT,
            Severity.URGENT,
            site.site_id,
            site.name,
            camera_id,
            site.cameras[camera_id],
            first=silence.last_seen.date(),
            last=site.today,
            people=0,
            silence=silence,
        )
        for camera_id, silence in site.silent.items()
        if site.rules[AlertKind.SILENT].is_enabled
    ]


def _below_target(
    sites: Sequence[WatchedSite],
    together: pd.DataFrame,
    days: pd.DataFrame,
    first: date,
    last: date,
) -> Iterator[Alert]:
    """One for all the days of a site that is surely under its target in them together, else one
    for each day that is so by itself. Days that are only half read are not judged."""
    every_day = pd.date_range(first, last)
    for site in sites:
        judged = every_day[~every_day.isin(pd.to_datetime(list(site.unread_days)))]
        if site.target is None or not site.rules[AlertKind.BELOW_TARGET].is_enabled or judged.empty:
            continue
        found = together[
            (together["site_id"] == site.site_id) & (together["index_high"] < site.target)
        ].assign(first=judged[0], last=judged[-1])
        if found.empty:
            found = days[
                (days["site_id"] == site.site_id)
                & days["day"].isin(judged)
                & (days["index_high"] < site.target)
            ]
            found = found.assign(first=found["day"], last=found["day"])
        for _, row in found.iterrows():
            yield Alert(
                AlertKind.BELOW_TARGET,
                Severity.NOTICE,
                site.site_id,
                site.name,
                None,
                None,
                first=row["first"].date(),
                last=row["last"].date(),
                people=int(row["people"] - row["unknown"]),
                value=Estimate(row["index"], row["index_low"], row["index_high"]),
                target=site.target,
                left_out=sum(
                    row["first"].date() < day < row["last"].date() for day in site.unread_days
                ),
            )


def _sudden_drops(
    sites: Sequence[WatchedSite],
    days: pd.DataFrame,
    variance_of_one: "pd.Series[float]",
    score: ScoreDefinition,
    first: date,
    last: date,
) -> Iterator[Alert]:
    calendar = _calendar(first, last)
    ids = [site.site_id for site in sites]
    read = _matrix(days.assign(read=days["people"] - days["unknown"]), "read", ids, calendar)
    index, low, high = (
        _matrix(days, name, ids, calendar) for name in ("index", "index_low", "index_high")
    )
    spread = variance_of_one.reindex(ids).to_numpy(dtype=np.float64)
    chart = control_chart(index, spread[:, np.newaxis] / read)
    for place, site in enumerate(sites):
        rule = site.rules[AlertKind.SUDDEN_DROP]
        if not rule.is_enabled or rule.threshold is None:
            continue
        ordinary_low, ordinary_high = chart.ordinary(rule.threshold)
        for at in np.flatnonzero(chart.score[place] < -rule.threshold).tolist():
            day = calendar[at].date()
            # A day that is not over lacks hours, too.
            if not first <= day < site.today or day in site.unread_days:
                continue
            yield Alert(
                AlertKind.SUDDEN_DROP,
                Severity.URGENT,
                site.site_id,
                site.name,
                None,
                None,
                first=day,
                last=day,
                people=int(read[place, at]),
                value=Estimate(
                    float(index[place, at]), float(low[place, at]), float(high[place, at])
                ),
                usual=Estimate(
                    float(chart.usual[place, at]),
                    max(float(ordinary_low[place, at]), score.lowest),
                    min(float(ordinary_high[place, at]), score.highest),
                ),
            )


def _unknown_shares(
    sites: Sequence[WatchedSite], rows: pd.DataFrame, minimum_people: int, first: date, last: date
) -> Iterator[Alert]:
    """By camera: a lens, a lamp or a shelf is at one of them. A day on which its own footage is
    only half read is not judged: the hours that are left may be the brighter ones."""
    calendar = _calendar(first, last)
    cameras = [(site, *camera) for site in sites for camera in site.cameras.items()]
    ids = [camera_id for _, camera_id, _ in cameras]
    days = rows.groupby(["camera_id", "day"], as_index=False)[["people", "unknown"]].sum()
    people = _matrix(days, "people", ids, calendar)
    unknown = _matrix(days, "unknown", ids, calendar)
    angle = np.where(people >= minimum_people, _anscombe(unknown, people), np.nan)
    chart = control_chart(angle, 1 / (4 * people + 2))
    for place, (site, camera_id, name) in enumerate(cameras):
        rule = site.rules[AlertKind.UNKNOWN_SHARE]
        if not rule.is_enabled or rule.threshold is None:
            continue
        low, high = chart.ordinary(rule.threshold)
        for at in np.flatnonzero(chart.score[place] > rule.threshold).tolist():
            day = calendar[at].date()
            usual = _share(chart.usual[place, at])
            value = share_interval(unknown[place, [at]], people[place, [at]]).at(0)
            if day < first or day in site.unread.get(camera_id, ()):
                continue
            if value.value - usual < LEAST_RISE:
                continue
            yield Alert(
                AlertKind.UNKNOWN_SHARE,
                Severity.NOTICE,
                site.site_id,
                site.name,
                camera_id,
                name,
                first=day,
                last=day,
                people=int(people[place, at]),
                value=value,
                usual=Estimate(usual, _share(low[place, at]), _share(high[place, at])),
            )


def _calendar(first: date, last: date) -> pd.DatetimeIndex:
    """Every day from HISTORY_DAYS before ``first`` to ``last``."""
    return pd.date_range(
        pd.Timestamp(first) - pd.Timedelta(days=HISTORY_DAYS), pd.Timestamp(last), freq="D"
    )


def _matrix(
    days: pd.DataFrame, name: str, ids: list[int], calendar: pd.DatetimeIndex
) -> NDArray[np.float64]:
    """(ids, days of the calendar) of a column; NaN where there is none. The other key of ``days``
    is its first column."""
    wide = days.pivot(index=str(days.columns[0]), columns="day", values=name)
    return wide.reindex(index=ids, columns=calendar).to_numpy(dtype=np.float64)


def _variance_of_one(rows: pd.DataFrame, score: ScoreDefinition) -> "pd.Series[float]":
    """How much one person's index differs from another's within an hour (squared points), by
    site: what hours bring is part of the day."""
    people = index_moments(rows, score)
    within = np.maximum(people.squares - people.total**2 / np.maximum(people.count, 1), 0)
    freedom = np.maximum(people.count - 1, 0)
    sums = (
        pd.DataFrame({"within": within, "freedom": freedom}, index=rows.index)
        .groupby(rows["site_id"])
        .sum()
    )
    # Never quite alike, however few they are: a point at least.
    return (sums["within"] / sums["freedom"].clip(lower=1)).clip(lower=1.0)


def _anscombe(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """asin sqrt((k + 3/8) / (n + 3/4)), whose variance is 1 / (4 n + 2) whatever the share.

    F. J. Anscombe, "The transformation of Poisson, binomial and negative-binomial data",
    Biometrika 35 (1948).
    """
    return np.arcsin(np.sqrt((part + 3 / 8) / (whole + 3 / 4)))


def _share(angle: float) -> float:
    """The share that _anscombe's angle stands for."""
    return float(np.sin(np.clip(angle, 0, np.pi / 2)) ** 2)
