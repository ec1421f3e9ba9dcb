import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fer_core.types import Box, Face
from fer_core.zones import outside_zones


def _face(x: float, y: float, size: float = 40) -> Face:
    return Face(Box(x, y, size, size), np.zeros((5, 2), np.float32), 0.9)


def test_staff_zones_drop_who_stands_in_them() -> None:
    till = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    corner = ((0.8, 0.8), (1.0, 0.8), (1.0, 1.0))
    left, right, in_corner = _face(100, 100), _face(500, 100), _face(560, 280)
    faces = [left, right, in_corner]
    assert outside_zones(faces, [], 640, 360) == faces
    assert outside_zones(faces, [till], 640, 360) == [right, in_corner]
    assert outside_zones(faces, [till, corner], 640, 360) == [right]


@given(st.floats(0, 600), st.floats(0, 320))
def test_a_zone_over_the_whole_frame_leaves_nobody(x: float, y: float) -> None:
    everywhere = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    assert outside_zones([_face(x, y)], [everywhere], 640, 360) == []
