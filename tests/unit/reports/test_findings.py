from datetime import UTC, date, datetime

import pandas as pd

from analytics.scores import DEFAULT_SCORE
from reports.content import ReportContent, report_figures
from reports.findings import findings
from tests.unit.analytics.people import HAPPY_THIRD, bucket_frame, crowd

HAPPY = (0.0, 0.0, 0.0, 0.95, 0.0, 0.0, 0.05)
MONDAY = pd.Timestamp("2026-11-02 10:00")
CHANCE = "The difference may be chance."


def hours_of_the_week(seed: int, best: tuple[float, ...] = HAPPY_THIRD) -> str:
    """What is said of a week of 70 hours with 60 people each; ``best``: the crowd of one hour."""
    people = [
        crowd(
            str(MONDAY + pd.Timedelta(days=day, hours=hour)),
            60,
            hours=1,
            shares=best if (day, hour) == (2, 5) else HAPPY_THIRD,
            seed=1000 * seed + 10 * day + hour,
        )
        for day in range(7)
        for hour in range(10)
    ]
    content = ReportContent(
        sites=("Berlin Mitte",),
        cameras=(),
        first_day=date(2026, 11, 2),
        last_day=date(2026, 11, 8),
        buckets=bucket_frame(pd.concat(people)),
        before=None,
        target=None,
        score=DEFAULT_SCORE,
        minimum_people=10,
        generated_at=datetime(2026, 11, 9, 8, tzinfo=UTC),
    )
    return dict(findings(report_figures(content)))["Hours of the week."]


def test_of_many_hours_of_one_crowd_the_ends_may_be_chance() -> None:
    said = [hours_of_the_week(seed) for seed in range(4)]
    assert sum(CHANCE in sentence for sentence in said) >= 3


def test_an_hour_that_is_better_is_told_apart_from_many_others() -> None:
    sentence = hours_of_the_week(0, best=HAPPY)
    assert "Highest: Wednesday, 15" in sentence
    assert CHANCE not in sentence
