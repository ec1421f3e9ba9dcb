"""What the doors pull in when they open; the rooms behind them are held by import-linter."""

import subprocess
import sys
from pathlib import Path

import pytest

from db.engine import upgrade

ROOT = Path(__file__).parents[2]
HEAVY = {"tensorflow", "keras", "training"}
LATE = {"pandas", "pyarrow", "scipy", "plotly", "alembic", "reports"}


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("door", ["app", "cli"])
def test_a_door_opens_without_model_decoder_or_tensorflow(door: str) -> None:
    modules = modules_after(f"import {door}")
    assert door in modules
    assert not modules & (HEAVY | {"cv2", "av", "ai_edge_litert", "fastapi"})


def test_the_core_runs_without_tensorflow_database_or_screen() -> None:
    modules = modules_after("import fer_core")
    assert "fer_core" in modules
    assert not modules & (HEAVY | {"sqlalchemy", "streamlit", "pandas"})


def test_a_worker_starts_without_model_decoder_or_pandas() -> None:
    modules = modules_after("import jobs.worker")
    assert "sqlalchemy" in modules
    assert not modules & (HEAVY | LATE | {"cv2", "av", "ai_edge_litert"})


def test_a_process_reads_its_first_face_without_pandas() -> None:
    modules = modules_after("import jobs.reading")
    assert {"cv2", "av", "ai_edge_litert"} <= modules
    assert not modules & (HEAVY | LATE)


def test_a_current_database_is_found_so_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'satisface.db'}"
    upgrade(url)
    modules = modules_after(f"from db.engine import upgrade; upgrade({url!r})")
    assert "sqlalchemy" in modules
    assert not modules & (HEAVY | LATE)


def test_a_file_of_any_size_comes_in_without_what_only_figures_need() -> None:
    modules = modules_after("import pages.upload, api.routes")
    assert {"streamlit", "sqlalchemy"} <= modules
    assert not modules & (HEAVY | {"pandas", "pyarrow", "scipy", "alembic", "altair", "cv2", "av"})
