"""The sign of life that keeps a segment, or a report, with the process that works at it."""

import logging
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Self, TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from db.engine import Database
from db.queue import Lease, renew

log = logging.getLogger(__name__)

DATABASE_TROUBLE: Final = (OperationalError, InterfaceError)
"""What a busy or briefly unreachable database raises; worth another try."""

_TRIES: Final = 7
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 2.0

_PRIMARY: Final = 0xFF
"""The bits of SQLite's extended codes that hold the plain one."""
_NEVER: Final = ("54", "53400", "57014")
"""PostgreSQL's errors that come again with the same statement: beyond its limits (a class of them),
beyond a limit that was configured, longer than statement_timeout."""

_READ_ONLY: Final = "25006"
"""What PostgreSQL says where it takes no rows for now: a standby after a fail-over, a full disk at
some providers. Its driver does not call that operational."""

T = TypeVar("T")


def is_for_want(error: DBAPIError) -> bool:
    """Whether a connection, room or a lock was wanting, which is no fault of what was to be
    written; false where the same statement would never be carried out.

    Drivers raise OperationalError for the former, and now and then for the latter."""
    on_server = getattr(error.orig, "sqlstate", None) or ""
    if error.connection_invalidated or on_server == _READ_ONLY:
        return True
    if not isinstance(error, OperationalError):
        return False
    in_sqlite = getattr(error.orig, "sqlite_errorcode", None)
    if in_sqlite is not None:
        return bool(in_sqlite & _PRIMARY != sqlite3.SQLITE_ERROR)
    return not on_server.startswith(_NEVER)


def patiently(
    action: Callable[[], T],
    give_up: Callable[[], bool] = lambda: False,
    *,
    trouble: tuple[type[Exception], ...] = DATABASE_TROUBLE,
) -> T:
    """The action's value; where it raises one of ``trouble`` it is tried again, with growing
    pauses, thirteen seconds in all.

    ``give_up`` ends the tries early. Raises one of ``trouble`` when the last try failed.
    """
    pause = _FIRST_PAUSE_S
    for _ in range(_TRIES - 1):
        try:
            return action()
        except trouble as error:
            if give_up():
                raise
            log.warning("trouble, trying again in %.1f s: %s", pause, error)
            time.sleep(pause)
            pause *= 2
    return action()


class Renewal(ABC):
    """Renews a lease, given until ``until``, from a thread of its own.

    A renewal is also how a cancellation comes to know, so they are never far apart.

    ``is_lost`` turns true when the lease is not ours any more, or could not be renewed for as
    long as it lasts: another worker then does the work, and who reads footage stops.
    """

    def __init__(self, until: datetime, length_s: float) -> None:
        self._until = until
        self._length = length_s
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def is_lost(self) -> bool:
        return self._lost.is_set()

    @abstractmethod
    def renew(self) -> bool:
        """Whether the lease was still ours. Raises what the database raises."""

    def _run(self) -> None:
        pause = min(self._length / 3, _LONGEST_PAUSE_S)
        renewed = time.monotonic()
        # A lease that was given a moment ago needs no sign of life yet.
        left = (self._until - datetime.now(UTC)).total_seconds()
        if left > self._length - pause and self._ended.wait(pause):
            return
        while True:
            try:
                if not self.renew():
                    self._lost.set()
                renewed = time.monotonic()
            except Exception:
                log.exception("the lease of %s could not be renewed", self)
                if time.monotonic() - renewed > self._length:
                    self._lost.set()
            if self._lost.is_set() or self._ended.wait(pause):
                return


class Heartbeat(Renewal):
    """Keeps a segment, and tells the progress."""

    def __init__(self, database: Database, lease: Lease, lease_seconds: float) -> None:
        super().__init__(lease.until, lease_seconds)
        self._database = database
        self._lease = lease
        self._progress_ms = 0

    def __str__(self) -> str:
        return str(self._lease)

    def tell(self, progress_ms: int) -> None:
        """``progress_ms``: footage read so far, from the segment's start on."""
        self._progress_ms = progress_ms

    def renew(self) -> bool:
        with self._database.write() as session:
            return renew(session, self._lease, self._length, self._progress_ms, datetime.now(UTC))
