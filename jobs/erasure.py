"""Deletion on request, a recording at a time."""

from dataclasses import dataclass
from datetime import datetime

from db.engine import Database
from db.erasure import erase_people, erase_sealed, recordings_touching
from db.recordings import footage_released
from jobs.store import FootageStore


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was deleted: people, from how many recordings, with how many pieces of footage, and
    hours of which only sums were left."""

    recordings: int
    people: int
    footage: int
    hours: int


def erase(
    database: Database, store: FootageStore, camera_id: int, start: datetime, end: datetime
) -> Erasure:
    """Delete everybody whom the camera saw in [start, end), and the footage that shows it.

    Footage goes whole, however little of it lies in the stretch. Stopped halfway, the same call
    finishes it.
    """
    with database.read() as session:
        touching = recordings_touching(session, camera_id, start, end)
    people = footage = 0
    for recording_id in touching:
        with database.write() as session:
            erased = erase_people(session, recording_id, start, end)
        if erased is None:
            continue
        people += erased.people
        if erased.footage_key is not None:
            store.delete(erased.footage_key)
            with database.write() as session:
                footage_released(session, recording_id)
            footage += 1
    with database.write() as session:
        hours = erase_sealed(session, camera_id, start, end)
    return Erasure(len(touching), people, footage, hours)
