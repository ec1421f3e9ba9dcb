"""The main job in a real browser: footage comes in, is read, is shown and is handed on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pypdf
import pytest
from playwright.sync_api import expect

from fer_core.types import Box
from tests.browser.conftest import OpenBrowser
from tests.browser.server import reading, serving, settled
from tests.browser.steps import (
    add_first_camera,
    choose,
    download,
    metric,
    open_page,
    upload,
    wait_until_read,
)
from tests.made_footage import Appearance, bad_uploads, write_picture, write_video, write_zip
from tests.workbooks import Book

pytestmark = pytest.mark.browser

LEFT = Appearance(160, 180, start_s=0, end_s=6)
RIGHT = Appearance(480, 180, start_s=2, end_s=8, look="mirrored")
STARTED = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Done:
    """``box``: of the one face in portrait.jpg."""

    address: str
    box: Box
    uploads_page_said: str


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, open_browser: OpenBrowser) -> Iterator[Done]:
    """A server whose first footage was uploaded and read in the browser: one video with two
    people, a picture, a zip of two pictures, and two files that cannot be used."""
    footage = tmp_path_factory.mktemp("footage")
    write_video(footage / "aisle.mp4", [LEFT, RIGHT], seconds=9, created=STARTED)
    (box,) = write_picture(footage / "portrait.jpg", captured=datetime(2026, 3, 3, 11, 15))  # noqa: DTZ001
    write_picture(footage / "a.jpg", [Appearance(320, 180, look="warm")])
    write_picture(footage / "b.jpg", [Appearance(220, 160, look="cold")])
    write_zip(
        footage / "more.zip",
        {
            "IMG_20260303_120000.jpg": footage / "a.jpg",
            "IMG_20260304_120000.jpg": footage / "b.jpg",
        },
    )
    bad = bad_uploads(footage / "bad")
    home = tmp_path_factory.mktemp("home")
    with serving(home, SATISFACE_MINIMUM_PEOPLE="3", SATISFACE_START_WORKER="false") as address:
        with open_browser(address) as page:
            page.get_by_role("button", name="Upload footage").click()
            add_first_camera(page, "Main Street", "Entrance")
            upload(
                page,
                [
                    footage / "aisle.mp4",
                    footage / "portrait.jpg",
                    footage / "more.zip",
                    bad["text"],
                    bad["sound_only"],
                ],
            )
            expect(page.get_by_text("4 files taken in.")).to_be_visible()
            said = page.get_by_test_id("stMain").inner_text()
            # Nobody reads yet: each of them is seen to wait.
            expect(page.get_by_test_id("stProgress")).to_have_count(4)
            expect(page.get_by_text("Waiting for its turn")).to_have_count(4)
            with reading(home):
                # Nothing is touched from here on: the page itself shows how far it is.
                wait_until_read(page, 240)
            expect(page.get_by_test_id("stProgress")).to_have_count(0)
        yield Done(address, box, said)


def test_bad_files_get_a_sentence_each_and_stop_nothing(done: Done) -> None:
    assert "2 files could not be taken in." in done.uploads_page_said
    assert "text.mp4: " in done.uploads_page_said
    assert "sound_only.mp4: " in done.uploads_page_said


def test_overview_shows_all_people(done: Done, open_browser: OpenBrowser) -> None:
    with open_browser(done.address) as page:
        settled(page)
        assert metric(page, "People") == "5"
        assert 0 <= float(metric(page, "Satisfaction index")) <= 100
        expect(page.get_by_text("26 Feb 2026 to 4 Mar 2026")).to_be_visible()
        expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible()


def test_recordings_show_what_each_held(done: Done, open_browser: OpenBrowser) -> None:
    with open_browser(done.address, "/recordings") as page:
        expect(page.get_by_text("4 recordings")).to_be_visible()
        settled(page)
        assert page.get_by_test_id("stMain").get_by_text("Done").count() == 4
        page.get_by_role("link", name="aisle.mp4").click()
        expect(page.get_by_role("heading", name="aisle.mp4")).to_be_visible()
        expect(page.get_by_text("2 people").first).to_be_visible()
        expect(page.get_by_text("3 Mar 2026, 10:30:00 CET")).to_be_visible()
        expect(page.get_by_text("deleted after reading")).to_be_visible()
        expect(page.get_by_test_id("stPlotlyChart")).to_be_visible()
        address_of_it = page.url
        page.get_by_role("button", name="All recordings").click()
        expect(page.get_by_text("4 recordings")).to_be_visible()
    with open_browser(done.address, address_of_it.removeprefix(done.address)) as page:
        expect(page.get_by_role("heading", name="aisle.mp4")).to_be_visible()


def test_the_rows_of_one_recording_can_be_downloaded(
    done: Done, open_browser: OpenBrowser, tmp_path: Path
) -> None:
    with open_browser(done.address, "/recordings") as page:
        page.get_by_role("link", name="portrait.jpg").click()
        rows = pd.read_csv(download(page, "Download its rows (CSV)", tmp_path))
    assert list(rows["recording"]) == ["portrait.jpg"]
    assert _overlap(rows.iloc[0], done.box) > 0.5


def test_reports_hand_on_what_was_read(
    done: Done, open_browser: OpenBrowser, tmp_path: Path
) -> None:
    with open_browser(done.address, "/reports") as page:
        settled(page)
        assert metric(page, "People") == "5"
        rows = {
            name: (
                pd.read_csv(download(page, f"{name} (CSV)", tmp_path)),
                pd.read_parquet(download(page, f"{name} (Parquet)", tmp_path)),
                Book(download(page, f"{name} (Excel)", tmp_path).read_bytes()),
            )
            for name in ("Faces", "People", "Hours")
        }
        workbook = Book(download(page, "Workbook (Excel)", tmp_path).read_bytes())
        pdf = pypdf.PdfReader(download(page, "Report (PDF)", tmp_path))
    for as_csv, as_parquet, as_workbook in rows.values():
        assert list(as_csv) == list(as_parquet) == list(as_workbook.table("Rows"))
        assert len(as_csv) == len(as_parquet) == len(as_workbook.table("Rows"))
        assert as_csv["site"].unique().tolist() == ["Main Street"]
    predictions, tracks, buckets = (rows[name][0] for name in ("Faces", "People", "Hours"))
    assert len(tracks) == 5
    indices = tracks[["start_index", "end_index"]].to_numpy()
    assert ((indices >= 0) & (indices <= 100)).all()
    assert len(workbook.sheets) == 6
    assert set(predictions["person_id"]) == set(tracks["person_id"])
    assert int(buckets["people"].sum()) == 5
    seen = tracks[tracks["recording"] == "aisle.mp4"].sort_values("start_ms")
    starts, ends = seen["start_ms"].tolist(), seen["end_ms"].tolist()
    assert starts == pytest.approx([0, 2000], abs=400)
    assert ends == pytest.approx([6000, 8000], abs=400)
    text = "\n".join(page.extract_text() for page in pdf.pages)
    assert "Main Street" in text
    assert "Satisfaction" in text


def test_the_choice_stands_in_the_address(done: Done, open_browser: OpenBrowser) -> None:
    with open_browser(done.address, "/?period=Last+day") as page:
        settled(page)
        assert metric(page, "People") == "1"
        expect(page.get_by_text("4 Mar 2026, on each site")).to_be_visible()


def test_what_is_there_already_is_not_taken_in_again(
    done: Done, open_browser: OpenBrowser, tmp_path: Path
) -> None:
    write_picture(tmp_path / "again.jpg", captured=datetime(2026, 3, 3, 11, 15))  # noqa: DTZ001
    with open_browser(done.address, "/upload") as page:
        choose(page, [tmp_path / "again.jpg"])
        known = "Entrance has this file already, as portrait.jpg (done). Not sent again."
        expect(page.get_by_role("list").get_by_text(known)).to_be_visible()
        expect(page.get_by_role("button", name="Start reading")).to_be_hidden()


def test_every_page_opens_from_the_menu(done: Done, open_browser: OpenBrowser) -> None:
    with open_browser(done.address) as page:
        settled(page)
        menu = page.get_by_test_id("stSidebarNav").get_by_role("link")
        names = [name.strip().splitlines()[-1] for name in menu.all_inner_texts()]
        assert len(names) == 7
        for name in names:
            open_page(page, name)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            assert len(page.get_by_test_id("stMain").inner_text()) > 100


PATHS = (
    "/",
    "/compare",
    "/upload",
    "/recordings",
    "/recordings?recording=1",
    "/reports",
    "/model",
    "/settings",
    "/settings?zones=1",
)


@pytest.mark.parametrize("path", PATHS)
def test_no_page_is_wider_than_a_phone(done: Done, open_browser: OpenBrowser, path: str) -> None:
    with open_browser(done.address, path, width=390) as page:
        settled(page)
        main = page.get_by_test_id("stMain")
        wide, shown = main.evaluate("box => [box.scrollWidth, box.clientWidth]")
        assert wide <= shown


def test_the_pages_can_be_walked_by_keyboard(done: Done, open_browser: OpenBrowser) -> None:
    with open_browser(done.address) as page:
        settled(page)
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("() => document.activeElement.textContent").endswith("Recordings"):
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Recordings", level=1)).to_be_visible()


def test_health_is_told_to_whatever_watches(done: Done, open_browser: OpenBrowser) -> None:
    with open_browser(done.address) as page:
        settled(page)
        answer = page.request.get(f"{done.address}/healthz")
        assert answer.json()["status"] == "ok"
        open_page(page, "Model")


def _overlap(row: "pd.Series[float]", box: Box) -> float:
    """Intersection over union."""
    width = min(row["x"] + row["width"], box.x + box.width) - max(row["x"], box.x)
    height = min(row["y"] + row["height"], box.y + box.height) - max(row["y"], box.y)
    shared = max(width, 0) * max(height, 0)
    union = row["width"] * row["height"] + box.width * box.height - shared
    return float(shared / union)
