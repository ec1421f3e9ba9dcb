"""Can this face be read at all: size, blur, pose, light and the frame's edge in one gate.

A face that fails any test is counted as unknown, with the reason, and no expression is guessed.
One that passes gets a quality between 0 and 1, which weighs it in its track's mean.
"""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.types import Box, Face, Frame, UnknownReason

_SIDE: Final = 48
"""Height, in pixels, at which sharpness and light are measured: the recogniser's input, so that
a large face is not asked for detail that the recogniser never sees."""

_NOSE_AT: Final = 0.55
"""Where the nose's tip lies between eyes (0) and mouth (1) in a level face."""


@dataclass(frozen=True, slots=True)
class QualityGate:
    """Each pair is (refused at or beyond, full marks from): a face between the two is read, with
    less weight. Chosen by looking at the crops of store, street and office footage.

    ``height``: of the face, in the frame's pixels. ``sharpness``: see ``sharpness``. ``yaw``,
    ``pitch``: see ``pose``; 0 is frontal, 1 three quarters, 1.5 a profile. ``roll_degrees``:
    crops are turned upright, so it hardly matters. ``brightness``: mean grey, 0 to 255.
    ``contrast``: standard deviation of grey. ``outside``: part of the box beyond the frame's edge.
    """

    height: tuple[float, float] = (26.0, 60.0)
    sharpness: tuple[float, float] = (26.0, 55.0)
    yaw: tuple[float, float] = (1.35, 0.5)
    pitch: tuple[float, float] = (0.8, 0.4)
    roll_degrees: tuple[float, float] = (60.0, 25.0)
    brightness: tuple[float, float] = (28.0, 70.0)
    contrast: tuple[float, float] = (8.0, 24.0)
    outside: tuple[float, float] = (0.2, 0.05)


@dataclass(frozen=True, slots=True)
class Quality:
    """``score``: 0 to 1, the worst mark times the mean mark; 0 when ``reason`` is set."""

    score: float
    reason: UnknownReason | None


@dataclass(frozen=True, slots=True)
class Measures:
    """What the gate looks at; units in QualityGate."""

    height: float
    sharpness: float
    yaw: float
    pitch: float
    roll_degrees: float
    brightness: float
    contrast: float
    outside: float


def measure(frame: Frame, face: Face) -> Measures:
    """The raw figures of one face."""
    height, width = frame.pixels.shape[:2]
    box = face.box
    x0, y0 = max(math.floor(box.x), 0), max(math.floor(box.y), 0)
    x1 = min(math.ceil(box.x + box.width), width)
    y1 = min(math.ceil(box.y + box.height), height)
    yaw, pitch, roll = pose(face.landmarks)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return Measures(box.height, 0.0, yaw, pitch, roll, 0.0, 0.0, 1.0)
    inner = cv2.cvtColor(frame.pixels[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY)
    grey = np.asarray(inner, np.uint8)
    brightness, contrast = _mean_and_spread(grey)
    return Measures(
        height=box.height,
        sharpness=sharpness(grey),
        yaw=yaw,
        pitch=pitch,
        roll_degrees=roll,
        brightness=brightness,
        contrast=contrast,
        outside=outside(box, width, height),
    )


def assess(frame: Frame, face: Face, gate: QualityGate | None = None) -> Quality:
    """Whether and how well a face can be read."""
    gate = gate or QualityGate()
    seen = measure(frame, face)
    # In the order in which a manager can do something about it.
    marks = (
        (UnknownReason.CUT_OFF, _mark(seen.outside, gate.outside)),
        (UnknownReason.SMALL, _mark(seen.height, gate.height)),
        (UnknownReason.TURNED, _mark(abs(seen.yaw), gate.yaw)),
        (UnknownReason.TURNED, _mark(abs(seen.pitch), gate.pitch)),
        (UnknownReason.TURNED, _mark(abs(seen.roll_degrees), gate.roll_degrees)),
        (UnknownReason.DARK, _mark(seen.brightness, gate.brightness)),
        (UnknownReason.DARK, _mark(seen.contrast, gate.contrast)),
        (UnknownReason.BLURRED, _mark(seen.sharpness, gate.sharpness)),
    )
    for reason, mark in marks:
        if mark <= 0:
            return Quality(0.0, reason)
    values = [mark for _, mark in marks]
    return Quality(min(values) * sum(values) / len(values), None)


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Standard deviation of the Laplacian, over the face at the recogniser's size, as a
    percentage of the contrast: it does not change with the light.

    After Pech-Pacheco et al. (2000), the variance of the Laplacian. Faces smaller than that size
    are not enlarged, which would only measure the interpolation.
    """
    height, width = grey.shape
    scale = _SIDE / height
    if scale < 1:
        size = (max(round(width * scale), 2), _SIDE)
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    contrast = max(_mean_and_spread(grey)[1], 1.0)
    return 100 * _mean_and_spread(np.asarray(edges, np.float32))[1] / contrast


def _mean_and_spread(
    values: NDArray[np.uint8] | NDArray[np.float32],
) -> tuple[float, float]:
    """Mean and standard deviation; OpenCV takes a tenth of numpy's time over small pictures."""
    mean, spread = cv2.meanStdDev(values)
    return float(mean[0, 0]), float(spread[0, 0])


def pose(landmarks: NDArray[np.float32]) -> tuple[float, float, float]:
    """(yaw, pitch, roll in degrees) as the five landmarks hint at them.

    Yaw: how far the nose lies to the side of the middle of eyes and mouth, in half distances of
    the eyes: 0 frontal, beyond 1 the nose is outside the eyes. Pitch: how far the nose lies from
    its usual place between eyes and mouth, in half distances of those: 0 level, negative up.
    """
    right_eye, left_eye, nose, right_mouth, left_mouth = landmarks.astype(np.float64)
    eyes, mouth = (right_eye + left_eye) / 2, (right_mouth + left_mouth) / 2
    across, down = left_eye - right_eye, mouth - eyes
    roll = math.degrees(math.atan2(across[1], across[0]))
    # The face's own axes: down its middle, and across it.
    length = max(float(np.hypot(*down)), 1e-6)
    axis = down / length
    side = np.array([axis[1], -axis[0]])
    half_eyes = max(abs(float(across @ side)) / 2, 1e-6)
    offset = nose - eyes
    yaw = float(offset @ side) / half_eyes
    pitch = (float(offset @ axis) / length - _NOSE_AT) * 2
    return yaw, pitch, roll


def outside(box: Box, width: int, height: int) -> float:
    """The part of a box's area that lies beyond a frame of this size, 0 to 1."""
    shown_x = max(min(box.x + box.width, width) - max(box.x, 0), 0)
    shown_y = max(min(box.y + box.height, height) - max(box.y, 0), 0)
    return 1 - shown_x * shown_y / max(box.width * box.height, 1e-6)


def _mark(value: float, bounds: tuple[float, float]) -> float:
    """0 at or beyond the first bound, 1 from the second on, straight between."""
    refused, full = bounds
    return min(max((value - refused) / (full - refused), 0.0), 1.0)
