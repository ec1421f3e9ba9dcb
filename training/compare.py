"""Runs side by side, as a Markdown table: ``python -m training.compare runs/*``.

The first run is what the others are compared with: each row names the settings that differ from
its. Runs that differ by their seed alone are one row, with the mean and the spread (standard
deviation) of their best accuracy on PublicTest.
"""

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Final

from training.data import DataError

_NAMES: Final = ("name", "seed")


@dataclass(frozen=True, slots=True)
class Run:
    """One folder of training.train. ``settings``: setting to value, those of the augmentation
    among them as ``augmentation.tilt`` and so on, without name and seed. ``best``: accuracy on
    PublicTest, reached at epoch ``at`` of ``epochs``."""

    name: str
    settings: dict[str, Any]
    parameters: int
    epochs: int
    best: float
    at: int


def read_run(folder: Path) -> Run:
    """Raises DataError where ``folder`` holds no run."""
    try:
        described = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
            accuracies = [float(row["val_accuracy"]) for row in csv.DictReader(file)]
    except FileNotFoundError as error:
        raise DataError(f"{folder} holds no run that has ended an epoch.") from error
    settings = {key: value for key, value in described["config"].items() if key not in _NAMES}
    for key, value in settings.pop("augmentation").items():
        settings[f"augmentation.{key}"] = value
    best = max(accuracies)
    return Run(
        described["config"]["name"],
        settings,
        described["parameters"],
        len(accuracies),
        best,
        accuracies.index(best) + 1,
    )


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
    lines = [
        "| run | differs by | parameters | seeds | epochs | PublicTest | spread |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for group in (first, *others):
        one = group[0]
        spread = f"{stdev(run.best for run in group):.4f}" if len(group) > 1 else ""
        lines.append(
            f"| {one.name} | {differences(one, first[0])} | {one.parameters:,} | {len(group)} "
            f"| {one.epochs} | {mean(run.best for run in group):.4f} | {spread} |"
        )
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.compare", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of training.train")
    print(table([read_run(folder) for folder in parser.parse_args().runs]))  # noqa: T201


if __name__ == "__main__":
    main()
