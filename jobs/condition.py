"""Whether an installation can do its work, and what is wrong where it cannot: for the health
routes, the metrics and the Status panel alike."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from db.engine import Database, is_current
from db.status import Queue, queue
from fer_core.errors import ModelError
from fer_core.model_card import read_card
from jobs.store import FootageStore, StoreUnreachable
from settings import Settings

_SHORTEST_SILENCE: Final = timedelta(seconds=60)
_GIGABYTE: Final = 1_000_000_000
_LEAST_FREE: Final = 2 * _GIGABYTE
_LITTLE_FREE: Final = 20 * _GIGABYTE
_LITTLE_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Check:
    """``says``: the state in a word or two. ``problem``: a sentence, None where all is well.
    Neither names a path, an address or a secret."""

    name: str
    says: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """Of the home folder. Bytes."""

    free: int
    total: int

    @property
    def is_nearly_full(self) -> bool:
        little = min(_LITTLE_FREE, self.total * _LITTLE_SHARE)
        return self.free < max(little, min(_LEAST_FREE, self.total / 2))


def own_checks(settings: Settings, worker_is_alive: bool | None) -> list[Check]:
    """What an instance needs to be of any use: its database, and its worker.

    ``worker_is_alive``: None where this instance starts no worker of its own.
    """
    return [*_database(settings.resolved_database_url), _worker(worker_is_alive)]


def all_checks(settings: Settings, worker_is_alive: bool | None, now: datetime) -> list[Check]:
    """Also what is needed to take footage in and to read it, wherever that is done."""
    checks = own_checks(settings, worker_is_alive)
    if all(check.problem is None for check in checks[:2]):
        checks.append(_reading(settings, now))
    return [*checks, _footage(settings), _model(), _disk(settings)]


def disk(settings: Settings) -> Disk:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return Disk(usage.free, usage.total)


def silence(found: Queue, now: datetime, lease_seconds: float) -> timedelta | None:
    """How long work has waited without a sign of life from any worker; None where there is no
    reason to worry."""
    patience = max(_SHORTEST_SILENCE, 2 * timedelta(seconds=lease_seconds))
    if not found.waiting or found.being_read:
        return None
    times = [time for time in (found.waiting_since, found.last_sign) if time is not None]
    quiet = now - max(times) if times else timedelta()
    return quiet if quiet > patience else None


def _database(url: str) -> list[Check]:
    database = Database(url)
    try:
        with database.read() as session:
            session.execute(text("SELECT 1"))
        current = is_current(url)
    except (SQLAlchemyError, OSError):
        return [
            Check("database", "not reachable", "The database cannot be reached."),
            Check("schema", "not current", "Whether the tables are current cannot be told."),
        ]
    finally:
        database.close()
    old = None if current else "The tables are not those of this version: run db upgrade."
    return [
        Check("database", "reachable"),
        Check("schema", "current" if current else "not current", old),
    ]


def _worker(is_alive: bool | None) -> Check:
    if is_alive is None:
        return Check("worker", "not started here")
    if is_alive:
        return Check("worker", "running")
    return Check("worker", "not running", "The worker that this dashboard starts is not running.")


def _reading(settings: Settings, now: datetime) -> Check:
    database = Database(settings.resolved_database_url)
    try:
        with database.read() as session:
            found = queue(session, now, settings.lease_seconds)
    except SQLAlchemyError:
        return Check("reading", "unknown", "The queue cannot be looked at.")
    finally:
        database.close()
    quiet = silence(found, now, settings.lease_seconds)
    if quiet is None:
        busy = _counted(found.being_read, "segment") if found.being_read else "nothing waits"
        if found.waiting:
            busy = _counted(found.waiting, "segment") + " waiting"
        return Check("reading", busy)
    return Check(
        "reading",
        "silent",
        f"Work waits, and no worker has given a sign of life for {_how_long(quiet)}.",
    )


def _how_long(time: timedelta) -> str:
    """Of at least a minute, in the largest unit of which there are two, if only minutes."""
    hours = time // timedelta(hours=1)
    if hours < 2:
        return _counted(time // timedelta(minutes=1), "minute")
    return f"{hours} hours" if time.days < 2 else f"{time.days} days"


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _footage(settings: Settings) -> Check:
    try:
        FootageStore(settings.resolved_footage_url).check()
    except (StoreUnreachable, OSError, ValueError, ImportError):
        return Check("footage", "not writable", "The footage store cannot be written.")
    return Check("footage", "writable")


def _model() -> Check:
    try:
        return Check("model", read_card().version)
    except ModelError:
        return Check(
            "model", "none", "The recogniser is missing or damaged: no footage can be read."
        )


def _disk(settings: Settings) -> Check:
    found = disk(settings)
    free = f"{found.free / _GIGABYTE:.1f} GB free"
    if found.is_nearly_full:
        return Check("disk", free, f"The disk is nearly full: {free}.")
    return Check("disk", free)
