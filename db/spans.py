"""Which footage, and which of its rows, lie in a stretch of time.

Rows hold milliseconds since their recording began. Adding those to a time is spelt differently in
every database, so the bounds are worked out here, for each recording, and the indices are used.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.tables import Recording

_MILLISECOND: Final = timedelta(milliseconds=1)
_AT_ONCE: Final = 500
"""Recordings asked for in one query; SQLite allows a thousand conditions."""
_PAGE: Final = 10 * _AT_ONCE
"""Recordings listed in one query."""


@dataclass(frozen=True, slots=True)
class Footage:
    """When a recording was taken (UTC) and how long it is."""

    recording_id: int
    captured_at: datetime
    duration_ms: int

    def milliseconds_until(self, instant: datetime) -> int:
        """The first whole millisecond of the footage that is not before ``instant``."""
        return -((self.captured_at - instant) // _MILLISECOND)


def recordings_between(
    session: Session,
    start: datetime | None,
    end: datetime | None,
    camera_ids: Sequence[int] | None,
) -> list[ColumnElement[bool]]:
    """Conditions on table recordings that hold for all whose footage touches [start, end).

    They may let a few more through: the longest recording of the cameras bounds how far back one
    can have begun.
    """
    conditions: list[ColumnElement[bool]] = []
    if camera_ids is not None:
        conditions.append(Recording.camera_id.in_(camera_ids))
    if start is not None:
        longest = session.scalar(select(func.max(Recording.duration_ms)).where(*conditions))
        reach = timedelta(milliseconds=longest or 0) + _MILLISECOND
        conditions.append(Recording.captured_at >= start - reach)
    if end is not None:
        conditions.append(Recording.captured_at < end)
    return conditions


def footage_between(
    session: Session,
    start: datetime | None,
    end: datetime | None,
    camera_ids: Sequence[int] | None,
    recording_ids: Sequence[int] | None = None,
) -> Iterator[list[Footage]]:
    """Recordings that may touch [start, end), by time, as many at once as a query asks for."""
    inside = recordings_between(session, start, end, camera_ids)
    if recording_ids is not None:
        inside.append(Recording.id.in_(recording_ids))
    place = tuple_(Recording.captured_at, Recording.id)
    query = (
        select(Recording.id, Recording.captured_at, Recording.duration_ms)
        .where(*inside)
        .order_by(Recording.captured_at, Recording.id)
        .limit(_PAGE)
    )
    page = query
    # A page is read to its end before others ask: SQLite holds a query open while rows are still
    # to come from it.
    while found := session.execute(page).all():
        for first in range(0, len(found), _AT_ONCE):
            yield [Footage(*row) for row in found[first : first + _AT_ONCE]]
        last = found[-1]
        page = query.where(place > (last.captured_at, last.id))


def grouped_by_rows(
    session: Session,
    footage: Iterable[Sequence[Footage]],
    recording_id: InstrumentedAttribute[int],
    at_most: int,
    within: Callable[[Sequence[Footage]], ColumnElement[bool]] = lambda _: true(),
) -> Iterator[list[Footage]]:
    """``footage`` in its order, in groups of at most ``at_most`` rows of a table together; a
    recording that has more of them is alone, one that has none is left out.

    ``recording_id``: the table's column, which an index begins with. ``within``: what else holds
    for the rows of some footage, so that they are found at less cost.
    """
    group: list[Footage] = []
    held = 0
    for some in footage:
        ids = [one.recording_id for one in some]
        query = select(recording_id, func.count()).where(recording_id.in_(ids), within(some))
        counts = {row[0]: row[1] for row in session.execute(query.group_by(recording_id))}
        for one in some:
            count = counts.get(one.recording_id, 0)
            if group and (held + count > at_most or len(group) == _AT_ONCE):
                yield group
                group, held = [], 0
            if count:
                group.append(one)
                held += count
    if group:
        yield group


def seen_between(
    footage: Iterable[Footage],
    start: datetime | None,
    end: datetime | None,
    recording_id: InstrumentedAttribute[int],
    time_ms: InstrumentedAttribute[int],
) -> ColumnElement[bool] | None:
    """A condition that holds for rows of ``footage`` in [start, end); None where there can be
    none. ``recording_id`` and ``time_ms``: the table's columns."""
    whole: list[int] = []
    parts: list[ColumnElement[bool]] = []
    for some in footage:
        first = 0 if start is None else some.milliseconds_until(start)
        behind = some.duration_ms + 1 if end is None else some.milliseconds_until(end)
        if first > some.duration_ms or behind <= 0:
            continue
        if first <= 0 and behind > some.duration_ms:
            whole.append(some.recording_id)
        else:
            parts.append(
                and_(recording_id == some.recording_id, time_ms >= first, time_ms < behind)
            )
    if whole:
        parts.append(recording_id.in_(whole))
    return or_(*parts) if parts else None
