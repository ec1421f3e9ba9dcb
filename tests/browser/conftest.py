import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.server import NoChromium, Watch, chromium, find_chromium

OpenBrowser = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        find_chromium()
    except NoChromium as missing:
        if os.environ.get("SATISFACE_REQUIRE_BROWSER") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def open_browser(browser: Browser) -> OpenBrowser:
    """``with open_browser(address, "/path") as page``: afterwards the page must have asked for
    nothing elsewhere and have complained of nothing."""

    @contextmanager
    def opened(address: str, path: str = "/", *, width: int = 1280) -> Iterator[Page]:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            timezone_id="Europe/Berlin",
            locale="en-GB",
            accept_downloads=True,
        )
        context.set_default_timeout(120_000)
        page = context.new_page()
        watch = Watch(page, address)
        try:
            page.goto(address + path)
            yield page
            assert watch.foreign == []
            assert watch.errors == []
        finally:
            context.close()

    return opened
