"""Recordings: found again by day, shown part by part, and honest about what was deleted."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st

from db.engine import Database
from db.queue import claim
from db.recording_rows import get_recording, list_recordings
from db.recordings import cancel_recording, delete_recording
from db.retention import delete_faces, seal_people
from jobs.stills import Still
from tests.chosen_database import ON_BOTH
from tests.integration.pages.conftest import OpenPage, forget_ids, refresh
from tests.integration.pages.words import buttons, words
from tests.unit.db.made_rows import MINUTE, NOON, Person, Scene, add_camera, add_video, read_segment


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        return add_camera(session)


def read_video(database: Database, camera: int, *, minutes: int = 10) -> int:
    """Two people, in the first and in the last minute."""
    people = [Person([1000, 3000]), Person([(minutes - 1) * MINUTE], "sad")]
    scene = Scene(people, segments=1, segment_ms=minutes * MINUTE)
    with database.write() as session:
        recording = add_video(session, camera, segments=1, segment_ms=minutes * MINUTE)
        read_segment(session, recording, scene, 0)
    return recording


@ON_BOTH
@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ([date(2026, 3, 2)], "1 recording"),
        ([date(2026, 3, 1), date(2026, 3, 3)], "2 recordings"),
        # As an address may have them.
        ([date(2026, 3, 3), date(2026, 3, 1)], "2 recordings"),
        ([date(2026, 3, 3), date(2026, 3, 9)], "1 recording"),
        ([date(2026, 4, 1), date(2026, 4, 2)], "No recording fits this choice."),
    ],
)
def test_recordings_are_found_by_the_days_of_their_site(
    open_page: OpenPage, database: Database, camera: int, taken: list[date], said: str
) -> None:
    with database.write() as session:
        add_video(session, camera)
        # An hour before midnight UTC is the next day in Berlin.
        late = NOON + timedelta(hours=11)
        add_video(session, camera, name="late.mp4", captured_at=late, now=late)
    app = open_page("recordings.py")
    app = app.date_input(key="taken").set_value(taken).run()
    assert not app.exception
    assert said in words(app).splitlines()


def test_the_day_in_the_address_is_heeded(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_video(session, camera)
    assert "No recording fits" in words(open_page("recordings.py", taken="2026-03-01"))
    assert "1 recording" in words(open_page("recordings.py", taken="2026-03-02"))


def test_many_recordings_are_shown_a_page_at_a_time(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        for number in range(25):
            at = NOON + timedelta(minutes=number)
            add_video(session, camera, name=f"{number}.mp4", captured_at=at, now=at)
    first, second = open_page("recordings.py"), open_page("recordings.py", page="2")
    assert "25 recordings" in words(first)
    # Of each row one line says where and when it was taken.
    assert [words(app).count("Site of Entrance / Entrance") for app in (first, second)] == [20, 5]
    narrowed = second.text_input(key="search").set_value("24.mp4").run()
    assert not narrowed.exception
    assert words(narrowed).count("Site of Entrance / Entrance") == 1


@ON_BOTH
def test_people_show_how_they_came_and_how_they_went(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    app = open_page("recordings.py", recording=str(read_video(database, camera)))
    table = app.dataframe[0].value
    assert table["From"].tolist() == ["13:00:01", "13:09:00"]
    happy = 50 * (1 + 0.7 - 4 * 0.05)
    assert table["At first"].tolist()[0] == f"{happy:.0f}"
    assert table["At the end"].tolist()[1] == f"{50 * (1 + 0.05 - 0.7 - 3 * 0.05):.0f}"


@ON_BOTH
def test_of_a_long_recording_a_part_is_shown(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    recording = read_video(database, camera, minutes=120)
    app = open_page("recordings.py", recording=str(recording))
    part = app.selectbox(key=f"part_{recording}")
    assert part.options[0] == "13:00 to 13:30 · 1 person"
    assert part.options[1].endswith("0 people")
    assert app.dataframe[0].value["Expression"].tolist() == ["Happy"]
    app = part.select_index(3).run()
    assert app.dataframe[0].value["Expression"].tolist() == ["Sad"]
    assert app.dataframe[0].value["From"].tolist() == ["14:59:00"]
    app = app.selectbox(key=f"part_{recording}").select_index(1).run()
    assert not app.exception


@ON_BOTH
def test_what_was_deleted_is_said(open_page: OpenPage, database: Database, camera: int) -> None:
    recording = read_video(database, camera)
    with database.write() as session:
        delete_faces(session, recording, [0])
    app = open_page("recordings.py", recording=str(recording))
    assert "Its single faces were deleted" in words(app)
    assert len(app.dataframe[0].value) == 2
    with database.write() as session:
        seal_people(session, recording)
    app = open_page("recordings.py", recording=str(recording))
    assert "Its people were deleted" in words(app)
    assert not app.dataframe
    assert {"Read again", "Correct the time"}.isdisjoint(buttons(app))
    assert "its people were deleted since" in words(open_page("recordings.py"))


def test_what_was_read_is_read_again_while_its_footage_is_kept(
    open_page: OpenPage, database: Database, camera: int, home: Path
) -> None:
    recording = read_video(database, camera)
    (home / "footage").mkdir()
    app = open_page("recordings.py", recording=str(recording))
    # What the store should hold was never put there.
    assert "is not in the store any more" in words(app)
    next(b for b in app.button if b.label == "Read again").click().run()
    with database.read() as session:
        row = get_recording(session, recording)
    assert row is not None
    assert (row.state, row.people) == ("queued", 2)


def test_what_waits_can_be_read_first(open_page: OpenPage, database: Database, camera: int) -> None:
    with database.write() as session:
        add_video(session, camera, name="first.mp4")
        late = NOON + timedelta(hours=1)
        second = add_video(session, camera, name="second.mp4", captured_at=late, now=late)
    app = open_page("recordings.py", recording=str(second))
    app = next(b for b in app.button if b.label == "Read first").click().run()
    assert not app.exception
    assert "second.mp4 goes before all others that wait." in words(app)
    with database.write() as session:
        lease = claim(session, "worker", 60, NOON)
    assert lease is not None
    assert lease.recording_id == second
    app = open_page("recordings.py", recording=str(second))
    assert "Read first" not in buttons(app)


@pytest.mark.embedded
def test_pictures_are_of_the_recording_that_is_there(
    open_page: OpenPage, database: Database, camera: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a backup was restored, ids are given again."""
    looked_for, ids = [], []

    def found(_store: object, key: str, *_args: object, **_named: object) -> list[Still]:
        looked_for.append(key)
        return []

    monkeypatch.setattr("jobs.stills.stills", found)
    st.cache_data.clear()
    for name, added in (("old.mp4", NOON), ("new.mp4", NOON + timedelta(hours=1))):
        with database.write() as session:
            recording = add_video(session, camera, segments=2, name=name, now=added)
            read_segment(session, recording, Scene([Person([1000])], segments=2), 0, now=added)
        for _ in range(2):
            open_page("recordings.py", recording=str(recording))
        with database.write() as session:
            delete_recording(session, recording)
            forget_ids(session)
        ids.append(recording)
    assert ids == [ids[0]] * 2
    assert looked_for == ["key of old.mp4", "key of new.mp4"]


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("asked_for", "pressed"), [("Delete", "Delete for good"), ("Correct the time", "Save")]
)
def test_an_open_dialog_leaves_the_recording_alone_that_took_the_id(
    open_page: OpenPage, database: Database, camera: int, asked_for: str, pressed: str
) -> None:
    """A backup from before it is restored meanwhile, and its id goes to what comes next."""
    with database.write() as session:
        recording = add_video(session, camera, name="old.mp4")
        cancel_recording(session, recording)
    app = open_page("recordings.py", recording=str(recording))
    app = next(b for b in app.button if b.label == asked_for).click().run()
    later = NOON + timedelta(hours=1)
    with database.write() as session:
        delete_recording(session, recording)
        forget_ids(session)
        new = add_video(session, camera, name="new.mp4", captured_at=later, now=later)
        cancel_recording(session, new)
    assert new == recording
    next(b for b in app.button if b.label == pressed).click()
    app = refresh(app)
    assert "no longer exists" in words(app)
    with database.read() as session:
        rows = list_recordings(session)
    assert [(row.name, row.captured_at) for row in rows] == [("new.mp4", later)]


@pytest.mark.parametrize(
    ("asked_for", "pressed"), [("Delete", "Delete for good"), ("Correct the time", "Save")]
)
def test_a_dialog_stays_open_when_the_recording_ends_under_it(
    open_page: OpenPage, database: Database, camera: int, asked_for: str, pressed: str
) -> None:
    with database.write() as session:
        recording = add_video(session, camera)
    app = open_page("recordings.py", recording=str(recording))
    app = next(b for b in app.button if b.label == asked_for).click().run()
    with database.write() as session:
        cancel_recording(session, recording)
    assert pressed in buttons(refresh(app))


def test_a_recording_that_ends_is_shown_anew_by_itself(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        recording = add_video(session, camera)
    app = open_page("recordings.py", recording=str(recording))
    app = next(b for b in app.button if b.label == "Delete").click().run()
    app = app.run()  # without the dialog
    with database.write() as session:
        cancel_recording(session, recording)
    assert "Reading was cancelled." in words(refresh(app))


def test_a_camera_clock_that_was_reset_can_be_corrected(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        recording = add_video(
            session, camera, captured_at=datetime(2000, 1, 1, tzinfo=UTC), now=NOON
        )
    app = open_page("recordings.py", recording=str(recording))
    app = next(b for b in app.button if b.label == "Correct the time").click().run()
    app.datetime_input[0].set_value(datetime(2026, 3, 2, 13, 0))  # noqa: DTZ001
    next(b for b in app.button if b.label == "Save").click()
    refresh(app)
    with database.read() as session:
        row = get_recording(session, recording)
    assert row is not None
    assert row.captured_at == NOON


@pytest.mark.parametrize("hour", [0, 1])
def test_a_time_saved_as_it_was_stays_in_its_hour_of_an_autumn_night(
    open_page: OpenPage, database: Database, camera: int, hour: int
) -> None:
    """02:30 is twice on 25 October 2026 in Berlin."""
    taken = datetime(2026, 10, 25, hour, 30, 15, tzinfo=UTC)
    with database.write() as session:
        recording = add_video(session, camera, captured_at=taken, now=NOON)
    app = open_page("recordings.py", recording=str(recording))
    app = next(b for b in app.button if b.label == "Correct the time").click().run()
    next(b for b in app.button if b.label == "Save").click()
    refresh(app)
    with database.read() as session:
        row = get_recording(session, recording)
    assert row is not None
    assert (row.captured_at, row.captured_from) == (taken, "given")


@pytest.mark.parametrize(
    "taken", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)]
)
def test_a_time_that_no_camera_can_mean_can_be_corrected(
    open_page: OpenPage, database: Database, camera: int, taken: datetime
) -> None:
    with database.write() as session:
        recording = add_video(session, camera, captured_at=taken, now=NOON)
    app = open_page("recordings.py", recording=str(recording))
    app = next(b for b in app.button if b.label == "Correct the time").click().run()
    assert not app.exception
    when = app.datetime_input[0].value
    assert when is not None
    assert when.year == taken.year
