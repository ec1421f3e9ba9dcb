import logging
import signal
from pathlib import Path

import psutil
import pytest

from jobs import child
from jobs.child import WorkerProcess
from settings import Settings
from tests.made_jobs import until

# Stand-ins for cli.py worker: one that heeds the end of its input, and one that does not.
GOOD = "import sys; sys.stdin.buffer.read()"
DEAF = "import time; time.sleep(600)"
SHORT = "import sys; sys.exit(3)"


def process(tmp_path: Path, script: str) -> WorkerProcess:
    return WorkerProcess(Settings(home=tmp_path), ("-c", script))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_FIRST_PAUSE_S", 0.01)


def test_it_runs_until_it_is_stopped(tmp_path: Path) -> None:
    worker = process(tmp_path, GOOD)
    worker.start()
    until(lambda: worker.pid is not None)
    pid = worker.pid
    worker.start()  # a second time changes nothing
    assert worker.pid == pid
    assert pid is not None
    worker.stop()
    until(lambda: worker.pid is None)
    assert not psutil.pid_exists(pid)
    worker.stop()


def test_it_can_be_started_again(tmp_path: Path) -> None:
    worker = process(tmp_path, GOOD)
    for _ in range(2):
        worker.start()
        until(lambda: worker.pid is not None)
        worker.stop()
        assert worker.pid is None


def test_one_that_was_killed_is_started_again(tmp_path: Path) -> None:
    worker = process(tmp_path, GOOD)
    worker.start()
    until(lambda: worker.pid is not None)
    first = worker.pid
    assert first is not None
    psutil.Process(first).send_signal(signal.SIGKILL)
    until(lambda: worker.pid not in {None, first})
    worker.stop()
    assert worker.pid is None


def test_one_that_dies_at_once_is_started_at_growing_intervals(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker = process(tmp_path, SHORT)
    with caplog.at_level(logging.WARNING, "jobs.child"):
        worker.start()
        until(lambda: len(caplog.records) >= 3)
        worker.stop()
    pauses = [record.args[0] for record in caplog.records if isinstance(record.args, tuple)]
    assert pauses[:3] == [0.01, 0.02, 0.04]


def test_one_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_PATIENCE_S", 0.1)
    worker = process(tmp_path, DEAF)
    worker.start()
    until(lambda: worker.pid is not None)
    pid = worker.pid
    worker.stop()
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_it_gets_the_settings_of_the_dashboard(tmp_path: Path) -> None:
    out = tmp_path / "told"
    script = f"import os; open({str(out)!r}, 'w').write(os.environ['SATISFACE_HOME'])\n{GOOD}"
    worker = process(tmp_path, script)
    worker.start()
    until(lambda: out.exists() and out.read_text() != "")
    worker.stop()
    assert out.read_text() == str(tmp_path)
