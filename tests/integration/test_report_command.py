"""``cli.py report`` writes what the Reports page hands out; exports withhold what it withholds."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from commands.app import app
from db.places import list_sites
from settings import Settings, settings
from tests.chosen_database import ON_BOTH
from tests.made_jobs import made_settings, opened
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video, read_segment
from tests.workbooks import Book

DAYS = ("--from", "2026-03-02", "--to", "2026-03-02")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen_url: str) -> Settings:
    made = made_settings(tmp_path, database_url=chosen_url)
    with opened(made) as database, database.write() as session:
        camera = add_camera(session)
        for hour, people in ((0, 14), (1, 3)):
            recording = add_video(
                session,
                camera,
                segments=1,
                name=f"{hour}.mp4",
                captured_at=NOON + timedelta(hours=hour),
            )
            scene = Scene([Person([n * 1000]) for n in range(people)], segments=1)
            read_segment(session, recording, scene, 0, now=NOON)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SATISFACE_HOME", str(made.home))
    monkeypatch.setenv("SATISFACE_DATABASE_URL", chosen_url)
    settings.cache_clear()
    return made


@pytest.fixture(autouse=True)
def forgotten() -> None:
    settings.cache_clear()


@ON_BOTH
@pytest.mark.usefixtures("home")
def test_a_report_is_written_by_the_ending_of_its_name(tmp_path: Path) -> None:
    for name in ("x.pdf", "x.xlsx"):
        run = CliRunner().invoke(app, ["report", *DAYS, "--out", str(tmp_path / name)])
        assert run.exit_code == 0, run.stderr
    text = " ".join(page.extract_text() for page in PdfReader(tmp_path / "x.pdf").pages)
    assert "Site of Entrance" in text
    assert (tmp_path / "x.xlsx").read_bytes().startswith(b"PK")


def test_both_files_tell_what_is_still_being_read_of_the_period_and_of_the_one_before(
    home: Settings, tmp_path: Path
) -> None:
    with opened(home) as database, database.write() as session:
        (site,) = list_sites(session)
        for days in (0, 1, 2):
            begin = NOON - timedelta(days=days)
            add_video(session, site.cameras[0].id, name=f"late {days}.mp4", captured_at=begin)
    for name in ("x.pdf", "x.xlsx"):
        run = CliRunner().invoke(app, ["report", *DAYS, "--out", str(tmp_path / name)])
        assert run.exit_code == 0, run.stderr
    text = " ".join(page.extract_text() for page in PdfReader(tmp_path / "x.pdf").pages)
    cells = [
        cell
        for row in Book((tmp_path / "x.xlsx").read_bytes()).rows("Summary")
        for cell in row.values()
    ]
    for told in (" ".join(text.split()), " ".join(map(str, cells))):
        assert "1 recording of this time is still being read; the figures will change." in told
        assert (
            "1 recording from the day before is still being read; there is no comparison yet."
            in told
        )


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--out", "x.doc"), ".pdf or .xlsx"),
        (("--out", "x.pdf", "--site", "Nowhere"), "no site named Nowhere"),
        (("--out", "x.pdf", "--section", "weather"), "no section weather"),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_sentence(
    options: tuple[str, ...], sentence: str
) -> None:
    run = CliRunner().invoke(app, ["report", *DAYS, *options])
    assert run.exit_code == 1
    assert sentence in " ".join(run.stderr.split())


@ON_BOTH
@pytest.mark.usefixtures("home")
def test_an_export_of_hours_withholds_how_few_people_looked(tmp_path: Path) -> None:
    out = tmp_path / "hours.csv"
    assert CliRunner().invoke(app, ["export", "buckets", "--out", str(out)]).exit_code == 0
    hours = pd.read_csv(out)
    assert hours["people"].tolist() == [14, 3]
    assert hours["withheld"].tolist() == [False, True]
    assert hours["n_happy"].isna().tolist() == [False, True]
