"""What is old goes, and no figure changes for it."""

from datetime import datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.buckets import read_buckets, rebuild_buckets
from db.engine import Database
from db.places import update_site
from db.recordings import (
    RecordingError,
    cancel_recording,
    delete_recording,
    readable_again,
    retry_recording,
    set_captured_at,
)
from db.retention import (
    Due,
    KeptDays,
    RetentionError,
    count_due,
    delete_faces,
    keep_for,
    kept_days,
    recordings_with_old_faces,
    recordings_with_old_people,
    seal_people,
    segments_with_faces,
    unread_footage,
)
from db.tables import Prediction, Recording, Segment, Site, Track
from fer_core.types import UNKNOWN
from tests.unit.db.made_rows import MINUTE, NOON, Person, Scene, add_camera, add_video, read_segment

SEGMENT_MS = 35 * MINUTE
BORDER = SEGMENT_MS
CROWD = Scene(
    [
        Person([MINUTE, 2 * MINUTE]),
        Person([BORDER - 1000, BORDER + 1000], "sad"),
        Person([BORDER + 30 * MINUTE], UNKNOWN),
    ],
    2,
    SEGMENT_MS,
)
"""Three people in two hours, one of them over the border of the segments."""

LATER = NOON + timedelta(days=40)


def add_crowd(session: Session, camera: int, captured_at: datetime = NOON) -> int:
    recording = add_video(
        session,
        camera,
        segments=2,
        segment_ms=SEGMENT_MS,
        name=f"{captured_at:%d%H%M}.mp4",
        captured_at=captured_at,
        now=captured_at,
    )
    for index in (0, 1):
        read_segment(session, recording, CROWD, index, now=captured_at)
    return recording


def rows(session: Session, recording: int) -> tuple[int, int]:
    """(faces, tracks) that are stored."""
    faces = select(func.count(Prediction.face)).where(Prediction.recording_id == recording)
    tracks = select(func.count(Track.id)).where(Track.recording_id == recording)
    return session.scalar(faces) or 0, session.scalar(tracks) or 0


def hours(session: Session) -> pd.DataFrame:
    return read_buckets(session).reset_index(drop=True)


def same_hours(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Sums in another order differ in their last digits."""
    pd.testing.assert_frame_equal(found, expected, check_exact=False, rtol=1e-9)


def test_everything_is_kept_until_somebody_says_otherwise(database: Database) -> None:
    with database.write() as session:
        assert kept_days(session) == KeptDays(None, None, None)
        keep_for(session, KeptDays(30, 365, 7))
    with database.write() as session:
        assert kept_days(session) == KeptDays(30, 365, 7)
        keep_for(session, KeptDays(30, None, None))
        assert kept_days(session) == KeptDays(30, None, None)


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (KeptDays(faces=0), "from 1 to 36,500 days"),
        (KeptDays(footage=40_000), "from 1 to 36,500 days"),
    ],
)
def test_days_that_are_none_are_refused(database: Database, days: KeptDays, sentence: str) -> None:
    with database.write() as session, pytest.raises(RetentionError, match=sentence):
        keep_for(session, days)


def test_days_that_were_left_as_shown_stay_as_they_are_stored(database: Database) -> None:
    with database.write() as session:
        keep_for(session, KeptDays(30, 365, None))
        keep_for(session, KeptDays(None, 90, 7), shown=KeptDays(None, None, 14))
        assert kept_days(session) == KeptDays(30, 90, 7)
        keep_for(session, KeptDays(None, 90, 7), shown=KeptDays(30, 90, 7))
        assert kept_days(session) == KeptDays(None, 90, 7)


def test_what_would_go_is_counted_before(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        add_crowd(session, camera)
        add_crowd(session, camera, LATER - timedelta(days=1))
        waiting = add_video(session, camera, name="waits.mp4")
        assert count_due(session, KeptDays(), LATER) == Due(0, 0, 0)
        assert count_due(session, KeptDays(30, 30, 30), LATER) == Due(5, 3, 1)
        assert count_due(session, KeptDays(30, 41, None), LATER) == Due(5, 0, 0)
        # Faces go with their people at the latest.
        for faces in (None, 41):
            assert count_due(session, KeptDays(faces, 30, None), LATER) == Due(5, 3, 0)
        cancel_recording(session, waiting)
        assert count_due(session, KeptDays(footage=30), LATER).footage == 2


def test_faces_go_segment_by_segment_and_people_stay(database: Database) -> None:
    with database.write() as session:
        recording = add_crowd(session, add_camera(session))
        before = hours(session)
        assert segments_with_faces(session, recording) == [0, 1]
        delete_faces(session, recording, [0], now=LATER)
        assert recordings_with_old_faces(session, 30, limit=9, now=LATER) == [recording]
        delete_faces(session, recording, [1], now=LATER)
        assert recordings_with_old_faces(session, 30, limit=9, now=LATER) == []
        assert rows(session, recording) == (0, 4)
        rebuild_buckets(session)
        same_hours(hours(session), before)


def test_hours_keep_their_sums_when_their_people_go(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        recording = add_crowd(session, camera)
        before = hours(session)
        assert recordings_with_old_people(session, 30, limit=9, now=LATER) == [recording]
        assert seal_people(session, recording, now=LATER) == 3
        assert recordings_with_old_people(session, 30, limit=9, now=LATER) == []
        assert rows(session, recording) == (0, 0)
        same_hours(hours(session), before)
        rebuild_buckets(session)
        same_hours(hours(session), before)
        assert seal_people(session, recording, now=LATER) == 0
        rebuild_buckets(session)
        same_hours(hours(session), before)


def test_what_is_read_beside_sealed_people_is_added_and_taken_away_again(
    database: Database,
) -> None:
    with database.write() as session:
        camera = add_camera(session)
        seal_people(session, add_crowd(session, camera), now=LATER)
        sealed = hours(session)
        beside = add_crowd(session, camera, NOON + timedelta(minutes=10))
        both = hours(session)
        assert int(both["people"].sum()) == 2 * int(sealed["people"].sum())
        seal_people(session, beside, now=LATER)
        rebuild_buckets(session)
        same_hours(hours(session), both)
        third = add_crowd(session, camera, NOON + timedelta(minutes=20))
        delete_recording(session, third)
        same_hours(hours(session), both)


def test_hours_sealed_before_and_after_the_time_zone_was_corrected_stand_side_by_side(
    database: Database,
) -> None:
    with database.write() as session:
        camera = add_camera(session, time_zone="UTC")
        seal_people(session, add_crowd(session, camera), now=LATER)
        update_site(session, session.scalars(select(Site.id)).one(), time_zone="Asia/Kolkata")
        late = add_crowd(session, camera, NOON - timedelta(minutes=90))
        seal_people(session, late, now=LATER)
        rebuild_buckets(session)
        found = hours(session)
        assert [f"{hour:%H:%M}" for hour in found["hour"]] == ["10:30", "11:30", "12:00", "13:00"]
        assert found["people"].tolist() == [2, 1, 2, 1]


def test_sealed_hours_outlive_their_recording(database: Database) -> None:
    with database.write() as session:
        recording = add_crowd(session, add_camera(session))
        seal_people(session, recording, now=LATER)
        before = hours(session)
        delete_recording(session, recording)
        rebuild_buckets(session)
        same_hours(hours(session), before)


def test_what_is_sealed_is_neither_read_again_nor_moved(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        recording = add_crowd(session, camera)
        assert readable_again(session, camera) == [recording]
        seal_people(session, recording, now=LATER)
        assert readable_again(session, camera) == []
        with pytest.raises(RecordingError, match="count twice"):
            retry_recording(session, recording)
        with pytest.raises(RecordingError, match="can no longer be moved"):
            set_captured_at(session, recording, LATER)


def test_what_is_being_read_keeps_its_rows(database: Database) -> None:
    with database.write() as session:
        recording = add_crowd(session, add_camera(session))
        retry_recording(session, recording)
        delete_faces(session, recording, [0, 1], now=LATER)
        assert seal_people(session, recording, now=LATER) == 0
        assert rows(session, recording) == (5, 4)
        assert recordings_with_old_people(session, 30, limit=9, now=LATER) == []


def test_reading_again_replaces_what_was_read(database: Database) -> None:
    with database.write() as session:
        recording = add_crowd(session, add_camera(session))
        before = hours(session)
        delete_faces(session, recording, [0, 1], now=LATER)
        retry_recording(session, recording)
        for index in (0, 1):
            read_segment(session, recording, CROWD, index)
        same_hours(hours(session), before)
        assert rows(session, recording) == (5, 4)
        found = session.get(Recording, recording)
        assert found is not None
        assert (found.state, found.faces_deleted_at) == ("done", None)


def test_people_at_the_seams_count_once_where_faces_went_before_the_rest_was_read(
    database: Database,
) -> None:
    scene = Scene([Person([MINUTE]), Person([4 * MINUTE, 6 * MINUTE, 9 * MINUTE, 11 * MINUTE])], 4)
    with database.write() as session:
        recording = add_video(session, add_camera(session), segments=4)
        for index in (0, 1, 3):
            read_segment(session, recording, scene, index)
        cancel_recording(session, recording)
        delete_faces(session, recording, [0, 1], now=LATER)
        retry_recording(session, recording)
        again = select(Segment.index).where(Segment.state == "queued").order_by(Segment.index)
        # Nobody was in the last segment.
        assert session.scalars(again).all() == [0, 1, 2]
        for index in (2, 1, 0):
            read_segment(session, recording, scene, index)
        people = select(func.count(Track.id)).where(Track.root_id.is_(None))
        assert session.scalar(people) == 2
        assert int(hours(session)["people"].sum()) == 2
        assert rows(session, recording) == (5, 4)


def test_age_counts_from_the_upload_where_the_camera_is_ahead_of_its_time(
    database: Database,
) -> None:
    with database.write() as session:
        camera = add_camera(session)
        recording = add_crowd(session, camera)
        set_captured_at(session, recording, LATER + timedelta(days=1000))
        assert recordings_with_old_people(session, 30, limit=9, now=LATER) == [recording]
        assert recordings_with_old_people(session, 50, limit=9, now=LATER) == []


def test_the_footage_of_what_was_not_read_goes_too(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        add_crowd(session, camera)
        cancelled = add_video(session, camera, name="cancelled.mp4")
        cancel_recording(session, cancelled, now=NOON)
        week = NOON + timedelta(days=7)
        assert unread_footage(session, 7, now=week) == {}
        late = week + timedelta(seconds=1)
        assert unread_footage(session, 7, now=late) == {cancelled: "key of cancelled.mp4"}
