"""Figures of a classifier from its probabilities and the labels; pure functions.

Throughout, ``probabilities`` is float (N, 7) and ``labels`` int (N,), indices into EXPRESSIONS.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_core.model_card import ClassFigures, CoveragePoint, Estimate, ReliabilityBin
from fer_core.types import EXPRESSIONS

Floats = NDArray[np.float32] | NDArray[np.float64]
Labels = NDArray[np.int8] | NDArray[np.int64]
Statistic = Callable[[Floats, Labels], float]

ECE_BINS: Final = 15
COVERAGE: Final = 0.8
_COVERAGE_POINTS: Final = 100


def accuracy(probabilities: Floats, labels: Labels) -> float:
    """Share read right."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def confusion_matrix(probabilities: Floats, labels: Labels) -> NDArray[np.int64]:
    """int64 (7, 7): [labelled][predicted] counts."""
    classes = len(EXPRESSIONS)
    cells = labels.astype(np.int64) * classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_figures(confusion: NDArray[np.int64]) -> tuple[ClassFigures, ...]:
    """Precision, recall and F1 of each expression; 0 where there is nothing to divide by."""
    figures = []
    for index, name in enumerate(EXPRESSIONS):
        right = int(confusion[index, index])
        faces, predicted = int(confusion[index].sum()), int(confusion[:, index].sum())
        precision = right / predicted if predicted else 0.0
        recall = right / faces if faces else 0.0
        f1 = 2 * right / (faces + predicted) if faces + predicted else 0.0
        figures.append(ClassFigures(name, precision, recall, f1, faces, predicted))
    return tuple(figures)


def balanced_accuracy(probabilities: Floats, labels: Labels) -> float:
    """Mean recall over the expressions that occur."""
    confusion = confusion_matrix(probabilities, labels)
    faces = confusion.sum(axis=1)
    return float((np.diag(confusion)[faces > 0] / faces[faces > 0]).mean())


def macro_f1(probabilities: Floats, labels: Labels) -> float:
    """Mean F1 over the expressions that occur or are predicted."""
    confusion = confusion_matrix(probabilities, labels)
    total = confusion.sum(axis=1) + confusion.sum(axis=0)
    return float((2 * np.diag(confusion)[total > 0] / total[total > 0]).mean())


def nll(probabilities: Floats, labels: Labels) -> float:
    """Mean negative log likelihood, in nats."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def brier(probabilities: Floats, labels: Labels) -> float:
    """Mean squared distance to the one-hot label, 0 to 2 (Brier, 1950)."""
    squares = (probabilities.astype(np.float64) ** 2).sum(axis=1)
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float((squares - 2 * chosen + 1).mean())


def reliability(probabilities: Floats, labels: Labels) -> tuple[ReliabilityBin, ...]:
    """Confidence against accuracy in 15 bins of equal width."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    number = np.clip(np.ceil(confidence * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    counts = np.bincount(number, minlength=ECE_BINS)
    some = np.maximum(counts, 1)
    mean = np.bincount(number, confidence, ECE_BINS) / some
    share = np.bincount(number, right, ECE_BINS) / some
    return tuple(
        ReliabilityBin(
            bin_ / ECE_BINS,
            (bin_ + 1) / ECE_BINS,
            float(mean[bin_]),
            float(share[bin_]),
            int(counts[bin_]),
        )
        for bin_ in range(ECE_BINS)
    )


def expected_calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Mean gap between confidence and accuracy over the bins of ``reliability``, weighted by
    faces (Naeini et al., 2015)."""
    bins = reliability(probabilities, labels)
    gaps = sum(entry.faces * abs(entry.confidence - entry.accuracy) for entry in bins)
    return gaps / max(len(labels), 1)


def accuracy_at_coverage(
    probabilities: Floats, labels: Labels, coverage: float = COVERAGE
) -> float:
    """Accuracy of the share ``coverage`` of the faces with the highest confidence."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    kept = order[: max(1, round(len(order) * coverage))]
    return accuracy(probabilities[kept], labels[kept])


def risk_coverage(probabilities: Floats, labels: Labels) -> tuple[CoveragePoint, ...]:
    """Coverage and accuracy at thresholds of confidence, from reading all faces to few."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    points = []
    for threshold in np.linspace(0, 1, _COVERAGE_POINTS, endpoint=False):
        kept = confidence >= threshold
        if kept.sum() < max(20, len(labels) // 100):
            break
        points.append(
            CoveragePoint(float(threshold), float(kept.mean()), float(right[kept].mean()))
        )
    return tuple(points)


STATISTICS: Final[Mapping[str, Statistic]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "nll": nll,
    "brier": brier,
    "expected_calibration_error": expected_calibration_error,
    "accuracy_at_80_coverage": accuracy_at_coverage,
}


def estimate(
    statistic: Statistic,
    probabilities: Floats,
    labels: Labels,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """The figure with its 95 % percentile interval over bootstrap resamples of the faces.

    Chance alone makes a calibration error (Roelofs et al., 2022, arXiv:2012.08668), and a resample
    has more of it than the sample: its interval is mirrored about the figure, and begins at 0 where
    a calibrated recogniser would show as much (the consistency resampling of Broecker and Smith,
    2007, doi:10.1175/WAF993.1)."""
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        rows = generator.integers(0, len(labels), len(labels))
        drawn.append(statistic(probabilities[rows], labels[rows]))
    value = statistic(probabilities, labels)
    low, high = np.percentile(drawn, [2.5, 97.5])
    if statistic is expected_calibration_error:
        low, high = max(0.0, 2 * value - high), max(value, 2 * value - low)
        if value <= _error_of_calibrated(probabilities, resamples, generator):
            low = 0.0
    return Estimate(value, float(low), float(high))


def _error_of_calibrated(
    probabilities: Floats, resamples: int, generator: np.random.Generator
) -> float:
    """The calibration error that a recogniser exceeds in one sample of twenty, of as many faces,
    if it is right as often as it says."""
    read = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    errors = []
    for _ in range(resamples):
        right = generator.random(len(read)) < confidence
        labels = np.where(right, read, (read + 1) % probabilities.shape[1])
        errors.append(expected_calibration_error(probabilities, labels))
    return float(np.percentile(errors, 95))
