"""People to hourly buckets, and buckets to larger ones. Everything in a bucket is a count or a
sum, so merging is addition: hours to days, cameras to sites, in any order."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.types import EXPRESSIONS, UNKNOWN

COUNTS: Final = (
    "people",
    "unknown",
    "faces",
    "faces_unknown",
    *(f"n_{expression}" for expression in EXPRESSIONS),
)
SUMS: Final = tuple(f"sum_{expression}" for expression in EXPRESSIONS)
_ROWS, _COLUMNS = np.triu_indices(len(EXPRESSIONS))
PRODUCTS: Final = tuple(
    f"product_{EXPRESSIONS[row]}_{EXPRESSIONS[column]}"
    for row, column in zip(_ROWS, _COLUMNS, strict=True)
)
"""The sums over read people of p_i * p_j: the upper triangle by rows."""

BUCKET_COLUMNS: Final = ("camera_id", "hour", *COUNTS, *SUMS, *PRODUCTS)
"""The columns of a frame of buckets."""

_TYPES: Final = dict.fromkeys(COUNTS, np.int64) | dict.fromkeys((*SUMS, *PRODUCTS), np.float64)
_QUARTER: Final = pd.Timedelta(minutes=15)


def local_hour(
    starts: "pd.Series[pd.Timestamp] | pd.DatetimeIndex", time_zone: str
) -> "pd.Series[pd.Timestamp]":
    """The UTC instant at which the site's local hour began that each instant lies in.

    ``starts``: aware times. ``time_zone``: an IANA name. Returns UTC times with the index of
    ``starts``. A local hour is a stretch with one wall-clock hour and one offset from UTC: the
    hour that autumn repeats is two hours, half-hour zones have theirs at half past, and where
    clocks change in the middle of an hour (Chatham, Lord Howe) the hour begins at the change.
    """
    times = starts if isinstance(starts, pd.Series) else pd.Series(starts)
    utc = times.dt.tz_convert("UTC")
    offset = _offset(utc, time_zone)
    hour = (utc + offset).dt.floor("h") - offset
    # Clocks changed between the hour's beginning and the instant: the change began this hour.
    changed = _offset(hour, time_zone) != offset
    while changed.any():
        hour = hour.mask(changed, hour + _QUARTER)
        changed = _offset(hour, time_zone) != offset
    return hour


def _offset(utc: "pd.Series[pd.Timestamp]", time_zone: str) -> "pd.Series[pd.Timedelta]":
    local = utc.dt.tz_convert(time_zone).dt.tz_localize(None)
    return local - utc.dt.tz_localize(None)


def aggregate(people: pd.DataFrame) -> pd.DataFrame:
    """One row for each (camera_id, hour): BUCKET_COLUMNS.

    ``people``: one row a person: camera_id, hour (see local_hour), expression, faces,
    faces_unknown and p_angry to p_neutral (mean probabilities, NaN for a person who could not be
    read).
    """
    read = (people["expression"] != UNKNOWN).to_numpy(dtype=bool)
    p = people[[f"p_{expression}" for expression in EXPRESSIONS]].to_numpy(dtype=np.float64)
    p = np.where(read[:, np.newaxis], p, 0.0)
    rows = pd.DataFrame(
        {
            "camera_id": people["camera_id"],
            "hour": people["hour"],
            "people": 1,
            "unknown": (~read).astype(np.int64),
            "faces": people["faces"],
            "faces_unknown": people["faces_unknown"],
            **{
                f"n_{expression}": (people["expression"] == expression).astype(np.int64)
                for expression in EXPRESSIONS
            },
            **{name: p[:, place] for place, name in enumerate(SUMS)},
            **dict(zip(PRODUCTS, (p[:, _ROWS] * p[:, _COLUMNS]).T, strict=True)),
        },
        index=people.index,
    )
    return merge(rows, ["camera_id", "hour"])


def merge(buckets: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Add up all rows that agree in ``keys`` (with none: all rows, to one row or none).

    Returns the key columns, sorted, followed by counts, sums and products; other columns are
    dropped.
    """
    values = buckets[list(_TYPES)]
    if any(values.dtypes[name] != kind for name, kind in _TYPES.items()):
        values = values.astype(_TYPES)
    groups = [buckets[key] for key in keys] or [pd.Series(0, index=buckets.index)]
    return values.groupby(groups, sort=True).sum().reset_index(drop=not keys)


def product_matrix(buckets: pd.DataFrame) -> NDArray[np.float64]:
    """The columns of PRODUCTS as float64 (rows, 28)."""
    return buckets[list(PRODUCTS)].to_numpy(dtype=np.float64)


def sum_of_squares(buckets: pd.DataFrame, weights: Sequence[float]) -> NDArray[np.float64]:
    """Sum over read people of (p . w)^2 for each row, w' S w with S the matrix of products."""
    w = np.array(weights, dtype=np.float64)
    # Each pair off the diagonal is stored once and counts twice.
    pair = w[_ROWS] * w[_COLUMNS] * np.where(_ROWS == _COLUMNS, 1.0, 2.0)
    return np.asarray(product_matrix(buckets) @ pair)
