"""Exports: all rows of a stretch of time, in frames of bounded size and equal types."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from analytics.summary import by_day
from db import spans
from db.buckets import read_buckets
from db.engine import Database
from db.exports import (
    BUCKET_EXPORT_COLUMNS,
    PREDICTION_COLUMNS,
    TRACK_COLUMNS,
    iterate_buckets,
    iterate_predictions,
    iterate_tracks,
)
from db.recordings import add_recording
from db.scores import active_score, save_score
from fer_core.types import UNKNOWN, SegmentPlan
from tests.unit.db.made_rows import (
    MINUTE,
    NOON,
    Person,
    Scene,
    add_camera,
    add_video,
    footage_info,
    read_next,
    read_segment,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def camera(database: Database) -> int:
    """A camera with a video of three people, one of them over two segments, from noon on; the
    camera of another zone with a second one an hour later."""
    scene = Scene(
        [
            Person([1000, 4 * MINUTE, 6 * MINUTE]),
            Person([2000, 2200], UNKNOWN),
            Person([9 * MINUTE], "sad"),
        ],
        segments=2,
    )
    with database.write() as session:
        camera = add_camera(session)
        kolkata = add_camera(session, "Kolkata", "Asia/Kolkata")
        add_video(session, camera, segments=2)
        later = add_video(session, kolkata, segments=1, captured_at=NOON + HOUR, name="kolkata.mp4")
        for _ in range(2):
            read_next(session, scene)
        read_segment(session, later, Scene([Person([500])]), 0)
    return camera


def whole(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def test_predictions_come_with_place_person_and_both_times(database: Database, camera: int) -> None:
    assert camera
    with database.read() as session:
        frame = whole(list(iterate_predictions(session)))
    assert frame.columns.tolist() == list(PREDICTION_COLUMNS)
    assert frame["time_ms"].tolist() == [1000, 2000, 2200, 240_000, 360_000, 540_000, 500]
    first, last = frame.iloc[0], frame.iloc[-1]
    assert (first["site"], first["camera"], first["recording"]) == (
        "Site of Entrance",
        "Entrance",
        "monday.mp4",
    )
    assert first["time_utc"] == NOON + timedelta(seconds=1)
    assert first["time_local"] == datetime(2026, 3, 2, 13, 0, 1)  # noqa: DTZ001
    assert last["time_local"] == datetime(2026, 3, 2, 18, 30, 0, 500_000)  # noqa: DTZ001
    assert last["time_zone"] == "Asia/Kolkata"
    assert frame["model_version"].unique().tolist() == ["model 1"]
    one_person = frame[frame["time_ms"].isin([1000, 240_000, 360_000])]
    assert one_person["person_id"].nunique() == 1
    assert frame["person_id"].nunique() == 4
    unread = frame[frame["expression"] == UNKNOWN]
    assert unread["unknown_reason"].tolist() == ["small", "small"]
    assert unread["p_happy"].isna().all()


def test_people_are_exported_once_and_whole(database: Database, camera: int) -> None:
    assert camera
    with database.read() as session:
        frame = whole(list(iterate_tracks(session)))
        faces = whole(list(iterate_predictions(session)))
    assert frame.columns.tolist() == list(TRACK_COLUMNS)
    assert frame["faces"].tolist() == [3, 2, 1, 1]
    assert frame["expression"].tolist() == ["happy", UNKNOWN, "sad", "happy"]
    assert frame["start_utc"].iloc[0] == NOON + timedelta(seconds=1)
    assert frame["end_local"].iloc[0] == datetime(2026, 3, 2, 13, 6)  # noqa: DTZ001
    assert set(frame["person_id"]) == set(faces["person_id"])


def test_people_are_exported_with_their_index_at_both_ends(database: Database) -> None:
    """Of one who came happy and left sad, of one who was never read, and of who did not change."""
    people = [
        Person([1000, 3000, 8000], ends=("happy", "sad")),
        Person([2000], UNKNOWN),
        Person([9000], "neutral", ends=("neutral", "neutral")),
    ]
    with database.write() as session:
        add_video(session, add_camera(session), segments=1)
        read_next(session, Scene(people, segments=1))
        save_score(session, [0, 0, 0, 1, 0, 0, 0])  # happy alone counts
    with database.read() as session:
        frame = whole(list(iterate_tracks(session)))
    happy, other = 50 * (1 + 0.7), 50 * (1 + 0.05)
    assert frame["start_index"].tolist() == pytest.approx([happy, np.nan, other], nan_ok=True)
    assert frame["end_index"].tolist() == pytest.approx([other, np.nan, other], nan_ok=True)
    mean = 50 * (1 + frame["p_happy"])
    assert frame["index"].tolist() == pytest.approx(mean.tolist(), nan_ok=True)
    assert frame["score"].unique().tolist() == ["Satisfaction, version 2"]


def test_hours_are_exported_with_both_times(database: Database, camera: int) -> None:
    assert camera
    with database.read() as session:
        frame = whole(list(iterate_buckets(session)))
    assert frame.columns.tolist() == list(BUCKET_EXPORT_COLUMNS)
    assert frame["hour_utc"].tolist() == [NOON, NOON + HOUR / 2]
    assert [f"{hour:%H:%M}" for hour in frame["hour_local"]] == ["13:00", "18:00"]
    assert frame["people"].tolist() == [3, 1]


def test_hours_are_exported_with_the_index_that_pages_show(database: Database) -> None:
    people = [Person([at], "happy" if at < 8000 else "sad") for at in range(0, 12_000, 1000)]
    unread = Person([60 * MINUTE], UNKNOWN)
    with database.write() as session:
        add_video(session, add_camera(session), segments=2, segment_ms=60 * MINUTE)
        for _ in range(2):
            read_next(session, Scene([*people, unread], segments=2, segment_ms=60 * MINUTE))
        save_score(session, [0, 0, 0, 1, 0, 0, 0])
    with database.read() as session:
        frame = whole(list(iterate_buckets(session)))
        shown = by_day(read_buckets(session, start=NOON, end=NOON + HOUR), active_score(session), 1)
    for name in ("index", "index_low", "index_high"):
        assert frame[name].tolist() == pytest.approx([shown[name][0], np.nan], nan_ok=True)
    assert shown["index"][0] == pytest.approx(50 * (1 + (8 * 0.7 + 4 * 0.05) / 12))
    assert frame["score"].unique().tolist() == ["Satisfaction, version 2"]


def test_a_stretch_of_time_is_cut_inside_recordings(database: Database, camera: int) -> None:
    start, end = NOON + timedelta(seconds=2.1), NOON + timedelta(minutes=9)
    with database.read() as session:
        faces = whole(list(iterate_predictions(session, start=start, end=end)))
        people = whole(list(iterate_tracks(session, start=NOON, end=start)))
        elsewhere = whole(list(iterate_predictions(session, start=end, camera_ids=[camera])))
    assert faces["time_ms"].tolist() == [2200, 240_000, 360_000]
    assert people["faces"].tolist() == [3, 2]
    assert elsewhere["time_ms"].tolist() == [540_000]


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_frames_are_bounded_and_of_equal_types(database: Database, camera: int, chunk: int) -> None:
    assert camera
    with database.read() as session:
        frames = list(iterate_predictions(session, chunk=chunk))
        everything = whole(list(iterate_predictions(session)))
    assert max(len(frame) for frame in frames) == min(chunk, 7)
    assert all(frame.dtypes.equals(everything.dtypes) for frame in frames)
    assert whole(frames).equals(everything)


def test_nothing_to_export_is_one_frame_with_all_columns(database: Database, camera: int) -> None:
    with database.read() as session:
        for iterate in (iterate_predictions, iterate_tracks, iterate_buckets):
            (empty,) = iterate(session, start=NOON + 9 * HOUR, camera_ids=[camera])
            (full,) = iterate(session)
            assert empty.empty
            assert empty.dtypes.equals(full.dtypes)


def test_pictures_come_in_the_order_in_which_they_were_taken(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        for number in (2, 0, 1):
            add_recording(
                session,
                camera_id=camera,
                name=f"{number}.jpg",
                info=footage_info(0),
                plans=[SegmentPlan(0, 0, 1)],
                sha256=f"{number}" * 64,
                bytes=10,
                captured_at=datetime(2026, 3, 2, 12, number, tzinfo=UTC),
                captured_from="exif",
                footage_key="key",
                sample_rate=5,
            )
            read_next(session, Scene([Person([0]), Person([0])], 1, 1))
    with database.read() as session:
        faces = whole(list(iterate_predictions(session)))
        people = whole(list(iterate_tracks(session)))
    expected = ["0.jpg", "0.jpg", "1.jpg", "1.jpg", "2.jpg", "2.jpg"]
    assert faces["recording"].tolist() == expected
    assert people["recording"].tolist() == expected


@pytest.mark.parametrize("page", [1, 2, 5])
def test_many_short_recordings_are_read_together_and_stay_in_order(
    database: Database, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(spans, "_PAGE", page)
    monkeypatch.setattr(spans, "_AT_ONCE", page)
    with database.write() as session:
        camera = add_camera(session)
        for number, minute in enumerate(
            (3, 0, 4, 1, 2, 2)
        ):  # two begin at the same time, one is empty
            recording = add_video(
                session,
                camera,
                segments=1,
                segment_ms=MINUTE,
                captured_at=NOON + timedelta(minutes=minute),
                name=f"{number}.mp4",
            )
            seen = [] if minute == 1 else [Person([1000, 2000]), Person([3000], "sad")]
            scene = Scene(seen, segments=1, segment_ms=MINUTE)
            read_segment(session, recording, scene, 0)
    with database.read() as session:
        faces = whole(list(iterate_predictions(session, chunk=4)))
        people = whole(list(iterate_tracks(session, chunk=4)))
        some = whole(list(iterate_predictions(session, recording_ids=[1, 6])))
    assert faces["recording_id"].tolist() == [i for i in (2, 5, 6, 1, 3) for _ in range(3)]
    assert people["recording_id"].tolist() == [i for i in (2, 5, 6, 1, 3) for _ in range(2)]
    assert people["start_utc"].tolist() == faces["time_utc"][faces.index % 3 != 1].tolist()
    assert some["recording_id"].tolist() == [6, 6, 6, 1, 1, 1]
