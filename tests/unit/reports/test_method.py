from dataclasses import replace

import pytest

from analytics.scores import DEFAULT_SCORE, ScoreDefinition
from fer_core.types import EXPRESSIONS
from reports.method import index_ends, index_when_neutral, method
from tests.unit.reports.test_pdf import content

HAPPIER = "higher when more look happy"


def score(**changes: float) -> ScoreDefinition:
    weights = {**dict(zip(EXPRESSIONS, DEFAULT_SCORE.weights, strict=True)), **changes}
    return replace(DEFAULT_SCORE, version=2, weights=tuple(weights[e] for e in EXPRESSIONS))


@pytest.mark.parametrize(
    ("weights", "scale"),
    [
        ({}, f"from 0 to 100: 50 when faces are neutral or balanced, {HAPPIER}."),
        ({"neutral": 0.2}, f"from 0 to 100: 60 when faces are neutral, {HAPPIER}."),
        ({"happy": 0.5}, f"from 0 to 75: 50 when faces are neutral or balanced, {HAPPIER}."),
        (
            {"happy": 0.0, "surprise": 0.5},
            "from 0 to 75: 50 when faces are neutral or balanced.",
        ),
    ],
)
def test_the_scale_is_that_of_the_weights(weights: dict[str, float], scale: str) -> None:
    said = dict(method(content(score=score(**weights))))["What the index says."]
    assert said.startswith(f"It runs {scale} Negative means angry")


def test_ends_and_middle_are_written_to_a_tenth() -> None:
    odd = score(happy=1 / 3, neutral=-0.05)
    assert (index_ends(odd), index_when_neutral(odd)) == ("from 0 to 66.7", "47.5")
