"""Two groups of people side by side: two periods, two sites, two cameras; or all with all.

The sources of the intervals are named in analytics.intervals. Ranks: M. Mogstad, J. P. Romano,
A. M. Shaikh and D. Wilhelm, "Inference for ranks with applications to mobility across
neighbourhoods and academic achievement across countries", Review of Economic Studies 91 (2024).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from analytics.buckets import merge
from analytics.intervals import (
    Estimate,
    beyond_chance,
    difference,
    mean_difference,
    mean_difference_p,
)
from analytics.scores import ScoreDefinition
from analytics.summary import Summary, figures_of, index_moments, summarise

Direction = Literal["up", "down", "level"]

_PLACES: Final = {"site": ["site"], "camera": ["site", "camera", "camera_id"]}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two groups of people: ``now`` less ``before``.

    ``index`` in points from -100 to 100; ``happy``, ``negative``, ``net`` and ``unknown_share``
    as differences of shares. None where either side is withheld. The interval speaks of the
    people who came by; whether other days would be alike it does not say.
    """

    now: Summary
    before: Summary
    index: Estimate | None
    happy: Estimate | None
    negative: Estimate | None
    net: Estimate | None
    unknown_share: Estimate | None


def compare(
    now: pd.DataFrame, before: pd.DataFrame, score: ScoreDefinition, minimum_people: int
) -> Comparison:
    """Buckets of two groups of people (see db.buckets.read_buckets) that share nobody."""
    one, other = (summarise(part, score, minimum_people) for part in (now, before))
    index = None
    if one.index is not None and other.index is not None:
        values = mean_difference(*(index_moments(merge(part, []), score) for part in (now, before)))
        index = values.at(0)
    return Comparison(
        now=one,
        before=other,
        index=index,
        happy=_difference(one.happy, other.happy),
        negative=_difference(one.negative, other.negative),
        net=_difference(one.net, other.net),
        unknown_share=_difference(one.unknown_share, other.unknown_share),
    )


def _difference(now: Estimate | None, before: Estimate | None) -> Estimate | None:
    return None if now is None or before is None else difference(now, before)


def told_apart(change: Estimate) -> bool:
    """Whether a difference is more than chance would explain: its interval leaves zero out."""
    return change.low > 0 or change.high < 0


def league(
    buckets: pd.DataFrame,
    by: Literal["site", "camera"],
    score: ScoreDefinition,
    minimum_people: int,
) -> pd.DataFrame:
    """Sites or cameras by their index, best first, with the ranks that the data allow.

    The columns of by_site or by_camera, and ``rank_low``, ``rank_high`` (Int64): the rank lies
    between them. Every two are compared by Welch's test and all tests together held to 5 % by
    Holm's step-down; the best rank is one more than how many are surely better, the worst leaves
    out how many are surely worse (Mogstad, Romano, Shaikh and Wilhelm). In 19 of 20 tables every
    rank lies in its range. Withheld rows come last and have no rank.
    """
    merged = merge(buckets, _PLACES[by])
    figures = figures_of(merged, score, minimum_people)
    moments = index_moments(merged, score)
    shown = np.flatnonzero(~figures["withheld"].to_numpy(dtype=bool))
    first, second = np.triu_indices(len(shown), 1)
    one, other = moments.at(shown[first]), moments.at(shown[second])
    apart = beyond_chance(mean_difference_p(one, other))
    better = np.where(one.mean > other.mean, first, second)[apart]
    worse = np.where(one.mean > other.mean, second, first)[apart]
    low = np.full(len(figures), -1)
    high = np.full(len(figures), -1)
    low[shown] = 1 + np.bincount(worse, minlength=len(shown))
    high[shown] = len(shown) - np.bincount(better, minlength=len(shown))
    for name, ranks in (("rank_low", low), ("rank_high", high)):
        figures[name] = pd.Series(ranks, index=figures.index, dtype="Int64").mask(ranks < 0)
    # Within a rank by name, as merged: mergesort keeps the order of equals.
    return figures.sort_values(
        "index", ascending=False, na_position="last", kind="mergesort", ignore_index=True
    )


def combined_target(targets: Mapping[str, float | None], people: Mapping[str, int]) -> float | None:
    """The index that sites have together where each reaches its own target exactly.

    ``targets``, ``people``: by site; people who were read. It is the mean of the targets, each
    site weighing as much as in the index itself. None where a site with people has no target.
    """
    weights = {site: count for site, count in people.items() if count > 0}
    known = {site: target for site in weights if (target := targets.get(site)) is not None}
    if not weights or len(known) < len(weights):
        return None
    total = sum(weights.values())
    return sum(target * weights[site] for site, target in known.items()) / total


def direction(change: Estimate, decimals: int) -> Direction:
    """Which way a difference goes once it is rounded as it is shown."""
    shown = round(change.value, decimals)
    return "up" if shown > 0 else "down" if shown < 0 else "level"
