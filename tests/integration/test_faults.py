"""A short run of ``python -m tests.faults``: an installation is harmed at random moments."""

import sys
from pathlib import Path

import pytest

from tests.chosen_database import BACKENDS
from tests.faults import run


@pytest.mark.timeout(1200)  # many Pythons start one after the other
@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes by their environment")
@pytest.mark.parametrize("name", BACKENDS)
def test_harmed_at_random_moments_the_rows_are_those_of_an_undisturbed_run(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    if name == "postgresql":
        request.getfixturevalue("postgresql")  # skips where there is none
    report = run(name, 6, 2026, tmp_path, print)
    assert report.differences == []
    assert report.faults.total() == 6
    assert report.figures["recordings done"] > 0
