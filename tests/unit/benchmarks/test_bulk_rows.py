"""Rows made in bulk are as if they had been read: people, faces and hours agree."""

from datetime import date
from pathlib import Path

import pandas as pd
from sqlalchemy import Index, func, select

from benchmarks.bulk_rows import CAMERAS, HOURS, SITES, make
from db.buckets import read_buckets, rebuild_buckets
from db.engine import Database
from db.results import people_frame
from db.tables import Base, Prediction, Track


def test_a_small_stretch_agrees_with_itself(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'made.db'}"
    # Clocks change on the second of these days.
    made = make(url, predictions=4000, days=2, until=date(2026, 3, 30))
    cameras = len(SITES) * len(CAMERAS)
    assert made.recordings == cameras * 2 * HOURS
    assert 3000 < made.predictions < 5000
    database = Database(url)
    with database.write() as session:
        assert session.scalar(select(func.sum(Track.faces))) == made.predictions
        assert session.scalars(select(Prediction.month).distinct()).all() == [202603]
        kept = read_buckets(session)
        assert kept["people"].sum() == made.people
        rebuild_buckets(session, [1, 5])
        rebuilt = read_buckets(session, camera_ids=[1, 5])
        mine = kept[kept["camera_id"].isin([1, 5])].reset_index(drop=True)
        pd.testing.assert_frame_equal(rebuilt, mine, check_exact=False, rtol=1e-9)
        people = people_frame(session, 1)
        faces = select(func.count()).where(Prediction.recording_id == 1)
        assert session.scalar(faces) == people["faces"].sum()
        indices = {index.name for name in ("tracks", "predictions") for index in _indices(name)}
        there = session.connection().exec_driver_sql("SELECT name FROM sqlite_master").scalars()
        assert indices <= set(there)
    database.close()


def _indices(table: str) -> set[Index]:
    return set(Base.metadata.tables[table].indexes)
