"""The worker that the dashboard brings along: a process of its own, kept alive while it runs."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from settings import Settings

log = logging.getLogger(__name__)

_COMMAND = (str(Path(__file__).parent.parent / "cli.py"), "worker", "--with-parent")
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_SETTLED_S = 60.0
_PATIENCE_S = 10.0


class WorkerProcess:
    """``cli.py worker`` as a child process.

    The child reads its standard input, which only this process can write: when that ends, be it
    by ``stop`` or because this process was killed, the child ends too. A child that dies is
    started again, after 1, 2, 4 ... 60 seconds.
    """

    def __init__(self, settings: Settings, command: tuple[str, ...] = _COMMAND) -> None:
        self._command = (sys.executable, *command)
        self._environment = os.environ | {
            f"SATISFACE_{name.upper()}": str(value) for name, value in settings.model_dump().items()
        }
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the child and keep it alive. Calling it again changes nothing."""
        if self._keeper is not None:
            return
        self._stopping.clear()
        self._keeper = threading.Thread(target=self._keep_alive, name="worker-keeper", daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """End the child: it hands back what it was reading. Killed when it takes too long."""
        if self._keeper is None:
            return
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is not None:
            _close_input(process)
            self._keeper.join(_PATIENCE_S)
            if self._keeper.is_alive():
                log.warning("the worker did not end in time and is killed")
                process.kill()
        self._keeper.join()
        self._keeper = None

    def _keep_alive(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._run_once()
            except OSError:
                log.exception("the worker could not be started")
            if time.monotonic() - began > _SETTLED_S:
                pause = _FIRST_PAUSE_S
            if not self._stopping.is_set():
                log.warning("the worker ended; it is started again in %.0f s", pause)
            self._stopping.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _run_once(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            process = subprocess.Popen(  # noqa: S603 - our own command line
                self._command, stdin=subprocess.PIPE, env=self._environment
            )
            self._process = process
        log.info("worker started, process %d", process.pid)
        process.wait()
        _close_input(process)


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
