"""How expressions become a satisfaction index: named, versioned weights."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fer_core.types import EXPRESSIONS

INDEXED: Final = ("index", "index_low", "index_high")
"""An index and the bounds of its interval, as columns."""


@dataclass(frozen=True, slots=True)
class ScoreDefinition:
    """Weights from -1 to 1, one for each of EXPRESSIONS, in their order.

    A change of weights is a new version, so that a report can say what it was scored with.
    Raises ValueError on a wrong number of weights or one out of range.
    """

    name: str
    version: int
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != len(EXPRESSIONS):
            raise ValueError(f"a score needs {len(EXPRESSIONS)} weights, not {len(self.weights)}")
        if not all(-1 <= weight <= 1 for weight in self.weights):
            raise ValueError("a score's weights lie between -1 and 1")

    @property
    def label(self) -> str:
        """Name and version as shown: ``Satisfaction, version 1``."""
        return f"{self.name}, version {self.version}"

    @property
    def lowest(self) -> float:
        """The index of people who all surely show the least satisfied expression."""
        return 50 * (1 + min(self.weights))

    @property
    def highest(self) -> float:
        """The index of people who all surely show the most satisfied expression."""
        return 50 * (1 + max(self.weights))

    @property
    def satisfied(self) -> tuple[str, ...]:
        """The expressions that raise the index."""
        return tuple(e for e, w in zip(EXPRESSIONS, self.weights, strict=True) if w > 0)

    @property
    def dissatisfied(self) -> tuple[str, ...]:
        """The expressions that lower the index."""
        return tuple(e for e, w in zip(EXPRESSIONS, self.weights, strict=True) if w < 0)


_DEFAULT_WEIGHTS: Final = {
    "angry": -1.0,
    "disgust": -1.0,
    "fear": -1.0,
    "happy": 1.0,
    "sad": -1.0,
    "surprise": 0.0,
    "neutral": 0.0,
}

DEFAULT_SCORE: Final = ScoreDefinition(
    name="Satisfaction",
    version=1,
    weights=tuple(_DEFAULT_WEIGHTS[expression] for expression in EXPRESSIONS),
)


def satisfaction_index(probabilities: ArrayLike, score: ScoreDefinition) -> NDArray[np.float64]:
    """``50 * (1 + sum p_k * w_k)``, from 0 to 100.

    ``probabilities``: (..., 7), each row summing to 1. Returns (...); NaN rows stay NaN.
    """
    return np.asarray(
        50 * (1 + np.asarray(probabilities, dtype=np.float64) @ np.array(score.weights))
    )
