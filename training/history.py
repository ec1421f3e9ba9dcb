"""What a run of training.train has done, an epoch a row: ``history.csv`` in its folder."""

import csv
from pathlib import Path
from typing import Final

from training.data import DataError

FIELDS: Final = (
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "val_nll",
    "learning_rate",
    "seconds",
)
"""``val_nll``: of validation, at the best temperature; ``val_loss``: as it comes."""

Rows = list[dict[str, float]]

NAME: Final = "history.csv"


def read(run: Path) -> Rows:
    """The epochs of the run in the folder ``run``, in order; none where it has ended none. Raises
    DataError where an older training wrote them."""
    path = run / NAME
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != FIELDS:
            raise DataError(f"An older training wrote {path}; train again with --fresh.")
        return [{name: float(value) for name, value in row.items()} for row in reader]


def write(run: Path, rows: Rows) -> None:
    """Whole or not at all."""
    part = run / f"part-{NAME}"
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    part.replace(run / NAME)


def best(rows: Rows) -> dict[str, float]:
    """The epoch of the highest likelihood: which of two reads a few faces more is chance."""
    return min(rows, key=lambda row: row["val_nll"])
