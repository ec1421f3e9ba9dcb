"""A face lands on the template however it was turned, scaled and placed in its frame."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_core.preprocessing import FACE_SIZE, TEMPLATE, align_crop, similarity, to_model_input
from fer_core.types import Box, Face

angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.6, 6.0)
places = st.floats(-300, 300)


def placed(angle: float, scale: float, x: float, y: float) -> NDArray[np.float32]:
    """The template's points, turned, enlarged about its middle and moved to (x, y)."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centred = TEMPLATE - TEMPLATE.mean(axis=0)
    return np.asarray(centred @ turn.T + [x, y], np.float32)


def face_at(points: NDArray[np.float32]) -> Face:
    left, top = points.min(axis=0)
    width, height = points.max(axis=0) - points.min(axis=0)
    return Face(Box(float(left), float(top), float(width), float(height)), points, 0.9)


def frame_with_dots(
    points: NDArray[np.float32], radius: float, size: tuple[int, int] = (700, 700)
) -> NDArray[np.uint8]:
    """A dark frame with a bright dot on every point."""
    frame = np.full((*size, 3), 20, np.uint8)
    for x, y in points:
        centre = (round(float(x) * 16), round(float(y) * 16))
        cv2.circle(frame, centre, round(radius * 16), (255, 255, 255), -1, cv2.LINE_AA, shift=4)
    return frame


@given(angles, scales, places, places)
def test_similarity_undoes_turn_scale_and_shift(
    angle: float, scale: float, x: float, y: float
) -> None:
    points = placed(angle, scale, x, y)
    matrix = similarity(points, TEMPLATE)
    back = points @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(back - TEMPLATE).max() < 0.01


@given(angles, scales, places, places, st.integers(0, 2**31))
def test_similarity_is_the_best_of_its_kind(
    angle: float, scale: float, x: float, y: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    points = (placed(angle, scale, x, y) + generator.normal(0, 3, (5, 2))).astype(np.float32)
    best = similarity(points, TEMPLATE)

    def error(matrix: NDArray[np.float64]) -> float:
        return float(((points @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE) ** 2).sum())

    nudge = np.array([[1, -1, 0], [1, 1, 0]]) * 1e-3 * generator.normal()
    moved = np.array([[0, 0, 1], [0, 0, 1]]) * 0.1 * generator.normal()
    assert error(best) <= error(best + nudge) + 1e-6
    assert error(best) <= error(best + moved) + 1e-6


@settings(max_examples=40)
@given(angles, st.floats(0.8, 5.0), st.floats(330, 370), st.floats(330, 370))
def test_landmarks_land_on_the_template(angle: float, scale: float, x: float, y: float) -> None:
    points = placed(angle, scale, x, y)
    crop = align_crop(frame_with_dots(points, radius=1.6 * scale), face_at(points))
    assert crop.shape == (FACE_SIZE, FACE_SIZE)
    assert crop.dtype == np.uint8
    bright = np.where(crop > 60, crop.astype(np.float64) - 20, 0)
    rows, columns = np.mgrid[:FACE_SIZE, :FACE_SIZE]
    for column, row in TEMPLATE:
        near = bright * (np.hypot(rows - row, columns - column) < 4)
        found = ((near * columns).sum() / near.sum(), (near * rows).sum() / near.sum())
        assert found == pytest.approx((column, row), abs=0.5)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (200, 0), (0, 150), (200, 150), (-90, 75)])
def test_a_face_over_the_edge_repeats_the_edge(x: float, y: float) -> None:
    frame = np.full((150, 200, 3), 77, np.uint8)
    crop = align_crop(frame, face_at(placed(0.3, 2.0, x, y)))
    assert (crop == 77).all()


@pytest.mark.parametrize("scale", [2.5, 8.0, 30.0])
def test_a_fine_pattern_turns_grey_not_coarse(scale: float) -> None:
    frame = np.zeros((1600, 1600, 3), np.uint8)
    frame[:, ::2] = 200
    crop = align_crop(frame, face_at(placed(0.0, scale, 800, 800)))
    assert abs(float(crop.mean()) - 100) < 8
    assert float(crop.std()) < (25 if scale < 3 else 8)


@pytest.mark.parametrize(
    "landmarks",
    [np.full((5, 2), 40, np.float32), np.full((5, 2), np.nan, np.float32)],
    ids=["one point", "not numbers"],
)
def test_useless_landmarks_leave_the_box_to_decide(landmarks: NDArray[np.float32]) -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[20:68, 30:78] = 180
    crop = align_crop(frame, Face(Box(30, 20, 48, 48), landmarks, 0.9))
    assert (crop == 180).all()


def test_a_crop_is_cut_from_a_frame_of_one_pixel() -> None:
    frame = np.full((1, 1, 3), 9, np.uint8)
    assert (align_crop(frame, face_at(placed(0.0, 1.0, 0, 0))) == 9).all()


def test_frames_wider_than_opencv_warps_are_no_trouble() -> None:
    frame = np.full((60, 40_000, 3), 50, np.uint8)
    crop = align_crop(frame, face_at(placed(0.0, 1.0, 39_900, 30)))
    assert (crop == 50).all()


def test_model_input_is_scaled_once_and_has_one_channel() -> None:
    crops = np.array([0, 255], np.uint8).repeat(48 * 48).reshape(2, 48, 48)
    inputs = to_model_input(crops)
    assert inputs.shape == (2, 48, 48, 1)
    assert inputs.dtype == np.float32
    assert inputs[0].max() == pytest.approx(-127.5 / 64)
    assert inputs[1].min() == pytest.approx(127.5 / 64)
