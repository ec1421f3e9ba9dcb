import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from db.engine import Database
from jobs.downloads import LIFETIME_S, LinkError, Rows, make_link, read_link, row_frames
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video, read_segment

NOW = 1_780_000_000.0
ROWS = Rows("tracks", "parquet", "2026-03-02", "2026-03-03", (3, 1))


def test_a_link_says_what_it_was_made_for(tmp_path: Path) -> None:
    assert read_link(tmp_path, make_link(tmp_path, ROWS, NOW), NOW + LIFETIME_S - 1) == ROWS
    assert ROWS.file_name == "satisface-tracks-2026-03-02-to-2026-03-03.parquet"


def test_a_link_ends(tmp_path: Path) -> None:
    link = make_link(tmp_path, ROWS, NOW)
    with pytest.raises(LinkError, match="too old"):
        read_link(tmp_path, link, NOW + LIFETIME_S)


def test_nobody_writes_a_link_of_their_own(tmp_path: Path) -> None:
    link = make_link(tmp_path, ROWS, NOW)
    packed, _, signature = link.partition(".")
    asked = json.loads(base64.urlsafe_b64decode(packed + "=="))
    other = base64.urlsafe_b64encode(json.dumps({**asked, "camera_ids": []}).encode()).decode()
    elsewhere = make_link(tmp_path / "other", ROWS, NOW)
    for forged in (f"{other.rstrip('=')}.{signature}", packed, "", "é.é", elsewhere):
        with pytest.raises(LinkError, match="not one of this server's"):
            read_link(tmp_path, forged, NOW)


@pytest.fixture
def camera(database: Database) -> int:
    """Twelve people at noon, four at one."""
    with database.write() as session:
        camera = add_camera(session)
        for hour, people in ((0, 12), (1, 4)):
            recording = add_video(
                session,
                camera,
                segments=1,
                name=f"{hour}.mp4",
                captured_at=NOON + timedelta(hours=hour),
            )
            scene = Scene([Person([n * 1000]) for n in range(people)], segments=1)
            read_segment(session, recording, scene, 0, now=NOON)
    return camera


@pytest.mark.parametrize(("table", "count"), [("predictions", 16), ("tracks", 16), ("buckets", 2)])
def test_rows_are_those_of_the_days_and_cameras(
    database: Database, camera: int, table: str, count: int
) -> None:
    asked = Rows(table, "csv", "2026-03-02", "2026-03-02", (camera,))  # type: ignore[arg-type]
    with database.read() as session:
        there = pd.concat(row_frames(session, asked, 10))
        assert len(there) == count
        for other in (
            replace(asked, camera_ids=(camera + 1,)),
            replace(asked, first_day="2026-03-03", last_day="2026-03-03"),
        ):
            assert sum(len(frame) for frame in row_frames(session, other, 10)) == 0


def test_hours_of_few_people_do_not_tell_how_these_looked(database: Database, camera: int) -> None:
    asked = Rows("buckets", "csv", "2026-03-02", "2026-03-02", (camera,))
    with database.read() as session:
        hours = pd.concat(row_frames(session, asked, 10))
    assert hours["people"].tolist() == [12, 4]
    assert hours["withheld"].tolist() == [False, True]
    assert hours["n_happy"].fillna(-1).tolist() == [12, -1]
    assert hours["sum_happy"].isna().tolist() == [False, True]


def test_rows_of_one_recording_are_all_of_it_and_no_other(database: Database, camera: int) -> None:
    asked = Rows("predictions", "csv", "2026-03-02", "2026-03-02", recording_id=2)
    assert camera
    assert asked.file_name == "recording-2-predictions.csv"
    with database.read() as session:
        there = pd.concat(row_frames(session, asked, 10))
    assert there["recording"].tolist() == ["1.mp4"] * 4
