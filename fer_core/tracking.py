"""The same person from sampled frame to sampled frame, by place and size alone.

Made for 2 to 10 samples a second, where a face may move by more than its own width between two
frames: each track predicts where its face should be (constant velocity), and one assignment
(Hungarian method) pairs predictions with detections at the least total cost. No picture of a
face is compared with another, so nobody is recognised.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from fer_core.types import Box, Face

_REFUSED: Final = 1e6
_THUMBNAIL: Final = (64, 36)


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """``max_missed_ms``: how long a track lives without a detection. ``reach``: how far, in face
    sizes, a face may be from its predicted place at once; ``reach_per_s``: what each second
    since it was last seen adds, with a velocity known; ``reach_per_s_new``: without (the second
    sight of a person; walking across is about six face heights a second). ``max_reach``: never
    further. ``max_size_ratio``: larger over smaller face. ``cut_difference``: mean absolute
    difference of two thumbnails (0 to 255) that makes a scene cut.
    """

    max_missed_ms: int = 1200
    reach: float = 0.5
    reach_per_s: float = 2.0
    reach_per_s_new: float = 5.0
    max_reach: float = 2.0
    max_size_ratio: float = 1.7
    cut_difference: float = 48.0


@dataclass(slots=True)
class _Follow:
    """A live track. Velocity in pixels per millisecond, of the face's centre."""

    number: int
    box: Box
    seen_ms: int
    velocity: tuple[float, float] | None = None

    def predicted(self, time_ms: int) -> tuple[float, float]:
        x, y = _centre(self.box)
        if self.velocity is None:
            return x, y
        elapsed = time_ms - self.seen_ms
        return x + self.velocity[0] * elapsed, y + self.velocity[1] * elapsed

    def saw(self, box: Box, time_ms: int) -> None:
        elapsed = max(time_ms - self.seen_ms, 1)
        (x, y), (x0, y0) = _centre(box), _centre(self.box)
        vx, vy = (x - x0) / elapsed, (y - y0) / elapsed
        if self.velocity is not None:
            # Half the old: detections jitter by some pixels, people turn within a second.
            vx, vy = (vx + self.velocity[0]) / 2, (vy + self.velocity[1]) / 2
        self.velocity, self.box, self.seen_ms = (vx, vy), box, time_ms


class Tracker:
    """Feed it the frames in order; it numbers people from 0 in the order they appear."""

    def __init__(self, options: TrackerOptions | None = None) -> None:
        self._options = options or TrackerOptions()
        self._follows: list[_Follow] = []
        self._next = 0

    def update(self, time_ms: int, faces: Sequence[Face]) -> list[int]:
        """The track number of each face, in their order. Times must rise."""
        oldest = time_ms - self._options.max_missed_ms
        self._follows = [follow for follow in self._follows if follow.seen_ms >= oldest]
        numbers = [-1] * len(faces)
        if self._follows and faces:
            costs = np.array(
                [[self._cost(f, face.box, time_ms) for face in faces] for f in self._follows]
            )
            for row, column in zip(*linear_sum_assignment(costs), strict=True):
                if costs[row, column] < _REFUSED:
                    self._follows[row].saw(faces[column].box, time_ms)
                    numbers[column] = self._follows[row].number
        for n, face in enumerate(faces):
            if numbers[n] < 0:
                numbers[n] = self._next
                self._follows.append(_Follow(self._next, face.box, time_ms))
                self._next += 1
        return numbers

    def cut(self) -> None:
        """Ends all tracks: the scene changed."""
        self._follows.clear()

    def _cost(self, follow: _Follow, box: Box, time_ms: int) -> float:
        options = self._options
        elapsed_s = (time_ms - follow.seen_ms) / 1000
        pace = options.reach_per_s if follow.velocity else options.reach_per_s_new
        reach = min(options.reach + pace * elapsed_s, options.max_reach)
        size, size_before = _size(box), _size(follow.box)
        ratio = max(size, size_before) / max(min(size, size_before), 1e-6)
        x, y = _centre(box)
        px, py = follow.predicted(time_ms)
        distance = math.hypot(x - px, y - py) / max((size + size_before) / 2, 1e-6)
        if distance > reach or ratio > options.max_size_ratio:
            return _REFUSED
        width, height = follow.box.width, follow.box.height
        expected = Box(px - width / 2, py - height / 2, width, height)
        return distance + (1 - iou(expected, box)) + math.log(ratio)


class CutDetector:
    """Tells a scene cut from movement, by a thumbnail of each sampled frame."""

    def __init__(self, difference: float = TrackerOptions().cut_difference) -> None:
        self._difference = difference
        self._last: NDArray[np.float32] | None = None

    def is_cut(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether this frame (uint8, BGR) shows another scene than the one before it."""
        small = cv2.resize(pixels, _THUMBNAIL, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32)
        last, self._last = self._last, grey
        return last is not None and float(np.abs(grey - last).mean()) > self._difference


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.width * a.height + b.width * b.height - shared)


def _centre(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


def _size(box: Box) -> float:
    """The side of the square of the same area."""
    return math.sqrt(max(box.width * box.height, 0.0))
