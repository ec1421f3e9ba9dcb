"""A decoder that dies takes only its own segment with it."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from db.engine import Database
from db.tables import RecordingState, Segment
from jobs.intake import Accepted
from jobs.worker import run_worker
from settings import Settings
from tests.dying_pool import DyingPool
from tests.made_footage import Appearance, write_video
from tests.made_jobs import (
    made_camera,
    made_settings,
    opened,
    read_all,
    recording,
    rows,
    take_in,
)

DEATHS = 1


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Of three segments."""
    path = tmp_path / "till_20260105_101500.mp4"
    write_video(path, [Appearance(160, 90, face_height=60)], (320, 180), seconds=6, fps=5)
    return path


def test_the_others_are_read_once_and_it_is_read_again(tmp_path: Path, film: Path) -> None:
    undisturbed = made_settings(tmp_path / "undisturbed", sample_rate=2)
    with opened(undisturbed) as database:
        take_in(database, undisturbed, made_camera(database), film)
        read_all(undisturbed)
        expected = rows(database)

    settings = made_settings(tmp_path, sample_rate=2)
    with opened(settings) as database:
        died = read_with_deaths(database, settings, film, index=1)
        assert len(list(died.iterdir())) == DEATHS
        assert rows(database) == expected
        assert attempts(database) == [1, 1 + DEATHS, 1]


def test_what_another_process_is_reading_meanwhile_does_not_die_with_it(
    tmp_path: Path, film: Path
) -> None:
    settings = made_settings(tmp_path, sample_rate=2, worker_processes=2, lease_seconds=60.0)
    with opened(settings) as database:
        read_with_deaths(database, settings, film, index=2, beside=1)
        assert attempts(database) == [1, 1, 1 + DEATHS]


def read_with_deaths(
    database: Database, settings: Settings, film: Path, *, index: int, beside: int | None = None
) -> Path:
    """See DyingPool. The folder with a file for each death."""
    died = film.with_name("died")
    died.mkdir()
    (outcome,) = take_in(database, settings, made_camera(database), film).values()
    assert isinstance(outcome, Accepted)
    run_worker(
        settings,
        threading.Event(),
        until_idle=True,
        executor_factory=lambda: DyingPool(died, index, DEATHS, beside),
    )
    assert recording(database, outcome.recording_id).state is RecordingState.DONE
    return died


def attempts(database: Database) -> list[int]:
    """Of each segment."""
    with database.read() as session:
        return list(session.scalars(select(Segment.attempts).order_by(Segment.index)))
