"""Staff zones: polygons of a camera's view whose faces are left out before anything is read."""

from collections.abc import Sequence

import cv2
import numpy as np

from fer_core.types import Face

Zone = tuple[tuple[float, float], ...]
"""A polygon; its points are (x, y) in parts of the frame's width and height, 0 to 1."""


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
