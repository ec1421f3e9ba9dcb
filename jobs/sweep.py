"""Footage leaves the store when it was read, and when nothing refers to it any more."""

import logging
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from db.engine import Database
from db.places import list_sites
from db.recordings import footage_keys, footage_released
from db.tables import RecordingState
from jobs.store import FootageStore, is_named_by_put
from jobs.uploads import LIFETIME

log = logging.getLogger(__name__)

GRACE = timedelta(hours=1)
"""Footage without a row may be that of an upload whose row is about to be written."""

UNFINISHED_GRACE = LIFETIME


def delete_read_footage(database: Database, store: FootageStore) -> int:
    """Delete the footage of every recording that was read to its end, by whatever worker.

    Returns how many.
    """
    with database.read() as session:
        read = footage_keys(session, [RecordingState.DONE])
    return delete_footage(database, store, read, "it was read")


def delete_footage(
    database: Database, store: FootageStore, footage: Mapping[int, str], why: str
) -> int:
    """Delete footage by its recording, and return how much.

    The file goes first and the row is told after it, so that a crash between the two is made
    good by the next call.
    """
    recordings = {key: recording_id for recording_id, key in footage.items()}
    deleted = 0
    for key in store.delete_each(recordings):
        with database.write() as session:
            footage_released(session, recordings[key])
        log.info("footage of recording %d deleted: %s", recordings[key], why)
        deleted += 1
    return deleted


def delete_orphans(database: Database, store: FootageStore, now: datetime | None = None) -> int:
    """Delete footage that no recording refers to, once it is older than GRACE. Returns how much.

    Files that others put into the folder stay. So does everything while the database holds no
    site: a restore brings the footage first, and all rows at once after it.
    """
    latest = (now or datetime.now(UTC)) - GRACE
    old = [
        footage.key
        for footage in store.stored()
        if footage.modified < latest and is_named_by_put(footage.key)
    ]
    if not old:
        return 0
    with database.read() as session:
        if not list_sites(session):
            return 0
        known = set(footage_keys(session).values())
    orphans = [key for key in old if key not in known]
    deleted = 0
    for key in store.delete_each(orphans):
        log.info("footage %s deleted: no recording refers to it", key)
        deleted += 1
    return deleted


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
