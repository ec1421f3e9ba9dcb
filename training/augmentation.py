"""What may happen to a face before the network sees it: the study's four (tilt, horizontal flip,
shift, zoom) and some of what a store camera does (contrast, few pixels, something in front).

It works on uint8 pictures with OpenCV on a thread beside the training step: one warp of a 48 px
face costs about 10 microseconds, a thousandth of its training step, and the step stays free of
operations that XLA cannot compile (TensorFlow's projective transform is one).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges, each drawn evenly from minus to plus, and chances from 0 to 1.

    ``tilt``: degrees. ``shift``: share of the side. ``zoom``: share of the size. ``flip``,
    ``low_resolution``, ``erase``: chances. ``contrast``: of the gain about the picture's mean.
    ``brightness``: share of full white. ``smallest``: the fewest pixels a side of a picture that
    is shrunk and enlarged again.
    """

    tilt: float = 12.0
    shift: float = 0.08
    zoom: float = 0.12
    flip: float = 0.5
    contrast: float = 0.3
    brightness: float = 0.1
    low_resolution: float = 0.15
    smallest: int = 16
    erase: float = 0.25

    def __call__(
        self, images: NDArray[np.uint8], generator: np.random.Generator
    ) -> NDArray[np.uint8]:
        """uint8 (N, h, w) to uint8 (N, h, w), each picture changed in its own way."""
        out = np.empty_like(images)
        for index, image in enumerate(images):
            out[index] = self._one(image, generator)
        return out

    def _one(self, image: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        side = image.shape[0]
        draw = generator.uniform(-1, 1, 6)
        matrix = affine(
            side,
            degrees=draw[0] * self.tilt,
            zoom=float(np.exp(draw[1] * self.zoom)),
            shift=(draw[2] * self.shift * side, draw[3] * self.shift * side),
            flip=bool(generator.random() < self.flip),
        )
        picture = cv2.warpAffine(
            image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        if generator.random() < self.low_resolution:
            small = int(generator.integers(self.smallest, side))
            picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
            picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
        gain = float(np.exp(draw[4] * self.contrast))
        offset = float(picture.mean()) * (1 - gain) + draw[5] * self.brightness * 255
        changed = np.asarray(np.clip(picture.astype(np.float32) * gain + offset, 0, 255), np.uint8)
        if generator.random() < self.erase:
            height, width = generator.integers(side // 8, side // 3, 2)
            top, left = generator.integers(0, side - height), generator.integers(0, side - width)
            changed[top : top + height, left : left + width] = generator.integers(0, 256)
        return changed


def affine(
    side: int, *, degrees: float, zoom: float, shift: tuple[float, float], flip: bool
) -> NDArray[np.float64]:
    """The 2x3 matrix, for cv2.warpAffine, that turns and enlarges about the centre of a picture
    of ``side`` pixels, mirrors it (``flip``), then moves it by ``shift`` pixels (x, y)."""
    centre = (side - 1) / 2
    angle = np.deg2rad(degrees)
    cosine, sine = zoom * np.cos(angle), zoom * np.sin(angle)
    mirror = -1.0 if flip else 1.0
    linear = np.array([[cosine * mirror, sine], [-sine * mirror, cosine]])
    move = np.array([centre + shift[0], centre + shift[1]]) - linear @ [centre, centre]
    return np.asarray(np.column_stack([linear, move]), np.float64)
