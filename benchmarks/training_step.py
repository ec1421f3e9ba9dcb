"""How fast a recipe trains, each way that Keras can run it, side by side:
``python -m benchmarks.training_step --python torch=/path/to/python``.

Random faces go through the whole learner (augmentation, network, teachers of its size, loss,
optimizer, running average) as ``training.train`` runs it. The ways take turns, each in a process of
its own, whose first steps are not counted. ``--python BACKEND=FILE`` names the Python of an
environment that has that backend (torch and jax are in none of the pins); a backend whose packages
are missing is said and left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

BY_ONEDNN = "bfloat16, every gradient by oneDNN"
WAYS = (
    ("tensorflow", "float32"),
    ("tensorflow", "bfloat16"),
    ("torch", "float32"),
    ("torch", BY_ONEDNN),
    ("torch", "bfloat16"),
)
STEPS = 12


def measure(config: Path, way: str) -> float:
    """Faces a second of one run of ``STEPS`` steps, in this process."""
    import keras
    import numpy as np

    from fer_core.preprocessing import FACE_SIZE
    from fer_core.types import EXPRESSIONS
    from training import on_torch
    from training.learner import Learner, build_network
    from training.recipe import read_recipe

    if way == BY_ONEDNN:
        mock.patch.object(on_torch, "has_few_places", return_value=False).start()
    recipe = read_recipe(config)
    teachers = [build_network(recipe) for _ in recipe.teachers]
    learner = Learner(recipe, teachers, mixed=way != "float32")
    learner.compile(STEPS)
    generator = np.random.default_rng(0)
    count = recipe.batch_size * STEPS
    faces = generator.uniform(0, 255, (count, FACE_SIZE, FACE_SIZE, 1)).astype(np.float32)
    labels = keras.utils.to_categorical(
        generator.integers(len(EXPRESSIONS), size=count), len(EXPRESSIONS)
    )
    targets = [labels] * len(learner.model.outputs)
    warm = recipe.batch_size * 3
    for size in (warm, count):
        began = time.perf_counter()
        learner.model.fit(
            faces[:size],
            [target[:size] for target in targets],
            batch_size=recipe.batch_size,
            verbose=0,
        )
    return count / (time.perf_counter() - began)


def _apart(config: Path, backend: str, python: str, way: str) -> float | None:
    command = [python, "-m", "benchmarks.training_step", "--config", str(config), "--one", way]
    done = subprocess.run(
        command,
        env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"{backend}: left out, {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_step", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("training/configs/recogniser.toml"))
    parser.add_argument("--python", action="append", default=[], metavar="BACKEND=FILE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=sorted({way for _, way in WAYS}), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.config, arguments.one)))
        return
    pythons = dict(entry.split("=", 1) for entry in arguments.python)
    speeds: dict[tuple[str, str], list[float]] = {way: [] for way in WAYS}
    for _ in range(arguments.rounds):
        for backend, way in WAYS:
            python = pythons.get(backend, sys.executable)
            speed = _apart(arguments.config, backend, python, way)
            if speed is not None:
                speeds[backend, way].append(speed)
    first = statistics.median(speeds[WAYS[0]])
    print("| backend | computes in | faces a second | over the first |\n|---|---|---|---|")
    for (backend, way), measured in speeds.items():
        if measured:
            median = statistics.median(measured)
            print(f"| {backend} | {way} | {median:.0f} | {median / first:.2f} |")


if __name__ == "__main__":
    main()
