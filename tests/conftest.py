"""Databases for every test that asks: each runs on SQLite and on PostgreSQL, or on the one that
``tests.chosen_database`` tells."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from db.engine import Database, upgrade
from settings import Settings
from tests.chosen_database import (
    ALL_ON_SERVER,
    BACKENDS,
    CHOSEN,
    IN_THE_HOME_FOLDER,
    ServerForHomes,
)
from tests.made_postgresql import PostgresServer, binaries, running_server
from tests.made_s3 import S3Server, running_s3

# A busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Variables count before lines of .env: neither a test nor a process that it starts sees those, or
# the variables, of who runs the tests.
for _name, _value in Settings.model_construct().model_dump().items():
    os.environ[f"SATISFACE_{_name.upper()}"] = str(_value)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A server of the tests' own; SATISFACE_REQUIRE_POSTGRESQL=1 forbids the skip."""
    programs = binaries()
    if programs is None:
        missing = "no PostgreSQL server is installed (Debian: apt install postgresql)"
        if ALL_ON_SERVER or os.environ.get("SATISFACE_REQUIRE_POSTGRESQL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with running_server(programs) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def _server_for_homes(request: pytest.FixtureRequest) -> Iterator[None]:
    """What ALL_ON_SERVER says."""
    if not ALL_ON_SERVER:
        yield
        return
    homes = ServerForHomes(request.getfixturevalue("postgresql"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "resolved_database_url", property(homes.url))
        yield


@pytest.fixture(autouse=True)
def _embedded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("embedded"):
        monkeypatch.setattr(Settings, "resolved_database_url", IN_THE_HOME_FOLDER)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty, migrated database, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "satisface.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated: Path) -> str:
    """The address of an empty, migrated database in a file."""
    folder = tmp_path / "database"  # apart from whatever the test puts into its folder
    folder.mkdir()
    return f"sqlite:///{shutil.copy(migrated, folder)}"


@pytest.fixture
def postgresql_url(postgresql: PostgresServer) -> Iterator[str]:
    """The address of an empty, migrated database on the server."""
    url = postgresql.new_database()
    yield url
    postgresql.drop(url)


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty, migrated database of either kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """On which kind of database a test runs that does not ask for either: see ON_BOTH."""
    return "sqlite" if request.node.get_closest_marker("embedded") else CHOSEN


@pytest.fixture
def chosen_url(request: pytest.FixtureRequest, backend: str) -> str:
    """The address of an empty, migrated database of the kind that the test is to run on."""
    url: str = request.getfixturevalue(f"{backend}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty, migrated database of either kind."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(params=BACKENDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database of either kind in which there is nothing yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'not made yet' / 'satisface.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgresql")
    url = server.empty_database()
    yield url
    server.drop(url)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A store that speaks like S3, on loopback."""
    with running_s3() as server:
        yield server


@pytest.fixture
def s3_url(s3: S3Server, tmp_path: Path) -> str:
    """The address of an empty footage store in it."""
    return s3.new_bucket(tmp_path.name.replace("_", "-")[:40].strip("-").lower() + "-bucket")
