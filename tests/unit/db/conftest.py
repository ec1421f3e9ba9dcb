import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, upgrade


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty, migrated database, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "satisface.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    """An empty, migrated database."""
    file = shutil.copy(migrated, tmp_path)
    opened = Database(f"sqlite:///{file}")
    yield opened
    opened.close()
