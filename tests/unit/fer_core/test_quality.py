import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_core.detection import YuNetDetector
from fer_core.quality import Measures, Quality, QualityGate, assess, measure, outside, pose
from fer_core.types import Box, Face, Frame, UnknownReason
from tests.made_footage import Appearance, scene

# A level, frontal face in a box of 100 x 120 at (0, 0).
FRONTAL = np.array([[30, 45], [70, 45], [50, 69], [34, 88], [66, 88]], np.float32)


@pytest.fixture(scope="module")
def detector() -> YuNetDetector:
    return YuNetDetector(score_threshold=0.5, min_face=16)


def judged(detector: YuNetDetector, pixels: NDArray[np.uint8]) -> Quality:
    frame = Frame(0, pixels)
    (face,) = detector.detect(pixels)
    return assess(frame, face)


def test_a_clear_frontal_face_is_read(detector: YuNetDetector) -> None:
    quality = judged(detector, scene((640, 360), [Appearance(320, 180, face_height=90)]))
    assert quality.reason is None
    assert quality.score > 0.8


@pytest.mark.parametrize("height", [34, 45, 60])
def test_the_faces_of_store_cameras_are_read(detector: YuNetDetector, height: float) -> None:
    quality = judged(detector, scene((640, 360), [Appearance(320, 180, face_height=height)]))
    assert quality.reason is None
    assert quality.score > 0.05


def test_a_larger_face_is_worth_more(detector: YuNetDetector) -> None:
    scores = [
        judged(detector, scene((640, 360), [Appearance(320, 180, face_height=h)])).score
        for h in (34, 44, 56)
    ]
    assert scores == sorted(scores)
    assert len(set(scores)) == 3


def test_a_tiny_face_is_small(detector: YuNetDetector) -> None:
    quality = judged(detector, scene((640, 360), [Appearance(320, 180, face_height=22)]))
    assert quality == Quality(0.0, UnknownReason.SMALL)


def test_a_smeared_face_is_blurred(detector: YuNetDetector) -> None:
    pixels = scene((640, 360), [Appearance(320, 180, face_height=90)])
    smeared = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 4), np.uint8)
    quality = judged(detector, smeared)
    assert quality.reason is UnknownReason.BLURRED


def test_a_face_in_the_dark_is_dark(detector: YuNetDetector) -> None:
    bright = scene((640, 360), [Appearance(320, 180, face_height=90)])
    (face,) = detector.detect(bright)
    assert assess(Frame(0, (bright * 0.12).astype(np.uint8)), face).reason is UnknownReason.DARK
    assert assess(Frame(0, (bright * 0.6).astype(np.uint8)), face).reason is None


def test_a_face_over_the_edge_is_cut_off() -> None:
    pixels = scene((640, 360), [Appearance(20, 180, face_height=120)])
    box = Appearance(20, 180, face_height=120).box(0)
    assert box is not None
    face = Face(box, FRONTAL + np.array([box.x, box.y], np.float32), 0.9)
    assert assess(Frame(0, pixels), face).reason is UnknownReason.CUT_OFF


def test_a_profile_is_turned() -> None:
    pixels = scene((640, 360), [Appearance(320, 180, face_height=120)])
    box = Appearance(320, 180, face_height=120).box(0)
    assert box is not None
    at = np.array([box.x, box.y], np.float32)
    turned = FRONTAL.copy()
    turned[2, 0] += 30  # the nose beyond the eye
    assert assess(Frame(0, pixels), Face(box, FRONTAL + at, 0.9)).reason is None
    assert assess(Frame(0, pixels), Face(box, turned + at, 0.9)).reason is UnknownReason.TURNED


def test_a_frontal_face_has_no_turn() -> None:
    yaw, pitch, roll = pose(FRONTAL)
    assert yaw == pytest.approx(0)
    assert roll == pytest.approx(0)
    assert abs(pitch) < 0.1


@given(st.floats(-80, 80), st.floats(0.2, 5), st.floats(-500, 500), st.floats(-30, 30))
def test_turn_does_not_change_with_tilt_size_or_place(
    degrees: float, scale: float, shift: float, nose: float
) -> None:
    points = FRONTAL.copy()
    points[2, 0] += nose
    angle = math.radians(degrees)
    rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    moved = (points @ rotation * scale + shift).astype(np.float32)
    yaw, pitch, roll = pose(points)
    moved_yaw, moved_pitch, moved_roll = pose(moved)
    assert moved_yaw == pytest.approx(yaw, abs=0.01)
    assert moved_pitch == pytest.approx(pitch, abs=0.01)
    assert moved_roll - roll == pytest.approx(degrees, abs=0.1)


@given(st.floats(-300, 900), st.floats(-300, 900), st.floats(1, 300), st.floats(1, 300))
def test_outside_is_a_share(x: float, y: float, width: float, height: float) -> None:
    assert -1e-9 <= outside(Box(x, y, width, height), 640, 360) <= 1


def test_half_a_box_outside_is_a_half() -> None:
    assert outside(Box(-50, 10, 100, 100), 640, 360) == pytest.approx(0.5)
    assert outside(Box(10, 10, 100, 100), 640, 360) == 0


def test_landmarks_on_one_point_are_no_error() -> None:
    frame = Frame(0, scene((64, 48)))
    quality = assess(frame, Face(Box(10, 10, 30, 30), np.zeros((5, 2), np.float32), 0.9))
    assert quality.reason is not None


def test_a_box_outside_the_frame_is_no_error() -> None:
    measured = measure(Frame(0, scene((64, 48))), Face(Box(100, 100, 30, 30), FRONTAL, 0.9))
    assert measured.outside == 1
    assert isinstance(measured, Measures)


def test_the_gate_is_a_setting(detector: YuNetDetector) -> None:
    pixels = scene((640, 360), [Appearance(320, 180, face_height=50)])
    (face,) = detector.detect(pixels)
    strict = QualityGate(height=(60, 100))
    assert assess(Frame(0, pixels), face, strict).reason is UnknownReason.SMALL
