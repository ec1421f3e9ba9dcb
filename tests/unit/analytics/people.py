"""Invented people with known looks, for tests of buckets, figures and reports."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from analytics.buckets import aggregate, local_hour
from fer_core.types import EXPRESSIONS, UNKNOWN

HAPPY_THIRD: Final = (0.1, 0.0, 0.05, 0.33, 0.12, 0.05, 0.35)
"""Shares of the seven expressions in an ordinary crowd."""


def people_frame(
    times: pd.DatetimeIndex,
    expressions: Sequence[str],
    *,
    camera_id: int = 1,
    time_zone: str = "Europe/Berlin",
    seed: int = 0,
) -> pd.DataFrame:
    """One person for each time, with probabilities that fit the expression."""
    rng = np.random.default_rng(seed)
    p = np.full((len(expressions), len(EXPRESSIONS)), np.nan)
    for row, expression in enumerate(expressions):
        if expression != UNKNOWN:
            drawn = rng.dirichlet(np.ones(len(EXPRESSIONS)))
            p[row] = 0.4 * drawn
            p[row, EXPRESSIONS.index(expression)] += 0.6
    utc = times.tz_localize("UTC") if times.tz is None else times
    faces = rng.integers(1, 30, len(utc))
    unknown = [expression == UNKNOWN for expression in expressions]
    return pd.DataFrame(
        {
            "camera_id": pd.Series(camera_id, index=range(len(utc)), dtype=np.int64),
            "hour": local_hour(utc, time_zone),
            "expression": pd.Series(list(expressions), dtype=str),
            "faces": faces,
            "faces_unknown": np.where(unknown, faces, faces // 4),
            **{f"p_{e}": p[:, place] for place, e in enumerate(EXPRESSIONS)},
        }
    )


def crowd(
    start: str,
    people: int,
    *,
    hours: int = 8,
    camera_id: int = 1,
    time_zone: str = "Europe/Berlin",
    shares: Sequence[float] = HAPPY_THIRD,
    unknown_share: float = 0.1,
    seed: int = 0,
) -> pd.DataFrame:
    """``people`` spread evenly over ``hours`` from local time ``start``."""
    rng = np.random.default_rng(seed)
    begin = pd.Timestamp(start, tz=time_zone).tz_convert("UTC")
    times = begin + pd.to_timedelta(np.arange(people) * hours * 3600 // max(people, 1), unit="s")
    looks = rng.choice(EXPRESSIONS, people, p=shares)
    looks = np.where(rng.random(people) < unknown_share, UNKNOWN, looks)
    return people_frame(
        times, looks.tolist(), camera_id=camera_id, time_zone=time_zone, seed=seed + 1
    )


def bucket_frame(
    people: pd.DataFrame,
    *,
    site: str = "Berlin Mitte",
    camera: str = "Entrance",
    time_zone: str = "Europe/Berlin",
    site_id: int = 1,
) -> pd.DataFrame:
    """Buckets as the database gives them: with the names and zone of their camera."""
    return aggregate(people).assign(site_id=site_id, site=site, camera=camera, time_zone=time_zone)
