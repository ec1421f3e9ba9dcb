"""The invented data holds what there is to show, and hangs together as real data does."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, select

from analytics.scores import DEFAULT_SCORE
from analytics.summary import by_day
from db.buckets import read_buckets, rebuild_buckets
from db.engine import Database
from db.people import END_COLUMNS, read_people
from db.places import list_sites
from db.recording_rows import list_recordings
from db.retention import kept_days, recordings_with_old_faces
from db.tables import Prediction, Track
from jobs.demo import FACE_DAYS, fill
from tests.made_jobs import made_settings, opened

UNTIL = date(2026, 5, 4)  # a Monday
DAYS = FACE_DAYS + 2


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("demo")
    with opened(made_settings(folder)) as database:
        fill(database, days=DAYS, until=UNTIL)
        yield database


def buckets(database: Database, site: str) -> pd.DataFrame:
    with database.read() as session:
        hours = read_buckets(session)
    return hours[hours["site"].str.startswith(site)]


def test_every_site_has_a_target_and_hours(demonstration: Database) -> None:
    with demonstration.read() as session:
        sites = list_sites(session)
    assert len(sites) == 3
    assert all(site.target is not None and len(site.opening_hours) == 7 for site in sites)
    harbour = next(site for site in sites if site.name.startswith("Harbour"))
    assert harbour.opening_hours[6] is None


def test_one_shop_has_a_bad_day_and_one_camera_falls_silent(demonstration: Database) -> None:
    station = by_day(buckets(demonstration, "Station"), DEFAULT_SCORE, 10).set_index("day")["index"]
    bad = station[pd.Timestamp(UNTIL - timedelta(days=2))]
    assert bad < station.drop(pd.Timestamp(UNTIL - timedelta(days=2))).min() - 5
    garden = buckets(demonstration, "Garden").groupby("camera")["hour"].max()
    assert garden["Entrance"] - garden["Service desk"] > pd.Timedelta(days=1)


def test_some_hours_are_too_quiet_for_figures(demonstration: Database) -> None:
    hours = buckets(demonstration, "Station")
    read = hours["people"] - hours["unknown"]
    assert (read < 10).any()
    assert (read >= 10).mean() > 0.5


def test_single_faces_are_kept_as_long_as_they_are_said_to_be(demonstration: Database) -> None:
    noon = pd.Timestamp(UNTIL, tz="UTC").to_pydatetime() + timedelta(hours=12)
    with demonstration.read() as session:
        days = kept_days(session).faces
        assert days == FACE_DAYS
        rows = list_recordings(session, limit=1000)
        faces = select(Prediction.recording_id, func.count()).group_by(Prediction.recording_id)
        stored = {row[0] for row in session.execute(faces)}
        assert recordings_with_old_faces(session, days + 1, limit=9, now=noon) == []
    assert {row.id for row in rows if row.has_faces} == stored
    assert any(not row.has_faces for row in rows)


def test_people_have_a_start_and_an_end(demonstration: Database) -> None:
    with demonstration.read() as session:
        people = read_people(session, Track.recording_id == 1, ends=True)
    known = people["expression"] != "unknown"
    assert known.any()
    assert people.loc[known, list(END_COLUMNS)].notna().all(axis=None)
    assert people.loc[~known, list(END_COLUMNS)].isna().all(axis=None)


def test_hours_are_those_of_the_people(demonstration: Database) -> None:
    before = buckets(demonstration, "")
    with demonstration.write() as session:
        rebuild_buckets(session)
    pd.testing.assert_frame_equal(buckets(demonstration, ""), before, rtol=1e-9)
