"""What a manager should hear of without asking: alerts from buckets and rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.alert_rules import AlertKind, AlertRule
from analytics.buckets import SUMS, sum_of_squares
from analytics.control_chart import HISTORY_DAYS, control_chart
from analytics.intervals import Estimate
from analytics.scores import ScoreDefinition
from analytics.silence import Silence
from analytics.summary import by_day, summarise

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
    alert_rules.rules_of. ``silent``: the cameras that are."""

    site_id: int
    name: str
    target: float | None
    cameras: Mapping[int, str]
    today: date
    rules: Mapping[AlertKind, AlertRule]
    silent: Mapping[int, Silence]


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look into. The words for it: reports.alert_words.

    ``camera_id``, ``camera``: None where it is about the whole site.
    ``first``, ``last``: the local days it is about, both included.
    ``people``: those behind ``value``: who was read, for the share of unknown who was seen.
    ``value``: the index, or the share that could not be read; None for a silent camera.
    ``usual``: what the weeks before let expect, with the range of ordinary days up to the rule's
    limit. ``target``, ``silence``: where the alert is about them.
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

    ``buckets``: as the database gives them, of the sites' cameras, from HISTORY_DAYS before
    ``first`` on; those of other cameras are left alone.
    """
    alerts: list[Alert] = []
    for site in sites:
        rows = buckets[buckets["camera_id"].isin(list(site.cameras))]
        alerts += _silent(site)
        if rows.empty:
            continue
        local = rows["hour"].dt.tz_convert(str(rows["time_zone"].iloc[0]))
        rows = rows.assign(day=local.dt.tz_localize(None).dt.normalize())
        rows = rows[rows["day"] <= pd.Timestamp(last)]
        alerts += _below_target(site, rows, score, minimum_people, first, last)
        alerts += _sudden_drops(site, rows, score, minimum_people, first, last)
        alerts += _unknown_shares(site, rows, score, minimum_people, first, last)
    return sorted(
        alerts, key=lambda a: (-a.severity, -a.last.toordinal(), a.site, a.camera or "", a.kind)
    )


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
    site: WatchedSite,
    rows: pd.DataFrame,
    score: ScoreDefinition,
    minimum_people: int,
    first: date,
    last: date,
) -> list[Alert]:
    """One for all the days if they are surely under the target together, else for those that
    are by themselves."""
    if site.target is None or not site.rules[AlertKind.BELOW_TARGET].is_enabled:
        return []
    rows = rows[rows["day"] >= pd.Timestamp(first)]

    def alert(value: Estimate, people: int, since: date, until: date) -> Alert:
        return Alert(
            AlertKind.BELOW_TARGET,
            Severity.NOTICE,
            site.site_id,
            site.name,
            None,
            None,
            first=since,
            last=until,
            people=people,
            value=value,
            target=site.target,
        )

    together = summarise(rows, score, minimum_people)
    if together.index is not None and together.index.high < site.target:
        return [alert(together.index, together.read, first, last)]
    days = by_day(rows, score, minimum_people)
    return [
        alert(
            Estimate(float(row["index"]), float(row["index_low"]), float(row["index_high"])),
            int(row["people"] - row["unknown"]),
            row["day"].date(),
            row["day"].date(),
        )
        for _, row in days[days["index_high"] < site.target].iterrows()
    ]


def _sudden_drops(
    site: WatchedSite,
    rows: pd.DataFrame,
    score: ScoreDefinition,
    minimum_people: int,
    first: date,
    last: date,
) -> list[Alert]:
    rule = site.rules[AlertKind.SUDDEN_DROP]
    if not rule.is_enabled or rule.threshold is None:
        return []
    # A day that is not over lacks its evening, which may be better or worse than its morning.
    last = min(last, site.today - timedelta(days=1))
    days = _calendar(by_day(rows, score, minimum_people), first, last)
    if days.empty:
        return []
    index = days["index"].to_numpy(dtype=np.float64)
    read = (days["people"] - days["unknown"]).to_numpy(dtype=np.float64)
    chart = control_chart(index, _variance_of_one(rows, score) / np.maximum(read, 1))
    low, high = chart.ordinary(rule.threshold)
    return [
        Alert(
            AlertKind.SUDDEN_DROP,
            Severity.URGENT,
            site.site_id,
            site.name,
            None,
            None,
            first=days.index[place].date(),
            last=days.index[place].date(),
            people=int(read[place]),
            value=_estimate(days.iloc[place], "index"),
            usual=Estimate(
                float(chart.usual[place]),
                max(float(low[place]), score.lowest),
                min(float(high[place]), score.highest),
            ),
        )
        for place in np.flatnonzero(chart.score < -rule.threshold).tolist()
        if days.index[place].date() >= first
    ]


def _unknown_shares(
    site: WatchedSite,
    rows: pd.DataFrame,
    score: ScoreDefinition,
    minimum_people: int,
    first: date,
    last: date,
) -> list[Alert]:
    """By camera: a lens, a lamp or a shelf is at one of them."""
    rule = site.rules[AlertKind.UNKNOWN_SHARE]
    if not rule.is_enabled or rule.threshold is None:
        return []
    alerts = []
    for camera_id, name in site.cameras.items():
        seen = by_day(rows[rows["camera_id"] == camera_id], score, minimum_people)
        days = _calendar(seen, first, last)
        if days.empty:
            continue
        people = days["people"].to_numpy(dtype=np.float64)
        unknown = days["unknown"].to_numpy(dtype=np.float64)
        enough = ~np.isnan(days["unknown_share"].to_numpy(dtype=np.float64))
        chart = control_chart(
            np.where(enough, _anscombe(unknown, people), np.nan), 1 / (4 * people + 2)
        )
        low, high = chart.ordinary(rule.threshold)
        for place in np.flatnonzero(chart.score > rule.threshold).tolist():
            usual = _share(chart.usual[place])
            value = _estimate(days.iloc[place], "unknown_share")
            if days.index[place].date() < first or value.value - usual < LEAST_RISE:
                continue
            alerts.append(
                Alert(
                    AlertKind.UNKNOWN_SHARE,
                    Severity.NOTICE,
                    site.site_id,
                    site.name,
                    camera_id,
                    name,
                    first=days.index[place].date(),
                    last=days.index[place].date(),
                    people=int(people[place]),
                    value=value,
                    usual=Estimate(usual, _share(low[place]), _share(high[place])),
                )
            )
    return alerts


def _calendar(days: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """Every day from HISTORY_DAYS before ``first`` to ``last``, with nobody on those that miss;
    empty where none of the days to be judged has people."""
    keyed = days.set_index("day")
    if last < first or keyed.loc[pd.Timestamp(first) : pd.Timestamp(last)].empty:
        return keyed.iloc[:0]
    start = pd.Timestamp(first) - pd.Timedelta(days=HISTORY_DAYS)
    whole = keyed.reindex(pd.date_range(start, pd.Timestamp(last), freq="D"))
    return whole.fillna({"people": 0, "unknown": 0})


def _variance_of_one(rows: pd.DataFrame, score: ScoreDefinition) -> float:
    """How much one person's index differs from another's within an hour (squared points): what
    hours bring is part of the day."""
    read = (rows["people"] - rows["unknown"]).to_numpy(dtype=np.float64)
    total = rows[list(SUMS)].to_numpy(dtype=np.float64) @ np.array(score.weights)
    squares = sum_of_squares(rows, score.weights)
    freedom = np.maximum(read - 1, 0)
    within = np.maximum(squares - total**2 / np.maximum(read, 1), 0)[freedom > 0].sum()
    return float(50**2 * within / max(freedom.sum(), 1))


def _estimate(row: "pd.Series[float]", name: str) -> Estimate:
    return Estimate(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))


def _anscombe(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """asin sqrt((k + 3/8) / (n + 3/4)), whose variance is 1 / (4 n + 2) whatever the share.

    F. J. Anscombe, "The transformation of Poisson, binomial and negative-binomial data",
    Biometrika 35 (1948).
    """
    return np.arcsin(np.sqrt((part + 3 / 8) / (whole + 3 / 4)))


def _share(angle: float) -> float:
    """The share that _anscombe's angle stands for."""
    return float(np.sin(np.clip(angle, 0, np.pi / 2)) ** 2)
