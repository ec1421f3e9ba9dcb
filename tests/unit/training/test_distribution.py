"""Days of faces with known labels: drawn as asked for, and measured."""

import numpy as np
import pytest

from training import distribution
from training.distribution import STORE_DAY, confusions_of, counted_shares, days, errors, halves


def faces(each: int, *, sure: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """``each`` faces of every label; the right expression has ``sure``, its neighbour the rest."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(7), each)
    centres = sure * np.eye(7) + (1 - sure) * np.roll(np.eye(7), 1, axis=1)
    return rng.dirichlet(np.ones(7), len(labels)) * 0.1 + 0.9 * centres[labels], labels


def test_confusions_are_means_and_covariances_by_label() -> None:
    p, labels = faces(30, sure=0.8)
    found = confusions_of(p, labels)
    assert found is not None
    assert found.faces == (30,) * 7
    assert np.array(found.means)[3] == pytest.approx(p[labels == 3].mean(axis=0), abs=1e-6)
    assert np.array(found.covariances)[3] == pytest.approx(np.cov(p[labels == 3].T), abs=1e-6)
    assert confusions_of(p[25:], labels[25:]) is None


def test_halves_take_half_of_every_label() -> None:
    labels = np.repeat(np.arange(7), 21)
    chosen = halves(labels)
    assert np.bincount(labels[chosen]).tolist() == [10] * 7


def test_days_have_the_shares_that_they_tell() -> None:
    p = np.eye(7)[np.repeat(np.arange(7), 5)]
    labels = np.repeat(np.arange(7), 5)
    drawn = list(days(p, labels, 50, count=40))
    for day, truth, _ in drawn:
        assert day.shape == (50, 7)
        assert counted_shares(day) == pytest.approx(truth)
    mean = np.mean([truth for _, truth, _ in drawn], axis=0)
    assert mean == pytest.approx(STORE_DAY, abs=0.06)


def test_a_recogniser_with_a_habit_is_corrected() -> None:
    rng = np.random.default_rng(1)
    p, labels = faces(300, sure=0.6)
    taken = rng.random(len(labels)) < 0.3
    # Three faces in ten are taken for the next expression.
    p[taken] = np.roll(p[taken], 1, axis=1)
    found = errors(p, labels, count=20)
    assert [error.people for error in found] == [30, 100, 300, 1000]
    assert found[-1].corrected < 0.5 * found[-1].counted
    assert found[-1].coverage > 0.8


def test_errors_are_those_of_many_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 20 faces of each label, which of them a half holds decides what one half tells."""
    p, labels = faces(20, sure=0.6, seed=2)
    rng = np.random.default_rng(3)
    taken = rng.random(len(labels)) < 0.3
    p[taken] = np.roll(p[taken], 1, axis=1)
    together = errors(p, labels, count=30)[-1]
    monkeypatch.setattr(distribution, "SPLITS", 1)
    alone = []
    for split in range(10):
        monkeypatch.setattr(distribution, "halves", lambda labels, _, at=split: halves(labels, at))
        alone.append(errors(p, labels, count=3)[-1].corrected)
    assert np.ptp(alone) > 0.01
    assert min(alone) < together.corrected < max(alone)
    assert together.corrected == pytest.approx(np.mean(alone), abs=0.3 * np.ptp(alone))


def test_too_few_faces_of_a_label_give_no_errors() -> None:
    p, labels = faces(15, sure=0.8)
    assert errors(p, labels) == ()
