"""Buckets to the figures that pages, reports and the API show: one way for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from analytics.buckets import SUMS, merge, sum_of_squares
from analytics.intervals import (
    Estimate,
    Estimates,
    Moments,
    mean_interval,
    net_interval,
    share_interval,
)
from analytics.scores import INDEXED, ScoreDefinition
from fer_core.types import EXPRESSIONS, UNKNOWN

__all__ = [
    "NEGATIVE",
    "Estimate",
    "Summary",
    "by_camera",
    "by_day",
    "by_hour",
    "by_month",
    "by_site",
    "by_week",
    "by_weekday_hour",
    "expression_shares",
    "figures_of",
    "index_moments",
    "indexed",
    "local_time",
    "matched_days",
    "summarise",
]

NEGATIVE: Final = ("angry", "disgust", "fear", "sad")
"""The expressions that "share negative" counts, whatever the score's weights."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a period held.

    ``people``: tracks, of which ``unknown`` could not be read. Nobody is recognised again: who
    passes two cameras counts twice.
    ``index``: 0 to 100, the mean over read people. ``happy``, ``negative``: shares of read
    people. ``net``: share of satisfied less share of dissatisfied people, -1 to 1, by the sign
    of the score's weights. ``unknown_share``: share of all people.
    ``counts``: people for each of EXPRESSIONS and "unknown".
    ``withheld``: fewer people were read than a figure may be made of; then ``counts`` is empty
    and every estimate None, but for ``unknown_share`` where enough people were seen.
    """

    people: int
    unknown: int
    faces: int
    index: Estimate | None
    happy: Estimate | None
    negative: Estimate | None
    net: Estimate | None
    unknown_share: Estimate | None
    counts: dict[str, int]
    withheld: bool

    @property
    def read(self) -> int:
        """People whose expression was read."""
        return self.people - self.unknown


def summarise(buckets: pd.DataFrame, score: ScoreDefinition, minimum_people: int) -> Summary:
    """All buckets as one."""
    figures = figures_of(merge(buckets, []), score, minimum_people)
    if figures.empty:
        return Summary(0, 0, 0, None, None, None, None, None, {}, withheld=True)
    row = figures.iloc[0]
    withheld = bool(row["withheld"])

    def estimate(name: str) -> Estimate | None:
        if np.isnan(row[name]):
            return None
        return Estimate(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))

    counts = {} if withheld else {e: int(row[f"n_{e}"]) for e in EXPRESSIONS}
    return Summary(
        people=int(row["people"]),
        unknown=int(row["unknown"]),
        faces=int(row["faces"]),
        index=estimate("index"),
        happy=estimate("happy"),
        negative=estimate("negative"),
        net=estimate("net"),
        unknown_share=estimate("unknown_share"),
        counts=counts if withheld else {**counts, UNKNOWN: int(row["unknown"])},
        withheld=withheld,
    )


def by_day(buckets: pd.DataFrame, score: ScoreDefinition, minimum_people: int) -> pd.DataFrame:
    """One row for each local day with people; ``day`` is its midnight, without a zone.

    For the columns see ``figures_of``.
    """
    local = local_time(buckets)
    return figures_of(
        merge(buckets.assign(day=local.dt.normalize()), ["day"]), score, minimum_people
    )


def by_week(buckets: pd.DataFrame, score: ScoreDefinition, minimum_people: int) -> pd.DataFrame:
    """As by_day, for weeks; ``week`` is the Monday."""
    day = local_time(buckets).dt.normalize()
    week = day - pd.to_timedelta(day.dt.day_of_week, unit="D")
    return figures_of(merge(buckets.assign(week=week), ["week"]), score, minimum_people)


def by_month(buckets: pd.DataFrame, score: ScoreDefinition, minimum_people: int) -> pd.DataFrame:
    """As by_day, for calendar months; ``month`` is the first day."""
    day = local_time(buckets).dt.normalize()
    month = day - pd.to_timedelta(day.dt.day - 1, unit="D")
    return figures_of(merge(buckets.assign(month=month), ["month"]), score, minimum_people)


def by_hour(buckets: pd.DataFrame, score: ScoreDefinition, minimum_people: int) -> pd.DataFrame:
    """One row for each local hour of the day with people; ``hour``: 0 to 23, all days together."""
    hour = local_time(buckets).dt.hour.astype(np.int64)
    return figures_of(merge(buckets.assign(hour=hour), ["hour"]), score, minimum_people)


def by_weekday_hour(
    buckets: pd.DataFrame, score: ScoreDefinition, minimum_people: int
) -> pd.DataFrame:
    """As by_hour, for each hour of each day of the week; ``weekday``: 0 is Monday."""
    local = local_time(buckets)
    keyed = buckets.assign(
        weekday=local.dt.day_of_week.astype(np.int64), hour=local.dt.hour.astype(np.int64)
    )
    return figures_of(merge(keyed, ["weekday", "hour"]), score, minimum_people)


def by_camera(buckets: pd.DataFrame, score: ScoreDefinition, minimum_people: int) -> pd.DataFrame:
    """One row for each camera with people; its keys are ``site``, ``camera`` and ``camera_id``."""
    return figures_of(merge(buckets, ["site", "camera", "camera_id"]), score, minimum_people)


def by_site(buckets: pd.DataFrame, score: ScoreDefinition, minimum_people: int) -> pd.DataFrame:
    """One row for each site with people; its key is ``site``."""
    return figures_of(merge(buckets, ["site"]), score, minimum_people)


def matched_days(
    parts: Sequence[tuple[pd.DataFrame, int]], score: ScoreDefinition, minimum_people: int
) -> pd.DataFrame:
    """As by_day, for buckets of other days, each moved by so many days to the day that it is
    compared with; what falls on one day is one row."""
    moved = [
        buckets.assign(day=local_time(buckets).dt.normalize() + pd.Timedelta(days=days))
        for buckets, days in parts
    ]
    filled = [part for part in moved if len(part)] or moved[:1]
    return figures_of(merge(pd.concat(filled, ignore_index=True), ["day"]), score, minimum_people)


def expression_shares(summary: Summary) -> pd.DataFrame:
    """``expression``, ``people``, ``share`` of read people with ``low`` and ``high``.

    In EXPRESSIONS' order; no rows when withheld.
    """
    expressions = [] if summary.withheld else list(EXPRESSIONS)
    people = np.array([summary.counts[e] for e in expressions], dtype=np.int64)
    shares = share_interval(people, np.full(len(people), summary.read))
    return pd.DataFrame(
        {
            "expression": pd.Series(expressions, dtype=str),
            "people": people,
            "share": shares.value,
            "low": shares.low,
            "high": shares.high,
        }
    )


def local_time(buckets: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """Each bucket's hour on its own site's clock, without a zone."""
    hours = buckets["hour"]
    local: pd.Series[pd.Timestamp] = hours.dt.tz_localize(None)
    for time_zone, rows in buckets.groupby("time_zone")["hour"]:
        local.loc[rows.index] = rows.dt.tz_convert(str(time_zone)).dt.tz_localize(None)
    return local


def index_moments(merged: pd.DataFrame, score: ScoreDefinition) -> Moments:
    """How many people of each row were read, with the sum and the sum of squares of their
    indices (0 to 100)."""
    read = (merged["people"] - merged["unknown"]).to_numpy(dtype=np.float64)
    # Of v = p . w the index is 50 (1 + v), and its square 2500 (1 + 2 v + v^2).
    total = merged[list(SUMS)].to_numpy(dtype=np.float64) @ np.array(score.weights)
    return Moments(
        count=read,
        total=50 * (read + total),
        squares=2500 * (read + 2 * total + sum_of_squares(merged, score.weights)),
        lowest=score.lowest,
        highest=score.highest,
    )


def _mean(people: Moments) -> Estimates:
    return mean_interval(
        people.count, people.total, people.squares, lowest=people.lowest, highest=people.highest
    )


def indexed(buckets: pd.DataFrame, score: ScoreDefinition) -> pd.DataFrame:
    """``buckets`` with INDEXED of each (float64, 0 to 100), NaN where nobody was read, and
    ``score``, the label of what they were made with."""
    index = _mean(index_moments(buckets, score))
    columns = dict(zip(INDEXED, (index.value, index.low, index.high), strict=True))
    return buckets.assign(**columns, score=score.label)


def figures_of(merged: pd.DataFrame, score: ScoreDefinition, minimum_people: int) -> pd.DataFrame:
    """The figures of each merged row.

    Key columns, then ``people``, ``unknown``, ``faces`` (int64); ``index``, ``happy``,
    ``negative``, ``net`` and ``unknown_share``, each with ``_low`` and ``_high`` (float64, index
    0 to 100, the others shares); ``index_squares``, the sum of the squares of the read people's
    indices (float64; see index_moments), with which rows are tested against each other;
    ``n_<expression>`` (Int64); ``withheld`` (bool). Where withheld, all but the first three are
    missing; ``unknown_share`` is missing where fewer than the minimum were seen at all.
    """
    read = (merged["people"] - merged["unknown"]).to_numpy(dtype=np.int64)
    withheld = read < minimum_people
    index = index_moments(merged, score)
    estimates = {
        "index": (_mean(index), withheld),
        "happy": (share_interval(merged["n_happy"], read), withheld),
        "negative": (share_interval(_people(merged, NEGATIVE), read), withheld),
        "net": (
            net_interval(
                _people(merged, score.satisfied), _people(merged, score.dissatisfied), read
            ),
            withheld,
        ),
        "unknown_share": (
            share_interval(merged["unknown"], merged["people"]),
            (merged["people"] < minimum_people).to_numpy(dtype=bool),
        ),
    }
    keys = list(merged.columns[: list(merged.columns).index("people")])
    figures = merged[[*keys, "people", "unknown", "faces"]].copy()
    for name, (estimate, hidden) in estimates.items():
        figures[name] = np.where(hidden, np.nan, estimate.value)
        figures[f"{name}_low"] = np.where(hidden, np.nan, estimate.low)
        figures[f"{name}_high"] = np.where(hidden, np.nan, estimate.high)
    figures["index_squares"] = np.where(withheld, np.nan, index.squares)
    for expression in EXPRESSIONS:
        figures[f"n_{expression}"] = merged[f"n_{expression}"].astype("Int64").mask(withheld)
    figures["withheld"] = withheld
    return figures


def _people(merged: pd.DataFrame, expressions: Sequence[str]) -> "pd.Series[int]":
    return merged[[f"n_{expression}" for expression in expressions]].sum(axis="columns")
