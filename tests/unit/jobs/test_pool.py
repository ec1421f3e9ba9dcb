import os
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from jobs.pool import PoolsAhead, SegmentPool

ROOT = Path(__file__).parents[3]

# time.sleep stands for the reading of a long segment: it can be sent to another process.
_OWNER = """
import os, sys, time
sys.path.insert(0, {root!r})
from jobs.pool import SegmentPool
if __name__ == "__main__":
    pool = SegmentPool()
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""

_LOGGING = """
import sys
sys.path.insert(0, {root!r})
if __name__ == "__main__":
    from jobs.pool import PoolsAhead
    first = PoolsAhead()()
    form = "type(__import__('logging').getLogger().handlers[0].formatter).__name__"
    print(first.submit(eval, form).result())
    print(first.submit(eval, "'settings' in __import__('sys').modules").result())
    first.shutdown()
"""


def test_the_processes_end_when_their_worker_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(_OWNER.format(root=str(ROOT)))
    owner = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        child = psutil.Process(int(owner.stdout.readline()))
        assert child.is_running()
        owner.kill()
        owner.wait()
        _, alive = psutil.wait_procs([child], timeout=240)
    assert alive == []


def test_shutting_down_waits_for_no_segment() -> None:
    pool = SegmentPool()
    child = psutil.Process(pool.submit(os.getpid).result())
    reading = pool.submit(time.sleep, 600)
    pool.shutdown(wait=True)
    assert isinstance(reading.exception(timeout=240), BrokenExecutor)
    _, alive = psutil.wait_procs([child], timeout=240)
    assert alive == []
    pool.shutdown(wait=True)  # a second time changes nothing


def test_a_process_that_dies_breaks_the_pool_and_not_the_worker() -> None:
    pool = SegmentPool()
    child = psutil.Process(pool.submit(os.getpid).result())
    reading = pool.submit(time.sleep, 600)
    child.kill()
    with pytest.raises(BrokenExecutor):
        reading.result(timeout=240)
    pool.shutdown(wait=True)


def test_the_first_pool_is_there_before_it_is_asked_for() -> None:
    with closing(PoolsAhead()) as pools:
        first, second = pools(), pools()
        assert first is not second
        assert first.submit(_has_loaded, "jobs.reading").result()
        assert not second.submit(_has_loaded, "jobs.reading").result()
        pools.close()
        assert first.submit(os.getpid).result() > 0  # whoever took it ends it
        first.shutdown()
        second.shutdown()


def test_the_first_pool_writes_its_log_as_the_settings_say_and_loads_none(tmp_path: Path) -> None:
    # A program of its own: what this one runs, the processes that it starts load as well.
    script = tmp_path / "worker.py"
    script.write_text(_LOGGING.format(root=str(ROOT)))
    environment = os.environ | {"SATISFACE_LOG_FORMAT": "json"}
    told = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["JsonLines", "False"]


def test_a_first_pool_that_nobody_takes_ends() -> None:
    before = set(psutil.Process().children())
    pools = PoolsAhead()
    # Beside the pool's process one that multiprocessing keeps for itself may start.
    made = [
        child
        for child in psutil.Process().children()
        if child not in before and "spawn_main" in " ".join(child.cmdline())
    ]
    pools.close()
    _, alive = psutil.wait_procs(made, timeout=240)
    assert len(made) == 1
    assert alive == []


def _has_loaded(name: str) -> bool:
    return name in sys.modules
