"""Rows that make no sense are refused by the database itself."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from analytics.periods import Every
from db.engine import Database
from db.partitions import ensure_months
from db.places import create_camera, create_site, delete_camera, delete_site
from db.recordings import delete_recording
from db.schedules import Plan, create_schedule, delete_schedule
from db.tables import Base, Recording
from fer_core.types import EXPRESSIONS
from tests.unit.db.made_rows import NOON, add_camera, add_video

READ = {f"p_{expression}": 1 / 7 for expression in EXPRESSIONS}
UNREAD = dict.fromkeys(READ)

RECORDING: dict[str, object] = {
    "name": "monday.mp4",
    "kind": "video",
    "sha256": "0" * 64,
    "bytes": 10,
    "width": 640,
    "height": 480,
    "duration_ms": 1000,
    "codec": "h264",
    "captured_at": NOON,
    "captured_from": "exif",
    "state": "queued",
    "warnings": [],
    "sample_rate": 5.0,
    "created_at": NOON,
}
SEGMENT: dict[str, object] = {"index": 9, "start_ms": 0, "end_ms": 1000, "state": "queued"}
TRACK: dict[str, object] = {
    "segment_index": 0,
    "number": 0,
    "start_ms": 0,
    "end_ms": 1000,
    "faces": 2,
    "faces_unknown": 0,
    "expression": "happy",
    "weight": 1.0,
    **READ,
}
PREDICTION: dict[str, object] = {
    "segment_index": 0,
    "time_ms": 0,
    "face": 0,
    "month": 202603,
    "track_id": 1,
    "x": 0.0,
    "y": 0.0,
    "width": 10.0,
    "height": 10.0,
    "detector_score": 0.9,
    "quality": 0.5,
    "expression": "happy",
    "confidence": 0.8,
    **READ,
}
BUCKET: dict[str, object] = {
    "hour": NOON,
    "people": 2,
    "unknown": 1,
    "faces": 3,
    "faces_unknown": 1,
    **{f"n_{expression}": 0 for expression in EXPRESSIONS},
    "n_happy": 1,
    **{f"sum_{expression}": 0.1 for expression in EXPRESSIONS},
    "products": [0.0] * 28,
}
SCORE: dict[str, object] = {
    "name": "Satisfaction",
    "version": 1,
    "is_active": True,
    **{f"w_{expression}": 0.0 for expression in EXPRESSIONS},
    "created_at": NOON,
}


def store(database: Database, table: str, row: Mapping[str, object]) -> None:
    """Insert ``row`` beside a camera, a recording with one segment, and one track."""
    owners = {
        "recordings": {"camera_id"},
        "segments": {"recording_id"},
        "tracks": {"recording_id"},
        "predictions": {"recording_id"},
        "buckets": {"camera_id"},
    }
    with database.write() as session:
        camera = add_camera(session)
        recording = add_video(session, camera, segments=1)
        tables = Base.metadata.tables
        if table == "predictions":
            ensure_months(session, [202603])
            session.execute(insert(tables["tracks"]), {"recording_id": recording, **TRACK})
        ids = {"camera_id": camera, "recording_id": recording}
        keys = {name: ids[name] for name in owners.get(table, ())}
        session.execute(insert(tables[table]), {**keys, **row})


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("recordings", RECORDING),
        ("segments", SEGMENT),
        ("tracks", TRACK),
        ("tracks", TRACK | UNREAD | {"expression": "unknown", "weight": 0.0, "faces_unknown": 2}),
        ("predictions", PREDICTION),
        ("predictions", PREDICTION | {"expression": "unknown", "unknown_reason": "unsure"}),
        (
            "predictions",
            PREDICTION | UNREAD | {"expression": "unknown", "unknown_reason": "small"},
        ),
        ("buckets", BUCKET),
        ("score_definitions", SCORE),
    ],
)
def test_rows_that_make_sense_are_taken(
    database: Database, table: str, row: dict[str, object]
) -> None:
    store(database, table, row)


NONSENSE: list[tuple[str, dict[str, object], dict[str, object]]] = [
    ("recordings", RECORDING, {"state": "sleeping"}),
    ("recordings", RECORDING, {"kind": "sound"}),
    ("recordings", RECORDING, {"state": "failed"}),
    ("recordings", RECORDING, {"error": "It failed."}),
    ("recordings", RECORDING, {"duration_ms": -1}),
    ("recordings", RECORDING, {"width": 0}),
    ("recordings", RECORDING, {"bytes": 0}),
    ("recordings", RECORDING, {"sha256": "abc"}),
    ("recordings", RECORDING, {"camera_id": 99}),
    ("segments", SEGMENT, {"end_ms": 0}),
    ("segments", SEGMENT, {"start_ms": -5}),
    ("segments", SEGMENT, {"state": "leased"}),
    ("segments", SEGMENT, {"lease_owner": "a worker", "lease_until": NOON}),
    ("segments", SEGMENT, {"state": "leased", "lease_owner": "a worker"}),
    ("segments", SEGMENT, {"attempts": -1}),
    ("segments", SEGMENT, {"index": 0}),
    ("tracks", TRACK, {"end_ms": -1}),
    ("tracks", TRACK, {"start_ms": 2000}),
    ("tracks", TRACK, {"faces": 0}),
    ("tracks", TRACK, {"faces_unknown": 3}),
    ("tracks", TRACK, {"expression": "bored"}),
    ("tracks", TRACK, {"expression": "unknown"}),
    ("tracks", TRACK, UNREAD),
    ("tracks", TRACK, {"p_sad": None}),
    ("tracks", TRACK, {"p_sad": -0.1}),
    ("tracks", TRACK, {"p_sad": 1.1}),
    ("tracks", TRACK, {"weight": 0.0}),
    ("tracks", TRACK, {"lead_in_face": 1}),
    ("tracks", TRACK, {"root_id": 1}),
    ("tracks", TRACK, {"segment_index": 5}),
    ("predictions", PREDICTION, {"width": 0.0}),
    ("predictions", PREDICTION, {"detector_score": 1.5}),
    ("predictions", PREDICTION, {"quality": -0.5}),
    ("predictions", PREDICTION, {"confidence": 2.0}),
    ("predictions", PREDICTION, {"expression": "unknown"}),
    ("predictions", PREDICTION, {"unknown_reason": "small"}),
    ("predictions", PREDICTION, {"expression": "unknown", "unknown_reason": "shy"}),
    ("predictions", PREDICTION, {"p_happy": None}),
    ("predictions", PREDICTION, {"p_happy": float("nan")}),
    ("predictions", PREDICTION, {"track_id": 99}),
    ("buckets", BUCKET, {"people": 0, "unknown": 0, "n_happy": 0}),
    ("buckets", BUCKET, {"unknown": 3}),
    ("buckets", BUCKET, {"n_sad": 1}),
    ("buckets", BUCKET, {"faces": 1}),
    ("buckets", BUCKET, {"camera_id": 99}),
    ("score_definitions", SCORE, {"w_happy": 1.5}),
    ("score_definitions", SCORE, {"version": 0}),
]


@pytest.mark.parametrize(("table", "row", "nonsense"), NONSENSE)
def test_nonsense_is_refused(
    database: Database, table: str, row: dict[str, object], nonsense: dict[str, object]
) -> None:
    with pytest.raises(IntegrityError):
        store(database, table, row | nonsense)


def test_the_same_face_is_not_stored_twice(database: Database) -> None:
    predictions = Base.metadata.tables["predictions"]
    with database.write() as session:
        recording = add_video(session, add_camera(session))
        tracks = Base.metadata.tables["tracks"]
        session.execute(insert(tracks), {"recording_id": recording, **TRACK})
        ensure_months(session, [202603])
        session.execute(insert(predictions), {"recording_id": recording, **PREDICTION})
    with pytest.raises(IntegrityError, match=r"(?i)unique"), database.write() as session:
        session.execute(insert(predictions), {"recording_id": recording, **PREDICTION})


def test_no_number_that_is_known_outside_is_given_twice(database: Database) -> None:
    """In addresses, to programs and on open pages it would mean another row."""
    plan = Plan("Daily", Every.DAY, 7, "UTC", folder=".")

    def made_and_deleted(session: Session) -> tuple[int, ...]:
        site = create_site(session, "Main Street", "UTC")
        camera = create_camera(session, site, "Entrance")
        recording, schedule = add_video(session, camera), create_schedule(session, plan, NOON)
        delete_recording(session, recording)
        delete_camera(session, camera)
        delete_site(session, site)
        delete_schedule(session, schedule)
        return site, camera, recording, schedule

    for number in (1, 2, 3):
        with database.write() as session:
            assert made_and_deleted(session) == (number,) * 4


def test_only_one_score_is_active(database: Database) -> None:
    scores = Base.metadata.tables["score_definitions"]
    retired = SCORE | {"version": 2, "is_active": False}
    with database.write() as session:
        session.execute(insert(scores), [SCORE, retired, retired | {"version": 3}])
    with pytest.raises(IntegrityError, match=r"(?i)unique"), database.write() as session:
        session.execute(insert(scores), SCORE | {"version": 4})


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 3, 2, 12)  # noqa: DTZ001
    with pytest.raises(StatementError, match="aware"):
        store(database, "recordings", RECORDING | {"captured_at": naive})


def test_times_come_back_as_they_were_in_utc(database: Database) -> None:
    with database.write() as session:
        berlin = NOON.astimezone(tz=None) + timedelta(microseconds=5)
        recording = add_video(session, add_camera(session), captured_at=berlin)
    with database.read() as session:
        stored = session.get_one(Recording, recording).captured_at
    assert stored == berlin
    assert stored.utcoffset() == timedelta(0)
