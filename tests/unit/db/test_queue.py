"""Leases: who gets which segment, what happens to those who die, and when a recording fails."""

from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from db.engine import Database
from db.queue import MOST_DEATHS, Lease, claim, fail, release, renew
from db.recording_rows import RecordingRow, get_recording
from db.recordings import (
    BACKLOG_AFTER,
    cancel_recording,
    delete_recording,
    read_first,
    retry_recording,
)
from db.results import LeaseLost, write_segment
from db.tables import RecordingState, Segment, SegmentState
from tests.unit.db.made_rows import NOON, Scene, add_camera, add_video, read_next

EMPTY = Scene([])
SECOND = timedelta(seconds=1)


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        return add_camera(session)


def video(database: Database, camera: int, name: str = "monday.mp4", *, segments: int = 3) -> int:
    """A recording added at once after those before it."""
    with database.write() as session:
        place = session.scalar(select(Segment.recording_id).order_by(Segment.recording_id.desc()))
        return add_video(
            session, camera, name=name, segments=segments, now=NOON + (place or 0) * SECOND
        )


def take(database: Database, *, after: float = 0, owner: str = "a worker") -> Lease | None:
    with database.write() as session:
        return claim(session, owner, 30, NOON + after * SECOND)


def taken(database: Database, *, after: float = 0, owner: str = "a worker") -> Lease:
    lease = take(database, after=after, owner=owner)
    assert lease is not None
    return lease


def row_of(database: Database, recording: int) -> RecordingRow:
    with database.read() as session:
        row = get_recording(session, recording)
    assert row is not None
    return row


def states(database: Database, recording: int) -> list[str]:
    with database.read() as session:
        query = select(Segment.state).where(Segment.recording_id == recording)
        return list(session.scalars(query.order_by(Segment.index)))


def test_an_empty_queue_gives_nothing(database: Database) -> None:
    assert take(database) is None


def test_a_lease_says_what_and_until_when(database: Database, camera: int) -> None:
    recording = video(database, camera)
    lease = taken(database, owner="worker 7")
    assert lease == Lease(recording, 0, "worker 7", NOON + 30 * SECOND, 1)
    row = row_of(database, recording)
    assert (row.state, row.started_at) == (RecordingState.READING, NOON)


def test_segments_are_given_out_in_order_and_once(database: Database, camera: int) -> None:
    video(database, camera, segments=3)
    assert [taken(database).index for _ in range(3)] == [0, 1, 2]
    assert take(database) is None


def test_recordings_take_turns(database: Database, camera: int) -> None:
    first = video(database, camera, "first.mp4")
    second = video(database, camera, "second.mp4")
    given = [taken(database).recording_id for _ in range(6)]
    assert given == [first, second, first, second, first, second]


def test_a_backlog_waits_for_what_is_new(database: Database, camera: int) -> None:
    with database.write() as session:
        backlog = add_video(
            session, camera, name="last-year.mp4", captured_at=NOON - BACKLOG_AFTER - SECOND
        )
    assert taken(database).recording_id == backlog
    today = video(database, camera, "this-morning.mp4", segments=3)
    assert [taken(database).recording_id for _ in range(4)] == [today, today, today, backlog]


def test_who_asks_for_it_is_read_first(database: Database, camera: int) -> None:
    first = video(database, camera, "first.mp4")
    second = video(database, camera, "second.mp4", segments=2)
    with database.write() as session:
        assert read_first(session, second)
    assert [taken(database).recording_id for _ in range(3)] == [second, second, first]
    with database.write() as session:
        assert not read_first(session, 999)


def test_the_oldest_comes_first_where_none_is_being_read(database: Database, camera: int) -> None:
    first = video(database, camera, "first.mp4")
    video(database, camera, "second.mp4")
    for expected in range(3):
        with database.write() as session:
            lease = read_next(session, EMPTY)
        assert (lease.recording_id, lease.index) == (first, expected)


def test_one_that_was_begun_does_not_wait_behind_a_younger_one(
    database: Database, camera: int
) -> None:
    first = video(database, camera, "first.mp4")
    lease = taken(database)
    video(database, camera, "second.mp4")
    with database.write() as session:
        release(session, lease)
    assert taken(database).recording_id == first


def test_a_lease_that_ran_out_goes_to_the_next(database: Database, camera: int) -> None:
    video(database, camera, segments=1)
    lost = taken(database, owner="dead")
    assert take(database, after=29, owner="alive") is None
    lease = taken(database, after=31, owner="alive")
    assert (lease.index, lease.owner, lease.attempts) == (0, "alive", 2)
    with database.write() as session:
        assert not renew(session, lost, 30, 1000, NOON + 32 * SECOND)
        with pytest.raises(LeaseLost):
            write_segment(session, lost, EMPTY.result(0), "model 1", NOON)


def test_a_worker_that_takes_its_own_lost_segment_again_has_a_new_lease(
    database: Database, camera: int
) -> None:
    video(database, camera, segments=1)
    lost = taken(database)
    lease = taken(database, after=31)
    with database.write() as session:
        assert not renew(session, lost, 30, 0, NOON + 32 * SECOND)
        assert renew(session, lease, 30, 0, NOON + 32 * SECOND)


def test_a_sign_of_life_keeps_the_lease_and_tells_progress(database: Database, camera: int) -> None:
    recording = video(database, camera, segments=2)
    lease = taken(database)
    with database.write() as session:
        assert renew(session, lease, 30, 150_000, NOON + 20 * SECOND)
    taken(database)
    assert take(database, after=40, owner="other") == Lease(
        recording, 1, "other", NOON + 70 * SECOND, 2
    )
    assert take(database, after=40, owner="other") is None
    assert row_of(database, recording).progress == pytest.approx(0.25)


def test_a_segment_given_back_is_free_and_the_attempt_does_not_count(
    database: Database, camera: int
) -> None:
    video(database, camera, segments=1)
    for _ in range(5):
        lease = taken(database)
        assert lease.attempts == 1
        with database.write() as session:
            release(session, lease)


def test_a_lost_lease_cannot_be_given_back_or_failed(database: Database, camera: int) -> None:
    recording = video(database, camera, segments=1)
    lost = taken(database, owner="dead")
    taken(database, after=31, owner="alive")
    with database.write() as session:
        release(session, lost)
        fail(session, lost, "It broke.", permanent=True, max_attempts=3, now=NOON)
    assert states(database, recording) == [SegmentState.LEASED]
    assert row_of(database, recording).state is RecordingState.READING


def test_a_failure_is_tried_again_until_the_last_attempt(database: Database, camera: int) -> None:
    recording = video(database, camera, segments=2)
    for attempt in (1, 2, 3):
        lease = taken(database)
        assert (lease.index, lease.attempts) == (0, attempt)
        with database.write() as session:
            fail(session, lease, "not enough memory", permanent=False, max_attempts=3, now=NOON)
    row = row_of(database, recording)
    assert row.state is RecordingState.FAILED
    assert row.error == "monday.mp4 could not be read after 3 attempts: not enough memory."
    assert row.finished_at == NOON
    assert states(database, recording) == [SegmentState.FAILED, SegmentState.CANCELLED]
    assert take(database) is None


def test_the_name_of_the_file_is_not_said_twice(database: Database, camera: int) -> None:
    recording = video(database, camera, segments=1)
    with database.write() as session:
        lease = claim(session, "a worker", 30, NOON)
        assert lease is not None
        reason = "monday.mp4: the disk is full."
        fail(session, lease, reason, permanent=False, max_attempts=1, now=NOON)
    error = row_of(database, recording).error
    assert error == "monday.mp4 could not be read after 1 attempt: the disk is full."


def test_a_permanent_failure_ends_the_recording_at_once(database: Database, camera: int) -> None:
    recording = video(database, camera, segments=3)
    with database.write() as session:
        read_next(session, EMPTY)
    lease, beside = taken(database), taken(database, owner="other")
    with database.write() as session:
        reason = "monday.mp4: it is damaged."
        fail(session, lease, reason, permanent=True, max_attempts=3, now=NOON)
        assert not renew(session, beside, 30, 0, NOON)
    row = row_of(database, recording)
    assert (row.state, row.error) == (RecordingState.FAILED, "monday.mp4: it is damaged.")
    assert states(database, recording) == ["done", "failed", "cancelled"]
    assert take(database, after=60) is None


def test_workers_that_die_each_time_end_the_recording(database: Database, camera: int) -> None:
    recording = video(database, camera, segments=1)
    for attempt in range(1, MOST_DEATHS + 1):
        assert taken(database, after=100 * attempt).attempts == attempt
    assert take(database, after=100 * (MOST_DEATHS + 1)) is None
    row = row_of(database, recording)
    assert row.state is RecordingState.FAILED
    assert row.error == (
        f"monday.mp4 could not be read after {MOST_DEATHS} attempts: "
        "the worker that read it stopped without a word."
    )


def test_deaths_and_faults_are_counted_apart(database: Database, camera: int) -> None:
    recording = video(database, camera, segments=1)
    for attempt in range(1, 10):
        lease = taken(database, after=100 * attempt)
        with database.write() as session:
            fail(session, lease, "killed", permanent=False, max_attempts=1, now=NOON, died=True)
    assert row_of(database, recording).state is RecordingState.READING
    lease = taken(database, after=2000)
    with database.write() as session:
        fail(session, lease, "It broke.", permanent=False, max_attempts=1, now=NOON)
    assert row_of(database, recording).state is RecordingState.FAILED


def test_a_recording_that_fails_does_not_hold_up_the_next(database: Database, camera: int) -> None:
    first = video(database, camera, "first.mp4", segments=1)
    for attempt in range(1, MOST_DEATHS + 1):
        taken(database, after=100 * attempt)
    second = video(database, camera, "second.mp4", segments=1)
    assert taken(database, after=100 * (MOST_DEATHS + 1)).recording_id == second
    assert row_of(database, first).state is RecordingState.FAILED


def test_a_long_reason_is_cut_to_fit(database: Database, camera: int) -> None:
    recording = video(database, camera, segments=1)
    lease = taken(database)
    with database.write() as session:
        fail(session, lease, "x" * 5000, permanent=True, max_attempts=3, now=NOON)
    error = row_of(database, recording).error
    assert error is not None
    assert len(error) == 1000


def test_a_cancelled_recording_gives_no_lease_and_takes_no_result(
    database: Database, camera: int
) -> None:
    recording = video(database, camera)
    lease = taken(database)
    with database.write() as session:
        assert cancel_recording(session, recording)
        assert not renew(session, lease, 30, 0, NOON)
        with pytest.raises(LeaseLost):
            write_segment(session, lease, EMPTY.result(0), "model 1", NOON)
    assert take(database, after=60) is None


def test_a_deleted_recording_takes_no_result(database: Database, camera: int) -> None:
    recording = video(database, camera)
    lease = taken(database)
    with database.write() as session:
        delete_recording(session, recording)
        assert not renew(session, lease, 30, 0, NOON)
        with pytest.raises(LeaseLost):
            write_segment(session, lease, EMPTY.result(0), "model 1", NOON)
    assert take(database, after=60) is None


def test_what_is_tried_again_has_all_its_attempts(database: Database, camera: int) -> None:
    recording = video(database, camera, segments=2)
    with database.write() as session:
        read_next(session, EMPTY)
    lease = taken(database)
    with database.write() as session:
        fail(session, lease, "It broke.", permanent=True, max_attempts=3, now=NOON)
        retry_recording(session, recording)
    assert states(database, recording) == ["done", "queued"]
    lease = taken(database)
    assert (lease.index, lease.attempts) == (1, 1)
    assert row_of(database, recording).state is RecordingState.READING


def test_however_much_waits_a_claim_looks_at_little_of_it(sqlite_url: str) -> None:
    """In a file: a server chooses its plans by what the tables hold."""
    steps: list[str] = []

    def explain(
        connection: object, _cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        if statement.startswith("SELECT"):
            raw = connection.connection.driver_connection  # type: ignore[attr-defined]
            rows = raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            steps.extend(row[3] for row in rows)

    with closing(Database(sqlite_url)) as database:
        with database.write() as session:
            camera = add_camera(session)
        video(database, camera)
        event.listen(database._engine, "before_cursor_execute", explain)
        taken(database)
    found = [step for step in steps if "recordings" in step or "segments" in step]
    assert len(found) >= 5
    assert all(step.startswith("SEARCH") for step in found)
    # Only the few that are being read are sorted, and their first with the oldest of those that
    # wait, which has its place.
    assert sum("ORDER BY" in step for step in steps) == 2, steps
