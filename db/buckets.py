"""Hourly buckets: kept beside the tracks they are derived from, in the same transaction.

A bucket is what the tracks of its hour give together with the hour's sealed bucket, which holds
those whose tracks were deleted when their time was up (db.retention).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pandas as pd
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from analytics.buckets import BUCKET_COLUMNS, aggregate, local_hour, merge
from db.bucket_days import (
    frame_of,
    iterate_packed_buckets,
    no_buckets,
    repack_days,
    rows_of,
    stored_columns,
)
from db.people import PEOPLE_COLUMNS, read_people
from db.spans import footage_between, recordings_between, seen_between
from db.tables import Base, Bucket, BucketDay, Camera, Recording, SealedBucket, Site, Track

_HOUR: Final = timedelta(hours=1)


def read_buckets(
    session: Session,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    camera_ids: Sequence[int] | None = None,
) -> pd.DataFrame:
    """The buckets whose hour began in [start, end), by camera and hour.

    Columns: BUCKET_COLUMNS (``hour`` aware UTC), and site_id, site, camera, time_zone. None means
    without a bound, or all cameras.
    """
    frames = iterate_packed_buckets(
        session, start=start, end=end, camera_ids=camera_ids, chunk=None
    )
    found = next(frames, None)
    return no_buckets() if found is None else found


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
        rebuild_camera(session, camera_id)


def rebuild_camera(
    session: Session, camera_id: int, progress: Callable[[float], None] = lambda _share: None
) -> None:
    """Derive all buckets of one camera anew; ``progress`` is told the share that is done."""
    zone = locked_time_zone(session, camera_id)
    for table in (Bucket, BucketDay):
        session.execute(delete(table).where(table.camera_id == camera_id))
    begin = start = _next_hour_with_people(session, camera_id, zone, None)
    newest = select(func.max(Recording.captured_at)).where(Recording.camera_id == camera_id)
    last = session.scalar(newest)
    while start is not None:
        end = _day_after(start, zone)
        _replace(session, camera_id, zone, start, end)
        if begin is not None and last is not None and last > begin:
            progress(min((end - begin) / (last - begin), 1.0))
        start = _next_hour_with_people(session, camera_id, zone, end)


def rebuild_span(
    session: Session,
    camera_id: int,
    first: datetime,
    last: datetime,
    *,
    at_one_go: bool = False,
) -> None:
    """Derive anew the buckets of all hours that touch [first, last].

    ``at_one_go``: not a day at a time; for who knows that all its people fit into memory.
    """
    zone = locked_time_zone(session, camera_id)
    start = _hour_of(first, zone)
    while start <= last:
        end = _hour_after(_hour_of(last, zone), zone)
        if not at_one_go:
            end = min(_day_after(start, zone), end)
        _replace(session, camera_id, zone, start, end)
        start = end


def rebuild_hours(session: Session, camera_id: int, instants: Iterable[datetime]) -> None:
    """Derive anew the buckets of the hours in which ``instants`` lie."""
    touched = list(instants)
    if not touched:
        return
    zone = locked_time_zone(session, camera_id)
    hours = sorted(set(_hours(touched, zone)))
    # Hours that follow each other are derived at one go, a day of them at the most.
    while hours:
        run = 1
        while run < min(len(hours), 24) and hours[run] - hours[run - 1] <= _HOUR:
            run += 1
        _replace(session, camera_id, zone, hours[0], _hour_after(hours[run - 1], zone))
        del hours[:run]


def locked_time_zone(session: Session, camera_id: int) -> str:
    """The IANA name of the zone of the camera's site.

    Until the commit nobody else derives buckets of this camera (SQLite has one writer anyway):
    of two that write at once, each would miss the other's people.
    """
    # Two statements: on PostgreSQL one that waited for the lock would still see the zone of before.
    session.execute(select(Camera.id).where(Camera.id == camera_id).with_for_update(key_share=True))
    return session.execute(
        select(Site.time_zone).join(Camera).where(Camera.id == camera_id)
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


def _next_hour_with_people(
    session: Session, camera_id: int, time_zone: str, after: datetime | None
) -> datetime | None:
    """The first local hour from ``after`` on that footage of the camera may touch, or that is
    sealed."""
    conditions = recordings_between(session, after, None, [camera_id])
    captured_at = session.scalar(select(func.min(Recording.captured_at)).where(*conditions))
    sealed = select(func.min(SealedBucket.hour)).where(SealedBucket.camera_id == camera_id)
    if after is not None:
        sealed = sealed.where(SealedBucket.hour >= after)
    firsts = [first for first in (captured_at, session.scalar(sealed)) if first is not None]
    if not firsts:
        return None
    hour = _hour_of(min(firsts), time_zone)
    return hour if after is None else max(hour, after)


def _replace(
    session: Session, camera_id: int, time_zone: str, start: datetime, end: datetime
) -> None:
    """Derive anew the buckets in [start, end), both beginnings of local hours."""
    people = _people_between(session, camera_id, start, end)
    session.execute(
        delete(Bucket).where(Bucket.camera_id == camera_id, Bucket.hour >= start, Bucket.hour < end)
    )
    parts = [_sealed(session, camera_id, start, end)]
    if not people.empty:
        people["camera_id"] = camera_id
        people["hour"] = local_hour(people["at"], time_zone)
        parts.append(aggregate(people))
    _insert(session, Bucket, _together(parts))
    repack_days(session, camera_id, start, end)


def add_to_sealed(session: Session, hours: pd.DataFrame) -> None:
    """Add ``hours`` (BUCKET_COLUMNS, of one camera whose time zone is locked) to its sealed
    buckets. Those sealed in an earlier time zone of the site may begin at other minutes, and
    stay beside them."""
    camera_id = int(hours["camera_id"].iloc[0])
    first, last = hours["hour"].min().to_pydatetime(), hours["hour"].max().to_pydatetime()
    sealed = _sealed(session, camera_id, first, last + _HOUR)
    session.execute(
        delete(SealedBucket).where(
            SealedBucket.camera_id == camera_id,
            SealedBucket.hour >= first,
            SealedBucket.hour < last + _HOUR,
        )
    )
    _insert(session, SealedBucket, _together([sealed, hours]))


def _sealed(session: Session, camera_id: int, start: datetime, end: datetime) -> pd.DataFrame:
    """The sealed buckets whose hour began in [start, end): BUCKET_COLUMNS."""
    query = select(*stored_columns(SealedBucket)).where(
        SealedBucket.camera_id == camera_id, SealedBucket.hour >= start, SealedBucket.hour < end
    )
    return frame_of([tuple(row) for row in session.execute(query)])


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row an hour: what all ``parts`` hold of it."""
    filled = [part[list(BUCKET_COLUMNS)] for part in parts if not part.empty]
    if len(filled) < 2:
        return filled[0] if filled else pd.DataFrame(columns=list(BUCKET_COLUMNS))
    return merge(pd.concat(filled, ignore_index=True), ["camera_id", "hour"])


def _insert(
    session: Session, table: type[Bucket] | type[SealedBucket], buckets: pd.DataFrame
) -> None:
    if buckets.empty:
        return
    session.execute(insert(Base.metadata.tables[table.__tablename__]), rows_of(buckets))


def _people_between(
    session: Session, camera_id: int, start: datetime, end: datetime
) -> pd.DataFrame:
    """People first seen in [start, end): PEOPLE_COLUMNS, and ``at``, when that was (UTC)."""
    frames: list[pd.DataFrame] = []
    for footage in footage_between(session, start, end, [camera_id]):
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
