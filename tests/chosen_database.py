"""On which kind of database tests run that name none.

Usually SQLite in the home folder; and whatever is parametrised with BACKENDS runs on either kind.
``SATISFACE_TEST_DATABASE=postgresql`` runs all of it on PostgreSQL alone: each home folder has a
database on the tests' server then. What is marked ``embedded``, or takes ``sqlite_url``, is about
SQLite itself and stays with it.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from settings import Settings
from tests.made_postgresql import PostgresServer

CHOSEN: Final = os.environ.get("SATISFACE_TEST_DATABASE", "sqlite")
if CHOSEN not in {"sqlite", "postgresql"}:
    raise ValueError(f"SATISFACE_TEST_DATABASE is sqlite or postgresql, not {CHOSEN}")
ALL_ON_SERVER: Final = CHOSEN == "postgresql"

_POSTGRESQL: Final = pytest.param("postgresql", marks=pytest.mark.postgresql)
BACKENDS: Final = [_POSTGRESQL] if ALL_ON_SERVER else ["sqlite", _POSTGRESQL]
"""What a fixture is parametrised with whose tests run on either kind of database."""

ON_BOTH: Final = pytest.mark.parametrize("backend", BACKENDS)
"""For single tests whose fixtures take ``chosen_url``: SQLite alone otherwise."""

IN_THE_HOME_FOLDER: Final = vars(Settings)["resolved_database_url"]


class ServerForHomes:
    """Gives each home folder whose settings name no database a migrated one on the server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._urls: dict[Path, str] = {}

    def url(self, settings: Settings) -> str:
        if settings.database_url:
            return settings.database_url
        if settings.home not in self._urls:
            self._urls[settings.home] = self._server.new_database()
        return self._urls[settings.home]


def database_of(home: Path) -> dict[str, str]:
    """What a process of its own needs in its environment to find the database of ``home``."""
    made = Settings(home=home, database_url="").resolved_database_url
    return {"SATISFACE_DATABASE_URL": made} if ALL_ON_SERVER else {}
