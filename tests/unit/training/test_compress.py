import dataclasses

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.preprocessing import to_model_input
from training.compress import compressed, reduced_rank
from training.data import DataError
from training.learner import build_network
from training.network import multiply_adds
from training.recipe import Recipe

WHOLE = Recipe(name="whole", widths=(8, 12), blocks=(1, 1), seed=3)
NAMES = ("stage1_1_b", "stage2_1_a", "stage2_1_b")


def faces(count: int, seed: int = 0) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (count, 6, 6), np.uint8)
    return np.kron(coarse, np.ones((1, 8, 8), np.uint8))


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """With statistics and gains of its own, as a trained one has."""
    keras.utils.set_random_seed(3)
    network = build_network(WHOLE)
    random = np.random.default_rng(3)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(
                [random.uniform(0.5, 1.5, values.shape) for values in layer.get_weights()]
            )
    return network


def low(ranks: dict[str, int]) -> Recipe:
    return dataclasses.replace(WHOLE, name="low", ranks=ranks)


def test_of_full_rank_nothing_changes(network: keras.Model) -> None:
    full, lost = compressed(network, low(dict(zip(NAMES, (8, 12, 12), strict=True))), faces(64))
    shown = to_model_input(faces(16, 1))
    assert max(lost.values()) < 1e-6
    np.testing.assert_allclose(full.predict(shown), network.predict(shown), atol=2e-3)


def test_fewer_channels_take_less_and_lose_more(network: keras.Model) -> None:
    shown = to_model_input(faces(64, 1))
    whole = network.predict(shown)
    cost, apart, missed = [multiply_adds(network)], [0.0], [0.0]
    for rank in (6, 3, 1):
        made, lost = compressed(network, low(dict.fromkeys(NAMES, rank)), faces(64))
        assert set(lost) == set(NAMES)
        cost.append(multiply_adds(made))
        apart.append(float(np.abs(made.predict(shown) - whole).mean()))
        missed.append(sum(lost.values()))
    assert cost == sorted(cost, reverse=True)
    assert apart == sorted(apart)
    assert missed == sorted(missed)
    assert len(set(cost)) == len(set(apart)) == 4


def test_later_layers_make_up_for_earlier_ones(network: keras.Model) -> None:
    """What reaches a layer is what the layers before it, of low rank already, give."""
    images = faces(64)
    shown = to_model_input(images)
    ranks = {"stage2_1_a": 2, "stage2_1_b": 12}
    made, lost = compressed(network, low(ranks), images)
    wanted = keras.Model(network.inputs, network.get_layer("stage2_1_b_norm").output)
    apart = keras.Model(made.inputs, made.get_layer("stage2_1_b_norm").output).predict(shown)
    apart = np.mean((apart - wanted.predict(shown)) ** 2)
    # Left as it was, the second layer would only pass on what the first lost.
    first, _ = compressed(network, low({"stage2_1_a": 2}), images)
    left = keras.Model(first.inputs, first.get_layer("stage2_1_b_norm").output).predict(shown)
    assert apart < 0.95 * np.mean((left - wanted.predict(shown)) ** 2)
    assert lost["stage2_1_b"] > 0


def test_no_map_of_that_rank_is_nearer() -> None:
    random = np.random.default_rng(0)
    given = random.normal(size=(400, 6)) @ random.normal(size=(6, 6)) + 1
    wanted = given @ random.normal(size=(6, 6)) + random.normal(size=(400, 6)) + 3
    weights = random.uniform(0.5, 2, 6).astype(np.float32)
    into, out, shift, lost = reduced_rank(given, wanted, weights, 2)
    assert np.linalg.matrix_rank(into @ out) == 2

    def missed(into: NDArray[np.float64], out: NDArray[np.float64]) -> float:
        apart = given @ into @ out
        apart += (wanted - apart).mean(axis=0)
        return float((((apart - wanted) * weights) ** 2).sum())

    best = missed(into, out)
    variance = (((wanted - wanted.mean(axis=0)) * weights) ** 2).sum()
    assert lost == pytest.approx(best / variance, rel=1e-6)
    np.testing.assert_allclose(
        shift, wanted.mean(axis=0) - given.mean(axis=0) @ into @ out, atol=1e-9
    )
    for _ in range(200):
        step = random.normal(scale=0.01, size=(2, *into.shape))
        assert missed(into + step[0], out + step[1].T) >= best


def test_another_network_or_an_unknown_convolution_is_told(network: keras.Model) -> None:
    with pytest.raises(DataError, match="another network"):
        compressed(network, dataclasses.replace(low({"stage1_1_b": 2}), widths=(8, 16)), faces(8))
    with pytest.raises(DataError, match="stage9_1_a"):
        compressed(network, low({"stage1_1_b": 2, "stage9_1_a": 2}), faces(8))
