"""Every face is kept with the month in which it was seen, and found by it."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, inspect, select
from sqlalchemy.orm import Session

from db.engine import Database, downgrade, upgrade
from db.exports import iterate_predictions
from db.months import begin_of, month_of, months_between, next_month, stretches
from db.recordings import delete_recording, retry_recording, set_captured_at
from db.results import people_frame
from db.stills import footage_of
from db.tables import Prediction, Recording, Track
from tests.made_jobs import rows
from tests.unit.db.made_rows import MINUTE, Person, Scene, add_camera, add_video, read_segment

MIDNIGHT = datetime(2026, 4, 1, tzinfo=UTC)
"""The end of a month."""

BEFORE = MIDNIGHT - timedelta(minutes=7)
NIGHT = Scene([Person([MINUTE, 6 * MINUTE, 8 * MINUTE]), Person([12 * MINUTE], "sad")])
"""Fifteen minutes, of which seven belong to the old month where they begin at BEFORE."""


@pytest.fixture
def recording(database: Database) -> int:
    with database.write() as session:
        made = add_video(session, add_camera(session), captured_at=BEFORE, now=BEFORE)
        for index in (1, 0, 2):
            read_segment(session, made, NIGHT, index)
    return made


def months(session: Session) -> list[tuple[int, int]]:
    """(milliseconds, month) of every face."""
    query = select(Prediction.time_ms, Prediction.month).order_by(Prediction.time_ms)
    return [(row[0], row[1]) for row in session.execute(query)]


AS_SEEN = [
    (MINUTE, 202603),
    (6 * MINUTE, 202603),
    (8 * MINUTE, 202604),
    (12 * MINUTE, 202604),
]


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 100 * 24 * 60 * MINUTE),
)
def test_every_millisecond_lies_in_the_month_of_its_instant(at: datetime, last: int) -> None:
    found = list(stretches(at, last))
    assert found[0].first_ms == 0
    assert found[-1].behind_ms == last + 1
    for one, other in pairwise(found):
        assert one.behind_ms == other.first_ms
        assert other.month == next_month(one.month)
    for one in found:
        for ms in (one.first_ms, one.behind_ms - 1):
            assert month_of(at + timedelta(milliseconds=ms)) == one.month
    behind = at + timedelta(milliseconds=last)
    assert [one.month for one in found] == months_between(at, behind)


def test_a_month_is_that_of_universal_time() -> None:
    east = datetime.fromisoformat("2027-01-01T00:30+01:00")
    assert month_of(east) == 202612
    assert next_month(202612) == 202701
    assert begin_of(202701) == datetime(2027, 1, 1, tzinfo=UTC)


def test_faces_of_one_recording_lie_in_the_months_they_were_seen_in(
    database: Database, recording: int
) -> None:
    with database.read() as session:
        assert months(session) == AS_SEEN
        assert people_frame(session, recording)["faces"].tolist() == [3, 1]
        after = list(iterate_predictions(session, start=MIDNIGHT))
        assert after[0]["time_ms"].tolist() == [8 * MINUTE, 12 * MINUTE]
        footage = footage_of(session, recording, [6 * MINUTE, 8 * MINUTE + 1000])
        assert footage is not None
        assert sorted(seen.time_ms for seen in footage.seen) == [6 * MINUTE, 8 * MINUTE]


def test_what_is_read_again_is_not_there_twice(database: Database, recording: int) -> None:
    before = rows(database)
    with database.write() as session:
        retry_recording(session, recording)
        for index in (2, 1, 0):
            read_segment(session, recording, NIGHT, index)
    assert rows(database) == before


@pytest.mark.parametrize(
    ("captured_at", "seen_in"),
    [
        (BEFORE + timedelta(minutes=10), [202604] * 4),
        (BEFORE - timedelta(days=400), [202502] * 4),
        (BEFORE + timedelta(minutes=1, microseconds=1), [202603, 202604, 202604, 202604]),
        (datetime(2027, 12, 31, 23, 49, tzinfo=UTC), [202712, 202712, 202712, 202801]),
        (BEFORE + timedelta(seconds=1), [202603, 202603, 202604, 202604]),
    ],
)
def test_faces_move_with_their_recording(
    database: Database, recording: int, captured_at: datetime, seen_in: list[int]
) -> None:
    with database.write() as session:
        set_captured_at(session, recording, captured_at)
    with database.write() as session:
        assert [month for _, month in months(session)] == seen_in
        moved = list(iterate_predictions(session, start=captured_at))
        assert moved[0]["time_ms"].tolist() == [time for time, _ in AS_SEEN]
        # All are found where they are now: nothing stays behind, nothing is doubled.
        retry_recording(session, recording)
        for index in (0, 1, 2):
            read_segment(session, recording, NIGHT, index)
        assert [month for _, month in months(session)] == seen_in
        set_captured_at(session, recording, BEFORE)
        assert months(session) == AS_SEEN
        delete_recording(session, recording)
        for table in (Prediction, Track, Recording):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_footage_longer_than_its_container_told_is_found_in_the_next_month(
    database: Database,
) -> None:
    with database.write() as session:
        camera = add_camera(session)
        begun = MIDNIGHT - timedelta(minutes=5)
        longer = add_video(session, camera, segments=1, captured_at=begun, now=begun)
        late = Scene([Person([4 * MINUTE, 5 * MINUTE + 900])], segments=1, segment_ms=6 * MINUTE)
        for _ in range(2):
            read_segment(session, longer, late, 0)
        assert months(session) == [(4 * MINUTE, 202603), (5 * MINUTE + 900, 202604)]
        delete_recording(session, longer)
        assert months(session) == []


def test_a_migration_tells_each_face_its_month_and_loses_none(
    database_url: str, database: Database, recording: int
) -> None:
    with database.write() as session:
        other = add_video(
            session, add_camera(session, "Till"), name="other.mp4", captured_at=MIDNIGHT
        )
        read_segment(session, other, NIGHT, 0)
        # Rounded to milliseconds it would begin in the month after.
        close = add_video(
            session,
            add_camera(session, "Door"),
            name="close.mp4",
            segments=1,
            captured_at=MIDNIGHT - timedelta(microseconds=300),
        )
        read_segment(session, close, Scene([Person([0]), Person([1])], 1), 0)
    right = rows(database)
    assert recording
    database.close()
    downgrade(database_url, "0003")
    with closing(Database(database_url)) as old, old.read() as session:
        columns = inspect(session.connection()).get_columns("predictions")
        assert "month" not in {column["name"] for column in columns}
    upgrade(database_url)
    assert rows(database) == right
    # And back to work: what stands there is replaced.
    with database.write() as session:
        retry_recording(session, recording)
        for index in (0, 1, 2):
            read_segment(session, recording, NIGHT, index)
    assert rows(database) == right
