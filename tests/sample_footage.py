"""Real footage, where a folder of it is at hand."""

import os
from pathlib import Path

import pytest


def sample_file(name: str) -> Path:
    """The sample of that name; the test is skipped where there is none."""
    folder = os.environ.get("SATISFACE_TEST_DATA")
    if not folder:
        pytest.skip("SATISFACE_TEST_DATA does not name a folder of sample footage")
    path = next(Path(folder).rglob(name), None)
    if path is None:
        pytest.skip(f"no {name} in the sample footage")
    return path
