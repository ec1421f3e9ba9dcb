"""A program run under another of Keras' backends, which a process chooses once."""

import json
import os
import subprocess
import sys


def measured(backend: str, program: str, *arguments: str) -> dict[str, float]:
    """What the Python ``program`` prints last, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures
