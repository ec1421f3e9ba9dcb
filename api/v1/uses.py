"""When keys were used, as Settings shows it: written after the answer, and never in its way."""

import logging
import math
import threading
import time
from datetime import datetime
from typing import Final

from db.engine import Database
from db.keys import note_use

log = logging.getLogger(__name__)

_TRIED_EVERY_S: Final = 60.0


class Uses:
    """Notes each key's use at most once a minute, whether or not that succeeds, and in one
    transaction at a time: while somebody else writes to the database for long, one thread and one
    connection wait for that, however many requests come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tried: dict[int, float] = {}
        self._waiting: dict[int, datetime] = {}
        self._is_writing = False

    def note(self, database: Database, key_id: int, now: datetime) -> None:
        """Whoever is writing already writes this one, too. Where the database cannot be written to,
        nothing is raised: nobody is refused because it could not be noted that they came."""
        moment = time.monotonic()
        with self._lock:
            if moment - self._tried.get(key_id, -math.inf) < _TRIED_EVERY_S:
                return
            self._tried[key_id] = moment
            self._waiting[key_id] = now
            if self._is_writing:
                return
            self._is_writing = True
        while some := self._next():
            _write(database, some)

    def _next(self) -> dict[int, datetime]:
        with self._lock:
            some, self._waiting = self._waiting, {}
            self._is_writing = bool(some)
            return some


def _write(database: Database, some: dict[int, datetime]) -> None:
    try:
        with database.write() as session:
            for key_id, used in sorted(some.items()):
                note_use(session, key_id, used)
    except Exception:  # whatever it is, the next ones are to be written
        log.warning("the use of the keys %s could not be noted", sorted(some), exc_info=True)
