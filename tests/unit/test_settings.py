"""Settings: addresses made from the home folder."""

from pathlib import Path

import pytest

from db.engine import is_current, upgrade
from settings import Settings


@pytest.mark.embedded
@pytest.mark.parametrize("name", ["of 100%", "50%20", "what?", "a#b", "Bäckerei & Söhne"])
def test_the_database_lies_in_the_home_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    made = Settings(home=tmp_path / name, database_url="", footage_url="")
    upgrade(made.resolved_database_url)
    assert (tmp_path / name / "satisface.db").is_file()
    assert is_current(made.resolved_database_url)
