"""Ranges of axes, the same on screens and on paper."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

LEAST_SPAN: Final = 30.0
"""Index axes show at least this many points, so that chance does not look like a landslide."""


def index_range(bounds: Sequence[float]) -> list[float]:
    """Lower and upper end of an axis that holds ``bounds``: at least LEAST_SPAN wide, within 0 to
    100."""
    if not bounds:
        return [0.0, 100.0]
    low, high = min(bounds) - 2, max(bounds) + 2
    missing = max(LEAST_SPAN - (high - low), 0) / 2
    low, high = low - missing, high + missing
    shift = max(0 - low, 0) - max(high - 100, 0)
    return [max(low + shift, 0), min(high + shift, 100)]


LEAST_HEAT_SPAN: Final = 10.0
"""Shades of an index span at least this many points."""


def heat_range(indices: "pd.Series[float]") -> tuple[float, float]:
    """The ends of the shades: those of the indices shown, at least LEAST_HEAT_SPAN apart."""
    shown = indices.dropna()
    if shown.empty:
        return 0.0, 100.0
    low, high = float(shown.min()), float(shown.max())
    missing = max(LEAST_HEAT_SPAN - (high - low), 0) / 2
    return low - missing, high + missing
