"""What the queue itself costs, and how it grows with workers, on SQLite and PostgreSQL.

    python -m benchmarks.queue --out docs/benchmarks/<date>-queue.md

Only the decoder is simulated: in place of reading a segment, half a second of sleep, and then the
rows of a made segment (10 people, 200 faces). Everything else is what runs in a shop: processes
with leases, heartbeats, transactions and buckets. Eight workers of which each waits for a decoder
fit on two cores; eight that decode would not, and would hide what the queue costs.

The queue's own cost a segment is what a worker spends besides its half second: claiming, reading
what to do, writing the rows and their buckets, and telling so.
"""

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from sqlalchemy import func, select

from db.engine import Database, upgrade
from db.queue import claim
from db.tables import Segment, SegmentState
from fer_core.types import SegmentPlan, SegmentResult
from jobs import reading
from jobs.worker import run_worker
from settings import Settings
from tests.made_postgresql import binaries, running_server
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video

ROOT = Path(__file__).parents[1]
WORKERS = (1, 2, 4, 8)
RECORDINGS = 20
SEGMENTS = 8
DECODE_S = 0.5
SEGMENT_MS = 60_000
QUEUED = 10_000
CLAIMS = 200

SCENE = Scene(
    [
        Person(
            [
                index * SEGMENT_MS + 1000 * person + 200 * sample
                for index in range(SEGMENTS)
                for sample in range(20)
            ]
        )
        for person in range(10)
    ],
    segments=SEGMENTS,
    segment_ms=SEGMENT_MS,
)


def simulated(plan: SegmentPlan) -> SegmentResult:
    time.sleep(DECODE_S)
    return SCENE.result(plan.index)


def work(settings: Settings) -> None:
    """One worker whose decoder is simulated, until it is killed."""
    reading._analyse = lambda _task, assignment, _heartbeat: simulated(assignment.plan)  # type: ignore[assignment]  # noqa: SLF001
    run_worker(settings, threading.Event(), executor_factory=ThreadPoolExecutor)


def settings_of(url: str, home: Path) -> Settings:
    return Settings.model_validate({"database_url": url, "home": home, "keep_footage": True})


@contextlib.contextmanager
def workers(count: int, settings: Settings) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.queue", "--work", settings.database_url]
    started = [
        subprocess.Popen([*command, str(settings.home)], cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(count)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def seconds_to_read(database: Database, settings: Settings, count: int) -> float:
    """From the first claim to the last segment, with ``count`` workers."""
    with workers(count, settings):
        with database.write() as session:
            camera = add_camera(session, f"{count} workers")
            for number in range(RECORDINGS):
                add_video(
                    session,
                    camera,
                    name=f"{number}.mp4",
                    segments=SEGMENTS,
                    segment_ms=SEGMENT_MS,
                    captured_at=NOON + timedelta(hours=number),
                    now=datetime.now(UTC),
                )
        while not _count(database, Segment.state != SegmentState.QUEUED.value, camera):
            time.sleep(0.005)
        began = time.perf_counter()
        while _count(database, Segment.state == SegmentState.DONE.value, camera) < total():
            time.sleep(0.05)
        return time.perf_counter() - began


def total() -> int:
    return RECORDINGS * SEGMENTS


def _count(database: Database, condition: object, camera: int) -> int:
    from db.tables import Recording

    with database.read() as session:
        query = select(func.count()).select_from(Segment).join(Recording)
        return session.scalar(query.where(condition, Recording.camera_id == camera)) or 0  # type: ignore[arg-type]


def claim_seconds(database: Database) -> list[float]:
    """Of claims while thousands of recordings wait."""
    with database.write() as session:
        camera = add_camera(session, "the backlog")
        for number in range(QUEUED):
            add_video(
                session,
                camera,
                name=f"{number}.mp4",
                segments=2,
                captured_at=NOON + timedelta(minutes=number),
            )
    seconds = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        with database.write() as session:
            assert claim(session, "benchmark", 3600, datetime.now(UTC))
        seconds.append(time.perf_counter() - began)
    return seconds


def measured(name: str, url: str, home: Path) -> tuple[list[str], str]:
    """Rows of the page's table, and a sentence about claims."""
    upgrade(url)
    settings = settings_of(url, home)
    with contextlib.closing(Database(url)) as database:
        took = {count: seconds_to_read(database, settings, count) for count in WORKERS}
        claims = claim_seconds(database)
    own = {count: 1000 * (took[count] * count / total() - DECODE_S) for count in WORKERS}
    rows = [
        f"| {name}, {count} | {took[count]:.1f} s | {took[1] / took[count]:.2f} "
        f"| {own[count]:.0f} ms |"
        for count in WORKERS
    ]
    usual, slow = 1000 * median(claims), 1000 * quantiles(claims, n=100)[98]
    sentence = (
        f"{name}: with {QUEUED:,} recordings waiting a claim takes {usual:.1f} ms (median of "
        f"{CLAIMS}; 99 % within {slow:.1f} ms)."
    )
    return rows, sentence


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="where to write the page; printed otherwise")
    parser.add_argument("--work", nargs=2, metavar=("URL", "HOME"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print("ready", flush=True)
        work(settings_of(arguments.work[0], Path(arguments.work[1])))
        return
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found.append(measured("SQLite", f"sqlite:///{folder / 'queue.db'}", folder / "sqlite"))
        if (programs := binaries()) is not None:
            with running_server(programs) as server:
                url = server.empty_database()
                found.append(measured("PostgreSQL", url, folder / "postgresql"))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = f"""# The queue, {datetime.now(UTC):%Y-%m-%d}

Command: `python -m benchmarks.queue`. Machine: {machine}.

| database, workers | {total()} segments in | times one worker | the queue's own cost a segment |
|---|---|---|---|
{chr(10).join(row for rows, _ in found for row in rows)}

{chr(10).join(sentence for _, sentence in found)}

{(__doc__ or "").partition(".md")[2].strip()}
"""
    if arguments.out:
        arguments.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
