"""The one place where a face becomes the model's input, for training, evaluation and footage.

FER2013's faces are 48x48 grey crops that a detector cut out: face filling the picture, most of
them upright. ``align_crop`` puts a face of a frame the same way: a similarity transform (turn,
scale, shift) takes its five landmarks as near as can be to where YuNet finds those of FER2013's
own faces (``TEMPLATE``).
"""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.types import Face

FACE_SIZE: Final = 48
"""Pixels, both sides of a crop."""

TEMPLATE: Final[NDArray[np.float32]] = np.array(
    [[14.7, 17.8], [32.3, 17.8], [23.5, 28.1], [16.3, 36.1], [30.7, 36.1]], np.float32
)
"""float32 (5, 2): mean landmarks of FER2013's faces, in pixels of the 48x48 crop (pixel centres
at whole numbers), in YuNet's order. Measured by ``python -m training.template``."""

_INPUT_MEAN: Final = 127.5
_INPUT_SCALE: Final = 64.0


def to_model_input(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (N, 48, 48) to float32 (N, 48, 48, 1), about -2 to 2: what the networks take."""
    return ((crops.astype(np.float32) - _INPUT_MEAN) / np.float32(_INPUT_SCALE))[..., np.newaxis]


def similarity(points: NDArray[np.float32], targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """The 2x3 matrix of the turn, scale and shift that takes ``points`` nearest to ``targets``
    in the sense of least squares, both (K, 2); never a mirror image.

    Horn, 1987; in the plane it is one complex factor. Raises ValueError when all points are one.
    """
    source = points.astype(np.float64) @ np.array([1, 1j])
    target = targets.astype(np.float64) @ np.array([1, 1j])
    centred = source - source.mean()
    spread = float((np.abs(centred) ** 2).sum())
    if spread < 1e-9 or not math.isfinite(spread):
        raise ValueError("the landmarks are one point, or none")
    factor = (np.conj(centred) @ (target - target.mean())) / spread
    shift = target.mean() - factor * source.mean()
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    )


def align_crop(frame_bgr: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
    """The face as FER2013 would show it: uint8 (48, 48), grey, upright.

    ``frame_bgr``: uint8 (height, width, 3). What lies outside the frame repeats its edge. Large
    faces are sampled densely and averaged, so that no fine pattern turns into a coarse one.
    """
    try:
        matrix = similarity(face.landmarks, TEMPLATE)
    except ValueError:
        matrix = _box_transform(face)
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    if not math.isfinite(scale) or scale < 1e-6:
        matrix = _box_transform(face)
        scale = math.hypot(matrix[0, 0], matrix[1, 0])
    region, matrix = _cut_region(frame_bgr, matrix)
    samples = max(1, math.ceil(1 / scale - 1e-6))
    dense = matrix * samples
    dense[:, 2] += (samples - 1) / 2
    side = FACE_SIZE * samples
    warped = cv2.warpAffine(
        region, dense, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if samples > 1:
        warped = cv2.resize(warped, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(warped, np.uint8)


def _box_transform(face: Face) -> NDArray[np.float64]:
    """For landmarks that are of no use: the box's own square, upright."""
    side = max(face.box.width, face.box.height, 1.0)
    scale = FACE_SIZE / side
    left = face.box.x + face.box.width / 2 - side / 2
    top = face.box.y + face.box.height / 2 - side / 2
    return np.array([[scale, 0.0, -left * scale], [0.0, scale, -top * scale]])


def _cut_region(
    frame_bgr: NDArray[np.uint8], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of the frame that the crop needs, in grey, and the matrix from it: grey is made
    of that part only, and OpenCV's warp takes no picture wider than 32,767 pixels."""
    height, width = frame_bgr.shape[:2]
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[-1, -1], [FACE_SIZE, -1], [-1, FACE_SIZE], [FACE_SIZE, FACE_SIZE]])
    reach = corners @ inverse[:, :2].T + inverse[:, 2]
    left, top = np.clip(np.floor(reach.min(axis=0)) - 1, 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(
        np.ceil(reach.max(axis=0)) + 2, [left + 1, top + 1], [width, height]
    ).astype(int)
    grey = cv2.cvtColor(frame_bgr[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([left, top], np.float64)
    return np.asarray(grey, np.uint8), moved
