"""Faces in a frame: a small protocol, and YuNet as the detector that ships.

How large a frame the network sees decides what it finds and what that costs, so a frame is scaled
to the smallest face that matters. A picture too large for one pass is read in tiles. Where faces
were a moment before and after, it is enough to look around them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.stages import Pool
from fer_core.types import Box, Face
from fer_core.yunet import STEP, YuNet, non_maximum_suppression
from fer_core.zones import Zone, outside_zones

__all__ = ["FaceDetector", "YuNetDetector", "Zone", "input_scale", "outside_zones", "tiles"]

# Heights in the network's input, from recall on 200 images of WIDER FACE: of faces 20 pixels high
# .48 are found, 30 high .85, 40 high .96.
_FOUND_HEIGHT: Final = 24.0
FOUND_WELL_HEIGHT: Final = 36.0

GENEROUS_SIDE: Final = 960
"""Frames are enlarged up to this long side, where that is cheap (640 wide, 1.5 times)."""

_TILE_SIDE: Final = 2048
_TILE_PIXELS: Final = 4_200_000
"""Of the network's input in one pass: about 0.2 s and 300 MB. What is larger is cut in tiles."""

_TILE_OVERLAP: Final = 256
"""Pixels of the network's input: a face up to this high lies whole in one of two tiles. Larger
ones are found where the whole picture is seen at a smaller size."""


_AROUND_HEIGHT: Final = 128.0
"""Pixels of the network's input: faces are not shrunk below this where one looks around them. With
44 pixels one face in seven was read otherwise than from the whole frame, since its landmarks are
less sure; with 128 and on the whole frame's grid one in twenty (docs/decisions/0014)."""

_AROUND_SIDES: Final = (96, 128, 160, 192, 224, 256, 320, 384)
"""Of the squares that are looked at, pixels of the network's input, which is laid out once for
each."""

LARGEST_PART: Final = _AROUND_SIDES[-1] - STEP
"""Pixels of the network's input: what is no wider and no higher lies in one of them, wherever it
is on the detector's grid."""

_MARGIN: Final = 0.5
"""Sizes of a face: what is looked at beyond its box, at least."""

_REACH: Final = 1.7
_REACH_BETWEEN: Final = 0.5
"""Sizes of a face: how far from its middle it is expected where it was seen once, since somebody
who strides by moves by so much in a fifth of a second; and how far from the way between the two
places where it was seen before and after."""

_MOST_GROWN: Final = 1.7
"""Times: how much larger or smaller it may have become."""

_WHOLE: Final = 0
"""In place of a side: a network that is laid out for each picture."""

_Part = tuple[int, int, int, int]
"""left, top, right, bottom, in the frame's pixels"""


@dataclass(frozen=True, slots=True)
class _Place:
    """A square to look at: its middle in the frame's pixels, by how much the frame is scaled for
    it, and its side in pixels of the network's input. ``reach``: how far, in the frame's pixels,
    the middle of a face that was expected there may be from that of the square, in either
    direction; ``size``: of that face. Of what else the square shows too little is seen to tell a
    face from what is none."""

    x: float
    y: float
    scale: float
    side: int
    reach: float
    size: float

    def expected(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """bool (N,): which of the rows (N, 15) are of the face that is expected."""
        size = rows[:, 2:4].max(axis=1) / self.size
        apart = np.abs(rows[:, :2] + rows[:, 2:4] / 2 - (self.x, self.y)).max(axis=1)
        alike = (size <= _MOST_GROWN) & (size >= 1 / _MOST_GROWN)
        return np.asarray((apart <= self.reach) & alike, np.bool_)


class FaceDetector(Protocol):
    """Anything that finds faces."""

    @property
    def at_once(self) -> int:
        """How many frames may be given to it at the same time, each by a thread of its own."""
        ...

    def detect(
        self,
        pixels: NDArray[np.uint8],
        smallest: float | None = None,
        around: Sequence[Box] | None = None,
        parts: Sequence[Box] = (),
    ) -> list[Face]:
        """Faces in the frame's own pixels, sorted by the left edge, then by the top.

        ``pixels``: uint8 (height, width, 3), BGR. ``smallest``: height in pixels of the smallest
        face that has to be found; smaller ones may be found as well. None: the detector's own.
        ``around``: where there were faces a moment before and after; it is enough to look there,
        and in the ``parts`` of the frame for faces that lie whole in one of them.
        """
        ...


class YuNetDetector:
    """YuNet (see ``fer_core.yunet``).

    ``score_threshold``: at .65 precision is .94 on WIDER FACE; at .6 the back of a head passes
    now and then. ``nms_iou``: overlap from which two boxes are one face. ``min_face``: height in
    the frame's pixels under which faces are dropped, and the smallest that has to be found unless
    ``detect`` is told otherwise. ``threads``: of the arithmetic for one frame. ``at_once``: frames
    that are to be looked at at the same time; the faces found are the same with any number. Raises
    ModelError when the weights are not there or were altered.
    """

    def __init__(
        self,
        score_threshold: float = 0.65,
        nms_iou: float = 0.3,
        min_face: float = 24.0,
        threads: int = 1,
        at_once: int = 1,
    ) -> None:
        self.score_threshold, self.nms_iou, self.min_face = score_threshold, nms_iou, min_face
        self.at_once = at_once
        self._nets = {side: Pool(partial(YuNet, threads)) for side in (_WHOLE, *_AROUND_SIDES)}
        with self._nets[_WHOLE].lent():
            pass  # made now, so that weights that are missing are told of at once

    def detect(
        self,
        pixels: NDArray[np.uint8],
        smallest: float | None = None,
        around: Sequence[Box] | None = None,
        parts: Sequence[Box] = (),
    ) -> list[Face]:
        height, width = pixels.shape[:2]
        scale = input_scale(width, height, smallest or self.min_face)
        places = None if around is None else _places(around, scale)
        whole = _padded(width, scale) * _padded(height, scale)
        pieces = _pieces(parts, width, height, scale)
        if places is not None and pieces is not None and _cost(places, pieces) < whole:
            rows = self._in_places(pixels, places, pieces, scale)
        elif whole <= _TILE_PIXELS:
            rows = self._scaled(pixels, scale)
        else:
            rows = self._in_tiles(pixels, scale)
        faces = []
        for row in rows:
            x, y, w, h = (float(value) for value in row[:4])
            if h >= self.min_face:
                faces.append(Face(Box(x, y, w, h), row[4:14].reshape(5, 2), float(row[14])))
        return sorted(faces, key=lambda face: (face.box.x, face.box.y))

    def _in_places(
        self,
        pixels: NDArray[np.uint8],
        places: Sequence[_Place],
        pieces: Sequence[tuple[_Part, int]],
        scale: float,
    ) -> NDArray[np.float32]:
        """Rows (N, 15) as ``YuNet.find`` gives them, in the frame's pixels."""
        height, width = pixels.shape[:2]
        found = [np.empty((0, 15), np.float32)]
        found += [self._in_part(pixels, part, scale, side) for part, side in pieces]
        for place in places:
            half, step = place.side / place.scale / 2, STEP / place.scale
            left = max(round(round((place.x - half) / step) * step), 0)
            top = max(round(round((place.y - half) / step) * step), 0)
            # Rounded down: what is larger than the network is laid out for would be laid out anew.
            right = min(left + int(2 * half), width)
            bottom = min(top + int(2 * half), height)
            if left < right and top < bottom:
                part = (left, top, right, bottom)
                rows = self._in_part(pixels, part, place.scale, place.side)
                found.append(rows[place.expected(rows)])
        rows = np.concatenate(found)
        return rows[non_maximum_suppression(rows, self.nms_iou)] if len(rows) else rows

    def _in_tiles(self, pixels: NDArray[np.uint8], scale: float) -> NDArray[np.float32]:
        """Rows (N, 15) as ``YuNet.find`` gives them, in the frame's pixels: of the whole picture
        at a size that fits one pass, and of its tiles."""
        height, width = pixels.shape[:2]
        found = [self._scaled(pixels, min(scale, _one_pass_scale(width, height)))]
        found += [self._in_part(pixels, tile, scale) for tile in tiles(width, height, scale)]
        rows = np.concatenate(found)
        return rows[non_maximum_suppression(rows, self.nms_iou)]

    def _in_part(
        self,
        pixels: NDArray[np.uint8],
        part: _Part,
        scale: float,
        side: int = _WHOLE,
    ) -> NDArray[np.float32]:
        """Rows in the frame's pixels of what lies whole in a part (left, top, right, bottom)."""
        (height, width), (left, top, right, bottom) = pixels.shape[:2], part
        rows = self._scaled(pixels[top:bottom, left:right], scale, side)
        rows[:, :2] += (left, top)
        rows[:, 4:14] += (left, top) * 5
        cut = (left > 0) & (rows[:, 0] < left)
        cut |= (top > 0) & (rows[:, 1] < top)
        cut |= (right < width) & (rows[:, 0] + rows[:, 2] > right)
        cut |= (bottom < height) & (rows[:, 1] + rows[:, 3] > bottom)
        return rows[~cut]

    def _scaled(
        self, pixels: NDArray[np.uint8], scale: float, side: int = _WHOLE
    ) -> NDArray[np.float32]:
        """``side``: of the square that the network is kept laid out for."""
        height, width = pixels.shape[:2]
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        if size != (width, height):
            # At half or less, averaging keeps small faces from falling between the samples.
            how = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
        with self._nets[side].lent() as net:
            rows = net.find(pixels, self.score_threshold, self.nms_iou, side)
        rows[:, :14] *= np.tile(np.array([width / size[0], height / size[1]], np.float32), 7)
        return rows


def input_scale(width: int, height: int, smallest: float) -> float:
    """By how much a frame is scaled for the network.

    Enlarged for good recall of the smallest face while the frame is small, which is cheap, and
    then never shrunk; a large one is not shrunk below what finds that face at all.
    """
    enough, good = _FOUND_HEIGHT / smallest, max(FOUND_WELL_HEIGHT / smallest, 1.0)
    return max(min(GENEROUS_SIDE / max(width, height), good), enough)


def _padded(length: int, scale: float) -> int:
    """A side in pixels of the network's input."""
    return math.ceil(max(round(length * scale), 1) / STEP) * STEP


def _one_pass_scale(width: int, height: int) -> float:
    """By how much a frame is scaled to fit one pass, even where it is thin and each side is made
    a multiple of STEP: the root of (width s + STEP) (height s + STEP) = _TILE_PIXELS."""
    area, sides, room = width * height, STEP * (width + height), _TILE_PIXELS - STEP**2
    return 2 * room / (sides + math.sqrt(sides**2 + 4 * area * room))


def _places(around: Sequence[Box], scale: float) -> list[_Place]:
    """Where to look in a frame that is scaled by ``scale`` at most. Boxes that lie close together
    and are of about one size, as those of one person are, share a place."""
    groups: list[list[Box]] = []
    for box in around:
        near = (group for group in groups if is_near(box, group[-1]))
        group = next(near, None)
        if group is None:
            groups.append([box])
        else:
            group.append(box)
    places = []
    for group in groups:
        size = max(max(box.width, box.height) for box in group)
        xs = [box.x + box.width / 2 for box in group]
        ys = [box.y + box.height / 2 for box in group]
        apart = max(max(xs) - min(xs), max(ys) - min(ys))
        beyond = size * (_REACH if len(group) == 1 else _REACH_BETWEEN)
        wanted = apart + size + 2 * max(beyond, _MARGIN * size)
        own = min(scale, _AROUND_HEIGHT / size)
        side = next((side for side in _AROUND_SIDES if side >= wanted * own), _AROUND_SIDES[-1])
        places.append(
            _Place(
                (min(xs) + max(xs)) / 2,
                (min(ys) + max(ys)) / 2,
                min(own, side / wanted),
                side,
                apart / 2 + beyond,
                size,
            )
        )
    return places


def is_near(one: Box, other: Box) -> bool:
    """Whether two boxes are of about one size, and not further apart than that."""
    size, others = max(one.width, one.height), max(other.width, other.height)
    apart = max(
        abs(one.x + one.width / 2 - other.x - other.width / 2),
        abs(one.y + one.height / 2 - other.y - other.height / 2),
    )
    return apart <= min(size, others) and max(size, others) <= 1.5 * min(size, others)


def _pieces(
    parts: Sequence[Box], width: int, height: int, scale: float
) -> list[tuple[_Part, int]] | None:
    """Squares of a frame of so many pixels that the ``parts`` lie in, on the detector's grid, and
    their sides in pixels of the network's input, which stays laid out for them. None where a part
    is larger than any."""
    pieces = []
    for part in parts:
        x, y = (math.floor(start * scale / STEP) * STEP for start in (part.x, part.y))
        wanted = max((part.x + part.width) * scale - x, (part.y + part.height) * scale - y)
        side = next((side for side in _AROUND_SIDES if side >= wanted), None)
        if side is None:
            return None
        (left, right), (top, bottom) = (
            _on_grid(x, side, width, scale),
            _on_grid(y, side, height, scale),
        )
        pieces.append(((left, top, right, bottom), side))
    return pieces


def _on_grid(start: int, side: int, length: int, scale: float) -> tuple[int, int]:
    """From and to where, of ``length`` pixels, a square from ``start`` on reaches that does not
    reach over the frame's end where it need not."""
    first = max(min(start, math.ceil((length * scale - side) / STEP) * STEP), 0)
    left = round(first / scale)
    # Rounded down: what is larger than the network is laid out for would be laid out anew.
    return left, min(left + math.floor(side / scale), length)


def _cost(places: Sequence[_Place], pieces: Sequence[tuple[_Part, int]]) -> int:
    """Pixels of the network's input."""
    return sum(place.side**2 for place in places) + sum(side**2 for _, side in pieces)


def tiles(width: int, height: int, scale: float) -> Iterator[tuple[int, int, int, int]]:
    """(left, top, right, bottom) in a picture's own pixels: stretches that cover it, each at most
    2048 pixels wide and high when scaled, neighbours overlapping by at least 256 of those."""
    side, overlap = math.floor(_TILE_SIDE / scale), math.ceil(_TILE_OVERLAP / scale)
    for top in _starts(height, side, overlap):
        for left in _starts(width, side, overlap):
            yield left, top, min(left + side, width), min(top + side, height)


def _starts(length: int, side: int, overlap: int) -> list[int]:
    count = max(math.ceil((length - overlap) / (side - overlap)), 1)
    last = max(length - side, 0)
    return [last * n // max(count - 1, 1) for n in range(count)]
