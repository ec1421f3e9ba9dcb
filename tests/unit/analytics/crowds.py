"""Invented crowds whose people are as skewed as the recogniser makes them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

MEASURED: Final = (
    (-1.00, -0.97, -0.95, -0.93, -0.91, -0.87, -0.83, -0.76, -0.67, -0.57, -0.45, -0.24, 0.90),
    (-1.00, -1.00, -0.97, -0.95, -0.92, -0.90, -0.87, -0.86, -0.84, -0.76, -0.74, -0.55, 0.54),
    (-1.00, -0.94, -0.91, -0.86, -0.82, -0.78, -0.74, -0.68, -0.60, -0.45, -0.33, -0.12, 0.96),
    (-0.87, 0.04, 0.47, 0.69, 0.83, 0.90, 0.94, 0.96, 0.97, 0.98, 0.99, 0.99, 1.00),
    (-1.00, -0.93, -0.89, -0.86, -0.82, -0.79, -0.74, -0.68, -0.59, -0.50, -0.38, -0.18, 0.98),
    (-0.95, -0.51, -0.34, -0.23, -0.15, -0.10, -0.06, -0.04, -0.02, -0.01, 0.00, 0.05, 0.96),
    (-0.92, -0.70, -0.54, -0.42, -0.35, -0.28, -0.22, -0.16, -0.10, -0.06, 0.03, 0.26, 0.98),
)
"""Twelfths of p . w of FER2013's PublicTest faces by their expression, read by the first model."""

CROWDS: Final = {
    "even": (0.10, 0.01, 0.05, 0.33, 0.12, 0.05, 0.34),
    "ordinary": (0.04, 0.005, 0.02, 0.15, 0.07, 0.015, 0.70),
    "mostly neutral": (0.02, 0.0, 0.01, 0.05, 0.04, 0.01, 0.87),
    "mostly happy": (0.02, 0.0, 0.01, 0.80, 0.02, 0.05, 0.10),
    "unhappy few": (0.08, 0.01, 0.05, 0.02, 0.05, 0.02, 0.77),
}
"""Shares of the seven expressions."""


def crowd_values(shares: tuple[float, ...], seed: int) -> NDArray[np.float64]:
    """p . w of 60,000 people with the default weights, as skewed as the recogniser makes them."""
    rng = np.random.default_rng(seed)
    looks = rng.choice(7, 60_000, p=np.array(shares) / sum(shares))
    grid = np.linspace(0, 1, len(MEASURED[0]))
    drawn = rng.random(len(looks))
    values = np.stack([np.interp(drawn, grid, quantiles) for quantiles in MEASURED])
    return np.asarray(values[looks, np.arange(len(looks))])
