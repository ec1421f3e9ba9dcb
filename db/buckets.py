"""Hourly buckets: kept beside the tracks they are derived from, in the same transaction."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pandas as pd
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from analytics.buckets import BUCKET_COLUMNS, aggregate, local_hour
from db.people import PEOPLE_COLUMNS, read_people
from db.spans import footage_between, recordings_between, seen_between
from db.tables import Base, Bucket, Camera, Recording, Site, Track

_HOUR: Final = timedelta(hours=1)

_PLACE_COLUMNS: Final = ("site_id", "site", "camera", "time_zone")


def read_buckets(
    session: Session,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    camera_ids: Sequence[int] | None = None,
) -> pd.DataFrame:
    """The buckets whose hour began in [start, end), by camera and hour.

    Columns: those of table buckets (``hour`` aware UTC, ``products`` lists of 28 floats), and
    site_id, site, camera, time_zone. None means without a bound, or all cameras.
    """
    rows = [
        row
        for chunk in iterate_bucket_rows(session, start=start, end=end, camera_ids=camera_ids)
        for row in chunk
    ]
    return bucket_frame(rows)


def iterate_bucket_rows(
    session: Session,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    camera_ids: Sequence[int] | None = None,
    chunk: int = 20_000,
) -> Iterator[Sequence[tuple[object, ...]]]:
    """Rows for bucket_frame, at most ``chunk`` at a time."""
    query = (
        select(
            *(getattr(Bucket, column) for column in BUCKET_COLUMNS),
            Site.id,
            Site.name,
            Camera.name,
            Site.time_zone,
        )
        .join(Camera, Camera.id == Bucket.camera_id)
        .join(Site, Site.id == Camera.site_id)
        .order_by(Bucket.camera_id, Bucket.hour)
        .execution_options(yield_per=chunk)
    )
    if start is not None:
        query = query.where(Bucket.hour >= start)
    if end is not None:
        query = query.where(Bucket.hour < end)
    if camera_ids is not None:
        query = query.where(Bucket.camera_id.in_(camera_ids))
    for part in session.execute(query).partitions():
        yield [tuple(row) for row in part]


def bucket_frame(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    """The frame that read_buckets describes."""
    frame = pd.DataFrame(rows, columns=[*BUCKET_COLUMNS, *_PLACE_COLUMNS])
    whole = [c for c in BUCKET_COLUMNS if c not in {"hour", "products"} and c[:4] != "sum_"]
    return frame.astype(
        {
            **dict.fromkeys([*whole, "site_id"], "int64"),
            **{column: "float64" for column in BUCKET_COLUMNS if column.startswith("sum_")},
            "hour": "datetime64[us, UTC]",
        }
    )


def covered_span(
    session: Session, camera_ids: Sequence[int] | None = None
) -> tuple[datetime, datetime] | None:
    """From the beginning of the first hour with people to the end of the last (UTC)."""
    query = select(func.min(Bucket.hour), func.max(Bucket.hour))
    if camera_ids is not None:
        query = query.where(Bucket.camera_id.in_(camera_ids))
    row = session.execute(query).one()
    first: datetime | None = row[0]
    last: datetime | None = row[1]
    return None if first is None or last is None else (first, last + _HOUR)


def rebuild_buckets(session: Session, camera_ids: Sequence[int] | None = None) -> None:
    """Derive all buckets of the cameras (None: of all) anew from their tracks."""
    query = select(Camera.id)
    if camera_ids is not None:
        query = query.where(Camera.id.in_(camera_ids))
    for camera_id in session.scalars(query.order_by(Camera.id)).all():
        session.execute(delete(Bucket).where(Bucket.camera_id == camera_id))
        zone = _locked_time_zone(session, camera_id)
        start = _next_hour_with_footage(session, camera_id, zone, None)
        while start is not None:
            end = _day_after(start, zone)
            _replace(session, camera_id, zone, start, end)
            start = _next_hour_with_footage(session, camera_id, zone, end)


def rebuild_span(session: Session, camera_id: int, first: datetime, last: datetime) -> None:
    """Derive anew the buckets of all hours that touch [first, last]."""
    zone = _locked_time_zone(session, camera_id)
    start = _hour_of(first, zone)
    while start <= last:
        end = min(_day_after(start, zone), _hour_after(_hour_of(last, zone), zone))
        _replace(session, camera_id, zone, start, end)
        start = end


def rebuild_hours(session: Session, camera_id: int, instants: Iterable[datetime]) -> None:
    """Derive anew the buckets of the hours in which ``instants`` lie."""
    zone = _locked_time_zone(session, camera_id)
    hours = sorted(set(_hours(list(instants), zone)))
    # Hours that follow each other are derived at one go, a day of them at the most.
    while hours:
        run = 1
        while run < min(len(hours), 24) and hours[run] - hours[run - 1] <= _HOUR:
            run += 1
        _replace(session, camera_id, zone, hours[0], _hour_after(hours[run - 1], zone))
        del hours[:run]


def _locked_time_zone(session: Session, camera_id: int) -> str:
    """The IANA name of the zone of the camera's site.

    Until the commit nobody else derives buckets of this camera (SQLite has one writer anyway):
    of two that write at once, each would miss the other's people.
    """
    return session.execute(
        select(Site.time_zone)
        .join(Camera)
        .where(Camera.id == camera_id)
        .with_for_update(of=Camera, key_share=True)
    ).scalar_one()


def _hour_of(instant: datetime, time_zone: str) -> datetime:
    """The UTC instant at which the local hour of ``instant`` began."""
    return _hours([instant], time_zone)[0]


def _hour_after(hour: datetime, time_zone: str) -> datetime:
    # An hour in which clocks change can be as short as a quarter.
    steps = [hour + timedelta(minutes=15 * step) for step in range(1, 9)]
    return min(start for start in _hours(steps, time_zone) if start > hour)


def _day_after(hour: datetime, time_zone: str) -> datetime:
    """The beginning of a local hour a day on: so much is derived at once, so that a year fits
    into memory as well as an hour does."""
    return _hour_after(_hour_of(hour + 23 * _HOUR, time_zone), time_zone)


def _hours(instants: Sequence[datetime], time_zone: str) -> list[datetime]:
    starts = pd.Series(pd.to_datetime(list(instants), utc=True))
    return [start.to_pydatetime().astimezone(UTC) for start in local_hour(starts, time_zone)]


def _next_hour_with_footage(
    session: Session, camera_id: int, time_zone: str, after: datetime | None
) -> datetime | None:
    """The first local hour from ``after`` on that footage of the camera may touch."""
    conditions = recordings_between(session, after, None, [camera_id])
    captured_at = session.scalar(select(func.min(Recording.captured_at)).where(*conditions))
    if captured_at is None:
        return None
    hour = _hour_of(captured_at, time_zone)
    return hour if after is None else max(hour, after)


def _replace(
    session: Session, camera_id: int, time_zone: str, start: datetime, end: datetime
) -> None:
    """Derive anew the buckets in [start, end), both beginnings of local hours."""
    people = _people_between(session, camera_id, start, end)
    session.execute(
        delete(Bucket).where(Bucket.camera_id == camera_id, Bucket.hour >= start, Bucket.hour < end)
    )
    if people.empty:
        return
    people["camera_id"] = camera_id
    people["hour"] = local_hour(people["at"], time_zone)
    columns = list(BUCKET_COLUMNS)
    session.execute(
        insert(Base.metadata.tables[Bucket.__tablename__]),
        [
            dict(zip(columns, row, strict=True))
            for row in aggregate(people)[columns].itertuples(index=False, name=None)
        ],
    )


def _people_between(
    session: Session, camera_id: int, start: datetime, end: datetime
) -> pd.DataFrame:
    """People first seen in [start, end): PEOPLE_COLUMNS, and ``at``, when that was (UTC)."""
    frames: list[pd.DataFrame] = []
    for footage in footage_between(session, start, end, [camera_id], videos_alone=False):
        seen = seen_between(footage, start, end, Track.recording_id, Track.start_ms)
        if seen is None:
            continue
        people = read_people(session, seen)
        captured = pd.Series({some.recording_id: some.captured_at for some in footage})
        people["at"] = people["recording_id"].map(captured) + pd.to_timedelta(
            people["start_ms"], unit="ms"
        )
        if not people.empty:
            frames.append(people)
    if not frames:
        return pd.DataFrame(columns=[*PEOPLE_COLUMNS, "at"])
    return pd.concat(frames, ignore_index=True)
