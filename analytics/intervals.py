"""95 % intervals. The unit is the person: the faces of one track are correlated, so counting
them as separate would make every interval too narrow.

Sources: Student, "The probable error of a mean", Biometrika 6 (1908); E. B. Wilson, "Probable
inference, the law of succession, and statistical inference", JASA 22 (1927); D. G. Bonett and
R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on
paired data", J. Educ. Behav. Stat. 37 (2012).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

_UPPER: Final = 0.975
_Z: Final = float(ndtri(_UPPER))


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


def mean_interval(
    count: ArrayLike, total: ArrayLike, squares: ArrayLike, *, lowest: float, highest: float
) -> Estimates:
    """Mean of ``count`` people's values with Student's t-interval, from stored moments.

    ``total``, ``squares``: sums of the values and of their squares. With m = total / n and
    s^2 = (squares - n m^2) / (n - 1) the bounds are m +- t(n - 1) s / sqrt(n), cut to what the
    values can be (``lowest`` to ``highest``). One person alone tells nothing about the spread, so
    the bounds are those limits.
    """
    n = np.asarray(count, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.asarray(total, dtype=np.float64) / n
        variance = (np.asarray(squares, dtype=np.float64) - n * mean**2) / (n - 1)
        # Rounding can leave a tiny negative where all people are alike.
        margin = stdtrit(n - 1, _UPPER) * np.sqrt(np.maximum(variance, 0) / n)
    margin = np.where(n == 1, np.inf, margin)
    return Estimates(
        value=mean,
        low=np.clip(mean - margin, lowest, highest),
        high=np.clip(mean + margin, lowest, highest),
    )


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
