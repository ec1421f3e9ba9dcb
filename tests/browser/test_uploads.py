"""Files on their way through a network and a server that fail."""

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, FileChooser, Page, Route, expect

from jobs.uploads import Upload, Uploads
from tests.browser.bad_network import BadNetwork
from tests.browser.conftest import OpenBrowser
from tests.browser.server import serving, settled
from tests.browser.steps import add_first_camera, choose, open_page
from tests.made_footage import Appearance, write_picture
from tests.made_jobs import until

pytestmark = pytest.mark.browser

SIZE = 40_000_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "monday.mp4"
    path.write_bytes(random.Random(3).randbytes(SIZE))
    return path


class Server:
    """The dashboard behind a bad network, at an address that stays when it is restarted."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home = home
        self._stack = stack
        self._running = stack.enter_context(ExitStack())
        self.network = stack.enter_context(BadNetwork(self._start(), bytes_a_second=8e6))

    def _start(self) -> int:
        address = self._running.enter_context(serving(self.home, SATISFACE_START_WORKER="false"))
        return int(urlsplit(address).port or 0)

    def restart(self) -> None:
        self.network.is_down = True
        self.network.cut()
        self._running.close()
        self.network.port = self._start()
        self.network.is_down = False

    def uploads(self) -> list[Upload]:
        folder = self.home / "unfinished"
        kept = Uploads(folder)
        ids = [entry.name.removeprefix("upload-") for entry in folder.glob("upload-*")]
        found = [kept.find(upload_id) for upload_id in ids]
        return [upload for upload in found if upload is not None]

    def arrived(self) -> int:
        return max((upload.offset for upload in self.uploads()), default=0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with ExitStack() as stack:
        yield Server(tmp_path / "home", stack)


@contextmanager
def upload_page(browser: Browser, server: Server) -> Iterator[tuple[BrowserContext, Page]]:
    """The Upload page, with a camera. What a browser says of broken connections is no fault."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(120_000)
    try:
        page = context.new_page()
        page.goto(f"{server.network.address}/upload")
        add_first_camera(page, "Main Street", "Entrance")
        settled(page)
        yield context, page
    finally:
        context.close()


def wait_for(page: Page, true: Callable[[], object]) -> None:
    """Unlike a plain wait it lets the page's own requests through Playwright."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if true():
            return
        page.wait_for_timeout(100)
    pytest.fail("it did not come about in four minutes")


def is_the_same(server: Server, file: Path) -> bool:
    (upload,) = server.uploads()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with upload.path.open("rb") as arrived:
        same = hashlib.file_digest(arrived, "sha256").hexdigest() == digest
    return same and upload.sha256 in {None, digest}


def test_a_file_survives_cuts_a_pause_and_a_restart(
    browser: Browser, server: Server, large: Path
) -> None:
    with upload_page(browser, server) as (_, page):
        choose(page, [large])
        for part in (5e6, 12e6):
            wait_for(page, lambda part=part: server.arrived() > part)  # type: ignore[misc]
            server.network.cut()

        wait_for(page, lambda: server.arrived() > 16e6)
        with server.network.crawling():
            page.get_by_role("button", name="Pause").click()
            expect(page.get_by_text("paused", exact=False).first).to_be_visible()

        def is_still() -> bool:
            """What is on its way when the button is pressed still comes."""
            before = server.network.sent
            page.wait_for_timeout(1000)
            return server.network.sent - before < 100_000

        wait_for(page, is_still)
        assert server.arrived() < large.stat().st_size
        page.get_by_role("button", name="Go on").click()

        wait_for(page, lambda: server.arrived() > 24e6)
        server.network.is_down = True
        server.network.cut()
        expect(page.get_by_text("The connection is lost.").first).to_be_visible()
        server.network.is_down = False
        wait_for(page, lambda: server.arrived() > 30e6)
        server.restart()

        # It is no video, and the page says so once all of it has come.
        expect(page.get_by_text("1 file cannot be read")).to_be_visible()
        assert is_the_same(server, large)


@contextmanager
def answering(page: Page, status: int) -> Iterator[None]:
    """What a proxy answers in the server's place."""

    def answer(route: Route) -> None:
        route.fulfill(status=status)

    page.route("**/api/uploads**", answer)
    yield
    page.unroute_all()


def test_answers_that_pass_do_not_end_an_upload(
    browser: Browser, server: Server, large: Path
) -> None:
    """A proxy whose server is restarted, one whose sign-in ran out, a line that was silent."""
    lost, out = "The connection is lost.", "You are signed out."
    with upload_page(browser, server) as (_, page):
        choose(page, [large])
        for part, status, sentence in ((5e6, 502, lost), (15e6, 401, out), (25e6, 408, lost)):
            wait_for(page, lambda part=part: server.arrived() > part)  # type: ignore[misc]
            with answering(page, status):
                server.network.cut()
                expect(page.get_by_text(sentence).first).to_be_visible()
        expect(page.get_by_text("1 file cannot be read")).to_be_visible()
        assert is_the_same(server, large)


def test_a_file_that_was_taken_away_holds_up_no_other(
    tmp_path: Path, browser: Browser, server: Server, large: Path
) -> None:
    taken, other = tmp_path / "card.mp4", tmp_path / "portrait.jpg"
    taken.write_bytes(large.read_bytes())
    write_picture(other)
    with upload_page(browser, server) as (_, page):
        choose(page, [taken])
        wait_for(page, lambda: server.arrived() > 3e6)
        taken.unlink()
        server.network.cut()
        sentence = "Not sent: was changed, moved or taken away; choose it again."
        expect(page.get_by_text(sentence)).to_be_visible()
        choose(page, [other])
        expect(page.get_by_role("button", name="Start reading")).to_be_enabled()


def test_a_closed_tab_goes_on_where_it_was(
    tmp_path: Path, browser: Browser, server: Server, large: Path
) -> None:
    with upload_page(browser, server) as (context, page):
        choose(page, [large])
        wait_for(page, lambda: server.arrived() > 15e6)
        with server.network.crawling():
            page.close()
        page = context.new_page()
        page.goto(f"{server.network.address}/upload")
        expect(page.get_by_text("Not finished last time: monday.mp4.")).to_be_visible()
        before = server.network.sent
        choose(page, [large])
        expect(page.get_by_text("1 file cannot be read")).to_be_visible()
        assert server.network.sent - before < SIZE - 10e6
        assert is_the_same(server, large)

        # In, but not yet read: it is still there after the tab was closed once more.
        page.close()
        page = context.new_page()
        page.goto(f"{server.network.address}/upload")
        expect(page.get_by_text("1 file cannot be read")).to_be_visible()

        # Chosen once more, as with its folder, it is not sent again.
        write_picture(tmp_path / "portrait.jpg")
        choose(page, [large, tmp_path / "portrait.jpg"])
        expect(page.get_by_role("button", name="Start reading")).to_be_enabled()
        assert sorted(upload.name for upload in server.uploads()) == ["monday.mp4", "portrait.jpg"]


def test_what_is_in_is_remembered_for_all_tabs(
    tmp_path: Path, browser: Browser, server: Server
) -> None:
    with upload_page(browser, server) as (context, first):
        second = context.new_page()
        second.goto(f"{server.network.address}/upload")
        # Drawn before anything is in, it knows of nothing but its own.
        expect(second.get_by_role("button", name="Choose files")).to_be_visible()
        for page, look in ((first, "warm"), (second, "cold")):
            picture = tmp_path / f"{look}.jpg"
            write_picture(picture, [Appearance(320, 180, look=look)])
            choose(page, [picture])
            expect(page.get_by_role("button", name="Start reading")).to_be_enabled()
            page.close()
        page = context.new_page()
        page.goto(f"{server.network.address}/upload")
        page.get_by_role("button", name="Start reading").click()
        expect(page.get_by_text("2 files taken in.")).to_be_visible()


def test_uploads_go_on_while_another_page_is_shown(
    browser: Browser, server: Server, large: Path
) -> None:
    with upload_page(browser, server) as (_, page):
        choose(page, [large])
        wait_for(page, lambda: server.arrived() > 3e6)
        navigation = page.get_by_test_id("stSidebarNav")
        navigation.get_by_role("link", name="Recordings").click()
        expect(page.get_by_role("heading", name="Recordings", level=1)).to_be_visible()
        wait_for(page, lambda: server.arrived() == SIZE)
        navigation.get_by_role("link", name="Upload").click()
        expect(page.get_by_text("1 file cannot be read")).to_be_visible()


def test_a_time_that_was_entered_stays_while_another_page_is_shown(
    tmp_path: Path, open_browser: OpenBrowser
) -> None:
    write_picture(tmp_path / "portrait.jpg")
    with (
        serving(tmp_path / "home", SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/upload") as page,
    ):
        add_first_camera(page, "Main Street", "Entrance")
        choose(page, [tmp_path / "portrait.jpg"])
        untold = page.get_by_text("Some files do not tell when they were taken.")
        expect(untold).to_be_visible()
        settled(page)
        page.get_by_test_id("stDataFrame").click(position={"x": 40, "y": 50})
        for key in ("ArrowRight", "ArrowRight", "Enter"):
            page.keyboard.press(key)
        page.locator("input[type=datetime-local]").fill("2026-03-02T13:00:00")
        page.keyboard.press("Enter")
        expect(untold).to_be_hidden()
        settled(page)
        open_page(page, "Model")
        open_page(page, "Upload")
        expect(page.get_by_test_id("glide-cell-2-0")).to_have_text("2026-03-02 13:00:00")
        expect(untold).to_be_hidden()


def test_a_file_on_its_way_can_be_taken_back(browser: Browser, server: Server, large: Path) -> None:
    with upload_page(browser, server) as (_, page):
        choose(page, [large])
        wait_for(page, lambda: server.arrived() > 3e6)
        with server.network.crawling():
            page.get_by_role("button", name="Remove monday.mp4").click()
        until(lambda: server.uploads() == [])
        expect(page.get_by_role("button", name="Pause")).to_be_hidden()


def test_folders_come_with_their_names_and_without_hidden_files(
    tmp_path: Path, open_browser: OpenBrowser
) -> None:
    folder = tmp_path / "week 9"
    (folder / "monday").mkdir(parents=True)
    write_picture(folder / "monday" / "IMG_20260302_120000.jpg")
    write_picture(folder / "portrait.jpg", [Appearance(320, 180, look="warm")])
    (folder / ".DS_Store").write_bytes(b"x")
    with (
        serving(tmp_path / "home", SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/upload") as page,
    ):
        add_first_camera(page, "Main Street", "Entrance")
        settled(page)
        page.get_by_test_id("folder").set_input_files(folder)
        page.get_by_role("button", name="Start reading").click()
        expect(page.get_by_text("2 files taken in.")).to_be_visible()
        expect(page.get_by_text("week 9/monday/IMG_20260302_120000.jpg").first).to_be_visible()
        assert list((tmp_path / "home" / "unfinished").iterdir()) == []


def drop(page: Page, *paths: Path) -> None:
    """Files and folders of this machine, as a hand drags them in from its desktop."""
    box = page.get_by_label("Footage to upload").locator(".zone").bounding_box()
    assert box is not None
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send(
            "Input.dispatchDragEvent",
            {
                "type": kind,
                "x": box["x"] + box["width"] / 2,
                "y": box["y"] + box["height"] / 2,
                "data": data,
            },
        )
    devtools.detach()


def test_dropped_folders_are_taken_in_with_all_that_lies_in_them(
    tmp_path: Path, open_browser: OpenBrowser
) -> None:
    week = tmp_path / "week 9"
    (week / "monday" / "morning").mkdir(parents=True)
    (week / "nothing here").mkdir()
    write_picture(week / "monday" / "morning" / "IMG_20260302_090000.jpg")
    write_picture(week / "monday" / "IMG_20260302_120000.jpg", [Appearance(320, 180, look="warm")])
    (week / "monday" / "notes.txt").write_text("The door camera was cleaned at ten.")
    (week / ".DS_Store").write_bytes(b"x")
    write_picture(tmp_path / "portrait.jpg", [Appearance(320, 180, look="cold")])
    with (
        serving(tmp_path / "home", SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/upload") as page,
    ):
        add_first_camera(page, "Main Street", "Entrance")
        settled(page)
        drop(page, week, tmp_path / "portrait.jpg")
        expect(page.get_by_text("1 file cannot be read; the others are:")).to_be_visible()
        expect(
            page.get_by_text(
                "week 9/monday/notes.txt: this is a text file, not a picture or a video."
            )
        ).to_be_visible()
        page.get_by_role("button", name="Start reading").click()
        expect(page.get_by_text("3 files taken in.")).to_be_visible()
        for name in (
            "week 9/monday/morning/IMG_20260302_090000.jpg",
            "week 9/monday/IMG_20260302_120000.jpg",
            "portrait.jpg",
        ):
            expect(page.get_by_text(name).first).to_be_visible()
        assert list((tmp_path / "home" / "unfinished").iterdir()) == []


def test_the_uploader_can_be_used_by_keyboard(tmp_path: Path, open_browser: OpenBrowser) -> None:
    with (
        serving(tmp_path, SATISFACE_START_WORKER="false") as address,
        open_browser(address, "/upload") as page,
    ):
        dialogues: list[FileChooser] = []
        page.on("filechooser", lambda dialogue: dialogues.append(dialogue))
        add_first_camera(page, "Main Street", "Entrance")
        settled(page)
        choose_files = page.get_by_role("button", name="Choose files")

        def is_asked() -> bool:
            """On a busy machine the browser hears late that a dialogue is to be handed over, and
            the page may be drawn once more: the key is pressed until the dialogue is there."""
            if not dialogues:
                choose_files.press("Enter")
                page.wait_for_timeout(1000)
            return bool(dialogues)

        wait_for(page, is_asked)
        write_picture(tmp_path / "portrait.jpg")
        dialogues[0].set_files(tmp_path / "portrait.jpg")
        expect(page.get_by_role("button", name="Start reading")).to_be_visible()
        assert page.get_by_role("status").first.inner_text() != ""
