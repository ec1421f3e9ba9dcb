import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from analytics.alert_rules import AlertKind
from analytics.alerts import Alert, Severity
from analytics.intervals import Estimate
from analytics.silence import Silence
from reports.alert_words import TITLES, alert_sentence, next_step, place_words, when_words

FRIDAY = date(2026, 11, 20)
DROP = Alert(
    AlertKind.SUDDEN_DROP,
    Severity.URGENT,
    1,
    "Main Street",
    None,
    None,
    first=FRIDAY,
    last=FRIDAY,
    people=1282,
    value=Estimate(35.04, 33.6, 36.3),
    usual=Estimate(51.0, 47.1, 54.9),
)
SILENT = replace(
    DROP,
    kind=AlertKind.SILENT,
    camera_id=2,
    camera="Entrance",
    value=None,
    usual=None,
    silence=Silence(9, 0, datetime(2026, 11, 20, 18, tzinfo=UTC), is_filmed=False, by_habit=False),
)


def test_a_drop_is_told_with_interval_people_and_the_usual() -> None:
    assert alert_sentence(DROP) == (
        "The index fell to 35.0 (33.6 to 36.3; 1,282 people read). Fridays before were about "
        "51.0; 47.1 to 54.9 is ordinary."
    )
    assert (place_words(DROP), when_words(DROP)) == ("Main Street", "Friday 20 Nov")


def test_under_target_is_told_with_the_target() -> None:
    week = replace(
        DROP, kind=AlertKind.BELOW_TARGET, first=date(2026, 11, 14), usual=None, target=62.5
    )
    assert alert_sentence(week) == (
        "The index was 35.0 (33.6 to 36.3; 1,282 people read), under the target of 62.5."
    )
    assert when_words(week) == "7 days to Friday 20 Nov"
    for days, said in (
        (1, "One of these days is left out: its footage is still being read."),
        (2, "2 of these days are left out: their footage is still being read."),
    ):
        assert alert_sentence(replace(week, left_out=days)).endswith(f" target of 62.5. {said}")


def test_unknown_people_are_told_in_percent() -> None:
    unknown = replace(
        SILENT,
        kind=AlertKind.UNKNOWN_SHARE,
        silence=None,
        value=Estimate(0.32, 0.29, 0.35),
        usual=Estimate(0.12, 0.09, 0.15),
    )
    assert alert_sentence(unknown) == (
        "32% of 1,282 people could not be read (29% to 35%). On Fridays before it was about 12%; "
        "up to 15% is ordinary."
    )
    assert place_words(unknown) == "Main Street / Entrance"


def test_a_silence_is_told_in_hours_with_what_was_usual() -> None:
    assert alert_sentence(SILENT) == (
        "Nobody was seen for 9 opening hours. In the weeks before, people were there in every such "
        "hour."
    )
    assert when_words(SILENT) == "since Friday 20 Nov, 18:00"
    assert SILENT.silence is not None
    by_habit = replace(SILENT.silence, usual=3, by_habit=True)
    assert alert_sentence(replace(SILENT, silence=by_habit)) == (
        "Nobody was seen for 9 hours in which it usually sees people. In the weeks before, never "
        "for more than 3."
    )
    for usual in (SILENT.silence, by_habit):
        one = alert_sentence(replace(SILENT, silence=replace(usual, hours=1)))
        assert re.match("Nobody was seen for 1 (opening )?hour[. ]", one)


def test_what_to_do_depends_on_whether_footage_comes_in() -> None:
    assert SILENT.silence is not None
    filmed = replace(SILENT, silence=replace(SILENT.silence, is_filmed=True))
    assert "No footage of that time came in" in next_step(SILENT)
    assert "nobody is in it" in next_step(filmed)


def test_footage_that_came_in_and_failed_is_not_said_to_be_missing() -> None:
    assert SILENT.silence is not None
    failed = replace(SILENT.silence, has_failed=True)
    assert next_step(replace(SILENT, silence=failed)) == (
        "Footage of that time came in but could not be read, or was cancelled: see Recordings."
    )
    in_part = next_step(replace(SILENT, silence=replace(failed, is_filmed=True)))
    assert in_part.startswith("Some footage of that time could not be read")
    assert "Nobody is in the rest" in in_part


@pytest.mark.parametrize("kind", list(AlertKind))
def test_every_kind_has_a_title_and_a_next_step(kind: AlertKind) -> None:
    assert TITLES[kind]
    assert next_step(replace(DROP, kind=kind)).endswith((".", "?"))
