"""What a manager does, in steps."""

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.server import settled


def add_first_camera(page: Page, site: str, camera: str) -> None:
    page.get_by_role("textbox", name="Store").fill(site)
    page.get_by_role("textbox", name="Camera").fill(camera)
    page.get_by_role("button", name="Save and go on").click()
    expect(page.get_by_text(f"{site} / {camera} was added.")).to_be_visible()


def choose(page: Page, files: Sequence[Path]) -> None:
    page.get_by_test_id("files").set_input_files([str(file) for file in files])


def upload(page: Page, files: Sequence[Path]) -> None:
    """From choosing files to their being taken in."""
    choose(page, files)
    page.get_by_role("button", name="Start reading").click(timeout=180_000)
    expect(page.get_by_text("Taking in")).to_be_hidden(timeout=180_000)
    expect(page.get_by_text("taken in.").first).to_be_visible(timeout=180_000)


def wait_until_read(page: Page, seconds: float) -> None:
    """The page itself says so: nothing has a Cancel button any more."""
    expect(page.get_by_role("heading", name="Finished")).to_be_visible(timeout=seconds * 1000)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=seconds * 1000)


def open_page(page: Page, name: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    settled(page)


def metric(page: Page, label: str) -> str:
    """The value of the figure with this label."""
    box = page.get_by_test_id("stMetric").filter(has_text=label)
    return box.get_by_test_id("stMetricValue").inner_text().strip()


def download(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download(timeout=120_000) as waiting:
        either = page.get_by_role("button", name=button).or_(page.get_by_role("link", name=button))
        either.click()
    target = folder / waiting.value.suggested_filename
    waiting.value.save_as(target)
    return target
