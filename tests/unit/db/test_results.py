"""Writing segments: in any order and again, the same rows, people and hours."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from db import results
from db.buckets import read_buckets, rebuild_buckets
from db.chains import join_chains_at
from db.engine import Database
from db.people import END_COLUMNS, END_PROBABILITIES, PEOPLE_COLUMNS, START_PROBABILITIES
from db.recording_rows import get_recording
from db.results import LeaseLost, people_frame, prepare_to_write, write_segment
from db.tables import Prediction, RecordingState, Segment, Track
from fer_core.types import EXPRESSIONS, UNKNOWN, SegmentResult
from tests.unit.db.made_rows import (
    MINUTE,
    NOON,
    Person,
    Scene,
    add_camera,
    add_video,
    lease_segment,
    probabilities_of,
    read_next,
    read_segment,
)

SEGMENTS = 3
SEGMENT_MS = 35 * MINUTE
_numbers = count()

times = st.lists(
    st.integers(0, SEGMENTS * SEGMENT_MS // MINUTE - 1).map(lambda minute: minute * MINUTE),
    min_size=1,
    max_size=8,
    unique=True,
).map(sorted)
people = st.builds(
    Person, times, st.sampled_from([*EXPRESSIONS, UNKNOWN]), st.sampled_from([0.1, 0.5, 0.9])
)
scenes = st.lists(people, max_size=6).map(lambda p: Scene(p, SEGMENTS, SEGMENT_MS))
order = st.permutations(range(SEGMENTS))
some_writes = st.lists(st.integers(0, SEGMENTS - 1), max_size=4)

on_one_database = settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def new_recording(session: Session) -> tuple[int, int]:
    """A recording of a camera of its own: (camera, recording)."""
    camera = add_camera(session, f"Camera {next(_numbers)}")
    return camera, add_video(session, camera, segments=SEGMENTS, segment_ms=SEGMENT_MS)


def stored(session: Session, camera: int, recording: int) -> dict[str, object]:
    """All that was stored, without the numbers that the database gives."""
    root = aliased(Track)
    own = {"id", "root_id", "recording_id", "track_id"}
    track_columns = [c for c in Track.__table__.columns if c.name not in own]
    face_columns = [c for c in Prediction.__table__.columns if c.name not in own]
    tracks = (
        select(*track_columns, root.segment_index, root.number)
        .outerjoin(root, root.id == Track.root_id)
        .where(Track.recording_id == recording)
        .order_by(Track.segment_index, Track.number)
    )
    faces = (
        select(*face_columns, Track.segment_index, Track.number)
        .join(Track, Track.id == Prediction.track_id)
        .where(Prediction.recording_id == recording)
        .order_by(Prediction.time_ms, Prediction.face)
    )
    row = get_recording(session, recording)
    assert row is not None
    return {
        "tracks": [tuple(row) for row in session.execute(tracks)],
        "faces": [tuple(row) for row in session.execute(faces)],
        "people": people_frame(session, recording)
        .drop(columns=["person_id", "recording_id"])
        .astype(object)
        .to_numpy()
        .tolist(),
        "hours": read_buckets(session, camera_ids=[camera])
        .drop(columns=["camera_id", "site_id", "site", "camera"])
        .astype(object)
        .to_numpy()
        .tolist(),
        "counts": [row.state, row.people, row.unknown, row.faces, row.segments_done],
    }


def same(found: dict[str, object], expected: dict[str, object]) -> bool:
    """NaN equals NaN, and nothing else equals what it is not."""
    return repr(found) == repr(expected)


def appearances(person: Person) -> list[list[int]]:
    """A person is followed from one segment into the next, not over a segment without them."""
    parts: list[list[int]] = [[person.times[0]]]
    for time in person.times[1:]:
        if time // SEGMENT_MS - parts[-1][-1] // SEGMENT_MS <= 1:
            parts[-1].append(time)
        else:
            parts.append([time])
    return parts


@on_one_database
@given(scene=scenes, earlier=st.none() | scenes, first=some_writes, last=order)
def test_any_order_and_repetition_leaves_the_same_rows(
    database: Database,
    scene: Scene,
    earlier: Scene | None,
    first: list[int],
    last: Sequence[int],
) -> None:
    """Also where an earlier reading gave something else."""
    with database.write() as session:
        plain, shuffled = new_recording(session), new_recording(session)
        for index in range(SEGMENTS):
            read_segment(session, plain[1], scene, index)
        for index in first:
            read_segment(session, shuffled[1], earlier or scene, index)
        for index in last:
            read_segment(session, shuffled[1], scene, index)
        assert same(stored(session, *shuffled), stored(session, *plain))


@on_one_database
@given(scene=scenes, writes=some_writes)
def test_buckets_are_at_every_moment_those_of_the_people(
    database: Database, scene: Scene, writes: list[int]
) -> None:
    with database.write() as session:
        camera, recording = new_recording(session)
        for index in writes:
            read_segment(session, recording, scene, index)
        kept = stored(session, camera, recording)
        rebuild_buckets(session, [camera])
        assert same(stored(session, camera, recording), kept)


@on_one_database
@given(scene=scenes, last=order)
def test_a_person_seen_over_several_segments_is_one_person(
    database: Database, scene: Scene, last: Sequence[int]
) -> None:
    expected = sorted(
        (part[0], part[-1], len(part), person.expression)
        for person in scene.people
        for part in appearances(person)
    )
    with database.write() as session:
        camera, recording = new_recording(session)
        for index in last:
            read_segment(session, recording, scene, index)
        found = people_frame(session, recording)
        hours = read_buckets(session, camera_ids=[camera])
    columns = ["start_ms", "end_ms", "faces", "expression"]
    assert sorted(found[columns].itertuples(index=False, name=None)) == expected
    assert int(hours["people"].sum()) == len(expected)
    assert int(hours["faces"].sum()) == sum(len(person.times) for person in scene.people)
    # Berlin stands a whole hour from UTC: a person counts in the hour of their first frame.
    first_hours = [NOON + timedelta(milliseconds=start) for start, *_ in expected]
    assert hours["hour"].dt.hour.tolist() == sorted({instant.hour for instant in first_hours})


def test_a_mean_over_segments_is_weighted_by_quality(database: Database) -> None:
    happy, sad = probabilities_of("happy"), probabilities_of("sad")
    assert happy is not None
    assert sad is not None
    times = [SEGMENT_MS - 1000, SEGMENT_MS + 1000]
    first = Scene([Person(times, "happy", 0.9)], 2, SEGMENT_MS)
    second = Scene([Person(times, "sad", 0.1)], 2, SEGMENT_MS)
    with database.write() as session:
        recording = add_video(session, add_camera(session), segments=2, segment_ms=SEGMENT_MS)
        read_segment(session, recording, first, 0)
        read_segment(session, recording, second, 1)
        person = people_frame(session, recording).iloc[0]
    assert person["expression"] == "happy"
    assert person["weight"] == pytest.approx(1.0)
    expected = 0.9 * happy + 0.1 * sad
    assert [person[f"p_{e}"] for e in EXPRESSIONS] == pytest.approx(expected.tolist())


def test_a_part_that_could_not_be_read_takes_nothing_from_the_mean(database: Database) -> None:
    times = [SEGMENT_MS - 1000, SEGMENT_MS + 1000]
    read, unread = (Scene([Person(times, e)], 2, SEGMENT_MS) for e in ("sad", UNKNOWN))
    with database.write() as session:
        recording = add_video(session, add_camera(session), segments=2, segment_ms=SEGMENT_MS)
        read_segment(session, recording, unread, 0)
        read_segment(session, recording, read, 1)
        person = people_frame(session, recording).iloc[0]
        row = get_recording(session, recording)
    assert (person["expression"], person["faces"], person["faces_unknown"]) == ("sad", 2, 1)
    assert person["p_sad"] == pytest.approx(0.7)
    assert row is not None
    assert (row.people, row.unknown, row.faces) == (1, 0, 2)


def test_a_person_starts_as_the_first_part_and_ends_as_the_last(database: Database) -> None:
    times = [SEGMENT_MS - 9000, SEGMENT_MS - 500, SEGMENT_MS + 500, SEGMENT_MS + 9000]
    parts = [Scene([Person(times, e)], 2, SEGMENT_MS) for e in ("sad", "happy")]
    with database.write() as session:
        recording = add_video(session, add_camera(session), segments=2, segment_ms=SEGMENT_MS)
        for index, part in enumerate(parts):
            read_segment(session, recording, part, index)
        person = people_frame(session, recording).iloc[0]
    assert person[list(START_PROBABILITIES)].tolist() == pytest.approx(_of("sad"))
    assert person[list(END_PROBABILITIES)].tolist() == pytest.approx(_of("happy"))


@pytest.mark.parametrize(("apart_ms", "told"), [(1000, True), (9000, False)])
def test_a_start_is_told_by_a_later_part_only_while_it_is_the_start(
    database: Database, apart_ms: int, told: bool
) -> None:
    times = [SEGMENT_MS - 500, SEGMENT_MS - 500 + apart_ms]
    parts = [Scene([Person(times, e)], 2, SEGMENT_MS) for e in (UNKNOWN, "happy")]
    with database.write() as session:
        recording = add_video(session, add_camera(session), segments=2, segment_ms=SEGMENT_MS)
        for index, part in enumerate(parts):
            read_segment(session, recording, part, index)
        person = people_frame(session, recording).iloc[0]
    start = person[list(START_PROBABILITIES)]
    assert start.notna().all() == start.notna().any() == told
    assert person["end_p_happy"] == pytest.approx(0.7)


def _of(expression: str) -> list[float]:
    probabilities = probabilities_of(expression)
    assert probabilities is not None
    return [float(p) for p in probabilities]


def test_the_last_segment_ends_the_recording(database: Database) -> None:
    scene = Scene([Person([0])], segments=2, warnings={1: ("A frame was damaged.",)})
    with database.write() as session:
        recording = add_video(
            session, add_camera(session), segments=2, warnings=("No capture time.",)
        )
        read_next(session, scene, now=NOON)
        row = get_recording(session, recording)
        assert row is not None
        assert (row.state, row.progress, row.finished_at) == (RecordingState.READING, 0.5, None)
        later = NOON + timedelta(minutes=1)
        read_next(session, scene, now=later)
        row = get_recording(session, recording)
        assert row is not None
        assert (row.state, row.progress, row.finished_at) == (RecordingState.DONE, 1.0, later)
        assert row.warnings == ("No capture time.", "A frame was damaged.")


def test_a_segment_without_anybody_is_done_too(database: Database) -> None:
    with database.write() as session:
        camera = add_camera(session)
        recording = add_video(session, camera, segments=1)
        read_next(session, Scene([], segments=1))
        row = get_recording(session, recording)
        assert row is not None
        assert (row.state, row.people, row.faces) == (RecordingState.DONE, 0, 0)
        assert people_frame(session, recording).columns.tolist() == [*PEOPLE_COLUMNS, *END_COLUMNS]
        assert read_buckets(session).empty


def test_a_write_that_fails_leaves_what_stood_there(database: Database) -> None:
    scene = Scene([Person([0, 1000])], segments=1)
    with database.write() as session:
        camera = add_camera(session)
        recording = add_video(session, camera, segments=1)
        read_segment(session, recording, scene, 0)
        before = stored(session, camera, recording)
    broken = scene.result(0)
    torn = SegmentResult(broken.plan, broken.frames, broken.predictions, tracks=())

    def write_torn() -> None:
        with database.write() as session:
            lease = lease_segment(session, recording, 0, now=NOON)
            write_segment(session, lease, torn, "model 1", NOON)

    with pytest.raises(KeyError):
        write_torn()
    with database.read() as session:
        assert same(stored(session, camera, recording), before)


def test_a_lease_that_goes_while_rows_are_written_takes_them_along(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene([Person([0, 1000])], segments=1)
    with database.write() as session:
        camera = add_camera(session)
        recording = add_video(session, camera, segments=1)
        lease = lease_segment(session, recording, 0, now=NOON)
        before = stored(session, camera, recording)

    def slow(session: Session, *place: Any) -> None:
        join_chains_at(session, *place)
        assert session.scalar(select(func.count()).select_from(Track)) == 1
        # It ran out before, and another worker takes the segment now.
        other = update(Segment).values(attempts=2, lease_owner="another worker")
        if database._engine.dialect.name == "sqlite":  # which has one writer
            session.execute(other)
        else:
            with database.write() as beside:
                beside.execute(other)

    # As a worker does; made in the same transaction, a month would keep all others waiting.
    prepare_to_write(database, lease, scene.result(0))
    monkeypatch.setattr(results, "join_chains_at", slow)
    with pytest.raises(LeaseLost), database.write() as session:
        write_segment(session, lease, scene.result(0), "model 1", NOON)
    with database.read() as session:
        assert same(stored(session, camera, recording), before)


def test_who_writes_a_segment_is_told_whether_it_was_the_last(database: Database) -> None:
    with database.write() as session:
        recording = add_video(session, add_camera(session), segments=3)
        told = []
        for index in (1, 2, 0, 1):
            lease = lease_segment(session, recording, index, now=NOON)
            told.append(write_segment(session, lease, Scene([]).result(index), "model 1", NOON))
    assert told == [False, False, True, True]


def test_the_result_of_another_segment_is_a_mistake(database: Database) -> None:
    scene = Scene([])
    with database.write() as session:
        recording = add_video(session, add_camera(session))
        lease = lease_segment(session, recording, 0, now=NOON)
        with pytest.raises(ValueError, match="of segment 1, not 0"):
            write_segment(session, lease, scene.result(1), "model 1", NOON)


def test_footage_longer_than_its_container_told_is_counted_whole(database: Database) -> None:
    late = 3 * 60 * MINUTE
    scene = Scene([Person([late])], segments=1, segment_ms=4 * 60 * MINUTE)
    with database.write() as session:
        camera = add_camera(session)
        recording = add_video(session, camera, segments=1, segment_ms=MINUTE)
        read_segment(session, recording, scene, 0)
        kept = stored(session, camera, recording)
        rebuild_buckets(session)
        assert same(stored(session, camera, recording), kept)
        assert read_buckets(session)["hour"].dt.hour.tolist() == [15]


def test_a_chain_of_many_segments_keeps_one_root(database: Database) -> None:
    segments = 12
    scene = Scene([Person([MINUTE * i for i in range(segments)])], segments, MINUTE)
    with database.write() as session:
        recording = add_video(session, add_camera(session), segments=segments, segment_ms=MINUTE)
        for index in reversed(range(segments)):
            read_segment(session, recording, scene, index)
        assert len(people_frame(session, recording)) == 1
        read_segment(session, recording, Scene([], segments, MINUTE), 5)
        assert people_frame(session, recording)["faces"].tolist() == [5, 6]
        read_segment(session, recording, scene, 5)
        assert people_frame(session, recording)["faces"].tolist() == [12]
        assert session.scalar(select(func.count()).select_from(Prediction)) == segments
