from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database
from tests.unit.db.made_rows import new_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database."""
    opened = new_database(tmp_path)
    yield opened
    opened.close()
