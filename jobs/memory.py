"""Memory of a process whose main job is to read footage, kept level however long that is."""

import ctypes
import platform
from typing import Final

_ARENA_MAX: Final = -8
"""M_ARENA_MAX of mallopt(3)."""


def share_one_heap() -> bool:
    """Let all threads that are started from now on allocate from one heap, if none has its own
    yet: to be called before the first is started.

    glibc gives each thread a heap of its own. Frames are allocated by the thread that decodes and
    freed by others, and every segment has new threads, so that the holes in those heaps add up:
    an hour takes a quarter more memory than a minute. One heap takes about as much from the first
    minute on, and no time, as threads allocate few, large pieces. False, and nothing is changed,
    where there is no glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(_ARENA_MAX, 1))
