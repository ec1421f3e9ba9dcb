"""From a recording that waits to its rows: the worker and its tasks, in this process."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from db.engine import Database
from db.places import update_camera
from db.recordings import cancel_recording, delete_recording, retry_recording
from db.results import people_frame
from db.tables import RecordingState, Segment
from fer_core.analysis import analyse_segment
from fer_core.errors import ModelError, UnreadableFootage
from fer_core.types import SegmentResult
from jobs import reading
from jobs.heartbeat import Heartbeat
from jobs.segment import Ending, run_segment
from settings import Settings
from tests.integration.jobs.conftest import task_of
from tests.made_jobs import (
    read_all,
    recording,
    rows,
    store,
)


def test_a_video_is_read_to_its_end(settings: Settings, database: Database, film: int) -> None:
    read_all(settings)
    row = recording(database, film)
    assert row.state is RecordingState.DONE
    assert (row.segments, row.segments_done, row.progress) == (3, 3, 1.0)
    # Two people, though one of them stands in three segments.
    assert row.people == 2
    with database.read() as session:
        people = people_frame(session, film)
    assert people["start_ms"].tolist() == pytest.approx([0, 1500], abs=300)
    assert people["end_ms"].tolist() == pytest.approx([5900, 3400], abs=300)
    found = rows(database)
    assert len(found["tracks"]) == 5
    assert sum(int(str(bucket[2])) for bucket in found["buckets"]) == 2
    assert len(found["predictions"]) == row.faces == pytest.approx(40, abs=4)


def test_footage_is_deleted_after_it_was_read(
    settings: Settings, database: Database, photo: int
) -> None:
    assert recording(database, photo).has_footage
    read_all(settings)
    assert not recording(database, photo).has_footage
    assert list(store(settings).stored()) == []


def test_footage_is_kept_where_that_was_chosen(
    settings: Settings, database: Database, photo: int
) -> None:
    kept = settings.model_copy(update={"keep_footage": True})
    read_all(kept)
    assert recording(database, photo).has_footage
    assert len(list(store(settings).stored())) == 1
    # A worker that keeps nothing clears what another one left.
    read_all(settings)
    assert not recording(database, photo).has_footage
    assert list(store(settings).stored()) == []


def test_staff_zones_are_left_out(settings: Settings, database: Database, photo: int) -> None:
    with database.write() as session:
        everywhere = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
        camera = recording(database, photo).camera_id
        update_camera(session, camera, staff_zones=(everywhere,))
    read_all(settings)
    row = recording(database, photo)
    assert (row.state, row.people, row.faces) == (RecordingState.DONE, 0, 0)


@pytest.mark.usefixtures("film")
def test_the_task_tells_its_progress(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    tell = Heartbeat.tell

    def noted(self: Heartbeat, progress_ms: int) -> None:
        seen.append(progress_ms)
        tell(self, progress_ms)

    monkeypatch.setattr(Heartbeat, "tell", noted)
    outcome = run_segment(task_of(settings, database))
    assert outcome.ending is Ending.DONE
    assert outcome.frames == 10
    assert seen == sorted(seen)
    assert seen[-1] == 2000


def test_cancelling_stops_the_task_that_reads(
    settings: Settings, database: Database, film: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = replace(task_of(settings, database), lease_seconds=0.05)
    tell = Heartbeat.tell

    def cancelled_meanwhile(self: Heartbeat, progress_ms: int) -> None:
        tell(self, progress_ms)
        with database.write() as session:
            cancel_recording(session, film)
        assert self._lost.wait(240)  # the next renewal finds it out

    monkeypatch.setattr(Heartbeat, "tell", cancelled_meanwhile)
    assert run_segment(task).ending is Ending.LOST
    row = recording(database, film)
    assert (row.state, row.people) == (RecordingState.CANCELLED, 0)
    assert row.has_footage


def test_a_cancelled_recording_can_be_read_after_all(
    settings: Settings, database: Database, film: int
) -> None:
    assert run_segment(task_of(settings, database)).ending is Ending.DONE
    with database.write() as session:
        cancel_recording(session, film)
    read_all(settings)
    assert recording(database, film).segments_done == 1
    with database.write() as session:
        retry_recording(session, film)
    read_all(settings)
    row = recording(database, film)
    assert (row.state, row.segments_done, row.people) == (RecordingState.DONE, 3, 2)


def test_a_segment_of_a_deleted_recording_leaves_nothing(
    settings: Settings, database: Database, photo: int
) -> None:
    task = task_of(settings, database)
    with database.write() as session:
        delete_recording(session, photo)
    assert run_segment(task).ending is Ending.LOST
    assert rows(database) == {"predictions": [], "tracks": [], "buckets": []}


@pytest.mark.usefixtures("photo")
def test_a_lease_taken_over_while_reading_writes_nothing(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(settings, database)

    def taken_over(*arguments: object, **options: object) -> SegmentResult:
        result = analyse_segment(*arguments, **options)  # type: ignore[arg-type]
        with database.write() as session:
            session.execute(update(Segment).where(Segment.index == 0).values(lease_owner="other"))
        return result

    monkeypatch.setattr(reading, "analyse_segment", taken_over)
    assert run_segment(task).ending is Ending.LOST
    assert rows(database)["predictions"] == []


def test_footage_that_is_gone_fails_for_good_and_says_so(
    settings: Settings, database: Database, photo: int
) -> None:
    for footage in list(store(settings).stored()):
        store(settings).delete(footage.key)
    assert run_segment(task_of(settings, database)).ending is Ending.FAILED
    row = recording(database, photo)
    assert row.state is RecordingState.FAILED
    assert row.error == f"{row.name}: its footage is not in the store any more."


@pytest.mark.parametrize(
    ("fault", "ending", "said"),
    [
        (UnreadableFootage("x", "the file is damaged."), Ending.FAILED, "the file is damaged."),
        (MemoryError(), Ending.POSTPONED, "not enough memory"),
        (ModelError("The model is missing."), Ending.POSTPONED, "The model is missing."),
        (RuntimeError("secret detail"), Ending.POSTPONED, "an unexpected fault"),
    ],
)
def test_what_goes_wrong_ends_as_a_sentence(
    settings: Settings,
    database: Database,
    photo: int,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    ending: Ending,
    said: str,
) -> None:
    def failing(*_: object, **__: object) -> SegmentResult:
        raise fault

    monkeypatch.setattr(reading, "analyse_segment", failing)
    assert run_segment(task_of(settings, database)).ending is ending
    if ending is Ending.POSTPONED:
        read_all(settings)  # until the last attempt
    row = recording(database, photo)
    assert row.state is RecordingState.FAILED
    assert row.error is not None
    assert said in row.error
    assert row.name in row.error
    assert "secret detail" not in row.error
    assert row.has_footage

    # What was in the way is gone: tried again, it is read.
    monkeypatch.undo()
    with database.write() as session:
        retry_recording(session, photo)
    read_all(settings)
    assert recording(database, photo).state is RecordingState.DONE
