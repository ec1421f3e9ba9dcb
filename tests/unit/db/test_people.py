"""Chains of tracks to people."""

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import ColumnElement, and_, event, or_

from db.engine import Database
from db.people import PEOPLE_COLUMNS, PROBABILITIES, join_chains, read_people
from db.tables import Track

SOME = and_(Track.recording_id == 1, Track.start_ms >= 5, Track.start_ms < 9)
MORE = and_(Track.recording_id == 2, Track.start_ms >= 5, Track.start_ms < 9)


def test_nobody_is_a_frame_with_all_columns() -> None:
    columns = ("person_id", "recording_id", "segment_index", "number", "start_ms", "end_ms")
    whole = dict.fromkeys((*columns, "faces", "faces_unknown"), np.zeros(0, dtype=np.int64))
    real = dict.fromkeys(("weight", *PROBABILITIES), np.zeros(0))
    assert join_chains({**whole, **real}).columns.tolist() == list(PEOPLE_COLUMNS)


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """In a file: a server chooses its plans by what the tables hold."""
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def plans(database: Database) -> Iterator[list[str]]:
    """How SQLite goes about each query that follows."""
    steps: list[str] = []

    def explain(
        connection: object, _cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        if statement.startswith("SELECT"):
            raw = connection.connection.driver_connection  # type: ignore[attr-defined]
            rows = raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            steps.extend(row[3] for row in rows)

    engine = database._engine
    event.listen(engine, "before_cursor_execute", explain)
    yield steps
    event.remove(engine, "before_cursor_execute", explain)


@pytest.mark.parametrize(
    "condition", [SOME, or_(SOME, MORE), Track.recording_id.in_(list(range(100)))]
)
def test_people_are_looked_up_by_recording(
    database: Database, plans: list[str], condition: ColumnElement[bool]
) -> None:
    with database.read() as session:
        read_people(session, condition)
    searches = [step for step in plans if step.startswith(("SEARCH tracks", "SCAN"))]
    assert len(searches) >= 2
    assert all("ix_tracks_recording_id_start_ms (recording_id=?" in step for step in searches)
