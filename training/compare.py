"""Runs side by side, as a Markdown table: ``python -m training.compare runs/*``.

The first run is what the others are compared with: each row names the settings that differ from
its. Runs that differ by their seed alone are one row, with the mean and the spread (standard
deviation) of their accuracy on PublicTest, each after the epoch that was kept. ``--data`` reads
PublicTest once more with each run's best network: as few pixels show it, and against FER+'s clear
majority. What a run's head for votes would change, were it to share in what is read, is a table of
its own.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from fer_core.expression import calibrated
from fer_core.preprocessing import to_model_input
from training import data as face_data
from training import history, metrics
from training.calibrate import fit_temperature
from training.data import DataError
from training.evaluate import ferplus_majority, shrunk
from training.network import leaning_to_votes, read_votes_head

_NAMES: Final = ("name", "seed")

SMALL: Final = 24
MEASURED: Final = ("NLL", "macro-F1", f"at {SMALL} px", "FER+ majority")
SHARES: Final = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Of the head for votes."""


@dataclass(frozen=True, slots=True)
class Run:
    """One folder of training.train. ``settings``: setting to value, those of the augmentation
    among them as ``augmentation.tilt`` and so on, without name and seed. ``best``: accuracy on
    PublicTest after epoch ``at`` of ``epochs``, the one that was kept. ``measured``: see
    ``measure``."""

    name: str
    settings: dict[str, Any]
    parameters: int
    epochs: int
    best: float
    at: int
    measured: tuple[float, ...] = ()


def measure(network: keras.Model, split: face_data.Split) -> tuple[float, ...]:
    """How ``network`` reads ``split`` (with votes): accuracy, then in ``MEASURED``'s order. NLL is
    that at the best temperature."""

    def read(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits = network.predict(to_model_input(images), batch_size=256, verbose=0)
        return np.asarray(logits, np.float32)

    logits = read(split.images)
    sharp = calibrated(logits, fit_temperature(logits, split.labels))
    small = read(shrunk(split.images, SMALL))
    assert split.votes is not None
    majority, clear = ferplus_majority(split.votes)
    return (
        metrics.accuracy(sharp, split.labels),
        metrics.nll(sharp, split.labels),
        metrics.macro_f1(sharp, split.labels),
        float((small.argmax(axis=1) == split.labels).mean()),
        float((sharp.argmax(axis=1) == majority)[clear].mean()),
    )


def read_run(folder: Path, faces: face_data.FaceData | None = None) -> Run:
    """The run in ``folder``, measured on the validation of ``faces`` where those are given. Raises
    DataError where there is none, and where ``faces`` are divided otherwise than what it learnt."""
    try:
        described = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"There is no run in {folder}.") from error
    rows = history.read(folder)
    if not rows:
        raise DataError(f"{folder} holds no run that has ended an epoch.")
    if faces is not None:
        face_data.check_division(f"the run in {folder}", described["data"], faces)
    kept = history.best(rows)
    settings = {key: value for key, value in described["config"].items() if key not in _NAMES}
    for key, value in settings.pop("augmentation").items():
        settings[f"augmentation.{key}"] = value
    return Run(
        described["config"]["name"],
        settings,
        described["parameters"],
        len(rows),
        kept["val_accuracy"],
        int(kept["epoch"]),
        () if faces is None else measure(_best(folder), faces.validation)[1:],
    )


def _best(folder: Path) -> keras.Model:
    return keras.saving.load_model(folder / "best.keras", compile=False)


def differences(run: Run, first: Run) -> str:
    """The settings of ``run`` that ``first`` has otherwise, in words."""
    keys = sorted(set(run.settings) | set(first.settings))
    return ", ".join(
        f"{key} {run.settings[key]}"
        for key in keys
        if key in run.settings and run.settings[key] != first.settings.get(key)
    )


def table(runs: list[Run]) -> str:
    """The Markdown table of ``runs``, best first after the first."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(json.dumps(run.settings, sort_keys=True), []).append(run)
    first, *others = groups.values()
    others.sort(key=lambda group: -mean(run.best for run in group))
    columns = ["run", "differs by", "parameters", "seeds", "epochs", "PublicTest", "spread"]
    columns += MEASURED if runs[0].measured else ()
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for group in (first, *others):
        one = group[0]
        spread = f"{stdev(run.best for run in group):.4f}" if len(group) > 1 else ""
        further = "".join(
            f" {mean(values):.4f} |"
            for values in zip(*(run.measured for run in group), strict=True)
        )
        lines.append(
            f"| {one.name} | {differences(one, first[0])} | {one.parameters:,} | {len(group)} "
            f"| {one.epochs} | {mean(run.best for run in group):.4f} | {spread} |{further}"
        )
    return "\n".join(lines)


def shares(folder: Path, split: face_data.Split) -> str:
    """The Markdown table of what the head for votes of the run in ``folder`` would change; empty
    where it has none."""
    head = read_votes_head(folder)
    if head is None:
        return ""
    lines = [f"| {folder.name}: share of the votes | PublicTest | {' | '.join(MEASURED)} |"]
    lines.append(f"|{' --- |' * (len(MEASURED) + 2)}")
    network = _best(folder)
    for share in SHARES:
        measured = measure(leaning_to_votes(network, head, share), split)
        lines.append(f"| {share} | {' | '.join(f'{value:.4f}' for value in measured)} |")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.compare", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of training.train")
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz, with FER+ votes")
    arguments = parser.parse_args()
    faces = None
    if arguments.data:
        faces = face_data.load(arguments.data, clean=False)
        if faces.validation.votes is None:
            parser.error(f"{arguments.data} holds no FER+ votes.")
    runs = [path for path in arguments.runs if (path / "run.json").is_file()]
    if not runs:
        parser.error("There is no run among them: a run's folder holds a run.json.")
    for path in sorted(set(arguments.runs) - set(runs)):
        print(f"{path} is no run: left out.", file=sys.stderr)  # noqa: T201
    print(table([read_run(folder, faces) for folder in runs]))  # noqa: T201
    if faces is not None:
        for text in filter(None, (shares(folder, faces.validation) for folder in runs)):
            print(f"\n{text}")  # noqa: T201


if __name__ == "__main__":
    main()
