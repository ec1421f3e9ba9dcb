"""A home folder, a camera and workers for the tests of everything that is queued and read.

made_settings(folder)      settings of an own home, with its database made
opened(settings)           the database, closed afterwards
made_camera(database)      a camera in a site of its own
hold_footage(...)          the file of a recording that was made up
away(settings)             the footage store cannot be reached
take_in(...)               files through the door, outcomes by name
read_all(settings)         a worker in this process, until nothing is left
rows(database)             what was read, by natural keys: no row number, no time of reading
worker(settings)           ``cli.py worker`` as a process of its own
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Self

import psutil
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from db.engine import Database, upgrade
from db.places import create_camera, create_site
from db.recording_rows import RecordingRow, get_recording
from db.recordings import footage_keys
from db.tables import Bucket, Prediction, Recording, Track
from jobs.intake import Outcome, admit
from jobs.store import FootageStore
from jobs.worker import run_worker
from settings import Settings
from tests.chosen_database import database_of

ROOT = Path(__file__).parents[1]


def made_settings(folder: Path, **values: object) -> Settings:
    """Settings of a home in ``folder``, whatever the environment says, and its database."""
    values = {"home": folder / "home", "segment_seconds": 2, "lease_seconds": 5.0} | values
    made = Settings.model_validate(values)
    upgrade(made.resolved_database_url)
    return made


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    with contextlib.closing(Database(settings.resolved_database_url)) as database:
        yield database


def made_camera(database: Database, name: str = "Entrance", time_zone: str = "UTC") -> int:
    with database.write() as session:
        site = create_site(session, f"Site of {name}", time_zone)
        return create_camera(session, site, name)


def store(settings: Settings) -> FootageStore:
    return FootageStore(settings.resolved_footage_url)


def hold_footage(settings: Settings, recording_id: int) -> Path:
    """Put the footage of a recording whose row was made up into the store, a folder."""
    with opened(settings) as database, database.read() as session:
        key = footage_keys(session)[recording_id]
    file = Path(settings.resolved_footage_url) / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"footage")
    return file


@contextlib.contextmanager
def away(settings: Settings) -> Iterator[None]:
    """The disk of the footage store is not mounted."""
    folder = Path(settings.resolved_footage_url)
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    try:
        yield
    finally:
        elsewhere.rename(folder)


def take_in(
    database: Database,
    settings: Settings,
    camera_id: int,
    *paths: Path,
    captured_at: datetime | None = None,
) -> dict[str, Outcome]:
    """Outcome by name of every file and every member of a zip."""
    return {
        outcome.name: outcome
        for path in paths
        for outcome in admit(
            database,
            store(settings),
            settings,
            path=path,
            name=path.name,
            camera_id=camera_id,
            captured_at=captured_at,
        )
    }


def in_a_thread() -> Executor:
    return ThreadPoolExecutor(1)


def read_all(settings: Settings) -> None:
    run_worker(settings, threading.Event(), until_idle=True, executor_factory=in_a_thread)


def recording(database: Database, recording_id: int) -> RecordingRow:
    with database.read() as session:
        row = get_recording(session, recording_id)
    assert row is not None
    return row


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All that was read, in the order of natural keys. Floats as they are: the same footage
    gives the same numbers to the last bit."""
    with database.read() as session:
        return {
            "predictions": _predictions(session),
            "tracks": _tracks(session),
            "buckets": _buckets(session),
        }


def _predictions(session: Session) -> list[tuple[object, ...]]:
    kept = [column for column in Prediction.__table__.columns if column.name not in _NUMBERED]
    query = (
        select(Recording.sha256, Track.segment_index, Track.number, *kept)
        .join(Track, Track.id == Prediction.track_id)
        .join(Recording, Recording.id == Prediction.recording_id)
        .order_by(Recording.sha256, Prediction.time_ms, Prediction.face)
    )
    return [tuple(row) for row in session.execute(query)]


def _tracks(session: Session) -> list[tuple[object, ...]]:
    root = aliased(Track)
    kept = [column for column in Track.__table__.columns if column.name not in _NUMBERED]
    query = (
        select(Recording.sha256, root.segment_index, root.number, *kept)
        .join(Recording, Recording.id == Track.recording_id)
        .outerjoin(root, root.id == Track.root_id)
        .order_by(Recording.sha256, Track.segment_index, Track.number)
    )
    return [tuple(row) for row in session.execute(query)]


def _buckets(session: Session) -> list[tuple[object, ...]]:
    kept = [column for column in Bucket.__table__.columns if column.name != "products"]
    query = select(*kept, Bucket.products).order_by(Bucket.camera_id, Bucket.hour)
    return [(*row[:-1], tuple(row[-1])) for row in session.execute(query)]


_NUMBERED = {"id", "track_id", "root_id", "recording_id"}


def environment(settings: Settings) -> dict[str, str]:
    """For a process of its own that is to use ``settings``."""
    named = {f"SATISFACE_{name.upper()}": str(v) for name, v in settings.model_dump().items()}
    if not settings.database_url:
        named |= database_of(settings.home)
    inherited = dict(os.environ)
    # Many processes start here, and none should compile anew what another one has compiled.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return inherited | named


class Workers:
    """Starts ``cli.py worker`` as processes, and ends at the latest with the test."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.log = settings.home / "worker.log"
        self.family: list[psutil.Process] = []
        """Every process that was ever seen: the workers and those of their pools."""

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            running = subprocess.Popen(
                [sys.executable, "cli.py", "worker", *options],
                cwd=ROOT,
                env=environment(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._started.append(running)
        self.family.append(psutil.Process(running.pid))
        return running

    def pool(self, running: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """The processes that read for a worker (not the tracker that Python runs beside)."""
        found = []
        for child in psutil.Process(running.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        self.family += found
        return found

    def alive(self) -> list[psutil.Process]:
        """Those that do not end although nothing keeps them."""
        _, alive = psutil.wait_procs(self.family, timeout=240)
        return alive

    def __enter__(self) -> Self:
        self._started: list[subprocess.Popen[bytes]] = []
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._started:
            running.kill()
            running.wait()


def until(true: Callable[[], object]) -> None:
    """Wait for what another process or thread brings about; how long does not matter."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.02)
    pytest.fail("it did not come about in four minutes")
