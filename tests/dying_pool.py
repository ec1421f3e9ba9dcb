"""A real pool in which reading one segment ends its process, as a fault in a decoder would."""

import os
import resource
import signal
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import ParamSpec, TypeVar

from jobs.pool import SegmentPool
from jobs.segment import SegmentOutcome, SegmentTask, run_segment

P = ParamSpec("P")
R = TypeVar("R")


class DyingPool(SegmentPool):
    """Reading segment ``index`` of any recording kills the process the first ``deaths`` times;
    each death leaves a file in ``folder``."""

    def __init__(self, processes: int, folder: Path, index: int, deaths: int) -> None:
        super().__init__(processes)
        self._folder, self._index, self._deaths = folder, index, deaths

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        if fn is not run_segment:
            return super().submit(fn, *args, **kwargs)
        return super().submit(die_or_run, self._folder, self._index, self._deaths, *args)  # type: ignore[arg-type]


def die_or_run(folder: Path, index: int, deaths: int, task: SegmentTask) -> SegmentOutcome:
    died = len(list(folder.iterdir()))
    if task.lease.index == index and died < deaths:
        (folder / str(died)).touch()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGSEGV)
    return run_segment(task)
