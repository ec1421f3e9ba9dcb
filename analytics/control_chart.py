"""A control chart for daily figures: is this day unlike the days before it, more than chance and
the usual ups and downs from day to day explain?

A day's figure is a mean over its people. Days differ in how many people stand behind them, in
what the day of the week brings, and by more than chance: a store has good and bad days. So a day
is modelled as weekday + day + error, where the error's variance is known from the people, the
day's own variance tau^2 is estimated from the eight weeks before, and each weekday has a level of
its own. The day is compared with what that model predicts for it (a Shewhart chart for
individuals with limits that move with the number of people).

Sources: W. A. Shewhart, "Economic Control of Quality of Manufactured Product" (1931); for days
that differ by more than chance D. B. Laney, "Improved control charts for attributes", Quality
Engineering 14 (2002); for tau^2 R. C. Paule and J. Mandel, "Consensus values and weighting
factors", J. Res. Natl. Bur. Stand. 87 (1982), iterated as in R. DerSimonian and R. Kacker,
"Random-effects model for meta-analysis of clinical trials", Contemp. Clin. Trials 28 (2007).
Against EWMA and CUSUM it is measured by benchmarks/alerts.py.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

WEEKS: Final = 8
"""A day is compared with this many weeks before it."""

HISTORY_DAYS: Final = 7 * WEEKS

LEAST_SAME_WEEKDAYS: Final = 3
"""So many of them must have had the day's own weekday, or the day is not judged."""

_LEAST_FREEDOM: Final = 10
"""Days with a figure less weekdays among them: so much it takes to know the ups and downs."""

_STEPS: Final = 50
_CLOSE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Chart:
    """Arrays with one entry a day; NaN for a day that cannot be judged.

    ``usual``: the figure that the weeks before let expect for such a day. ``spread``: standard
    deviation of what comes, about that, known from ``freedom`` degrees of freedom. ``score``: the
    day's distance from the usual in standard deviations, made smaller for short histories so that
    it is standard normal for ordinary days.
    """

    usual: NDArray[np.float64]
    spread: NDArray[np.float64]
    freedom: NDArray[np.int64]
    score: NDArray[np.float64]

    def ordinary(self, limit: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The bounds of days whose score is within +-``limit``."""
        reach = stdtrit(np.maximum(self.freedom, 1), ndtr(limit)) * self.spread
        return self.usual - reach, self.usual + reach


def control_chart(values: ArrayLike, variances: ArrayLike) -> Chart:
    """Judge each day by the eight weeks before it.

    ``values``: (..., days) figures of days that follow each other on the calendar, NaN where a
    day has none. ``variances``: as many, over 0; of each figure, given the people behind it.
    Returns arrays of the same shape. A day's own figure, and what comes after, never enter what
    it is compared with.
    """
    y = np.asarray(values, dtype=np.float64)
    v = np.where(np.isnan(y), np.nan, np.asarray(variances, dtype=np.float64))
    past, past_variance = _weeks_before(y), _weeks_before(v)
    there = ~np.isnan(past)
    past, past_variance = np.where(there, past, 0.0), np.where(there, past_variance, 1.0)
    days = there.sum(axis=(-2, -1))
    freedom = days - there.any(axis=-2).sum(axis=-1)
    tau2 = _between_days(past, past_variance, there, freedom)

    # Eight whole weeks: the first of the seven columns is the day's own weekday.
    weight = np.where(there, 1 / (tau2[..., None, None] + past_variance), 0.0)[..., 0]
    known = (there[..., 0].sum(axis=-1) >= LEAST_SAME_WEEKDAYS) & (freedom >= _LEAST_FREEDOM)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = (weight * past[..., 0]).sum(axis=-1) / weight.sum(axis=-1)
        spread = np.sqrt(tau2 + v + 1 / weight.sum(axis=-1))
        distance = (y - usual) / spread
    usual, spread = np.where(known, usual, np.nan), np.where(known, spread, np.nan)
    # Student's t as the normal deviate of the same probability; from the lower tail on both
    # sides, where neither is rounded to one.
    tail = ndtri(stdtr(np.maximum(freedom, 1), -np.abs(distance)))
    score = np.where(known, -np.sign(distance) * np.maximum(tail, -38.0), np.nan)
    return Chart(usual, spread, freedom, score)


def _weeks_before(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., days) to (..., days, weeks, 7): the eight weeks before each day, oldest first."""
    before = np.full((*values.shape[:-1], HISTORY_DAYS), np.nan)
    windows = sliding_window_view(
        np.concatenate([before, values], axis=-1)[..., :-1], HISTORY_DAYS, axis=-1
    )
    return windows.reshape(*values.shape, WEEKS, 7)


def _between_days(
    y: NDArray[np.float64],
    v: NDArray[np.float64],
    there: NDArray[np.bool_],
    freedom: NDArray[np.int64],
) -> NDArray[np.float64]:
    """tau^2 such that the weighted squares about the weekdays' means add up to their degrees of
    freedom; 0 where they are fewer already.

    The sum falls and is convex in tau^2, so Newton's steps from 0 never pass the root.
    """
    tau2 = np.zeros(y.shape[:-2])
    for _ in range(_STEPS):
        weight = np.where(there, 1 / (tau2[..., None, None] + v), 0.0)
        total = weight.sum(axis=-2, keepdims=True)
        mean = (weight * y).sum(axis=-2, keepdims=True) / np.where(total > 0, total, 1.0)
        squares = weight * (y - mean) ** 2
        excess = squares.sum(axis=(-2, -1)) - freedom
        if not (excess > _CLOSE * np.maximum(freedom, 1)).any():
            break
        slope = (weight * squares).sum(axis=(-2, -1))
        step = np.divide(excess, slope, out=np.zeros_like(tau2), where=slope > 0)
        tau2 = tau2 + np.maximum(step, 0.0)
    return tau2
