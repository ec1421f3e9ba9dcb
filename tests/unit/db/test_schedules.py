from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from analytics.periods import Every, last_whole, next_due
from db.engine import Database
from db.places import create_camera, create_site, delete_site
from db.schedules import (
    GONE_SITE,
    LEASE,
    RETRY_FOR,
    RETRY_PAUSE,
    Plan,
    Schedule,
    ScheduleError,
    claim_due,
    create_schedule,
    delete_schedule,
    fail,
    finish,
    is_any_due,
    list_schedules,
    renew,
    request_now,
    slug,
    update_schedule,
)

MONDAY = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
PLAN = Plan("Daily", Every.DAY, 7, "Europe/Berlin", recipients=("ada@example.org",))
TUESDAY_7 = datetime(2026, 11, 3, 6, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def made(database: Database, plan: Plan = PLAN, now: datetime = MONDAY) -> int:
    with database.write() as session:
        return create_schedule(session, plan, now)


def only(database: Database) -> Schedule:
    with database.read() as session:
        (schedule,) = list_schedules(session)
    return schedule


def test_a_plan_comes_back_as_it_was_saved(database: Database) -> None:
    plan = Plan(
        name="Weekly",
        every=Every.WEEK,
        hour=6,
        time_zone="America/New_York",
        formats=("pdf", "xlsx"),
        site_ids=(3, 1),
        sections=("trend",),
        folder="weekly/north",
        recipients=("ada@example.org", "bob@example.org"),
        is_enabled=False,
    )
    made(database, plan)
    assert only(database).plan == plan


def test_a_site_that_was_deleted_stays_gone_when_a_later_one_gets_its_number(
    database: Database,
) -> None:
    with database.write() as session:
        north, south = (create_site(session, name, "UTC") for name in ("North", "South"))
        for name, site_ids in {"a": (south,), "b": (south, north), "c": ()}.items():
            create_schedule(session, replace(PLAN, name=name, site_ids=site_ids), MONDAY)
        delete_site(session, south)
        create_site(session, "West", "UTC")
    with database.write() as session:
        assert [one.plan.site_ids for one in list_schedules(session)] == [
            (GONE_SITE,),
            (GONE_SITE, north),
            (),
        ]
        delete_site(session, north)
    with database.read() as session:
        assert [one.plan.site_ids for one in list_schedules(session)] == [
            (GONE_SITE,),
            (GONE_SITE,),
            (),
        ]


def test_a_new_site_is_in_no_plan_that_was_there_before(database: Database) -> None:
    """Where a site was deleted while the form was open, or by an earlier version."""
    with database.write() as session:
        gone = create_site(session, "South", "UTC")
        delete_site(session, gone)
    made(database, replace(PLAN, site_ids=(gone, gone + 1)))
    with database.write() as session:
        create_site(session, "West", "UTC")
    assert only(database).plan.site_ids in {(GONE_SITE, gone + 1), (gone, GONE_SITE)}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "  "}, "needs a name"),
        ({"hour": 24}, "hour"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"formats": ()}, "what is made"),
        ({"formats": ("exe",)}, "what is made"),
        ({"recipients": ()}, "where the report goes"),
        ({"recipients": ("a@example.org\nBcc: b@example.org",)}, "not a mail address"),
        ({"recipients": ("a@example.org,b@example.org",)}, "not a mail address"),
        ({"recipients": ("nobody",)}, "not a mail address"),
        ({"folder": "../etc"}, "leads out of"),
        ({"folder": "/etc"}, "leads out of"),
        ({"folder": "a\\..\\..\\b"}, "leads out of"),
        ({"folder": "C:\\reports"}, "leads out of"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    database: Database, changes: dict[str, object], sentence: str
) -> None:
    with database.write() as session, pytest.raises(ScheduleError, match=sentence):
        create_schedule(session, replace(PLAN, **changes), MONDAY)  # type: ignore[arg-type]


def test_two_schedules_never_write_the_same_file(database: Database) -> None:
    made(database)
    with database.write() as session, pytest.raises(ScheduleError, match="already"):
        create_schedule(session, replace(PLAN, name="daily!"), MONDAY)
    assert slug("Wöchentlich: alle Läden / Nord") == "wöchentlich-alle-läden-nord"
    assert slug("!!") == "report"


def test_it_is_due_at_its_hour_and_covers_the_day_before(database: Database) -> None:
    made(database)
    with database.write() as session:
        assert not is_any_due(session, TUESDAY_7 - MINUTE)
        assert claim_due(session, TUESDAY_7 - MINUTE) is None
        assert is_any_due(session, TUESDAY_7)
        due = claim_due(session, TUESDAY_7)
    assert due is not None
    assert (due.occasion, due.first_day, due.last_day) == (
        TUESDAY_7,
        date(2026, 11, 2),
        date(2026, 11, 2),
    )


def test_of_two_workers_one_makes_it(database: Database) -> None:
    made(database)
    with database.write() as session:
        first = claim_due(session, TUESDAY_7)
    with database.write() as session:
        assert claim_due(session, TUESDAY_7 + MINUTE) is None
        assert not is_any_due(session, TUESDAY_7 + MINUTE)
    assert first is not None
    with database.write() as session:
        assert finish(session, first, TUESDAY_7 + MINUTE)
        assert claim_due(session, TUESDAY_7 + 2 * MINUTE) is None
    schedule = only(database)
    assert schedule.due_at == TUESDAY_7 + DAY
    assert (schedule.made_at, schedule.error) == (TUESDAY_7 + MINUTE, None)


def test_what_a_dead_worker_left_is_made_by_another(database: Database) -> None:
    made(database)
    with database.write() as session:
        lost = claim_due(session, TUESDAY_7)
        again = claim_due(session, TUESDAY_7 + LEASE)
    assert lost is not None
    assert again is not None
    assert again.occasion == TUESDAY_7
    with database.write() as session:
        assert not finish(session, lost, TUESDAY_7 + LEASE)
        assert not fail(session, lost, TUESDAY_7 + LEASE, "late")
        assert finish(session, again, TUESDAY_7 + LEASE)
    assert only(database).error is None


def test_a_right_that_is_renewed_lasts_longer_and_one_that_was_lost_is_not(
    database: Database,
) -> None:
    made(database)
    with database.write() as session:
        first = claim_due(session, TUESDAY_7)
        assert first is not None
        renewed = renew(session, first, TUESDAY_7 + 9 * MINUTE)
    assert renewed == replace(first, until=TUESDAY_7 + 9 * MINUTE + LEASE)
    with database.write() as session:
        assert claim_due(session, TUESDAY_7 + LEASE) is None
        again = claim_due(session, renewed.until)
        assert again is not None
        assert renew(session, renewed, renewed.until) is None
        assert finish(session, again, renewed.until)
        assert renew(session, again, renewed.until) is None


def test_many_missed_occasions_are_made_up_for_once(database: Database) -> None:
    made(database)
    friday_noon = TUESDAY_7 + 3 * DAY + timedelta(hours=5)
    with database.write() as session:
        due = claim_due(session, friday_noon)
        assert due is not None
        assert (due.occasion, due.last_day) == (TUESDAY_7 + 3 * DAY, date(2026, 11, 5))
        assert finish(session, due, friday_noon)
        assert claim_due(session, friday_noon) is None
    assert only(database).due_at == TUESDAY_7 + 4 * DAY


def test_an_occasion_that_comes_while_a_report_is_made_is_made_too(database: Database) -> None:
    schedule = made(database)
    with database.write() as session:
        request_now(session, schedule, TUESDAY_7 - MINUTE)
        asked_for = claim_due(session, TUESDAY_7 - MINUTE)
        assert asked_for is not None
        assert finish(session, asked_for, TUESDAY_7 + MINUTE)
        due = claim_due(session, TUESDAY_7 + MINUTE)
        assert due is not None
        assert due.occasion == TUESDAY_7
        assert fail(session, due, TUESDAY_7 + DAY + MINUTE, "no answer")
        due = claim_due(session, TUESDAY_7 + DAY + MINUTE)
        assert due is not None
        assert due.occasion == TUESDAY_7 + DAY


def test_a_failure_is_tried_again_for_a_day(database: Database) -> None:
    made(database)
    now, tries = TUESDAY_7, 0
    while now < TUESDAY_7 + DAY:
        with database.write() as session:
            due = claim_due(session, now)
            assert due is not None
            assert due.occasion == TUESDAY_7
            assert fail(session, due, now, "no answer" + "!" * 2000)
            assert claim_due(session, now + MINUTE) is None
        error = only(database).error
        assert error is not None
        assert len(error) == 1000
        now += RETRY_PAUSE
        tries += 1
    assert tries == RETRY_FOR / RETRY_PAUSE
    with database.write() as session:
        due = claim_due(session, now)
        assert due is not None
        assert due.occasion == TUESDAY_7 + DAY
        assert finish(session, due, now)
    assert only(database).error is None


def test_a_monthly_failure_is_given_up_until_the_next_month(database: Database) -> None:
    made(database, replace(PLAN, every=Every.MONTH))
    first = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
    with database.write() as session:
        due = claim_due(session, first + 2 * DAY)
        assert due is not None
        assert (due.first_day, due.last_day) == (date(2026, 11, 1), date(2026, 11, 30))
        assert fail(session, due, first + 2 * DAY, "no answer")
    schedule = only(database)
    assert schedule.due_at == datetime(2027, 1, 1, 6, 0, tzinfo=UTC)
    assert schedule.error == "no answer"


def test_send_now_covers_the_last_whole_day_and_leaves_the_plan_as_it_is(
    database: Database,
) -> None:
    schedule = made(database)
    night = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)  # before the hour, in Berlin on Tuesday
    with database.write() as session:
        request_now(session, schedule, night)
        due = claim_due(session, night)
        assert due is not None
        assert due.last_day == date(2026, 11, 2)
        assert finish(session, due, night)
    assert only(database).due_at == TUESDAY_7


SYDNEY = replace(PLAN, time_zone="Australia/Sydney")
SYDNEY_7 = datetime(2026, 11, 2, 20, 0, tzinfo=UTC)  # Tuesday; the day before was Monday
LA_MIDNIGHT = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)  # at which Monday ends


@pytest.fixture
def los_angeles(database: Database) -> None:
    with database.write() as session:
        site = create_site(session, "Los Angeles", "America/Los_Angeles")
        create_camera(session, site, "Entrance")


@pytest.mark.usefixtures("los_angeles")
@pytest.mark.parametrize("every", Every)
def test_it_waits_until_its_days_are_over_at_the_site_furthest_west(
    database: Database, every: Every
) -> None:
    plan = replace(SYDNEY, every=every)
    first = next_due(every, plan.hour, plan.time_zone, MONDAY)
    ready = first + (LA_MIDNIGHT - SYDNEY_7)
    made(database, plan)
    assert (only(database).due_at, only(database).ready_at) == (first, ready)
    with database.write() as session:
        assert claim_due(session, first) is None
        assert not is_any_due(session, first + MINUTE)
        assert claim_due(session, ready - MINUTE) is None
        due = claim_due(session, ready)
        assert due is not None
        assert (due.occasion, (due.first_day, due.last_day)) == (
            first,
            last_whole(every, first.astimezone(ZoneInfo(plan.time_zone)).date()),
        )
        assert finish(session, due, ready)
    assert only(database).due_at == next_due(every, plan.hour, plan.time_zone, first)


@pytest.mark.usefixtures("los_angeles")
def test_one_that_waits_holds_up_no_other(database: Database) -> None:
    with database.write() as session:
        north = create_site(session, "North", "Australia/Brisbane")
        create_camera(session, north, "Entrance")
        create_site(session, "Without cameras", "Pacific/Honolulu")
    made(database, SYDNEY)
    other = made(database, replace(SYDNEY, name="North", site_ids=(north,)))
    with database.write() as session:
        due = claim_due(session, SYDNEY_7)
        assert due is not None
        assert due.id == other
        assert claim_due(session, SYDNEY_7) is None
        due = claim_due(session, LA_MIDNIGHT)
        assert due is not None
        assert due.id != other


def test_one_that_waits_for_longer_than_a_day_is_made_each_day(database: Database) -> None:
    """Days of Niue end 25 hours after those of Kiritimati."""
    with database.write() as session:
        create_camera(session, create_site(session, "Niue", "Pacific/Niue"), "Entrance")
    made(database, replace(PLAN, hour=0, time_zone="Pacific/Kiritimati"))
    now = MONDAY
    days: list[date] = []
    while len(days) < 3:
        with database.write() as session:
            due = claim_due(session, now)
            if due is not None:
                assert now >= datetime(2026, 11, due.last_day.day + 1, 11, 0, tzinfo=UTC)
                days.append(due.last_day)
                assert finish(session, due, now)
        now += timedelta(minutes=20)
    assert days == [date(2026, 11, 3), date(2026, 11, 4), date(2026, 11, 5)]


@pytest.mark.usefixtures("los_angeles")
def test_send_now_does_not_wait_and_leaves_what_waits(database: Database) -> None:
    schedule = made(database, SYDNEY)
    now = SYDNEY_7 + timedelta(hours=1)
    with database.write() as session:
        assert claim_due(session, SYDNEY_7) is None
        request_now(session, schedule, now)
        due = claim_due(session, now)
        assert due is not None
        assert due.last_day == date(2026, 11, 2)
        assert finish(session, due, now)
        assert claim_due(session, now) is None
        due = claim_due(session, LA_MIDNIGHT)
        assert due is not None
        assert (due.occasion, due.last_day) == (SYDNEY_7, date(2026, 11, 2))
        assert finish(session, due, LA_MIDNIGHT)
    assert only(database).due_at == SYDNEY_7 + DAY


@pytest.mark.usefixtures("los_angeles")
def test_a_change_of_the_plan_leaves_what_waits(database: Database) -> None:
    schedule = made(database, SYDNEY)
    with database.write() as session:
        assert claim_due(session, SYDNEY_7) is None
        update_schedule(session, schedule, replace(SYDNEY, formats=("csv",)), SYDNEY_7 + MINUTE)
        assert claim_due(session, SYDNEY_7 + MINUTE) is None
        due = claim_due(session, LA_MIDNIGHT)
        assert due is not None
        assert (due.occasion, due.plan.formats) == (SYDNEY_7, ("csv",))


@pytest.mark.usefixtures("los_angeles")
def test_what_was_made_is_not_made_again_for_a_site_that_the_plan_gets_later(
    database: Database,
) -> None:
    with database.write() as session:
        north = create_site(session, "North", "Australia/Brisbane")
        create_camera(session, north, "Entrance")
    only_north = replace(SYDNEY, site_ids=(north,))
    schedule = made(database, only_north)
    with database.write() as session:
        due = claim_due(session, SYDNEY_7)
        assert due is not None
        assert finish(session, due, SYDNEY_7)
        update_schedule(session, schedule, SYDNEY, SYDNEY_7 + 2 * MINUTE)
    assert only(database).due_at == SYDNEY_7 + DAY


@pytest.mark.usefixtures("los_angeles")
def test_one_that_waited_is_tried_again_for_a_day_too(database: Database) -> None:
    made(database, SYDNEY)
    now = LA_MIDNIGHT + DAY - MINUTE
    with database.write() as session:
        due = claim_due(session, LA_MIDNIGHT)
        assert due is not None
        assert fail(session, due, now, "no answer")
    assert only(database).waits_until == now + RETRY_PAUSE


def test_daylight_saving_moves_the_instant_and_not_the_clock(database: Database) -> None:
    saturday = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    made(database, now=saturday)
    sunday_7 = datetime(2026, 3, 29, 5, 0, tzinfo=UTC)
    assert only(database).due_at == sunday_7
    with database.write() as session:
        due = claim_due(session, sunday_7)
        assert due is not None
        finish(session, due, sunday_7)
    assert only(database).due_at == sunday_7 + DAY


def test_switched_off_it_is_not_made_and_a_change_begins_anew(database: Database) -> None:
    schedule = made(database)
    with database.write() as session:
        due = claim_due(session, TUESDAY_7)
        assert due is not None
        fail(session, due, TUESDAY_7, "no answer")
        update_schedule(session, schedule, replace(PLAN, is_enabled=False), TUESDAY_7)
        assert claim_due(session, TUESDAY_7 + 5 * DAY) is None
        with pytest.raises(ScheduleError, match="switched off"):
            request_now(session, schedule, TUESDAY_7)
        update_schedule(session, schedule, replace(PLAN, hour=9), TUESDAY_7)
    assert only(database).due_at == TUESDAY_7 + timedelta(hours=2)
    assert only(database).error is None
    with database.write() as session:
        delete_schedule(session, schedule)
        with pytest.raises(ScheduleError, match="no longer exists"):
            update_schedule(session, schedule, PLAN, TUESDAY_7)


def test_what_was_left_as_shown_stays_as_it_is_stored(database: Database) -> None:
    with database.write() as session:
        schedule = create_schedule(session, PLAN, TUESDAY_7)
        stored = replace(PLAN, name="Other", recipients=("grace@example.org",))
        update_schedule(session, schedule, stored, TUESDAY_7)
        update_schedule(session, schedule, replace(PLAN, hour=9), TUESDAY_7, shown=PLAN)
        assert [one.plan for one in list_schedules(session)] == [replace(stored, hour=9)]
