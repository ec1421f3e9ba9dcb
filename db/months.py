"""The month in which a face was seen (UTC): every prediction has it in its key.

PostgreSQL keeps each month in a table of its own (db.partitions). A query that says which months
its rows can lie in opens those tables alone, so each query on predictions says so. A month is
written as a number: 202603 is March 2026.

A face was seen when its recording began, plus its milliseconds, and none is later than the
recording's length says: the months of a recording are known from its own row.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, false

from db.spans import Footage
from db.tables import Prediction, Recording

_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The milliseconds [``first_ms``, ``behind_ms``) of a recording lie in ``month``."""

    month: int
    first_ms: int
    behind_ms: int


def month_of(instant: datetime) -> int:
    """The month in which an aware ``instant`` lies."""
    there = instant.astimezone(UTC)
    return there.year * 100 + there.month


def begin_of(month: int) -> datetime:
    return datetime(month // 100, month % 100, 1, tzinfo=UTC)


def next_month(month: int) -> int:
    return month + 1 if month % 100 < 12 else month + 89


def months_between(first: datetime, last: datetime) -> list[int]:
    """The months that [``first``, ``last``] touches."""
    months = [month_of(first)]
    while months[-1] < month_of(last):
        months.append(next_month(months[-1]))
    return months


def stretches(captured_at: datetime, last_ms: int) -> Iterator[Stretch]:
    """Which milliseconds of a recording lie in which month, from 0 to ``last_ms``."""
    first = 0
    while first <= last_ms:
        month = month_of(captured_at + timedelta(milliseconds=first))
        behind = -((captured_at - begin_of(next_month(month))) // _MILLISECOND)
        yield Stretch(month, first, min(behind, last_ms + 1))
        first = behind


def months_seen(
    footage: Iterable[Footage], start: datetime | None = None, end: datetime | None = None
) -> ColumnElement[bool]:
    """A condition on predictions that holds for all of ``footage`` in [start, end), since it
    holds for all of the months from the first to the last."""
    spans: list[tuple[datetime, datetime]] = []
    for some in footage:
        last = some.captured_at + timedelta(milliseconds=some.duration_ms)
        spans.append(
            (
                some.captured_at if start is None else max(some.captured_at, start),
                last if end is None else min(last, end),
            )
        )
    first = min((span[0] for span in spans), default=None)
    last_of_all = max((span[1] for span in spans), default=None)
    if first is None or last_of_all is None or first > last_of_all:
        return false()
    return Prediction.month.between(month_of(first), month_of(last_of_all))


def faces_of(recording: Recording) -> ColumnElement[bool]:
    """A condition that holds for the predictions of a recording."""
    return (Prediction.recording_id == recording.id) & in_months(months_of(recording))


def months_of(recording: Recording) -> list[int]:
    """The months that a recording touches."""
    last = recording.captured_at + timedelta(milliseconds=recording.duration_ms)
    return months_between(recording.captured_at, last)


def in_months(months: Sequence[int]) -> ColumnElement[bool]:
    """A condition that holds for predictions of ``months``, which follow each other."""
    return Prediction.month.between(months[0], months[-1])
