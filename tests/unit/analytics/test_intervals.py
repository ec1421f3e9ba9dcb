import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.intervals import mean_interval, net_interval, share_interval
from analytics.scores import DEFAULT_SCORE
from tests.unit.analytics.people import HAPPY_THIRD


def test_the_mean_agrees_with_a_worked_example() -> None:
    # 1..5: mean 3, s = sqrt(2.5), t(4; 0.975) = 2.776
    estimate = mean_interval(5, 15, 55, lowest=-100, highest=100)
    assert estimate.value == pytest.approx(3)
    assert estimate.low == pytest.approx(3 - 2.776445 * np.sqrt(2.5 / 5), abs=1e-5)
    assert estimate.high == pytest.approx(3 + 2.776445 * np.sqrt(2.5 / 5), abs=1e-5)


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


def test_people_all_alike_have_no_spread_and_no_rounding_error() -> None:
    estimate = mean_interval(3, 0.3, 3 * 0.1**2 - 1e-18, lowest=-1, highest=1)
    assert estimate.low == pytest.approx(0.1)
    assert estimate.high == pytest.approx(0.1)


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


@pytest.mark.parametrize("concentration", [3, 12])
@pytest.mark.parametrize("people", [10, 30, 300])
def test_the_index_interval_covers_the_truth_19_times_in_20(
    people: int, concentration: float
) -> None:
    rng = np.random.default_rng(people)
    looks = rng.choice(7, 60_000, p=HAPPY_THIRD)
    alphas = np.eye(7) * concentration + 0.3
    gammas = rng.gamma(alphas[looks])
    population = gammas / gammas.sum(axis=1, keepdims=True) @ np.array(DEFAULT_SCORE.weights)
    x = rng.choice(population, (6_000, people))
    estimate = mean_interval(
        np.full(len(x), people), x.sum(axis=1), (x**2).sum(axis=1), lowest=-1, highest=1
    )
    covered = (estimate.low <= population.mean()) & (population.mean() <= estimate.high)
    assert 0.93 <= covered.mean() <= 0.97


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
