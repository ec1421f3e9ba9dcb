"""Augmentation changes faces within its ranges, and the same way from the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.augmentation import Augmentation, affine

NOTHING = Augmentation(
    tilt=0, shift=0, zoom=0, flip=0, contrast=0, brightness=0, low_resolution=0, erase=0
)
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 48, 48)).astype(np.uint8)


def test_nothing_asked_nothing_done() -> None:
    assert np.array_equal(NOTHING(IMAGES, np.random.default_rng(1)), IMAGES)


def test_the_seed_decides() -> None:
    first, again, other = (Augmentation()(IMAGES, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, IMAGES)


def test_a_flip_mirrors_the_columns() -> None:
    flipped = Augmentation(
        tilt=0, shift=0, zoom=0, flip=1, contrast=0, brightness=0, low_resolution=0, erase=0
    )(IMAGES, np.random.default_rng(1))
    assert np.array_equal(flipped, IMAGES[:, :, ::-1])


@given(
    st.floats(-180, 180),
    st.floats(0.5, 2),
    st.floats(-10, 10),
    st.floats(-10, 10),
    st.booleans(),
)
def test_the_matrix_turns_and_enlarges_about_the_centre_then_shifts(
    degrees: float, zoom: float, x: float, y: float, flip: bool
) -> None:
    matrix = affine(48, degrees=degrees, zoom=zoom, shift=(x, y), flip=flip)
    assert matrix @ [23.5, 23.5, 1] == pytest.approx([23.5 + x, 23.5 + y])
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(-(zoom**2) if flip else zoom**2)
    assert np.linalg.norm(matrix[:, :2] @ [1, 0]) == pytest.approx(zoom)


def test_low_resolution_takes_fine_detail() -> None:
    shrink = Augmentation(
        tilt=0, shift=0, zoom=0, flip=0, contrast=0, brightness=0, low_resolution=1, erase=0
    )
    changed = shrink(IMAGES, np.random.default_rng(3))
    assert changed.std() < 0.7 * IMAGES.std()
    assert changed.mean() == pytest.approx(IMAGES.mean(), abs=2)
