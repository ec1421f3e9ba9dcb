"""Faults at random moments: whatever is killed, stopped or full, nothing is lost or stands twice.

``nice python -m tests.faults --faults 200 --seed 1 --database sqlite`` lets an installation of many
processes read made footage, and harms it all the while. At the end every recording must be done, or
have failed with a reason; the rows must be those of a run that nothing disturbed; no footage, no
scratch file and no process may be left. What differs is printed together with the seed.
"""

import argparse
import contextlib
import logging
import math
import os
import platform
import random
import shlex
import signal
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from db.engine import Database
from db.recordings import footage_keys
from db.tables import Recording, RecordingState, Segment, SegmentState
from jobs.intake import Accepted, Duplicate, Refused
from jobs.store import FootageStore, unfinished_folder
from jobs.sweep import GRACE, UNFINISHED_GRACE, delete_orphans, delete_read_footage
from jobs.sweep import delete_unfinished as delete_scratch
from settings import Settings
from tests.made_footage import Appearance, write_video
from tests.made_installation import Installation, Kill, Outage, postgresql, sqlite
from tests.made_jobs import made_camera, made_settings, opened, read_all, rows, take_in

SETTINGS: Final[dict[str, Callable[[Path], AbstractContextManager[Installation]]]] = {
    "sqlite": sqlite,
    "postgresql": postgresql,
}
_CAMERAS: Final = 3
_SECONDS: Final = 12
_SHORT_OF_WORK: Final = 12
_LONGEST_GAP_S: Final = 3.0
_LONGEST_WAIT_S: Final = 15.0
_IN_A_ROW: Final = 0.35
"""Share of the faults that come before anything was read since the one before."""

_PATIENCE_S: Final = 900.0
"""How long nothing at all may be read before the run is given up."""

_BEGIN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
_OPEN: Final = (SegmentState.QUEUED.value, SegmentState.LEASED.value)

Say = Callable[[str], None]
Rows = dict[str, list[tuple[object, ...]]]


@dataclass(slots=True)
class Report:
    """``faults``: by what was harmed. ``differences``: sentences; none when all is well."""

    database: str
    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    left_out: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    figures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Footage:
    """Small videos in the folder, no two alike: a few, with a mark behind their end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._made = []
        for n, (height, look) in enumerate(((60, "plain"), (52, "mirrored"), (44, "warm"))):
            path = folder / f"{n}.mp4"
            people = (
                Appearance(60, 90, to=(250, 90), end_s=_SECONDS, face_height=height, look=look),
                Appearance(250, 60, start_s=2.5 + n, end_s=8.5, face_height=44, look="cold"),
            )
            write_video(path, people, (320, 180), fps=5, seconds=_SECONDS, gop=5)
            self._made.append(path.read_bytes())

    def number(self, n: int) -> Path:
        path = self._folder / f"door {n}.mp4"
        # A box that every reader skips.
        mark = struct.pack(">I4sQ", 16, b"free", n)
        path.write_bytes(self._made[n % len(self._made)] + mark)
        return path


class Supply:
    """A thread that takes in another recording whenever little is left to read."""

    def __init__(self, settings: Settings, footage: Footage, cameras: list[int]) -> None:
        self.taken = 0
        self.tries = 0
        self.refused: list[str] = []
        """Recordings that were turned away for good."""
        self.done = 0
        self.reading = 0
        self._settings, self._footage, self._cameras = settings, footage, cameras
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with opened(self._settings) as database:
            while not self._ended.is_set():
                with contextlib.suppress(SQLAlchemyError):
                    states = segments(database)
                    self.done = states[SegmentState.DONE.value]
                    self.reading = states[SegmentState.LEASED.value]
                    if sum(states[one] for one in _OPEN) < _SHORT_OF_WORK:
                        self._take_in(database)
                self._ended.wait(0.3)

    def _take_in(self, database: Database) -> None:
        path = self._footage.number(self.taken)
        self.tries += 1
        (outcome,) = give(database, self._settings, self._cameras, self.taken, path).values()
        match outcome:
            case Refused(may_pass=True):
                return
            case Refused():
                self.refused.append(outcome.sentence)
            case Accepted() | Duplicate():
                # A duplicate: it was taken in although an error was told.
                self.taken += 1
        path.unlink()


def give(
    database: Database, settings: Settings, cameras: list[int], n: int, path: Path
) -> dict[str, Accepted | Duplicate | Refused]:
    at = _BEGIN + timedelta(seconds=_SECONDS * n)
    camera = cameras[n % len(cameras)]
    return take_in(database, settings, camera, path, captured_at=at)


def segments(database: Database) -> Counter[str]:
    query = select(Segment.state, func.count()).group_by(Segment.state)
    with database.read() as session:
        return Counter({row[0]: row[1] for row in session.execute(query)})


def run(
    name: str, faults: int, seed: int, folder: Path, say: Say, longest_s: float = math.inf
) -> Report:
    """Harm an installation in the folder, then look at what is left. ``longest_s``: no fault
    comes later than that. Raises LookupError where what it needs is not installed."""
    report, began = Report(name, seed), time.monotonic()
    with SETTINGS[name](folder) as installation:
        settings = installation.settings
        footage = Footage(folder / "given")
        with opened(settings) as database:
            cameras = [made_camera(database, f"Door {n}") for n in range(_CAMERAS)]
            report.left_out = installation.left_out
            with Supply(settings, footage, cameras) as supply:
                _wait(installation, lambda: supply.done > 0)
                chance = random.Random(seed)
                _harm(installation, supply, faults, longest_s, chance, report, say)
            report.differences += [f"refused: {sentence}" for sentence in supply.refused]
            say(f"{time.monotonic() - began:6.1f} s  no more faults; the rest is read")
            if not _wait(installation, lambda: _all_read(database), lambda: _done(database)):
                report.differences.append(f"not read to the end: {segments(database)}")
            installation.stop()
            for service in installation.services:
                report.ends[service.name] += service.ends
            report.differences += [f"alive: {line}" for line in installation.alive()]
            report.figures["recordings"] = supply.taken
            report.figures["times footage was given in vain"] = supply.tries - supply.taken
            _look_at_footage(settings, database, report)
            _look_at_rows(database, folder, footage, supply.taken, report)
    report.seconds = time.monotonic() - began
    return report


def _wait(
    installation: Installation,
    reached: Callable[[], bool],
    progress: Callable[[], int] = lambda: 0,
) -> bool:
    """False where ``progress`` stands still for too long: a busy machine is slow, not wrong."""
    since, last = time.monotonic(), 0
    while time.monotonic() - since < _PATIENCE_S:
        installation.keep()
        if reached():
            return True
        if (now := progress()) != last:
            since, last = time.monotonic(), now
        time.sleep(0.2)
    return False


def _all_read(database: Database) -> bool:
    states = segments(database)
    return not any(states[state] for state in _OPEN)


def _done(database: Database) -> int:
    return segments(database)[SegmentState.DONE.value]


def _harm(
    installation: Installation,
    supply: Supply,
    faults: int,
    longest_s: float,
    chance: random.Random,
    report: Report,
    say: Say,
) -> None:
    """Kills come whenever they come; one part at a time is gone."""
    began, number = time.monotonic(), 0
    back, gone = math.inf, contextlib.ExitStack()

    def tell(what: str) -> None:
        say(
            f"{time.monotonic() - began:6.1f} s  {number:3d}  {what}; "
            f"{supply.done} segments done, {supply.reading} being read"
        )

    with gone:
        while number < faults and time.monotonic() - began < longest_s:
            done, latest = supply.done, time.monotonic() + _LONGEST_WAIT_S
            until = time.monotonic() if chance.random() < _IN_A_ROW else math.inf
            gap = chance.uniform(0.1, _LONGEST_GAP_S)
            while (now := time.monotonic()) < until + gap:
                if until == math.inf and (supply.done > done or now > latest):
                    until = now
                if now >= back:
                    gone.close()
                    back = math.inf
                installation.keep()
                time.sleep(0.02)
            fault = chance.choice(installation.faults)
            match fault:
                case Kill():
                    what = fault.strike(chance)
                    if what is None:
                        continue
                    number += 1
                    tell(f"{fault.name}: {what} killed")
                case Outage():
                    seconds = chance.uniform(0.5, fault.longest_s)
                    if back < math.inf:
                        continue
                    gone.enter_context(fault.gone())
                    back = time.monotonic() + seconds
                    number += 1
                    tell(f"{fault.name} for {seconds:.1f} s")
            report.faults[fault.name] += 1
        while time.monotonic() < back < math.inf:
            installation.keep()
            time.sleep(0.1)


def _look_at_footage(settings: Settings, database: Database, report: Report) -> None:
    """What the workers' own sweeps leave, were they made a day later."""
    store = FootageStore(settings.resolved_footage_url)
    now = datetime.now(UTC)
    report.figures["files left to the sweeps"] = (
        delete_read_footage(database, store).deleted
        + delete_orphans(database, store, now + GRACE + timedelta(seconds=1)).deleted
        + delete_scratch(unfinished_folder(settings), now + UNFINISHED_GRACE + timedelta(days=1))
    )
    with database.read() as session:
        wanted = set(footage_keys(session, [RecordingState.FAILED]).values())
    left = {footage.key for footage in store.stored()} - wanted
    left |= {entry.name for entry in unfinished_folder(settings).iterdir()}
    if left:
        report.differences.append(f"left behind: {sorted(left)[:5]}")


def _look_at_rows(
    database: Database, folder: Path, footage: Footage, taken: int, report: Report
) -> None:
    """Compare with a run in one thread that nothing disturbs."""
    undisturbed = made_settings(folder / "undisturbed", segment_seconds=1, sample_rate=3)
    with opened(undisturbed) as other:
        cameras = [made_camera(other, f"Door {n}") for n in range(_CAMERAS)]
        for n in range(taken):
            path = footage.number(n)
            give(other, undisturbed, cameras, n, path)
            path.unlink()
        read_all(undisturbed)
        expected = rows(other)
    with database.read() as session:
        found = session.execute(select(Recording.sha256, Recording.state, Recording.error)).all()
        attempts, most, faults = session.execute(
            select(
                func.sum(Segment.attempts - 1), func.max(Segment.attempts), func.sum(Segment.faults)
            )
        ).one()
    report.figures["segments"] = sum(segments(database).values())
    report.figures["segments handed out once more"] = int(attempts or 0)
    report.figures["times that one segment was handed out, at most"] = int(most or 0)
    report.figures["attempts that counted as faults"] = int(faults or 0)
    failed = {sha256 for sha256, state, _ in found if state != RecordingState.DONE}
    report.figures["recordings done"] = len(found) - len(failed)
    report.figures["recordings failed"] = len(failed)
    report.differences += [f"failed: {error}" for sha256, _, error in found if sha256 in failed]
    if len(found) != taken:
        report.differences.append(f"{taken} recordings were taken in, {len(found)} are there")
    there = rows(database)
    for kind in ("predictions", "tracks"):
        wanted = [row for row in expected[kind] if row[0] not in failed]
        got = [row for row in there[kind] if row[0] not in failed]
        report.figures[kind] = len(got)
        report.differences += _differing(kind, wanted, got)
    if not failed:  # an hour holds the people of failed recordings, too
        report.differences += _differing("buckets", expected["buckets"], there["buckets"])


def _differing(
    kind: str, wanted: list[tuple[object, ...]], got: list[tuple[object, ...]]
) -> Iterator[str]:
    if len(wanted) != len(got):
        yield f"{kind}: {len(got)} rows instead of {len(wanted)}"
    pairs = zip(wanted, got, strict=False)
    # Sums over the people of an hour depend in their last bits on the order of the rows.
    differing = [pair for pair in pairs if not _equal(pair[0], pair[1], exact=kind != "buckets")]
    if differing:
        yield f"{kind}: {len(differing)} rows differ; the first: {differing[0]}"


def _equal(one: object, other: object, *, exact: bool) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(
            _equal(a, b, exact=exact) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, float) and isinstance(other, float) and not exact:
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return one == other


def table(report: Report) -> str:
    lines = [
        f"## {_TITLES[report.database]}",
        "",
        f"Seed {report.seed}, {report.seconds:.0f} s.",
        "",
        "| fault | times |",
        "|---|---|",
        *(f"| {name} | {times} |" for name, times in sorted(report.faults.items())),
        f"| together | {report.faults.total()} |",
        "",
        "| at the end | |",
        "|---|---|",
        *(f"| {name} | {number} |" for name, number in report.figures.items()),
        *(
            f"| ends of {name} that nobody asked for | {n} |"
            for name, n in report.ends.items()
            if n
        ),
        f"| differences | {len(report.differences) or 'none'} |",
        "",
    ]
    lines += [f"- Left out: {what}" for what in report.left_out]
    lines += [f"- {what}" for what in report.differences]
    return "\n".join([*lines, ""])


_TITLES: Final = {
    "sqlite": "SQLite, the process pool, two workers and the dashboard with its own",
    "postgresql": "PostgreSQL, S3, a Dask scheduler with two workers, a worker and the dashboard",
}


def page(reports: list[Report]) -> str:
    now = datetime.now(UTC)
    command = shlex.join(["python", "-m", "tests.faults", *sys.argv[1:]])
    head = (
        f"# Faults at random moments\n\n{now.day} {now:%B %Y}, {platform.machine()}, "
        f"{os.cpu_count()} cores, shared with other work. Made by `{command}`.\n"
    )
    return "\n".join([head, *map(table, reports)])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=math.inf, help="no fault comes later")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=sorted(SETTINGS), help="both where it is not given")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="a new folder that logs are left in")
    given = parser.parse_args()
    reports = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # every request to the store

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    for name in [given.database] if given.database else sorted(SETTINGS, reverse=True):
        with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
            folder = Path(scratch) if given.keep is None else given.keep / name
            folder.mkdir(parents=True, exist_ok=True)
            report = run(name, given.faults, given.seed, folder, say, given.minutes * 60)
        say(table(report))
        reports.append(report)
    if given.out is not None:
        given.out.write_text(page(reports), encoding="utf-8")
    return 1 if any(report.differences for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
