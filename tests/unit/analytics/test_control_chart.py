"""What the chart calls unusual is unusual, and what it calls ordinary may be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from analytics.alert_rules import days_between_false_alarms, limit_for
from analytics.control_chart import HISTORY_DAYS, control_chart
from tests.unit.analytics.stores import daily_figures

DAYS = HISTORY_DAYS + 20


def ordinary(seed: int = 0, days: int = DAYS) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    variances = rng.uniform(0.5, 4, days)
    return 60 + rng.normal(0, 1.5, days) + rng.normal(0, np.sqrt(variances)), variances


@pytest.mark.parametrize(
    ("visitors", "good_and_bad_days"), [(30, 0.2), (200, 0.1), (200, 0.3), (800, 0.2)]
)
def test_one_ordinary_day_in_so_many_is_a_false_alarm(
    visitors: int, good_and_bad_days: float
) -> None:
    """What the screen says: "about one false alarm in N days"; where days hardly differ but by
    chance, fewer."""
    values, variances = daily_figures(
        np.random.default_rng(7), 100, HISTORY_DAYS + 200, visitors, good_and_bad_days
    )
    score = control_chart(values, variances).score[:, HISTORY_DAYS:]
    judged = score[~np.isnan(score)]
    assert len(judged) > 15_000
    for every in (50, 100, 200, 400):
        alarms = int((judged < -limit_for(every)).sum())
        assert every / 1.3 <= len(judged) / alarms <= every * 2


def test_without_good_and_bad_days_false_alarms_are_fewer() -> None:
    values, variances = daily_figures(
        np.random.default_rng(8), 100, HISTORY_DAYS + 200, 100, good_and_bad_days=0
    )
    score = control_chart(values, variances).score[:, HISTORY_DAYS:]
    alarms = int((score < -limit_for(100)).sum())
    assert 100 <= score.size / alarms <= 300


def test_a_day_far_below_is_found_and_the_days_around_it_are_not() -> None:
    values, variances = ordinary()
    values[65] -= 15
    score = control_chart(values, variances).score
    assert np.flatnonzero(score < -3).tolist() == [65]


def test_fewer_people_must_be_further_off() -> None:
    values, variances = ordinary()
    values[70] = 53
    few, many = variances.copy(), variances.copy()
    few[70], many[70] = 25, 0.2
    assert control_chart(values, few).score[70] > control_chart(values, many).score[70]


def test_each_weekday_is_compared_with_its_own_kind() -> None:
    values, variances = ordinary(3, 2 * HISTORY_DAYS)
    sunday = np.arange(len(values)) % 7 == 6
    chart = control_chart(np.where(sunday, values - 12, values), variances)
    judged = chart.score[HISTORY_DAYS:]
    assert abs(judged).max() < 3.5
    usual = chart.usual[HISTORY_DAYS:]
    assert usual[sunday[HISTORY_DAYS:]].mean() == pytest.approx(48, abs=1)
    assert usual[~sunday[HISTORY_DAYS:]].mean() == pytest.approx(60, abs=1)


def test_a_short_history_judges_nothing() -> None:
    values, variances = ordinary()
    chart = control_chart(values, variances)
    # Seven levels, and ten degrees of freedom besides.
    assert np.isnan(chart.score[:21]).all()
    assert not np.isnan(chart.score[21:]).any()


def test_a_weekday_that_was_seldom_open_is_not_judged() -> None:
    values, variances = ordinary()
    sundays = np.arange(6, DAYS, 7)
    values[sundays[:-3]] = np.nan
    score = control_chart(values, variances).score
    assert np.isnan(score[sundays[-1]])
    assert not np.isnan(score[sundays[-1] - 1])


def test_a_day_without_a_figure_has_no_score() -> None:
    values, variances = ordinary()
    values[60] = np.nan
    score = control_chart(values, variances).score
    assert np.flatnonzero(np.isnan(score[21:])).tolist() == [60 - 21]


def test_days_that_are_all_alike_are_ordinary() -> None:
    chart = control_chart(np.full(DAYS, 50.0), np.full(DAYS, 1.0))
    assert (chart.score[21:] == 0).all()


@settings(max_examples=30)
@given(
    values=arrays(np.float64, DAYS, elements=st.floats(0, 100) | st.just(float("nan"))),
    variances=arrays(np.float64, DAYS, elements=st.floats(0.01, 400)),
    later=st.floats(0, 100),
)
def test_no_day_depends_on_what_comes_after(
    values: NDArray[np.float64], variances: NDArray[np.float64], later: float
) -> None:
    changed = values.copy()
    changed[-1] = later
    np.testing.assert_array_equal(
        control_chart(values, variances).score[:-1], control_chart(changed, variances).score[:-1]
    )


@settings(max_examples=30)
@given(
    values=arrays(np.float64, DAYS, elements=st.floats(0, 100) | st.just(float("nan"))),
    variances=arrays(np.float64, DAYS, elements=st.floats(0.01, 400)),
    limit=st.floats(1, 6),
)
def test_scores_and_the_bounds_of_ordinary_days_agree(
    values: NDArray[np.float64], variances: NDArray[np.float64], limit: float
) -> None:
    chart = control_chart(values, variances)
    low, high = chart.ordinary(limit)
    judged = ~np.isnan(chart.score) & (abs(abs(chart.score) - limit) > 1e-6)
    np.testing.assert_array_equal(chart.score[judged] < -limit, values[judged] < low[judged])
    np.testing.assert_array_equal(chart.score[judged] > limit, values[judged] > high[judged])


@given(st.floats(2.1, 10_000))
def test_limits_and_days_between_false_alarms_are_two_words_for_one_thing(days: float) -> None:
    assert days_between_false_alarms(limit_for(days)) == pytest.approx(days)
