"""The networks: our compact residual one, and the study's plain CNN as the baseline to beat.

Both take float32 (N, 48, 48, 1) as ``fer_core.preprocessing.to_model_input`` makes it, and give
logits (N, 7) in EXPRESSIONS' order. Keras 3, no backend named.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_core.preprocessing import FACE_SIZE
from fer_core.types import EXPRESSIONS

LOW: Final = "_low"
"""Ends the name of the first of the two layers that a convolution of low rank is."""


def _convolution(channels: int, size: int, stride: int, *, name: str) -> keras.layers.Layer:
    return layers.Conv2D(
        channels,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )


def _normalised(
    channels: int, size: int, stride: int, *, name: str, rank: int = 0
) -> list[keras.layers.Layer]:
    convolutions = (
        [
            _convolution(rank, size, stride, name=f"{name}{LOW}"),
            _convolution(channels, 1, 1, name=f"{name}_conv"),
        ]
        if rank
        else [_convolution(channels, size, stride, name=f"{name}_conv")]
    )
    return [
        *convolutions,
        layers.BatchNormalization(momentum=0.97, epsilon=1e-5, name=f"{name}_norm"),
    ]


def _apply(steps: Sequence[keras.layers.Layer], tensor: keras.KerasTensor) -> keras.KerasTensor:
    for step in steps:
        tensor = step(tensor)
    return tensor


def _squeeze_excite(
    tensor: keras.KerasTensor, channels: int, ratio: int, *, name: str
) -> keras.KerasTensor:
    """Channel attention (Hu et al., 2018, arXiv:1709.01507)."""
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(tensor)
    gate = layers.Conv2D(channels // ratio, 1, activation="relu", name=f"{name}_reduce")(gate)
    gate = layers.Conv2D(channels, 1, activation="sigmoid", name=f"{name}_expand")(gate)
    return layers.Multiply(name=f"{name}_scale")([tensor, gate])


def _residual(
    tensor: keras.KerasTensor,
    channels: int,
    stride: int,
    *,
    squeeze: bool,
    ranks: Mapping[str, int],
    name: str,
) -> keras.KerasTensor:
    """A basic residual block (He et al., 2016); the shortcut averages before it projects, so
    that a stride drops no pixel (the "D" of He et al., 2019, arXiv:1812.01187)."""
    shortcut = tensor
    if stride > 1:
        shortcut = layers.AveragePooling2D(stride, padding="same", name=f"{name}_pool")(shortcut)
    if shortcut.shape[-1] != channels:
        shortcut = _apply(_normalised(channels, 1, 1, name=f"{name}_short"), shortcut)
    first, second = f"{name}_a", f"{name}_b"
    out = _apply(_normalised(channels, 3, stride, name=first, rank=ranks.get(first, 0)), tensor)
    out = layers.Activation("relu", name=f"{name}_a_relu")(out)
    out = _apply(_normalised(channels, 3, 1, name=second, rank=ranks.get(second, 0)), out)
    if squeeze:
        out = _squeeze_excite(out, channels, 8, name=f"{name}_se")
    out = layers.Add(name=f"{name}_add")([out, shortcut])
    return layers.Activation("relu", name=f"{name}_relu")(out)


def residual_net(
    widths: Sequence[int] = (32, 64, 128, 256),
    blocks: Sequence[int] = (1, 1, 1, 1),
    *,
    squeeze: bool = True,
    dropout: float = 0.3,
    stem_stride: int = 2,
    strides: Sequence[int] = (),
    ranks: Mapping[str, int] = MappingProxyType({}),
) -> keras.Model:
    """A stem, then stages of residual blocks.

    ``widths`` and ``blocks``: channels and number of blocks of each stage. ``stem_stride`` and
    ``strides``: by how much the stem, and the first block of each stage, make the map smaller;
    without ``strides``, every stage but the first by two. ``ranks``: of convolutions that are two
    layers, 3 x 3 to so many channels and 1 x 1 from them, by their names (``stage4_2_b``: of the
    second block, its second).
    """
    inputs = keras.Input((FACE_SIZE, FACE_SIZE, 1), name="face")
    tensor = _apply(_normalised(widths[0], 3, stem_stride, name="stem"), inputs)
    tensor = layers.Activation("relu", name="stem_relu")(tensor)
    stages = zip(widths, blocks, strides or [1, *[2] * (len(widths) - 1)], strict=True)
    for stage, (width, count, stride) in enumerate(stages, start=1):
        for block in range(1, count + 1):
            step = stride if block == 1 else 1
            name = f"stage{stage}_{block}"
            tensor = _residual(tensor, width, step, squeeze=squeeze, ranks=ranks, name=name)
    tensor = layers.GlobalAveragePooling2D(name="pool")(tensor)
    tensor = layers.Dropout(dropout, name="dropout")(tensor)
    logits = layers.Dense(len(EXPRESSIONS), name="logits")(tensor)
    return keras.Model(inputs, logits, name="residual_net")


def study_cnn(dropout: float = 0.25) -> keras.Model:
    """The plain CNN that studies of FER2013 begin with: four convolutions with pooling and
    dropout, then two dense layers."""
    inputs = keras.Input((FACE_SIZE, FACE_SIZE, 1), name="face")
    tensor = inputs
    for number, width in enumerate((64, 128, 512, 512), start=1):
        tensor = _apply(
            _normalised(width, 5 if number == 2 else 3, 1, name=f"conv{number}"), tensor
        )
        tensor = layers.Activation("relu", name=f"conv{number}_relu")(tensor)
        tensor = layers.MaxPooling2D(2, name=f"conv{number}_pool")(tensor)
        tensor = layers.Dropout(dropout, name=f"conv{number}_dropout")(tensor)
    tensor = layers.Flatten(name="flatten")(tensor)
    for number, width in enumerate((256, 512), start=1):
        tensor = layers.Dense(width, use_bias=False, name=f"dense{number}")(tensor)
        tensor = layers.BatchNormalization(name=f"dense{number}_norm")(tensor)
        tensor = layers.Activation("relu", name=f"dense{number}_relu")(tensor)
        tensor = layers.Dropout(dropout, name=f"dense{number}_dropout")(tensor)
    logits = layers.Dense(len(EXPRESSIONS), name="logits")(tensor)
    return keras.Model(inputs, logits, name="study_cnn")


VOTES_HEAD: Final = "votes.npz"
"""Beside a run's best network: its head for votes, where it has one."""


def read_votes_head(run: Path) -> list[NDArray[np.float32]] | None:
    """Kernel (C, 7) and bias (7,); None where ``run`` has no head for votes."""
    path = run / VOTES_HEAD
    if not path.exists():
        return None
    with np.load(path) as saved:
        return [saved["kernel"], saved["bias"]]


def leaning_to_votes(
    network: keras.Model, head: Sequence[NDArray[np.float32]], share: float
) -> keras.Model:
    """A copy of ``network`` whose logits are 1 - ``share`` of its own and ``share`` of a head for
    votes, kernel (C, 7) and bias (7,), on the same body: it costs nothing when faces are read."""
    own = network.get_layer("logits").get_weights()
    return _with_logits(
        network, [(1 - share) * mine + share * voted for mine, voted in zip(own, head, strict=True)]
    )


def adjusted(network: keras.Model, faces: Sequence[int], share: float) -> keras.Model:
    """A copy of ``network`` that needs less to read an expression, the fewer ``faces`` (7) it was
    trained on that show it: ``share`` of the logarithm of their frequency is taken off its logit
    (Menon et al., 2021, arXiv:2007.07314, equation 9, with the share as tau)."""
    kernel, bias = network.get_layer("logits").get_weights()
    frequency = np.maximum(faces, 1) / np.sum(faces)
    return _with_logits(network, [kernel, bias - share * np.log(frequency)])


def _with_logits(network: keras.Model, weights: list[NDArray[np.floating]]) -> keras.Model:
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    copy.get_layer("logits").set_weights(weights)
    return copy


def multiply_adds(network: keras.Model) -> int:
    """Multiply-adds of one face through the convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, layers.Conv2D):
            _, height, width, channels = layer.output.shape
            _, _, into, _ = layer.kernel.shape
            size = layer.kernel_size[0] * layer.kernel_size[1]
            total += height * width * channels * into * size
        elif isinstance(layer, layers.Dense):
            total += layer.kernel.shape[0] * layer.kernel.shape[1]
    return int(total)
