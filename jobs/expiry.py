"""What is older than it may be goes: faces, people, footage (see db.retention), in transactions
small enough that reading goes on beside them."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from db.engine import Database
from db.partitions import MonthInUse
from db.retention import (
    delete_faces,
    drop_old_month,
    kept_days,
    note_faces_gone,
    old_footage,
    old_months,
    recordings_with_old_faces,
    recordings_with_old_people,
    seal_people,
    segments_with_faces,
    unread_footage,
)
from jobs.store import FootageStore
from jobs.sweep import delete_footage

log = logging.getLogger(__name__)

UNREAD_DAYS: Final = 7
"""Days for which the footage of a failed or cancelled recording waits to be read again."""

_SEGMENTS_AT_ONCE: Final = 12
_RECORDINGS_AT_ONCE: Final = 500


def delete_expired(
    database: Database,
    store: FootageStore,
    *,
    keep_footage: bool,
    budget_s: float = 5.0,
    now: datetime | None = None,
) -> bool:
    """Delete what has expired; False where more was left when ``budget_s`` seconds were over, or
    as many for the footage alone: a slow store does not take the rows' time.

    ``keep_footage``: whether footage is kept once it was read. Stopped at any moment it goes on
    the next time, and nothing is counted twice. A recording whose rows cannot be deleted is
    logged, and left to the next sweep.
    """
    with database.read() as session:
        days = kept_days(session)
        footage = {} if days.footage is None else old_footage(session, days.footage, now=now)
        if not keep_footage:
            footage |= unread_footage(session, UNREAD_DAYS, now=now)
    swept = delete_footage(
        database, store, footage, "its time was up", deadline=time.monotonic() + budget_s
    )
    deadline = time.monotonic() + budget_s
    if days.days_of_faces is not None:
        _drop_months(database, days.days_of_faces, deadline, now)
    rows_gone = _delete_people(database, days.people, deadline, now) and _delete_faces(
        database, days.faces, deadline, now
    )
    return rows_gone and swept.in_time


def _drop_months(database: Database, days: int, deadline: float, now: datetime | None) -> None:
    """Drop whole months of faces; where one is in use, its rows go one by one as others do."""
    with database.read() as session:
        months = old_months(session, days, now=now)
    for month in months:
        if time.monotonic() >= deadline:
            return
        try:
            with database.write() as session:
                dropped = drop_old_month(session, month)
        except MonthInUse as error:
            log.info("month %d stays for now: %s", month, error)
            continue
        if dropped:
            log.info("month %d: all faces deleted: their time was up", month)


def _delete_faces(
    database: Database, days: int | None, deadline: float, now: datetime | None
) -> bool:
    stuck: set[int] = set()
    while days is not None:
        with database.read() as session:
            old = recordings_with_old_faces(
                session, days, limit=_RECORDINGS_AT_ONCE, besides=stuck, now=now
            )
        if not old:
            break
        if time.monotonic() >= deadline:
            return False
        with database.write() as session:
            gone = note_faces_gone(session, old, now=now)
        for recording_id in old:
            if recording_id in gone:
                continue
            with _going_on(recording_id, stuck):
                if not _faces_of(database, recording_id, deadline, now):
                    return False
    return True


def _delete_people(
    database: Database, days: int | None, deadline: float, now: datetime | None
) -> bool:
    stuck: set[int] = set()
    while days is not None:
        with database.read() as session:
            old = recordings_with_old_people(
                session, days, limit=_RECORDINGS_AT_ONCE, besides=stuck, now=now
            )
        if not old:
            break
        for recording_id in old:
            with _going_on(recording_id, stuck):
                # Their faces first, so that what is one transaction is small.
                if not _faces_of(database, recording_id, deadline, now):
                    return False
                with database.write() as session:
                    people = seal_people(session, recording_id, now=now)
                log.info("recording %d: %d people deleted: their time was up", recording_id, people)
    return True


@contextmanager
def _going_on(recording_id: int, stuck: set[int]) -> Iterator[None]:
    """One recording that cannot be dealt with holds up no other: it is added to ``stuck``, and is
    tried again by the next sweep."""
    try:
        yield
    except Exception:
        log.exception("recording %d: what has expired could not be deleted", recording_id)
        stuck.add(recording_id)


def _faces_of(database: Database, recording_id: int, deadline: float, now: datetime | None) -> bool:
    with database.read() as session:
        segments = segments_with_faces(session, recording_id)
    while True:
        if time.monotonic() >= deadline:
            return False
        some, segments = segments[:_SEGMENTS_AT_ONCE], segments[_SEGMENTS_AT_ONCE:]
        with database.write() as session:
            delete_faces(session, recording_id, some, now=now)
        if not segments:
            return True
