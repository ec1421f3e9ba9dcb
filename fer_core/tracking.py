"""The same person from sampled frame to sampled frame, by place and size alone.

Made for 2 to 10 samples a second, where a face may move by more than its own width between two
frames: each track predicts where its face should be (constant velocity), and one assignment
(Hungarian method) pairs predictions with detections at the least total cost. At fewer, only who
stays about where they are is followed. Detections that the detector is unsure of come second: they
keep a track alive and never begin one (after ByteTrack, Zhang et al., 2022, arXiv:2110.06864),
unless it may have begun before the tracker was shown anything. No picture of a face is compared
with another, so nobody is recognised.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.assignment import least_cost_pairs
from fer_core.types import Box, Face

_REFUSED: Final = 1e6
_THUMBNAIL: Final = (64, 36)
_THIN: Final = (256, 144)

_SAMPLES_MISSED: Final = 2.2
"""Samples, a little over two: one sight may be missing between two others."""
LONGEST_MISSED_MS: Final = 5000
"""After longer whoever is there may be anybody, however seldom samples are taken."""


def missed_ms(rate: float) -> int:
    """How long a track must at least live without a detection at ``rate`` samples a second for
    one sight to be missing; at most LONGEST_MISSED_MS."""
    return min(math.ceil(_SAMPLES_MISSED * 1000 / rate), LONGEST_MISSED_MS)


def is_followed(rate: float) -> bool:
    """Whether people are followed at ``rate`` samples a second though one sight is missing."""
    return rate * LONGEST_MISSED_MS >= _SAMPLES_MISSED * 1000


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """``max_missed_ms``: how long a track lives without a detection. ``reach``: how far, in face
    sizes, a face may be from its predicted place at once; ``reach_per_s``: what each second
    since it was last seen adds, with a velocity known; ``reach_per_s_new``: without (the second
    sight of a person; walking across is about six face heights a second). ``max_reach``: never
    further. ``max_size_ratio``: larger over smaller face. ``striding_per_s``, ``striding_reach``,
    ``striding_size_ratio``: the same for the second sight of a face that nobody else claims:
    who walks by close to the camera moves by eight face heights a second and keeps their size.
    ``sure_score``: of the detector, from which a face may begin a track. ``cut_difference``: mean
    absolute difference of two thumbnails (0 to 255) that makes a scene cut.
    """

    max_missed_ms: int = 1200
    reach: float = 0.5
    reach_per_s: float = 2.0
    reach_per_s_new: float = 5.0
    max_reach: float = 2.0
    max_size_ratio: float = 1.7
    striding_per_s: float = 10.0
    striding_reach: float = 2.5
    striding_size_ratio: float = 1.25
    sure_score: float = 0.65
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

    def __init__(
        self, options: TrackerOptions | None = None, longest_missed_ms: int | None = None
    ) -> None:
        """``longest_missed_ms``: how long a track may live without a detection where frames come
        so seldom that one sight would be missing otherwise."""
        self._options = options or TrackerOptions()
        self._longest_missed_ms = longest_missed_ms or self._options.max_missed_ms
        self._follows: list[_Follow] = []
        self._next = 0
        self._last_ms: int | None = None
        self._step_ms: int | None = None

    def update(
        self, time_ms: int, faces: Sequence[Face], *, unsure_begin: bool = False
    ) -> list[int | None]:
        """The track number of each face, in their order; None for an unsure face that no track
        expected. Times must rise. ``unsure_begin``: such a face begins a track, too."""
        oldest = time_ms - self._may_be_missed_ms(time_ms)
        self._follows = [follow for follow in self._follows if follow.seen_ms >= oldest]
        sure = [face.score >= self._options.sure_score for face in faces]
        numbers: list[int | None] = [None] * len(faces)
        left = self._follows
        for of_sure, striding in ((True, False), (False, False), (True, True)):
            candidates = [n for n in range(len(faces)) if sure[n] is of_sure and numbers[n] is None]
            left = self._assign(time_ms, left, faces, candidates, numbers, striding=striding)
        for n, face in enumerate(faces):
            if numbers[n] is None and (sure[n] or unsure_begin):
                numbers[n] = self._next
                self._follows.append(_Follow(self._next, face.box, time_ms))
                self._next += 1
        return numbers

    def _may_be_missed_ms(self, time_ms: int) -> int:
        """By the step before this one: after a gap in frames that come often, who comes may be
        somebody else."""
        step_ms = None if self._last_ms is None else time_ms - self._last_ms
        usual_ms = self._step_ms or step_ms
        self._last_ms, self._step_ms = time_ms, step_ms
        if usual_ms is None:
            return self._options.max_missed_ms
        seldom_ms = min(missed_ms(1000 / usual_ms), self._longest_missed_ms)
        return max(self._options.max_missed_ms, seldom_ms)

    def _assign(
        self,
        time_ms: int,
        follows: list[_Follow],
        faces: Sequence[Face],
        candidates: Sequence[int],
        numbers: list[int | None],
        *,
        striding: bool,
    ) -> list[_Follow]:
        """Pairs tracks with the candidates among the faces; the tracks that are left over."""
        if not follows or not candidates:
            return follows
        cost = self._striding_cost if striding else self._cost
        costs = np.array([[cost(f, faces[n].box, time_ms) for n in candidates] for f in follows])
        paired = set()
        for row, column in least_cost_pairs(costs):
            if costs[row, column] < _REFUSED:
                n = candidates[column]
                follows[row].saw(faces[n].box, time_ms)
                numbers[n] = follows[row].number
                paired.add(row)
        return [follow for row, follow in enumerate(follows) if row not in paired]

    def cut(self) -> None:
        """Ends all tracks: the scene changed."""
        self._follows.clear()

    def _cost(self, follow: _Follow, box: Box, time_ms: int) -> float:
        options = self._options
        elapsed_s = (time_ms - follow.seen_ms) / 1000
        pace = options.reach_per_s if follow.velocity else options.reach_per_s_new
        reach = min(options.reach + pace * elapsed_s, options.max_reach)
        distance, ratio = _apart(follow, box, time_ms)
        if distance > reach or ratio > options.max_size_ratio:
            return _REFUSED
        px, py = follow.predicted(time_ms)
        width, height = follow.box.width, follow.box.height
        expected = Box(px - width / 2, py - height / 2, width, height)
        return distance + (1 - iou(expected, box)) + math.log(ratio)

    def _striding_cost(self, follow: _Follow, box: Box, time_ms: int) -> float:
        options = self._options
        reach = options.reach + options.striding_per_s * (time_ms - follow.seen_ms) / 1000
        distance, ratio = _apart(follow, box, time_ms)
        if follow.velocity is not None or distance > min(reach, options.striding_reach):
            return _REFUSED
        return distance + math.log(ratio) if ratio <= options.striding_size_ratio else _REFUSED


def _apart(follow: _Follow, box: Box, time_ms: int) -> tuple[float, float]:
    """(distance from where the track should be, in face sizes; larger over smaller face)"""
    size, size_before = _size(box), _size(follow.box)
    x, y = _centre(box)
    px, py = follow.predicted(time_ms)
    distance = math.hypot(x - px, y - py) / max((size + size_before) / 2, 1e-6)
    return distance, max(size, size_before) / max(min(size, size_before), 1e-6)


class CutDetector:
    """Tells a scene cut from movement, by a thumbnail of each sampled frame."""

    def __init__(self, difference: float = TrackerOptions().cut_difference) -> None:
        self._difference = difference
        self._last: NDArray[np.float32] | None = None

    def is_cut(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether this frame (uint8, BGR) shows another scene than the one before it."""
        # Every few pixels will do for what is averaged anyway.
        thin = cv2.resize(pixels, _THIN, interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(thin, _THUMBNAIL, interpolation=cv2.INTER_AREA)
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
