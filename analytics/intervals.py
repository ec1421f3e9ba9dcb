"""95 % intervals. The unit is the person: the faces of one track are correlated, so counting
them as separate would make every interval too narrow.

docs/decisions/0008 has the simulation that chose them. Sources: Student, "The probable error of a
mean", Biometrika 6 (1908); B. L. Welch, "The generalization of Student's problem", Biometrika 34
(1947); E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
JASA 22 (1927); R. G. Newcombe, "Interval estimation for the difference between independent
proportions", Statistics in Medicine 17 (1998); G. Y. Zou and A. Donner, "Construction of
confidence limits about effect measures", Statistics in Medicine 27 (2008); D. G. Bonett and
R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on
paired data", J. Educ. Behav. Stat. 37 (2012); S. Holm, "A simple sequentially rejective multiple
test procedure", Scand. J. Stat. 6 (1979); O. J. Dunn, "Multiple comparisons among means", JASA 56
(1961).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr, stdtrit

LEVEL: Final = 0.95
_UPPER: Final = (1 + LEVEL) / 2
_Z: Final = float(ndtri(_UPPER))
_ADDED: Final = 1 / 12
"""Of a person, added at either end of what a value can be before the spread is taken. Few people
who happen to look alike say too little about those who did not come by: without this, the
interval of ten people of a happy crowd holds the truth 91 times in 100. To a hundred people it
makes no difference."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the bounds of its 95 % interval, in the same unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimates:
    """Many estimates at once: three float64 arrays of one shape; NaN where nobody was counted."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def at(self, place: int) -> Estimate:
        """One of them."""
        return Estimate(float(self.value[place]), float(self.low[place]), float(self.high[place]))


@dataclass(frozen=True, slots=True)
class Moments:
    """What is stored of people's values: how many, their sum and the sum of their squares,
    float64 arrays of one shape; and the least and most that a value can be."""

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    lowest: float
    highest: float

    @property
    def mean(self) -> NDArray[np.float64]:
        """NaN where nobody was counted."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.total / self.count)

    def at(self, rows: NDArray[np.intp]) -> "Moments":
        """Those rows, in that order."""
        return Moments(
            self.count[rows], self.total[rows], self.squares[rows], self.lowest, self.highest
        )


def mean_interval(
    count: ArrayLike, total: ArrayLike, squares: ArrayLike, *, lowest: float, highest: float
) -> Estimates:
    """Mean of ``count`` people's values with Student's t-interval, from stored moments.

    ``total``, ``squares``: sums of the values and of their squares. With m = total / n and
    s^2 = (squares - n m^2) / (n - 1) the bounds are m +- t(n - 1) s / sqrt(n), cut to what the
    values can be (``lowest`` to ``highest``); n, total and squares of the bounds count a twelfth
    of a person more at ``lowest`` and at ``highest``. One person alone tells nothing about the
    spread: the bounds are those limits.
    """
    people = _moments(count, total, squares, lowest, highest)
    centre, variance, freedom = _spread(people)
    margin = stdtrit(freedom, _UPPER) * np.sqrt(variance)
    nobody = people.count == 0
    return Estimates(
        value=people.mean,
        low=np.where(nobody, np.nan, np.clip(centre - margin, lowest, highest)),
        high=np.where(nobody, np.nan, np.clip(centre + margin, lowest, highest)),
    )


def mean_difference(now: Moments, before: Moments) -> Estimates:
    """Mean of ``now`` less mean of ``before`` with Welch's interval, from stored moments.

    (m1 - m2) +- t(v) sqrt(s1^2 / n1 + s2^2 / n2), with Welch and Satterthwaite's v; padded and
    cut as in mean_interval.
    """
    centre, error, freedom = _welch(now, before)
    value = now.mean - before.mean
    margin = stdtrit(freedom, _UPPER) * error
    reach = now.highest - now.lowest
    nobody = np.isnan(value)
    return Estimates(
        value=value,
        low=np.where(nobody, np.nan, np.clip(np.minimum(centre - margin, value), -reach, reach)),
        high=np.where(nobody, np.nan, np.clip(np.maximum(centre + margin, value), -reach, reach)),
    )


def mean_difference_p(
    now: Moments,
    before: Moments,
    telling: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Welch's p-value, two-sided, that both have one mean; NaN where nobody was counted.

    ``telling``: of either side, how many people tell of the spread (two or more), where that is
    not everybody: of values that are 0 for all but a few, the spread is known from those few.
    """
    centre, error, freedom = _welch(now, before, telling)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Without any spread (all weights alike) there is no difference either.
        p = np.where(error > 0, 2 * stdtr(freedom, -np.abs(centre) / error), 1.0)
    return np.where(np.isnan(now.mean - before.mean), np.nan, p)


def _moments(
    count: ArrayLike, total: ArrayLike, squares: ArrayLike, lowest: float, highest: float
) -> Moments:
    return Moments(
        np.asarray(count, dtype=np.float64),
        np.asarray(total, dtype=np.float64),
        np.asarray(squares, dtype=np.float64),
        lowest,
        highest,
    )


def _spread(
    people: Moments,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, variance of the mean and degrees of freedom, a little of a person added at the ends."""
    n = people.count + 2 * _ADDED
    mean = (people.total + _ADDED * (people.lowest + people.highest)) / n
    squares = people.squares + _ADDED * (people.lowest**2 + people.highest**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Rounding can leave a tiny negative where all values are alike.
        variance = np.maximum((squares - n * mean**2) / (n - 1), 0) / n
    return mean, variance, np.maximum(n - 1, 0)


def _welch(
    now: Moments,
    before: Moments,
    telling: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Difference, its standard error and the degrees of freedom."""
    mean_now, variance_now, freedom_now = _spread(now)
    mean_before, variance_before, freedom_before = _spread(before)
    if telling is not None:
        freedom_now, freedom_before = (people + 2 * _ADDED - 1 for people in telling)
    variance = variance_now + variance_before
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / (
            variance_now**2 / freedom_now + variance_before**2 / freedom_before
        )
    # No spread at all: any number of degrees gives a margin of nothing.
    freedom = np.where(np.isfinite(freedom) & (freedom > 0), freedom, 1.0)
    return mean_now - mean_before, np.sqrt(variance), freedom


def share_interval(part: ArrayLike, whole: ArrayLike) -> Estimates:
    """Share ``part / whole`` from 0 to 1 with Wilson's score interval.

    centre (k + z^2/2) / (n + z^2), margin z / (n + z^2) * sqrt(k (n - k) / n + z^2 / 4)
    """
    k = np.asarray(part, dtype=np.float64)
    n = np.asarray(whole, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = k / n
        centre = (k + _Z**2 / 2) / (n + _Z**2)
        margin = _Z / (n + _Z**2) * np.sqrt(k * (n - k) / n + _Z**2 / 4)
    # The bounds hold the value exactly; rounding at shares of 0 and 1 would miss it by a hair.
    return Estimates(
        value=value,
        low=np.maximum(np.minimum(centre - margin, value), 0),
        high=np.minimum(np.maximum(centre + margin, value), 1),
    )


def net_interval(plus: ArrayLike, minus: ArrayLike, whole: ArrayLike) -> Estimates:
    """Difference ``(plus - minus) / whole`` of two shares of the same people, from -1 to 1.

    Bonett and Price's adjusted Wald interval: with a = (plus + 1) / (n + 2) and
    b = (minus + 1) / (n + 2) it is a - b +- z sqrt((a + b - (a - b)^2) / (n + 2)).
    """
    up = np.asarray(plus, dtype=np.float64)
    down = np.asarray(minus, dtype=np.float64)
    n = np.asarray(whole, dtype=np.float64)
    a, b = (up + 1) / (n + 2), (down + 1) / (n + 2)
    margin = _Z * np.sqrt((a + b - (a - b) ** 2) / (n + 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (up - down) / n
    return Estimates(
        value=value,
        low=np.where(n > 0, np.clip(np.minimum(a - b - margin, value), -1, 1), np.nan),
        high=np.where(n > 0, np.clip(np.maximum(a - b + margin, value), -1, 1), np.nan),
    )


def difference(now: Estimate, before: Estimate) -> Estimate:
    """``now`` less ``before`` of different people, from the intervals of both.

    Newcombe's hybrid interval where both are shares; Zou and Donner show that it holds for any
    two: d - sqrt((m1 - l1)^2 + (u2 - m2)^2) to d + sqrt((u1 - m1)^2 + (m2 - l2)^2).
    """
    value = now.value - before.value
    return Estimate(
        value,
        value - float(np.hypot(now.value - now.low, before.high - before.value)),
        value + float(np.hypot(now.high - now.value, before.value - before.low)),
    )


def ends_told_apart(highest: Moments, lowest: Moments, among: int) -> bool:
    """Whether the highest and the lowest mean of ``among`` rows (two or more) of different people
    differ by more than chance: of rows that are all of one crowd, in at most about 1 of 20 looks.

    ``highest``, ``lowest``: of one row each. They were picked for being far apart, so this is a
    test of all k (k - 1) / 2 pairs (Bonferroni's bound, Dunn 1961): Welch's p-value is at most
    0.05 / pairs. That is far out in the tail, where few people are not at all as many are: z in
    the place of t would tell the ends of 98 rows of ten people apart in 1 of 5 looks. Tukey's
    range test is the alternative; it wants one spread for all rows.
    """
    pairs = among * (among - 1) / 2
    return bool(mean_difference_p(highest, lowest)[0] <= (1 - LEVEL) / pairs)


def beyond_chance(p: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of many p-values to believe, so that in 19 of 20 looks at all of them none is wrong.

    Holm's step-down: by rank, p(i) <= 0.05 / (k - i + 1), up to the first that is larger. NaN is
    never believed and does not count.
    """
    told = np.zeros(p.shape, dtype=np.bool_)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    bounds = (1 - LEVEL) / np.arange(len(order), 0, -1)
    small = p[order] <= bounds
    told[order[: len(order) if small.all() else int(np.argmin(small))]] = True
    return told


def added_beyond_chance(p: NDArray[np.float64], added: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of each of ``added``, whether beyond_chance believes it where only it is added to ``p``."""
    known = np.sort(p[~np.isnan(p)])
    bounds = (1 - LEVEL) / np.arange(len(known) + 1, 0, -1)
    believed = np.argmin(np.append(known <= bounds[:-1], False))
    rank = np.searchsorted(known, added, side="right")
    return np.asarray((rank <= believed) & (added <= bounds[rank]))
