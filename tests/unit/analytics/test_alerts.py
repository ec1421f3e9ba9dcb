"""Alerts from buckets: each kind is raised when it should be, and only then."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import pandas as pd
import pytest

from analytics.alert_rules import DEFAULT_RULES, AlertKind, AlertRule
from analytics.alerts import Alert, Severity, WatchedSite, find_alerts
from analytics.scores import DEFAULT_SCORE
from analytics.silence import Silence
from analytics.summary import by_day, summarise
from tests.unit.analytics.people import bucket_frame, crowd

SUNDAY = date(2026, 11, 22)
HAPPY = (0.02, 0.0, 0.02, 0.6, 0.03, 0.03, 0.3)
GLOOMY = (0.25, 0.02, 0.05, 0.15, 0.25, 0.03, 0.25)
SITE = WatchedSite(
    1,
    "Berlin Mitte",
    None,
    {1: "Entrance"},
    today=SUNDAY + timedelta(days=1),
    rules=DEFAULT_RULES,
    silent={},
)


def weeks(
    people: int = 120,
    *,
    looks: Mapping[date, Sequence[float]] | None = None,
    unknown: Mapping[date, float] | None = None,
    numbers: Mapping[date, int] | None = None,
    days: int = 63,
) -> pd.DataFrame:
    """Days up to SUNDAY, all alike but for chance and for what is given."""
    back = [SUNDAY - timedelta(days=n) for n in range(days)]
    parts = [
        one_day(
            day,
            (numbers or {}).get(day, people),
            tuple((looks or {}).get(day, HAPPY)),
            (unknown or {}).get(day, 0.1),
        )
        for day in back
    ]
    return pd.concat(parts, ignore_index=True)


@cache
def one_day(
    day: date, people: int, looks: tuple[float, ...], unknown: float, zone: str = "Europe/Berlin"
) -> pd.DataFrame:
    """Four hours of a day; the same looks at every call."""
    seen = crowd(
        f"{day} 20:00",
        people,
        hours=4,
        time_zone=zone,
        shares=looks,
        unknown_share=unknown,
        seed=day.toordinal(),
    )
    return bucket_frame(seen, time_zone=zone)


def found(
    buckets: pd.DataFrame,
    site: WatchedSite = SITE,
    *,
    first: date = SUNDAY - timedelta(days=6),
    last: date = SUNDAY,
) -> list[Alert]:
    return find_alerts(buckets, [site], DEFAULT_SCORE, 10, first=first, last=last)


def without(kind: AlertKind) -> WatchedSite:
    rule = replace(DEFAULT_RULES[kind], is_enabled=False)
    return replace(SITE, rules={**DEFAULT_RULES, kind: rule})


def test_ordinary_days_say_nothing() -> None:
    assert found(weeks()) == []


def test_nobody_seen_says_nothing() -> None:
    assert found(weeks().iloc[:0], replace(SITE, target=60.0)) == []


def test_a_sudden_drop_is_told_with_the_figure_of_that_day_and_the_usual() -> None:
    friday = date(2026, 11, 20)
    buckets = weeks(looks={friday: GLOOMY})
    (alert,) = found(buckets)
    assert (alert.kind, alert.severity) == (AlertKind.SUDDEN_DROP, Severity.URGENT)
    assert (alert.first, alert.last, alert.site, alert.camera) == (
        friday,
        friday,
        "Berlin Mitte",
        None,
    )
    day = by_day(buckets, DEFAULT_SCORE, 10).set_index("day").loc[pd.Timestamp(friday)]
    assert alert.value is not None
    assert alert.usual is not None
    assert (alert.value.value, alert.value.low) == (day["index"], day["index_low"])
    assert alert.people == day["people"] - day["unknown"]
    assert alert.value.value < alert.usual.low < alert.usual.value < alert.usual.high
    assert found(buckets, without(AlertKind.SUDDEN_DROP)) == []


def test_a_higher_threshold_wants_a_larger_drop() -> None:
    buckets = weeks(looks={SUNDAY: (0.08, 0.0, 0.03, 0.5, 0.08, 0.03, 0.28)}, people=200)
    strict = {**DEFAULT_RULES, AlertKind.SUDDEN_DROP: AlertRule(AlertKind.SUDDEN_DROP, None, 6.0)}
    (alert,) = found(buckets)
    assert alert.kind is AlertKind.SUDDEN_DROP
    assert found(buckets, replace(SITE, rules=strict)) == []


def test_a_day_that_is_not_over_is_no_drop_yet() -> None:
    buckets = weeks(looks={SUNDAY: GLOOMY})
    assert found(buckets, replace(SITE, today=SUNDAY)) == []


def test_a_day_whose_footage_is_still_being_read_is_no_drop_yet() -> None:
    buckets = weeks(looks={SUNDAY: GLOOMY})
    assert found(buckets, replace(SITE, unread={1: {SUNDAY}})) == []
    (alert,) = found(buckets, replace(SITE, unread={1: {SUNDAY - timedelta(days=1)}}))
    assert alert.kind is AlertKind.SUDDEN_DROP


def test_a_day_of_too_few_people_is_withheld() -> None:
    buckets = weeks(looks={SUNDAY: GLOOMY}, numbers={SUNDAY: 9}, unknown={SUNDAY: 0.0})
    assert found(buckets, replace(SITE, target=50.0)) == []


def test_a_drop_needs_weeks_to_compare_with() -> None:
    assert found(weeks(looks={SUNDAY: GLOOMY}, days=14)) == []


def test_older_days_are_no_news() -> None:
    assert found(weeks(looks={SUNDAY - timedelta(days=7): GLOOMY})) == []


def test_days_after_the_period_are_left_out() -> None:
    buckets = weeks(looks={SUNDAY: GLOOMY})
    assert found(buckets, last=SUNDAY - timedelta(days=1)) == []


def test_under_target_together_is_one_alert_with_the_figure_of_the_period() -> None:
    buckets = weeks()
    first = SUNDAY - timedelta(days=6)
    (alert,) = found(buckets, replace(SITE, target=85.0))
    local = buckets["hour"].dt.tz_convert("Europe/Berlin").dt.date
    together = summarise(buckets[local >= first], DEFAULT_SCORE, 10)
    assert (alert.kind, alert.severity) == (AlertKind.BELOW_TARGET, Severity.NOTICE)
    assert (alert.first, alert.last, alert.target) == (first, SUNDAY, 85.0)
    assert (alert.value, alert.people) == (together.index, together.read)


def test_single_days_surely_under_target_are_told_one_by_one() -> None:
    saturday = SUNDAY - timedelta(days=1)
    site = replace(without(AlertKind.SUDDEN_DROP), target=50.0)
    alerts = found(weeks(looks={SUNDAY: GLOOMY, saturday: GLOOMY}), site)
    assert [(alert.kind, alert.last) for alert in alerts] == [
        (AlertKind.BELOW_TARGET, SUNDAY),
        (AlertKind.BELOW_TARGET, saturday),
    ]


def test_days_that_are_half_read_are_not_judged_by_the_target() -> None:
    """Not one by one, nor in the figure of all days together."""
    saturday = SUNDAY - timedelta(days=1)
    looks = {SUNDAY: GLOOMY, saturday: GLOOMY}
    site = replace(without(AlertKind.SUDDEN_DROP), target=50.0)
    (alert,) = found(weeks(looks=looks), replace(site, unread={1: {SUNDAY}}))
    assert alert.last == saturday

    tuesday = SUNDAY - timedelta(days=5)
    buckets = weeks(looks={**looks, tuesday: GLOOMY})
    first = SUNDAY - timedelta(days=6)
    half_read = {1: {first}, 2: {tuesday, SUNDAY}}
    (alert,) = found(buckets, replace(site, target=85.0, unread=half_read))
    day = buckets["hour"].dt.tz_convert("Europe/Berlin").dt.date
    judged = day.between(first, saturday) & ~day.isin([first, tuesday])
    together = summarise(buckets[judged], DEFAULT_SCORE, 10)
    assert (alert.value, alert.people) == (together.index, together.read)
    assert (alert.first, alert.last) == (first + timedelta(days=2), saturday)
    assert alert.left_out == 0

    (alert,) = found(buckets, replace(site, target=85.0, unread={1: {tuesday}}))
    assert (alert.first, alert.last, alert.left_out) == (first, SUNDAY, 1)

    all_days = {1: {SUNDAY - timedelta(days=back) for back in range(7)}}
    assert found(buckets, replace(site, target=85.0, unread=all_days)) == []


def test_an_interval_that_holds_the_target_is_not_under_it() -> None:
    buckets = weeks()
    figures = summarise(
        buckets[buckets["hour"] >= pd.Timestamp("2026-11-15T23:00Z")], DEFAULT_SCORE, 10
    )
    assert figures.index is not None
    # Over the figure itself, within its interval.
    target = (figures.index.value + figures.index.high) / 2
    days = by_day(buckets, DEFAULT_SCORE, 10).tail(7)
    sure = int((days["index_high"] < target).sum())
    assert len(found(buckets, replace(SITE, target=target))) == sure
    assert found(buckets, replace(SITE, target=None)) == []


def test_many_unknown_are_told_by_camera_against_its_own_history() -> None:
    other = weeks(unknown=dict.fromkeys([SUNDAY - timedelta(days=n) for n in range(63)], 0.5))
    buckets = pd.concat(
        [
            weeks(unknown={SUNDAY: 0.45}),
            other.assign(camera_id=2, camera="Corridor"),
        ],
        ignore_index=True,
    )
    (alert,) = found(buckets, replace(SITE, cameras={1: "Entrance", 2: "Corridor"}))
    assert (alert.kind, alert.camera_id, alert.camera) == (AlertKind.UNKNOWN_SHARE, 1, "Entrance")
    assert alert.value is not None
    assert alert.usual is not None
    assert alert.people == 120
    assert alert.value.value > alert.usual.high > alert.usual.value > alert.usual.low
    assert alert.usual.value == pytest.approx(0.1, abs=0.05)
    assert found(buckets, without(AlertKind.UNKNOWN_SHARE)) == []


def test_a_day_that_a_camera_is_half_read_of_says_nothing_of_its_share() -> None:
    buckets = weeks(unknown={SUNDAY: 0.45})
    assert found(buckets, replace(SITE, unread={1: {SUNDAY}})) == []
    # What another camera still waits for changes nothing here.
    (alert,) = found(buckets, replace(SITE, unread={2: {SUNDAY}}))
    assert alert.kind is AlertKind.UNKNOWN_SHARE


def test_fewer_unknown_than_usual_is_no_alert() -> None:
    many = dict.fromkeys([SUNDAY - timedelta(days=n) for n in range(63)], 0.5)
    assert found(weeks(unknown={**many, SUNDAY: 0.02})) == []


def test_a_small_rise_of_many_people_is_not_worth_a_word() -> None:
    every = dict.fromkeys([SUNDAY - timedelta(days=n) for n in range(63)], 0.02)
    assert found(weeks(800, unknown={**every, SUNDAY: 0.05})) == []


def test_a_silent_camera_comes_first() -> None:
    saturday = pd.Timestamp("2026-11-21 18:00", tz="Europe/Berlin").to_pydatetime()
    silence = Silence(9, 0, saturday, is_filmed=False, by_habit=False)
    site = replace(SITE, silent={1: silence}, target=85.0)
    alerts = found(weeks(), site)
    assert [alert.kind for alert in alerts] == [AlertKind.SILENT, AlertKind.BELOW_TARGET]
    assert alerts[0].silence == silence
    assert (alerts[0].camera, alerts[0].first, alerts[0].value) == (
        "Entrance",
        saturday.date(),
        None,
    )
    off = replace(site, rules=without(AlertKind.SILENT).rules)
    assert [alert.kind for alert in found(weeks(), off)] == [AlertKind.BELOW_TARGET]


def test_a_day_is_that_of_the_sites_clock() -> None:
    """Late on Sunday in New York it is Monday in UTC."""
    days = [SUNDAY - timedelta(days=back) for back in range(63)]
    late = pd.concat(
        [
            one_day(day, 120, GLOOMY if day == SUNDAY else HAPPY, 0.1, "America/New_York")
            for day in days
        ],
        ignore_index=True,
    )
    (alert,) = found(late)
    assert (alert.kind, alert.last) == (AlertKind.SUDDEN_DROP, SUNDAY)
