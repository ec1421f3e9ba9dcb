"""A real pool in which reading one segment ends its process, as a fault in a decoder would."""

import os
import resource
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from jobs.pool import SegmentPool
from jobs.segment import SegmentOutcome, SegmentTask, run_segment

P = ParamSpec("P")
R = TypeVar("R")


class DyingPool(SegmentPool):
    """Reading segment ``index`` of any recording kills the process the first ``deaths`` times;
    each death leaves a file in ``folder``. ``beside``: a segment that is being read meanwhile, from
    before the first death until after the last."""

    def __init__(self, folder: Path, index: int, deaths: int, beside: int | None = None) -> None:
        super().__init__()
        self._doom = Doom(folder, index, deaths, beside)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        if fn is not run_segment:
            return super().submit(fn, *args, **kwargs)
        return super().submit(die_or_run, self._doom, *args)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Doom:
    folder: Path
    index: int
    deaths: int
    beside: int | None

    def died(self) -> int:
        return len(list(self.folder.iterdir()))


def die_or_run(doom: Doom, task: SegmentTask) -> SegmentOutcome:
    begun = doom.folder.with_name("begun")
    if task.lease.index == doom.beside:
        begun.touch()
        while doom.died() < doom.deaths:
            time.sleep(0.01)
    if task.lease.index == doom.index and (died := doom.died()) < doom.deaths:
        while doom.beside is not None and not begun.exists():
            time.sleep(0.01)
        (doom.folder / str(died)).touch()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGSEGV)
    return run_segment(task)
