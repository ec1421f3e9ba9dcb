"""Recordings that wait to be read."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from db.engine import Database
from db.queue import claim
from jobs.intake import Accepted
from jobs.segment import SegmentTask
from settings import Settings
from tests.made_footage import Appearance, write_picture, write_video
from tests.made_jobs import (
    made_camera,
    made_settings,
    opened,
    take_in,
)

PEOPLE = (
    Appearance(80, 90, to=(230, 90), end_s=6, face_height=60),
    Appearance(250, 80, start_s=1.5, end_s=3.5, face_height=50, look="mirrored"),
)
"""One walks through, over two ends of segments; one comes and goes."""


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "till_20260105_101500.mp4"
    write_video(path, PEOPLE, (320, 180), seconds=6)
    return path


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return made_settings(tmp_path, database_url=database_url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with opened(settings) as database:
        yield database


@pytest.fixture
def film(video: Path, settings: Settings, database: Database) -> int:
    """A recording of three segments that waits."""
    return taken_in(video, settings, database)


@pytest.fixture
def photo(tmp_path: Path, settings: Settings, database: Database) -> int:
    """A recording that is read in no time."""
    write_picture(tmp_path / "photo.jpg", [Appearance(160, 90, face_height=60)], (320, 180))
    return taken_in(tmp_path / "photo.jpg", settings, database)


def taken_in(video: Path, settings: Settings, database: Database, camera: int | None = None) -> int:
    camera = made_camera(database) if camera is None else camera
    (outcome,) = take_in(database, settings, camera, video).values()
    assert isinstance(outcome, Accepted)
    return outcome.recording_id


def task_of(settings: Settings, database: Database) -> SegmentTask:
    """The next segment, claimed."""
    with database.write() as session:
        lease = claim(session, "tester", 60, datetime.now(UTC))
    assert lease is not None
    return SegmentTask(
        settings.resolved_database_url,
        settings.resolved_footage_url,
        settings.home,
        lease,
        lease_seconds=60,
        max_attempts=3,
        threads=1,
    )
