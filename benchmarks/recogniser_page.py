"""What the comparison of recognisers measured, and its page; pure functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import this_machine
from fer_core.model_card import Estimate
from training import metrics
from training.data import VOTES_OF_EXPRESSIONS, Split

BATCH: Final = 32
PICTURES: Final = 200
PICTURE_SIDE: Final = 384
FACE_IN_PICTURE: Final = 192
"""How the measurements are made; sides in pixels."""

_RESAMPLES: Final = 1000


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What one recogniser read right, with 95 % bootstrap intervals. ``disputed``: share read
    as FER2013's label says of the faces that FER+'s taggers call something else, None where there
    are no votes; a recogniser that has not seen the labels reads few. ``behind``: accuracy of the
    first row less this one's on the same resampled faces; None for the first row itself."""

    accuracy: Estimate
    macro_f1: Estimate
    nll: float
    calibration_error: float
    disputed: float | None
    behind: Estimate | None


@dataclass(frozen=True, slots=True)
class Speed:
    """Faces a second, median of the rounds; ``ratio``: the first row's speed over this one's,
    (median, lowest, highest) of the rounds."""

    faces: float
    ratio: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class WholePictures:
    """Pictures of one face each: shares with a face found, and read right (not found is wrong)."""

    found: float
    right: float
    right_of_found: float
    speed: Speed


@dataclass(frozen=True, slots=True)
class Row:
    """All that was measured of one recogniser."""

    name: str
    accuracy: Accuracy
    batched: Speed
    single: Speed
    pictures: WholePictures | None
    threads: int


def accuracy_of(
    probabilities: NDArray[np.float32],
    faces: Split,
    first: NDArray[np.float32] | None,
) -> Accuracy:
    """Figures of float (N, 7) probabilities; ``first``: those of the first row, None for it."""
    labels, others = faces.labels, disputed(faces)
    return Accuracy(
        metrics.estimate(metrics.accuracy, probabilities, labels, resamples=_RESAMPLES),
        metrics.estimate(metrics.macro_f1, probabilities, labels, resamples=_RESAMPLES),
        metrics.nll(probabilities, labels),
        metrics.expected_calibration_error(probabilities, labels),
        metrics.accuracy(probabilities[others], labels[others]) if others.any() else None,
        None if first is None else paired_lead(first, probabilities, labels),
    )


def disputed(faces: Split) -> NDArray[np.bool_]:
    """bool (N,): more than half of FER+'s taggers chose one other expression than the label."""
    if faces.votes is None:
        return np.zeros(len(faces), np.bool_)
    votes = faces.votes[:, VOTES_OF_EXPRESSIONS]
    clear = votes.max(axis=1) * 2 > faces.votes.sum(axis=1)
    return np.asarray(clear & (votes.argmax(axis=1) != faces.labels), np.bool_)


def paired_lead(
    first: NDArray[np.float32], second: NDArray[np.float32], labels: NDArray[np.int8]
) -> Estimate:
    """Accuracy of ``first`` less that of ``second``, with the interval of resampling faces: both
    read the same ones, so it is narrower than the two intervals suggest."""
    gains = (first.argmax(axis=1) == labels).astype(np.int64)
    gains -= second.argmax(axis=1) == labels
    generator = np.random.default_rng(0)
    drawn = [gains[generator.integers(0, len(gains), len(gains))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(gains.mean()), float(low), float(high))


def speeds(rounds: Sequence[Sequence[float]]) -> list[Speed]:
    """From faces a second, one sequence a round and one figure a recogniser, to one Speed each."""
    found = []
    for column in range(len(rounds[0])):
        ratios = [measured[0] / measured[column] for measured in rounds]
        found.append(
            Speed(
                median(measured[column] for measured in rounds),
                (median(ratios), min(ratios), max(ratios)),
            )
        )
    return found


def whole_pictures_of(
    probabilities: NDArray[np.float32], labels: NDArray[np.int8], speed: Speed
) -> WholePictures:
    """From float (N, 7) with rows of NaN where no face was found."""
    found = ~np.isnan(probabilities).any(axis=1)
    right = found & (np.nan_to_num(probabilities).argmax(axis=1) == labels)
    return WholePictures(
        float(found.mean()),
        float(right.mean()),
        float(right.sum() / max(int(found.sum()), 1)),
        speed,
    )


_ACCURACY_NOTE: Final = """\
In brackets 95 % bootstrap intervals; those of "first row ahead by" are paired, face by face. ECE
has 15 bins. Disputed: the share read as FER2013's label says among the faces that most FER+ taggers
call something else; a recogniser far above the others there has learnt these labels by heart."""

_SPEED_NOTE: Final = """\
Medians of {rounds} rounds of {seconds:g} s in which the recognisers take turns, from 48x48 grey
pixels in memory to probabilities. In brackets the lowest and highest round."""

_PICTURES_NOTE: Final = f"""\
{PICTURES} of the faces, evenly chosen, each enlarged to {FACE_IN_PICTURE} pixels in the middle of a
plain picture of {PICTURE_SIDE} x {PICTURE_SIDE}, one picture at a time: face detector and
recogniser together, as each package ships them. A face that is not found is not read right. These
are hard for detectors: FER2013's cut leaves out much of hair and chin."""


def page_of(
    rows: Sequence[Row],
    missing: Iterable[tuple[str, str]],
    remarks: Iterable[tuple[str, str]],
    *,
    command: str,
    split: str,
    faces: int,
    rounds: int,
    seconds: float,
    now: datetime,
) -> str:
    """The report as Markdown. ``missing``, ``remarks``: (recogniser, sentence)."""
    parts = [
        f"# The recogniser and its peers, {now:%Y-%m-%d}",
        f"Command: `{command}`. Machine: {this_machine()}.",
        f"All read the same {faces:,} faces of {split} in one run. Ratios are the first row's.",
        f"## Reading right\n\n{accuracy_table(rows)}",
        _ACCURACY_NOTE,
        f"## Speed, faces a second\n\n{speed_table(rows)}",
        _SPEED_NOTE.format(rounds=rounds, seconds=seconds),
    ]
    if any(row.pictures for row in rows):
        parts += [f"## Whole pictures\n\n{picture_table(rows)}", _PICTURES_NOTE]
    parts.append("## What to know\n\n" + _list(remarks))
    parts.append("## Not compared\n\n" + _list(missing))
    return "\n\n".join(parts) + "\n"


def accuracy_table(rows: Sequence[Row]) -> str:
    """Accuracy and macro-F1 with intervals, calibration, and the lead of the first row."""
    lines = [
        "| recogniser | accuracy | macro-F1 | first row ahead by | NLL | ECE | disputed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        figures = row.accuracy
        lead = figures.behind
        ahead = f"{lead.value:+.3f} ({lead.low:+.3f} to {lead.high:+.3f})" if lead else ""
        lines.append(
            f"| {row.name} | {_with_interval(figures.accuracy)} "
            f"| {_with_interval(figures.macro_f1)} | {ahead} "
            f"| {figures.nll:.3f} | {figures.calibration_error:.3f} "
            f"| {'' if figures.disputed is None else f'{figures.disputed:.3f}'} |"
        )
    return "\n".join(lines)


def speed_table(rows: Sequence[Row]) -> str:
    """Faces a second in batches and one by one, with the first row's ratio."""
    lines = [
        (
            f"| recogniser | threads | batches of {BATCH} | first row over it | one by one "
            "| first row over it |"
        ),
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row.name, str(row.threads)]
        for speed in (row.batched, row.single):
            cells += [_rounded(speed.faces), _ratio(speed)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def picture_table(rows: Sequence[Row]) -> str:
    """Face detector and recogniser together."""
    lines = [
        (
            "| recogniser | face found | read right, of all | of those found | pictures/s "
            "| first row over it |"
        ),
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.pictures:
            whole = row.pictures
            lines.append(
                f"| {row.name} | {whole.found:.3f} | {whole.right:.3f} "
                f"| {whole.right_of_found:.3f} | {_rounded(whole.speed.faces)} "
                f"| {_ratio(whole.speed)} |"
            )
    return "\n".join(lines)


def _with_interval(figure: Estimate) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _rounded(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"


def _ratio(speed: Speed) -> str:
    middle, low, high = speed.ratio
    return "" if low == high == 1 else f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _list(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- **{name}**: {sentence}" for name, sentence in entries)
