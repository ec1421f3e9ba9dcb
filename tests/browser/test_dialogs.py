"""What needs an answer before it is done: correcting, deleting, renaming, in a real browser."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from db.engine import Database, upgrade
from db.places import create_site, list_sites
from db.recording_rows import get_recording
from db.recordings import cancel_recording
from db.retention import KeptDays, kept_days
from settings import Settings
from tests.browser.conftest import OpenBrowser
from tests.browser.server import serving, settled
from tests.made_jobs import away, hold_footage
from tests.unit.db.made_rows import Person, Scene, add_camera, add_video, read_segment

pytestmark = pytest.mark.browser


def at_home(folder: Path) -> Settings:
    return Settings(home=folder, database_url="", footage_url="")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A site with one camera and one recording of 12 people."""
    url = at_home(tmp_path).resolved_database_url
    upgrade(url)
    with closing(Database(url)) as opened:
        with opened.write() as session:
            recording = add_video(session, add_camera(session), segments=1)
            people = [Person([n * 5000, n * 5000 + 1000]) for n in range(12)]
            read_segment(session, recording, Scene(people, segments=1), 0)
        yield opened


def test_a_recording_is_corrected_and_then_deleted(
    tmp_path: Path, database: Database, open_browser: OpenBrowser
) -> None:
    footage = hold_footage(at_home(tmp_path), 1)
    with (
        serving(tmp_path, SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/recordings?recording=1") as page,
    ):
        page.get_by_role("button", name="Correct the time").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("and seconds").fill("30")
        dialog.get_by_label("and seconds").press("Enter")
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_text("now begins at 2 Mar 2026, 13:00:30 CET")).to_be_visible()
        with database.read() as session:
            row = get_recording(session, 1)
        assert row is not None
        assert (row.captured_at.second, row.captured_from) == (30, "given")

        settled(page)
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_text("12 people, 24 faces")).to_be_visible()
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("button", name="Delete for good").click()
        expect(page.get_by_text("monday.mp4 was deleted.")).to_be_visible()
        expect(page.get_by_text("Nothing was uploaded yet")).to_be_visible()
        with database.read() as session:
            assert get_recording(session, 1) is None
        assert not footage.exists()


def test_a_dialog_stays_open_when_the_recording_ends_under_it(
    tmp_path: Path, database: Database, open_browser: OpenBrowser
) -> None:
    with database.write() as session:
        (site,) = list_sites(session)
        waits = add_video(session, site.cameras[0].id, name="tuesday.mp4")
    with (
        serving(tmp_path, SATISFACE_START_WORKER="false") as address,
        open_browser(address, f"/recordings?recording={waits}") as page,
    ):
        waiting = page.get_by_text("Waiting for its turn")
        expect(waiting).to_be_visible()
        settled(page)
        page.get_by_role("button", name="Correct the time").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("and seconds").fill("30")
        dialog.get_by_label("and seconds").press("Enter")
        with database.write() as session:
            cancel_recording(session, waits)
        expect(waiting).to_be_hidden()
        settled(page)
        expect(dialog.get_by_label("and seconds")).to_have_value("30")
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_be_hidden()
        expect(page.get_by_text("Reading was cancelled.")).to_be_visible()


def test_a_recording_goes_while_the_footage_store_is_away(
    tmp_path: Path, database: Database, open_browser: OpenBrowser
) -> None:
    footage = hold_footage(at_home(tmp_path), 1)
    with (
        serving(tmp_path, SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/recordings?recording=1") as page,
    ):
        settled(page)
        page.get_by_role("button", name="Delete", exact=True).click()
        with away(at_home(tmp_path)):
            page.get_by_role("button", name="Delete for good").click()
            expect(
                page.get_by_text("monday.mp4 was deleted. Its footage could not")
            ).to_be_visible()
        with database.read() as session:
            assert get_recording(session, 1) is None
        assert footage.exists()  # for the sweep


def test_a_site_is_renamed_and_a_used_camera_stays(
    tmp_path: Path, database: Database, open_browser: OpenBrowser
) -> None:
    with (
        serving(tmp_path, SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/settings") as page,
    ):
        settled(page)
        page.get_by_role("button", name="Edit", exact=True).click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("textbox", name="Name").fill("High Street")
        dialog.get_by_role("textbox", name="Name").press("Enter")
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_text("High Street was saved.")).to_be_visible()
        with database.read() as session:
            (site,) = list_sites(session)
        assert site.name == "High Street"
        settled(page)
        page.get_by_role("button", name="Delete", exact=True).last.click()
        expect(page.get_by_text("still has 1 recording")).to_be_visible()
        expect(page.get_by_role("button", name="Delete for good")).to_have_count(0)


def test_what_a_camera_saw_in_a_time_is_deleted_on_request(
    tmp_path: Path, database: Database, open_browser: OpenBrowser
) -> None:
    footage = hold_footage(at_home(tmp_path), 1)
    with (
        serving(tmp_path, SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/settings") as page,
    ):
        settled(page)
        page.get_by_role("button", name="Delete a time").click()
        dialog = page.get_by_role("dialog")

        def enter(label: str, moment: str) -> None:
            dialog.get_by_role("spinbutton", name=f"day, {label}").focus()
            page.keyboard.type(moment)
            page.keyboard.press("Escape")  # closes the calendar, and with that it is entered
            expect(page.get_by_role("grid")).to_have_count(0)
            settled(page)

        enter("From", "020320261300")
        enter("To", "020320261259")
        expect(dialog.get_by_text("The end must come after the first moment.")).to_be_visible()
        enter("To", "020320261301")
        expect(dialog.get_by_text("1 recording touches this time")).to_be_visible()
        settled(page)
        dialog.get_by_role("button", name="Delete for good").click()
        expect(page.get_by_text("12 people, 1 piece of footage.")).to_be_visible()
        with database.read() as session:
            row = get_recording(session, 1)
        assert row is not None
        assert row.people == 0
        assert not footage.exists()


def test_a_site_gets_its_hours_and_rows_their_time(
    tmp_path: Path, database: Database, open_browser: OpenBrowser
) -> None:
    with (
        serving(tmp_path, SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/settings") as page,
    ):
        settled(page)
        page.get_by_role("button", name="Edit", exact=True).click()
        dialog = page.get_by_role("dialog")
        for name, value in (("Target", "62"), ("Monday", "9 to"), ("Tuesday", "9-20")):
            dialog.get_by_label(name, exact=True).fill(value)
            dialog.get_by_label(name, exact=True).press("Enter")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_text("Monday: write opening hours like")).to_be_visible()
        dialog.get_by_label("Monday", exact=True).fill("")
        dialog.get_by_label("Monday", exact=True).press("Enter")
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Tue 9:00 to 20:00")).to_be_visible()
        with database.read() as session:
            (site,) = list_sites(session)
        assert (site.target, site.opening_hours[:3]) == (62, (None, (540, 1200), None))

        settled(page)
        page.get_by_label("People, days").fill("30")
        page.get_by_label("People, days").press("Enter")
        settled(page)
        page.get_by_role("button", name="Save", exact=True).last.click()
        expect(page.get_by_text("24 single faces, 12 people")).to_be_visible()
        page.get_by_role("button", name="Save and delete").click()
        expect(page.get_by_text("How long rows are kept was saved.")).to_be_visible()
        with database.read() as session:
            assert kept_days(session) == KeptDays(people=30)


def test_a_dialog_that_is_closed_leaves_nothing_for_the_next(
    tmp_path: Path, database: Database, open_browser: OpenBrowser
) -> None:
    with database.write() as session:
        create_site(session, "Another", "Europe/Berlin")
    with (
        serving(tmp_path, SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/settings") as page,
    ):
        dialog = page.get_by_role("dialog")

        def close() -> None:
            settled(page)
            dialog.get_by_role("button", name="Close").click()
            expect(dialog).to_be_hidden()
            settled(page)

        settled(page)
        edit = page.get_by_role("button", name="Edit", exact=True)
        for site in (edit.first, edit.last):
            site.click()
            target = dialog.get_by_label("Target", exact=True)
            expect(target).to_have_value("")
            target.fill("80")
            target.press("Enter")
            close()
        # A key that was made is in the list, even where its dialog is closed without "Done".
        page.get_by_role("button", name="New key").click()
        dialog.get_by_label("What it is for").fill("Recorder")
        dialog.get_by_role("button", name="Make the key").click()
        expect(dialog.get_by_text("It is not shown again")).to_be_visible()
        close()
        expect(page.get_by_text("Recorder")).to_be_visible()

        page.goto(f"{address}/reports")
        for _ in range(2):
            settled(page)
            page.get_by_role("button", name="New schedule").click()
            recipients = dialog.get_by_role("textbox", name="By mail to")
            expect(recipients).to_have_value("")
            recipients.fill("ada@example.org")
            recipients.press("Control+Enter")
            close()
