"""Deletion on request, a recording at a time.

A store that cannot be reached holds up no deletion: rows go at once, and nothing refers to the
footage any more. It cannot be shown or read again, and a sweep deletes it once the store is back
(jobs.sweep.delete_orphans).
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from db.engine import Database
from db.erasure import erase_people, erase_sealed, recordings_touching
from db.recordings import delete_recording, footage_released
from fer_core.errors import SatisfaceError
from jobs.store import FootageStore, StoreUnreachable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was deleted: people, from how many recordings, with how many pieces of footage, and
    hours of which only sums were left. ``footage_left``: pieces of footage that are nobody's any
    more, in a store that cannot be reached."""

    recordings: int
    people: int
    footage: int
    hours: int
    footage_left: int


def widest(start: datetime, end: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """The stretch (UTC) that two times on the clock of ``time_zone`` may mean: longer than what was
    meant at most, where clocks repeat or skip an hour. Raises SatisfaceError where it is none."""
    zone = ZoneInfo(time_zone)
    # Of the two readings, fold tells the later one where clocks repeat an hour, and the earlier one
    # where they skip it.
    first, last = (
        [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
        for local in (start, end)
    )
    if max(last) <= min(first):
        raise SatisfaceError("The end must come after the first moment.")
    return min(first), max(last)


def delete_for_good(
    database: Database, store: FootageStore, recording_id: int, added_at: datetime
) -> bool:
    """Delete the recording that was added then, in any state, with all that was read of it, and its
    footage. False where the footage is left to a sweep. Raises RecordingError where it is gone."""
    with database.write() as session:
        key = delete_recording(session, recording_id, added_at=added_at)
    return key is None or _deleted(store, key)


def erase(
    database: Database, store: FootageStore, camera_id: int, start: datetime, end: datetime
) -> Erasure:
    """Delete everybody whom the camera saw in [start, end), and the footage that shows it.

    Footage goes whole, however little of it lies in the stretch. Stopped halfway, the same call
    finishes it.
    """
    with database.read() as session:
        touching = recordings_touching(session, camera_id, start, end)
    people = footage = footage_left = 0
    for recording_id in touching:
        with database.write() as session:
            erased = erase_people(session, recording_id, start, end)
            if erased is not None and erased.footage_key is not None:
                # With its people, or it could be read again, which would bring them back.
                footage_released(session, recording_id, erased.footage_key)
        if erased is None:
            continue
        people += erased.people
        if erased.footage_key is not None:
            is_gone = _deleted(store, erased.footage_key)
            footage += is_gone
            footage_left += not is_gone
    with database.write() as session:
        hours = erase_sealed(session, camera_id, start, end)
    return Erasure(len(touching), people, footage, hours, footage_left)


def _deleted(store: FootageStore, key: str) -> bool:
    try:
        store.delete(key)
    except StoreUnreachable:
        log.exception("footage %s is left to a sweep", key)
        return False
    return True
