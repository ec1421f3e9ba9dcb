"""With an empty database every page says what to do next."""

import subprocess
import sys
from pathlib import Path

import pytest

from db.engine import Database
from db.places import list_sites
from settings import settings
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.words import buttons, words
from tests.made_jobs import ROOT, environment


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("overview.py", "Start with some footage"),
        ("recordings.py", "Nothing was uploaded yet"),
        ("report.py", "There is nothing to report yet"),
    ],
)
def test_a_page_without_data_leads_to_upload(open_page: OpenPage, file: str, sentence: str) -> None:
    app = open_page(file)
    assert sentence in words(app)
    upload = next(b for b in app.button if b.label == "Upload footage")
    app = upload.click().run()
    assert [title.value for title in app.title] == ["Upload"]


@pytest.mark.parametrize("file", ["upload.py", "configuration.py"])
def test_the_first_site_and_camera_are_made_where_they_are_missed(
    open_page: OpenPage, database: Database, file: str
) -> None:
    app = open_page(file)
    # Settings asks for more than the first place.
    asked = {field.label: field for field in app.text_input}
    asked["Store"].input("Main Street")
    asked["Camera"].input("Entrance")
    next(box for box in app.selectbox if box.label.startswith("Time zone")).select("Europe/Berlin")
    next(button for button in app.button if button.label == "Save and go on").click().run()
    assert not app.exception
    with database.read() as session:
        (site,) = list_sites(session)
    assert (site.name, site.time_zone) == ("Main Street", "Europe/Berlin")
    assert [camera.name for camera in site.cameras] == ["Entrance"]
    assert "Main Street / Entrance was added." in words(app)


def test_a_place_without_a_name_is_refused_in_a_sentence(
    open_page: OpenPage, database: Database
) -> None:
    app = open_page("upload.py")
    app.text_input[0].input("Main Street")
    app.button[0].click().run()
    assert "A camera needs a name." in words(app)
    with database.read() as session:
        assert list_sites(session) == []


def test_upload_asks_for_files_once_there_is_a_camera(
    open_page: OpenPage, database: Database
) -> None:
    from tests.unit.db.made_rows import add_camera

    with database.write() as session:
        add_camera(session)
    app = open_page("upload.py")
    assert app.selectbox[0].options == ["Site of Entrance / Entrance"]
    assert "deleted once it was read" in words(app)
    assert "Start reading" not in buttons(app)


def test_whoever_may_not_upload_is_told_before_choosing_files(
    open_page: OpenPage, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.db.made_rows import add_camera

    with database.write() as session:
        add_camera(session)
    visitor = {"host": "satisface.example", "origin": "https://satisface.example"}
    monkeypatch.setattr("pages.uploader._headers", lambda: visitor)
    app = open_page("upload.py")
    assert "only at the machine that runs Satisface" in words(app)
    monkeypatch.setenv("SATISFACE_PROXY_SIGNS_IN", "true")
    settings.cache_clear()
    assert "only at the machine" not in words(open_page("upload.py"))


def test_opening_the_first_page_loads_no_decoder_and_no_tensorflow(home: Path) -> None:
    script = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(ROOT / "pages" / "navigation.py")!r}, default_timeout=240).run()
assert not app.exception
assert [title.value for title in app.title] == ["Overview"]
print(sorted({{"cv2", "av", "tensorflow", "keras", "ai_edge_litert"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=home,
        env=environment(settings()) | {"PYTHONPATH": str(ROOT), "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
