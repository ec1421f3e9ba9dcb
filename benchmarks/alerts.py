"""Which control chart finds a sudden drop, and how often charts and silences are wrong.

``python -m benchmarks.alerts --out docs/benchmarks/<date>-alerts.md``. All of it is simulated:
invented stores whose truth is known (tests/unit/analytics/stores.py).
"""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.alert_rules import limit_for
from analytics.control_chart import HISTORY_DAYS, control_chart
from analytics.silence import silence
from tests.unit.analytics.stores import daily_figures

Scores = NDArray[np.float64]

_STORES: Final = 100
_DAYS: Final = 150
_ONE_IN: Final = 400
_HOURS: Final = (9, 19)


def shewhart(scores: Scores) -> Scores:
    return -scores


def ewma(scores: Scores, weight: float = 0.2) -> Scores:
    """S. W. Roberts, "Control chart tests based on geometric moving averages" (1959)."""
    out = np.zeros_like(scores)
    level = np.zeros(scores.shape[0])
    for day in range(scores.shape[1]):
        level = (1 - weight) * level - weight * np.nan_to_num(scores[:, day])
        out[:, day] = level
    return out


def cusum(scores: Scores, slack: float = 0.5) -> Scores:
    """E. S. Page, "Continuous inspection schemes" (1954)."""
    out = np.zeros_like(scores)
    level = np.zeros(scores.shape[0])
    for day in range(scores.shape[1]):
        level = np.maximum(0, level - np.nan_to_num(scores[:, day]) - slack)
        out[:, day] = level
    return out


CHARTS: Final[dict[str, Callable[[Scores], Scores]]] = {
    "Shewhart": shewhart,
    "EWMA, weight 0.2": ewma,
    "CUSUM, slack 0.5": cusum,
}


def false_alarms() -> list[str]:
    rows = [
        "| people a day | good and bad days, points | judged | said 50 | 100 | 200 | 400 |",
        "|---|---|---|---|---|---|---|",
    ]
    for visitors in (15, 60, 400):
        for tilt in (0.0, 0.1, 0.2):
            rng = np.random.default_rng([1, visitors, int(100 * tilt)])
            figures = daily_figures(rng, _STORES, HISTORY_DAYS + _DAYS, visitors, tilt)
            score = control_chart(*figures).score[:, HISTORY_DAYS:]
            judged = score[~np.isnan(score)]
            measured = [
                f"{len(judged) / max(1, int((judged < -limit_for(days)).sum())):.0f}"
                for days in (50, 100, 200, 400)
            ]
            points = f"{12 * tilt:.1f}"
            rows.append(f"| {visitors} | {points} | {len(judged):,} | {' | '.join(measured)} |")
    return rows


def charts_compared() -> list[str]:
    """Power at one false alarm in 400 days for each chart, measured on stores without a drop."""
    rng = np.random.default_rng(2)
    values, variances = daily_figures(rng, _STORES, HISTORY_DAYS + _DAYS, 150, 0.15)
    plain = control_chart(values, variances).score
    spread = control_chart(values, variances).spread
    limits = {
        name: float(np.quantile(chart(plain[:, HISTORY_DAYS:]), 1 - 1 / _ONE_IN))
        for name, chart in CHARTS.items()
    }
    rows = [
        "| drop, standard deviations of a day | lasts | " + " | ".join(CHARTS) + " |",
        "|---|---|" + "---|" * len(CHARTS),
    ]
    at = HISTORY_DAYS + 60
    for size in (1.0, 2.0, 3.0):
        for days in (1, 7):
            dropped = values.copy()
            stretch = slice(at, at + days)
            dropped[:, stretch] -= size * spread[:, stretch]
            score = control_chart(dropped, variances).score[:, HISTORY_DAYS:]
            found = []
            for name, chart in CHARTS.items():
                heard = chart(score)[:, 60 : 60 + days] > limits[name]
                first, any_day = heard[:, 0].mean(), heard.any(axis=1).mean()
                found.append(f"{100 * first:.0f} / {100 * any_day:.0f}")
            lasts = "1 day" if days == 1 else f"{days} days"
            rows.append(f"| {size:g} | {lasts} | {' | '.join(found)} |")
    return rows


def silences() -> list[str]:
    rows = ["| people an hour | camera-days | false alarms | one in |", "|---|---|---|---|"]
    for rate in (0.3, 0.5, 1.0, 3.0):
        rng = np.random.default_rng([3, int(10 * rate)])
        days, alarms = 0, 0
        for _ in range(4):
            begin = datetime(2026, 3, 2, tzinfo=UTC)
            hours = [
                begin + timedelta(days=day, hours=hour)
                for day in range(28 + 60)
                for hour in range(*_HOURS)
                if rng.poisson(rate)
            ]
            for day in range(28, 28 + 60):
                until = begin + timedelta(days=day, hours=_HOURS[1])
                seen = [hour for hour in hours if until - timedelta(days=56) <= hour < until]
                found = silence(
                    seen,
                    time_zone="UTC",
                    opening_hours=[(60 * _HOURS[0], 60 * _HOURS[1])] * 7,
                    until=until,
                    filmed_until=until,
                    threshold=4,
                )
                alarms += found is not None
                days += 1
        one_in = f"{days / alarms:.0f} days" if alarms else f"more than {days} days"
        rows.append(f"| {rate:g} | {days} | {alarms} | {one_in} |")
    return rows


_PAGE: Final = """# Alerts: false alarms, and which control chart

{day}, by `python -m benchmarks.alerts`; simulated stores, fixed seeds.

## Sudden drop: days between two false alarms, said and measured

Each day is compared with the eight weeks before it. Weekdays differ in people and in looks, and
days are good and bad by the given standard deviation. Where days differ by chance only, false
alarms are rarer than said.

{false_alarms}

## Which chart

Each chart's limit is set to one false alarm in {one_in} days. Percent of drops found on their first
day / on any of their days, at 150 people a day.

{charts}

A drop of one day is best found by Shewhart's chart, and on their first day all drops are; a small
one that stays a week is found more often by the others. The alert is for sudden drops, so it is
Shewhart's. What stays low shows in the comparison with the period before and in the target.

## Silent camera

Cameras that work, ten opening hours a day, judged at each closing time with a threshold of 4 hours.

{silences}
"""


def page() -> str:
    return _PAGE.format(
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        one_in=_ONE_IN,
        false_alarms="\n".join(false_alarms()),
        charts="\n".join(charts_compared()),
        silences="\n".join(silences()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__)
    parser.add_argument("--out", type=Path, help="page to write; else the terminal")
    chosen = parser.parse_args()
    if chosen.out:
        chosen.out.write_text(page())
    else:
        print(page())


if __name__ == "__main__":
    main()
