"""What was uploaded is taken in to the last file, whatever begins the page anew meanwhile."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Timer
from typing import Any

import pytest
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.testing.v1 import AppTest

from db.engine import Database
from db.recording_rows import list_recordings
from db.recordings import cancel_recording
from jobs import intake
from jobs.uploads import Uploads
from pages.upload import _OUTCOMES, _RECENT, _TAKING_IN, _TakingIn
from pages.uploader import Given, uploads
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.words import buttons, words
from tests.made_footage import Appearance, write_picture
from tests.unit.db.made_rows import NOON, add_camera, add_video


@pytest.fixture
def kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> Uploads:
    """Uploads that the page is told of, with others still on their way."""
    with database.write() as session:
        add_camera(session)
    given = uploads()

    def told(camera_id: int) -> Given:  # noqa: ARG001  as the page calls it
        ids = [entry.name.removeprefix("upload-") for entry in given.folder.glob("upload-*")]
        found = [given.find(upload_id) for upload_id in ids]
        files = sorted((file for file in found if file is not None), key=lambda file: file.name)
        return Given(files, more_to_come=True)

    monkeypatch.setattr("pages.uploader.uploader", told)
    return given


def give(kept: Uploads, name: str, look: str) -> None:
    picture = kept.folder / name
    write_picture(picture, [Appearance(320, 180, look=look)])
    data = picture.read_bytes()
    picture.unlink()
    kept.create(name, len(data)).path.write_bytes(data)


def test_a_file_that_arrives_meanwhile_does_not_end_it(
    open_page: OpenPage, kept: Uploads, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, look in (("a.jpg", "warm"), ("b.jpg", "warm"), ("c.jpg", "cold"), ("d.jpg", "plain")):
        give(kept, name, look)
    admit = intake.admit

    def interrupted(*given: Any, **named: Any) -> Iterator[intake.Outcome]:
        """The uploader tells of another file while this one is taken in."""
        context = get_script_run_ctx()
        assert context is not None
        assert context.script_requests is not None
        context.script_requests.request_rerun(RerunData(page_script_hash=context.page_script_hash))
        yield from admit(*given, **named)

    monkeypatch.setattr(intake, "admit", interrupted)
    app = open_page("upload.py")
    start = next(b for b in app.button if b.label == "Read the 4 files that are in")
    app = start.click().run()
    assert not app.exception
    shown = words(app)
    assert "3 files taken in." in shown
    assert "1 file already there, not taken in again." in shown
    assert "b.jpg: " in shown
    with database.read() as session:
        names = {row.name for row in list_recordings(session, limit=10)}
    assert names == {"a.jpg", "c.jpg", "d.jpg"}
    assert list(kept.folder.glob("upload-*")) == []
    assert "Hide this" in buttons(app)


@pytest.mark.usefixtures("kept")
def test_all_that_ended_is_counted_however_much_still_waits(
    open_page: OpenPage, database: Database
) -> None:
    """As after a zip of many photos."""
    recent = []
    with database.write() as session:
        for number in range(213):
            at = NOON + timedelta(minutes=number)
            name = f"{number}.jpg"
            photo = add_video(session, 1, segments=1, name=name, captured_at=at, now=at)
            recent.append(photo)
            if number < 12:
                cancel_recording(session, photo, now=at)
    app = open_page("upload.py")
    app.session_state[_RECENT] = recent
    shown = words(app.run())
    assert "**11.jpg** · cancelled" in shown
    assert "… and 2 more, on **Recordings**" in shown
    assert "… and 191 more recordings waiting" in shown


def edit_times(app: AppTest, monkeypatch: pytest.MonkeyPatch, times: dict[int, str | None]) -> None:
    """Let the next run be told of edits in the table that is shown, as a browser tells them."""
    (table,) = app.dataframe
    rows = {row: {"Taken at": time} for row, time in times.items()}
    states = app._tree.get_widget_states()
    states.widgets.add(id=table.proto.id, string_value=json.dumps({"edited_rows": rows}))
    monkeypatch.setattr(app._tree, "get_widget_states", lambda: states)


def test_a_time_entered_while_files_arrive_is_kept(
    open_page: OpenPage, kept: Uploads, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that is told of it is told of another file, too."""
    give(kept, "b.jpg", "warm")
    give(kept, "c.jpg", "cold")
    app = open_page("upload.py")
    give(kept, "a.jpg", "plain")
    edit_times(app, monkeypatch, {1: "2026-03-02T13:00:00.000"})
    app = app.run()
    assert not app.exception
    shown = app.dataframe[0].value
    assert shown["File"].tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert shown["Taken at"].isna().tolist() == [True, True, False]
    next(b for b in app.button if b.label == "Read the 3 files that are in").click().run()
    with database.read() as session:
        given = {
            row.name: row.captured_at
            for row in list_recordings(session)
            if row.captured_from == "given"
        }
    assert given == {"c.jpg": datetime(2026, 3, 2, 12, 0, tzinfo=UTC)}


def test_a_time_is_kept_while_another_page_is_shown(
    open_page: OpenPage, kept: Uploads, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(kept, "a.jpg", "plain")
    give(kept, "b.jpg", "warm")
    app = open_page("upload.py")
    edit_times(app, monkeypatch, {1: "2026-03-02T13:00:00.000"})
    app = app.run().switch_page("model.py").run().switch_page("upload.py").run()
    assert app.dataframe[0].value["Taken at"].isna().tolist() == [True, False]
    edit_times(app, monkeypatch, {0: "2026-03-02T14:00:00.000"})
    app = app.run().switch_page("model.py").run().switch_page("upload.py").run()
    next(b for b in app.button if b.label == "Read the 2 files that are in").click().run()
    with database.read() as session:
        taken = {row.name: row.captured_at for row in list_recordings(session)}
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert taken == {"a.jpg": noon + timedelta(hours=1), "b.jpg": noon}


def test_a_time_is_kept_where_the_page_is_left_at_once(
    open_page: OpenPage, kept: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the run that is told of it comes to the table."""
    give(kept, "a.jpg", "plain")
    app = open_page("upload.py")
    edit_times(app, monkeypatch, {0: "2026-03-02T13:00:00.000"})
    app = app.switch_page("model.py").run().switch_page("upload.py").run()
    assert not app.dataframe[0].value["Taken at"].isna().any()


def test_a_time_that_is_emptied_again_while_files_arrive_is_not_kept(
    open_page: OpenPage, kept: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(kept, "b.jpg", "warm")
    app = open_page("upload.py")
    edit_times(app, monkeypatch, {0: "2026-03-02T13:00:00.000"})
    app = app.run()
    give(kept, "a.jpg", "plain")
    edit_times(app, monkeypatch, {0: None})
    app = app.run()
    assert app.dataframe[0].value["Taken at"].isna().all()


def test_a_file_s_own_time_counts_until_another_is_entered(
    open_page: OpenPage, kept: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(kept, "20260302_130000.jpg", "warm")
    app = open_page("upload.py")
    assert not app.info
    edit_times(app, monkeypatch, {0: None})
    (said,) = app.run().info
    assert "the time that the file tells still counts" in said.value
    assert "taken now" not in said.value


@pytest.mark.usefixtures("kept")
def test_a_page_that_begins_anew_waits_for_the_file_in_hand(open_page: OpenPage) -> None:
    """Streamlit begins the next run of a page before the one that takes a file in has ended."""
    app = open_page("upload.py")
    in_hand = _TakingIn([], 1, 1)
    outcomes: list[intake.Outcome] = []
    app.session_state[_TAKING_IN], app.session_state[_OUTCOMES] = in_hand, outcomes
    in_hand.in_hand.acquire()

    def ready() -> None:
        outcomes.append(intake.Accepted("a.jpg", 1, datetime.now(UTC), "upload"))
        in_hand.in_hand.release()

    Timer(0.5, ready).start()
    assert "1 file taken in." in words(app.run())
    assert _TAKING_IN not in app.session_state
