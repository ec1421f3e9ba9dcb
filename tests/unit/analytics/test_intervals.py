import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from analytics.intervals import (
    Estimate,
    Estimates,
    Moments,
    added_beyond_chance,
    beyond_chance,
    difference,
    ends_told_apart,
    mean_difference,
    mean_difference_p,
    mean_interval,
    net_interval,
    share_interval,
)
from tests.unit.analytics.crowds import CROWDS, crowd_values
from tests.unit.analytics.people import HAPPY_THIRD


def test_the_mean_agrees_with_a_worked_example() -> None:
    # 1..5 and a twelfth of a person at -10 and at 10: n = 5 + 1/6, sum 15, squares 55 + 50/3.
    estimate = mean_interval(5, 15, 55, lowest=-10, highest=10)
    n, mean = 31 / 6, 15 * 6 / 31
    s = np.sqrt((55 + 50 / 3 - n * mean**2) / (n - 1))
    margin = stats.t.ppf(0.975, n - 1) * s / np.sqrt(n)
    assert estimate.value == pytest.approx(3)
    assert estimate.low == pytest.approx(mean - margin)
    assert estimate.high == pytest.approx(mean + margin)


def test_of_many_people_the_mean_has_students_interval() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, 5_000)
    estimate = mean_interval(len(x), x.sum(), (x**2).sum(), lowest=-1, highest=1)
    low, high = stats.t.interval(0.95, len(x) - 1, loc=x.mean(), scale=stats.sem(x))
    assert estimate.low == pytest.approx(low, abs=1e-4)
    assert estimate.high == pytest.approx(high, abs=1e-4)


def test_wilson_agrees_with_a_worked_example() -> None:
    # 10 of 100, E. B. Wilson's interval to four places.
    estimate = share_interval(10, 100)
    assert estimate.low == pytest.approx(0.0552, abs=1e-4)
    assert estimate.high == pytest.approx(0.1744, abs=1e-4)


def test_one_person_alone_tells_nothing_about_the_spread() -> None:
    estimate = mean_interval(1, 0.3, 0.09, lowest=-1, highest=1)
    assert [float(v) for v in (estimate.value, estimate.low, estimate.high)] == [0.3, -1, 1]


def test_nobody_gives_no_figure() -> None:
    for estimate in (
        mean_interval(0, 0, 0, lowest=-1, highest=1),
        share_interval(0, 0),
        net_interval(0, 0, 0),
    ):
        assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


def test_ten_people_all_alike_do_not_make_a_figure_sure() -> None:
    few = mean_interval(10, 1, 10 * 0.1**2 - 1e-18, lowest=-1, highest=1)
    many = mean_interval(10_000, 1_000, 10_000 * 0.1**2 - 1e-12, lowest=-1, highest=1)
    assert few.low < 0.05 < 0.15 < few.high
    assert [float(many.low), float(many.high)] == pytest.approx([0.1, 0.1], abs=1e-3)


def test_values_that_can_be_only_one_thing_have_no_spread() -> None:
    flat = Moments(np.array([10.0]), np.array([500.0]), np.array([25_000.0]), 50, 50)
    assert mean_difference(flat, flat).at(0) == Estimate(0, 0, 0)
    assert mean_difference_p(flat, flat).tolist() == [1.0]


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval_and_the_interval_in_0_to_1(case: tuple[int, int]) -> None:
    part, whole = case
    estimate = share_interval(part, whole)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 500))
def test_a_net_share_lies_in_its_interval(plus: int, minus: int, neither: int) -> None:
    estimate = net_interval(plus, minus, plus + minus + neither)
    mirrored = net_interval(minus, plus, plus + minus + neither)
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert -mirrored.high == pytest.approx(estimate.low)
    assert -mirrored.low == pytest.approx(estimate.high)


def samples(
    population: NDArray[np.float64], people: int, seed: int, repeats: int = 8_000
) -> Moments:
    x = np.random.default_rng(seed).choice(population, (repeats, people))
    count = np.full(repeats, float(people))
    return Moments(count, x.sum(axis=1), (x**2).sum(axis=1), -1, 1)


def coverage(estimates: Estimates, truth: float) -> float:
    return float(((estimates.low <= truth) & (truth <= estimates.high)).mean())


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("people", [10, 15, 30, 300])
def test_the_index_interval_covers_the_truth_19_times_in_20(people: int, crowd: str) -> None:
    population = crowd_values(CROWDS[crowd], seed=1)
    x = samples(population, people, seed=people)
    estimate = mean_interval(x.count, x.total, x.squares, lowest=-1, highest=1)
    assert 0.93 <= coverage(estimate, population.mean()) <= 0.97


@pytest.mark.parametrize(("now", "before"), [(10, 10), (10, 300), (30, 15), (300, 300)])
@pytest.mark.parametrize(
    ("crowd", "other"),
    [
        ("even", "mostly neutral"),
        ("mostly neutral", "mostly neutral"),
        ("mostly happy", "ordinary"),
        ("unhappy few", "mostly happy"),
    ],
)
def test_the_interval_of_a_difference_covers_the_truth_19_times_in_20(
    now: int, before: int, crowd: str, other: str
) -> None:
    one, two = crowd_values(CROWDS[crowd], seed=1), crowd_values(CROWDS[other], seed=2)
    drawn = samples(one, now, seed=3), samples(two, before, seed=4)
    covered = coverage(mean_difference(*drawn), one.mean() - two.mean())
    assert 0.93 <= covered <= 0.975
    if crowd == other:
        # The test and the interval agree.
        believed = mean_difference_p(*drawn) <= 0.05
        assert believed.mean() == pytest.approx(1 - covered, abs=0.005)


@pytest.mark.parametrize(("now", "before"), [(10, 10), (15, 200), (300, 300)])
def test_the_interval_of_a_difference_of_shares_covers_the_truth_19_times_in_20(
    now: int, before: int
) -> None:
    rng = np.random.default_rng(now + before)
    truth = rng.uniform(0.05, 0.6, (2, 3_000))
    drawn = rng.binomial([[now], [before]], truth)
    shares = [share_interval(part, n) for part, n in zip(drawn, (now, before), strict=True)]
    changes = [difference(shares[0].at(row), shares[1].at(row)) for row in range(truth.shape[1])]
    held = [c.low <= t <= c.high for c, t in zip(changes, truth[0] - truth[1], strict=True)]
    assert 0.93 <= np.mean(held) <= 0.975


def test_a_difference_of_shares_agrees_with_newcombes_example() -> None:
    # 56 of 70 against 48 of 80: 0.2000, from 0.0524 to 0.3339 (Newcombe 1998, method 10, case a).
    change = difference(share_interval([56], [70]).at(0), share_interval([48], [80]).at(0))
    assert change.value == pytest.approx(0.2)
    assert change.low == pytest.approx(0.0524, abs=1e-4)
    assert change.high == pytest.approx(0.3339, abs=1e-4)


def test_a_difference_needs_people_on_both_sides() -> None:
    nobody = Moments(np.zeros(1), np.zeros(1), np.zeros(1), -1, 1)
    some = samples(crowd_values(HAPPY_THIRD, 0), 20, 0, repeats=1)
    change = mean_difference(some, nobody)
    assert np.isnan([change.value, change.low, change.high]).all()
    assert np.isnan(mean_difference_p(nobody, some)).all()


def test_of_many_findings_only_the_sure_ones_are_believed() -> None:
    # Holm: 0.01 <= 0.05 / 4, 0.013 <= 0.05 / 3, 0.03 > 0.05 / 2: there it stops.
    p = np.array([0.04, 0.01, np.nan, 0.03, 0.013])
    assert beyond_chance(p).tolist() == [False, True, False, False, True]
    assert beyond_chance(np.array([])).tolist() == []
    assert beyond_chance(np.array([np.nan])).tolist() == [False]


@given(*2 * [st.lists(st.sampled_from([0, 0.005, 0.01, 0.0125, 0.02, 0.025, 0.05, 0.4, np.nan]))])
def test_one_finding_more_is_believed_as_it_were_among_them(
    p: list[float], added: list[float]
) -> None:
    among_them = [bool(beyond_chance(np.array([*p, one]))[-1]) for one in added]
    assert added_beyond_chance(np.array(p), np.array(added)).tolist() == among_them


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("people", [10, 60])
@pytest.mark.parametrize("among", [2, 7, 28, 98])
def test_the_ends_of_many_rows_of_one_crowd_are_seldom_told_apart(
    among: int, people: int, crowd: str
) -> None:
    values = 50 * (1 + crowd_values(CROWDS[crowd], 1))
    drawn = np.random.default_rng(among).choice(values, (300, among, people))
    count = np.full(among, float(people))
    told = 0
    for total, squares in zip(drawn.sum(axis=2), (drawn**2).sum(axis=2), strict=True):
        rows = Moments(count, total, squares, lowest=0, highest=100)
        high, low = (rows.at(np.array([place])) for place in (total.argmax(), total.argmin()))
        told += ends_told_apart(high, low, among)
    assert told / len(drawn) <= 0.08


def people_like(mean: float, error: float, count: int) -> Moments:
    """One row of people whose mean has that standard error, but for the little that is added at
    the ends of the scale: these are at the mean."""
    squares = (count - 1) * count * error**2 + count * mean**2
    return Moments(
        np.array([float(count)]), np.array([count * mean]), np.array([squares]), mean, mean
    )


def test_the_more_rows_there_are_the_further_apart_their_ends_must_be() -> None:
    # Standard errors of 3 and 4, so 5 for the difference: 1.96 for 2 rows, 3.52 for 15 (105 pairs).
    high, low = people_like(60, 3, 2000), people_like(46, 4, 2000)
    assert ends_told_apart(high, low, 2)
    assert ends_told_apart(high, low, 3)
    assert not ends_told_apart(high, low, 15)
    assert ends_told_apart(people_like(64, 3, 2000), low, 15)


def test_few_people_must_be_further_apart_than_many() -> None:
    # 18 points are 3.6 standard errors. Of 105 pairs t wants 3.52 of many people, 4.33 of ten.
    assert ends_told_apart(people_like(64, 3, 2000), people_like(46, 4, 2000), 15)
    assert not ends_told_apart(people_like(64, 3, 10), people_like(46, 4, 10), 15)
    assert ends_told_apart(people_like(70, 3, 10), people_like(46, 4, 10), 15)


@pytest.mark.parametrize("people", [10, 40, 300])
def test_share_intervals_cover_the_truth_19_times_in_20(people: int) -> None:
    rng = np.random.default_rng(people)
    truth = rng.uniform(0.05, 0.6, 20_000)
    shares = share_interval(rng.binomial(people, truth), np.full(len(truth), people))
    assert 0.93 <= ((shares.low <= truth) & (truth <= shares.high)).mean() <= 0.97

    minus = rng.uniform(0.05, 0.4, len(truth))
    drawn = rng.multinomial(people, np.stack([truth, minus, 1 - truth - minus], axis=1))
    net = net_interval(drawn[:, 0], drawn[:, 1], np.full(len(truth), people))
    assert 0.93 <= ((net.low <= truth - minus) & (truth - minus <= net.high)).mean() <= 0.97
