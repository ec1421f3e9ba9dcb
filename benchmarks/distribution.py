"""A day's distribution of expressions: as counted, and corrected for known confusions.

    python -m benchmarks.distribution --data FOLDER --out docs/benchmarks/<date>-distribution.md

Days of 30 to 1000 people are made of FER2013's PublicTest faces, whose labels are known, by shares
as a shop may have them (mostly neutral and happy) and by others. Each rival is told one half of the
faces with their labels, and tells the shares of days made of the other half; faces that would be
unknown are left out. The error of a day is the mean absolute difference over the seven shares. The
strength of the pull was chosen on the first half alone, with its own two quarters. PrivateTest is
not touched.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

from analytics import prior_shift
from fer_core.expression import ExpressionReader
from fer_core.model_card import default_model_dir
from fer_core.types import EXPRESSIONS
from training.data import data_path, load
from training.distribution import (
    SIZES,
    STORE_DAY,
    counted_shares,
    days,
    errors,
    halves,
    readable,
)
from training.evaluate import check_data

Floats = NDArray[np.float64]
Rival = Callable[[Floats], Floats]
"""Probabilities of a day's people (people, 7) to shares (7,)."""

HAPPY_DAY: Final = np.array([0.02, 0.005, 0.015, 0.68, 0.03, 0.05, 0.2])
PULLS: Final = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0)
_CLASSES: Final = len(EXPRESSIONS)
_FLOOR: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Faces:
    """``p``: (N, 7); ``labels``: (N,)."""

    p: Floats
    labels: NDArray[np.int64]

    def take(self, chosen: NDArray[np.bool_]) -> "Faces":
        return Faces(self.p[chosen], self.labels[chosen])

    def shares(self) -> Floats:
        """Of the labels."""
        return np.asarray(np.bincount(self.labels, minlength=_CLASSES) / len(self.labels))

    def means(self) -> Floats:
        """Mean probabilities by label: (7, 7)."""
        return np.stack([self.p[self.labels == label].mean(axis=0) for label in range(_CLASSES)])

    def read_as(self) -> Floats:
        """How often a label is read as what: (7, 7), rows that add up to 1."""
        return np.stack([counted_shares(self.p[self.labels == c]) for c in range(_CLASSES)])


def em(p: Floats, prior: Floats, *, steps: int = 300) -> Floats:
    """Saerens, Latinne, Decaestecker (2002): shares under which the people are most likely.
    ``prior``: the shares of the faces on which the probabilities were calibrated."""
    shares = prior.copy()
    odds = p / prior
    for _ in range(steps):
        posterior = odds * shares
        posterior /= posterior.sum(axis=1, keepdims=True)
        before, shares = shares, posterior.mean(axis=0)
        if np.abs(before - shares).max() < 1e-6:
            break
    return shares


def bias_corrected(known: Faces) -> Callable[[Floats], Floats]:
    """Probabilities scaled by a temperature and a bias for each expression, fitted on ``known``
    (Alexandari, Kundaje, Shrikumar, ICML 2020, arXiv:1901.06852)."""
    logs = np.log(np.maximum(known.p, _FLOOR))

    def softmax(logits: Floats) -> Floats:
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def loss(parameters: Floats) -> float:
        p = softmax(logs * parameters[0] + parameters[1:])
        chosen = p[np.arange(len(known.labels)), known.labels]
        return float(-np.log(np.maximum(chosen, _FLOOR)).mean())

    found = minimize(loss, np.r_[1.0, np.zeros(_CLASSES)], method="L-BFGS-B").x
    return lambda p: softmax(np.log(np.maximum(p, _FLOOR)) * found[0] + found[1:])


def least_squares(columns: Floats, mean: Floats) -> Floats:
    """Shares on the simplex with ``columns @ shares`` nearest to ``mean``."""
    system = np.vstack([columns, np.full((1, _CLASSES), 1e3)])
    shares, _ = nnls(system, np.append(mean, 1e3))
    return np.asarray(shares / shares.sum())


def pulled(means: Floats, pull: float) -> Rival:
    """``prior_shift.correct`` with another strength of its pull to what was counted."""

    def rival(p: Floats) -> Floats:
        weight = np.sqrt(pull / np.sqrt(len(p)))
        columns = np.vstack([means.T, weight * np.eye(_CLASSES), np.full((1, _CLASSES), 1e3)])
        target = np.concatenate([p.mean(axis=0), weight * counted_shares(p), [1e3]])
        shares, _ = nnls(columns, target)
        return np.asarray(shares / shares.sum())

    return rival


def rivals(known: Faces) -> dict[str, Rival]:
    """By name; each knows ``known`` only."""
    means, read_as, prior = known.means(), known.read_as(), known.shares()
    rescaled = bias_corrected(known)
    return {
        "as counted: the most probable expression of each": counted_shares,
        "mean probabilities": lambda p: np.asarray(p.mean(axis=0)),
        "Saerens' EM on the calibrated probabilities": lambda p: em(p, prior),
        "the same, probabilities recalibrated with a bias for each expression": lambda p: em(
            rescaled(p), prior
        ),
        "hard confusion matrix inverted (BBSE), on the simplex": lambda p: least_squares(
            read_as.T, counted_shares(p)
        ),
        "mean probabilities by label inverted, on the simplex": lambda p: least_squares(
            means.T, p.mean(axis=0)
        ),
        "**the same, pulled to what was counted: ours**": lambda p: prior_shift.correct(
            p.mean(axis=0), counted_shares(p), len(p), means
        ),
    }


def mean_errors(
    contenders: dict[str, Rival], tested: Faces, centre: Floats, count: int
) -> dict[str, list[float]]:
    """Mean absolute error of a share in points, by name, for each of SIZES; all tell the same
    days."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for people in SIZES:
        off: dict[str, list[float]] = {name: [] for name in contenders}
        for p, truth, _ in days(tested.p, tested.labels, people, centre=centre, count=count):
            for name, rival in contenders.items():
                off[name].append(float(np.abs(rival(p) - truth).mean()))
        for name, values in off.items():
            found[name].append(100 * float(np.mean(values)))
    return found


def choice_of_pull(half: Faces, count: int) -> dict[str, list[float]]:
    """Errors by strength: each quarter's days with the other's confusions."""
    quarter = halves(half.labels, seed=1)
    both = []
    for known, tested in ((quarter, ~quarter), (~quarter, quarter)):
        means = half.take(known).means()
        contenders = {f"{pull:g}": pulled(means, pull) for pull in PULLS}
        both.append(mean_errors(contenders, half.take(tested), STORE_DAY, count))
    return {name: np.mean([one[name] for one in both], axis=0).tolist() for name in both[0]}


def page(faces: Faces, model: str, count: int, now: datetime) -> str:
    """The report as Markdown."""
    first = halves(faces.labels)
    known, tested = faces.take(first), faces.take(~first)
    contenders = rivals(known)
    tables = {
        "Days as a shop may have them": STORE_DAY,
        "Days with many happy people": HAPPY_DAY,
        "Days as FER2013 is made up": faces.shares(),
    }
    parts = []
    for title, centre in tables.items():
        made_of = ", ".join(
            f"{name} {share:.0%}" for name, share in zip(EXPRESSIONS, centre, strict=True)
        )
        parts += [f"## {title}", "", f"On average {made_of}.", ""]
        parts += [_table("method", mean_errors(contenders, tested, centre, count)), ""]
    measured = errors(faces.p, faces.labels, count=count)
    coverage = ", ".join(f"{one.coverage:.1%} at {one.people}" for one in measured)
    helps = prior_shift.helps_from(measured)
    shown = f"from {helps} people on" if helps else "nowhere"
    return f"""# A day's distribution of expressions, {now:%Y-%m-%d}

Command: `python -m benchmarks.distribution --data FOLDER`. Model: {model}. {len(faces.labels)}
readable faces of PublicTest, {count} days of each size; mean absolute error of a share in points of
100, for days of {", ".join(map(str, SIZES))} people.

{chr(10).join(parts)}
## What was chosen, and why

- The corrected shares are shown {shown}: there they leave at most nine tenths of the error.
- Their 95 % intervals, by a bootstrap over the people and over the faces behind the confusions,
  held the share that the people were drawn by in {coverage} people.
- Saerens' EM needs probabilities that are calibrated for each expression by itself. One
  temperature for all does not give that, and EM then does no better than counting. With a bias
  for each expression it does best or nearly so, but needs every person's row; the inverted means
  need the sums that every bucket holds, so a year is corrected in no time.
- A mean over the faces of a person has the same expectation as one face, so the matrix of mean
  probabilities holds for people as well. A hard confusion matrix does not: a person's most
  probable expression is right more often than a face's.
- What no correction of this kind sees: customers whose faces look otherwise than FER2013's do, and
  labels of FER2013 that are wrong.

Strength of the pull, on the first half alone ({prior_shift.RIDGE} was chosen):

{_table("strength", choice_of_pull(known, count))}
"""


def _table(head: str, rows: dict[str, list[float]]) -> str:
    lines = [f"| {head} | " + " | ".join(f"{size} people" for size in SIZES) + " |"]
    lines.append("|---" * (1 + len(SIZES)) + "|")
    for name, values in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz")
    parser.add_argument("--model", type=Path, default=default_model_dir(), help="its folder")
    parser.add_argument("--out", type=Path, help="where to write the page; printed otherwise")
    parser.add_argument("--days", type=int, default=200)
    arguments = parser.parse_args()
    reader = ExpressionReader(arguments.model)
    data = load(data_path(arguments.data), clean=False)
    check_data(arguments.model, data)
    p, labels = readable(reader, data.validation)
    faces = Faces(p.astype(np.float64), labels.astype(np.int64))
    text = page(faces, reader.card.version, arguments.days, datetime.now(UTC))
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
