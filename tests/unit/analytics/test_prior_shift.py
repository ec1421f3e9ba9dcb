"""Corrected shares: what comes back when the confusions are known, and what stays as it was."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.buckets import aggregate, merge
from analytics.prior_shift import (
    correct,
    corrected_rows,
    corrected_shares,
    error_at,
    helps_from,
    interval,
)
from fer_core.model_card import Confusions, DistributionError
from fer_core.types import EXPRESSIONS
from tests.unit.analytics.people import bucket_frame, crowd

BLURRED = 0.6 * np.eye(7) + 0.4 / 7
"""Reads right with two thirds, and anything else alike."""
SURE = Confusions(
    faces=(500,) * 7,
    means=tuple(tuple(row) for row in np.eye(7).tolist()),
    covariances=((((0.0,) * 7),) * 7,) * 7,
)
BLUR = Confusions(
    faces=(500,) * 7,
    means=tuple(tuple(row) for row in BLURRED.tolist()),
    covariances=tuple(tuple(tuple(row) for row in (0.02 * np.eye(7)).tolist()) for _ in range(7)),
)

shares = st.lists(st.floats(0.01, 1), min_size=7, max_size=7).map(
    lambda values: np.array(values) / sum(values)
)


@given(shares, st.integers(1000, 1_000_000))
def test_known_confusions_are_undone(truth: np.ndarray, people: int) -> None:
    mean = truth @ BLURRED
    # Counting is off as well, towards everything alike; the pull to it is weak among many people.
    found = correct(mean, mean, people, BLURRED)
    assert found.sum() == pytest.approx(1)
    assert np.abs(found - truth).max() < 0.25 * max(np.abs(mean - truth).max(), 0.02)


@given(shares, shares, st.integers(1, 1000))
def test_shares_lie_between_nothing_and_all(
    mean: np.ndarray, counted: np.ndarray, people: int
) -> None:
    found = correct(mean, counted, people, BLURRED)
    assert found.sum() == pytest.approx(1)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()


@given(shares, st.integers(1, 1000))
def test_a_recogniser_without_confusions_is_left_alone(truth: np.ndarray, people: int) -> None:
    assert correct(truth, truth, people, np.eye(7)) == pytest.approx(truth, abs=1e-6)


def test_few_people_stay_nearer_to_what_was_counted() -> None:
    truth = np.array([0.05, 0.01, 0.03, 0.3, 0.06, 0.05, 0.5])
    mean = truth @ BLURRED
    moved = [
        np.abs(correct(mean, mean, people, BLURRED) - mean).sum() for people in (1, 100, 10**6)
    ]
    assert moved[0] < moved[1] < moved[2]


def test_intervals_hold_their_share_and_narrow_with_people() -> None:
    truth = np.array([0.05, 0.0, 0.03, 0.3, 0.06, 0.06, 0.5])
    mean = truth @ BLURRED
    widths = []
    for people in (50, 500, 5000):
        low, high = interval(mean, mean, 0.05 * np.eye(7), people, BLUR)
        found = correct(mean, mean, people, BLURRED)
        assert (low <= found).all()
        assert (found <= high).all()
        assert high[1] > 0
        widths.append(float((high - low).mean()))
    assert widths[0] > widths[1] > widths[2]


def test_intervals_widen_when_the_confusions_are_less_known() -> None:
    mean = np.full(7, 1 / 7)
    few = Confusions((12,) * 7, BLUR.means, BLUR.covariances)
    widths = [
        float(np.subtract(*interval(mean, mean, 0.01 * np.eye(7), 5000, known)[::-1]).mean())
        for known in (BLUR, few)
    ]
    assert widths[1] > 1.5 * widths[0]


def test_simulated_people_are_told_better_than_by_counting() -> None:
    rng = np.random.default_rng(4)
    truth = np.array([0.04, 0.02, 0.04, 0.3, 0.05, 0.05, 0.5])
    faces = [rng.dirichlet(3 * BLURRED[label], 2000) for label in range(7)]
    known = Confusions(
        (1000,) * 7,
        tuple(tuple(group[:1000].mean(axis=0)) for group in faces),
        tuple(tuple(map(tuple, np.cov(group[:1000].T))) for group in faces),
    )
    labels = rng.choice(7, 3000, p=truth)
    p = np.array([faces[label][rng.integers(1000, 2000)] for label in labels])
    people = crowd("2026-11-03 09:00", 3000, unknown_share=0)
    people[[f"p_{e}" for e in EXPRESSIONS]] = p
    people["expression"] = np.array(EXPRESSIONS)[p.argmax(axis=1)]
    table = corrected_shares(bucket_frame(people), known, 10)
    off = (table["share"] - truth).abs().mean()
    assert off < 0.5 * (table["counted"] - truth).abs().mean()
    inside = (table["low"] <= truth) & (truth <= table["high"])
    assert inside.sum() >= 6
    assert table["people"].sum() == 3000
    assert table["expression"].tolist() == list(EXPRESSIONS)


def test_too_few_people_have_no_corrected_shares() -> None:
    buckets = bucket_frame(crowd("2026-11-03 09:00", 9, unknown_share=0))
    assert corrected_shares(buckets, SURE, 10).empty
    assert not corrected_shares(buckets, SURE, 9).empty
    assert corrected_shares(buckets.iloc[:0], SURE, 1).empty
    rows = corrected_rows(merge(buckets, ["camera_id"]), SURE, 10)
    assert rows.filter(like="share_").isna().all(axis=None)


def test_rows_are_corrected_each_for_itself() -> None:
    one = aggregate(crowd("2026-11-03 09:00", 200, camera_id=1))
    two = aggregate(crowd("2026-11-03 09:00", 300, camera_id=2, shares=(1, 0, 0, 0, 0, 0, 0)))
    rows = corrected_rows(merge(pd.concat([one, two]), ["camera_id"]), BLUR, 10)
    assert rows["camera_id"].tolist() == [1, 2]
    columns = [f"share_{e}" for e in EXPRESSIONS]
    assert rows[columns].sum(axis="columns").tolist() == pytest.approx([1, 1])
    for row, buckets in enumerate((one, two)):
        alone = corrected_shares(buckets, BLUR, 10)
        assert rows[columns].iloc[row].tolist() == pytest.approx(alone["share"].tolist())


def measured(*errors: tuple[int, float, float]) -> tuple[DistributionError, ...]:
    return tuple(DistributionError(people, a, b, 0.9) for people, a, b in errors)


@pytest.mark.parametrize(
    ("errors", "fewest"),
    [
        (((30, 0.04, 0.038), (100, 0.03, 0.02), (1000, 0.03, 0.01)), 100),
        (((30, 0.04, 0.03), (100, 0.03, 0.03), (1000, 0.03, 0.01)), 1000),
        (((30, 0.04, 0.05), (100, 0.03, 0.04)), None),
        ((), None),
    ],
)
def test_the_correction_is_offered_where_it_was_seen_to_help(
    errors: tuple[tuple[int, float, float], ...], fewest: int | None
) -> None:
    assert helps_from(measured(*errors)) == fewest


def test_the_error_shown_is_that_of_no_more_people() -> None:
    errors = measured((30, 0.04, 0.03), (100, 0.03, 0.02))
    assert error_at(errors, 29) is None
    assert error_at(errors, 99) == errors[0]
    assert error_at(errors, 5000) == errors[1]
