"""Screenshots of every page: ``python -m tests.browser.screenshots HOME FOLDER [--name filled]``.

HOME is a home folder (an empty one shows the first run); the pictures go to FOLDER, one for each
page, width (1280, 390) and theme.
"""

import argparse
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.server import Watch, chromium, serving, settled

PAGES = {
    "overview": "/",
    "compare": "/compare",
    "upload": "/upload",
    "recordings": "/recordings",
    "reports": "/reports",
    "model": "/model",
    "settings": "/settings",
}
_HEIGHTS = {1280: 1000, 390: 844}


def take(
    browser: Browser,
    address: str,
    folder: Path,
    name: str,
    pages: dict[str, str],
    widths: list[int],
    themes: list[str],
    *,
    whole: bool,
) -> list[str]:
    """Take the pictures; returns what the pages complained about or asked for elsewhere."""
    complaints: list[str] = []
    for theme in themes:
        for width in widths:
            context = browser.new_context(
                viewport={"width": width, "height": _HEIGHTS[width]},
                color_scheme="dark" if theme == "dark" else "light",
                timezone_id="Europe/Berlin",
                locale="en-GB",
            )
            context.set_default_timeout(180_000)
            page = context.new_page()
            watch = Watch(page, address)
            for title, path in pages.items():
                page.set_viewport_size({"width": width, "height": _HEIGHTS[width]})
                page.goto(address + path)
                settled(page)
                if whole:
                    # The page scrolls inside its own box: the window grows to show all of it.
                    tall = page.evaluate(
                        "() => document.querySelector('[data-testid=\"stMain\"]').scrollHeight"
                    )
                    page.set_viewport_size({"width": width, "height": max(tall, _HEIGHTS[width])})
                page.wait_for_timeout(1000)
                page.screenshot(path=folder / f"{title}-{name}{theme}-{width}.png")
            complaints += [*watch.foreign, *watch.errors]
            context.close()
    return complaints


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.browser.screenshots", description=__doc__
    )
    parser.add_argument("home", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="", help="what the pictures' names begin with")
    parser.add_argument("--pages", nargs="*", default=list(PAGES))
    parser.add_argument("--whole", action="store_true", help="all of a page, not its first screen")
    parser.add_argument("--path", help="one more page, by its path")
    parser.add_argument("--widths", nargs="*", type=int, default=[1280, 390])
    parser.add_argument("--themes", nargs="*", default=["light", "dark"])
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    name = f"{chosen.name}-" if chosen.name else ""
    pages = {title: PAGES[title] for title in chosen.pages}
    if chosen.path:
        pages["more"] = chosen.path
    with (
        serving(chosen.home, SATISFACE_START_WORKER="false") as address,
        chromium() as browser,
    ):
        complaints = take(
            browser,
            address,
            chosen.folder,
            name,
            pages,
            chosen.widths,
            chosen.themes,
            whole=chosen.whole,
        )
        for complaint in complaints:
            print(complaint)  # noqa: T201


if __name__ == "__main__":
    main()
