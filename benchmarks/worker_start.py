"""How long a worker takes from its start to its first prediction.

Two clocks: a process that only reads (``fer_core``, as a script would use it), and ``cli.py
worker`` on a database in which one recording waits, until its predictions are in the database.
The footage is two seconds of 640 x 360 with one face. Python's compiled files are there, as in an
installation; the first start of each, which makes them, does not count.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]


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


def of_a_worker(clip: Path, environment: dict[str, str], home: Path) -> Start:
    """``cli.py worker`` in a home of its own, until the first prediction is in the database."""
    from sqlalchemy import select

    from db.engine import Database
    from db.tables import Prediction
    from tests.made_jobs import made_camera, made_settings, take_in

    settings = made_settings(home)
    with closing(Database(settings.resolved_database_url)) as database:
        take_in(database, settings, made_camera(database), clip)
        clock, processor = time.perf_counter(), _processor_of_children()
        worker = subprocess.Popen(
            [sys.executable, "cli.py", "worker", "--until-idle"],
            cwd=ROOT,
            env=environment | {"SATISFACE_HOME": str(settings.home)},
            stderr=subprocess.DEVNULL,
        )
        try:
            while worker.poll() is None:
                with database.read() as session:
                    if session.scalar(select(Prediction.time_ms).limit(1)) is not None:
                        break
                time.sleep(0.01)
            else:
                raise RuntimeError("the worker ended and there is no prediction")
            clock = time.perf_counter() - clock
        finally:
            worker.terminate()
            worker.wait()
    return Start(clock, _processor_of_children() - processor)


def measured(runs: int) -> dict[str, Start]:
    """Medians of ``runs`` starts of each kind."""
    from tests.made_footage import Appearance, write_video

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "one.mp4"
        write_video(clip, [Appearance(320, 180)], seconds=2)
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        kinds: dict[str, Callable[[int], Start]] = {
            "a process that only reads": lambda _: reading_alone(clip, environment),
            "a worker, rows in the database": lambda n: of_a_worker(
                clip, environment, folder / str(n)
            ),
        }
        starts = {kind: [start(n) for n in range(runs + 1)][1:] for kind, start in kinds.items()}
    return {
        kind: Start(median(s.clock for s in some), median(s.processor for s in some))
        for kind, some in starts.items()
    }


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
