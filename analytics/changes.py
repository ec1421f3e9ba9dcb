"""What moved the index from one period to another, in parts that add up to the whole.

Source: E. M. Kitagawa, "Components of a difference between two rates", JASA 50 (1955).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.buckets import SUMS, merge, sum_of_squares
from analytics.intervals import (
    Estimates,
    Moments,
    added_beyond_chance,
    beyond_chance,
    mean_difference,
    mean_difference_p,
)
from analytics.scores import ScoreDefinition
from analytics.summary import index_moments, local_time
from fer_core.types import EXPRESSIONS

REST: Final = "rest"
"""The column that marks the row of all groups with too few people."""


def changes_by_camera(
    now: pd.DataFrame, before: pd.DataFrame, score: ScoreDefinition, minimum_people: int
) -> pd.DataFrame:
    """What each camera added to the change of the index; see _changes. Keys: ``site``,
    ``camera``, ``camera_id`` (Int64)."""
    keys = ["site", "camera", "camera_id"]
    return _changes(merge(now, keys), merge(before, keys), keys, score, minimum_people).astype(
        {"site": str, "camera": str, "camera_id": "Int64"}
    )


def changes_by_hour(
    now: pd.DataFrame, before: pd.DataFrame, score: ScoreDefinition, minimum_people: int
) -> pd.DataFrame:
    """What each hour of the day added to the change of the index; see _changes. Key: ``hour``
    (Int64), on each site's own clock."""
    merged = [
        merge(part.assign(hour=local_time(part).dt.hour.astype(np.int64)), ["hour"])
        for part in (now, before)
    ]
    return _changes(merged[0], merged[1], ["hour"], score, minimum_people).astype({"hour": "Int64"})


def changes_by_expression(
    now: pd.DataFrame, before: pd.DataFrame, score: ScoreDefinition, minimum_people: int
) -> pd.DataFrame:
    """What each expression added to the change of the index, in points.

    The index is 50 (1 + sum w_k P_k) with P_k the mean probability of expression k, so that each
    adds 50 w_k (P_k now - P_k before), and these sum to the change. Columns: ``expression``,
    ``share_before``, ``share_now`` (mean probabilities), ``total`` with ``total_low`` and
    ``total_high`` (Welch's interval), ``told_apart`` (bool, by Holm's step-down over the rows).
    No rows where either side is withheld.
    """
    sides = [merge(part, []) for part in (now, before)]
    enough = all(len(side) == 1 and _read(side)[0] >= minimum_people for side in sides)
    rows: list[dict[str, object]] = []
    p: list[float] = []
    for place, (expression, weight) in enumerate(zip(EXPRESSIONS, score.weights, strict=True)):
        if not enough:
            break
        one, other = (_probability(side, place) for side in sides)
        change = mean_difference(one, other).at(0)
        ends = sorted((50 * weight * change.low, 50 * weight * change.high))
        rows.append(
            {
                "expression": expression,
                "share_before": float(other.mean[0]),
                "share_now": float(one.mean[0]),
                "total": 50 * weight * change.value,
                "total_low": ends[0],
                "total_high": ends[1],
            }
        )
        # An expression that does not count moves nothing, whatever it does itself.
        p.append(float(mean_difference_p(one, other)[0]) if weight else np.nan)
    columns = ["expression", "share_before", "share_now", "total", "total_low", "total_high"]
    frame = pd.DataFrame(rows, columns=columns).astype(
        {"expression": str, **dict.fromkeys(columns[1:], np.float64)}
    )
    return frame.assign(told_apart=beyond_chance(np.array(p, dtype=np.float64)))


def _probability(side: pd.DataFrame, place: int) -> Moments:
    weights = [float(place == other) for other in range(len(EXPRESSIONS))]
    return Moments(
        _read(side).astype(np.float64),
        side[SUMS[place]].to_numpy(dtype=np.float64),
        sum_of_squares(side, weights),
        lowest=0.0,
        highest=1.0,
    )


def _changes(
    now: pd.DataFrame,
    before: pd.DataFrame,
    keys: Sequence[str],
    score: ScoreDefinition,
    minimum_people: int,
) -> pd.DataFrame:
    """Kitagawa's parts of the change of the index, largest first; ``now``, ``before``: merged by
    ``keys``.

    With s the group's share of all people read, m its index and M the index of all, each the mean
    of both periods where no period is named:
    ``mix``     (s_now - s_before) (m - M): more or fewer people of a group that is above or below
    ``within``  s (m_now - m_before): the group's own index moved
    ``total``   their sum; all totals add up to the change of the index
    A group that one period lacks has moved by its mix alone. Groups with some people, but fewer
    than the minimum, in either period are one row together: ``rest`` is true, its keys and index
    are missing; see _too_few. Also ``people_before``, ``people_now`` (read; Int64),
    ``index_before``, ``index_now``, ``change`` with ``change_low`` and ``change_high`` (of the
    group's own index, Welch's interval; missing where a period lacks the group) and
    ``told_apart`` (bool): ``total`` is more than chance would explain, by Holm's step-down over
    the rows; see _total_p. ``told_apart_on`` (bool): the totals of this row and of all below it
    together are; see _told_apart_on. No rows where either period is withheld.
    """
    names = ["people", "total", "squares"]
    sides = []
    for part in (now, before):
        moments = index_moments(part, score)
        values = np.stack([moments.count, moments.total, moments.squares], axis=1)
        named = part[list(keys)].reset_index(drop=True)
        sides.append(named.join(pd.DataFrame(values, columns=names)))
    both = sides[0].merge(
        sides[1], on=list(keys), how="outer", suffixes=("_now", "_before"), sort=True
    )
    counted = [f"{name}_{side}" for side in ("now", "before") for name in names]
    both[counted] = both[counted].fillna(0.0)
    both = both[(both["people_now"] > 0) | (both["people_before"] > 0)].reset_index(drop=True)
    too_few = _too_few(both[["people_now", "people_before"]].to_numpy(), minimum_people)
    if too_few.any():
        # The keys of the row of the rest are missing.
        rest = both.loc[too_few, counted].sum().to_frame().T.reindex(columns=both.columns)
        rows = pd.concat([both[~too_few].astype(object), rest.astype(object)], ignore_index=True)
        rows[counted] = rows[counted].astype(np.float64)
    else:
        rows = both
    rows[REST] = np.arange(len(rows)) >= len(rows) - int(too_few.any())
    return _parts(rows, keys, score, minimum_people)


def _too_few(people: NDArray[np.float64], minimum_people: int) -> NDArray[np.bool_]:
    """Which groups are shown only together; ``people``: (groups, periods).

    Those with some people, but fewer than the minimum, in a period. What they add together can be
    told from the others, as all parts add up: where they are fewer than the minimum in a period
    even together, the smallest other group that has people in it joins them. That one has enough.
    """
    too_few = np.asarray(((people > 0) & (people < minimum_people)).any(axis=1))
    for period in range(people.shape[1]):
        together = people[too_few, period].sum()
        others = np.flatnonzero(~too_few & (people[:, period] > 0))
        if 0 < together < minimum_people and len(others):
            too_few[others[people[others].sum(axis=1).argmin()]] = True
    return too_few


def _parts(
    rows: pd.DataFrame, keys: Sequence[str], score: ScoreDefinition, minimum_people: int
) -> pd.DataFrame:
    def side(name: str) -> Moments:
        return Moments(
            count=rows[f"people_{name}"].to_numpy(dtype=np.float64),
            total=rows[f"total_{name}"].to_numpy(dtype=np.float64),
            squares=rows[f"squares_{name}"].to_numpy(dtype=np.float64),
            lowest=score.lowest,
            highest=score.highest,
        )

    now, before = side("now"), side("before")
    if min(now.count.sum(), before.count.sum()) < max(minimum_people, 1):
        rows, now, before = rows.iloc[:0], now.at(np.array([], int)), before.at(np.array([], int))
    share_now, share_before = (_shares(part.count) for part in (now, before))
    # Where one period lacks a group, its index of the other stands for both.
    index_now = np.where(now.count > 0, now.mean, before.mean)
    index_before = np.where(before.count > 0, before.mean, now.mean)
    all_people = ((share_now * index_now).sum() + (share_before * index_before).sum()) / 2
    mix = (share_now - share_before) * ((index_now + index_before) / 2 - all_people)
    within = (share_now + share_before) / 2 * (index_now - index_before)
    rest = rows[REST].to_numpy(dtype=bool)
    change = mean_difference(now, before)
    p = _total_p(now, before)
    frame = pd.DataFrame(
        {
            **{key: rows[key] for key in keys},
            REST: rest,
            "people_before": before.count.astype(np.int64),
            "people_now": now.count.astype(np.int64),
            "index_before": np.where(rest, np.nan, before.mean),
            "index_now": np.where(rest, np.nan, now.mean),
            **_shown("change", change, rest),
            "mix": mix,
            "within": within,
            "total": mix + within,
            "told_apart": beyond_chance(p),
        }
    )
    order = np.argsort(-np.abs(mix + within), kind="stable")
    return (
        frame.iloc[order]
        .assign(told_apart_on=_told_apart_on(now, before, p, order))
        .reset_index(drop=True)
    )


def _told_apart_on(
    now: Moments, before: Moments, p: NDArray[np.float64], order: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Of each place in ``order``, whether the totals from there on are together more than chance
    would explain: many small ones can be, of which none is. Their sum is the ``total`` of their
    people as one group, which is tested as one more row. ``p``: of the rows."""
    together = _total_p(_from(now, order), _from(before, order), everybody=(now, before))
    return added_beyond_chance(p, together)


def _from(groups: Moments, order: NDArray[np.intp]) -> Moments:
    """Of each place in ``order``, the groups from there on as one."""
    count, total, squares = (
        values[order][::-1].cumsum()[::-1]
        for values in (groups.count, groups.total, groups.squares)
    )
    return Moments(count, total, squares, groups.lowest, groups.highest)


def _total_p(
    now: Moments, before: Moments, everybody: tuple[Moments, Moments] | None = None
) -> NDArray[np.float64]:
    """The p-value of each group's ``total``, two-sided, that it is 0 but for chance. ``everybody``:
    the groups that make up all people of the two periods; None where these do.

    ``total`` is s_now m_now - s_before m_before - (s_now - s_before) M: of all people the mean of
    1(in the group) (x - M), now less before. M is of the same people, so by the delta method a
    person adds k (x - M_period) to that, with k = (s_before - s_now) / 2 now and less that before;
    these sum to 0 and change only the spread. So it is Welch's test of two means, of values that
    tell of their spread by the people of the group: those of all others hardly vary.
    """
    all_now, all_before = everybody or (now, before)
    middle = (_mean_of_all(all_now) + _mean_of_all(all_before)) / 2
    leaning = (before.count / all_before.count.sum() - now.count / all_now.count.sum()) / 2
    return mean_difference_p(
        _contributions(now, all_now, middle, leaning),
        _contributions(before, all_before, middle, -leaning),
        telling=(np.maximum(now.count, 2), np.maximum(before.count, 2)),
    )


def _contributions(
    groups: Moments, everybody: Moments, middle: float, leaning: NDArray[np.float64]
) -> Moments:
    """Of all people of a period, once for each group: what a person adds to its ``total``."""
    people = everybody.count.sum()
    mean = _mean_of_all(everybody)
    total = groups.total - middle * groups.count
    own = groups.squares - middle * (groups.total + total)
    crossed = groups.squares - mean * groups.total - middle * (groups.total - mean * groups.count)
    spread = everybody.squares.sum() - people * mean**2
    return Moments(
        count=np.full(len(total), people),
        total=total,
        squares=own + 2 * leaning * crossed + leaning**2 * spread,
        lowest=groups.lowest - middle,
        highest=groups.highest - middle,
    )


def _mean_of_all(groups: Moments) -> float:
    return float(groups.total.sum() / groups.count.sum()) if len(groups.count) else np.nan


def _shown(
    name: str, estimates: Estimates, hidden: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    return {
        name: np.where(hidden, np.nan, estimates.value),
        f"{name}_low": np.where(hidden, np.nan, estimates.low),
        f"{name}_high": np.where(hidden, np.nan, estimates.high),
    }


def _shares(count: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(count / count.sum() if len(count) else count)


def _read(side: pd.DataFrame) -> NDArray[np.int64]:
    return (side["people"] - side["unknown"]).to_numpy(dtype=np.int64)
