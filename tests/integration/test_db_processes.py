"""Several real processes on one database: they queue, and nobody gets what another has."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from db.engine import Database, is_current, upgrade
from db.places import list_sites
from db.queue import claim
from db.recording_rows import list_recordings
from db.results import write_segment
from db.tables import RecordingState, Site
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video

PROCESSES = 3
SCENE = Scene([Person([0, 100, 6 * 60_000, 11 * 60_000]), Person([200])], segments=3)


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        yield pool


@pytest.fixture
def url(empty_url: str) -> str:
    return empty_url


Result = TypeVar("Result")


def in_all(
    processes: ProcessPoolExecutor, work: Callable[[str, int], Result], url: str
) -> list[Result]:
    futures = [processes.submit(work, url, number) for number in range(PROCESSES)]
    return [future.result() for future in futures]


def start_up(url: str, number: int) -> int:
    """As every process of ours starts: migrate, then write."""
    upgrade(url)
    database = Database(url)
    with database.write() as session:
        session.add(Site(name=f"Site {number}", time_zone="UTC", created_at=NOON))
    database.close()
    return number


def add_up(url: str, number: int) -> int:
    """Reads a number and writes the next one, which goes wrong if anybody comes between."""
    database = Database(url)
    for _ in range(20):
        with database.write() as session:
            site = session.get_one(Site, 1, with_for_update=True)
            site.name = str(int(site.name) + 1)
    database.close()
    return number


def work_off(url: str, number: int) -> list[tuple[int, int]]:
    """The segments that this worker got, each of them written."""
    database = Database(url)
    got: list[tuple[int, int]] = []
    while True:
        now = datetime.now(UTC)
        with database.write() as session:
            lease = claim(session, f"worker {number}", 60, now)
        if lease is None:
            database.close()
            return got
        with database.write() as session:
            write_segment(session, lease, SCENE.result(lease.index), "model 1", now)
        got.append((lease.recording_id, lease.index))


def test_processes_that_start_at_once_all_find_the_tables(
    url: str, processes: ProcessPoolExecutor
) -> None:
    in_all(processes, start_up, url)
    assert is_current(url)
    database = Database(url)
    with database.read() as session:
        assert [site.name for site in list_sites(session)] == ["Site 0", "Site 1", "Site 2"]
    database.close()


def test_no_write_of_several_processes_is_lost(url: str, processes: ProcessPoolExecutor) -> None:
    upgrade(url)
    database = Database(url)
    with database.write() as session:
        session.add(Site(name="0", time_zone="UTC", created_at=NOON))
    in_all(processes, add_up, url)
    with database.read() as session:
        assert [site.name for site in list_sites(session)] == [str(20 * PROCESSES)]
    database.close()


def test_workers_share_the_segments_and_write_each_once(
    url: str, processes: ProcessPoolExecutor
) -> None:
    upgrade(url)
    database = Database(url)
    with database.write() as session:
        camera = add_camera(session)
        recordings = [
            add_video(session, camera, name=f"{day}.mp4", now=NOON + timedelta(days=day))
            for day in range(4)
        ]
    got = [segment for mine in in_all(processes, work_off, url) for segment in mine]
    assert sorted(got) == [(recording, index) for recording in recordings for index in range(3)]
    with database.read() as session:
        rows = list_recordings(session)
    assert [(row.state, row.people, row.faces) for row in rows] == [(RecordingState.DONE, 2, 5)] * 4
    database.close()
