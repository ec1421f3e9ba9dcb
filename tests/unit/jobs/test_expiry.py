import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.buckets import read_buckets
from db.engine import Database
from db.partitions import month_tables
from db.recordings import RecordingError, cancel_recording, retry_recording
from db.retention import KeptDays, keep_for
from db.tables import Prediction, Recording, Track
from jobs import expiry
from jobs.erasure import Erasure, erase
from jobs.expiry import UNREAD_DAYS, delete_expired
from jobs.intake import Accepted
from jobs.store import FootageStore
from jobs.sweep import GRACE, Swept, delete_footage, delete_orphans
from settings import Settings
from tests.made_footage import write_picture
from tests.made_jobs import away, made_camera, made_settings, opened, recording, store, take_in
from tests.unit.db.made_rows import MINUTE, NOON, Person, Scene, add_video, read_segment

NOW = NOON + timedelta(days=40)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return made_settings(tmp_path, database_url=database_url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with opened(settings) as database:
        yield database


def given_photo(tmp_path: Path, settings: Settings, database: Database, camera: int) -> int:
    write_picture(tmp_path / "photo.jpg")
    outcome = take_in(database, settings, camera, tmp_path / "photo.jpg", captured_at=NOON)
    accepted = outcome["photo.jpg"]
    assert isinstance(accepted, Accepted)
    return accepted.recording_id


def read_video(database: Database, camera: int) -> int:
    scene = Scene([Person([MINUTE, 6 * MINUTE]), Person([7 * MINUTE])], 2)
    with database.write() as session:
        made = add_video(session, camera, segments=2)
        for index in (0, 1):
            read_segment(session, made, scene, index)
    return made


def stored(database: Database) -> tuple[int, int, int]:
    """Faces and tracks that are stored, and people that the hours count."""
    with database.read() as session:
        faces = session.scalar(select(func.count(Prediction.face)))
        tracks = session.scalar(select(func.count(Track.id)))
        return faces or 0, tracks or 0, int(read_buckets(session)["people"].sum())


@pytest.mark.parametrize(
    ("days", "left"),
    [
        (KeptDays(), (3, 3, 2)),
        (KeptDays(faces=30), (0, 3, 2)),
        (KeptDays(faces=30, people=30), (0, 0, 2)),
        (KeptDays(faces=50, people=50), (3, 3, 2)),
    ],
)
def test_rows_go_when_their_time_is_up_and_hours_stay(
    settings: Settings, database: Database, days: KeptDays, left: tuple[int, int, int]
) -> None:
    read_video(database, made_camera(database))
    with database.write() as session:
        keep_for(session, days)
    for _ in range(2):
        assert delete_expired(database, store(settings), keep_footage=True, now=NOW)
        assert stored(database) == left


SPRING = [datetime(2026, month, 15, 12, tzinfo=UTC) for month in (1, 2, 3)]
EASTER = datetime(2026, 3, 20, tzinfo=UTC)
SCENE = Scene([Person([MINUTE, 6 * MINUTE]), Person([7 * MINUTE])], 2)


@pytest.fixture
def spring(database: Database) -> list[int]:
    """A recording in the middle of January, February and March, and one over the end of
    January."""
    camera = made_camera(database)
    recordings = []
    with database.write() as session:
        for at in (*SPRING, datetime(2026, 1, 31, 23, 53, 30, tzinfo=UTC)):
            made = add_video(
                session, camera, segments=2, name=f"{at:%d.%m}.mp4", captured_at=at, now=at
            )
            recordings.append(made)
            for index in (0, 1):
                read_segment(session, made, SCENE, index, now=at)
        keep_for(session, KeptDays(faces=30))
    return recordings


def faces(database: Database) -> dict[int, int]:
    """Recording to faces, of those that have any and are not marked to have none."""
    with database.read() as session:
        query = (
            select(Recording.id, func.count())
            .join(Prediction, Prediction.recording_id == Recording.id)
            .where(Recording.faces_deleted_at.is_(None))
            .group_by(Recording.id)
        )
        return {row[0]: row[1] for row in session.execute(query)}


def months(database: Database) -> list[int]:
    """Months with a table of their own."""
    with database.read() as session:
        return sorted(first for first, _ in month_tables(session).values())


def marked(database: Database) -> int:
    """Recordings that are marked to have no faces any more."""
    with database.read() as session:
        gone = select(func.count(Recording.id)).where(Recording.faces_deleted_at.is_not(None))
        return session.scalar(gone) or 0


def test_faces_of_expired_months_go_and_others_one_by_one(
    settings: Settings, database: Database, spring: list[int]
) -> None:
    tables = months(database)
    assert tables in ([], [202601, 202602, 202603])
    assert delete_expired(database, store(settings), keep_footage=True, budget_s=120.0, now=EASTER)
    # February is not over for as long as January is.
    assert faces(database) == {spring[2]: 3}
    assert marked(database) == 3
    assert months(database) == tables[1:]
    assert stored(database) == (3, 12, 8)
    assert delete_expired(database, store(settings), keep_footage=True, budget_s=120.0, now=EASTER)
    assert stored(database) == (3, 12, 8)


@pytest.mark.parametrize("read_again", [0, 3])
def test_a_month_that_is_read_again_stays(
    settings: Settings, database: Database, spring: list[int], read_again: int
) -> None:
    with database.write() as session:
        retry_recording(session, spring[read_again])
    tables = months(database)
    assert delete_expired(database, store(settings), keep_footage=True, budget_s=120.0, now=EASTER)
    assert faces(database) == {spring[read_again]: 3, spring[2]: 3}
    assert months(database) == tables


def test_people_take_the_months_of_their_faces_along(
    settings: Settings, database: Database, spring: list[int]
) -> None:
    with database.write() as session:
        keep_for(session, KeptDays(people=30))
    before = stored(database)
    tables = months(database)
    assert delete_expired(database, store(settings), keep_footage=True, budget_s=120.0, now=EASTER)
    assert faces(database) == {spring[2]: 3}
    assert months(database) == tables[1:]
    assert stored(database) == (3, 3, before[2])


def test_a_month_that_somebody_reads_loses_its_rows_one_by_one(
    settings: Settings, database: Database, spring: list[int]
) -> None:
    tables = months(database)
    with database.read() as reading:
        assert len(reading.scalars(select(Prediction.face)).all()) == 12
        assert delete_expired(
            database, store(settings), keep_footage=True, budget_s=120.0, now=EASTER
        )
        assert faces(database) == {spring[2]: 3}
        assert len(reading.scalars(select(Prediction.face)).all()) == 12
    assert months(database) == tables
    assert delete_expired(database, store(settings), keep_footage=True, budget_s=120.0, now=EASTER)
    assert months(database) == tables[1:]


@pytest.mark.parametrize(
    ("days", "fails", "left"),
    [
        (KeptDays(people=30), "seal_people", (0, 3, 8)),
        (KeptDays(faces=30), "delete_faces", (3, 12, 8)),
    ],
)
def test_a_recording_that_cannot_be_deleted_holds_up_no_other(
    settings: Settings,
    database: Database,
    spring: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    days: KeptDays,
    fails: str,
    left: tuple[int, int, int],
) -> None:
    """Nor is it met again and again by one sweep; the next one tries it."""
    with database.write() as session:
        keep_for(session, days)
    works = getattr(expiry, fails)

    def broken(session: Session, recording_id: int, *args: object, **kwargs: object) -> object:
        if recording_id == spring[0]:
            raise ValueError("bad row")
        return works(session, recording_id, *args, **kwargs)

    monkeypatch.setattr(expiry, fails, broken)
    monkeypatch.setattr(expiry, "_drop_months", lambda *_: None)
    late = EASTER + timedelta(days=40)
    assert delete_expired(database, store(settings), keep_footage=True, budget_s=120.0, now=late)
    assert stored(database) == left
    (told,) = (one for one in caplog.records if one.levelname == "ERROR")
    assert f"recording {spring[0]}:" in told.getMessage()

    monkeypatch.setattr(expiry, fails, works)
    assert delete_expired(database, store(settings), keep_footage=True, budget_s=120.0, now=late)
    assert stored(database)[0] == 0


def test_a_long_way_is_gone_in_steps(settings: Settings, database: Database) -> None:
    read_video(database, made_camera(database))
    with database.write() as session:
        keep_for(session, KeptDays(faces=30, people=30))
    assert not delete_expired(database, store(settings), keep_footage=True, budget_s=0.0, now=NOW)
    assert stored(database) == (3, 3, 2)


def test_footage_that_is_kept_goes_when_its_time_is_up(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    photo = given_photo(tmp_path, settings, database, made_camera(database))
    with database.write() as session:
        keep_for(session, KeptDays(footage=30))
    delete_expired(database, store(settings), keep_footage=True, now=NOW)
    assert recording(database, photo).has_footage  # it waits to be read
    with database.write() as session:
        cancel_recording(session, photo)
    delete_expired(database, store(settings), keep_footage=True, now=NOW)
    assert not recording(database, photo).has_footage
    assert list(store(settings).stored()) == []


def test_much_footage_is_gone_in_steps_and_takes_no_time_from_rows(
    tmp_path: Path, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = made_camera(database)
    photo = given_photo(tmp_path, settings, database, camera)
    read_video(database, camera)
    with database.write() as session:
        cancel_recording(session, photo)
        keep_for(session, KeptDays(faces=30, people=30, footage=30))

    def out_of_time(*arguments: Any, deadline: float) -> Swept:
        assert deadline < math.inf
        return delete_footage(*arguments, deadline=-math.inf)

    monkeypatch.setattr(expiry, "delete_footage", out_of_time)
    assert not delete_expired(database, store(settings), keep_footage=True, budget_s=120, now=NOW)
    assert stored(database) == (0, 0, 2)
    assert recording(database, photo).has_footage
    monkeypatch.undo()
    assert delete_expired(database, store(settings), keep_footage=True, budget_s=120, now=NOW)
    assert not recording(database, photo).has_footage


@pytest.mark.parametrize(("keep_footage", "stays"), [(True, True), (False, False)])
def test_footage_of_what_was_cancelled_does_not_stay_for_good(
    tmp_path: Path, settings: Settings, database: Database, *, keep_footage: bool, stays: bool
) -> None:
    photo = given_photo(tmp_path, settings, database, made_camera(database))
    cancelled = datetime(2026, 3, 3, tzinfo=UTC)
    with database.write() as session:
        cancel_recording(session, photo, now=cancelled)
    soon, late = (cancelled + timedelta(days=UNREAD_DAYS, seconds=s) for s in (-1, 1))
    delete_expired(database, store(settings), keep_footage=keep_footage, now=soon)
    assert recording(database, photo).has_footage
    delete_expired(database, store(settings), keep_footage=keep_footage, now=late)
    assert recording(database, photo).has_footage == stays


def test_deletion_on_request_takes_rows_footage_and_sums(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    camera = made_camera(database)
    photo = given_photo(tmp_path, settings, database, camera)
    video = read_video(database, camera)
    hour = timedelta(hours=1)
    assert erase(database, store(settings), camera, NOON, NOON + hour) == Erasure(2, 2, 2, 0, 0)
    assert stored(database) == (0, 0, 0)
    assert recording(database, photo).state == "cancelled"
    assert not recording(database, photo).has_footage
    assert not recording(database, video).has_footage
    assert list(store(settings).stored()) == []


def test_a_store_that_is_away_holds_up_no_deletion_on_request(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    camera = made_camera(database)
    photo = given_photo(tmp_path, settings, database, camera)
    video = read_video(database, camera)
    with away(settings):
        gone = erase(database, store(settings), camera, NOON, NOON + timedelta(hours=1))
    assert gone == Erasure(2, 2, 0, 0, footage_left=2)
    assert stored(database) == (0, 0, 0)
    # It cannot be read again, which would bring them back, and goes once the store is back.
    assert not recording(database, photo).has_footage
    assert not recording(database, video).has_footage
    (left,) = store(settings).stored()
    assert delete_orphans(database, store(settings), left.modified + 2 * GRACE) == Swept(1)
    assert list(store(settings).stored()) == []


def test_what_was_deleted_on_request_cannot_be_read_again_while_its_footage_goes(
    tmp_path: Path, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = made_camera(database)
    photo = given_photo(tmp_path, settings, database, camera)
    delete, refused = FootageStore.delete, []

    def meanwhile(self: FootageStore, key: str) -> None:
        with pytest.raises(RecordingError) as told, database.write() as session:
            retry_recording(session, photo)
        refused.append(str(told.value))
        delete(self, key)

    monkeypatch.setattr(FootageStore, "delete", meanwhile)
    erase(database, store(settings), camera, NOON, NOON + timedelta(hours=1))
    assert len(refused) == 1
    assert "no longer kept" in refused[0]
    assert recording(database, photo).state == "cancelled"


def test_a_store_that_is_away_holds_up_no_rows_whose_time_is_up(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    camera = made_camera(database)
    photo = given_photo(tmp_path, settings, database, camera)
    read_video(database, camera)
    with database.write() as session:
        cancel_recording(session, photo)
        keep_for(session, KeptDays(faces=30, people=30, footage=30))
    with away(settings):
        assert delete_expired(database, store(settings), keep_footage=True, now=NOW)
    assert stored(database) == (0, 0, 2)
    assert recording(database, photo).has_footage
    delete_expired(database, store(settings), keep_footage=True, now=NOW)
    assert not recording(database, photo).has_footage
    assert list(store(settings).stored()) == []
