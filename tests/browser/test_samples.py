"""All of the real sample footage through a real browser, each to its end."""

import os
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenBrowser
from tests.browser.server import serving, settled
from tests.browser.steps import add_first_camera, download, metric, upload, wait_until_read
from tests.made_footage import write_zip

pytestmark = pytest.mark.browser

_FOLDER = os.environ.get("SATISFACE_TEST_DATA")


@pytest.mark.timeout(1800)
@pytest.mark.skipif(_FOLDER is None, reason="SATISFACE_TEST_DATA names no folder of samples")
def test_all_samples_and_a_zip_of_them_are_read(tmp_path: Path, open_browser: OpenBrowser) -> None:
    assert _FOLDER is not None
    samples = sorted(
        path for path in (Path(_FOLDER) / "samples").iterdir() if path.suffix in {".mp4", ".jpg"}
    )
    assert samples
    archive = tmp_path / "samples.zip"
    write_zip(archive, {path.name: path for path in samples})
    home = tmp_path / "home"
    with (
        serving(home, SATISFACE_MINIMUM_PEOPLE="3") as address,
        open_browser(address, "/upload") as page,
    ):
        add_first_camera(page, "Main Street", "Entrance")
        upload(page, samples)
        expect(page.get_by_text(f"{len(samples)} files taken in.")).to_be_visible()
        wait_until_read(page, 900)
        # The same files again, in a zip, for another camera: everything is taken in once more.
        # A new visit, so that nothing of the first upload is still on the page.
        page.goto(f"{address}/upload")
        settled(page)
        page.get_by_role("button", name="Add a camera").click()
        page.get_by_role("textbox", name="Name of the camera").fill("Checkout")
        page.get_by_role("button", name="Add camera").last.click()
        expect(page.get_by_text("Main Street / Checkout was added.")).to_be_visible()
        settled(page)
        upload(page, [archive])
        expect(page.get_by_text(f"{len(samples)} files taken in.")).to_be_visible()
        wait_until_read(page, 900)

        page.goto(f"{address}/recordings?state=Done")
        expect(page.get_by_text(f"{2 * len(samples)} recordings")).to_be_visible()
        page.goto(f"{address}/reports?period=Everything")
        settled(page)
        shown = int(metric(page, "People").replace(",", ""))
        tracks = pd.read_csv(download(page, "People (CSV)", tmp_path))
        assert len(tracks) == shown
        # The same footage gives the same people, whichever way it came in.
        counted = tracks.groupby("camera")["person_id"].count()
        assert counted["Entrance"] == counted["Checkout"]
        page.goto(f"{address}/?period=Everything")
        settled(page)
        assert metric(page, "People") == f"{shown:,}"
