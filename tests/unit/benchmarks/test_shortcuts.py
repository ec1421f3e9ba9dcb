import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.shortcuts import compared
from fer_core.types import EXPRESSIONS, Box, Prediction


def seen(time_ms: int, x: float, of: NDArray[np.float32] | None, track: int = 0) -> Prediction:
    return Prediction(
        time_ms=time_ms,
        face=0,
        track=track,
        box=Box(x, 10, 40, 50),
        detector_score=0.9,
        quality=1.0,
        expression="happy",
        confidence=0.5,
        probabilities=of,
        unknown_reason=None,
    )


def sure(expression: int, of: float = 1.0) -> NDArray[np.float32]:
    rest = (1 - of) / (len(EXPRESSIONS) - 1)
    return np.array([of if n == expression else rest for n in range(len(EXPRESSIONS))], np.float32)


def test_faces_in_one_place_of_one_frame_are_compared_and_their_mean() -> None:
    one = [seen(200 * n, 100, sure(3)) for n in range(5)]
    other = [seen(200 * n, 104, sure(0) if n == 4 else sure(3)) for n in range(5)]
    alike = compared(one, [seen(0, 300, sure(1)), *other])
    assert alike is not None
    assert (alike.faces, alike.people) == (5, 1)
    assert alike.same == pytest.approx(0.8)
    assert alike.distance == pytest.approx(0.2)
    assert alike.people_same == 1
    assert alike.people_distance == pytest.approx(0.2)


def test_what_only_one_found_or_read_is_left_out() -> None:
    one = [
        seen(0, 100, sure(3)),
        seen(200, 100, None),
        seen(400, 100, sure(3)),
        seen(600, 0, sure(1)),
    ]
    other = [seen(0, 160, sure(3)), seen(200, 100, sure(3)), seen(400, 101, sure(3, 0.4))]
    alike = compared(one, other)
    assert alike is not None
    assert (alike.faces, alike.same, alike.people) == (1, 1.0, 0)
    assert alike.distance == pytest.approx(0.6)
    assert np.isnan(alike.people_same)
    assert compared(one, []) is None
