"""What may happen to a face before the network sees it, as a Keras layer.

The study's four (tilt, horizontal flip, shift, zoom) and what a store camera does: the jitter of
a detector's box (stretch), few pixels, blur, JPEG's blocks, gamma, contrast and brightness,
something in front. All of it is tensor arithmetic that every backend compiles: resampling and
blur are products with 48x48 matrices, JPEG is a product with the cosines of its blocks.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from pydantic import ConfigDict

from fer_core.preprocessing import FACE_SIZE

_WHITE: Final = 255.0
_BLOCK: Final = 8
_QUALITIES: Final = (20.0, 90.0)
_BLURS: Final = (0.4, 1.4)
_SHARP: Final = 0.05
"""Pixels of standard deviation: a blur that changes nothing."""

_LUMINANCE: Final[NDArray[np.float32]] = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
"""JPEG's steps for grey at quality 50 (ITU-T T.81, table K.1)."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges, each drawn evenly from minus to plus, and chances from 0 to 1.

    ``tilt``: degrees. ``shift``: share of the side. ``zoom``: of the size, as a logarithm;
    ``stretch``: the same, of the width against the height. ``contrast``: of the gain about the
    picture's mean, as a logarithm; ``gamma``: of the exponent, likewise. ``brightness``: share
    of full white. ``flip``, ``low_resolution``, ``blur``, ``jpeg``, ``erase``: chances.
    ``smallest``: the fewest pixels a side of a picture that is shrunk and enlarged again.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    tilt: float = 10.0
    shift: float = 0.08
    zoom: float = 0.1
    stretch: float = 0.0
    flip: float = 0.5
    contrast: float = 0.2
    gamma: float = 0.0
    brightness: float = 0.1
    low_resolution: float = 0.15
    smallest: int = 16
    blur: float = 0.0
    jpeg: float = 0.0
    erase: float = 0.1


@keras.saving.register_keras_serializable("satisface")
class AugmentFaces(keras.layers.Layer):  # type: ignore[misc]
    """Faces, float32 (B, 48, 48, 1) of pixels from 0 to 255, each changed in its own way while
    training, and left alone otherwise. ``settings``: an Augmentation, or its fields."""

    def __init__(
        self, settings: Augmentation | dict[str, Any], seed: int = 0, **options: Any
    ) -> None:
        super().__init__(**options)
        if isinstance(settings, dict):
            settings = Augmentation(**settings)
        self.settings: Final = settings
        self.seed: Final = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._sizes = np.stack([resampling(size) for size in range(settings.smallest, FACE_SIZE)])
        self._cosines = cosines()

    def get_config(self) -> dict[str, Any]:
        options: dict[str, Any] = super().get_config()
        return options | {
            "settings": dataclasses.asdict(self.settings),
            "seed": self.seed,
        }

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def call(self, faces: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training:
            return faces
        pictures = self._moved(faces[..., 0])
        pictures = self._lit(pictures)
        pictures = self._coarse(pictures)
        if self.settings.jpeg > 0:
            pictures = self._compressed(pictures)
        if self.settings.erase > 0:
            pictures = self._hidden(pictures)
        return ops.clip(pictures, 0.0, _WHITE)[..., None]

    def _draw(self, like: keras.KerasTensor, low: float = -1.0, high: float = 1.0) -> Any:
        """One number a picture, float32 (B, 1, 1)."""
        return keras.random.uniform((ops.shape(like)[0], 1, 1), low, high, seed=self.seed_generator)

    def _chance(self, like: keras.KerasTensor, chance: float) -> Any:
        return self._draw(like, 0.0, 1.0) < chance

    def _moved(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Turned, enlarged, stretched, mirrored and shifted; what is missing at the border is
        mirrored in."""
        chosen, side = self.settings, FACE_SIZE
        angle = self._draw(pictures) * np.deg2rad(chosen.tilt)
        zoom = self._draw(pictures) * chosen.zoom
        stretch = self._draw(pictures) * (chosen.stretch / 2)
        mirror = ops.where(self._chance(pictures, chosen.flip), -1.0, 1.0)
        centre = (side - 1) / 2
        # Where each pixel of the result comes from: the way back through the change.
        rows, columns = (axis - centre for axis in _grid())
        columns = columns - self._draw(pictures) * (chosen.shift * side)
        rows = rows - self._draw(pictures) * (chosen.shift * side)
        x = (columns * ops.cos(angle) + rows * ops.sin(angle)) * ops.exp(-zoom - stretch) * mirror
        y = (rows * ops.cos(angle) - columns * ops.sin(angle)) * ops.exp(-zoom + stretch)
        return sampled(pictures, x + centre, y + centre)

    def _lit(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        chosen = self.settings
        if chosen.gamma > 0:
            exponent = ops.exp(self._draw(pictures) * chosen.gamma)
            pictures = _WHITE * ops.power(ops.clip(pictures / _WHITE, 1e-3, 1.0), exponent)
        mean = ops.mean(pictures, axis=(1, 2), keepdims=True)
        gain = ops.exp(self._draw(pictures) * chosen.contrast)
        light = self._draw(pictures) * (chosen.brightness * _WHITE)
        return ops.clip((pictures - mean) * gain + mean + light, 0.0, _WHITE)

    def _coarse(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Blurred, then shrunk and enlarged again."""
        chosen = self.settings
        if chosen.blur > 0:
            width = self._draw(pictures, *_BLURS)
            width = ops.where(self._chance(pictures, chosen.blur), width, _SHARP)
            pictures = _both_ways(blurring(width), pictures)
        if chosen.low_resolution > 0:
            which = self._draw(pictures, 0.0, float(len(self._sizes)))[:, 0, 0]
            table = ops.take(
                ops.convert_to_tensor(self._sizes), ops.cast(ops.floor(which), "int32"), axis=0
            )
            shrunk = _both_ways(table, pictures)
            pictures = ops.where(self._chance(pictures, chosen.low_resolution), shrunk, pictures)
        return pictures

    def _compressed(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        quality = self._draw(pictures, *_QUALITIES)
        scale = ops.where(quality < 50, 50 / quality, 2 - quality / 50)
        table = ops.convert_to_tensor(np.tile(_LUMINANCE, (6, 6))[None])
        steps = ops.maximum(ops.round(table * scale), 1.0)
        waves = ops.convert_to_tensor(self._cosines)
        there = ops.matmul(ops.matmul(waves, pictures - 128.0), ops.transpose(waves))
        kept = ops.round(there / steps) * steps
        back = ops.matmul(ops.matmul(ops.transpose(waves), kept), waves) + 128.0
        return ops.where(self._chance(pictures, self.settings.jpeg), back, pictures)

    def _hidden(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Something of one tone in front, an eighth to a third of the side."""
        side = FACE_SIZE
        height, width = (self._draw(pictures, side / 8, side / 3) for _ in range(2))
        top = self._draw(pictures, 0.0, 1.0) * (side - height)
        left = self._draw(pictures, 0.0, 1.0) * (side - width)
        rows, columns = _grid()
        inside = (rows >= top) & (rows < top + height) & (columns >= left)
        inside = inside & (columns < left + width) & self._chance(pictures, self.settings.erase)
        return ops.where(inside, self._draw(pictures, 0.0, _WHITE), pictures)


def _grid() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The row and the column of every pixel, each float32 (1, 48, 48)."""
    rows, columns = np.indices((1, FACE_SIZE, FACE_SIZE), np.float32)[1:]
    return ops.convert_to_tensor(rows), ops.convert_to_tensor(columns)


def sampled(
    pictures: keras.KerasTensor, x: keras.KerasTensor, y: keras.KerasTensor
) -> keras.KerasTensor:
    """``pictures`` (B, n, n) at the places ``x``, ``y`` (B, n, n), bilinear, mirrored at the
    border (without repeating it)."""
    side = FACE_SIZE
    left, top = ops.floor(x), ops.floor(y)
    flat = ops.reshape(pictures, (-1, side * side))

    def at(row: keras.KerasTensor, column: keras.KerasTensor) -> keras.KerasTensor:
        index = ops.cast(_inside(row) * side + _inside(column), "int32")
        values = ops.take_along_axis(flat, ops.reshape(index, (-1, side * side)), axis=1)
        return ops.reshape(values, (-1, side, side))

    right_share, low_share = x - left, y - top
    upper = at(top, left) * (1 - right_share) + at(top, left + 1) * right_share
    lower = at(top + 1, left) * (1 - right_share) + at(top + 1, left + 1) * right_share
    return upper * (1 - low_share) + lower * low_share


def _inside(places: keras.KerasTensor) -> keras.KerasTensor:
    """Whole places, mirrored once at either border."""
    last = FACE_SIZE - 1
    return ops.clip(last - ops.abs(last - ops.abs(places)), 0, last)


def _both_ways(matrices: keras.KerasTensor, pictures: keras.KerasTensor) -> keras.KerasTensor:
    return ops.matmul(ops.matmul(matrices, pictures), ops.transpose(matrices, (0, 2, 1)))


def resampling(pixels: int, side: int = FACE_SIZE) -> NDArray[np.float32]:
    """The matrix (side, side) that shrinks a column to ``pixels`` by averaging areas, and
    enlarges it again, bilinear."""
    edges = np.arange(pixels + 1) * side / pixels
    starts = np.arange(side)
    overlap = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    down = np.clip(overlap, 0, None) * pixels / side
    places = np.clip((np.arange(side) + 0.5) * pixels / side - 0.5, 0, pixels - 1)
    up = np.clip(1 - np.abs(places[:, None] - np.arange(pixels)), 0, None)
    return np.asarray(up @ down, np.float32)


def blurring(width: keras.KerasTensor) -> keras.KerasTensor:
    """The matrices (B, n, n) of Gaussian blurs of ``width`` (B, 1, 1) pixels."""
    apart = np.subtract.outer(np.arange(FACE_SIZE), np.arange(FACE_SIZE)).astype(np.float32)
    weights = ops.exp(-ops.square(ops.convert_to_tensor(apart[None])) / (2 * ops.square(width)))
    return weights / ops.sum(weights, axis=2, keepdims=True)


def cosines(side: int = FACE_SIZE) -> NDArray[np.float32]:
    """The orthonormal matrix (side, side) of the cosine transform (DCT-II) of every block of
    eight."""
    wave, place = np.indices((_BLOCK, _BLOCK))
    block = np.cos((2 * place + 1) * wave * np.pi / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    block[0] /= np.sqrt(2)
    return np.asarray(np.kron(np.eye(side // _BLOCK), block), np.float32)
