"""Make convolutions of a trained network of low rank, so that it takes less time.

    python -m training.compress --config training/configs/compressed.toml \\
        --model models/expression.keras --out runs/low.keras

A convolution of 3 x 3 to C channels becomes one to as few channels as the recipe's ``ranks`` say,
and one of 1 x 1 from those to C. Which directions are kept follows from what the layer gives for
faces of Training: of all maps of that rank, from what reaches it through the layers before, which
are of low rank already, the one nearest to what the whole network has there (Zhang, Zou, He and
Sun, 2016, "Accelerating very deep convolutional networks", arXiv:1505.06798: the asymmetric
reconstruction, without the nonlinearity). Channels count as much as the normalisation behind them
makes of them.
"""

import argparse
from pathlib import Path
from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_core.preprocessing import to_model_input
from training import data as face_data
from training.learner import build_network
from training.network import LOW, multiply_adds
from training.recipe import Recipe, read_recipe

_FACES: Final = 2048
_BATCH: Final = 128


def compressed(
    network: keras.Model, recipe: Recipe, images: NDArray[np.uint8]
) -> tuple[keras.Model, dict[str, float]]:
    """The network of ``recipe``, whose ``ranks`` name convolutions of ``network``, and the share
    of the variance that each of those lost. ``images``: uint8 (N, 48, 48), faces to measure with.
    Raises DataError where ``network`` is another one."""
    low = build_network(recipe)
    _copy(network, low)
    faces = to_model_input(images)
    lost = {}
    for layer in low.layers:
        if not layer.name.endswith(LOW):
            continue
        name = layer.name.removesuffix(LOW)
        whole, norm = network.get_layer(f"{name}_conv"), low.get_layer(f"{name}_norm")
        wanted = _rows(keras.Model(network.inputs, whole.output), faces)
        # The same convolution, of what reaches it here.
        again = layers.Conv2D.from_config(whole.get_config())
        given = keras.Model(low.inputs, again(layer.input))
        again.set_weights(whole.get_weights())
        gain = norm.get_weights()[0] / np.sqrt(norm.get_weights()[3] + norm.epsilon)
        into, out, shift, lost[name] = reduced_rank(
            _rows(given, faces), wanted, np.abs(gain) + 1e-6, recipe.ranks[name]
        )
        kernel = whole.get_weights()[0] @ into
        # As much in one layer as in the other, for training that goes on from here.
        share = np.sqrt(
            np.linalg.norm(out, axis=1) / np.linalg.norm(kernel.reshape(-1, len(out)), axis=0)
        )
        layer.set_weights([(kernel * share).astype(np.float32)])
        out = (out / share[:, None]).astype(np.float32)
        low.get_layer(f"{name}_conv").set_weights([out[None, None]])
        scale, offset, mean, variance = norm.get_weights()
        norm.set_weights([scale, offset, mean - shift.astype(np.float32), variance])
    return low, lost


def reduced_rank(
    given: NDArray[np.float64],
    wanted: NDArray[np.float64],
    weights: NDArray[np.float32],
    rank: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """(into (C, rank), out (rank, C), shift (C,), lost): of all such, those for which
    ``given @ into @ out + shift`` is nearest to ``wanted``, both (N, C), in the sense of least
    squares weighted by channel, ``weights`` (C,), squared; and the share of the weighted variance
    of ``wanted`` that is not met. Reduced-rank regression: Izenman, 1975."""
    mean_given, mean_wanted = given.mean(axis=0), wanted.mean(axis=0)
    given, wanted = given - mean_given, (wanted - mean_wanted) * weights
    within = given.T @ given
    within[np.diag_indices_from(within)] += 1e-8 * np.trace(within) / len(within)
    best = np.linalg.solve(within, given.T @ wanted)
    _, directions = np.linalg.eigh(best.T @ within @ best)
    kept = directions[:, ::-1][:, :rank]
    into, out = best @ kept, kept.T / weights
    missed = wanted - given @ into @ kept.T
    return (
        into,
        out,
        mean_wanted - mean_given @ into @ out,
        float((missed**2).sum() / (wanted**2).sum()),
    )


def _copy(network: keras.Model, low: keras.Model) -> None:
    """The weights of all layers that both have."""
    of_low = {layer.name.removesuffix(LOW) for layer in low.layers if layer.name.endswith(LOW)}
    for layer in low.layers:
        if layer.name.endswith(LOW) or layer.name.removesuffix("_conv") in of_low:
            continue
        try:
            layer.set_weights(network.get_layer(layer.name).get_weights())
        except ValueError as error:
            raise face_data.DataError(
                f"The model is another network than the recipe's: {layer.name}."
            ) from error


def _rows(model: keras.Model, faces: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N * places, C)"""
    maps = np.asarray(model.predict(faces, batch_size=_BATCH, verbose=0), np.float64)
    return maps.reshape(-1, maps.shape[-1])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.compress", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="the trained network, .keras")
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz")
    parser.add_argument("--out", type=Path, required=True, help="the .keras to write")
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    training = face_data.load(face_data.data_path(arguments.data)).training
    random = np.random.default_rng(recipe.seed)
    chosen = random.choice(len(training), min(_FACES, len(training)), replace=False)
    images = training.images[chosen]
    images[::2] = images[::2, :, ::-1]
    network = keras.saving.load_model(arguments.model, compile=False)
    low, lost = compressed(network, recipe, images)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    low.save(arguments.out)
    for name, share in lost.items():
        print(f"{name}: rank {recipe.ranks[name]}, {share:.3f} of the variance lost")  # noqa: T201
    print(f"{multiply_adds(network):,} multiply-adds before, {multiply_adds(low):,} after")  # noqa: T201


if __name__ == "__main__":
    main()
