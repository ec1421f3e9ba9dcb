"""Predictions on PostgreSQL, a table for each month against one table for all.

    python -m benchmarks.partitions --out docs/benchmarks/<date>-partitions.md

Two databases on one server hold the same twelve months of one camera: a recording a day, twelve
segments in each, nine faces a person. In one of them the migrations' partitioned table is replaced
by a plain one of the same columns, keys and indices. Everything is done by turns, a slice in one
database and the same slice in the other, so that whatever else the machine does hits both. Beside
the seconds that passed stand the server's processor seconds, which other programs on the machine
disturb less. The server keeps its promises (fsync is on); autovacuum is off, so that what it would
do at some time or other is not counted for either.
"""

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import insert, text

from benchmarks.machine import this_machine
from db.engine import Database, upgrade
from db.months import begin_of, next_month
from db.partitions import ensure_months, month_tables
from db.recordings import delete_recording
from db.retention import KeptDays, keep_for
from db.tables import Base, Prediction
from jobs.expiry import delete_expired
from jobs.store import FootageStore
from tests.made_postgresql import PostgresServer, binaries, running_server
from tests.unit.db.made_rows import add_camera

FIRST: Final = 202501
MONTHS: Final = 12
DAYS: Final = 28
"""Recordings a month: the same number in each."""
SEGMENTS: Final = 12
SEGMENT_MS: Final = 300_000
FACES: Final = 9
"""Of one person."""
SLICES: Final = 12
SERVER: Final = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "256MB"}

NAMES: Final = ("one table", "a table a month")
_READ: Final = ", ".join(["0.1"] * 6 + ["0.4"])


@dataclass
class Cost:
    """Seconds that passed, and of the server's processor."""

    seconds: float = 0.0
    server: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.server + other.server)


@dataclass
class Measured:
    """What each database took, by what was done."""

    costs: dict[str, dict[str, Cost]] = field(default_factory=dict)

    def add(self, work: str, name: str, cost: Cost) -> None:
        of_work = self.costs.setdefault(work, {})
        of_work[name] = of_work.get(name, Cost()) + cost


@contextlib.contextmanager
def measured(found: Measured, work: str, name: str) -> Iterator[None]:
    cpu, began = _server_seconds(), time.perf_counter()
    yield
    found.add(work, name, Cost(time.perf_counter() - began, _server_seconds() - cpu))


def _server_seconds() -> float:
    """Processor seconds of all processes of the servers that this process runs."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            used = process.cpu_times()
            total += used.user + used.system
    return total


def databases(server: PostgresServer) -> dict[str, str]:
    """Name to address, migrated; the first with predictions in one table."""
    urls = {name: server.empty_database() for name in NAMES}
    for url in urls.values():
        upgrade(url)
    with contextlib.closing(Database(urls[NAMES[0]])) as plain, plain.write() as session:
        session.execute(text("CREATE TABLE plain (LIKE predictions INCLUDING ALL)"))
        session.execute(text("DROP TABLE predictions"))
        session.execute(text("ALTER TABLE plain RENAME TO predictions"))
        for columns, owner in (("recording_id, segment_index", "segments"), ("track_id", "tracks")):
            session.execute(
                text(
                    f"ALTER TABLE predictions ADD FOREIGN KEY ({columns}) REFERENCES {owner}"
                    " ON DELETE CASCADE"
                )
            )
    return urls


def months() -> list[int]:
    found = [FIRST]
    while len(found) < MONTHS:
        found.append(next_month(found[-1]))
    return found


def fill_owners(database: Database, people: int) -> None:
    """Recordings, segments, and ``people`` a segment; made by the server itself."""
    begins = [begin_of(month) + timedelta(days=d) for month in months() for d in range(DAYS)]
    length = SEGMENTS * SEGMENT_MS
    with database.write() as session:
        camera = add_camera(session)
        table = Base.metadata.tables["recordings"]
        session.execute(insert(table), [_recording(camera, at, length) for at in begins])
        session.execute(
            text(
                f"""INSERT INTO segments (recording_id, index, start_ms, end_ms, state, attempts,
                    faults, progress_ms, frames, warnings)
                SELECT id, i, i * {SEGMENT_MS}, (i + 1) * {SEGMENT_MS}, 'done', 1, 0, 0, 1500, '[]'
                FROM recordings CROSS JOIN generate_series(0, {SEGMENTS - 1}) AS i"""
            )
        )
        p = ", ".join(_PROBABILITIES)
        session.execute(
            text(
                f"""INSERT INTO tracks (recording_id, segment_index, number, start_ms, end_ms,
                    faces, faces_unknown, expression, weight, {p})
                SELECT recording_id, index, n, start_ms + n * 1000, start_ms + n * 1000 + 1600,
                    {FACES}, 0, 'neutral', 1, {_READ}
                FROM segments CROSS JOIN generate_series(0, {people - 1}) AS n"""
            )
        )
        session.execute(text("ANALYZE"))


def _recording(camera: int, at: datetime, length: int) -> dict[str, object]:
    return {
        "camera_id": camera,
        "name": f"{at:%Y%m%d}.mp4",
        "kind": "video",
        "sha256": f"{at:%Y%m%d}".rjust(64, "0"),
        "bytes": 1000,
        "width": 1280,
        "height": 720,
        "duration_ms": length,
        "codec": "h264",
        "captured_at": at,
        "captured_from": "metadata",
        "state": "done",
        "warnings": [],
        "sample_rate": 5.0,
        "created_at": at + timedelta(hours=2),
    }


_PROBABILITIES: Final = [
    column.name for column in Prediction.__table__.columns if column.name.startswith("p_")
]


def insert_at_once(database: Database, recordings: range) -> None:
    """All faces of some recordings by one statement: what the server itself takes for a row."""
    p = ", ".join(_PROBABILITIES)
    with database.write() as session:
        ensure_months(session, months())
        session.execute(
            text(
                f"""INSERT INTO predictions (recording_id, time_ms, face, month, segment_index,
                    track_id, x, y, width, height, detector_score, quality, expression, confidence,
                    {p})
                SELECT recording_id, start_ms + step * 200, number,
                    to_char(captured_at AT TIME ZONE 'UTC', 'YYYYMM')::integer, segment_index,
                    tracks.id, 10, 20, 30, 40, 0.9, 0.7, expression, 0.4, {p}
                FROM tracks JOIN recordings ON recordings.id = recording_id
                CROSS JOIN generate_series(0, {FACES - 1}) AS step
                WHERE recording_id >= :first AND recording_id < :behind"""
            ),
            {"first": recordings.start, "behind": recordings.stop},
        )


def insert_by_segment(database: Database, rows: Mapping[int, list[dict[str, Any]]]) -> None:
    """As a worker writes them: a transaction for each segment, and the months asked for first."""
    table = Base.metadata.tables[Prediction.__tablename__]
    for of_segment in rows.values():
        with database.write() as session:
            ensure_months(session, {row["month"] for row in of_segment})
            session.execute(insert(table), of_segment)


def read_out(database: Database, recording: int) -> dict[int, list[dict[str, Any]]]:
    """The faces of a recording, by segment, taken out of the database."""
    table = Base.metadata.tables[Prediction.__tablename__]
    found: dict[int, list[dict[str, Any]]] = {}
    with database.write() as session:
        mine = table.c.recording_id == recording
        for row in session.execute(table.select().where(mine)).mappings():
            found.setdefault(row["segment_index"], []).append(dict(row))
        session.execute(table.delete().where(mine))
    return found


def expire_first_month(database: Database) -> None:
    """What the worker's sweep does when the first month's time is up."""
    now = begin_of(months()[1]) + timedelta(days=30)
    with tempfile.TemporaryDirectory() as folder:
        assert delete_expired(
            database, FootageStore(folder), keep_footage=True, budget_s=100_000.0, now=now
        )


def megabytes(database: Database) -> float:
    """Of predictions with their indices, on the disk."""
    with database.read() as session:
        names = list(month_tables(session)) or ["predictions"]
        query = text("SELECT pg_total_relation_size(to_regclass(:name))")
        sizes = [int(session.execute(query, {"name": name}).scalar_one()) for name in names]
    return sum(sizes) / 1e6


def rows_of(database: Database) -> int:
    with database.read() as session:
        return int(session.execute(text("SELECT count(*) FROM predictions")).scalar_one())


def run(server: PostgresServer, predictions: int, say: Callable[[str], None]) -> str:
    """The table of the page, and a sentence about room."""
    people = max(predictions // (MONTHS * DAYS * SEGMENTS * FACES), 1)
    found = Measured()
    with contextlib.ExitStack() as stack:
        opened = {
            name: stack.enter_context(contextlib.closing(Database(url)))
            for name, url in databases(server).items()
        }
        for database in opened.values():
            fill_owners(database, people)
        recordings = MONTHS * DAYS
        step = recordings // SLICES
        for first in range(1, recordings + 1, step):
            say(f"recordings from {first} of {recordings}")
            for name, database in opened.items():
                with measured(found, "faces inserted, a month in a statement", name):
                    insert_at_once(database, range(first, first + step))
        total = {name: rows_of(database) for name, database in opened.items()}
        assert len(set(total.values())) == 1, total
        # Whatever the inserts left to be written to disk is not to be the next one's load.
        with opened[NAMES[0]].write() as session:
            session.execute(text("ANALYZE"))
        for recording in range(DAYS + 1, recordings + 1, DAYS):
            for name, database in opened.items():
                rows = read_out(database, recording)
                with measured(found, "faces inserted, a transaction a segment", name):
                    insert_by_segment(database, rows)
        say("retention")
        before = {name: megabytes(database) for name, database in opened.items()}
        for name, database in opened.items():
            with database.write() as session:
                keep_for(session, KeptDays(faces=30))
            with measured(found, "one month of twelve expired", name):
                expire_first_month(database)
        after = {name: megabytes(database) for name, database in opened.items()}
        left = {name: rows_of(database) for name, database in opened.items()}
        assert set(left.values()) == {next(iter(total.values())) * (MONTHS - 1) // MONTHS}, left
        for recording in range(DAYS + 2, recordings + 1, DAYS):
            for name, database in opened.items():
                with (
                    measured(found, "recordings deleted with their people", name),
                    database.write() as session,
                ):
                    delete_recording(session, recording)
    counts = {
        "faces inserted, a month in a statement": next(iter(total.values())),
        "faces inserted, a transaction a segment": (MONTHS - 1) * SEGMENTS * people * FACES,
        "one month of twelve expired": next(iter(total.values())) // MONTHS,
        "recordings deleted with their people": MONTHS - 1,
    }
    lines = []
    for work, costs in found.costs.items():
        one, many = (costs[name] for name in NAMES)
        lines.append(
            f"| {counts[work]:,} {work} | {one.seconds:.2f} s | {many.seconds:.2f} s "
            f"| {many.seconds / one.seconds:.2f} | {one.server:.2f} s | {many.server:.2f} s "
            f"| {many.server / max(one.server, 0.01):.2f} |"
        )
    room = "; ".join(f"{name}: {before[name]:.0f} MB, {after[name]:.0f} MB" for name in NAMES)
    return (
        "| | one table | a table a month | times | server, one table | server, a table a month "
        "| times |\n|---|---|---|---|---|---|---|\n" + "\n".join(lines) + "\n\n"
        "Predictions with their indices on the disk, before and after the month expired: "
        f"{room}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="where to write the page; printed otherwise")
    parser.add_argument("--predictions", type=int, default=1_000_000, help="about so many")
    arguments = parser.parse_args()
    programs = binaries()
    if programs is None:
        raise SystemExit("no PostgreSQL server is installed")
    load = os.getloadavg()[0]
    with running_server(programs, SERVER) as server:
        found = run(server, arguments.predictions, lambda line: print(line, flush=True))
    command = f"python -m benchmarks.partitions --predictions {arguments.predictions}"
    text_of_page = f"""# A table a month, {datetime.now(UTC):%Y-%m-%d}

Command: `{command}`. Machine: {this_machine()}; load when it began: {load:.1f}.

{found}

{(__doc__ or "").partition(".md")[2].strip()}
"""
    if arguments.out:
        arguments.out.write_text(text_of_page)
    print(text_of_page)


if __name__ == "__main__":
    main()
