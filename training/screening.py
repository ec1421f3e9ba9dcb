"""Which augmentation helps: ``python -m training.screening --config FILE``.

Twelve short runs, in each of which some of the recipe's kinds of augmentation are on and the
others off, by the design of Plackett and Burman (1946, Biometrika 33): every kind is on in six
runs, and in those every other kind is on as often as off. So all twelve runs tell the effect of
each kind, with the noise of two means of six, where a run with it against one without has that
of two single runs. How large an effect comes by chance is told by the effects themselves (Lenth,
1989, Technometrics 31). What two kinds do together is spread over the effects of the others.
"""

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fer_core.preprocessing import to_model_input
from training import data as face_data
from training import metrics
from training.augmentation import Augmentation, AugmentFaces
from training.compare import MEASURED, measure
from training.recipe import Recipe, read_recipe
from training.train import train

LIGHT: Final = ("contrast", "gamma", "brightness")
CHANCES: Final = ("flip", "low_resolution", "blur", "jpeg", "erase")
MIXUP: Final = "mixup"
_NAMES: Final = (
    *("tilt", "shift", "zoom", "stretch", "flip", "light"),
    *("low_resolution", "blur", "jpeg", "erase", MIXUP),
)
KINDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {name: LIGHT if name == "light" else (name,) for name in _NAMES}
)
"""What is on or off together: fields of Augmentation, and ``mixup`` of Recipe."""

FIGURES: Final = ("accuracy", *MEASURED)
_FIRST_RUN: Final = "++-+++---+-"


def design() -> NDArray[np.bool_]:
    """bool (12, 11): which of ``KINDS`` is on in which run."""
    first = np.array([sign == "+" for sign in _FIRST_RUN])
    return np.stack([*(np.roll(first, run) for run in range(len(first))), np.zeros_like(first)])


def only(augmentation: Augmentation, kinds: tuple[str, ...]) -> Augmentation:
    """``augmentation`` with all but ``kinds`` off."""
    off = {name for kind, names in KINDS.items() if kind not in kinds for name in names} - {MIXUP}
    return _with(augmentation, dict.fromkeys(off, 0.0))


def _with(augmentation: Augmentation, values: dict[str, float]) -> Augmentation:
    return Augmentation(**dataclasses.asdict(augmentation) | values)


def recipe_of(recipe: Recipe, run: int) -> Recipe:
    """What ``run`` (from 1) trains by: a seed of its own, and its kinds of augmentation."""
    kinds = tuple(kind for kind, on in zip(KINDS, design()[run - 1], strict=True) if on)
    return dataclasses.replace(
        recipe,
        name=f"{recipe.name}-{run:02d}",
        seed=run,
        augmentation=only(recipe.augmentation, kinds),
        mixup=recipe.mixup if MIXUP in kinds else 0.0,
    )


def changed(images: NDArray[np.uint8], augmentation: Augmentation, kind: str) -> NDArray[np.uint8]:
    """``images`` (N, 48, 48), each changed by ``kind`` alone, as strongly as while training; what
    has a chance happens to all."""
    alone = only(augmentation, (kind,))
    if kind in CHANCES:
        alone = _with(alone, {kind: 1.0})
    layer = AugmentFaces(alone, seed=1)
    batches = [
        keras.ops.convert_to_numpy(layer(batch.astype(np.float32)[..., None], training=True))
        for batch in np.array_split(images, -(-len(images) // 512))
    ]
    return np.asarray(np.rint(np.concatenate(batches)[..., 0]), np.uint8)


def measured(
    network: keras.Model, split: face_data.Split, faces: Mapping[str, NDArray[np.uint8]]
) -> dict[str, float]:
    """``FIGURES`` of ``split`` (with votes), and the accuracy in each of ``faces``, the same ones
    changed."""

    def right(images: NDArray[np.uint8]) -> float:
        logits = np.asarray(network.predict(to_model_input(images), batch_size=512, verbose=0))
        return metrics.accuracy(logits, split.labels)

    figures = dict(zip(FIGURES, measure(network, split), strict=True))
    return figures | {kind: right(images) for kind, images in faces.items()}


def effects(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(11,): the mean of the runs with a kind on, less that of those with it off. ``values``: of
    the twelve runs."""
    signs = np.where(design(), 1.0, -1.0)
    return np.asarray(signs.T @ values / (len(values) / 2), np.float64)


def margin(found: NDArray[np.float64]) -> float:
    """How large an effect is by chance in one of twenty cases, from all of them (Lenth)."""
    sizes = np.abs(found)
    small = sizes[sizes <= 2.5 * 1.5 * np.median(sizes)]
    return float(stats.t.ppf(0.975, len(sizes) / 3) * 1.5 * np.median(small))


def table(runs: list[dict[str, float]]) -> str:
    """The Markdown table of effects, in hundredths, from what ``measured`` gave for the runs."""
    values = {name: np.array([run[name] for run in runs], np.float64) for name in runs[0]}
    found = {name: effects(figure) for name, figure in values.items()}
    margins = {name: margin(values) for name, values in found.items()}

    def shown(name: str, index: int) -> str:
        mark = "**" if abs(found[name][index]) > margins[name] else ""
        return f"{mark}{100 * found[name][index]:+.2f}{mark}"

    columns = ["on", *FIGURES, "faces changed so", "off", "on"]
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for index, kind in enumerate(KINDS):
        cells = [kind, *(shown(name, index) for name in FIGURES)]
        if kind in found:
            on = design()[:, index]
            cells.append(f"{shown(kind, index)} (by chance {100 * margins[kind]:.2f})")
            cells += [f"{values[kind][state].mean():.4f}" for state in (~on, on)]
        else:
            cells += [""] * 3
        lines.append(f"| {' | '.join(cells)} |")
    by_chance = [f"{100 * margins[name]:.2f}" for name in FIGURES]
    lines.append(f"| by chance | {' | '.join(by_chance)} | | | |")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.screening", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz, with FER+ votes")
    parser.add_argument("--out", type=Path, default=Path("runs/screening"), help="(%(default)s)")
    parser.add_argument(
        "--runs", type=int, nargs="+", help="train these of the twelve, and print no table"
    )
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    faces = face_data.load(face_data.data_path(arguments.data))
    if faces.validation.votes is None:
        sys.exit("The data holds no FER+ votes, and screening measures agreement with them.")
    runs = range(1, len(design()) + 1)
    for run in arguments.runs or runs:
        # A run that is finished has no epoch left and is over at once.
        train(recipe_of(recipe, run), faces, arguments.out / f"{run:02d}", verbose=2)
    if arguments.runs:
        return
    images = faces.validation.images
    sets = {kind: changed(images, recipe.augmentation, kind) for kind in KINDS if kind != MIXUP}
    networks = (
        keras.saving.load_model(arguments.out / f"{run:02d}" / "best.keras", compile=False)
        for run in runs
    )
    print(table([measured(network, faces.validation, sets) for network in networks]))  # noqa: T201


if __name__ == "__main__":
    main()
