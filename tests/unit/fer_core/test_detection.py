import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_core import detection
from fer_core.detection import YuNetDetector, input_scale, outside_zones
from fer_core.errors import ModelError
from fer_core.tracking import iou
from fer_core.types import Box, Face
from tests.made_footage import Appearance, scene


@pytest.fixture(scope="module")
def detector() -> YuNetDetector:
    return YuNetDetector()


def _face(x: float, y: float, size: float = 40) -> Face:
    return Face(Box(x, y, size, size), np.zeros((5, 2), np.float32), 0.9)


@pytest.mark.parametrize("height", [30, 45, 80, 200])
@pytest.mark.parametrize("look", ["plain", "mirrored", "dark", "warm", "cold"])
def test_a_face_is_found_where_it_is(detector: YuNetDetector, height: float, look: str) -> None:
    person = Appearance(250, 190, face_height=height, look=look)
    (face,) = detector.detect(scene((640, 360), [person], "textured"))
    truth = person.box(0)
    assert truth is not None
    assert iou(face.box, truth) > 0.6
    assert face.score > 0.65
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


@pytest.mark.parametrize("size", [(320, 240), (640, 360), (1280, 720), (1920, 1080), (333, 777)])
def test_boxes_are_in_the_frames_own_pixels(detector: YuNetDetector, size: tuple[int, int]) -> None:
    person = Appearance(size[0] * 0.6, size[1] * 0.5, face_height=60)
    (face,) = detector.detect(scene(size, [person]))
    truth = person.box(0)
    assert truth is not None
    assert iou(face.box, truth) > 0.6


def test_faces_come_left_to_right(detector: YuNetDetector) -> None:
    people = [Appearance(x, y, face_height=50) for x, y in ((500, 90), (120, 250), (310, 170))]
    faces = detector.detect(scene((640, 360), people))
    assert [round(face.box.x / 100) for face in faces] == [1, 3, 5]


def test_an_empty_scene_holds_nobody(detector: YuNetDetector) -> None:
    for background in ("plain", "dark", "textured"):
        assert detector.detect(scene((640, 360), background=background)) == []


def test_faces_under_the_smallest_that_matters_are_dropped() -> None:
    frame = scene((640, 360), [Appearance(150, 180, face_height=40), Appearance(450, 180)])
    assert len(YuNetDetector(min_face=24).detect(frame)) == 2
    assert len(YuNetDetector(min_face=60).detect(frame)) == 1


def test_a_frame_of_one_pixel_is_no_error(detector: YuNetDetector) -> None:
    assert detector.detect(np.zeros((1, 1, 3), np.uint8)) == []


@given(st.integers(1, 12_000), st.integers(1, 12_000), st.floats(12, 200))
def test_the_smallest_face_stays_findable_within_the_bound(
    width: int, height: int, min_face: float
) -> None:
    scale = input_scale(width, height, min_face)
    assert scale > 0
    assert width * height * scale**2 <= 16_000_001
    if width * height <= 4_000_000:
        assert min_face * scale >= 23.9
    assert min_face * scale <= 36.1


def test_small_frames_are_enlarged_by_half() -> None:
    assert input_scale(640, 360, 24) == pytest.approx(1.5)
    assert input_scale(1280, 720, 24) == pytest.approx(1.0)


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


def test_altered_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "_WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="not the ones"):
        YuNetDetector()


def test_missing_weights_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "_WEIGHTS", ("no_such_package", "weights.onnx"))
    with pytest.raises(ModelError, match="missing"):
        YuNetDetector()
