"""One heap serves all threads of a process that asked for it."""

import platform
import subprocess
import sys

import pytest

_HEAPS = """
import ctypes, sys, threading
from fer_core.memory import share_one_heap
if sys.argv[1] == "one":
    assert share_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(4)
def allocate():
    together.wait()
    libc.malloc(ctypes.c_size_t(1000))
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no glibc")
@pytest.mark.parametrize("asked", ["one", "none"])
def test_threads_share_one_heap(asked: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _HEAPS, asked], capture_output=True, text=True, check=True
    ).stdout
    assert (told.count("<heap nr=") == 1) == (asked == "one")
