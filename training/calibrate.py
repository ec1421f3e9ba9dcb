"""What is set after training, on PublicTest: the temperature, and when a face is unknown."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from fer_core.expression import calibrated
from training import metrics

KNOWN_ACCURACY: Final = 0.75
LEAST_COVERAGE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Calibration:
    """``temperature``: divides the logits. ``unknown_below``: confidence under which a face
    counts as unknown."""

    temperature: float
    unknown_below: float


def fit(logits: NDArray[np.float32], labels: metrics.Labels) -> Calibration:
    """Both from logits (N, 7) of faces that the network was not trained on."""
    temperature = fit_temperature(logits, labels)
    return Calibration(temperature, choose_unknown(calibrated(logits, temperature), labels))


def fit_temperature(logits: NDArray[np.float32], labels: metrics.Labels) -> float:
    """The temperature of least negative log likelihood (Guo et al., 2017, arXiv:1706.04599)."""
    result = minimize_scalar(
        lambda log_t: metrics.nll(calibrated(logits, float(np.exp(log_t))), labels),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
    )
    return round(float(np.exp(result.x)), 4)


def choose_unknown(
    probabilities: NDArray[np.float32],
    labels: metrics.Labels,
    *,
    known_accuracy: float = KNOWN_ACCURACY,
    least_coverage: float = LEAST_COVERAGE,
) -> float:
    """The lowest confidence from which the faces read reach ``known_accuracy``; at most the
    confidence that leaves ``least_coverage`` of the faces read, whichever is lower. To the
    hundredth."""
    chosen = 0.0
    for point in metrics.risk_coverage(probabilities, labels):
        if point.coverage < least_coverage:
            break
        chosen = point.threshold
        if point.accuracy >= known_accuracy:
            break
    return round(chosen, 2)
