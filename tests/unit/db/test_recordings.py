"""Recordings: what the pages are told, and what happens to them on the way."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select

from db.buckets import read_buckets
from db.engine import Database
from db.queue import claim, fail, renew
from db.recording_rows import (
    RecordingRow,
    count_recordings,
    find_by_sha256,
    get_recording,
    list_recordings,
)
from db.recordings import (
    RecordingError,
    add_recording,
    cancel_recording,
    delete_recording,
    footage_keys,
    footage_may_go,
    footage_released,
    retry_recording,
    set_captured_at,
)
from db.tables import Prediction, Recording, RecordingState, Segment, Track
from fer_core.types import UNKNOWN, SegmentPlan
from tests.unit.db.made_rows import (
    MINUTE,
    NOON,
    Person,
    Scene,
    add_camera,
    add_video,
    footage_info,
    read_next,
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        return add_camera(session)


@pytest.fixture
def recording(database: Database, camera: int) -> int:
    with database.write() as session:
        return add_video(session, camera, warnings=("The file tells no capture time.",))


def row_of(database: Database, recording: int, *, after: float = 0) -> RecordingRow:
    with database.read() as session:
        row = get_recording(session, recording, now=NOON + after * SECOND)
    assert row is not None
    return row


def names(rows: list[RecordingRow]) -> list[str]:
    return [row.name for row in rows]


def test_a_new_recording_waits(database: Database, camera: int, recording: int) -> None:
    assert row_of(database, recording) == RecordingRow(
        id=recording,
        name="monday.mp4",
        kind="video",
        camera_id=camera,
        camera="Entrance",
        site_id=1,
        site="Site of Entrance",
        time_zone="Europe/Berlin",
        captured_at=NOON,
        captured_from="metadata",
        duration_ms=15 * MINUTE,
        width=1280,
        height=720,
        bytes=1000,
        sha256=b"monday.mp420260302120000".hex().rjust(64, "0"),
        codec="h264",
        state=RecordingState.QUEUED,
        error=None,
        warnings=("The file tells no capture time.",),
        progress=0.0,
        seconds_left=None,
        people=0,
        unknown=0,
        faces=0,
        segments=3,
        segments_done=0,
        has_footage=True,
        has_faces=True,
        has_people=True,
        created_at=NOON,
        started_at=None,
        finished_at=None,
    )


def test_what_does_not_exist_is_none(database: Database) -> None:
    with database.read() as session:
        assert get_recording(session, 7) is None


def test_people_faces_and_progress_are_counted(database: Database, recording: int) -> None:
    scene = Scene(
        [
            Person([0, 1000, 6 * MINUTE]),  # goes on into the second segment
            Person([2000], UNKNOWN),
            Person([7 * MINUTE], "sad"),
        ]
    )
    for _ in range(2):
        with database.write() as session:
            read_next(session, scene)
    row = row_of(database, recording)
    assert (row.people, row.unknown, row.faces) == (3, 1, 5)
    assert (row.segments_done, row.segments) == (2, 3)
    assert row.progress == pytest.approx(2 / 3)


def test_time_left_follows_the_pace_so_far(database: Database, recording: int) -> None:
    with database.write() as session:
        lease = claim(session, "a worker", 30, NOON)
        assert lease is not None
    assert row_of(database, recording, after=10).seconds_left is None
    with database.write() as session:
        renew(session, lease, 30, 3 * MINUTE, NOON + 60 * SECOND)
    # Three of fifteen minutes of footage in one minute: twelve more take four.
    assert row_of(database, recording, after=60).seconds_left == pytest.approx(240)
    assert row_of(database, recording, after=60).progress == pytest.approx(0.2)


def test_what_was_read_before_the_retry_tells_nothing_of_the_pace(
    database: Database, recording: int
) -> None:
    with database.write() as session:
        read_next(session, Scene([]))
        cancel_recording(session, recording, now=NOON + SECOND)
        retry_recording(session, recording)
    assert row_of(database, recording, after=2).seconds_left is None
    with database.write() as session:
        lease = claim(session, "a worker", 30, NOON + 100 * SECOND)
        assert lease is not None
        assert row_of(database, recording, after=110).seconds_left is None
        renew(session, lease, 30, MINUTE, NOON + 160 * SECOND)
    # One minute in one minute; nine are left of the fifteen.
    assert row_of(database, recording, after=160).seconds_left == pytest.approx(540)


def test_nothing_is_left_at_the_end(database: Database, recording: int) -> None:
    for _ in range(3):
        with database.write() as session:
            read_next(session, Scene([]))
    row = row_of(database, recording, after=60)
    assert (row.state, row.progress, row.seconds_left) == (RecordingState.DONE, 1.0, None)


def test_a_picture_has_progress_too(database: Database, camera: int) -> None:
    with database.write() as session:
        picture = add_recording(
            session,
            camera_id=camera,
            name="till.jpg",
            info=footage_info(0),
            plans=[SegmentPlan(0, 0, 1)],
            sha256="a" * 64,
            bytes=10,
            captured_at=NOON,
            captured_from="exif",
            footage_key="key",
            sample_rate=5,
            now=NOON,
        )
    row = row_of(database, picture)
    assert (row.kind, row.duration_ms, row.progress) == ("picture", 0, 0.0)
    with database.write() as session:
        read_next(session, Scene([Person([0])], 1, 1))
    row = row_of(database, picture)
    assert (row.people, row.faces, row.progress, row.state) == (1, 1, 1.0, RecordingState.DONE)
    with database.read() as session:
        assert read_buckets(session)["people"].tolist() == [1]


@pytest.fixture
def week(database: Database, camera: int) -> int:
    """Five recordings added one after the other; the second camera."""
    with database.write() as session:
        other = add_camera(session, "Till_1")
        for day, name in enumerate(["monday", "tuesday", "wednesday", "thursday"]):
            add_video(session, camera, name=f"{name}.mp4", now=NOON + day * HOUR)
        add_video(session, other, name="friday 100%.mp4", now=NOON + 4 * HOUR)
    return other


def test_pages_of_recordings_are_newest_first(database: Database, week: int) -> None:
    assert week
    with database.read() as session:
        assert names(list_recordings(session, limit=2)) == ["friday 100%.mp4", "thursday.mp4"]
        assert names(list_recordings(session, limit=2, offset=3)) == [
            "tuesday.mp4",
            "monday.mp4",
        ]
        oldest = list_recordings(session, newest_first=False, limit=1)
        assert names(oldest) == ["monday.mp4"]
        assert count_recordings(session) == 5


@pytest.mark.parametrize("search", ["übergang", "ÜBERGANG", "Straße", "straße"])
def test_search_knows_letters_beyond_a_to_z(database: Database, search: str) -> None:
    with database.write() as session:
        add_video(session, add_camera(session, "Übergang"), name="Straße.mp4")
        assert len(list_recordings(session, search=search)) == 1


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("DAY", 5),
        ("friday", 1),
        ("100%", 1),
        ("%", 1),
        ("till_1", 1),
        ("l_1", 1),
        ("site of entrance", 4),
        ("saturday", 0),
        ("", 5),
    ],
)
def test_search_looks_at_names_as_they_are_written(
    database: Database, week: int, search: str, expected: int
) -> None:
    assert week
    with database.read() as session:
        assert len(list_recordings(session, search=search)) == expected
        assert count_recordings(session, search=search) == expected


def test_filters_narrow_the_list(database: Database, week: int) -> None:
    with database.write() as session:
        first = list_recordings(session, newest_first=False)[0].id
        cancel_recording(session, first)
        assert names(list_recordings(session, camera_ids=[week])) == ["friday 100%.mp4"]
        assert names(list_recordings(session, states=["cancelled"])) == ["monday.mp4"]
        assert names(list_recordings(session, ids=[first])) == ["monday.mp4"]
        assert list_recordings(session, ids=[]) == []
        assert list_recordings(session, states=[RecordingState.DONE]) == []
        assert count_recordings(session, states=["queued"], camera_ids=[week]) == 1


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    """The queries sent from here on."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            sent.append(statement)

    event.listen(database._engine, "before_cursor_execute", note)
    yield sent
    event.remove(database._engine, "before_cursor_execute", note)


def test_a_list_costs_the_same_queries_however_long(
    database: Database, week: int, statements: list[str]
) -> None:
    assert week
    with database.read() as session:
        assert len(list_recordings(session)) == 5
    assert len(statements) == 3


def test_the_same_file_is_found_in_all_cameras(database: Database, camera: int) -> None:
    with database.write() as session:
        other = add_camera(session, "Till")
        add_video(session, camera)
        add_video(session, other)
        add_video(session, camera, name="tuesday.mp4")
        sha256 = session.scalars(
            select(Recording.sha256).where(Recording.name == "monday.mp4").limit(1)
        ).one()
        assert [row.camera for row in find_by_sha256(session, sha256)] == ["Entrance", "Till"]
        assert find_by_sha256(session, "f" * 64) == []


def test_the_same_file_is_not_taken_twice_for_a_camera(
    database: Database, camera: int, recording: int
) -> None:
    assert recording
    with database.write() as session:
        with pytest.raises(RecordingError, match=r"^monday\.mp4 was already uploaded for this"):
            add_video(session, camera)
        assert count_recordings(session) == 1


def test_a_recording_needs_segments(database: Database, camera: int) -> None:
    with database.write() as session, pytest.raises(ValueError, match="without segments"):
        add_video(session, camera, segments=0)


def test_cancelling_keeps_what_was_read(database: Database, recording: int) -> None:
    with database.write() as session:
        read_next(session, Scene([Person([0])]))
        claim(session, "a worker", 30, NOON)
        assert cancel_recording(session, recording, now=NOON + HOUR)
    row = row_of(database, recording)
    assert (row.state, row.finished_at) == (RecordingState.CANCELLED, NOON + HOUR)
    assert (row.people, row.segments_done) == (1, 1)
    assert row.progress == pytest.approx(1 / 3)
    with database.write() as session:
        states = session.scalars(select(Segment.state).order_by(Segment.index)).all()
        assert states == ["done", "cancelled", "cancelled"]
        assert not cancel_recording(session, recording)
        assert not cancel_recording(session, 99)


def test_what_is_done_cannot_be_cancelled(database: Database, recording: int) -> None:
    with database.write() as session:
        for _ in range(3):
            read_next(session, Scene([]))
        assert not cancel_recording(session, recording)
    assert row_of(database, recording).state is RecordingState.DONE


def test_a_retry_reads_only_what_was_not_read(database: Database, recording: int) -> None:
    scene = Scene([Person([0, 6 * MINUTE, 12 * MINUTE])])
    with database.write() as session:
        read_next(session, scene)
        lease = claim(session, "a worker", 30, NOON)
        assert lease is not None
        fail(session, lease, "It broke.", permanent=True, max_attempts=3, now=NOON)
        retry_recording(session, recording)
    row = row_of(database, recording)
    assert (row.state, row.error, row.started_at, row.finished_at) == (
        RecordingState.QUEUED,
        None,
        None,
        None,
    )
    with database.write() as session:
        assert [read_next(session, scene).index for _ in range(2)] == [1, 2]
    row = row_of(database, recording)
    assert (row.state, row.people, row.faces) == (RecordingState.DONE, 1, 3)


def test_a_retry_needs_an_end_and_footage(database: Database, recording: int) -> None:
    with database.write() as session:
        with pytest.raises(RecordingError, match=r"^monday\.mp4 waits to be read or is being"):
            retry_recording(session, recording)
        cancel_recording(session, recording)
        footage_released(session, recording, "key of monday.mp4")
        with pytest.raises(RecordingError, match=r"no longer kept\. .* upload the file again\.$"):
            retry_recording(session, recording)
        with pytest.raises(RecordingError, match=r"^This recording no longer exists\.$"):
            retry_recording(session, 99)


def test_deleting_leaves_nothing_but_what_others_hold(database: Database, camera: int) -> None:
    scene = Scene([Person([0, 6 * MINUTE])], segments=2)
    with database.write() as session:
        keep = add_video(session, camera, name="keep.mp4", segments=2)
        for _ in range(2):
            read_next(session, scene)
        before = read_buckets(session)
        doomed = add_video(
            session, camera, name="doomed.mp4", segments=2, captured_at=NOON + 55 * 60 * SECOND
        )
        late = Scene([Person([0, 6 * MINUTE]), Person([9 * MINUTE])], segments=2)
        for _ in range(2):
            read_next(session, late)
        assert read_buckets(session)["people"].tolist() == [2, 1]
    with database.write() as session:
        assert delete_recording(session, doomed) == "key of doomed.mp4"
    with database.read() as session:
        assert read_buckets(session).equals(before)
        assert names(list_recordings(session)) == ["keep.mp4"]
        assert session.scalar(select(func.count()).select_from(Track)) == 2
        assert session.scalar(select(func.count()).select_from(Prediction)) == 2
        assert session.scalar(select(func.count()).select_from(Segment)) == 2
        assert row_of(database, keep).people == 1


def test_deleting_twice_is_no_mistake(database: Database, recording: int) -> None:
    with database.write() as session:
        footage_released(session, recording, "key of monday.mp4")
        assert delete_recording(session, recording) is None
        assert delete_recording(session, recording) is None


def test_a_recording_seen_a_while_ago_is_not_taken_for_the_one_with_its_id(
    database: Database, camera: int
) -> None:
    """As after a backup was restored, which gives numbers again."""
    with database.write() as session:
        old = add_video(session, camera, name="old.mp4")
        delete_recording(session, old, added_at=NOON)
        later = NOON + HOUR
        new = add_video(session, camera, name="new.mp4", now=later)
        for recording in {old, new}:
            with pytest.raises(RecordingError, match="no longer exists"):
                delete_recording(session, recording, added_at=NOON)
            with pytest.raises(RecordingError, match="no longer exists"):
                set_captured_at(session, recording, NOON - HOUR, added_at=NOON)
        row = get_recording(session, new)
        assert row is not None
        assert row.captured_at == NOON
        set_captured_at(session, new, NOON - HOUR, added_at=later)
        assert delete_recording(session, new, added_at=later) == "key of new.mp4"


def test_another_capture_time_moves_people_to_other_hours(
    database: Database, camera: int, recording: int
) -> None:
    assert camera
    with database.write() as session:
        read_next(session, Scene([Person([0])]))
        set_captured_at(session, recording, NOON - 20 * HOUR)
        assert read_buckets(session)["hour"].tolist() == [NOON - 20 * HOUR]
        with pytest.raises(RecordingError):
            set_captured_at(session, 99, NOON)
    row = row_of(database, recording)
    assert (row.captured_at, row.captured_from) == (NOON - 20 * HOUR, "given")


def test_footage_is_known_until_it_is_released(database: Database, camera: int) -> None:
    with database.write() as session:
        first = add_video(session, camera, name="first.mp4")
        second = add_video(session, camera, name="second.mp4")
        cancel_recording(session, first)
        assert footage_keys(session) == {first: "key of first.mp4", second: "key of second.mp4"}
        assert footage_keys(session, [RecordingState.CANCELLED]) == {first: "key of first.mp4"}
        footage_released(session, first, "key of second.mp4")
        assert len(footage_keys(session)) == 2
        footage_released(session, first, "key of first.mp4")
        assert footage_keys(session) == {second: "key of second.mp4"}
        row = get_recording(session, first)
    assert row is not None
    assert not row.has_footage


def test_footage_may_go_while_it_is_its_recordings_own_and_nobody_reads_it(
    database: Database, camera: int
) -> None:
    with database.write() as session:
        old = add_video(session, camera, name="old.mp4")
        assert not footage_may_go(session, old, "key of old.mp4")  # it waits
        cancel_recording(session, old)
        assert footage_may_go(session, old, "key of old.mp4")
        retry_recording(session, old)
        assert not footage_may_go(session, old, "key of old.mp4")
        delete_recording(session, old)
        assert not footage_may_go(session, old, "key of old.mp4")
        new = add_video(session, camera, name="new.mp4")
        cancel_recording(session, new)
        for recording in {old, new}:  # one on SQLite
            assert not footage_may_go(session, recording, "key of old.mp4")
