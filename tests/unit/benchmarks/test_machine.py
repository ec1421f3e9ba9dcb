"""A benchmark's page says on what machine it was made."""

import platform

from benchmarks.machine import processor, this_machine

AMD = """processor\t: 0
model name\t: AMD EPYC 7763 64-Core Processor
flags\t\t: fpu sse2 avx avx2 fma

processor\t: 1
model name\t: another
flags\t\t: avx512f
"""


def test_the_processor_and_what_speeds_a_model_up() -> None:
    assert processor(AMD) == "AMD EPYC 7763 64-Core Processor, avx2"
    assert processor("Features\t: fp asimd asimddp i8mm\n") == "asimddp, i8mm"
    assert not processor("")


def test_this_machine_is_named() -> None:
    named = this_machine()
    assert platform.machine() in named
    assert named.endswith(platform.python_version())
