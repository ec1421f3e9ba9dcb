"""What stands behind the figures of whole days: recordings, each by its own site's calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from analytics.sources import NO_RECORDINGS, Sources
from db.days import Chosen, read_days, sources_of_days
from db.engine import Database
from db.places import list_sites
from db.recordings import cancel_recording
from db.tables import Recording, RecordingState
from tests.unit.db.made_rows import MINUTE, NOON, Person, Scene, add_camera, add_video, read_segment

DAY = timedelta(days=1)
MONDAY = date(2026, 3, 2)
"""That of NOON, everywhere from Honolulu to Auckland but for the hours around midnight."""


def everywhere(session: Session) -> Chosen:
    return [(site, [camera.id for camera in site.cameras]) for site in list_sites(session)]


def read(session: Session, recording: int, model: str = "model 1") -> None:
    read_segment(session, recording, Scene([Person([1000])], segments=1), 0)
    of = Recording.id == recording
    session.execute(update(Recording).where(of).values(model_version=model))


def end_failed(session: Session, recording: int) -> None:
    failed = {"state": RecordingState.FAILED.value, "error": "It is damaged."}
    session.execute(update(Recording).where(Recording.id == recording).values(failed))


def test_recordings_are_told_by_what_became_of_them(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        videos = [
            add_video(session, camera, segments=1, name=f"{n}.mp4", captured_at=NOON + n * DAY)
            for n in (0, 0.1, 0.2, 0.3, 0.35, 1)
        ]
        read(session, videos[0])
        read(session, videos[1], "model 2")
        end_failed(session, videos[2])
        cancel_recording(session, videos[3])
        read(session, videos[5], "model 3")
        chosen = everywhere(session)
        assert sources_of_days(session, chosen, MONDAY, MONDAY) == Sources(
            unread=1, failed=1, models=frozenset({"model 1", "model 2"})
        )
        both = sources_of_days(session, chosen, MONDAY, MONDAY + DAY)
        assert both.models == {"model 1", "model 2", "model 3"}
        assert sources_of_days(session, chosen, MONDAY - DAY, MONDAY - DAY) == NO_RECORDINGS
        assert sources_of_days(session, [], MONDAY, MONDAY) == NO_RECORDINGS


@pytest.mark.parametrize(
    ("minutes", "days"), [(0, [1]), (15, [1]), (45, [1, 2]), (60, [1, 2]), (30, [1])]
)
def test_a_recording_stands_behind_each_day_that_it_touches(
    database: Database, minutes: int, days: list[int]
) -> None:
    """From half an hour before midnight on."""
    begin = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)  # Berlin is an hour ahead
    with database.write() as session:
        camera = add_camera(session)
        video = add_video(session, camera, segments=1, captured_at=begin)
        length = {"duration_ms": minutes * MINUTE}
        session.execute(update(Recording).where(Recording.id == video).values(length))
        chosen = everywhere(session)
        touched = [
            day
            for day in (1, 2)
            if sources_of_days(session, chosen, date(2026, 3, day), date(2026, 3, day)).unread
        ]
    assert touched == days


def test_days_are_those_of_each_site(database: Database) -> None:
    """What is Monday's at noon in Berlin is Monday night's in Auckland, and so near Tuesday."""
    with database.write() as session:
        berlin = add_camera(session)
        auckland = add_camera(session, "Quay", "Pacific/Auckland")
        for camera in (berlin, auckland):
            video = add_video(session, camera, segments=1, captured_at=NOON)
            read(session, video, f"model of {camera}")
        chosen = everywhere(session)
        monday, tuesday = (
            sources_of_days(session, chosen, day, day).models for day in (MONDAY, MONDAY + DAY)
        )
        people = [
            read_days(session, chosen, day, day)["people"].sum() for day in (MONDAY, MONDAY + DAY)
        ]
    assert monday == {f"model of {berlin}"}
    assert tuesday == {f"model of {auckland}"}
    assert people == [1, 1]
