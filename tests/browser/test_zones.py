"""Staff zones drawn by mouse and by keyboard, in a real browser."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from db.engine import Database, upgrade
from db.places import StaffZones, list_sites, update_camera
from settings import Settings
from tests.browser.conftest import OpenBrowser
from tests.browser.server import serving, settled
from tests.made_footage import Appearance, write_picture
from tests.unit.db.made_rows import add_camera

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def database(home: Path) -> Iterator[Database]:
    """A site with one camera."""
    url = Settings(home=home, database_url="").resolved_database_url
    upgrade(url)
    with closing(Database(url)) as opened:
        with opened.write() as session:
            add_camera(session)
        yield opened


@pytest.fixture(scope="module")
def address(home: Path, database: Database) -> Iterator[str]:  # noqa: ARG001  made before
    with serving(home, SATISFACE_START_WORKER="false") as address:
        yield address


def stored(database: Database) -> StaffZones:
    with database.read() as session:
        (site,) = list_sites(session)
    return site.cameras[0].staff_zones


def corner(page: Page, number: int, zone: int = 1) -> Locator:
    return page.get_by_role("button", name=re.compile(rf"^Zone {zone}, corner {number} of"))


def save(page: Page, said: str) -> None:
    page.get_by_role("button", name="Save zones").click()
    expect(page.get_by_text(said)).to_be_visible()
    settled(page)


def test_a_zone_is_drawn_by_keyboard_alone(
    address: str, database: Database, open_browser: OpenBrowser
) -> None:
    with open_browser(address, "/settings?zones=1") as page:
        settled(page)
        expect(page.get_by_role("button", name="Save zones")).to_be_disabled()
        page.get_by_role("button", name="New zone").press("Enter")
        corner(page, 1).focus()
        for key in ("ArrowLeft", "Shift+ArrowLeft", "ArrowUp"):
            page.keyboard.press(key)
        expect(page.get_by_text("29 % across, 34 % down.")).to_be_visible()
        page.get_by_role("button", name="Add a corner between corners 2 and 3").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Shift+ArrowRight")
        save(page, "1 staff zone saved for Entrance")
        assert stored(database) == (
            ((0.29, 0.34), (0.6, 0.35), (0.65, 0.5), (0.6, 0.65), (0.35, 0.65)),
        )
        corner(page, 3).focus()
        page.keyboard.press("Delete")
        page.keyboard.press("Control+z")
        expect(page.get_by_text("The last change was taken back.")).to_be_visible()
        expect(page.get_by_role("button", name="Save zones")).to_be_disabled()
        corner(page, 3).focus()
        for _ in range(4):
            page.keyboard.press("Delete")
        expect(page.get_by_text("A zone needs three corners.")).to_be_visible()
        for _ in range(60):
            page.keyboard.press("Shift+ArrowLeft")
        save(page, "1 staff zone saved for Entrance")
        (zone,) = stored(database)
        assert len(zone) == 3
        assert min(x for x, _ in zone) == 0


def test_zones_are_dragged_on_a_picture_whose_faces_are_hidden(
    address: str, database: Database, open_browser: OpenBrowser, tmp_path: Path
) -> None:
    write_picture(tmp_path / "view.png", [Appearance(320, 180)])
    with open_browser(address, "/settings?zones=1") as page:
        settled(page)
        page.locator("input[type=file]").set_input_files([str(tmp_path / "view.png")])
        expect(page.locator("svg image")).to_have_count(1)
        settled(page)
        page.get_by_role("button", name="Delete zone").click()
        page.get_by_role("button", name="New zone").click()
        board = page.locator("svg.board").bounding_box()
        assert board is not None
        drag(page, corner(page, 1), board["x"] + 0.1 * board["width"], board["y"] + 2)
        save(page, "1 staff zone saved for Entrance")
        (zone,) = stored(database)
        assert zone[0] == pytest.approx((0.1, 2 / board["height"]), abs=0.01)
        assert zone[2] == (0.6, 0.65)
        # A click that moves nothing is no change; another picture leaves what is on the board.
        corner(page, 2).click()
        expect(page.get_by_role("button", name="Save zones")).to_be_disabled()
        page.get_by_role("button", name="New zone").click()
        page.get_by_role("radio", name="No picture").click()
        expect(page.locator("svg image")).to_have_count(0)
        expect(page.get_by_role("button", name=re.compile(r"^Zone \d of 2"))).to_have_count(2)
        save(page, "2 staff zones saved for Entrance")
        page.get_by_role("button", name="Delete zone").click()
        page.get_by_role("button", name="Delete zone").click()
        save(page, "No staff zone saved for Entrance")
        assert stored(database) == ()


def test_zones_that_were_saved_elsewhere_meanwhile_are_not_drawn_over(
    address: str, database: Database, open_browser: OpenBrowser
) -> None:
    till = (((0.1, 0.1), (0.3, 0.1), (0.3, 0.3)),)
    with database.write() as session:
        update_camera(session, 1, staff_zones=())
    with open_browser(address, "/settings?zones=1") as page:
        settled(page)
        page.get_by_role("button", name="New zone").click()
        with database.write() as session:
            update_camera(session, 1, staff_zones=till)
        # What was drawn stays on the board, beside what was saved.
        save(page, "Look whether all are right, and save again.")
        assert stored(database) == till
        expect(page.get_by_role("button", name=re.compile(r"^Zone \d of 2"))).to_have_count(2)
        save(page, "2 staff zones saved for Entrance")
        both = stored(database)
        assert both[:1] == till
        assert both[1][0] == pytest.approx((0.35, 0.35))
        # So does what was deleted.
        corner(page, 1).focus()
        page.keyboard.press("ArrowLeft")
        page.get_by_role("button", name="Delete zone").click()
        door = ((0.7, 0.1), (0.9, 0.1), (0.9, 0.3))
        with database.write() as session:
            update_camera(session, 1, staff_zones=(*both, door))
        save(page, "Look whether all are right, and save again.")
        save(page, "2 staff zones saved for Entrance")
        assert stored(database) == (both[1], door)


def test_what_is_drawn_while_zones_are_being_saved_stays_on_the_board(
    address: str, database: Database, open_browser: OpenBrowser
) -> None:
    with database.write() as session:
        update_camera(session, 1, staff_zones=())
    with open_browser(address, "/settings?zones=1") as page:
        settled(page)
        for _ in range(3):
            page.get_by_role("button", name="New zone").click()
        # At once, before the page can return: the last is deleted, and the first is moved.
        page.get_by_role("button", name="Save zones").evaluate(
            """(button) => {
                const editor = button.getRootNode().querySelector(".editor");
                const right = new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true });
                button.click();
                editor.querySelector("[data-do=remove]").click();
                editor.querySelector("[data-zone='0']").dispatchEvent(right);
            }"""
        )
        expect(page.get_by_text("3 staff zones saved for Entrance")).to_be_visible()
        settled(page)
        first, second, _ = stored(database)
        save(page, "2 staff zones saved for Entrance")
        moved = tuple((round(x + 0.01, 4), y) for x, y in first)
        assert stored(database) == (moved, second)


def drag(page: Page, handle: Locator, x: float, y: float) -> None:
    box = handle.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(x, y, steps=5)
    page.mouse.up()
