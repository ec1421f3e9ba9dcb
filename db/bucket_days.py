"""Days of buckets, each in one value: what a page reads.

A year of twenty cameras is 90,000 hours. As rows of 21 columns they take longer to read than a
person waits for a page; as 7,300 values they take a tenth of that. A day is that of UTC, whatever
the site's zone: it is a way to keep hours together, and is shown nowhere.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from analytics.buckets import BUCKET_COLUMNS, COUNTS, PRODUCTS, SUMS
from db.engine import AS_STORED
from db.tables import Base, Bucket, BucketDay, Camera, Site

_DAY: Final = timedelta(days=1)
_DAY_S: Final = 86_400
_HOURS_OF_A_DAY: Final = 25
"""A day has at most so many local hours but for a few in which clocks change."""

_NUMBERS: Final = ("hour", *COUNTS, *SUMS, *PRODUCTS)
"""What is packed of an hour: 47 float64, little end first. ``hour``: seconds since 1970."""
_PACKED: Final = np.dtype("<f8")

_STORED: Final = (*BUCKET_COLUMNS[: BUCKET_COLUMNS.index(PRODUCTS[0])], "products")
"""The columns of the table of buckets."""


def rows_of(buckets: pd.DataFrame) -> list[dict[str, object]]:
    """A frame (BUCKET_COLUMNS) as rows of the table of buckets."""
    head = len(_STORED) - 1
    return [
        {**dict(zip(_STORED, row[:head], strict=False)), "products": list(row[head:])}
        for row in buckets[list(BUCKET_COLUMNS)].itertuples(index=False, name=None)
    ]


def frame_of(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    """Rows of the table, as stored_columns selects them, as a frame (BUCKET_COLUMNS)."""
    head = len(_STORED) - 1
    flat = [(*row[:head], *_floats(row[head])) for row in rows]
    frame = pd.DataFrame(flat, columns=list(BUCKET_COLUMNS))
    return frame.astype(
        {
            **dict.fromkeys(("camera_id", *COUNTS), np.int64),
            **dict.fromkeys((*SUMS, *PRODUCTS), np.float64),
            "hour": "datetime64[us, UTC]",
        }
    )


def _floats(products: object) -> list[float]:
    assert isinstance(products, list)
    return products


def stored_columns(table: type[Base]) -> list[InstrumentedAttribute[Any]]:
    """The columns of ``table`` that frame_of takes, in its order."""
    return [getattr(table, column) for column in _STORED]


def repack_days(session: Session, camera_id: int, start: datetime, end: datetime) -> None:
    """Bring the days of the camera that touch [start, end) in line with its buckets."""
    day = _day_of(start)
    while day < end:
        _repack(session, camera_id, day)
        day += _DAY


def _repack(session: Session, camera_id: int, day: datetime) -> None:
    session.execute(delete(BucketDay).where(BucketDay.camera_id == camera_id, BucketDay.day == day))
    query = select(*(getattr(Bucket, column) for column in _STORED)).where(
        Bucket.camera_id == camera_id, Bucket.hour >= day, Bucket.hour < day + _DAY
    )
    rows = session.execute(query.order_by(Bucket.hour)).all()
    if not rows:
        return
    numbers = np.array(
        [[row[1].timestamp(), *row[2 : len(_STORED) - 1], *row[-1]] for row in rows], dtype=_PACKED
    )
    session.execute(
        insert(Base.metadata.tables[BucketDay.__tablename__]),
        {"camera_id": camera_id, "day": day, "hours": numbers.tobytes()},
    )


def packed(buckets: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Rows of the table of days for a frame of many buckets (BUCKET_COLUMNS)."""
    ordered = buckets.sort_values(["camera_id", "hour"], kind="stable")
    seconds = ordered["hour"].dt.as_unit("us").astype(np.int64).to_numpy() // 1_000_000
    values = ordered[list(_NUMBERS[1:])].to_numpy(dtype=np.float64)
    numbers = np.column_stack([seconds, values]).astype(_PACKED)
    cameras = ordered["camera_id"].to_numpy(dtype=np.int64)
    keys = np.column_stack([cameras, seconds // _DAY_S])
    begins = np.flatnonzero((np.diff(keys, axis=0, prepend=keys[:1] - 1) != 0).any(axis=1))
    for first, end in zip(begins, np.append(begins, len(keys))[1:], strict=True):
        camera_id, day = keys[first].tolist()
        yield {
            "camera_id": camera_id,
            "day": datetime.fromtimestamp(day * _DAY_S, UTC),
            "hours": numbers[first:end].tobytes(),
        }


def iterate_packed_buckets(
    session: Session,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    camera_ids: Sequence[int] | None = None,
    chunk: int | None = 20_000,
) -> Iterator[pd.DataFrame]:
    """Frames as db.buckets.read_buckets describes them, of hardly more than ``chunk`` rows each
    (None: all in one); none where nobody was seen."""
    query = select(BucketDay.camera_id, BucketDay.hours)
    if start is not None:
        query = query.where(BucketDay.day >= _day_of(start))
    if end is not None:
        query = query.where(BucketDay.day < end)
    if camera_ids is not None:
        query = query.where(BucketDay.camera_id.in_(camera_ids))
    query = query.order_by(BucketDay.camera_id, BucketDay.day).execution_options(**AS_STORED)
    places = _places(session)
    options = {} if chunk is None else {"yield_per": max(1, chunk // _HOURS_OF_A_DAY)}
    # Closed also where nobody asks for the rest.
    with session.execute(query.execution_options(**options)) as found:
        for rows in [found.all()] if chunk is None else found.partitions():
            days = [row[1] for row in rows]
            frame = _unpacked([row[0] for row in rows], days, places, start, end)
            if not frame.empty:
                yield frame


def no_buckets() -> pd.DataFrame:
    """A frame without rows, as read_buckets gives it."""
    return _unpacked([], [], pd.DataFrame(columns=_PLACE_COLUMNS), None, None)


_PLACE_COLUMNS: Final = ["site_id", "site", "camera", "time_zone"]


def _places(session: Session) -> pd.DataFrame:
    query = select(Camera.id, Site.id, Site.name, Camera.name, Site.time_zone).join(Camera.site)
    rows = [tuple(row) for row in session.execute(query)]
    return pd.DataFrame(rows, columns=["camera_id", *_PLACE_COLUMNS]).set_index("camera_id")


def _unpacked(
    camera_ids: Sequence[int],
    days: Sequence[bytes],
    places: pd.DataFrame,
    start: datetime | None,
    end: datetime | None,
) -> pd.DataFrame:
    numbers = np.frombuffer(b"".join(days), dtype=_PACKED).reshape(-1, len(_NUMBERS))
    width = len(_NUMBERS) * _PACKED.itemsize
    cameras = np.repeat(np.array(camera_ids, dtype=np.int64), [len(day) // width for day in days])
    inside = np.ones(len(numbers), dtype=np.bool_)
    if start is not None:
        inside &= numbers[:, 0] >= start.timestamp()
    if end is not None:
        inside &= numbers[:, 0] < end.timestamp()
    if not inside.all():
        numbers, cameras = numbers[inside], cameras[inside]
    columns: dict[str, object] = {"camera_id": cameras, "hour": _instants(numbers[:, 0])}
    for place, name in enumerate(_NUMBERS[1:], start=1):
        values = numbers[:, place]
        columns[name] = values.astype(np.int64 if name in COUNTS else np.float64)
    index = places.index.get_indexer(pd.Index(cameras)) if len(cameras) else cameras
    typed = places.astype({"site_id": "int64", "site": "str", "camera": "str", "time_zone": "str"})
    for name in _PLACE_COLUMNS:
        columns[name] = typed[name].array.take(index)
    return pd.DataFrame(columns)


def _instants(seconds: NDArray[np.float64]) -> pd.DatetimeIndex:
    microseconds = (seconds * 1_000_000).astype(np.int64).view("datetime64[us]")
    return pd.DatetimeIndex(microseconds).tz_localize("UTC")


def _day_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
