"""Invented stores whose days are good and bad, busy and slow, and whose truth is known."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LOOKS: Final = np.linspace(0, 100, 9)
"""What one person's index can be."""

_CROWD: Final = np.array([0.04, 0.05, 0.06, 0.1, 0.35, 0.12, 0.1, 0.1, 0.08])
_TRAFFIC: Final = np.array([0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 0.6])


def daily_figures(
    rng: np.random.Generator,
    stores: int,
    days: int,
    visitors: int,
    good_and_bad_days: float,
    *,
    weekdays: float = 0.15,
    minimum_people: int = 10,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The index of each day and its variance given the people, (stores, days); NaN where fewer
    than the minimum came.

    ``good_and_bad_days``, ``weekdays``: standard deviations of the log-odds by which a day and a
    day of the week tilt everybody's looks; 0.2 moves the index by about 2.4 points.
    """
    tilt = rng.normal(0, weekdays, (stores, 7))[:, np.arange(days) % 7]
    tilt = tilt + rng.normal(0, good_and_bad_days, (stores, days))
    odds = _CROWD * np.exp(tilt[..., np.newaxis] * (LOOKS - 50) / 50)
    people = rng.poisson(np.broadcast_to(visitors * _TRAFFIC[np.arange(days) % 7], (stores, days)))
    looks = rng.multinomial(people, odds / odds.sum(axis=-1, keepdims=True))
    enough = people >= minimum_people
    mean = np.where(enough, looks @ LOOKS / np.maximum(people, 1), np.nan)
    squares = np.where(enough, looks @ LOOKS**2 - people * mean**2, 0).sum(axis=-1)
    spread = squares / np.where(enough, people - 1, 0).sum(axis=-1)
    return mean, spread[:, np.newaxis] / np.maximum(people, 1)
