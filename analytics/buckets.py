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
BUCKET_COLUMNS: Final = ("camera_id", "hour", *COUNTS, *SUMS, "products")
"""The columns of the table of buckets, in its order."""

_ROWS, _COLUMNS = np.triu_indices(len(EXPRESSIONS))
_PRODUCTS: Final = [f"product_{place}" for place in range(len(_ROWS))]
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
    """One row for each (camera_id, hour), with the columns of the table of buckets.

    ``people``: one row a person: camera_id, hour (see local_hour), expression, faces,
    faces_unknown and p_angry to p_neutral (mean probabilities, NaN for a person who could not be
    read). ``products``: 28 floats, the sums of p_i * p_j over read people, upper triangle by rows.
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
            "products": list(p[:, _ROWS] * p[:, _COLUMNS]),
        },
        index=people.index,
    )
    return merge(rows, ["camera_id", "hour"])


def merge(buckets: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Add up all rows that agree in ``keys`` (with none: all rows, to one row or none).

    Returns the key columns, sorted, followed by counts, sums and products; other columns are
    dropped.
    """
    values = pd.concat(
        [
            buckets[list(COUNTS)].astype(np.int64),
            buckets[list(SUMS)].astype(np.float64),
            pd.DataFrame(product_matrix(buckets), columns=_PRODUCTS, index=buckets.index),
        ],
        axis="columns",
    )
    groups = [buckets[key] for key in keys] or [pd.Series(0, index=buckets.index)]
    merged = values.groupby(groups, sort=True).sum().reset_index(drop=not keys)
    products = merged[_PRODUCTS].to_numpy(dtype=np.float64)
    merged = merged.drop(columns=_PRODUCTS)
    merged["products"] = pd.Series(products.tolist(), index=merged.index, dtype=object)
    return merged


def product_matrix(buckets: pd.DataFrame) -> NDArray[np.float64]:
    """The column ``products`` as float64 (rows, 28)."""
    return np.array(buckets["products"].tolist(), dtype=np.float64).reshape(-1, len(_ROWS))


def sum_of_squares(buckets: pd.DataFrame, weights: Sequence[float]) -> NDArray[np.float64]:
    """Sum over read people of (p . w)^2 for each row, w' S w with S the matrix of products."""
    w = np.array(weights, dtype=np.float64)
    # Each pair off the diagonal is stored once and counts twice.
    pair = w[_ROWS] * w[_COLUMNS] * np.where(_ROWS == _COLUMNS, 1.0, 2.0)
    return np.asarray(product_matrix(buckets) @ pair)
