"""Schedules on the Reports page: what a change keeps, and names that are no markup.

What a dialog holds is drawn here by itself: the tests' way of running a page closes dialogs.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from analytics.periods import Every
from db.engine import Database
from db.places import create_site, delete_site
from db.schedules import (
    GONE_SITE,
    Plan,
    Schedule,
    claim_due,
    create_schedule,
    fail,
    list_schedules,
)
from pages.format import escaped, moment
from pages.schedules import _state_words
from tests.integration.pages.conftest import OpenPage, refresh
from tests.integration.pages.test_pages_filled import add_read_video
from tests.unit.db.made_rows import add_camera

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PLAN = Plan("Weekly", Every.WEEK, 7, "Europe/Berlin", recipients=("ada@example.org",))


def only(database: Database) -> Schedule:
    with database.read() as session:
        (schedule,) = list_schedules(session)
    return schedule


def _change() -> None:
    import inspect

    from db.schedules import list_schedules
    from pages import schedules
    from pages.state import database, sites

    with database().read() as session:
        (schedule,) = list_schedules(session)
    inspect.unwrap(schedules._edit)(sites(), schedule)


def test_another_hour_is_all_that_changes_where_the_site_is_gone(database: Database) -> None:
    with database.write() as session:
        create_site(session, "North", "UTC")
        south = create_site(session, "South", "UTC")
        create_schedule(session, replace(PLAN, site_ids=(south,)), MONDAY)
        delete_site(session, south)
    dialog = AppTest.from_function(_change, default_timeout=60).run()
    (sites,) = (one for one in dialog.multiselect if one.label == "Sites")
    assert sites.options == ["North", "a site that is gone"]
    assert any("was deleted" in caption.value for caption in dialog.caption)
    (hour,) = (one for one in dialog.selectbox if one.label == "At")
    hour.set_value(9)
    dialog.button(key="save_schedule").click().run()
    assert not dialog.exception
    saved = only(database).plan
    assert (saved.hour, saved.site_ids) == (9, (GONE_SITE,))

    (sites,) = (one for one in dialog.multiselect if one.label == "Sites")
    sites.set_value([])
    dialog.button(key="save_schedule").click().run()
    assert only(database).plan.site_ids == ()


def _change_what_was_opened() -> None:
    """The schedule as it was when this session began: a dialog is not opened anew."""
    import inspect

    import streamlit as st

    from db.schedules import list_schedules
    from pages import schedules
    from pages.state import database, sites

    if "opened" not in st.session_state:
        with database().read() as session:
            st.session_state["opened"] = list_schedules(session)[0]
    inspect.unwrap(schedules._edit)(sites(), st.session_state["opened"])


def test_two_tabs_that_change_a_schedule_keep_both_changes(database: Database) -> None:
    with database.write() as session:
        create_site(session, "North", "UTC")
        create_schedule(session, PLAN, MONDAY)
    here, there = (
        AppTest.from_function(_change_what_was_opened, default_timeout=60).run() for _ in "ab"
    )
    there.text_area(key="schedule_1_recipients").set_value("grace@example.org")
    there.checkbox(key="schedule_1_enabled").uncheck()
    there.button(key="save_schedule").click().run()
    here.selectbox(key="schedule_1_hour").set_value(9)
    here.button(key="save_schedule").click().run()
    assert not here.exception
    assert only(database).plan == replace(
        PLAN, hour=9, recipients=("grace@example.org",), is_enabled=False
    )


def test_who_was_entered_for_one_schedule_is_not_in_the_form_of_the_next(
    database: Database, open_page: OpenPage
) -> None:
    with database.write() as session:
        add_read_video(session, add_camera(session))
        create_schedule(session, PLAN, MONDAY)
        create_schedule(session, replace(PLAN, name="Again"), MONDAY)
    app = open_page("report.py").button(key="schedule_1_change").click().run()
    app.text_area[0].set_value("grace@example.org")
    hour = next(box for box in app.selectbox if box.label == "At")
    hour.set_value(9)
    app = app.button(key="schedule_2_change").click().run()
    assert not app.exception
    assert app.text_area[0].value == "ada@example.org"
    assert next(box for box in app.selectbox if box.label == "At").value == 7


@pytest.mark.parametrize(
    ("asked_for", "pressed"),
    [
        ("new_schedule", "save_schedule"),
        ("schedule_1_change", "save_schedule"),
        ("schedule_1_delete", "delete_schedule"),
    ],
)
def test_a_dialog_stays_open_when_a_report_is_made_under_it(
    database: Database, open_page: OpenPage, asked_for: str, pressed: str
) -> None:
    with database.write() as session:
        add_read_video(session, add_camera(session))
        create_schedule(session, PLAN, MONDAY)
    app = open_page("report.py").button(key=asked_for).click().run()
    with database.write() as session:
        due = claim_due(session, MONDAY + timedelta(days=7))
        assert due is not None
        fail(session, due, MONDAY, "The mail server is away.")
    assert pressed in [button.key for button in refresh(app).button]


def test_a_report_that_waits_for_a_site_further_west_says_until_when(
    database: Database, open_page: OpenPage
) -> None:
    daily = replace(PLAN, every=Every.DAY, hour=0, time_zone="Etc/GMT-11")
    with database.write() as session:
        # Its days end 23 hours after those of the plan.
        add_read_video(session, add_camera(session, time_zone="Etc/GMT+12"))
        create_schedule(session, daily, datetime.now(UTC))
    schedule = only(database)
    ready = schedule.due_at + timedelta(hours=23)
    waits = f"Not made so far. Next: {moment(ready, daily.time_zone)}."
    assert waits in [caption.value for caption in open_page("report.py").caption]

    now = datetime.now(UTC)
    later = now + timedelta(hours=5)
    postponed = replace(schedule, due_at=now, ready_at=later, waits_until=later)
    assert _state_words(postponed).endswith(f"Next: {moment(later, daily.time_zone)}.")
    assert "Being made now" in _state_words(replace(postponed, ready_at=now))


def _new() -> None:
    import inspect

    from pages import schedules
    from pages.state import sites

    inspect.unwrap(schedules._edit)(sites(), None)


def test_names_in_what_went_wrong_are_no_markup(database: Database, open_page: OpenPage) -> None:
    why = "The mail server refused *ada*@example.org."
    with database.write() as session:
        add_read_video(session, add_camera(session))
        create_schedule(session, replace(PLAN, name="*Daily*"), MONDAY)
        due = claim_due(session, MONDAY + timedelta(days=7))
        assert due is not None
        fail(session, due, MONDAY, why)
    assert escaped(why) in [error.value for error in open_page("report.py").error]

    dialog = AppTest.from_function(_new, default_timeout=60).run()
    (name,) = (one for one in dialog.text_input if one.label == "Name")
    name.set_value("*Daily*")
    dialog.button(key="save_schedule").click().run()
    assert [error.value for error in dialog.error] == [
        escaped("There is already a schedule named *Daily*.")
    ]
