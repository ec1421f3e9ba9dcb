"""Hours of cameras: which people count in which, and what is read back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.orm import Session

from analytics.buckets import BUCKET_COLUMNS
from db.buckets import covered_span, locked_time_zone, read_buckets, rebuild_buckets
from db.engine import Database
from db.places import create_camera, create_site, update_site
from db.tables import Bucket
from tests.made_jobs import until
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


def seen(
    session: Session,
    camera: int,
    captured_at: datetime,
    *minutes: float,
    expression: str = "happy",
    name: str = "seen.mp4",
) -> int:
    """A recording of a day in one segment, with one person at each of ``minutes``."""
    people = [Person([int(minute * MINUTE)], expression) for minute in minutes]
    recording = add_video(
        session, camera, segments=1, segment_ms=24 * 60 * MINUTE, captured_at=captured_at, name=name
    )
    read_segment(session, recording, Scene(people, 1, 24 * 60 * MINUTE), 0)
    return recording


def hours(session: Session) -> list[tuple[str, int]]:
    frame = read_buckets(session)
    rows = zip(frame["hour"], frame["people"], strict=True)
    return [(f"{hour:%d %H:%M}", people) for hour, people in rows]


def test_people_count_in_the_local_hour_in_which_they_were_first_seen(
    database: Database,
) -> None:
    with database.write() as session:
        kolkata = add_camera(session, "Kolkata", "Asia/Kolkata")
        # 12:00 UTC is 17:30 in Kolkata, whose hours begin at half past.
        seen(session, kolkata, NOON, 0, 29.99, 30, 89.99, 90)
        assert hours(session) == [("02 11:30", 2), ("02 12:30", 2), ("02 13:30", 1)]


def test_the_hour_that_autumn_repeats_is_two_hours(database: Database) -> None:
    with database.write() as session:
        berlin = add_camera(session, "Berlin")
        # On 25 October 2026 at 01:00 UTC clocks in Berlin go from 03:00 back to 02:00.
        seen(session, berlin, datetime(2026, 10, 25, tzinfo=UTC), 30, 90, 150)
        assert hours(session) == [("25 00:00", 1), ("25 01:00", 1), ("25 02:00", 1)]


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 3, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 3, tzinfo=UTC)),
        ("Pacific/Chatham", datetime(2026, 4, 4, 3, tzinfo=UTC)),
        ("Pacific/Chatham", datetime(2026, 9, 26, 3, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 28, 13, tzinfo=UTC)),
    ],
)
def test_days_on_which_clocks_change_are_derived_the_same_in_any_way(
    database: Database, zone: str, day: datetime
) -> None:
    """As it is written, or all at once: also where an hour is a quarter or half an hour."""
    with database.write() as session:
        camera = add_camera(session, "Entrance", zone)
        for number in range(2):
            seen(session, camera, day, *range(number, 24 * 60, 14), name=f"{number}.mp4")
        kept = read_buckets(session)
        session.execute(delete(Bucket))
        rebuild_buckets(session)
        assert read_buckets(session).equals(kept)
        assert kept["people"].sum() == 2 * 103


def test_recordings_that_overlap_count_together(database: Database) -> None:
    with database.write() as session:
        camera, other = add_camera(session), add_camera(session, "Till")
        seen(session, camera, NOON - 10 * HOUR, 601, name="long.mp4")
        seen(session, camera, NOON, 2, name="short.mp4")
        seen(session, other, NOON, 3, name="other.mp4")
        frame = read_buckets(session)
        assert frame["people"].tolist() == [2, 1]
        assert frame["camera"].tolist() == ["Entrance", "Till"]
        rebuild_buckets(session)
        assert read_buckets(session).equals(frame)


def test_a_rebuild_restores_what_was_lost_or_invented(database: Database) -> None:
    with database.write() as session:
        camera, other = add_camera(session), add_camera(session, "Till")
        for place in (camera, other):
            seen(session, place, NOON - 400 * 24 * HOUR, 1, 61, name="old.mp4")
            seen(session, place, NOON, 1, 61, 1200, name="new.mp4")
        right = read_buckets(session)
        session.execute(delete(Bucket).where(Bucket.hour == NOON))
        session.execute(update(Bucket).values(faces=Bucket.faces + 100))
        session.execute(
            update(Bucket).where(Bucket.hour == NOON + HOUR).values(hour=NOON - 9 * HOUR)
        )
        rebuild_buckets(session, [camera])
        mine = read_buckets(session, camera_ids=[camera])
        assert mine.equals(right[right["camera_id"] == camera])
        rebuild_buckets(session)
        assert read_buckets(session).equals(right)


def test_buckets_are_read_from_a_stretch_of_time_and_some_cameras(database: Database) -> None:
    with database.write() as session:
        camera, other = add_camera(session), add_camera(session, "Till")
        seen(session, camera, NOON, 1, 61, 121)
        seen(session, other, NOON, 61, expression="sad")
    with database.read() as session:
        frame = read_buckets(session, start=NOON + HOUR, end=NOON + 2 * HOUR)
        assert frame["camera_id"].tolist() == [camera, other]
        assert frame["hour"].tolist() == [NOON + HOUR] * 2
        assert frame["n_sad"].tolist() == [0, 1]
        assert frame["site"].tolist() == ["Site of Entrance", "Site of Till"]
        assert frame["time_zone"].tolist() == ["Europe/Berlin"] * 2
        # Each of the two people looks happy or sad with 0.7, and everything else with 0.05.
        assert frame["product_happy_sad"].tolist() == pytest.approx([0.035, 0.035])
        assert frame["product_sad_sad"].tolist() == pytest.approx([0.0025, 0.49])
        assert len(read_buckets(session, camera_ids=[camera])) == 3
        assert len(read_buckets(session, camera_ids=[])) == 0


def test_no_buckets_are_a_frame_with_all_columns(database: Database) -> None:
    with database.read() as session:
        empty = read_buckets(session)
    expected = [*BUCKET_COLUMNS, "site_id", "site", "camera", "time_zone"]
    assert empty.columns.tolist() == expected
    assert str(empty["hour"].dtype) == "datetime64[us, UTC]"
    assert str(empty["people"].dtype) == "int64"


def test_the_covered_span_reaches_to_the_end_of_the_last_hour(database: Database) -> None:
    with database.write() as session:
        camera, other = add_camera(session), add_camera(session, "Till")
        assert covered_span(session) is None
        seen(session, camera, NOON, 1, 130)
        assert covered_span(session) == (NOON, NOON + 3 * HOUR)
        assert covered_span(session, [other]) is None


@pytest.fixture
def on_server(postgresql_url: str) -> Iterator[Database]:
    """Where two write at once; SQLite has one writer."""
    with closing(Database(postgresql_url)) as opened:
        yield opened


def somebody_waits(database: Database) -> bool:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database.read() as session:
        return bool(session.scalar(text(waiting)))


@pytest.mark.postgresql
def test_who_waited_for_a_change_of_time_zone_goes_on_with_the_new_one(
    on_server: Database,
) -> None:
    with on_server.write() as session:
        site = create_site(session, "North", "UTC")
        camera = create_camera(session, site, "Entrance")

    def zone() -> str:
        with on_server.write() as session:
            return locked_time_zone(session, camera)

    with ThreadPoolExecutor(1) as other:
        with on_server.write() as session:
            update_site(session, site, time_zone="Asia/Kolkata")
            waiting = other.submit(zone)
            until(lambda: somebody_waits(on_server))
        assert waiting.result() == "Asia/Kolkata"


@pytest.mark.postgresql
def test_a_change_of_time_zone_that_waited_leaves_no_hour_of_the_old_one(
    on_server: Database,
) -> None:
    with on_server.write() as session:
        site = create_site(session, "North", "Asia/Kolkata")
        camera = create_camera(session, site, "Entrance")

    def change() -> None:
        with on_server.write() as session:
            update_site(session, site, time_zone="UTC")

    with ThreadPoolExecutor(1) as other:
        with on_server.write() as session:
            seen(session, camera, NOON + timedelta(minutes=10), 5)
            assert hours(session) == [("02 11:30", 1)]
            changing = other.submit(change)
            until(lambda: somebody_waits(on_server))
        changing.result()
    with on_server.read() as session:
        assert hours(session) == [("02 12:00", 1)]
