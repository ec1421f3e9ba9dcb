"""Augmentation changes faces within its ranges, each in its own way, and only while training."""

import dataclasses

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.augmentation import (
    Augmentation,
    AugmentFaces,
    blurring,
    cosines,
    resampling,
    sampled,
)

NOTHING = Augmentation(
    tilt=0, shift=0, zoom=0, flip=0, contrast=0, brightness=0, low_resolution=0, erase=0
)
ALL = Augmentation(stretch=0.1, gamma=0.3, blur=0.5, jpeg=0.5, low_resolution=0.5, erase=0.5)


def smooth(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Pictures without fine detail, float32 (count, 48, 48, 1)."""
    noise = np.random.default_rng(seed).uniform(0, 255, (count, 6, 6)).astype(np.float32)
    return np.stack([cv2.resize(one, (48, 48), interpolation=cv2.INTER_CUBIC) for one in noise])[
        ..., None
    ].clip(0, 255)


def changed(
    settings: Augmentation, faces: NDArray[np.float32], seed: int = 1
) -> NDArray[np.float32]:
    layer = AugmentFaces(settings, seed)
    return np.asarray(keras.ops.convert_to_numpy(layer(faces, training=True)), np.float32)


def test_nothing_asked_nothing_done() -> None:
    faces = smooth(4)
    assert changed(NOTHING, faces) == pytest.approx(faces, abs=0.01)


def test_faces_to_be_read_are_left_alone() -> None:
    faces = smooth(3)
    read = keras.ops.convert_to_numpy(AugmentFaces(ALL)(faces, training=False))
    assert np.array_equal(read, faces)


def test_the_seed_decides_and_every_face_is_changed_in_its_own_way() -> None:
    faces = np.repeat(smooth(1), 5, axis=0)
    first, again, other = (changed(ALL, faces, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert all(np.abs(first[n] - first[n + 1]).max() > 1 for n in range(4))
    assert first.shape == faces.shape
    assert first.min() >= 0
    assert first.max() <= 255


def test_a_flip_mirrors_the_columns() -> None:
    faces = smooth(3)
    flipped = changed(dataclasses.replace(NOTHING, flip=1.0), faces)
    assert flipped == pytest.approx(faces[:, :, ::-1], abs=0.01)


@pytest.mark.parametrize(
    ("settings", "far"),
    [
        (dataclasses.replace(NOTHING, tilt=10.0), 10 * np.deg2rad(10)),
        (dataclasses.replace(NOTHING, shift=0.1), 4.8),
        (dataclasses.replace(NOTHING, zoom=0.2), 2.3),
        (dataclasses.replace(NOTHING, stretch=0.2), 1.1),
    ],
    ids=["tilt", "shift", "zoom", "stretch"],
)
def test_a_face_is_moved_no_further_than_asked(settings: Augmentation, far: float) -> None:
    spot = np.zeros((32, 48, 48, 1), np.float32)
    spot[:, 23:25, 33:35] = 255  # ten pixels right of the centre
    moved = changed(settings, spot)[..., 0]
    rows, columns = np.indices((48, 48))
    weights = moved.sum(axis=(1, 2))
    x = (moved * columns).sum(axis=(1, 2)) / weights - 23.5
    y = (moved * rows).sum(axis=(1, 2)) / weights - 23.5
    assert 0.5 * far < np.abs(x - 10).max() + np.abs(y).max() <= 2 * far + 0.2
    assert np.ptp(x) + np.ptp(y) > 0.5


def test_pictures_are_sampled_as_opencv_does() -> None:
    picture = smooth(1)[0, :, :, 0]
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), 20, 1.2)
    rows, columns = np.indices((48, 48)).astype(np.float32)
    x = matrix[0, 0] * columns + matrix[0, 1] * rows + matrix[0, 2]
    y = matrix[1, 0] * columns + matrix[1, 1] * rows + matrix[1, 2]
    ours = keras.ops.convert_to_numpy(
        sampled(picture[None], x[None].astype(np.float32), y[None].astype(np.float32))
    )[0]
    theirs = cv2.warpAffine(
        picture,
        matrix,
        (48, 48),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    assert ours == pytest.approx(theirs, abs=4)


@given(st.integers(4, 48))
def test_resampling_keeps_a_flat_picture_flat(pixels: int) -> None:
    matrix = resampling(pixels)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(48), abs=1e-5)
    assert matrix.min() >= 0


def test_few_pixels_look_as_if_taken_so() -> None:
    picture = smooth(1)[0, :, :, 0]
    small = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(small, (48, 48), interpolation=cv2.INTER_LINEAR)
    matrix = resampling(16)
    assert matrix @ picture @ matrix.T == pytest.approx(expected, abs=1.0)


def test_blur_takes_fine_detail_and_keeps_the_mean() -> None:
    width = np.full((1, 1, 1), 1.4, np.float32)
    matrix = keras.ops.convert_to_numpy(blurring(width))[0]
    stripes = np.tile([0.0, 255.0], 24)
    blurred = matrix @ stripes
    assert blurred[6:-6] == pytest.approx(np.full(36, 127.5), abs=1)


def test_cosines_are_orthonormal() -> None:
    waves = cosines()
    assert waves @ waves.T == pytest.approx(np.eye(48), abs=1e-5)


def test_jpeg_adds_what_jpeg_adds() -> None:
    noise = np.random.default_rng(0).uniform(60, 200, (6, 48, 48, 1)).astype(np.float32)
    lossy = changed(dataclasses.replace(NOTHING, jpeg=1.0), noise)
    lost = np.abs(lossy - noise).mean(axis=(1, 2, 3))
    assert (lost > 2).all()
    assert lossy.mean() == pytest.approx(noise.mean(), abs=3)


def test_something_in_front_hides_a_part() -> None:
    faces = np.full((8, 48, 48, 1), 300, np.float32)  # no tone that is drawn
    hidden = changed(dataclasses.replace(NOTHING, erase=1.0), np.minimum(faces, 255.0))
    share = (hidden != 255).mean(axis=(1, 2, 3))
    assert (share < 0.13).all()
    assert (share > 0.01).sum() >= 7


def test_it_is_saved_with_what_it_does() -> None:
    layer = AugmentFaces(ALL, 3)
    again = AugmentFaces.from_config(layer.get_config())
    assert again.settings == ALL
    assert again.seed == 3
