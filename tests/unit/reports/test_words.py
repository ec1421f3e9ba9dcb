from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from analytics.intervals import Estimate
from reports import words


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (words.people_words(1), "1 person"),
        (words.people_words(12_345), "12,345 people"),
        (words.index_words(62.14), "62.1"),
        (words.share_words(0.336), "34%"),
        (words.net_words(0.123), "+12 points"),
        (words.net_words(-0.01), "−1 point"),
        (words.net_words(0.001), "0 points"),
        (words.index_interval_words(Estimate(62, 58, 66.24)), "58.0 to 66.2"),
        (words.share_interval_words(Estimate(0.3, 0.282, 0.41)), "28% to 41%"),
        (words.share_interval_words(Estimate(0.119, 0.1158, 0.1212)), "11.6% to 12.1%"),
        (words.share_interval_words(Estimate(0, 0, 0)), "0% to 0%"),
        (words.change_interval_words(Estimate(4, -0.84, 7.4)), "−0.8 to +7.4 points"),
        (words.change_interval_words(Estimate(0.1, -0.031, 0.2), share=True), "−3 to +20 points"),
        (words.day_words(date(2026, 11, 3)), "Tuesday 3 Nov"),
        (words.day_words(date(2026, 11, 3), year=True), "Tuesday 3 Nov 2026"),
        (words.week_words(date(2026, 11, 2)), "Week of 2 Nov 2026"),
        (words.month_words(date(2026, 11, 1)), "Nov 2026"),
        (words.period_words(date(2026, 11, 3), date(2026, 11, 3)), "3 Nov 2026"),
        (words.period_words(date(2026, 11, 3), date(2026, 12, 9)), "3 Nov 2026 to 9 Dec 2026"),
        (words.hour_words(9), "9:00 to 10:00"),
        (words.expression_words("happy"), "Happy"),
        (words.withheld_words(7, 10), "withheld, 7 people read (fewer than 10)"),
        (words.withheld_words(1), "withheld, 1 person read (too few)"),
        (words.moment_words(datetime(2026, 11, 3, 9, 5, tzinfo=UTC)), "3 Nov 2026, 09:05 UTC"),
        (
            words.moment_words(datetime(2026, 7, 3, 14, 5, tzinfo=ZoneInfo("Europe/Berlin"))),
            "3 Jul 2026, 14:05 CEST",
        ),
    ],
)
def test_figures_in_words(said: str, meant: str) -> None:
    assert said == meant


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ([48, 57, np.nan], [53, 65, np.nan], "3.0 to 5.0 points"),
        ([47.04, 57, np.nan], [53, 63.02, np.nan], "3.0 points"),
    ],
)
def test_how_far_intervals_reach(low: list[float], high: list[float], said: str) -> None:
    figures = pd.DataFrame({"index": [50, 60, np.nan], "index_low": low, "index_high": high})
    assert words.reach_words(figures) == said
