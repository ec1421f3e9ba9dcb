"""A step fused by torch computes what Keras does, and trains the same variables; a fused teacher is
the network that it was."""

from importlib.util import find_spec

import pytest

from tests.other_backend import measured

pytestmark = [
    pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed"),
    pytest.mark.timeout(900),  # torch's compiler takes its time
]

MEASURED = """
import json, sys
import keras
import numpy as np
import torch
from training.network import residual_net, study_cnn
from training.on_torch import Fused

# With one in twelve other seeds an activation lies so near to 0, or two to each other, that
# rounding decides whose gradient it is.
keras.utils.set_random_seed(0)
network = {"residual": residual_net, "study": study_cnn}[sys.argv[1]](dropout=0.0)
twin = keras.models.clone_model(network)
twin.set_weights(network.get_weights())
faces = torch.tensor(np.random.default_rng(0).normal(size=(6, 48, 48, 1)), dtype=torch.float32)

def gradients(read, net):
    torch.nn.functional.cross_entropy(read, torch.arange(6)).backward()
    return [variable.value.grad for variable in net.trainable_variables]

(fused,), by_keras = Fused(network, mixed=False)(faces, training=True), twin(faces, training=True)
gradients_of = zip(gradients(fused, network), gradients(by_keras, twin))
apart = [float((one - other).abs().max() / other.abs().max()) for one, other in gradients_of]
running = zip(network.non_trainable_variables, twin.non_trainable_variables)
means = [
    float((one.value - other.value).abs().max())
    for one, other in running
    if one.path.endswith("moving_mean")
]
(taught,) = Fused(twin, mixed=False, teaches=True)(faces, training=True)
as_it_is = twin(faces, training=False)
(mixed,) = Fused(twin, mixed=True)(faces, training=True)
print(json.dumps({
    "logits": float((fused - by_keras).abs().max()),
    "gradients": max(apart),
    "means": max(means),
    "taught": float((taught - as_it_is).abs().max()),
    "wants_gradients": float(taught.requires_grad),
    "mixed": float((mixed - by_keras).abs().max() / by_keras.abs().max()),
}))
"""


@pytest.mark.parametrize("network", ["residual", "study"])
def test_a_fused_step_is_the_step_that_keras_takes(network: str) -> None:
    figures = measured("torch", MEASURED, network)
    assert figures["logits"] < 1e-3
    assert figures["gradients"] < 1e-2
    assert figures["means"] < 1e-4
    assert figures["mixed"] < 0.1
    assert figures["taught"] < 1e-3
    assert not figures["wants_gradients"]
