"""Faces made by rule: no picture of a person."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.types import EXPRESSIONS
from training.data import FaceData, Split

MadeFaces = Callable[[int, int], Split]


def made_face(label: int, seed: int) -> NDArray[np.uint8]:
    """uint8 (48, 48): a bright bar whose height tells the label, under noise."""
    generator = np.random.default_rng((label, seed))
    image = generator.integers(0, 60, (48, 48)).astype(np.uint8)
    image[4 + label * 6 : 9 + label * 6, 8:40] += np.uint8(150)
    return image


@pytest.fixture(scope="session")
def made_faces() -> MadeFaces:
    """``made_faces(each, seed)``: ``each`` faces of every expression."""

    def make(each: int, seed: int) -> Split:
        labels = np.repeat(np.arange(len(EXPRESSIONS), dtype=np.int8), each)
        images = [made_face(int(label), seed * 1000 + n) for n, label in enumerate(labels)]
        return Split(np.stack(images), labels)

    return make


@pytest.fixture(scope="session")
def made_data(made_faces: MadeFaces) -> FaceData:
    """Three splits of made faces."""
    return FaceData(made_faces(8, 1), made_faces(3, 2), made_faces(3, 3), "packed", {})
