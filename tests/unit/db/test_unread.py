"""Which footage of a time is not read yet, and which days it touches."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from db.engine import Database
from db.recordings import cancel_recording
from db.tables import Recording
from db.unread import Unread, unread_between
from tests.unit.db.made_rows import NOON, Scene, add_camera, add_video, lease_segment, read_segment

HOUR = timedelta(hours=1)
Change = Callable[[Session, int], object]


def wait(session: Session, recording: int) -> None:
    """Nothing is done."""


def begin(session: Session, recording: int) -> None:
    lease_segment(session, recording, 0, now=NOON)


def read(session: Session, recording: int) -> None:
    read_segment(session, recording, Scene([], segments=1), 0)


@pytest.mark.parametrize(
    ("change", "unread"), [(wait, 1), (begin, 1), (read, 0), (cancel_recording, 0)]
)
def test_what_waits_or_is_being_read_is_unread(
    database: Database, change: Change, unread: int
) -> None:
    with database.write() as session:
        camera = add_camera(session)
        change(session, add_video(session, camera, segments=1))
        assert len(unread_between(session, NOON - HOUR, NOON + HOUR, [camera])) == unread


def test_only_footage_that_touches_the_time_counts(database: Database) -> None:
    """Of a quarter of an hour from noon on."""
    quarter = HOUR / 4
    with database.write() as session:
        camera, other = add_camera(session), add_camera(session, "Till")
        add_video(session, camera)

        def count(start: datetime, end: datetime, cameras: list[int]) -> int:
            return len(unread_between(session, start, end, cameras))

        assert count(NOON + quarter / 2, NOON + HOUR, [camera, other]) == 1
        assert count(NOON - HOUR, NOON + quarter / 2, [camera]) == 1
        assert count(NOON + quarter, NOON + HOUR, [camera]) == 0
        assert count(NOON - HOUR, NOON, [camera]) == 0
        assert count(NOON, NOON + HOUR, [other]) == 0


def test_a_picture_counts_in_the_time_in_which_it_was_taken(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        add_video(session, camera, segments=1)
        session.execute(update(Recording).values(duration_ms=0))
        assert unread_between(session, NOON, NOON + HOUR, [camera]) == [Unread(camera, NOON, NOON)]
        assert unread_between(session, NOON - HOUR, NOON, [camera]) == []


def test_days_are_those_of_the_sites_clock_and_end_at_midnight() -> None:
    evening = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
    sunday, monday = date(2026, 3, 1), date(2026, 3, 2)
    assert list(Unread(1, evening, evening + HOUR).days("Europe/Berlin")) == [monday]
    assert list(Unread(1, evening, evening).days("Europe/Berlin")) == [monday]
    early = Unread(1, datetime(2026, 3, 2, 4, 0, tzinfo=UTC), evening)
    assert list(early.days("America/New_York")) == [sunday, monday]
