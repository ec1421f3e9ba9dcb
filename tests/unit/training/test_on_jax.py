"""Many steps as one program of JAX train what Keras trains step by step."""

from importlib.util import find_spec

import pytest

from tests.other_backend import measured
from training.on_jax import steps_at_once

MEASURED = """
import json
import keras
import numpy as np
from training.learner import Statistics
from training.network import residual_net
from training.on_jax import Scanned

faces = np.random.default_rng(0).normal(size=(24, 48, 48, 1)).astype("float32")
labels = np.eye(7, dtype="float32")[np.arange(24) % 7]

def network():
    return residual_net((8, 8), (1, 1), dropout=0.0)

plain, twin, start = network(), network(), network()
for one in (plain, twin):
    one.set_weights(start.get_weights())
scanned = Scanned(twin.input, twin.output)
losses = []
for model, steps in ((plain, 1), (scanned, 3)):
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9, use_ema=True),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        steps_per_execution=steps,
    )
    history = model.fit(faces, labels, batch_size=4, epochs=2, shuffle=False, verbose=0)
    losses.append(history.history["loss"])
def apart(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)
trained = apart(plain, start)

compiled, eager = network(), network()
eager.set_weights(compiled.get_weights())
Statistics(compiled).measure([faces[:8], faces[8:16]])
by_layer = Statistics(eager)
by_layer._of_batch = by_layer._eager
by_layer.measure([faces[:8], faces[8:16]])
print(json.dumps({
    "trained": trained,
    "weights": apart(plain, scanned),
    "losses": float(np.abs(np.subtract(*losses)).max()),
    "statistics": apart(compiled, eager),
}))
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
def test_steps_in_one_program_are_the_steps_that_keras_takes() -> None:
    figures = measured("jax", MEASURED)
    assert figures["trained"] > 1e-2
    assert figures["weights"] < 1e-3
    assert figures["losses"] < 1e-3
    assert figures["statistics"] < 1e-4


@pytest.mark.parametrize(("steps", "at_once"), [(216, 27), (31, 31), (37, 1), (8, 8), (1, 1)])
def test_a_program_takes_as_many_steps_as_divide_the_epoch(steps: int, at_once: int) -> None:
    assert steps_at_once(steps) == at_once
