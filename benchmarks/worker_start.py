"""How long a worker takes from its start to its first prediction.

Three clocks, all from the start of a process: one that only reads (``fer_core``, as a script would
use it) until its first predictions; and ``cli.py worker`` on a database in which one recording
waits, until its faces were read, and until the first of them is a row in the database. The
processor's seconds of a worker are of all that it did until it had ended.
The footage is two seconds of 640 x 360 with one face. Python's compiled files are there, as in an
installation; the first start of each, which makes them, does not count.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

ROOT = Path(__file__).parents[1]
_READ: Final = "read, to be written"
"""Stands in the line that a worker logs once all faces of a segment were read."""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds by the clock, and of the processor (all processes of it together)."""

    clock: float
    processor: float


def reading_alone(clip: Path, environment: dict[str, str]) -> Start:
    """A fresh process that reads the clip by ``fer_core`` and ends with its first prediction."""
    return _timed(
        [sys.executable, "-m", "benchmarks.worker_start", "--read", str(clip)], environment
    )


def of_a_worker(clip: Path, environment: dict[str, str], home: Path) -> tuple[Start, Start]:
    """``cli.py worker`` in a home of its own: until all faces of the clip were read, which it
    tells in its log, and until the first prediction is in the database."""
    from sqlalchemy import select

    from db.engine import Database
    from db.tables import Prediction
    from tests.made_jobs import made_camera, made_settings, take_in

    settings = made_settings(home)
    read: list[float] = []
    with closing(Database(settings.resolved_database_url)) as database:
        take_in(database, settings, made_camera(database), clip)
        processor, began = _processor_of_children(), time.perf_counter()
        worker = subprocess.Popen(
            [sys.executable, "cli.py", "worker", "--until-idle"],
            cwd=ROOT,
            env=environment | {"SATISFACE_HOME": str(settings.home)},
            stderr=subprocess.PIPE,
            text=True,
        )
        log = threading.Thread(target=_note, args=(worker.stderr, _READ, read), daemon=True)
        log.start()
        try:
            while worker.poll() is None:
                with database.read() as session:
                    if session.scalar(select(Prediction.time_ms).limit(1)) is not None:
                        break
                time.sleep(0.01)
            else:
                raise RuntimeError("the worker ended and there is no prediction")
            stored = time.perf_counter()
        finally:
            worker.terminate()
            worker.wait()
            log.join()
    spent = _processor_of_children() - processor
    return Start(read[0] - began, spent), Start(stored - began, spent)


def _note(lines: Iterable[str], wanted: str, times: list[float]) -> None:
    """The moments at which lines came that hold ``wanted``."""
    times.extend(time.perf_counter() for line in lines if wanted in line)


def measured(runs: int) -> dict[str, Start]:
    """Medians of ``runs`` starts of each kind."""
    from tests.made_footage import Appearance, write_video

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "one.mp4"
        write_video(clip, [Appearance(320, 180)], seconds=2)
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        alone = [reading_alone(clip, environment) for _ in range(runs + 1)][1:]
        workers = [of_a_worker(clip, environment, folder / str(n)) for n in range(runs + 1)][1:]
    return {
        "a process that only reads": _median(alone),
        "a worker, first predictions": _median([read for read, _ in workers]),
        "a worker, rows in the database": _median([stored for _, stored in workers]),
    }


def _median(starts: list[Start]) -> Start:
    return Start(median(s.clock for s in starts), median(s.processor for s in starts))


def _timed(command: list[str], environment: dict[str, str]) -> Start:
    clock, processor = time.perf_counter(), _processor_of_children()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stderr=subprocess.DEVNULL)
    return Start(time.perf_counter() - clock, _processor_of_children() - processor)


def _processor_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _read(clip: Path) -> None:
    from fer_core import ExpressionReader, analyse

    result = next(iter(analyse(clip, ExpressionReader())))
    if not result.predictions:
        raise RuntimeError("there is no prediction")
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        _read(arguments.read)
    for kind, start in measured(arguments.runs).items():
        print(f"{kind}: {start.clock:.2f} s, of the processor {start.processor:.2f} s")


if __name__ == "__main__":
    main()
