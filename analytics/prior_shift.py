"""Shares of expressions, corrected for what the recogniser is known to confuse.

A recogniser that takes one sad face in five for a neutral one finds too few sad people on every
day. How often it takes what for what is known from faces with known labels, and does not depend on
how many of each came today (prior shift). With M[c] the mean probabilities of faces labelled c,
the mean of today's people is sum_c share_c * M[c]; so the shares are those that explain today's
mean best:

    minimise |sum_c share_c M[c] - mean|^2 + RIDGE / sqrt(people) * |share - counted|^2

over shares from 0 to 1 that add up to 1. The second term keeps few people near what was counted.
Sources: Bella, Ferri, Hernandez-Orallo, Ramirez-Quintana, "Quantification via probability
estimators", ICDM 2010; Lipton, Wang, Smola, "Detecting and correcting for label shift with black
box predictors", ICML 2018 (arXiv:1802.03916). The rival that follows each person's probabilities,
Saerens, Latinne, Decaestecker, "Adjusting the outputs of a classifier to new a priori
probabilities", Neural Computation 14 (2002), is measured beside it by benchmarks.distribution. This
one needs sums only: it works from buckets for any period, and since a mean over faces has the same
expectation as one face, a person's mean needs no other matrix than a face's.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from analytics.buckets import SUMS, merge, product_matrix
from analytics.intervals import share_interval
from fer_core.model_card import Confusions, DistributionError
from fer_core.types import EXPRESSIONS

Floats = NDArray[np.float64]

RIDGE: Final = 0.3
"""Chosen on one half of PublicTest (benchmarks.distribution)."""

_HELPS: Final = 0.9
"""A correction is offered where it leaves at most this part of the error."""
_SUM_WEIGHT: Final = 1e3
_DRAWS: Final = 300
_COUNTED: Final = tuple(f"n_{expression}" for expression in EXPRESSIONS)
_CLASSES: Final = len(EXPRESSIONS)


def helps_from(measured: Sequence[DistributionError]) -> int | None:
    """The fewest people from which on the correction helped in every measurement of more; None
    where it never did, or was never measured."""
    fewest = None
    for error in sorted(measured, key=lambda error: -error.people):
        if error.corrected > _HELPS * error.counted:
            break
        fewest = error.people
    return fewest


def error_at(measured: Sequence[DistributionError], people: int) -> DistributionError | None:
    """The measurement of the most people that are not more than ``people``."""
    fitting = [error for error in measured if error.people <= people]
    return max(fitting, key=lambda error: error.people, default=None)


def correct(mean: Floats, counted: Floats, people: int, means: Floats) -> Floats:
    """Shares (7,) that explain the ``mean`` probabilities (7,) of ``people`` people best.

    ``counted``: (7,), shares by each person's most probable expression. ``means``: (7, 7), the
    mean probabilities by label, [labelled][read].
    """
    pull = np.sqrt(RIDGE / np.sqrt(people))
    system = np.vstack(
        [means.T, pull * np.eye(_CLASSES), np.full((1, _CLASSES), _SUM_WEIGHT)], dtype=np.float64
    )
    shares, _ = nnls(system, np.concatenate([mean, pull * counted, [_SUM_WEIGHT]]))
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def interval(
    mean: Floats,
    counted: Floats,
    covariance: Floats,
    people: int,
    confusions: Confusions,
    *,
    draws: int = _DRAWS,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Bounds (7,) and (7,) of the 95 % interval of ``correct``: a parametric bootstrap over today's
    people and over the faces from which the confusions are known.

    ``covariance``: (7, 7), of the people's probabilities.
    """
    rng = np.random.default_rng(seed)
    means = np.array(confusions.means)
    today = _draws(rng, mean, covariance, people, draws)
    known = [
        _draws(rng, row, np.array(spread), faces, draws)
        for row, spread, faces in zip(means, confusions.covariances, confusions.faces, strict=True)
    ]
    counts = rng.multinomial(people, counted / counted.sum(), size=draws) / people
    drawn = np.array(
        [
            correct(today[draw], counts[draw], people, np.stack([row[draw] for row in known]))
            for draw in range(draws)
        ]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    # An expression that every draw leaves at nothing is not surely absent: no interval is narrower
    # than that of people who were all read right.
    right = share_interval(
        correct(mean, counted, people, means) * people, np.full(_CLASSES, people)
    )
    return np.minimum(low, right.low), np.maximum(high, right.high)


def _draws(
    rng: np.random.Generator, mean: Floats, covariance: Floats, count: int, draws: int
) -> Floats:
    """(draws, 7): what the mean of ``count`` might have come out as."""
    values, vectors = np.linalg.eigh(covariance / count)
    spread = vectors * np.sqrt(np.maximum(values, 0))
    return np.asarray(mean + rng.normal(size=(draws, _CLASSES)) @ spread.T)


def corrected_shares(
    buckets: pd.DataFrame, confusions: Confusions, minimum_people: int
) -> pd.DataFrame:
    """As analytics.summary.expression_shares, corrected: ``expression``, ``people`` (as counted),
    ``share`` of read people with ``low`` and ``high``, and ``counted``, the share as counted.

    All buckets as one; no rows where fewer than the minimum were read.
    """
    merged = merge(buckets, [])
    read = 0 if merged.empty else int(merged["people"].iloc[0] - merged["unknown"].iloc[0])
    if read < max(minimum_people, 1):
        none = np.zeros(0)
        names = ("share", "low", "high", "counted")
        return pd.DataFrame(
            {
                "expression": pd.Series([], dtype=str),
                "people": np.zeros(0, dtype=np.int64),
                **dict.fromkeys(names, none),
            }
        )
    people = merged[list(_COUNTED)].to_numpy(dtype=np.int64)[0]
    counted = people / read
    mean = merged[list(SUMS)].to_numpy(dtype=np.float64)[0] / read
    covariance = _covariance(product_matrix(merged)[0], mean, read)
    low, high = interval(mean, counted, covariance, read, confusions)
    return pd.DataFrame(
        {
            "expression": pd.Series(EXPRESSIONS, dtype=str),
            "people": people,
            "share": correct(mean, counted, read, np.array(confusions.means)),
            "low": low,
            "high": high,
            "counted": counted,
        }
    )


def _covariance(products: Floats, mean: Floats, people: int) -> Floats:
    square = np.zeros((_CLASSES, _CLASSES))
    square[np.triu_indices(_CLASSES)] = products
    square = square + np.triu(square, 1).T
    return np.asarray((square - people * np.outer(mean, mean)) / max(people - 1, 1))


def corrected_rows(
    merged: pd.DataFrame, confusions: Confusions, minimum_people: int
) -> pd.DataFrame:
    """``share_<expression>`` of read people for each row of ``merged`` buckets (see
    analytics.buckets.merge), with its key columns and counts; missing where fewer than the minimum
    were read."""
    keys = list(merged.columns[: list(merged.columns).index("people")])
    read = (merged["people"] - merged["unknown"]).to_numpy(dtype=np.int64)
    means = np.array(confusions.means)
    shares = np.full((len(merged), _CLASSES), np.nan)
    sums = merged[list(SUMS)].to_numpy(dtype=np.float64)
    counts = merged[list(_COUNTED)].to_numpy(dtype=np.float64)
    for row in np.flatnonzero(read >= max(minimum_people, 1)):
        people = int(read[row])
        shares[row] = correct(sums[row] / people, counts[row] / people, people, means)
    out = merged[[*keys, "people", "unknown"]].copy()
    for place, expression in enumerate(EXPRESSIONS):
        out[f"share_{expression}"] = shares[:, place]
    return out
