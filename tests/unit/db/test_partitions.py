"""On PostgreSQL each month of predictions is a table of its own: made before rows need it, opened
only by who asks for it, dropped whole."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Self

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import partitions
from db.copy import copy_database
from db.engine import Database
from db.erasure import erase_people
from db.exports import iterate_predictions
from db.partitions import ensure_months, month_tables, prepare_months
from db.recordings import delete_recording, set_captured_at
from db.results import prepare_to_write, write_segment
from db.retention import delete_faces, segments_with_faces
from db.stills import footage_of
from db.tables import Base, Prediction
from tests.made_jobs import rows
from tests.unit.db.made_rows import (
    MINUTE,
    NOON,
    Person,
    Scene,
    add_camera,
    add_video,
    lease_segment,
    read_segment,
)

pytestmark = pytest.mark.postgresql

SCENE = Scene([Person([MINUTE, 4 * MINUTE, 6 * MINUTE]), Person([8 * MINUTE], "sad")], segments=2)
MONTHS = [datetime(2026, month, 15, 12, tzinfo=UTC) for month in range(1, 5)]


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    with closing(Database(postgresql_url)) as opened:
        yield opened


def tables(session: Session) -> list[str]:
    return sorted(month_tables(session))


def add_read(session: Session, camera: int, at: datetime) -> int:
    recording = add_video(
        session, camera, segments=2, name=f"{at:%Y%m%d}.mp4", captured_at=at, now=at
    )
    for index in (0, 1):
        read_segment(session, recording, SCENE, index, now=at)
    return recording


@pytest.fixture
def four_months(database: Database) -> list[int]:
    """A recording in the middle of each of four months."""
    with database.write() as session:
        camera = add_camera(session)
        return [add_read(session, camera, at) for at in MONTHS]


def test_a_month_is_made_for_the_rows_that_need_it(
    database: Database, four_months: list[int]
) -> None:
    assert four_months
    with database.read() as session:
        assert tables(session) == [f"predictions_20260{month}" for month in range(1, 5)]
        counted = text("SELECT count(*) FROM predictions_202603")
        assert session.execute(counted).scalar_one() == 4


def test_a_month_is_of_the_same_make_as_the_whole(database: Database) -> None:
    with database.write() as session:
        ensure_months(session, [202603])
        constraints = text(
            "SELECT contype, count(*) FROM pg_constraint WHERE conrelid = to_regclass(:name)"
            " GROUP BY contype ORDER BY contype"
        )
        of_all, of_month = (
            session.execute(constraints, {"name": name}).all()
            for name in ("predictions", "predictions_202603")
        )
        assert of_month == of_all
        indices = text("SELECT count(*) FROM pg_index WHERE indrelid = to_regclass(:name)")
        assert session.execute(indices, {"name": "predictions_202603"}).scalar_one() == 3


def test_rows_without_a_table_are_refused_and_kept_nowhere(
    database: Database, four_months: list[int]
) -> None:
    predictions = Base.metadata.tables["predictions"]
    with database.read() as session:
        (face,) = session.execute(
            select(predictions).where(predictions.c.recording_id == four_months[0]).limit(1)
        ).mappings()
    lost = {**face, "month": 209901, "face": 99}
    with pytest.raises(IntegrityError, match="no partition"), database.write() as session:
        session.execute(insert(predictions), lost)
    with database.write() as session:
        ensure_months(session, [209901])
        session.execute(insert(predictions), lost)
        assert "predictions_209901" in tables(session)


def test_workers_that_miss_a_month_at_once_all_write_it(database: Database) -> None:
    count = 8
    with database.write() as session:
        camera = add_camera(session)
        leases = []
        for number in range(count):
            made = add_video(session, camera, segments=2, name=f"{number}.mp4", captured_at=NOON)
            leases.append(lease_segment(session, made, 0, now=NOON))
    together = threading.Barrier(count)

    def write(number: int, *, prepared: bool) -> None:
        result = SCENE.result(0)
        together.wait()
        if prepared:
            prepare_to_write(database, leases[number], result)
        with database.write() as session:
            write_segment(session, leases[number], result, "model 1", NOON)

    with ThreadPoolExecutor(count) as threads:
        # Half of them as the worker does, half without asking first.
        for ended in [threads.submit(write, n, prepared=n % 2 == 0) for n in range(count)]:
            ended.result()
    with database.read() as session:
        assert tables(session) == ["predictions_202603"]
        faces = select(Prediction.recording_id, Prediction.time_ms)
        assert len(session.execute(faces).all()) == 2 * count


def test_a_month_is_made_beside_who_reads_and_who_writes(
    database: Database, four_months: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def sleep(seconds: float) -> None:
        tried.set()
        time.sleep(seconds)

    monkeypatch.setattr(partitions, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(partitions, "_TRIES", 100_000)  # however slow the writer's machine is
    with database.read() as reading:
        assert len(reading.execute(select(Prediction.face)).all()) == 16
        prepare_months(database, [202701])  # a reader is no hindrance
    making = threading.Thread(target=prepare_months, args=(database, [202702]))
    with database.write() as writing:
        # A writer that took segments first and goes on to people: the wrong way round.
        writing.execute(text("UPDATE segments SET attempts = attempts + 1"))
        making.start()
        assert tried.wait(240)
        writing.execute(text("UPDATE tracks SET number = number + 10"))
        delete_recording(writing, four_months[0])
    making.join()
    with database.read() as session:
        assert {"predictions_202701", "predictions_202702"} <= set(tables(session))


class Opened:
    """Which partitions each statement on predictions would open, as the server plans it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.months: set[str] = set()
        self.statements = 0

    def __enter__(self) -> Self:
        event.listen(self._database._engine, "before_cursor_execute", self._explain)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._database._engine, "before_cursor_execute", self._explain)

    def _explain(
        self, connection: Any, _cursor: object, statement: str, parameters: Any, *_: object
    ) -> None:
        plannable = re.match(r"SELECT|DELETE|UPDATE", statement)
        if not plannable or not re.search(r"\bpredictions\b", statement) or "pg_" in statement:
            return
        self.statements += 1
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            plan = json.dumps(cursor.fetchone()[0])
        self.months |= set(re.findall(r'"Relation Name": "predictions_(\d+)"', plan))


def read(session: Session, recording: int) -> None:
    assert segments_with_faces(session, recording) == [0, 1]
    assert footage_of(session, recording, [MINUTE]) is not None


def export(session: Session, _recording: int) -> None:
    day = timedelta(days=1)
    frames = list(iterate_predictions(session, start=MONTHS[2] - day, end=MONTHS[2] + day))
    assert sum(len(frame) for frame in frames) == 4


def export_one(session: Session, recording: int) -> None:
    (frame,) = iterate_predictions(session, recording_ids=[recording])
    assert len(frame) == 4


def read_again(session: Session, recording: int) -> None:
    read_segment(session, recording, SCENE, 0)


def expire(session: Session, recording: int) -> None:
    delete_faces(session, recording, [0, 1])


def erase(session: Session, recording: int) -> None:
    erased = erase_people(session, recording, MONTHS[2], MONTHS[2] + timedelta(minutes=5))
    assert erased is not None
    assert erased.people == 1


def delete(session: Session, recording: int) -> None:
    delete_recording(session, recording)


def move(session: Session, recording: int) -> None:
    set_captured_at(session, recording, MONTHS[2] + timedelta(days=1))


@pytest.mark.parametrize(
    "work", [read, export, export_one, read_again, expire, erase, delete, move]
)
def test_only_the_months_that_are_asked_for_are_opened(
    database: Database, four_months: list[int], work: Callable[[Session, int], None]
) -> None:
    with database.write() as session, Opened(database) as opened:
        work(session, four_months[2])
    assert opened.months <= {"202603"}
    if work is not move:  # which leaves rows alone that stay in their month
        assert opened.statements > 0
        assert opened.months == {"202603"}


def test_an_export_of_two_months_opens_two(database: Database, four_months: list[int]) -> None:
    assert four_months
    with database.read() as session, Opened(database) as opened:
        frames = list(iterate_predictions(session, start=MONTHS[1], end=MONTHS[3]))
    assert sum(len(frame) for frame in frames) == 8
    assert opened.months == {"202602", "202603"}


def test_a_copy_makes_its_months_and_takes_empty_ones_for_nothing(
    database: Database, postgresql_url: str, four_months: list[int], sqlite_url: str
) -> None:
    assert four_months
    right = rows(database)
    assert copy_database(postgresql_url, sqlite_url)["predictions"].rows == 16
    with database.write() as session:
        for recording in four_months:
            delete_recording(session, recording)
        session.execute(text("TRUNCATE sites, score_definitions CASCADE"))
        assert len(tables(session)) == 4
        session.execute(text("DROP TABLE predictions_202602"))
    copy_database(sqlite_url, postgresql_url)
    assert rows(database) == right
    with database.read() as session:
        assert len(tables(session)) == 4
