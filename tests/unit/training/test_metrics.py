"""The figures are those of their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from training import calibrate, metrics


def made(seed: int, faces: int = 200) -> tuple[metrics.Floats, metrics.Labels]:
    """Random probabilities (N, 7) and labels that follow them somewhat."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(7, 0.4), faces)
    labels = np.array([generator.choice(7, p=row) for row in probabilities], np.int64)
    return probabilities, labels


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_figures_agree_with_scikit_learn(seed: int) -> None:
    probabilities, labels = made(seed)
    read = probabilities.argmax(axis=1)
    every = list(range(7))
    assert metrics.accuracy(probabilities, labels) == reference.accuracy_score(labels, read)
    assert metrics.balanced_accuracy(probabilities, labels) == pytest.approx(
        reference.recall_score(labels, read, labels=np.unique(labels), average="macro")
    )
    assert metrics.macro_f1(probabilities, labels) == pytest.approx(
        reference.f1_score(labels, read, average="macro")
    )
    assert metrics.nll(probabilities, labels) == pytest.approx(
        reference.log_loss(labels, probabilities, labels=every)
    )
    confusion = metrics.confusion_matrix(probabilities, labels)
    assert (confusion == reference.confusion_matrix(labels, read, labels=every)).all()
    precision, recall, f1, faces = reference.precision_recall_fscore_support(
        labels, read, labels=every, zero_division=0
    )
    for index, figures in enumerate(metrics.class_figures(confusion)):
        assert figures.precision == pytest.approx(precision[index])
        assert figures.recall == pytest.approx(recall[index])
        assert figures.f1 == pytest.approx(f1[index])
        assert figures.faces == faces[index]


def test_brier_runs_from_nothing_to_two() -> None:
    sure = np.eye(7)[[0, 1]]
    assert metrics.brier(sure, np.array([0, 1])) == pytest.approx(0)
    assert metrics.brier(sure, np.array([1, 0])) == pytest.approx(2)
    assert metrics.brier(np.full((1, 7), 1 / 7), np.array([3])) == pytest.approx(6 / 7)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.full((10, 7), 0.02)
    probabilities[:, 0] = 0.88
    labels = np.array([0] * 6 + [1] * 4)
    assert metrics.expected_calibration_error(probabilities, labels) == pytest.approx(0.28)
    bins = metrics.reliability(probabilities, labels)
    assert [entry.faces for entry in bins if entry.faces] == [10]
    assert bins[13].low < 0.88 <= bins[13].high


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_reliability_bins_hold_every_face(seed: int) -> None:
    probabilities, labels = made(seed)
    bins = metrics.reliability(probabilities, labels)
    assert sum(entry.faces for entry in bins) == len(labels)
    right = sum(entry.faces * entry.accuracy for entry in bins)
    assert right == pytest.approx((probabilities.argmax(axis=1) == labels).sum())


def test_coverage_keeps_the_surest() -> None:
    probabilities = np.full((4, 7), 0.0)
    probabilities[:, 0] = (0.9, 0.8, 0.7, 0.6)
    labels = np.array([0, 0, 1, 1])
    assert metrics.accuracy_at_coverage(probabilities, labels, 0.5) == 1.0
    assert metrics.accuracy_at_coverage(probabilities, labels, 1.0) == 0.5


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_coverage_falls_as_the_threshold_rises(seed: int) -> None:
    points = metrics.risk_coverage(*made(seed))
    assert points[0].threshold == 0
    assert points[0].coverage == 1
    coverage = [point.coverage for point in points]
    assert coverage == sorted(coverage, reverse=True)


def test_the_interval_of_a_calibrated_recogniser_holds_no_error_at_all() -> None:
    found = []
    for seed in range(20):
        probabilities, labels = made(seed, faces=500)
        found.append(
            metrics.estimate(
                metrics.expected_calibration_error, probabilities, labels, resamples=100
            )
        )
    assert sum(figure.low == 0 for figure in found) >= 18
    assert all(0 < figure.value <= figure.high < 0.15 for figure in found)


def test_a_calibration_error_is_held_by_its_interval() -> None:
    probabilities, labels = made(1, faces=2000)
    sure = np.full_like(probabilities, 0.1 / 6)
    sure[np.arange(len(sure)), probabilities.argmax(axis=1)] = 0.9
    off = 0.9 - metrics.accuracy(probabilities, labels)
    found = metrics.estimate(metrics.expected_calibration_error, sure, labels, resamples=200)
    assert found.value == pytest.approx(off)
    assert 0 < found.low < found.value < found.high


def test_an_interval_holds_the_figure_and_narrows_with_more_faces() -> None:
    few = metrics.estimate(metrics.accuracy, *made(1, 100), resamples=200)
    many = metrics.estimate(metrics.accuracy, *made(1, 3000), resamples=200)
    assert few.low <= few.value <= few.high
    assert many.high - many.low < few.high - few.low
    assert many == metrics.estimate(metrics.accuracy, *made(1, 3000), resamples=200)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_spoilt_the_logits_is_found(temperature: float) -> None:
    probabilities, labels = made(4, 6000)
    logits = np.log(np.maximum(probabilities, 1e-9)).astype(np.float32) * temperature
    assert calibrate.fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.08)


def test_unknown_is_as_rare_as_the_wanted_accuracy_allows() -> None:
    probabilities, labels = made(5, 4000)
    best = probabilities.astype(np.float32)
    accuracy = metrics.accuracy(best, labels)
    threshold = calibrate.choose_unknown(
        best, labels, known_accuracy=accuracy + 0.05, least_coverage=0.5
    )
    confidence = best.max(axis=1)
    kept, one_less = confidence >= threshold, confidence >= threshold - 0.01
    assert metrics.accuracy(best[kept], labels[kept]) >= accuracy + 0.05
    assert metrics.accuracy(best[one_less], labels[one_less]) < accuracy + 0.05


def test_unknown_never_takes_more_than_its_share() -> None:
    probabilities, labels = made(6, 4000)
    best = probabilities.astype(np.float32)
    threshold = calibrate.choose_unknown(best, labels, known_accuracy=1.0, least_coverage=0.9)
    confidence = best.max(axis=1)
    assert (confidence >= threshold).mean() >= 0.9
    assert (confidence >= threshold + 0.02).mean() < 0.9
