import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from db.engine import Database
from db.recordings import (
    RecordingError,
    cancel_recording,
    delete_recording,
    footage_keys,
    retry_recording,
)
from db.tables import RecordingState
from jobs.intake import Accepted
from jobs.store import FootageStore, StoredFootage
from jobs.sweep import (
    GRACE,
    UNFINISHED_GRACE,
    Swept,
    delete_footage,
    delete_orphans,
    delete_read_footage,
    delete_unfinished,
)
from settings import Settings
from tests.made_footage import write_picture
from tests.made_jobs import made_camera, made_settings, opened, recording, store, take_in

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return made_settings(tmp_path, database_url=database_url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with opened(settings) as database:
        yield database


@pytest.fixture
def recording_id(tmp_path: Path, settings: Settings, database: Database) -> int:
    return given(tmp_path / "photo.jpg", settings, database, made_camera(database))


def given(picture: Path, settings: Settings, database: Database, camera: int) -> int:
    """The recording of a picture that waits."""
    write_picture(picture)
    (accepted,) = take_in(database, settings, camera, picture).values()
    assert isinstance(accepted, Accepted)
    return accepted.recording_id


def kept(database: Database) -> dict[int, str]:
    """Recording to key of all footage."""
    with database.read() as session:
        return footage_keys(session)


def later(by: timedelta) -> datetime:
    return datetime.now(UTC) + by + timedelta(minutes=1)


def test_footage_without_a_recording_is_deleted_after_its_grace(
    tmp_path: Path, settings: Settings, database: Database, recording_id: int
) -> None:
    orphan = store(settings).put(tmp_path / "photo.jpg")
    assert delete_orphans(database, store(settings)) == Swept(0)
    assert store(settings).exists(orphan)
    assert delete_orphans(database, store(settings), later(GRACE)) == Swept(1)
    assert not store(settings).exists(orphan)
    assert recording(database, recording_id).has_footage
    assert len(list(store(settings).stored())) == 1


@pytest.mark.usefixtures("recording_id")
def test_files_that_others_put_into_the_folder_stay(settings: Settings, database: Database) -> None:
    theirs = Path(settings.resolved_footage_url) / "20260302_101530.mp4"
    theirs.write_bytes(b"of a recorder")
    assert delete_orphans(database, store(settings), later(GRACE)) == Swept(0)
    assert theirs.exists()


def test_footage_that_a_restore_brings_stays_until_its_rows_come(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    write_picture(tmp_path / "photo.jpg")
    key = store(settings).put(tmp_path / "photo.jpg")
    assert delete_orphans(database, store(settings), later(GRACE)) == Swept(0)
    assert store(settings).exists(key)
    made_camera(database)
    assert delete_orphans(database, store(settings), later(GRACE)) == Swept(1)


def test_a_piece_that_cannot_be_deleted_holds_up_no_other(
    tmp_path: Path,
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made_camera(database)
    write_picture(tmp_path / "photo.jpg")
    first, second = sorted(store(settings).put(tmp_path / "photo.jpg") for _ in range(2))
    remove = LocalFileSystem.rm_file

    def refuse(files: LocalFileSystem, path: str) -> None:
        if path.endswith(first):
            raise PermissionError(13, "Permission denied")
        remove(files, path)

    monkeypatch.setattr(LocalFileSystem, "rm_file", refuse)
    monkeypatch.setattr(
        FootageStore, "stored", lambda *_, **__: [StoredFootage(k, EPOCH) for k in (first, second)]
    )
    assert delete_orphans(database, store(settings)) == Swept(1)
    assert store(settings).exists(first)
    assert not store(settings).exists(second)
    assert f"first {first}: [Errno 13] Permission denied" in caplog.text


def test_only_footage_that_was_read_is_deleted(
    settings: Settings, database: Database, recording_id: int
) -> None:
    assert delete_read_footage(database, store(settings)) == Swept(0)
    with database.write() as session:
        cancel_recording(session, recording_id)
    assert delete_read_footage(database, store(settings)) == Swept(0)
    assert recording(database, recording_id).has_footage


def test_what_is_to_be_read_again_by_its_turn_keeps_its_footage(
    tmp_path: Path,
    settings: Settings,
    database: Database,
    recording_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera = recording(database, recording_id).camera_id
    other = given(tmp_path / "other.png", settings, database, camera)
    with database.write() as session:
        for one in (recording_id, other):
            cancel_recording(session, one)
    footage = kept(database)
    delete = FootageStore.delete

    def meanwhile(self: FootageStore, key: str) -> None:
        delete(self, key)
        with database.write() as session:
            retry_recording(session, other)

    monkeypatch.setattr(FootageStore, "delete", meanwhile)
    in_turn = {one: footage[one] for one in (recording_id, other)}
    assert delete_footage(database, store(settings), in_turn, "its time was up") == Swept(1)
    assert kept(database) == {other: footage[other]}
    assert store(settings).exists(footage[other])


def test_nobody_can_have_read_again_what_is_just_being_deleted(
    settings: Settings,
    database: Database,
    recording_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with database.write() as session:
        cancel_recording(session, recording_id)
    delete, refused = FootageStore.delete, []

    def meanwhile(self: FootageStore, key: str) -> None:
        with pytest.raises(RecordingError) as told, database.write() as session:
            retry_recording(session, recording_id)
        refused.append(str(told.value))
        delete(self, key)

    monkeypatch.setattr(FootageStore, "delete", meanwhile)
    assert delete_footage(database, store(settings), kept(database), "old") == Swept(1)
    assert len(refused) == 1
    assert "no longer kept" in refused[0]
    assert recording(database, recording_id).state is RecordingState.CANCELLED
    assert list(store(settings).stored()) == []


def test_what_a_store_failed_to_delete_is_nobodys_and_goes_later(
    settings: Settings,
    database: Database,
    recording_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with database.write() as session:
        cancel_recording(session, recording_id)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "rm_file", refuse)
        assert delete_footage(database, store(settings), kept(database), "old") == Swept(0)
    assert kept(database) == {}
    assert delete_orphans(database, store(settings), later(GRACE)) == Swept(1)
    assert list(store(settings).stored()) == []


def test_a_number_that_is_given_again_leads_to_no_other_footage(
    tmp_path: Path, settings: Settings, database: Database, recording_id: int
) -> None:
    """As SQLite gives that of the newest recording, once it is deleted."""
    camera = recording(database, recording_id).camera_id
    expired = kept(database)
    with database.write() as session:
        delete_recording(session, recording_id)
    later_one = given(tmp_path / "other.png", settings, database, camera)
    with database.write() as session:
        cancel_recording(session, later_one)
    footage = kept(database)
    assert delete_footage(database, store(settings), expired, "its time was up") == Swept(0)
    assert kept(database) == footage
    assert delete_orphans(database, store(settings), later(GRACE)) == Swept(1)
    assert store(settings).exists(footage[later_one])


def test_what_the_time_does_not_reach_to_is_left_and_told(
    tmp_path: Path, settings: Settings, database: Database, recording_id: int
) -> None:
    with database.write() as session:
        cancel_recording(session, recording_id)
    orphan = store(settings).put(tmp_path / "photo.jpg")
    footage, now = kept(database), time.monotonic()
    left = Swept(0, in_time=False)
    assert delete_footage(database, store(settings), footage, "old", deadline=now) == left
    assert delete_orphans(database, store(settings), later(GRACE), deadline=now) == left
    assert kept(database) == footage
    assert store(settings).exists(footage[recording_id])
    assert store(settings).exists(orphan)
    assert delete_footage(database, store(settings), footage, "old") == Swept(1)


def test_what_crashed_uploads_left_is_deleted_after_its_grace(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    assert delete_unfinished(folder) == 0
    (folder / "zip-1").mkdir(parents=True)
    (folder / "zip-1" / "a.jpg").write_bytes(b"x")
    (folder / "upload.mp4").write_bytes(b"x")
    (folder / "fresh.mp4").write_bytes(b"x")
    old = (datetime.now(UTC) - UNFINISHED_GRACE - timedelta(minutes=1)).timestamp()
    for name in ("zip-1", "upload.mp4"):
        os.utime(folder / name, (old, old))
    assert delete_unfinished(folder) == 2
    assert [entry.name for entry in folder.iterdir()] == ["fresh.mp4"]
