from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest

from analytics.intervals import Estimate
from analytics.scores import DEFAULT_SCORE
from analytics.sources import NO_RECORDINGS, Sources
from reports.content import ReportContent, report_figures
from reports.findings import (
    change_sentence,
    change_sentences,
    findings,
    missing_sentences,
    people_sentence,
)
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
    content = content_of(bucket_frame(pd.concat(people)))
    return dict(findings(report_figures(content)))["Hours of the week."]


def content_of(buckets: pd.DataFrame, unread: int = 0, **changes: Any) -> ReportContent:
    content = ReportContent(
        sites=("Berlin Mitte",),
        cameras=(),
        first_day=date(2026, 11, 2),
        last_day=date(2026, 11, 8),
        buckets=buckets,
        before=None,
        target=None,
        score=DEFAULT_SCORE,
        minimum_people=10,
        generated_at=datetime(2026, 11, 9, 8, tzinfo=UTC),
        sources=Sources(unread=unread),
    )
    return replace(content, **changes)


@pytest.mark.parametrize(
    ("unread", "said"),
    [
        (0, ""),
        (1, " 1 recording of this time is still being read; the figures will change."),
        (1200, " 1,200 recordings of this time are still being read; the figures will change."),
    ],
)
@pytest.mark.parametrize("people", [0, 5, 60])
def test_how_many_people_is_said_with_what_is_still_being_read(
    people: int, unread: int, said: str
) -> None:
    seen = bucket_frame(crowd(str(MONDAY), people or 5, hours=1, shares=HAPPY_THIRD))
    buckets = seen if people else seen.iloc[:0]
    summary = report_figures(content_of(buckets)).summary
    of_all_that_was_read = people_sentence(summary, 10, NO_RECORDINGS)
    assert of_all_that_was_read.endswith(".")
    assert people_sentence(summary, 10, Sources(unread=unread)) == of_all_that_was_read + said


def test_what_is_still_being_read_of_the_days_before_is_said_with_the_comparison() -> None:
    now, before = (
        bucket_frame(crowd(str(MONDAY - pd.Timedelta(days=back)), 60, shares=HAPPY_THIRD))
        for back in (0, 7)
    )

    def said(before: pd.DataFrame, unread: int, now: pd.DataFrame = now) -> str | None:
        content = content_of(now, before=before, sources_before=Sources(unread=unread))
        return change_sentence(content, report_figures(content))

    compared = said(before, 0)
    assert compared is not None
    assert said(before, 2) == (
        f"{compared} 2 recordings from the 7 days before are still being read; the comparison will "
        "change."
    )
    # Nothing of them was read yet.
    assert said(before.iloc[:0], 0) is None
    assert said(before.iloc[:0], 1) == (
        "1 recording from the 7 days before is still being read; there is no comparison yet."
    )
    # There is too little that it could be compared with.
    few = bucket_frame(crowd(str(MONDAY), 3, shares=HAPPY_THIRD))
    assert said(before, 1, few) is None


def test_of_many_hours_of_one_crowd_the_ends_may_be_chance() -> None:
    said = [hours_of_the_week(seed) for seed in range(4)]
    assert sum(CHANCE in sentence for sentence in said) >= 3


def test_an_hour_that_is_better_is_told_apart_from_many_others() -> None:
    sentence = hours_of_the_week(0, best=HAPPY)
    assert "Highest: Wednesday, 15" in sentence
    assert CHANCE not in sentence


@pytest.mark.parametrize(("failed", "which"), [(1, "1 recording"), (1200, "1,200 recordings")])
def test_what_could_not_be_read_is_told(failed: int, which: str) -> None:
    assert missing_sentences(NO_RECORDINGS) == []
    assert missing_sentences(Sources(failed=failed)) == [
        f"{which} of this time could not be read, or only in part; the figures lack the rest."
    ]


def test_a_comparison_says_what_stands_in_its_way() -> None:
    change = Estimate(4.1, 0.8, 7.4)

    def told(sources: Sources, before: Sources) -> list[str]:
        first, *others = change_sentences(change, "the day before", sources, before, withheld=False)
        assert first.startswith("Index up 4.1 points")
        return others

    old, new = (Sources(models=frozenset({name})) for name in ("old", "new"))
    assert told(new, new) == []
    assert told(new, NO_RECORDINGS) == []
    assert told(new, old) == [
        "2 versions of the recogniser read this footage (new, old): part of a change may be theirs."
    ]
    assert told(new, Sources(unread=1, failed=2, models=new.models)) == [
        "1 recording from the day before is still being read; the comparison will change.",
        "2 recordings from the day before could not be read, or only in part.",
    ]


def test_only_expressions_that_somebody_showed_are_named() -> None:
    people = crowd(str(MONDAY), 12, hours=1, shares=(0, 0, 0, 1, 0, 0, 0))
    text = dict(findings(report_figures(content_of(bucket_frame(people)))))["Expressions."]
    assert text.startswith("Most often people looked happy, 100% (")
    assert "angry" not in text
