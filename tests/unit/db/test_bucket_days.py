"""Days of buckets: the same as the hours they are packed from, however those change."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import delete, inspect, select
from sqlalchemy.orm import Session

from analytics.buckets import BUCKET_COLUMNS, aggregate
from db.bucket_days import frame_of, iterate_packed_buckets, packed, stored_columns
from db.buckets import read_buckets, rebuild_buckets, rebuild_camera
from db.engine import Database, downgrade, upgrade
from db.recordings import delete_recording, set_captured_at
from db.tables import Bucket, BucketDay
from tests.unit.analytics.people import crowd
from tests.unit.db.made_rows import (
    MINUTE,
    NOON,
    Person,
    Scene,
    add_camera,
    add_video,
    read_segment,
)

HOUR = timedelta(hours=1)


def seen(session: Session, camera: int, captured_at: datetime, *hours: float, name: str) -> int:
    """A recording of two days, with one person at each of ``hours``."""
    looks = ("happy", "sad", "unknown")
    people = [
        Person([int(hour * 60 * MINUTE)], looks[place % 3]) for place, hour in enumerate(hours)
    ]
    length = 48 * 60 * MINUTE
    recording = add_video(
        session, camera, segments=1, segment_ms=length, captured_at=captured_at, name=name
    )
    read_segment(session, recording, Scene(people, 1, length), 0)
    return recording


def hours_of(session: Session) -> pd.DataFrame:
    query = select(*stored_columns(Bucket)).order_by(Bucket.camera_id, Bucket.hour)
    return frame_of([tuple(row) for row in session.execute(query)])


def assert_in_line(session: Session) -> pd.DataFrame:
    """What is read is what the hours hold."""
    hours = hours_of(session)
    read = read_buckets(session)[list(BUCKET_COLUMNS)]
    pd.testing.assert_frame_equal(read, hours, check_exact=True)
    return hours


def test_days_follow_each_change_of_their_hours(database: Database) -> None:
    with database.write() as session:
        camera, other = add_camera(session), add_camera(session, "Till", "Asia/Kolkata")
        for place in (camera, other):
            seen(session, place, NOON, 0.1, 0.2, 5, 11.9, 12.1, 30, name="one.mp4")
        assert len(assert_in_line(session)) == 5 + 4  # Kolkata's hours begin at half past
        second = seen(session, camera, NOON + HOUR, 0.1, 11, 20, name="two.mp4")
        assert assert_in_line(session)["people"].sum() == 15
        set_captured_at(session, second, NOON + 200 * HOUR)
        assert assert_in_line(session)["people"].sum() == 15
        delete_recording(session, second)
        assert assert_in_line(session)["people"].sum() == 12


def test_a_rebuild_restores_days_that_were_lost_or_left_over(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        seen(session, camera, NOON, 0.1, 5, 30, name="one.mp4")
        right = read_buckets(session)
        session.execute(delete(BucketDay).where(BucketDay.day <= NOON))
        session.add(BucketDay(camera_id=camera, day=NOON + 480 * HOUR, hours=b"\0" * 376))
        session.flush()
        assert not read_buckets(session).equals(right)
        rebuild_buckets(session)
        assert read_buckets(session).equals(right)


def test_a_rebuild_tells_how_far_it_is(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        for day in range(4):
            seen(session, camera, NOON + day * 96 * HOUR, 0.1, 5, name=f"{day}.mp4")
        told: list[float] = []
        rebuild_camera(session, camera, told.append)
        assert told == sorted(told)
        assert len(told) >= 4
        assert told[-1] == 1
        assert told[0] < 0.2


def test_bounds_inside_a_day_are_kept_to_the_hour(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        seen(session, camera, NOON, *np.arange(0.5, 40), name="one.mp4")
        whole = read_buckets(session)
        for first, last in ((0, 1), (3, 12), (11, 13), (12, 36), (39, 50), (60, 70)):
            start, end = NOON + first * HOUR, NOON + last * HOUR
            inside = whole[(whole["hour"] >= start) & (whole["hour"] < end)]
            read = read_buckets(session, start=start, end=end)
            pd.testing.assert_frame_equal(read, inside.reset_index(drop=True))


def test_chunks_hold_all_hours_once(database: Database) -> None:
    with database.write() as session:
        for name in ("Entrance", "Till"):
            seen(session, add_camera(session, name), NOON, *np.arange(0.5, 40), name="one.mp4")
        chunks = list(iterate_packed_buckets(session, chunk=25))
        assert len(chunks) == 6
        pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), read_buckets(session))


def test_many_buckets_are_packed_as_single_ones_are(database: Database) -> None:
    with database.write() as session:
        for name in ("Entrance", "Till"):
            seen(session, add_camera(session, name), NOON, *np.arange(0.5, 40), name="one.mp4")
        query = select(BucketDay.camera_id, BucketDay.day, BucketDay.hours)
        kept = sorted(tuple(row) for row in session.execute(query))
        shuffled = hours_of(session).sample(frac=1, random_state=1)
        assert [tuple(row.values()) for row in packed(shuffled)] == kept


def test_a_frame_without_rows_gives_no_days() -> None:
    assert list(packed(aggregate(crowd("2026-11-03 10:00", 5).iloc[:0]))) == []


def test_hours_from_before_are_packed_by_the_migration(database_url: str) -> None:
    database = Database(database_url)
    with database.write() as session:
        kolkata = add_camera(session, "Kolkata", "Asia/Kolkata")
        seen(session, kolkata, datetime(1969, 12, 31, 12, tzinfo=UTC), 0.5, 13, 40, name="1.mp4")
        seen(session, add_camera(session), NOON, 0.1, 0.2, 30, name="2.mp4")
        right = read_buckets(session)
    database.close()
    downgrade(database_url, "0002")
    with database.read() as session:
        assert not inspect(session.connection()).has_table(BucketDay.__tablename__)
    database.close()
    upgrade(database_url)
    with database.read() as session:
        assert read_buckets(session).equals(right)
    database.close()
