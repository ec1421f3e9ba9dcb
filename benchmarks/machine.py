"""The machine that a benchmark runs on, as its page names it."""

import os
import platform
from pathlib import Path
from typing import Final

_INSTRUCTIONS: Final = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""What decides how fast a model of 8 bits is read, as Linux names it: machines that are alike in
all else differ by several times for it."""


def this_machine() -> str:
    """Such as "2 cores, x86_64 (AMD EPYC, avx2), Python 3.11.7"; in brackets what Linux tells."""
    listed = Path("/proc/cpuinfo")
    told = processor(listed.read_text(encoding="utf-8")) if listed.exists() else ""
    kind = f"{platform.machine()} ({told})" if told else platform.machine()
    return f"{os.cpu_count()} cores, {kind}, Python {platform.python_version()}"


def processor(cpuinfo: str) -> str:
    """Name and ``_INSTRUCTIONS`` of the first processor in /proc/cpuinfo's text."""
    first, _, _ = cpuinfo.partition("\n\n")
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in first.splitlines())
    }
    known = (fields.get("flags") or fields.get("features", "")).split()
    told = [fields.get("model name", ""), *(name for name in _INSTRUCTIONS if name in known)]
    return ", ".join(filter(None, told))
