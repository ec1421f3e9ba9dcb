"""What a frame shows otherwise than an earlier one did: all that has to be searched, where the
faces of the earlier one are known.

A shop's camera stands still, and most of what it sees does too. Frames are compared in cells of
grey, each the mean of so many pixels that a sensor's noise does not count as a change.
"""

import itertools
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.detection import LARGEST_PART
from fer_core.types import Box

_CELL: Final = 8
"""Pixels of the detector's input, in which the smallest face that is found is three cells high."""

_CHANGED: Final = 6
"""Levels of grey, of 256."""

_MARGIN: Final = 6
"""Cells around a change that are searched too: for the whole of a face of which a part changed,
and for what a detector sees around it."""

_WORTH: Final = 0.75
"""Of a frame: where what is searched would be more, it is searched whole."""

Cells = NDArray[np.int16]
"""(rows, columns), 0 to 255."""


def cells(pixels: NDArray[np.uint8], scale: float) -> Cells:
    """The cells of a frame, uint8 (height, width, 3), BGR, that the detector sees scaled by
    ``scale``."""
    height, width = pixels.shape[:2]
    size = (max(round(width * scale / _CELL), 1), max(round(height * scale / _CELL), 1))
    if scale <= 1:
        # As many pixels as the detector sees: a large frame has more than a mean needs.
        seen = (size[0] * _CELL, size[1] * _CELL)
        pixels = np.asarray(cv2.resize(pixels, seen, interpolation=cv2.INTER_NEAREST), np.uint8)
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.int16)


def changed_parts(before: Cells, after: Cells, width: int, height: int) -> list[Box] | None:
    """The parts of a frame of ``width`` x ``height`` pixels, none over another, outside of which
    it shows what it did ``before``; None where to search it whole is no more work, each part being
    searched as a square, or where the frame before had another shape."""
    if before.shape != after.shape:
        return None
    changed = (np.abs(after - before) > _CHANGED).astype(np.uint8)
    wide = cv2.dilate(changed, np.ones((2 * _MARGIN + 1,) * 2, np.uint8))
    count, _, found, _ = cv2.connectedComponentsWithStats(wide, connectivity=8)
    boxes = [(left, top, left + w, top + h) for left, top, w, h, _ in found[1:count].tolist()]
    boxes = _apart(boxes)
    sides = [max(right - left, bottom - top) for left, top, right, bottom in boxes]
    is_too_large = any(side * _CELL > LARGEST_PART for side in sides)
    if is_too_large or sum(side**2 for side in sides) > _WORTH * after.size:
        return None
    rows, columns = after.shape
    wide_by, high_by = width / columns, height / rows
    return [
        Box(left * wide_by, top * high_by, (right - left) * wide_by, (bottom - top) * high_by)
        for left, top, right, bottom in boxes
    ]


_Rectangle = tuple[int, int, int, int]
"""left, top, right, bottom"""


def _apart(boxes: list[_Rectangle]) -> list[_Rectangle]:
    """Those that overlap made one, until none does."""
    for one, other in itertools.combinations(boxes, 2):
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]:
            both = (
                min(one[0], other[0]),
                min(one[1], other[1]),
                max(one[2], other[2]),
                max(one[3], other[3]),
            )
            return _apart([both, *(box for box in boxes if box not in (one, other))])
    return boxes
