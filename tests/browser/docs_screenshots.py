"""The pictures of the documents: ``python -m tests.browser.docs_screenshots`` makes all of them.

An installation of its own is filled with the demonstration; every page is then taken as a real
Chromium shows it, in light and dark, 1280 pixels wide and those that matter on a phone 390, in 256
colours, into docs/screenshots/. ``--only model`` takes one page anew, ``--home`` names a folder in
which the installation stays for the next time.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zoneinfo import ZoneInfo

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from db.engine import Database
from db.recording_rows import list_recordings
from settings import Settings
from tests.browser.server import Watch, chromium, serving, settled
from tests.browser.steps import choose
from tests.made_footage import Appearance, write_picture, write_video
from tests.made_jobs import ROOT

FOLDER: Final = ROOT / "docs" / "screenshots"
PHONE: Final = 390
WIDTHS: Final = (1280, PHONE)
THEMES: Final = ("light", "dark")
_COLOURS: Final = 256
_VISITORS: Final = (
    Appearance(230, 420, look="warm"),
    Appearance(420, 330, face_height=62, look="mirrored"),
    Appearance(980, 460, face_height=95, look="cold"),
)
_ZONE: Final = ZoneInfo("America/New_York")
_NEWEST: Final = 50
_PATIENCE_MS: Final = 600_000
_PHONE_HEIGHT: Final = 844

Prepare = Callable[[Page, Path], None]


def _as_it_opens(_: Page, __: Path) -> None:
    """Nothing is done before the picture is taken."""


def _files_chosen(page: Page, footage: Path) -> None:
    choose(page, sorted(footage.iterdir()))
    expect(page.get_by_role("button", name="Start reading")).to_be_visible()


def _busiest_part(page: Page, _: Path) -> None:
    page.get_by_role("combobox", name="Part of the recording").click()
    options = page.get_by_role("option")
    expect(options.first).to_be_visible()
    people = [int(option.split("· ")[1].split()[0]) for option in options.all_inner_texts()]
    options.nth(people.index(max(people))).click()


def _pages_shown(page: Page, _: Path) -> None:
    page.get_by_text("Show the pages of the PDF").click()
    expect(page.get_by_text("Page 1 of")).to_be_visible()
    _to_the_top(page, "For the meeting")


def _zone_drawn(page: Page, footage: Path) -> None:
    picture = next(path for path in footage.iterdir() if path.suffix == ".jpg")
    page.locator('input[type="file"]').set_input_files(str(picture))
    settled(page)
    page.get_by_role("button", name="New zone").click()


def _weights_changed(page: Page, _: Path) -> None:
    page.get_by_text("Change the weights").click()
    slider = page.get_by_role("slider", name="Surprise")
    for _step in range(4):
        slider.press("ArrowRight")
    expect(page.get_by_text("What it changes")).to_be_visible()
    _to_the_top(page, "How the index is made")


def _at(heading: str) -> Prepare:
    return lambda page, _: _to_the_top(page, heading)


def _to_the_top(page: Page, heading: str) -> None:
    found = page.get_by_role("heading", name=heading, exact=True)
    found.evaluate("element => element.scrollIntoView({block: 'start'})")


@dataclass(frozen=True, slots=True)
class Shot:
    """``path``: may hold {recording} and {camera}. ``height``: of the window, in pixels."""

    name: str
    path: str
    height: int = 1000
    prepare: Prepare = _as_it_opens
    on_phone: bool = False


SHOTS: Final = (
    Shot("overview", "/?period=Last+28+days", 1500, on_phone=True),
    Shot("compare", "/compare?period=Last+28+days", 1850, on_phone=True),
    Shot("upload", "/upload", 900, _files_chosen),
    Shot("recordings", "/recordings", 900, on_phone=True),
    Shot("recording", "/recordings?recording={recording}", 1250, _busiest_part),
    Shot("reports", "/reports?period=Last+28+days", 1350, on_phone=True),
    Shot("report-pages", "/reports?period=Last+28+days", 1000, _pages_shown),
    Shot("settings", "/settings", 900),
    Shot("settings-alerts", "/settings", 1000, _at("Alerts")),
    Shot("settings-score", "/settings", 1000, _weights_changed),
    Shot("settings-status", "/settings", 870, _at("How long rows are kept")),
    Shot("staff-zones", "/settings?zones={camera}", 1180, _zone_drawn),
    Shot("model", "/model", 1400),
)


@contextmanager
def demonstration(kept: Path | None) -> Iterator[Path]:
    """A home folder that is filled; ``kept``: where, and it stays there."""
    with TemporaryDirectory() as folder:
        around = (kept or Path(folder)).absolute()
        home = around / "demo"
        if not (home / "satisface.db").exists():
            here = os.environ | {"SATISFACE_HOME": str(around)}
            subprocess.run([sys.executable, "cli.py", "demo"], cwd=ROOT, env=here, check=True)
        yield home


def made_footage(folder: Path) -> Path:
    """What a manager would choose: photos and a video of one morning, on the clock of the site
    that the page proposes."""
    folder.mkdir()
    yesterday = datetime.now(_ZONE) - timedelta(days=1)
    morning = yesterday.replace(hour=10, minute=30, second=0, microsecond=0)
    for minute in (0, 12):
        at = morning + timedelta(minutes=minute)
        path = folder / f"entrance-{at:%Y%m%d-%H%M}.jpg"
        write_picture(path, _VISITORS, (1280, 720), captured=at.replace(tzinfo=None))
    video = folder / f"entrance-{morning:%Y%m%d-%H%M}.mp4"
    write_video(
        video,
        [Appearance(160, 180, start_s=0, end_s=3)],
        seconds=3,
        created=morning.astimezone(UTC),
    )
    return folder


def _places(home: Path) -> dict[str, int]:
    """The newest recordings' one with the most people, and its camera."""
    with closing(Database(Settings(home=home, database_url="").resolved_database_url)) as database:
        with database.read() as session:
            rows = list_recordings(session, limit=_NEWEST)
        row = max((row for row in rows if row.has_faces), key=lambda row: row.people)
    return {"recording": row.id, "camera": row.camera_id}


def take(
    browser: Browser,
    address: str,
    shots: Sequence[Shot],
    footage: Path,
    places: dict[str, int],
    themes: Sequence[str] = THEMES,
    widths: Sequence[int] = WIDTHS,
) -> list[str]:
    """All pictures; returns what the pages complained about, or asked for elsewhere."""
    complaints: list[str] = []
    for theme, width in product(themes, widths):
        # Pages of one context share what they loaded, and nothing else.
        context = browser.new_context(
            color_scheme="dark" if theme == "dark" else "light",
            timezone_id="Europe/Berlin",
            locale="en-GB",
        )
        context.set_default_timeout(_PATIENCE_MS)
        for shot in shots:
            if width == PHONE and not shot.on_phone:
                continue
            page = context.new_page()
            height = _PHONE_HEIGHT if width == PHONE else shot.height
            page.set_viewport_size({"width": width, "height": height})
            watch = Watch(page, address)
            page.goto(address + shot.path.format(**places))
            _drawn(page)
            shot.prepare(page, footage)
            _drawn(page)
            page.mouse.move(width - 2, height - 2)  # nothing is pointed at
            path = FOLDER / f"{shot.name}-{theme}-{width}.png"
            page.screenshot(path=path, animations="disabled")
            _with_few_colours(path)
            print(path.relative_to(ROOT), f"{path.stat().st_size:,}", flush=True)  # noqa: T201
            complaints += [*watch.foreign, *watch.errors]
            page.close()
        context.close()
    return complaints


def _drawn(page: Page) -> None:
    settled(page)
    page.wait_for_function(
        """() => [...document.querySelectorAll('[data-testid="stPlotlyChart"]')]
            .every(chart => chart.querySelector('.main-svg'))"""
    )


def _with_few_colours(path: Path) -> None:
    """A third of the bytes, and no colour further off than an eye can tell."""
    with Image.open(path) as picture:
        # One round of k-means brings the grounds, which are most of a page, back to their colour.
        few = picture.convert("RGB").quantize(
            _COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE
        )
    few.save(path, optimize=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.browser.docs_screenshots", description=__doc__
    )
    names = [shot.name for shot in SHOTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PAGE")
    parser.add_argument("--home", type=Path, help="a folder for the installation, to be kept")
    parser.add_argument("--themes", nargs="+", choices=THEMES, default=THEMES)
    parser.add_argument("--widths", nargs="+", type=int, choices=WIDTHS, default=WIDTHS)
    chosen = parser.parse_args()
    shots = [shot for shot in SHOTS if shot.name in chosen.only]
    FOLDER.mkdir(exist_ok=True)
    expect.set_options(timeout=_PATIENCE_MS)  # a busy machine is slow, not wrong
    with (
        TemporaryDirectory() as folder,
        demonstration(chosen.home) as home,
        serving(home, SATISFACE_START_WORKER="false") as address,
        chromium() as browser,
    ):
        footage = made_footage(Path(folder) / "footage")
        complaints = take(
            browser, address, shots, footage, _places(home), chosen.themes, chosen.widths
        )
    for complaint in complaints:
        print(complaint)  # noqa: T201
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
