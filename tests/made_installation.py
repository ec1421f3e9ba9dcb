"""An installation of many processes whose every part can be killed, stopped, filled up, taken away.

Installation        services that are started again when they end, as Compose or systemd do it
sqlite(folder)      SQLite, a process pool for each of two workers, and the dashboard with its own
postgresql(folder)  PostgreSQL, S3, a Dask scheduler with two workers, a worker and the dashboard

What can happen to it is a ``Kill`` (a process gets no chance to say a word) or an ``Outage`` (a
part is gone until it comes back).
"""

import contextlib
import errno
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from settings import Settings
from tests.made_jobs import ROOT, environment, made_settings
from tests.made_postgresql import binaries, running_server
from tests.made_s3 import running_s3

_RESTART_S: Final = 0.5
_DISK_MB: Final = 96
_VALUES: Final[dict[str, object]] = {
    "segment_seconds": 1,
    "sample_rate": 3,
    "lease_seconds": 3.0,
}

_LOCK: Final = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None);"
    "c.execute('BEGIN IMMEDIATE'); print(1, flush=True); sys.stdin.read()"
)
"""Holds the write lock of a database until its input ends."""


class Service:
    """A process that is started again when it ends."""

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str]) -> None:
        self.name = name
        self.ends = 0
        """How often it ended unasked."""
        self._command, self._log, self._env = command, log, env
        self._process: psutil.Popen | None = None
        self._not_before = 0.0

    def keep(self) -> None:
        """Start it where it does not run."""
        if self._process is not None and self._process.poll() is not None:
            self.ends += 1
            self._rest()
        if self._process is None and time.monotonic() >= self._not_before:
            with self._log.open("ab") as log:
                self._process = psutil.Popen(
                    [sys.executable, *self._command],
                    cwd=ROOT,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # As under Compose or systemd: each has its own share of the processor.
                    start_new_session=True,
                )

    def readers(self) -> list[psutil.Process]:
        """The processes of its pool, and of the pool of the worker that it brought along."""
        found: list[psutil.Process] = []
        if self._process is not None:
            with contextlib.suppress(psutil.Error):
                children = self._process.children(recursive=True)
                found = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
        return found

    def kill(self) -> bool:
        """False where there is nothing to kill."""
        if self._process is None or self._process.poll() is not None:
            return False
        self._process.kill()
        self._process.wait()
        self._rest()
        return True

    def stop(self) -> None:
        """Ask it to end; killed where it does not in four minutes, which counts as unasked."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(240)
            except psutil.TimeoutExpired:
                self.ends += 1
                self._process.kill()
                self._process.wait()
        self._process = None

    def _rest(self) -> None:
        self._process, self._not_before = None, time.monotonic() + _RESTART_S


@dataclass(frozen=True, slots=True)
class Kill:
    """``strike``: what was killed; None where there was nothing to kill."""

    name: str
    strike: Callable[[random.Random], str | None]


@dataclass(frozen=True, slots=True)
class Outage:
    """``gone``: within it the part is not there. ``longest_s``: seconds."""

    name: str
    gone: Callable[[], contextlib.AbstractContextManager[None]]
    longest_s: float


@dataclass(slots=True)
class Installation:
    settings: Settings
    services: list[Service]
    faults: list[Kill | Outage]
    left_out: list[str] = field(default_factory=list)

    def keep(self) -> None:
        for service in self.services:
            service.keep()

    def stop(self) -> None:
        # Who hands work out ends before who does it.
        for service in self.services:
            service.stop()

    def alive(self) -> list[str]:
        """Command lines of the processes that do not end although nothing keeps them."""
        _, alive = psutil.wait_procs(self._family(), timeout=240)
        lines = []
        for one in alive:
            with contextlib.suppress(psutil.Error):
                lines.append(" ".join(one.cmdline())[:200])
        return lines

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        for service in self.services:
            service.kill()
        for one in self._family():
            with contextlib.suppress(psutil.Error):
                one.kill()

    def _family(self) -> list[psutil.Process]:
        """Every process whose environment names this home."""
        home, found = str(self.settings.home), []
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if one.pid != os.getpid() and one.environ().get("SATISFACE_HOME") == home:
                    found.append(one)
        return found


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Installation]:
    with _disk(folder / "home") as disk:
        settings = made_settings(folder, **_VALUES)
        workers = [_service(folder, settings, f"worker {n}", *_WORKER) for n in (1, 2)]
        dashboard = _dashboard(folder, settings)
        database = settings.home / "satisface.db"
        faults: list[Kill | Outage] = [
            _kill("worker", workers),
            _kill_reader([*workers, dashboard]),
            _kill("dashboard", [dashboard]),
            Outage("database locked", lambda: _locked(database), 10.0),
            Outage("store unreachable", lambda: _renamed(settings.home / "footage"), 6.0),
        ]
        yield from _running(settings, [*workers, dashboard], faults, disk)


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[Installation]:
    """Raises LookupError where no PostgreSQL is installed."""
    programs = binaries()
    if programs is None:
        raise LookupError("no PostgreSQL server is installed (Debian: apt install postgresql)")
    port = _free_port()
    with (
        running_server(programs, {"synchronous_commit": "on"}) as server,
        running_s3() as s3,
        _disk(folder / "home") as disk,
    ):
        settings = made_settings(
            folder,
            **_VALUES,
            database_url=server.new_database(),
            footage_url=s3.new_bucket("faults"),
            scheduler_address=f"tcp://127.0.0.1:{port}",
        )
        worker = _service(folder, settings, "worker", *_WORKER)
        dashboard = _dashboard(folder, settings)
        at = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        scheduler = _service(folder, settings, "scheduler", "-m", "dask", "scheduler", *at)
        alone = ("--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--no-dashboard")
        reading = ("-m", "dask", "worker", settings.scheduler_address, *alone)
        readers = [_service(folder, settings, f"Dask worker {n}", *reading) for n in (1, 2)]
        faults: list[Kill | Outage] = [
            _kill("worker", [worker]),
            _kill("dashboard", [dashboard]),
            _kill("Dask worker", readers),
            _kill("Dask scheduler", [scheduler]),
            Outage("database stopped", server.stopped, 10.0),
            Outage("store unreachable", s3.stopped, 6.0),
        ]
        services = [worker, dashboard, *readers, scheduler]
        yield from _running(settings, services, faults, disk)


def _running(
    settings: Settings, services: list[Service], faults: list[Kill | Outage], disk: str | None
) -> Iterator[Installation]:
    left_out = []
    if disk is None:
        faults.append(Outage("disk full", lambda: _filled(settings.home), 5.0))
    else:
        left_out.append(f"disk full: {disk}")
    installation = Installation(settings, services, faults, left_out)
    try:
        installation.keep()
        yield installation
    finally:
        installation.end()


_WORKER: Final = ("cli.py", "worker")


def _service(folder: Path, settings: Settings, name: str, *command: str) -> Service:
    env = environment(settings) | {"PYTHONPATH": str(ROOT), "DASK_TEMPORARY_DIRECTORY": str(folder)}
    return Service(name, list(command), folder / f"{name.replace(' ', '-')}.log", env)


def _dashboard(folder: Path, settings: Settings) -> Service:
    options = ("--server.headless=true", "--server.address=127.0.0.1")
    port = f"--server.port={_free_port()}"
    return _service(
        folder, settings, "dashboard", "-m", "streamlit", "run", "app.py", *options, port
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _kill(name: str, services: list[Service]) -> Kill:
    def strike(chance: random.Random) -> str | None:
        service = chance.choice(services)
        return service.name if service.kill() else None

    return Kill(name, strike)


def _kill_reader(services: list[Service]) -> Kill:
    def strike(chance: random.Random) -> str | None:
        readers = chance.choice(services).readers()
        if not readers:
            return None
        reader = chance.choice(readers)
        with contextlib.suppress(psutil.NoSuchProcess):
            reader.kill()
            return f"process {reader.pid}"
        return None

    return Kill("process of a pool", strike)


@contextlib.contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Another process holds the write lock."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _LOCK, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        holder.stdout.readline()
        yield
    finally:
        holder.communicate()


@contextlib.contextmanager
def _renamed(folder: Path) -> Iterator[None]:
    """As a network drive that is gone for a while."""
    away = folder.with_name(f"{folder.name} away")
    folder.mkdir(exist_ok=True)
    folder.rename(away)
    try:
        yield
    finally:
        # Whatever was left in its place meanwhile a mounted drive would hide.
        if folder.exists():
            folder.rename(folder.with_name(f"{folder.name} hidden {time.monotonic_ns()}"))
        away.rename(folder)


@contextlib.contextmanager
def _filled(folder: Path) -> Iterator[None]:
    """Not a byte is free."""
    filler = folder / "filler"
    piece = b"\0" * 65_536
    try:
        with filler.open("wb", buffering=0) as file:
            try:
                while piece:
                    try:
                        file.write(piece)
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        piece = piece[: len(piece) // 2]
            finally:
                file.flush()
        yield
    finally:
        filler.unlink(missing_ok=True)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[str | None]:
    """A small disk of its own at ``folder``; why not, where that is not permitted."""
    folder.mkdir(parents=True)
    options = f"size={_DISK_MB}m"
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        yield "mounting a small disk is not permitted here"
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
