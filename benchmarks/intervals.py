"""How often 95 % intervals of the index hold the truth: ``python -m benchmarks.intervals``.

Simulated crowds (tests/unit/analytics/crowds.py), many samples of each, few people a sample; the
interval that ships beside Student's without the added twelfths and three bootstraps.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import t as student

from analytics.intervals import mean_interval
from tests.unit.analytics.crowds import CROWDS, crowd_values

_SAMPLES = 20_000
_BOOTSTRAPPED = 1_500
_RESAMPLES = 600
_EXTREME = {"nearly all happy": (0.01, 0.0, 0.0, 0.95, 0.01, 0.01, 0.02)}

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


def shipped(x: NDArray[np.float64]) -> Bounds:
    count = np.full(len(x), x.shape[1])
    bounds = mean_interval(count, x.sum(axis=1), (x**2).sum(axis=1), lowest=-1, highest=1)
    return bounds.low, bounds.high


def students(x: NDArray[np.float64]) -> Bounds:
    people = x.shape[1]
    margin = student.ppf(0.975, people - 1) * x.std(axis=1, ddof=1) / np.sqrt(people)
    return x.mean(axis=1) - margin, x.mean(axis=1) + margin


def bootstraps(x: NDArray[np.float64], seed: int) -> dict[str, Bounds]:
    """Percentile, BCa and studentised (Efron and Tibshirani, 1993)."""
    rng = np.random.default_rng(seed)
    people = x.shape[1]
    mean, error = x.mean(axis=1), x.std(axis=1, ddof=1) / np.sqrt(people)
    means, ratios = [], []
    for _ in range(_RESAMPLES):
        drawn = x[:, rng.integers(0, people, people)]
        means.append(drawn.mean(axis=1))
        spread = np.maximum(drawn.std(axis=1, ddof=1) / np.sqrt(people), 1e-9)
        ratios.append((means[-1] - mean) / spread)
    drawn_means = np.sort(np.stack(means, axis=1), axis=1)
    low, high = np.quantile(drawn_means, [0.025, 0.975], axis=1)
    ratio_low, ratio_high = np.quantile(np.stack(ratios, axis=1), [0.025, 0.975], axis=1)
    bias = ndtri(np.clip((drawn_means < mean[:, None]).mean(axis=1), 0.002, 0.998))
    apart = mean[:, None] - (x.sum(axis=1, keepdims=True) - x) / (people - 1)
    bend = (apart**3).sum(axis=1) / (6 * np.maximum((apart**2).sum(axis=1), 1e-12) ** 1.5)

    def corrected(level: float) -> NDArray[np.float64]:
        shifted = bias + ndtri(level)
        place = (ndtr(bias + shifted / (1 - bend * shifted)) * _RESAMPLES).astype(int)
        return np.asarray(drawn_means[np.arange(len(x)), np.clip(place, 0, _RESAMPLES - 1)])

    return {
        "percentile": (low, high),
        "BCa": (corrected(0.025), corrected(0.975)),
        "studentised": (mean - ratio_high * error, mean - ratio_low * error),
    }


def main() -> None:
    print("| crowd | people | shipped | Student | percentile | BCa | studentised |")
    print("|---|---|---|---|---|---|---|")
    for crowd, shares in (CROWDS | _EXTREME).items():
        population = crowd_values(shares, seed=1)
        truth = population.mean()
        for people in (10, 15, 30, 100):
            x = np.random.default_rng(people).choice(population, (_SAMPLES, people))
            shown = {"shipped": shipped(x), "Student": students(x)}
            shown |= bootstraps(x[:_BOOTSTRAPPED], seed=people)
            held = [
                f"{((low <= truth) & (truth <= high)).mean():.3f}" for low, high in shown.values()
            ]
            print(f"| {crowd} | {people} | {' | '.join(held)} |")


if __name__ == "__main__":
    main()
