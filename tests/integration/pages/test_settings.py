"""Settings: what a site is, where staff stand, and how long rows are kept."""

from datetime import timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import NumberInput

from db.engine import Database
from db.places import (
    OpeningHours,
    PlaceError,
    StaffZones,
    create_site,
    list_sites,
    set_opening_hours,
    set_target,
    update_camera,
)
from db.recordings import cancel_recording, delete_recording
from db.retention import KeptDays, keep_for, kept_days
from jobs.stills import Still
from pages.place_forms import hours_words, read_hours
from tests.chosen_database import ON_BOTH
from tests.integration.pages.conftest import OpenPage, forget_ids
from tests.integration.pages.words import buttons, words
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video, read_segment

NINE_TO_EIGHT = (9 * 60, 20 * 60)
WEEK: OpeningHours = (*(NINE_TO_EIGHT,) * 5, (10 * 60, 24 * 60), None)


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        return add_camera(session)


@pytest.mark.parametrize(
    ("line", "stretch"),
    [
        ("9:00 to 20:00", NINE_TO_EIGHT),
        ("9-20", NINE_TO_EIGHT),
        (" 09:00 – 20:00 ", NINE_TO_EIGHT),
        ("9.00-20h00", NINE_TO_EIGHT),
        ("0:00 to 24:00", (0, 1440)),
        ("", None),
        ("Closed", None),
    ],
)
def test_opening_hours_are_read_as_people_write_them(
    line: str, stretch: tuple[int, int] | None
) -> None:
    assert read_hours(["8-9", line, *[""] * 5])[1] == stretch


@pytest.mark.parametrize("line", ["all day", "9", "25:00 to 26:00", "9:75 to 10:00"])
def test_opening_hours_that_are_not_understood_name_their_day(line: str) -> None:
    with pytest.raises(PlaceError, match=r"^Tuesday: "):
        read_hours(["", line, *[""] * 5])


def test_a_week_is_said_shortly() -> None:
    assert read_hours([""] * 7) == ()
    assert hours_words(WEEK) == "Mon to Fri 9:00 to 20:00, Sat 10:00 to 24:00, Sun closed"
    assert hours_words((None,) * 7) == "Mon to Sun closed"


def test_a_site_shows_its_target_and_hours(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        set_target(session, 1, 62.0)
        set_opening_hours(session, 1, WEEK)
    said = words(open_page("configuration.py"))
    assert "Europe/Berlin · target 62.0 · Mon to Fri 9:00 to 20:00" in said
    assert camera == 1


def test_editing_a_site_starts_from_what_it_is(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        set_target(session, 1, 62.0)
        set_opening_hours(session, 1, WEEK)
    app = open_page("configuration.py")
    app = app.button(key="edit_site_1").click().run()
    assert not app.exception
    shown = {field.label: field.value for field in app.text_input}
    assert (shown["Monday"], shown["Sunday"]) == ("9:00 to 20:00", "")
    assert next(f for f in app.number_input if f.label == "Target").value == 62.0
    with database.read() as session:
        assert list_sites(session)[0].cameras[0].id == camera


@pytest.mark.usefixtures("camera")
def test_what_was_entered_for_one_site_is_not_in_the_form_of_the_next(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        create_site(session, "Other", "Europe/Berlin")
    app = open_page("configuration.py")
    app = app.button(key="edit_site_1").click().run()
    target(app).set_value(80)
    app = app.button(key="edit_site_2").click().run()
    assert not app.exception
    assert target(app).value is None


def target(app: AppTest) -> NumberInput:
    return next(field for field in app.number_input if field.label == "Target")


def _edit_the_site() -> None:
    """The dialog of the site as it was when this session began: a dialog is not opened anew."""
    import inspect

    import streamlit as st

    from pages import place_forms
    from pages.state import sites

    if "opened" not in st.session_state:
        st.session_state["opened"] = sites()[0]
    inspect.unwrap(place_forms.edit_site)(st.session_state["opened"])


@pytest.mark.usefixtures("camera")
def test_two_tabs_that_change_a_site_keep_both_changes(database: Database) -> None:
    with database.write() as session:
        set_opening_hours(session, 1, WEEK)
    here, there = (AppTest.from_function(_edit_the_site, default_timeout=60).run() for _ in "ab")
    there.text_input(key="site_name_1").set_value("High Street")
    target(there).set_value(62.0)
    there.text_input(key="hours_1_Sunday").set_value("10-14")
    there.button(key="save_site_1").click().run()
    here.text_input(key="hours_1_Monday").set_value("8-20")
    here.button(key="save_site_1").click().run()
    assert not here.exception
    with database.read() as session:
        (site,) = list_sites(session)
    assert (site.name, site.target, site.time_zone) == ("High Street", 62.0, "Europe/Berlin")
    assert site.opening_hours == ((480, 1200), *WEEK[1:6], (600, 840))


def test_zones_are_reached_from_the_camera_and_left_again(open_page: OpenPage, camera: int) -> None:
    app = open_page("configuration.py")
    app = app.button(key=f"zones_camera_{camera}").click().run()
    assert not app.exception
    assert app.query_params["zones"] == str(camera)
    said = words(app)
    assert "Staff zones of Site of Entrance / Entrance" in said
    assert "from now on" in said
    assert "it is not stored" in said
    app = app.button[0].click().run()
    assert [title.value for title in app.title] == ["Settings"]


@pytest.mark.parametrize("asked_for", ["77", "abc", "1 OR 1=1"])
def test_the_zones_of_a_missing_camera_are_said_plainly(
    open_page: OpenPage, camera: int, asked_for: str
) -> None:
    assert camera
    assert "No such camera" in words(open_page("configuration.py", zones=asked_for))


def test_footage_that_is_gone_is_said_and_footage_that_is_kept_can_be_read_again(
    open_page: OpenPage, database: Database, camera: int, home: Path
) -> None:
    scene = Scene([Person([1000])], segments=1)
    with database.write() as session:
        recording = add_video(session, camera, segments=1)
        read_segment(session, recording, scene, 0)
    (home / "footage").mkdir()
    app = open_page("configuration.py", zones=str(camera))
    assert "is not in the store any more" in words(app)
    app = next(b for b in app.button if b.label == "Read 1 recording again").click().run()
    assert "1 recording will be read again." in words(app)
    assert "Read 1 recording again" not in buttons(app)


@pytest.mark.embedded
def test_zones_are_drawn_on_a_picture_of_the_recording_that_is_there(
    open_page: OpenPage, database: Database, camera: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a backup was restored, ids are given again."""
    looked_for = []

    def found(_store: object, key: str, *_args: object, **_named: object) -> list[Still]:
        looked_for.append(key)
        return [Still(0, 16, 9, b"a picture")]

    monkeypatch.setattr("jobs.stills.stills", found)
    st.cache_data.clear()
    with database.write() as session:
        old = add_video(session, camera, segments=1, name="old.mp4")
    for _ in range(2):
        open_page("configuration.py", zones=str(camera))
    assert looked_for == ["key of old.mp4"]
    later = NOON + timedelta(hours=1)
    with database.write() as session:
        cancel_recording(session, old)
        delete_recording(session, old)
        forget_ids(session)
        new = add_video(session, camera, segments=1, name="new.mp4", now=later)
    assert new == old
    open_page("configuration.py", zones=str(camera))
    assert looked_for[1:] == ["key of new.mp4"]
    # Once it was read, more faces are known and hidden.
    with database.write() as session:
        read_segment(session, new, Scene([Person([1000])], segments=1), 0, now=later)
    open_page("configuration.py", zones=str(camera))
    assert looked_for[2:] == ["key of new.mp4"]


TILL: StaffZones = (((0.1, 0.1), (0.3, 0.1), (0.3, 0.3)),)
COUNTER: StaffZones = (((0.5, 0.5), (0.9, 0.5), (0.9, 0.9)),)


def _save_the_zones() -> None:
    """What a board sends that began without a zone."""
    import streamlit as st

    from pages.state import sites
    from pages.zones import revision, save_zones
    from tests.integration.pages.test_settings import COUNTER

    if st.button("Save zones"):
        save_zones(sites()[0].cameras[0], {"zones": COUNTER, "revision": revision(())})


@pytest.mark.parametrize("meanwhile", [(), COUNTER])
def test_zones_are_saved_over_those_that_the_board_began_with(
    database: Database, camera: int, meanwhile: StaffZones
) -> None:
    """Pressed twice, Save finds them stored."""
    with database.write() as session:
        update_camera(session, camera, staff_zones=meanwhile)
    app = AppTest.from_function(_save_the_zones, default_timeout=60).run()
    app.button[0].click().run()
    assert not app.exception
    assert not app.error
    with database.read() as session:
        assert list_sites(session)[0].cameras[0].staff_zones == COUNTER


def test_zones_that_were_drawn_before_others_were_saved_are_refused(
    database: Database, camera: int
) -> None:
    with database.write() as session:
        update_camera(session, camera, staff_zones=TILL)
    app = AppTest.from_function(_save_the_zones, default_timeout=60).run()
    app.button[0].click().run()
    assert not app.exception
    assert "Look whether all are right, and save again." in words(app)
    with database.read() as session:
        assert list_sites(session)[0].cameras[0].staff_zones == TILL


@ON_BOTH
def test_keeping_rows_says_what_goes_before_it_does(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    scene = Scene([Person([1000, 2000]), Person([5000])], segments=1)
    with database.write() as session:
        recording = add_video(session, camera, segments=1, captured_at=NOON, now=NOON)
        read_segment(session, recording, scene, 0)
    app = open_page("configuration.py")
    faces, people = (app.number_input(key=f"keep_{name}_None") for name in ("faces", "people"))
    assert [field.value for field in (faces, people)] == [None, None]
    faces.set_value(30)
    app = people.set_value(60).run()
    app = app.button(key="save_retention").click().run()
    assert not app.exception
    assert "3 single faces, 2 people** are older and will be deleted" in words(app)
    assert "Save and delete" in buttons(app)
    with database.read() as session:
        assert kept_days(session) == KeptDays()


def test_days_that_were_set_are_shown(open_page: OpenPage, database: Database) -> None:
    with database.write() as session:
        add_camera(session)
        keep_for(session, KeptDays(30, 365, 7))
    app = open_page("configuration.py")
    fields = [
        app.number_input(key=f"keep_{name}").value
        for name in ("faces_30", "people_365", "footage_7")
    ]
    assert fields == [30, 365, 7]
    assert app.button(key="save_retention").disabled


def test_days_that_another_tab_set_meanwhile_show_and_stay(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        add_camera(session)
    here = open_page("configuration.py")
    with database.write() as session:
        keep_for(session, KeptDays(people=30))
    here = here.number_input(key="keep_footage_None").set_value(7).run()
    assert here.number_input(key="keep_people_30").value == 30
    assert here.number_input(key="keep_footage_None").value == 7


def test_days_that_another_tab_set_are_seen_before_they_are_saved_over(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        add_camera(session)
    here = open_page("configuration.py")
    here.number_input(key="keep_people_None").set_value(60)
    here = here.number_input(key="keep_footage_None").set_value(7).run()
    with database.write() as session:
        keep_for(session, KeptDays(people=30))
    here = here.button(key="save_retention").click().run()
    assert not here.exception
    assert "These days were changed meanwhile" in words(here)
    assert here.number_input(key="keep_people_30").value == 30
    assert "confirm_retention" not in {button.key for button in here.button}
    here = here.button(key="save_retention").click().run()
    assert "confirm_retention" in {button.key for button in here.button}


def _confirm_the_days() -> None:
    """Footage was to go after 7 days where nothing was set."""
    import inspect

    from db.retention import KeptDays
    from pages import retention_form

    inspect.unwrap(retention_form._confirm)(KeptDays(footage=7), KeptDays())


def test_confirmed_days_leave_what_another_tab_set_since(database: Database) -> None:
    dialog = AppTest.from_function(_confirm_the_days, default_timeout=60).run()
    with database.write() as session:
        keep_for(session, KeptDays(people=30))
    dialog.button(key="confirm_retention").click().run()
    assert not dialog.exception
    with database.read() as session:
        assert kept_days(session) == KeptDays(people=30, footage=7)
