"""Whatever is killed, whenever: nothing is lost and nothing stands twice."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.engine import Database
from db.tables import RecordingState, Segment, SegmentState
from jobs.intake import Accepted
from settings import Settings
from tests.made_footage import Appearance, write_video
from tests.made_jobs import (
    Workers,
    made_camera,
    made_settings,
    opened,
    read_all,
    recording,
    rows,
    store,
    take_in,
    until,
)

KILLS = 10
SECONDS = 72
"""More than are read while kills are waited for, however fast the machine."""
PEOPLE = (
    Appearance(60, 90, to=(250, 90), end_s=SECONDS, face_height=60),
    Appearance(250, 60, start_s=3.5, end_s=9.5, face_height=44, look="mirrored"),
    Appearance(60, 130, start_s=8.5, end_s=14.5, face_height=44, look="warm", hidden_s=(11, 11.5)),
    Appearance(260, 130, start_s=16.5, face_height=44, look="cold"),
)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Its name tells when it was taken: else that is the hour of each run, which may turn between.
    path = tmp_path_factory.mktemp("footage") / "door_20260302_101500.mp4"
    write_video(path, PEOPLE, (320, 180), fps=5, seconds=SECONDS, gop=5)
    return path


def prepared(folder: Path, video: Path, database_url: str = "") -> tuple[Settings, int]:
    settings = made_settings(
        folder, database_url=database_url, segment_seconds=1, sample_rate=3, lease_seconds=2.0
    )
    with opened(settings) as database:
        (outcome,) = take_in(database, settings, made_camera(database), video).values()
    assert isinstance(outcome, Accepted)
    return settings, outcome.recording_id


def count(database: Database, state: SegmentState) -> int:
    with database.read() as session:
        found = session.scalar(select(func.count()).where(Segment.state == state.value))
    return found or 0


def leases(database: Database) -> set[str]:
    """Who reads a segment now; every lease has an owner of its own."""
    with database.read() as session:
        owners = session.scalars(
            select(Segment.lease_owner).where(Segment.lease_until.is_not(None))
        )
        return {owner for owner in owners if owner}


def in_the_middle(database: Database, known: set[str], segments: int) -> set[str]:
    """Wait until some segments more are read, and a lease runs that is none of ``known``; those
    and the new one."""
    wanted = count(database, SegmentState.DONE) + segments
    until(lambda: count(database, SegmentState.DONE) >= wanted)
    until(lambda: leases(database) - known)
    return known | leases(database)


@pytest.mark.timeout(900)  # a dozen Pythons start one after the other
def test_killed_ten_times_the_rows_are_those_of_an_undisturbed_run(
    tmp_path: Path, video: Path, database_url: str
) -> None:
    """Sometimes the worker is killed, sometimes the process that reads for it."""
    undisturbed, _ = prepared(tmp_path / "undisturbed", video)
    read_all(undisturbed)
    with opened(undisturbed) as database:
        expected = rows(database)
    assert len(expected["tracks"]) > SECONDS

    settings, recording_id = prepared(tmp_path / "disturbed", video, database_url)
    chance = random.Random(2026)
    known: set[str] = set()
    with opened(settings) as database, Workers(settings) as workers:
        running = workers.start()
        for kill in range(KILLS):
            # Some segments on, and somewhere within the one that is then being read.
            known = in_the_middle(database, known, chance.randint(0, 2))
            time.sleep(chance.uniform(0, 0.1))
            readers = workers.pool(running)
            if kill % 3 == 2:
                running.kill()
                running.wait()
                running = workers.start()
            else:
                for reader in readers:
                    reader.kill()
        assert 0 < count(database, SegmentState.DONE) < SECONDS, "the kills were not in the middle"
        running.kill()
        running.wait()

        assert workers.start("--until-idle").wait(240) == 0
        assert recording(database, recording_id).state is RecordingState.DONE
        assert rows(database) == expected
        assert list(store(settings).stored()) == []
        assert workers.alive() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_asked_to_stop_hands_back_what_it_reads(
    tmp_path: Path, video: Path, number: signal.Signals
) -> None:
    settings, recording_id = prepared(tmp_path, video)
    with opened(settings) as database, Workers(settings) as workers:
        running = workers.start()
        until(lambda: leases(database))
        # Ctrl-C in a terminal reaches every process of the group.
        group = workers.pool(running) if number == signal.SIGINT else []
        for pid in [running.pid, *(process.pid for process in group)]:
            os.kill(pid, number)
        assert running.wait(240) == 0
        assert leases(database) == set()
        with database.read() as session:
            found = session.scalars(select(Segment)).all()
        assert {one.attempts for one in found if one.state == SegmentState.QUEUED} == {0}
        assert recording(database, recording_id).state is RecordingState.READING
        assert workers.alive() == []
