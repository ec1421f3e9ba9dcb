"""What twelve runs tell of eleven kinds of augmentation."""

import dataclasses

import numpy as np
import pytest

from tests.unit.training.conftest import MadeFaces, made_face
from training.augmentation import Augmentation
from training.network import residual_net
from training.recipe import Recipe
from training.screening import (
    FIGURES,
    KINDS,
    MIXUP,
    changed,
    design,
    effects,
    margin,
    measured,
    only,
    recipe_of,
    table,
)

ALL_ON = Augmentation(
    stretch=0.06, gamma=0.2, blur=0.1, jpeg=0.1, erase=0.25, low_resolution=0.2, smallest=14
)


def test_every_kind_is_on_and_off_equally_often_beside_every_other() -> None:
    signs = np.where(design(), 1, -1)
    assert signs.shape == (12, len(KINDS))
    np.testing.assert_array_equal(signs.sum(axis=0), 0)
    np.testing.assert_array_equal(signs.T @ signs, 12 * np.eye(len(KINDS)))


def test_effects_are_told_apart() -> None:
    weights = np.arange(len(KINDS)) / 100
    np.testing.assert_allclose(effects(0.6 + design() @ weights), weights, atol=1e-12)


def test_a_large_effect_stands_out_from_noise_and_noise_does_not() -> None:
    noise = np.random.default_rng(1).normal(0, 0.005, 12)
    assert np.abs(effects(noise)).max() < margin(effects(noise))
    found = effects(noise + 0.05 * design()[:, 3])
    assert [kind for kind in range(11) if abs(found[kind]) > margin(found)] == [3]


def test_a_run_has_its_kinds_alone() -> None:
    recipe = Recipe(name="screening", mixup=0.3, augmentation=ALL_ON)
    nothing = recipe_of(recipe, 12)
    assert (nothing.name, nothing.seed, nothing.mixup) == ("screening-12", 12, 0.0)
    assert dataclasses.asdict(nothing.augmentation) == dict.fromkeys(
        dataclasses.asdict(ALL_ON), 0.0
    ) | {"smallest": 14}
    first = recipe_of(recipe, 1)  # ++-+++---+-
    on = {"tilt", "shift", "stretch", "flip", "contrast", "gamma", "brightness", "erase"}
    for name, value in dataclasses.asdict(first.augmentation).items():
        if name != "smallest":
            assert value == (getattr(ALL_ON, name) if name in on else 0.0), name


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != MIXUP])
def test_a_kind_changes_every_face(kind: str) -> None:
    faces = np.stack([made_face(label, 1) for label in range(7)])
    other = changed(faces, ALL_ON, kind)
    assert other.dtype == np.uint8
    assert other.shape == faces.shape
    assert (other != faces).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(changed(faces, only(ALL_ON, ()), "tilt"), faces)


def test_runs_are_measured_and_set_in_a_table(made_faces: MadeFaces) -> None:
    split = made_faces(4, 1)
    votes = np.zeros((len(split), 10), np.uint8)
    votes[:, 0] = 10
    split = dataclasses.replace(split, votes=votes)
    network = residual_net((8, 8), (1, 1))
    one = measured(network, split, {"blur": split.images})
    assert list(one) == [*FIGURES, "blur"]
    assert one["blur"] == one["accuracy"]
    runs = [one | {"blur": 0.5 + 0.25 * on} for on in design()[:, list(KINDS).index("blur")]]
    row = next(line for line in table(runs).splitlines() if line.startswith("| blur"))
    assert row.endswith("| 0.5000 | 0.7500 |")
    assert "**+25.00** (by chance 0.00)" in row
