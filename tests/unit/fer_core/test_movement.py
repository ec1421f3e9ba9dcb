"""What of a frame is searched: all that shows something else, and little more."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.movement import cells, changed_parts
from fer_core.types import Box

WIDTH, HEIGHT = 960, 544
RANDOM = np.random.default_rng(0)


def frame(*squares: tuple[int, int, int], noise: float = 0.0) -> NDArray[np.uint8]:
    """Grey, with a bright square of 60 pixels at each (left, top, brightness)."""
    grey = np.full((HEIGHT, WIDTH, 1), 90.0)
    for left, top, brightness in squares:
        grey[top : top + 60, left : left + 60] += brightness
    grey = grey + RANDOM.normal(0, noise, (HEIGHT, WIDTH, 3))
    return np.asarray(grey.clip(0, 255), np.uint8)


def parts(
    before: NDArray[np.uint8], after: NDArray[np.uint8], scale: float = 1.0
) -> list[Box] | None:
    height, width = after.shape[:2]
    return changed_parts(cells(before, scale), cells(after, scale), width, height)


def contains(part: Box, left: float, top: float, right: float, bottom: float) -> bool:
    return (
        part.x <= left
        and part.y <= top
        and part.x + part.width >= right
        and part.y + part.height >= bottom
    )


def test_the_same_picture_has_no_part_to_search() -> None:
    assert parts(frame((100, 100, 80)), frame((100, 100, 80))) == []


def test_noise_of_a_sensor_is_no_change() -> None:
    assert parts(frame((100, 100, 80), noise=12), frame((100, 100, 80), noise=12)) == []


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_who_came_is_searched_with_what_is_around(scale: float) -> None:
    (part,) = parts(frame(), frame((300, 200, 40)), scale) or []
    around = 40 / scale
    assert contains(part, 300 - around, 200 - around, 360 + around, 260 + around)
    assert part.width == pytest.approx(60 + 2 * 48 / scale, abs=32 / scale)
    assert part.height == pytest.approx(60 + 2 * 48 / scale, abs=32 / scale)


def test_who_went_and_who_came_are_searched_apart() -> None:
    found = parts(frame((100, 100, 40)), frame((700, 400, 40))) or []
    left, right = sorted(found, key=lambda part: part.x)
    assert contains(left, 100, 100, 160, 160)
    assert contains(right, 700, 400, 760, 460)


def test_no_part_lies_over_another() -> None:
    everywhere = [(left, top, 40) for left, top in [(50, 60), (230, 60), (140, 200), (700, 300)]]
    found = parts(frame(), frame(*everywhere)) or []
    assert 1 <= len(found) < 4
    for left, top, _ in everywhere:
        assert any(contains(part, left, top, left + 60, top + 60) for part in found)
    for one, other in itertools.combinations(found, 2):
        assert (
            one.x + one.width <= other.x
            or other.x + other.width <= one.x
            or one.y + one.height <= other.y
            or other.y + other.height <= one.y
        )


def test_parts_end_with_the_frame() -> None:
    (part,) = parts(frame(), frame((0, HEIGHT - 60, 40))) or []
    assert (part.x, part.y + part.height) == (0, HEIGHT)


def test_where_most_changed_the_frame_is_searched_whole() -> None:
    assert parts(frame(), np.full((HEIGHT, WIDTH, 3), 120, np.uint8)) is None


def test_where_a_part_is_larger_than_the_detector_is_laid_out_for_the_frame_is_searched_whole() -> (
    None
):
    row = [(100 + 50 * n, 200, 40) for n in range(8)]
    assert parts(frame(), frame(*row)) is None
    assert parts(frame(), frame(*row[:4])) != []
    assert parts(frame(), frame(*row[:4])) is not None


def test_a_frame_of_another_size_is_searched_whole() -> None:
    assert parts(frame(), np.full((360, 640, 3), 90, np.uint8)) is None


def test_a_change_too_slow_to_be_one_is_none() -> None:
    """That is why a frame is searched whole now and then."""
    assert parts(frame((300, 200, 40)), frame((300, 200, 45))) == []
    assert parts(frame((300, 200, 40)), frame((300, 200, 55))) != []
