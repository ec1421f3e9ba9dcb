"""Deletion on request takes everybody who was seen in the stretch, and nobody else."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from db.buckets import read_buckets, rebuild_buckets
from db.engine import Database
from db.erasure import Erased, erase_people, erase_sealed, recordings_touching
from db.recording_rows import get_recording
from db.results import people_frame
from db.retention import seal_people
from db.tables import Prediction
from tests.unit.db.made_rows import MINUTE, NOON, Person, Scene, add_camera, add_video, read_segment

SEGMENT_MS = 5 * MINUTE
SCENE = Scene(
    [
        Person([MINUTE]),
        Person([4 * MINUTE, 6 * MINUTE], "sad"),
        Person([8 * MINUTE]),
        Person([9 * MINUTE], "sad"),
    ],
    2,
    SEGMENT_MS,
)


@pytest.fixture
def recording(database: Database) -> int:
    """Ten minutes of camera 1 from noon on."""
    with database.write() as session:
        recording = add_video(session, add_camera(session), segments=2, segment_ms=SEGMENT_MS)
        for index in (0, 1):
            read_segment(session, recording, SCENE, index)
    return recording


def test_only_recordings_that_touch_the_stretch_are_looked_at(
    database: Database, recording: int
) -> None:
    with database.write() as session:
        add_video(session, add_camera(session, "Other"), segments=2, name="other.mp4")
        hour = timedelta(hours=1)
        assert recordings_touching(session, 1, NOON, NOON + hour) == [recording]
        assert recordings_touching(session, 1, NOON + 0.15 * hour, NOON + hour) == [recording]
        assert recordings_touching(session, 1, NOON + hour, NOON + 2 * hour) == []
        assert recordings_touching(session, 1, NOON - hour, NOON) == []


def test_people_go_whole_and_their_hours_with_them(database: Database, recording: int) -> None:
    minute = timedelta(minutes=1)
    with database.write() as session:
        erased = erase_people(session, recording, NOON + 5 * minute, NOON + 9 * minute)
        assert erased == Erased("monday.mp4", 2, "key of monday.mp4")
        assert people_frame(session, recording)["start_ms"].tolist() == [MINUTE, 9 * MINUTE]
        faces = session.scalars(select(Prediction.time_ms).order_by(Prediction.time_ms))
        assert list(faces) == [MINUTE, 9 * MINUTE]
        assert int(read_buckets(session)["people"].sum()) == 2
        again = erase_people(session, recording, NOON + 5 * minute, NOON + 9 * minute)
        assert again == Erased("monday.mp4", 0, "key of monday.mp4")


def test_what_is_still_to_be_read_is_not_read(database: Database) -> None:
    with database.write() as session:
        waiting = add_video(session, add_camera(session))
        erase_people(session, waiting, NOON, NOON + timedelta(hours=1))
        row = get_recording(session, waiting)
        assert row is not None
        assert row.state == "cancelled"
        assert erase_people(session, 77, NOON, NOON) is None


def test_sums_of_people_who_are_gone_already_go_too(database: Database, recording: int) -> None:
    with database.write() as session:
        seal_people(session, recording)
        hour = timedelta(hours=1)
        assert erase_sealed(session, 1, NOON + hour, NOON + 2 * hour) == 0
        assert int(read_buckets(session)["people"].sum()) == 4
        assert erase_sealed(session, 1, NOON, NOON + hour) == 1
        assert read_buckets(session).empty
        rebuild_buckets(session)
        assert read_buckets(session).empty


def test_sums_go_whole_however_little_of_their_hour_lies_in_the_stretch(
    database: Database, recording: int
) -> None:
    minute = timedelta(minutes=1)
    with database.write() as session:
        seal_people(session, recording)
        assert erase_sealed(session, 1, NOON - 50 * minute, NOON) == 0
        assert erase_sealed(session, 1, NOON + 10 * minute, NOON + 50 * minute) == 1
        assert read_buckets(session).empty
