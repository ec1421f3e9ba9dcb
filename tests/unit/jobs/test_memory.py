"""One heap serves all threads of a process that asked for it, and of those that read segments."""

import ctypes
import os
import platform
import subprocess
import sys
import threading

import pytest

from jobs.pool import SegmentPool

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no glibc")


def heaps() -> int:
    """Of this process, once four more threads have allocated something."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
    together = threading.Barrier(4)

    def allocate() -> None:
        together.wait()
        libc.malloc(ctypes.c_size_t(1000))
        together.wait()

    threads = [threading.Thread(target=allocate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reading, writing = os.pipe()
    file = ctypes.c_void_p(libc.fdopen(writing, b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    with os.fdopen(reading) as told:
        return told.read().count("<heap nr=")


def test_a_process_of_the_pool_has_one_heap_for_all_its_threads() -> None:
    with SegmentPool() as pool:
        assert pool.submit(heaps).result(60) == 1


@pytest.mark.parametrize("asked", [True, False])
def test_threads_share_one_heap_where_it_was_asked_for(*, asked: bool) -> None:
    ask = "from jobs.memory import share_one_heap; share_one_heap(); " if asked else ""
    code = f"{ask}from {__name__} import heaps; print(heaps())"
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout
    assert (int(told) == 1) == asked
