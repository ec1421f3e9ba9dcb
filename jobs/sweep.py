"""Footage leaves the store when it was read, and when nothing refers to it any more."""

import logging
import math
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from db.engine import Database
from db.places import list_sites
from db.queue import lock_recording
from db.recordings import footage_keys, footage_may_go, footage_released
from db.tables import RecordingState
from jobs.store import FootageStore
from jobs.uploads import LIFETIME

log = logging.getLogger(__name__)

GRACE = timedelta(hours=1)
"""Footage without a row may be that of an upload whose row is about to be written."""

UNFINISHED_GRACE = LIFETIME


@dataclass(frozen=True, slots=True)
class Swept:
    """``deleted``: how many pieces of footage. ``in_time``: False where some were left because
    the deadline was over; what the store did not delete waits for another sweep in any case."""

    deleted: int
    in_time: bool = True


def delete_read_footage(
    database: Database, store: FootageStore, *, deadline: float = math.inf
) -> Swept:
    """Delete the footage of every recording that was read to its end, by whatever worker.

    ``deadline``: of time.monotonic(); nothing more is begun after it.
    """
    with database.read() as session:
        read = footage_keys(session, [RecordingState.DONE])
    return delete_footage(database, store, read, "it was read", deadline=deadline)


def delete_footage(
    database: Database,
    store: FootageStore,
    footage: Mapping[int, str],
    why: str,
    *,
    deadline: float = math.inf,
) -> Swept:
    """Delete footage by its recording.

    Each piece is looked at again when its turn comes: by then somebody may have its recording
    read again, or restore a backup. The row is told first and the file goes
    after it, so that nobody can have it read again in between; what then stays, after a crash or
    in a store that fails, no recording refers to (``delete_orphans``). Nothing is begun while the
    store is away.
    """
    if not footage:
        return Swept(0)
    if not store.answers():
        log.error(
            "%d pieces of footage are left to the next sweep: the store is away", len(footage)
        )
        return Swept(0)
    recordings = {key: recording_id for recording_id, key in footage.items()}
    left: list[str] = []
    due = (
        key for key in _until(deadline, recordings, left) if _let_go(database, recordings[key], key)
    )
    deleted = 0
    for key in store.delete_each(due):
        log.info("footage of recording %d deleted: %s", recordings[key], why)
        deleted += 1
    return Swept(deleted, not left)


def _let_go(database: Database, recording_id: int, key: str) -> bool:
    """Note that the footage is not kept any more. False where it may not go."""
    with database.write() as session:
        lock_recording(session, recording_id)
        if not footage_may_go(session, recording_id, key):
            return False
        footage_released(session, recording_id, key)
        return True


def _until(deadline: float, keys: Iterable[str], left: list[str]) -> Iterator[str]:
    """The keys whose turn comes before the deadline; the first one after it goes to ``left``."""
    for key in keys:
        if time.monotonic() >= deadline:
            left.append(key)
            return
        yield key


def delete_orphans(
    database: Database,
    store: FootageStore,
    now: datetime | None = None,
    *,
    deadline: float = math.inf,
) -> Swept:
    """Delete footage that no recording refers to, once it is older than GRACE.

    Files that others put into the folder stay. So does everything while the database holds no
    site: a restore brings the footage first, and all rows at once after it. ``deadline``: of
    time.monotonic(); nothing more is deleted after it.
    """
    latest = (now or datetime.now(UTC)) - GRACE
    old = [footage.key for footage in store.stored(ours=True) if footage.modified < latest]
    if not old:
        return Swept(0)
    with database.read() as session:
        if not list_sites(session):
            return Swept(0)
        known = set(footage_keys(session).values())
    left: list[str] = []
    orphans = _until(deadline, (key for key in old if key not in known), left)
    deleted = 0
    for key in store.delete_each(orphans):
        log.info("footage %s deleted: no recording refers to it", key)
        deleted += 1
    return Swept(deleted, not left)


def delete_unfinished(folder: Path, now: datetime | None = None) -> int:
    """Delete what crashed uploads left in the folder, once it is older than UNFINISHED_GRACE."""
    if not folder.is_dir():
        return 0
    latest = ((now or datetime.now(UTC)) - UNFINISHED_GRACE).timestamp()
    left = [entry for entry in folder.iterdir() if entry.lstat().st_mtime < latest]
    for entry in left:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    return len(left)
