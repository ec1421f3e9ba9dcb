"""What the queue itself costs, and how it grows with workers, on SQLite and PostgreSQL.

    python -m benchmarks.queue --out docs/benchmarks/<date>-queue.md

Only the reading of pictures is simulated: in its place a worker sleeps for ``--decode`` seconds (2;
a segment of five minutes takes a core more than a minute), and then writes the rows of a made
segment (10 people, 200 faces). Everything else is what runs in a shop:
processes with leases, heartbeats, transactions and buckets. Eight workers of which each waits for
a decoder fit on two cores; eight that decode would not, and would hide what the queue costs.

What a segment costs besides is told in three ways. In the first table, the clock between two
segments of a worker, and the processor's time of all workers. In the second, one worker that
decodes nothing: with nobody in its segments it does only what the queue is made of (to look for
work, claim a segment, read what to do, write its end and tell so), with people it also writes
their rows and their hours.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Final

import psutil
from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.orm import Session

from benchmarks.machine import this_machine
from db.engine import Database, upgrade
from db.queue import claim
from db.tables import Base, Recording, Segment, SegmentState
from fer_core.types import SegmentPlan, SegmentResult
from jobs import reading
from jobs.worker import run_worker
from settings import Settings
from settings import settings as settings_of_this_process
from tests.made_postgresql import binaries, running_server
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video

ROOT: Final = Path(__file__).parents[1]
WORKERS: Final = (1, 2, 4, 8)
SEGMENTS: Final = 8
DECODE_S: Final = 2.0
SEGMENT_MS: Final = 60_000
QUEUED: Final = 10_000
CLAIMS: Final = 200
PAGES: Final = ("recordings.py", "upload.py", "overview.py")
_PAGE_RUNS: Final = 5

PEOPLE: Final = Scene(
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
NOBODY: Final = Scene([], segments=SEGMENTS, segment_ms=SEGMENT_MS)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one segment, in milliseconds: by the clock, and of the processor."""

    clock: float
    processor: float


@dataclass(frozen=True, slots=True)
class Measured:
    """``took``: seconds by number of workers, and the processor's seconds of all of them.
    ``claims``: seconds. ``pages``: seconds of a page's program, by file."""

    name: str
    segments: int
    took: dict[int, tuple[float, float]]
    queue_alone: Cost
    with_people: Cost
    claims: list[float]
    pages: dict[str, float]


def simulate(scene: Scene, decode_s: float) -> None:
    """In this process segments are read by sleeping, and hold what ``scene`` does."""

    def analyse(
        _task: object, assignment: reading._Assignment, _heartbeat: object
    ) -> SegmentResult:
        plan: SegmentPlan = assignment.plan
        time.sleep(decode_s)
        return scene.result(plan.index)

    model = SimpleNamespace(card=SimpleNamespace(version="simulated"))
    reading._analyse = analyse  # type: ignore[assignment]  # noqa: SLF001
    reading._loaded = lambda _: SimpleNamespace(model=model)  # type: ignore[assignment,return-value]  # noqa: SLF001


def warm_thread() -> Executor:
    """Reads one segment at a time, as a process of a pool does that has loaded everything."""
    thread = ThreadPoolExecutor(1)
    for name in ("jobs.reading", "db.buckets"):
        thread.submit(import_module, name).result()
    return thread


def work(settings: Settings, decode_s: float) -> None:
    """One worker whose decoder is simulated, until it is killed."""
    simulate(PEOPLE, decode_s)
    thread = warm_thread()
    print("ready", flush=True)
    run_worker(settings, threading.Event(), executor_factory=lambda: thread)


def settings_of(url: str, home: Path) -> Settings:
    return Settings.model_validate({"database_url": url, "home": home, "keep_footage": True})


@contextlib.contextmanager
def workers(count: int, settings: Settings, decode_s: float) -> Iterator[list[psutil.Process]]:
    """As many processes, all of them ready."""
    program = [sys.executable, "-m", "benchmarks.queue", "--decode", f"{decode_s}"]
    command = [*program, "--work", settings.database_url, str(settings.home)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError("a worker did not start")
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.kill()
            process.communicate()


def add_work(database: Database, camera: str, recordings: int) -> int:
    """Recordings of SEGMENTS segments that wait, all at once; the camera's id."""
    with database.write() as session:
        camera_id = add_camera(session, camera)
        for number in range(recordings):
            add_video(
                session,
                camera_id,
                name=f"{number}.mp4",
                segments=SEGMENTS,
                segment_ms=SEGMENT_MS,
                captured_at=NOON + timedelta(hours=number),
                now=datetime.now(UTC),
            )
    return camera_id


def time_to_read(
    database: Database, settings: Settings, count: int, recordings: int, decode_s: float
) -> tuple[float, float]:
    """With ``count`` workers: seconds from the first claim to the last segment, and the
    processor's seconds of all workers."""
    total = recordings * SEGMENTS
    with workers(count, settings, decode_s) as running:
        before = sum(processor_seconds(one) for one in running)
        camera = add_work(database, f"{count} workers", recordings)
        while not _count(database, camera, Segment.state != SegmentState.QUEUED.value):
            time.sleep(0.005)
        began = time.perf_counter()
        while _count(database, camera, Segment.state == SegmentState.DONE.value) < total:
            time.sleep(0.05)
        seconds = time.perf_counter() - began
        return seconds, sum(processor_seconds(one) for one in running) - before


def processor_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _count(database: Database, camera: int, condition: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(Segment).join(Recording)
    with database.read() as session:
        return session.scalar(query.where(Recording.camera_id == camera, condition)) or 0


def cost_of_a_segment(
    database: Database, settings: Settings, scene: Scene, recordings: int
) -> Cost:
    """One worker in this process that decodes nothing, once it is warm."""
    simulate(scene, 0.0)
    thread = warm_thread()
    factory: Callable[[], Executor] = lambda: _Lent(thread)  # noqa: E731
    kind = "people" if scene is PEOPLE else "nobody"
    add_work(database, f"{kind}, to warm up", 2)
    run_worker(settings, threading.Event(), until_idle=True, executor_factory=factory)
    add_work(database, kind, recordings)
    clock, processor = time.perf_counter(), time.process_time()
    run_worker(settings, threading.Event(), until_idle=True, executor_factory=factory)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    thread.shutdown()
    segments = recordings * SEGMENTS
    return Cost(1000 * clock / segments, 1000 * processor / segments)


class _Lent(Executor):
    """An executor that outlives the worker it is lent to."""

    def __init__(self, executor: Executor) -> None:
        self.submit = executor.submit  # type: ignore[method-assign]


def add_backlog(session: Session, camera_id: int, count: int) -> None:
    """Recordings of two segments that wait, as add_recording makes them; all in two statements."""
    tables = Base.metadata.tables
    added = session.scalars(
        insert(Recording).returning(Recording.id),
        [
            {
                "camera_id": camera_id,
                "name": f"{number}.mp4",
                "kind": "video",
                "sha256": f"{number:064x}",
                "bytes": 1000,
                "width": 1280,
                "height": 720,
                "duration_ms": 2 * SEGMENT_MS,
                "codec": "h264",
                "captured_at": NOON + timedelta(minutes=number),
                "captured_from": "metadata",
                "footage_key": f"key {number}",
                "sample_rate": 5.0,
                "niceness": number % 2,
                "created_at": NOON + timedelta(seconds=number),
            }
            for number in range(count)
        ],
    ).all()
    session.execute(
        insert(tables[Segment.__tablename__]),
        [
            {
                "recording_id": recording,
                "index": index,
                "start_ms": index * SEGMENT_MS,
                "end_ms": (index + 1) * SEGMENT_MS,
            }
            for recording in added
            for index in range(2)
        ],
    )


def claim_seconds(database: Database) -> list[float]:
    """Of claims while thousands of recordings wait."""
    with database.write() as session:
        add_backlog(session, add_camera(session, "the backlog"), QUEUED)
    seconds = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        with database.write() as session:
            assert claim(session, "benchmark", 3600, datetime.now(UTC))
        seconds.append(time.perf_counter() - began)
    return seconds


def page_seconds(settings: Settings) -> dict[str, float]:
    """Of each page's program while thousands of recordings wait: the median of a few runs, after
    a first one that loads what it needs."""
    from streamlit.testing.v1 import AppTest

    os.environ["SATISFACE_HOME"] = str(settings.home)
    os.environ["SATISFACE_DATABASE_URL"] = settings.database_url
    settings_of_this_process.cache_clear()
    found = {}
    for file in PAGES:
        page = AppTest.from_file(ROOT / "pages" / "navigation.py", default_timeout=600)
        page.run()
        if file != "overview.py":
            page.switch_page(file).run()
        seconds = []
        for _ in range(_PAGE_RUNS):
            began = time.perf_counter()
            page.run()
            seconds.append(time.perf_counter() - began)
            assert not page.exception
        found[file] = median(seconds)
    return found


def measured(
    name: str, url: str, home: Path, counts: tuple[int, ...], recordings: int, decode_s: float
) -> Measured:
    upgrade(url)
    settings = settings_of(url, home)
    home.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(Database(url)) as database:
        took = {
            count: time_to_read(database, settings, count, recordings, decode_s) for count in counts
        }
        alone = cost_of_a_segment(database, settings, NOBODY, recordings)
        people = cost_of_a_segment(database, settings, PEOPLE, recordings)
        claims = claim_seconds(database)
        return Measured(
            name,
            recordings * SEGMENTS,
            took,
            alone,
            people,
            claims,
            page_seconds(settings),
        )


def page_of(found: list[Measured], command: str, decode_s: float) -> str:
    """The dated page, in Markdown."""
    lines = [
        "# The queue",
        "",
        (
            f"{datetime.now(UTC):%d %B %Y}. Made by `{command}`. Machine: {this_machine()}, load "
            f"{os.getloadavg()[1]:.0f} at the end."
        ),
        "",
        (
            "| database, workers | segments in | times one worker | clock between segments "
            "| processor a segment |"
        ),
        "|---|---|---|---|---|",
    ]
    for one in found:
        first = min(one.took)
        for count, (seconds, processor) in one.took.items():
            between = 1000 * (seconds * count / one.segments - decode_s)
            lines.append(
                f"| {one.name}, {count} | {one.segments} in {seconds:.1f} s "
                f"| {one.took[first][0] / seconds:.2f} | {between:.1f} ms "
                f"| {1000 * processor / one.segments:.1f} ms |"
            )
    lines += [
        "",
        "| one worker that decodes nothing | by the clock | of the processor |",
        "|---|---|---|",
    ]
    for one in found:
        for what, cost in (
            ("nobody seen: the queue alone", one.queue_alone),
            ("10 people, 200 faces: with their rows and hours", one.with_people),
        ):
            lines.append(f"| {one.name}, {what} | {cost.clock:.1f} ms | {cost.processor:.1f} ms |")
    lines += [
        "",
        f"| with {QUEUED:,} recordings waiting | {' | '.join(one.name for one in found)} |",
        "|---|" + "---|" * len(found),
    ]
    slow = {one.name: 1000 * quantiles(one.claims, n=100)[98] for one in found}
    usual = [f"{1000 * median(one.claims):.1f} ms" for one in found]
    lines.append(f"| a claim, median of {CLAIMS} | {' | '.join(usual)} |")
    lines.append(
        "| a claim, 99 % within | " + " | ".join(f"{ms:.1f} ms" for ms in slow.values()) + " |"
    )
    for file in PAGES:
        times = " | ".join(f"{1000 * one.pages[file]:.0f} ms" for one in found)
        lines.append(f"| the page {file.removesuffix('.py').capitalize()} | {times} |")
    explained = (__doc__ or "").partition(".md\n")[2].strip()
    return "\n".join([*lines, "", explained, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="where to write the page; printed otherwise")
    parser.add_argument("--recordings", type=int, default=10, help="of eight segments each")
    parser.add_argument("--decode", type=float, default=DECODE_S, help="seconds a segment")
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS))
    parser.add_argument("--work", nargs=2, metavar=("URL", "HOME"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(settings_of(given.work[0], Path(given.work[1])), given.decode)
        return
    counts = tuple(given.workers)
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'queue.db'}"
        how = (counts, given.recordings, given.decode)
        found.append(measured("SQLite", url, folder / "sqlite", *how))
        if (programs := binaries()) is not None:
            with running_server(programs, {"synchronous_commit": "on"}) as server:
                url = server.empty_database()
                found.append(measured("PostgreSQL", url, folder / "postgresql", *how))
    options = f"--recordings {given.recordings} --decode {given.decode:g}"
    listed = " ".join(str(count) for count in counts)
    shown = f"python -m benchmarks.queue {options} --workers {listed}"
    text = page_of(found, shown, given.decode)
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
