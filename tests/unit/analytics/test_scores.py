import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.scores import DEFAULT_SCORE, ScoreDefinition, satisfaction_index
from fer_core.types import EXPRESSIONS


def test_the_default_counts_happy_up_and_the_four_negative_ones_down() -> None:
    assert dict(zip(EXPRESSIONS, DEFAULT_SCORE.weights, strict=True)) == {
        "angry": -1,
        "disgust": -1,
        "fear": -1,
        "happy": 1,
        "sad": -1,
        "surprise": 0,
        "neutral": 0,
    }
    assert DEFAULT_SCORE.satisfied == ("happy",)
    assert DEFAULT_SCORE.dissatisfied == ("angry", "disgust", "fear", "sad")
    assert DEFAULT_SCORE.label == "Satisfaction, version 1"


@pytest.mark.parametrize(
    ("expression", "index"), [("happy", 100), ("neutral", 50), ("surprise", 50), ("angry", 0)]
)
def test_the_index_of_one_sure_face(expression: str, index: float) -> None:
    sure = np.eye(7)[EXPRESSIONS.index(expression)]
    assert satisfaction_index(sure, DEFAULT_SCORE) == pytest.approx(index)


def test_the_index_keeps_the_leading_shape_and_lets_unknown_through() -> None:
    p = np.full((2, 3, 7), 1 / 7)
    p[1, 2] = np.nan
    index = satisfaction_index(p, DEFAULT_SCORE)
    assert index.shape == (2, 3)
    assert np.isnan(index[1, 2])
    assert index[0, 0] == pytest.approx(50 * (1 - 3 / 7))


@given(
    st.lists(st.floats(0, 1), min_size=7, max_size=7).filter(lambda p: sum(p) > 0.01),
    st.lists(st.floats(-1, 1), min_size=7, max_size=7),
)
def test_the_index_stays_within_what_the_weights_allow(
    raw: list[float], weights: list[float]
) -> None:
    score = ScoreDefinition("any", 1, tuple(weights))
    index = float(satisfaction_index(np.array(raw) / sum(raw), score))
    assert score.lowest - 1e-9 <= index <= score.highest + 1e-9


@pytest.mark.parametrize("weights", [(0.0,) * 6, (0.0,) * 8, (0.0,) * 6 + (1.5,)])
def test_nonsense_weights_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="weights"):
        ScoreDefinition("wrong", 1, weights)
