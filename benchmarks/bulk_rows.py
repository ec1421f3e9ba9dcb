"""A year of predictions, made in bulk: what the dashboard is measured on.

    python -m benchmarks.bulk_rows --url sqlite:////tmp/year/satisface.db --predictions 10000000

Five sites of four cameras, twelve hours a day, a recording an hour in segments of five minutes.
People come, stay for a few faces and look as they do in the demonstration, a little different each
hour and day; every face of a person has the person's mean probabilities, so that people, faces and
hours agree. Rows go in by the database's own bulk paths, past the application; the indices of the
two big tables are made afterwards.
"""

import argparse
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, func, insert, select, text
from sqlalchemy.orm import Session

from analytics.buckets import aggregate, local_hour
from db.bucket_days import packed, rows_of
from db.engine import Database, upgrade
from db.months import month_of
from db.partitions import ensure_months
from db.places import create_camera, create_site
from db.tables import Base, Bucket, BucketDay, Prediction, Recording, Segment, Track
from fer_core.types import EXPRESSIONS, UNKNOWN

SITES: Final = {
    "Harbour Street": "Europe/Lisbon",
    "Station Arcade": "Europe/Berlin",
    "Garden Mall": "America/New_York",
    "Old Town": "Asia/Kolkata",
    "Airport": "Europe/Berlin",
}
CAMERAS: Final = ("Entrance", "Checkout", "Service desk", "Aisle")
OPENS: Final = 9
HOURS: Final = 12
SEGMENT_MS: Final = 300_000
_HOUR_MS: Final = 3_600_000
_SEGMENTS: Final = _HOUR_MS // SEGMENT_MS
_STEP_MS: Final = 200
_MEAN_FACES: Final = 4
_MOST_FACES: Final = 12
_UNREAD: Final = 0.12
_QUALITY: Final = 0.7
_CHUNK: Final = 5_000

# Log-odds of each expression on an ordinary hour, and what a better mood does to them.
_ORDINARY: Final = np.array([-1.6, -3.4, -2.6, 0.1, -1.0, -2.0, 0.9])
_MOOD: Final = np.array([-0.9, 0.0, 0.0, 1.0, -0.7, 0.2, 0.0])
_PROBABILITIES: Final = [f"p_{expression}" for expression in EXPRESSIONS]
_BULKY: Final = ("tracks", "predictions")


@dataclass(frozen=True, slots=True)
class Made:
    """How much was made, in how many seconds."""

    cameras: int
    recordings: int
    people: int
    predictions: int
    buckets: int
    seconds: float


def make(
    url: str,
    *,
    predictions: int = 10_000_000,
    days: int = 365,
    until: date | None = None,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Made:
    """Fill a new database at ``url`` with ``days`` days up to the day before ``until`` (today).

    ``predictions``: how many, about. ``progress`` is told the cameras done and all.
    """
    began = time.perf_counter()
    upgrade(url)
    first = (until or datetime.now(UTC).date()) - timedelta(days=days)
    with closing(Database(url)) as database:
        with database.write() as session:
            cameras = _places(session)
            _hurry(session.connection())
            for table in _BULKY:
                for index in sorted(Base.metadata.tables[table].indexes, key=str):
                    index.drop(session.connection())
        people_an_hour = predictions / (_MEAN_FACES * len(cameras) * days * HOURS)
        for place, (camera_id, zone) in enumerate(cameras):
            with database.write() as session:
                _hurry(session.connection())
                rng = np.random.default_rng([seed, place])
                _camera(session, camera_id, zone, first, days, people_an_hour, rng)
            progress(place + 1, len(cameras))
        with database.write() as session:
            for table in _BULKY:
                for index in sorted(Base.metadata.tables[table].indexes, key=str):
                    index.create(session.connection())
            if session.connection().dialect.name == "postgresql":
                # As its own housekeeping would do, by and by, where rows come little by little.
                session.execute(text("ANALYZE"))
        with database.read() as session:
            return Made(
                cameras=len(cameras),
                recordings=_count(session, Recording),
                people=_count(session, Track),
                predictions=_count(session, Prediction),
                buckets=_count(session, Bucket),
                seconds=time.perf_counter() - began,
            )


def _count(session: Session, table: type[Base]) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def _hurry(connection: Connection) -> None:
    """What is written is right already: the server need not look up each row's owner."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))


def _places(session: Session) -> list[tuple[int, str]]:
    cameras = []
    for name, zone in SITES.items():
        site = create_site(session, f"{name} (invented)", zone, is_demonstration=True)
        cameras += [(create_camera(session, site, camera), zone) for camera in CAMERAS]
    return cameras


def _camera(
    session: Session,
    camera_id: int,
    zone: str,
    first: date,
    days: int,
    people_an_hour: float,
    rng: np.random.Generator,
) -> None:
    """One camera's recordings, segments, people, faces and hours."""
    naive = pd.DatetimeIndex(
        [
            pd.Timestamp(day) + pd.Timedelta(hours=OPENS + hour)
            for day in (first + timedelta(days=back) for back in range(days))
            for hour in range(HOURS)
        ]
    )
    hours = naive.tz_localize(zone).tz_convert("UTC")
    offset = _highest(session, Recording)
    _load(session, Recording, _recordings(camera_id, hours, naive, offset))
    recordings = range(offset + 1, offset + 1 + len(hours))
    _load(session, Segment, _segments(recordings, hours))
    people = _people(recordings, hours, people_an_hour, rng)
    track_offset = _highest(session, Track)
    people.insert(0, "id", np.arange(track_offset + 1, track_offset + 1 + len(people)))
    columns = [column for column in people.columns if column != "at"]
    _load(session, Track, _records(people[columns]))
    ensure_months(session, {month_of(at.to_pydatetime()) for at in hours})
    _faces(session, recordings)
    counted = people.assign(camera_id=camera_id, hour=local_hour(people["at"], zone))
    buckets = aggregate(counted)
    session.execute(insert(_table(Bucket)), rows_of(buckets))
    session.execute(insert(_table(BucketDay)), list(packed(buckets)))


def _table(table: type[Base]) -> Table:
    return Base.metadata.tables[table.__tablename__]


def _highest(session: Session, table: type[Recording] | type[Track]) -> int:
    return session.scalar(select(func.max(table.id))) or 0


def _recordings(
    camera_id: int, hours: pd.DatetimeIndex, naive: pd.DatetimeIndex, offset: int
) -> Iterator[dict[str, object]]:
    for number, (at, local) in enumerate(zip(hours, naive, strict=True), start=1):
        name = f"camera{camera_id}-{local:%Y%m%d-%H}.mp4"
        begin = at.to_pydatetime().astimezone(UTC)
        end = begin + timedelta(hours=1)
        yield {
            "id": offset + number,
            "camera_id": camera_id,
            "name": name,
            "kind": "video",
            "sha256": hashlib.sha256(name.encode()).hexdigest(),
            "bytes": 450_000_000,
            "width": 1280,
            "height": 720,
            "duration_ms": _HOUR_MS,
            "frame_rate": 25.0,
            "codec": "h264",
            "captured_at": begin,
            "captured_from": "metadata",
            "state": "done",
            "warnings": [],
            "sample_rate": 5.0,
            "model_version": "invented",
            "created_at": end,
            "started_at": end,
            "finished_at": end + timedelta(minutes=5),
        }


def _segments(recordings: range, hours: pd.DatetimeIndex) -> Iterator[dict[str, object]]:
    for recording, at in zip(recordings, hours, strict=True):
        done = at.to_pydatetime().astimezone(UTC) + timedelta(hours=1, minutes=5)
        for index in range(_SEGMENTS):
            yield {
                "recording_id": recording,
                "index": index,
                "start_ms": index * SEGMENT_MS,
                "end_ms": (index + 1) * SEGMENT_MS,
                "state": "done",
                "attempts": 1,
                "faults": 0,
                "progress_ms": SEGMENT_MS,
                "frames": SEGMENT_MS // _STEP_MS,
                "warnings": [],
                "finished_at": done,
            }


def _people(
    recordings: range, hours: pd.DatetimeIndex, people_an_hour: float, rng: np.random.Generator
) -> pd.DataFrame:
    """One row a person, with the columns of table tracks and ``at``, by recording and time."""
    counts = rng.poisson(people_an_hour, len(recordings))
    days = np.repeat(rng.normal(0.1, 0.25, len(recordings) // HOURS + 1), HOURS)
    mood = days[: len(recordings)] + rng.normal(0, 0.2, len(recordings))
    hour = np.repeat(np.arange(len(recordings)), counts)
    size = len(hour)
    faces = np.clip(1 + rng.poisson(_MEAN_FACES - 1, size), 1, _MOST_FACES)
    segment = rng.integers(_SEGMENTS, size=size)
    latest = SEGMENT_MS - _MOST_FACES * _STEP_MS
    start = segment * SEGMENT_MS + rng.integers(latest // _STEP_MS, size=size) * _STEP_MS
    order = np.lexsort([start, hour])
    hour, segment, start, faces = hour[order], segment[order], start[order], faces[order]
    number = np.arange(size) - np.repeat(np.cumsum(counts) - counts, counts)
    p = _softmax(_ORDINARY + mood[hour, np.newaxis] * _MOOD + 1.4 * rng.gumbel(size=(size, 7)))
    read = rng.random(size) >= _UNREAD
    p = np.where(read[:, np.newaxis], p.round(5), np.nan)
    names = np.array(EXPRESSIONS, dtype=object)
    return pd.DataFrame(
        {
            "recording_id": hour + recordings.start,
            "segment_index": segment,
            "number": number,
            "start_ms": start,
            "end_ms": start + (faces - 1) * _STEP_MS,
            "faces": faces,
            "faces_unknown": np.where(read, 0, faces),
            "expression": np.where(read, names[np.nan_to_num(p).argmax(axis=1)], UNKNOWN),
            "weight": np.where(read, faces * _QUALITY, 0.0),
            **dict(zip(_PROBABILITIES, p.T, strict=True)),
            "at": hours[hour] + pd.to_timedelta(start, unit="ms"),
        }
    )


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _records(frame: pd.DataFrame) -> Iterator[dict[str, object]]:
    columns = list(frame.columns)
    for begin in range(0, len(frame), _CHUNK):
        part = frame.iloc[begin : begin + _CHUNK].astype(object)
        # Only an unread person's probabilities are missing.
        for row in part.where(part.notna(), None).itertuples(index=False, name=None):
            yield dict(zip(columns, row, strict=True))


def _faces(session: Session, recordings: range) -> None:
    """A row for each face of the people in ``recordings``, made where the people are."""
    p = ", ".join(_PROBABILITIES)
    best = ", ".join(f"COALESCE({name}, 0)" for name in _PROBABILITIES)
    highest = "GREATEST" if session.connection().dialect.name == "postgresql" else "MAX"
    # No hour of these shops reaches from one month into the next, on the clock of the whole world.
    month = (
        "to_char(captured_at AT TIME ZONE 'UTC', 'YYYYMM')"
        if session.connection().dialect.name == "postgresql"
        else "strftime('%Y%m', captured_at)"
    )
    steps = " UNION ALL ".join(f"SELECT {step} AS step" for step in range(_MOST_FACES))
    session.execute(
        text(
            f"""INSERT INTO predictions (recording_id, time_ms, face, month, segment_index,
                track_id, x, y, width, height, detector_score, quality, expression, confidence,
                unknown_reason, {p})
            SELECT recording_id, start_ms + {_STEP_MS} * step AS at, number,
                CAST({month} AS INTEGER), segment_index, tracks.id,
                100 + number % 10 * 100, 200 + step * 5, 60 + step, 75 + step, 0.9,
                CASE WHEN weight > 0 THEN {_QUALITY} ELSE 0.2 END, expression,
                {highest}({best}), CASE WHEN weight > 0 THEN NULL ELSE 'turned' END, {p}
            FROM tracks JOIN ({steps}) AS steps ON step < faces
            JOIN recordings ON recordings.id = recording_id
            WHERE recording_id BETWEEN :first AND :last
            ORDER BY recording_id, at, number"""
        ),
        {"first": recordings.start, "last": recordings.stop - 1},
    )


def _load(session: Session, table: type[Base], rows: Iterable[dict[str, object]]) -> None:
    """The database's own way to take many rows."""
    connection = session.connection()
    target = _table(table)
    remaining = iter(rows)
    head = next(remaining)
    columns = list(head)
    binds = [
        target.c[column].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        for column in columns
    ]

    def values() -> Iterator[list[Any]]:
        for row in chain([head], remaining):
            yield [
                value if bind is None else bind(value)
                for value, bind in zip(row.values(), binds, strict=True)
            ]

    names = ", ".join(f'"{column}"' for column in columns)
    with closing(connection.connection.cursor()) as cursor:
        if connection.dialect.name == "postgresql":
            with cursor.copy(f"COPY {target.name} ({names}) FROM STDIN") as copy:
                for row in values():
                    copy.write_row(row)
        else:
            marks = ", ".join("?" * len(columns))
            many: Any = cursor  # the driver takes rows one by one, which its type does not say
            many.executemany(f"INSERT INTO {target.name} ({names}) VALUES ({marks})", values())
    if connection.dialect.name == "postgresql" and "id" in columns:
        # Rows that are added later are numbered after these.
        sequence = f"pg_get_serial_sequence('{target.name}', 'id')"
        session.execute(text(f"SELECT setval({sequence}, (SELECT MAX(id) FROM {target.name}))"))


def main() -> None:
    """The command line."""
    from rich.progress import Progress

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", required=True, help="SQLAlchemy address of a new database")
    parser.add_argument("--predictions", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=365)
    arguments = parser.parse_args()
    with Progress() as shown:
        task = shown.add_task("making", total=None)
        made = make(
            arguments.url,
            predictions=arguments.predictions,
            days=arguments.days,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )
    print(made)


if __name__ == "__main__":
    main()
