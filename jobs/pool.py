"""The standard engine: processes on this machine that end with their worker."""

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing.connection import Connection

from jobs.logs import log_to_terminal
from jobs.memory import share_one_heap


class ProcessDied(Exception):
    """The process that ran a task died, and took no other task along."""


class SegmentPool(ProcessPoolExecutor):
    """A spawned process that holds a lifeline to the worker. One only: the death of one fails all
    that a pool is doing.

    The lifeline is a pipe whose other end only the worker holds. When it closes, be it by
    ``shutdown`` or because the worker was killed, the process ends at once, whatever it is
    doing: a segment is written in one transaction, so nothing half done stays behind.

    ``logs``: whether it writes its log as the settings say, which it loads for it.
    """

    def __init__(self, *, logs: bool = True) -> None:
        context = multiprocessing.get_context("spawn")
        self._reader, self._lifeline = context.Pipe(duplex=False)
        super().__init__(1, mp_context=context, initializer=_hold_on, initargs=(self._reader, logs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the process without waiting for the segment that it is reading."""
        self._lifeline.close()
        super().shutdown(wait=wait, cancel_futures=cancel_futures)
        self._reader.close()


class PoolsAhead:
    """Makes pools, the first one ahead of its time: while the worker itself is still loading,
    settings and all, a process loads what reading needs, and is told of the settings' log when it
    is taken. Closing ends that pool where nobody took it."""

    def __init__(self) -> None:
        self._first: SegmentPool | None = SegmentPool(logs=False)
        # By name: this process is to load nothing of it.
        self._first.submit(_load, "jobs.reading")

    def __call__(self) -> SegmentPool:
        first, self._first = self._first, None
        if first is None:
            return SegmentPool()
        from settings import settings  # that process is to load nothing of it, either

        first.submit(log_to_terminal, settings().log_format)
        return first

    def close(self) -> None:
        if self._first is not None:
            self._first.shutdown()
            self._first = None


def _load(module: str) -> None:
    # What is loaded stays: to look for garbage among it takes a tenth of the time.
    gc.disable()
    try:
        import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def _hold_on(lifeline: "Connection[object, object]", logs: bool) -> None:
    """Runs first in the process of a pool."""
    # Ctrl-C reaches the whole group; the worker alone decides what then happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    share_one_heap()
    if logs:
        log_to_terminal()
    threading.Thread(target=_end_with_worker, args=(lifeline,), daemon=True).start()


def _end_with_worker(lifeline: "Connection[object, object]") -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(0)
