"""The command line: the same work from a terminal."""

import json
import os
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner, Result

from commands.app import app
from commands.rows import APART
from commands.terminal import upgrade_if_needed
from db.engine import is_current
from db.places import create_camera, create_site, list_sites
from db.recording_rows import list_recordings
from fer_core.annotation import AnnotatedVideo
from fer_core.footage import sample
from fer_core.options import AnalysisOptions
from jobs.demo import fill
from jobs.direct import FileReader
from settings import Settings
from tests.chosen_database import ALL_ON_SERVER, ON_BOTH
from tests.made_footage import Appearance, bad_uploads, write_picture, write_video, write_zip
from tests.made_jobs import ROOT, away, hold_footage, made_settings, opened, read_all, rows
from tests.made_streams import served
from tests.unit.db.made_rows import MINUTE, Person, Scene, add_camera, add_video, read_segment


@pytest.fixture
def home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, backend: str
) -> Settings:
    """What the commands find as settings; nothing is made yet, or an empty database on a server."""
    elsewhere = backend == "postgresql" and not ALL_ON_SERVER
    url = request.getfixturevalue("postgresql_url") if elsewhere else ""
    made = Settings(home=tmp_path / "home", segment_seconds=2, database_url=url, footage_url="")
    monkeypatch.setattr("settings.settings", lambda: made)
    return made


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """A folder with a photo and, deeper, a video of one person; hidden files count for nothing."""
    folder = tmp_path / "footage"
    (folder / "till").mkdir(parents=True)
    person = Appearance(160, 90, face_height=60)
    write_picture(folder / "photo.jpg", [person], (320, 180))
    write_video(folder / "till" / "day_20260105_101500.mp4", [person], (320, 180), seconds=3)
    (folder / ".DS_Store").write_bytes(b"x")
    return folder


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.usefixtures("home")
def test_analyse_writes_a_row_for_each_face(footage: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    result = run("analyse", footage, "--out", out, "--sample-rate", 2)
    assert result.exit_code == 0
    found = pd.read_csv(out, encoding="utf-8-sig")
    assert set(found["file"]) == {"photo.jpg", "till/day_20260105_101500.mp4"}
    video = found[found["file"] != "photo.jpg"]
    assert video["time_s"].tolist() == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5], abs=0.1)
    assert set(video["person"]) == {1}
    assert video["p_happy"].between(0, 1).all()
    assert "photo.jpg" in result.stderr
    assert f"{len(found)} rows written" in result.stderr


@pytest.mark.usefixtures("home")
def test_a_person_is_followed_over_the_end_of_a_segment(tmp_path: Path) -> None:

    write_video(tmp_path / "v.mp4", [Appearance(160, 90, face_height=60)], (320, 180), seconds=4)
    reader = FileReader(tmp_path, AnalysisOptions(rate=2, segment_ms=1000))
    frames = list(reader.rows([(tmp_path / "v.mp4", "v.mp4")]))
    assert len(frames) == 5  # the empty one with the columns, and four segments
    assert {person for frame in frames for person in frame["person"]} == {1}
    assert [(s.people, s.faces) for s in reader.summaries] == [(1, 8)]


def test_analyse_reports_bad_files_and_goes_on(tmp_path: Path, home: Settings) -> None:
    bad = bad_uploads(tmp_path / "bad")
    write_picture(tmp_path / "good.jpg", [Appearance(160, 90, face_height=60)], (320, 180))
    write_zip(tmp_path / "two.zip", {"a.jpg": tmp_path / "good.jpg", "b.txt": b"words\n"})
    out = tmp_path / "x.jsonl"
    files = [bad["empty"], tmp_path / "two.zip", tmp_path / "none.jpg", tmp_path / "good.jpg"]
    result = run("analyse", *files, "--out", out)
    assert result.exit_code == 1
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert {line["file"] for line in lines} == {"two.zip/a.jpg", "good.jpg"}
    # Words may be broken over the lines of the table.
    said = re.sub(r"[^a-z.]", "", result.stderr)
    for sentence in ("the file is empty.", "this is a text file", "the file cannot be opened."):
        assert sentence.replace(" ", "") in said
    assert not (home.home / "satisface.db").exists()


@pytest.mark.usefixtures("home")
def test_analyse_reads_keyframes_alone_where_that_is_asked_for(tmp_path: Path) -> None:
    person = Appearance(160, 90, face_height=60)
    write_video(tmp_path / "v.mp4", [person], (320, 180), fps=10, seconds=4, gop=20)
    out = tmp_path / "x.csv"
    options = ("--keyframes", "--annotated", tmp_path / "shown.mp4")
    assert run("analyse", tmp_path / "v.mp4", "--out", out, *options).exit_code == 0
    assert pd.read_csv(out, encoding="utf-8-sig")["time_s"].tolist() == [0, 2]
    assert [frame.time_ms for frame in sample(tmp_path / "shown.mp4")] == [0, 2000]


@pytest.mark.usefixtures("home")
def test_analyse_finds_faces_as_small_as_asked_for(tmp_path: Path) -> None:
    far_away = Appearance(480, 270, face_height=19)
    write_video(tmp_path / "v.mp4", [far_away], (960, 540), fps=5, seconds=1)
    rows = []
    for options in ((), ("--smallest-face", 12)):
        out = tmp_path / f"{len(options)}.csv"
        assert run("analyse", tmp_path / "v.mp4", "--out", out, *options).exit_code == 0
        rows.append(pd.read_csv(out, encoding="utf-8-sig"))
    assert [len(found) for found in rows] == [0, 5]
    assert set(rows[1]["unknown_reason"]) == {"small"}


@pytest.mark.usefixtures("home")
def test_analyse_to_the_terminal_keeps_rows_and_words_apart(footage: Path) -> None:
    result = run("analyse", footage / "photo.jpg", "--out", "-")
    assert result.exit_code == 0
    lines = result.stdout_bytes.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("file,time_s,person,")
    assert len(lines) == 2
    assert "people" in result.stderr


def test_a_file_that_cannot_be_written_is_said_before_anything_is_read(
    footage: Path, tmp_path: Path, home: Settings
) -> None:
    result = run("analyse", footage, "--out", tmp_path / "x.xls")
    assert result.exit_code == 1
    assert ".parquet" in result.stderr
    assert not home.home.exists()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("plain", [False, True])
def test_analyse_shows_what_was_read(footage: Path, tmp_path: Path, plain: bool) -> None:
    video = footage / "till" / "day_20260105_101500.mp4"
    shown = tmp_path / "shown.mp4"
    flags = ["--plain"] if plain else []
    result = run("analyse", video, "--out", tmp_path / "x.csv", "--annotated", shown, *flags)
    assert result.exit_code == 0
    assert f"annotated video written to {shown}" in result.stderr
    frames, originals = list(sample(shown)), list(sample(video))
    assert [frame.time_ms for frame in frames] == [frame.time_ms for frame in originals]
    middle = (slice(75, 105), slice(145, 175))
    for frame, original in zip(frames, originals, strict=True):
        change = np.abs(frame.pixels[middle].astype(int) - original.pixels[middle]).mean()
        assert bool(change < 10) is plain


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("missed_ms", [5500, 6000])
def test_someone_missed_at_the_border_of_two_segments_is_hidden(
    tmp_path: Path, missed_ms: int
) -> None:
    """Where nobody is found only what is behind the face tells whether it was hidden."""
    away_s = (missed_ms / 1000 - 0.1, missed_ms / 1000 + 0.1)
    person = Appearance(160, 90, face_height=60, hidden_s=away_s)
    write_video(tmp_path / "v.mp4", [person], (320, 180), seconds=14, background="textured")
    options = AnalysisOptions(rate=2, segment_ms=6000)
    with AnnotatedVideo(tmp_path / "shown.mp4") as video:
        list(FileReader(tmp_path, options, video).rows([(tmp_path / "v.mp4", "v.mp4")]))
    originals = list(sample(tmp_path / "v.mp4", rate=2))
    frames = list(sample(tmp_path / "shown.mp4", rate=2))
    assert [frame.time_ms for frame in frames] == [frame.time_ms for frame in originals]
    middle = (slice(75, 105), slice(145, 175))
    (change,) = (
        np.abs(frame.pixels[middle].astype(int) - original.pixels[middle]).mean()
        for frame, original in zip(frames, originals, strict=True)
        if frame.time_ms == missed_ms
    )
    assert change > 5


@pytest.mark.parametrize(
    ("given", "out", "said"),
    [
        (["photo.jpg"], "x.exe", "ends in"),
        (["photo.jpg", "till"], "x.mp4", "exactly one file"),
        (["two.ZIP"], "x.mp4", "unpack the zip first"),
        (["rtsp://10.0.0.7/a"], "x.mp4", "no camera"),
        (["till/day_20260105_101500.mp4"], "till/day_20260105_101500.mp4", "another name"),
    ],
)
def test_what_cannot_be_shown_is_said_before_anything_is_read(
    footage: Path, home: Settings, given: list[str], out: str, said: str
) -> None:
    sources = [name if "://" in name else footage / name for name in given]
    result = run("analyse", *sources, "--annotated", footage / out)
    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())
    assert not home.home.exists()


@pytest.mark.usefixtures("home")
def test_what_was_read_is_kept_where_it_cannot_be_shown(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("fer_core.annotation.AnnotatedVideo.add", fail)
    out = tmp_path / "x.csv"
    result = run("analyse", footage / "photo.jpg", "--out", out, "--annotated", tmp_path / "x.mp4")
    assert result.exit_code == 1
    assert len(pd.read_csv(out, encoding="utf-8-sig")) == 1


@pytest.mark.usefixtures("home")
def test_a_remark_is_made_once_for_all_segments(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [Appearance(160, 90)], (320, 180), fps=1, seconds=12)
    reader = FileReader(tmp_path, AnalysisOptions(rate=0.2, segment_ms=6000))
    list(reader.rows([(tmp_path / "v.mp4", "v.mp4")]))
    (summary,) = reader.summaries
    assert len(summary.warnings) == 1


@pytest.mark.usefixtures("home")
def test_analyse_watches_a_camera(tmp_path: Path) -> None:
    write_video(tmp_path / "v.ts", [Appearance(160, 90, face_height=60)], (320, 180), seconds=2)
    with served([(tmp_path / "v.ts").read_bytes()]) as port:
        address = f"tcp://admin:secret@127.0.0.1:{port}"
        result = run("analyse", address, "--seconds", 2, "--out", tmp_path / "x.csv")
    assert result.exit_code == 0
    found = pd.read_csv(tmp_path / "x.csv", encoding="utf-8-sig")
    assert len(found) == 10
    assert set(found["file"]) == {f"tcp://127.0.0.1:{port}"}
    assert set(found["person"]) == {1}
    assert "secret" not in result.stderr


@pytest.mark.usefixtures("home")
def test_a_worker_that_starts_while_the_database_is_away_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = [0]

    def away_at_first() -> None:
        times[0] += 1
        if times[0] == 1:
            raise OperationalError("SELECT 1", None, Exception("the server is starting up"))
        upgrade_if_needed()

    monkeypatch.setattr("commands.footage.upgrade_if_needed", away_at_first)
    assert run("worker", "--until-idle").exit_code == 0
    assert times == [2]


@ON_BOTH
def test_ingest_worker_and_export(footage: Path, tmp_path: Path, home: Settings) -> None:
    result = run(
        "ingest", footage, "--camera", "Main/Door", "--create", "--time-zone", "Asia/Tokyo"
    )
    assert result.exit_code == 0, result.stderr
    assert "2 taken in, 0 refused" in result.stderr
    read_all(home)
    with opened(home) as database:
        read = rows(database)
    # An export of tracks has a row for each person, whatever segments they stand in.
    read["tracks"] = [track for track in read["tracks"] if track[1] is None]
    for what in ("predictions", "tracks", "buckets"):
        out = tmp_path / f"{what}.parquet"
        exported = run("export", what, "--out", out, "--camera", "Main/Door")
        assert exported.exit_code == 0, exported.stderr
        assert len(pd.read_parquet(out)) == len(read[what]) > 0
        assert set(pd.read_parquet(out)["site"]) == {"Main"}
    with opened(home) as database, database.read() as session:
        (site,) = list_sites(session)
        video = next(r for r in list_recordings(session) if r.kind == "video")
    assert (site.name, site.time_zone) == ("Main", "Asia/Tokyo")
    # The file's name tells local time: 10:15 in Tokyo.
    assert video.captured_at == datetime(2026, 1, 5, 1, 15, tzinfo=UTC)

    out = tmp_path / "day.csv"
    run("export", "tracks", "--out", out, "--from", "2026-01-05", "--to", "2026-01-06")
    assert pd.read_csv(out, encoding="utf-8-sig")["recording"].unique().tolist() == [video.name]

    again = run("ingest", footage / "photo.jpg", "--camera", "Main/Door")
    assert again.exit_code == 0
    assert "has this file already" in again.stderr
    assert run("db", "rebuild-buckets").exit_code == 0


def test_ingest_at_a_given_time(footage: Path, home: Settings) -> None:
    place = ("--camera", "Main/Door", "--create", "--time-zone", "Europe/Berlin")
    run("ingest", footage / "photo.jpg", *place, "--captured-at", "2026-07-01T10:00")
    with opened(home) as database, database.read() as session:
        (row,) = list_recordings(session)
    assert row.captured_from == "given"
    assert row.captured_at == datetime(2026, 7, 1, 8, 0, tzinfo=UTC)


@pytest.mark.usefixtures("home")
def test_ingest_takes_patterns_that_no_shell_has_resolved(footage: Path, home: Settings) -> None:
    place = ("--camera", "Main/Door", "--create")
    result = run("ingest", footage / "**" / "*.mp4", *place)
    assert result.exit_code == 0
    assert "1 taken in, 0 refused" in result.stderr
    with opened(home) as database, database.read() as session:
        assert [row.name for row in list_recordings(session)] == ["day_20260105_101500.mp4"]
    nothing = run("ingest", footage / "*.avi", *place)
    assert nothing.exit_code == 1
    assert "*.avi: the file cannot be opened." in nothing.stderr


@pytest.mark.parametrize("given", ["folder", "file", "pattern"])
def test_names_in_another_encoding_are_taken(
    footage: Path, tmp_path: Path, home: Settings, given: str
) -> None:
    folder = tmp_path / "exported"
    folder.mkdir()
    named = folder / os.fsdecode(b"K\xe4se.mp4")
    (footage / "till" / "day_20260105_101500.mp4").rename(named)
    paths = {"folder": folder, "file": named, "pattern": folder / "*.mp4"}
    assert run("analyse", paths[given], "--out", tmp_path / "x.csv").exit_code == 0
    found = pd.read_csv(tmp_path / "x.csv", encoding="utf-8-sig")
    assert set(found["file"]) == {"K\ufffdse.mp4"}
    taken = run("ingest", paths[given], "--camera", "Main/Door", "--create")
    assert taken.exit_code == 0
    assert "K\ufffdse.mp4: taken in." in taken.stderr
    with opened(home) as database, database.read() as session:
        assert [row.name for row in list_recordings(session)] == ["K\ufffdse.mp4"]


def test_a_folder_is_watched_once_or_on_and_on(
    footage: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = footage / "Main" / "Door"
    inbox.mkdir(parents=True)
    (footage / "photo.jpg").rename(inbox / "photo.jpg")
    run("ingest", footage / "till", "--camera", "Main/Door", "--create")
    monkeypatch.setattr(home, "watch_settle_seconds", 0.1)
    result = run("watch", footage, "--once")
    assert result.exit_code == 1
    assert "Main/Door/photo.jpg: taken in." in result.stderr
    assert "till/day_20260105_101500.mp4: its path does not follow the pattern" in result.stderr
    assert (footage / "done" / "Main" / "Door" / "photo.jpg").is_file()
    assert (footage / "failed" / "till" / "day_20260105_101500.mp4.txt").is_file()
    assert run("watch", footage, "--once").exit_code == 0
    missing = run("watch")
    assert missing.exit_code == 1
    assert "SATISFACE_WATCH_FOLDER" in missing.stderr


@pytest.mark.usefixtures("home")
def test_ingest_says_what_is_wrong(footage: Path, tmp_path: Path) -> None:
    missing = run("ingest", footage, "--camera", "Main/Door")
    assert missing.exit_code == 1
    assert "There is no camera Main/Door" in missing.stderr
    assert "Site/Camera" in run("ingest", footage, "--camera", "Door").stderr
    (tmp_path / "x.mp4").write_bytes(b"")
    refused = run("ingest", tmp_path / "x.mp4", "--camera", "Main/Door", "--create")
    assert refused.exit_code == 1
    assert "x.mp4: the file is empty." in refused.stderr


def test_a_camera_whose_name_holds_a_slash_is_found(home: Settings, footage: Path) -> None:
    upgrade_if_needed()
    with opened(home) as database, database.write() as session:
        create_camera(session, create_site(session, "Main", "Europe/Berlin"), "In/Out")
    assert run("ingest", footage, "--camera", "Main/In/Out", "--create").exit_code == 0
    with opened(home) as database, database.read() as session:
        assert [site.name for site in list_sites(session)] == ["Main"]
        assert {row.camera for row in list_recordings(session)} == {"In/Out"}
    gone = run(
        *("delete", "--yes", "--camera", "Main/In/Out"),
        *("--from", "2026-01-05", "--to", "2026-01-06"),
    )
    assert gone.exit_code == 0
    missing = run("export", "tracks", "--camera", "Main/In")
    assert missing.exit_code == 1
    assert "There is no camera Main/In." in missing.stderr
    assert "--create" not in missing.stderr


@pytest.mark.usefixtures("home")
def test_trouble_around_us_is_a_sentence(tmp_path: Path) -> None:
    nothing = run("backup", tmp_path / "copy")
    assert nothing.exit_code == 1
    assert "database" in nothing.stderr
    upgrade_if_needed()
    (tmp_path / "file").write_bytes(b"no folder")
    unwritable = run("export", "tracks", "--out", tmp_path / "file" / "x.csv")
    assert unwritable.exit_code == 1
    assert str(tmp_path / "file") in unwritable.stderr


@pytest.mark.embedded
def test_db_upgrade(home: Settings) -> None:
    assert not is_current(home.resolved_database_url)
    for _ in range(2):
        assert run("db", "upgrade").exit_code == 0
    assert is_current(home.resolved_database_url)


@ON_BOTH
def test_delete_takes_whom_a_camera_saw_on_the_clock_of_its_site(home: Settings) -> None:
    made = made_settings(home.home.parent, database_url=home.database_url)
    with opened(made) as database, database.write() as session:
        site = create_site(session, "Main Street", "Europe/Berlin")
        recording = add_video(session, create_camera(session, site, "Entrance"), segments=1)
        read_segment(session, recording, Scene([Person([1000]), Person([MINUTE])], 1), 0)
    footage = hold_footage(made, recording)
    place = ("delete", "--camera", "Main Street/Entrance", "--yes")
    # It began at noon UTC.
    nobody = run(*place, "--from", "2026-03-02T12:00", "--to", "2026-03-02 12:30")
    assert "people 0, pieces of footage 0" in nobody.stderr
    gone = run(*place, "--from", "2026-03-02T13:00:30", "--to", "2026-03-03")
    assert gone.exit_code == 0
    assert "people 1, pieces of footage 1" in gone.stderr
    assert not footage.exists()
    turned = run(*place, "--from", "2026-03-03", "--to", "2026-03-02")
    assert turned.exit_code == 1
    assert "The end must come after" in turned.stderr
    missing = run("delete", "--camera", "A/B", "--from", "2026-03-02", "--to", "2026-03-03")
    assert missing.exit_code == 1
    assert "There is no camera A/B" in missing.stderr


@pytest.mark.parametrize(
    ("seen", "start", "end"),
    [
        # 2:00 in Berlin, the second time
        ("2026-10-25T01:00", "2026-10-25T01:00", "2026-10-25T02:30"),
        ("2026-10-25T01:00", "2026-10-25T02:50", "2026-10-25T02:10"),
        # 1:45, and 3:10 when it was summer at once
        ("2026-03-29T00:45", "2026-03-29T01:00", "2026-03-29T02:30"),
        ("2026-03-29T01:10", "2026-03-29T02:30", "2026-03-29T04:00"),
    ],
)
def test_delete_takes_what_a_time_may_mean_where_clocks_repeat_or_skip_it(
    home: Settings, seen: str, start: str, end: str
) -> None:
    made = made_settings(home.home.parent, database_url=home.database_url)
    at = datetime.fromisoformat(f"{seen}+00:00")
    with opened(made) as database, database.write() as session:
        site = create_site(session, "Main Street", "Europe/Berlin")
        recording = add_video(
            session, create_camera(session, site, "Entrance"), segments=1, captured_at=at
        )
        read_segment(session, recording, Scene([Person([1000])], 1), 0)
    hold_footage(made, recording)
    gone = run(
        *("delete", "--camera", "Main Street/Entrance", "--yes"),
        *("--from", start, "--to", end),
    )
    assert "people 1, pieces of footage 1" in gone.stderr


def test_delete_says_what_a_store_that_is_away_still_holds(home: Settings) -> None:
    made = made_settings(home.home.parent)
    with opened(made) as database, database.write() as session:
        recording = add_video(session, add_camera(session), segments=1)
        read_segment(session, recording, Scene([Person([1000])], 1), 0)
    hold_footage(made, recording)
    stretch = ("--from", "2026-03-02", "--to", "2026-03-03", "--yes")
    with away(made):
        gone = run("delete", "--camera", "Site of Entrance/Entrance", *stretch)
    assert gone.exit_code == 1
    assert "people 1, pieces of footage 0" in gone.stderr
    assert "could not be deleted yet: 1. The footage store cannot be reached." in gone.stderr


def test_delete_asks_first(home: Settings) -> None:
    made = made_settings(home.home.parent)
    with opened(made) as database, database.write() as session:
        add_video(session, add_camera(session), segments=1)
    camera = "Site of Entrance/Entrance"
    result = run("delete", "--camera", camera, "--from", "2026-03-02", "--to", "2026-03-03")
    assert result.exit_code == 1
    skipped = run(
        "delete", "--camera", camera, "--from", "2026-03-29T02:30", "--to", "2026-03-29T02:31"
    )
    assert "from 2026-03-29 01:30 CET to 2026-03-29 03:31 CEST?" in skipped.output
    with opened(made) as database, database.read() as session:
        assert [row.state for row in list_recordings(session)] == ["queued"]


@pytest.mark.embedded
def test_the_demonstration_is_marked_and_apart(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "home", home.home / "a%20b?c")
    result = run("demo", "--days", 1)
    assert result.exit_code == 0
    assert f"SATISFACE_HOME={shlex.quote(str(home.home / 'demo'))} {APART} " in result.stderr
    assert str(ROOT / "app.py") in result.stderr
    assert not (home.home / "satisface.db").exists()
    demo = home.model_copy(update={"home": home.home / "demo"})
    with opened(demo) as database, database.read() as session:
        sites = list_sites(session)
        found = list_recordings(session)
    assert len(sites) == 3
    assert all(site.is_demonstration for site in sites)
    assert {row.state for row in found} == {"done"}
    assert not any(row.has_footage for row in found)
    assert sum(row.people for row in found) > 500
    assert all(0 < row.unknown < row.people / 2 for row in found)


def test_the_same_seed_and_day_invent_the_same(tmp_path: Path) -> None:
    found = []
    for number, seed in enumerate((7, 7, 8)):
        made = made_settings(tmp_path / str(number))
        with opened(made) as database:
            fill(database, days=1, seed=seed, until=datetime(2026, 3, 2, tzinfo=UTC).date())
            found.append(rows(database))
    assert found[0] == found[1]
    assert found[0]["predictions"] != found[2]["predictions"]
    hours = [bucket[1] for bucket in found[0]["buckets"]]
    assert min(map(str, hours)) >= "2026-03-01"
    assert max(map(str, hours)) < "2026-03-02 06"
