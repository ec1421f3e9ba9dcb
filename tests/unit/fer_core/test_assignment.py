import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from fer_core.assignment import least_cost_pairs

COSTS = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.one_of(st.floats(0, 5), st.integers(0, 3).map(float), st.just(1e6)),
)


@given(COSTS)
def test_no_other_pairing_costs_less(costs: NDArray[np.float64]) -> None:
    pairs = least_cost_pairs(costs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs})
    assert len(pairs) == min(costs.shape)
    best = costs[linear_sum_assignment(costs)].sum()
    assert sum(costs[pair] for pair in pairs) == pytest.approx(best)


def test_a_cheap_pair_gives_way_where_the_sum_is_less_for_it() -> None:
    costs = np.array([[1.0, 2.0, 9.0], [1.0, 9.0, 9.0]])
    assert least_cost_pairs(costs) == [(0, 1), (1, 0)]
    assert least_cost_pairs(costs.T) == [(0, 1), (1, 0)]


def test_a_crowd_is_paired_as_scipy_pairs_it() -> None:
    costs = np.random.default_rng(3).random((60, 45))
    rows, columns = linear_sum_assignment(costs)
    assert least_cost_pairs(costs) == list(zip(rows.tolist(), columns.tolist(), strict=True))
