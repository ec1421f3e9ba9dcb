"""How well a day's distribution of expressions is told, on days of faces with known labels."""

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics import prior_shift
from fer_core.expression import ExpressionReader
from fer_core.model_card import Confusions, DistributionError
from fer_core.types import EXPRESSIONS
from training.data import Split
from training.metrics import Floats, Labels

SIZES: Final = (30, 100, 300, 1000)
"""People of a day."""

DAYS: Final = 200

SPLITS: Final = 10
"""Halves of the faces that days are made with. One alone tells more of that half than of the
recogniser: with 22 faces of disgust, its error at 1000 people is .009 or .013."""

STORE_DAY: Final = np.array([0.05, 0.01, 0.03, 0.30, 0.06, 0.05, 0.50])
"""Shares on an ordinary day in a shop, in EXPRESSIONS' order: mostly neutral and happy. An
assumption."""

_LIKENESS: Final = 30.0
"""Concentration of the Dirichlet distribution from which days are drawn: the share of happy people
then has a standard deviation of 8 points from day to day."""

_FEWEST_FACES: Final = 10


def confusions_of(probabilities: Floats, labels: Labels) -> Confusions | None:
    """The confusions of readable faces: ``probabilities`` (N, 7), ``labels`` (N,). None where a
    label has fewer than ten faces."""
    groups = [probabilities[labels == label].astype(float) for label in range(len(EXPRESSIONS))]
    if min(len(group) for group in groups) < _FEWEST_FACES:
        return None
    return Confusions(
        faces=tuple(len(group) for group in groups),
        means=tuple(_rounded(group.mean(axis=0)) for group in groups),
        covariances=tuple(
            tuple(_rounded(row) for row in np.cov(group, rowvar=False)) for group in groups
        ),
    )


def _rounded(row: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(row.round(7).tolist())


def halves(labels: Labels, seed: int = 0) -> NDArray[np.bool_]:
    """bool (N,): a half of the faces of each label, by chance."""
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), np.bool_)
    for label in range(len(EXPRESSIONS)):
        places = rng.permutation(np.flatnonzero(labels == label))
        chosen[places[: len(places) // 2]] = True
    return chosen


def days(
    probabilities: Floats,
    labels: Labels,
    people: int,
    *,
    centre: NDArray[np.float64] = STORE_DAY,
    count: int = DAYS,
    seed: int = 0,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Days of ``people`` faces each, drawn with replacement: their probabilities (people, 7), the
    true shares of their labels (7,), and the shares that they were drawn by."""
    rng = np.random.default_rng([seed, people])
    groups = [np.flatnonzero(labels == label) for label in range(len(EXPRESSIONS))]
    for _ in range(count):
        drawn_by = rng.dirichlet(_LIKENESS * centre)
        counts = rng.multinomial(people, drawn_by)
        places = np.concatenate(
            [rng.choice(group, n) for group, n in zip(groups, counts, strict=True)]
        )
        yield probabilities[places].astype(float), counts / people, drawn_by


def counted_shares(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares (7,) by the most probable expression of each row (people, 7)."""
    counts = np.bincount(probabilities.argmax(axis=1), minlength=len(EXPRESSIONS))
    return np.asarray(counts / len(probabilities))


def readable(
    reader: ExpressionReader, split: Split
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Probabilities and labels of the faces that are not unknown."""
    probabilities = reader.read(split.images)
    known = probabilities.max(axis=1) >= reader.card.unknown_below
    return probabilities[known], split.labels[known]


def measured(reader: ExpressionReader, split: Split) -> tuple[DistributionError, ...]:
    """What metrics.json holds of ``errors``."""
    return errors(*readable(reader, split))


def errors(
    probabilities: Floats, labels: Labels, *, count: int = DAYS
) -> tuple[DistributionError, ...]:
    """The correction on days of one half of the readable faces, with the confusions of the other,
    for ``SPLITS`` halves; nothing where a label has too few faces. ``count``: days of each size, of
    all halves."""
    each = max(1, count // SPLITS)
    found = []
    for split in range(SPLITS):
        known = halves(labels, split)
        confusions = confusions_of(probabilities[known], labels[known])
        others = confusions_of(probabilities[~known], labels[~known])
        if confusions is None or others is None:
            return ()
        # Customers are all kinds of faces, but these days are made of the other half's few: that
        # it differs from all faces as much as the first one does belongs into the interval here.
        shared = tuple(
            one * other // (one + other)
            for one, other in zip(confusions.faces, others.faces, strict=True)
        )
        compared = dataclasses.replace(confusions, faces=shared)
        tested = probabilities[~known], labels[~known]
        found.append([_off(compared, *tested, size, each, split) for size in SIZES])
    return tuple(
        DistributionError(
            people, float(counted.round(5)), float(corrected.round(5)), float(held.round(4))
        )
        for people, (counted, corrected, held) in zip(SIZES, np.mean(found, axis=0), strict=True)
    )


def _off(
    confusions: Confusions,
    probabilities: Floats,
    labels: Labels,
    people: int,
    count: int,
    seed: int,
) -> NDArray[np.float64]:
    """(3,): how far off the counted and the corrected shares are, and how often the intervals hold
    the true one, in the mean over days and expressions."""
    means = np.array(confusions.means)
    found = []
    for p, truth, drawn_by in days(probabilities, labels, people, count=count, seed=seed):
        mean, counted = p.mean(axis=0), counted_shares(p)
        shares = prior_shift.correct(mean, counted, people, means)
        covariance = np.cov(p, rowvar=False)
        low, high = prior_shift.interval(mean, counted, covariance, people, confusions, draws=100)
        # The interval is of the shares that such people come with, as all other intervals are.
        held = (low <= drawn_by) & (drawn_by <= high)
        found.append([np.abs(counted - truth).mean(), np.abs(shares - truth).mean(), held.mean()])
    return np.asarray(np.mean(found, axis=0))
