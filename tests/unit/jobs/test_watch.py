"""What a path tells, and what becomes of files in a watched folder."""

import errno
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from db.engine import Database
from db.recording_rows import list_recordings
from db.recordings import cancel_recording
from fer_core.errors import SatisfaceError
from jobs.watch import PathPattern, WatchedFolder, take_in_settled, watched_folder
from settings import Settings
from tests.made_footage import Appearance, write_picture
from tests.made_jobs import made_camera, made_settings, opened

DETAILED = "{site}/{camera}/{year}-{month}-{day}/{hour}{minute}{second}*"


@pytest.mark.parametrize(
    ("pattern", "path", "site", "camera", "at"),
    [
        ("{site}/{camera}/**", "Main Street/Entrance/a/b.mp4", "Main Street", "Entrance", None),
        ("{site}/{camera}/**", "Main Street/Entrance/b.mp4", "Main Street", "Entrance", None),
        (
            DETAILED,
            "North/Till 2/2026-03-02/101530_x.mp4",
            "North",
            "Till 2",
            datetime(2026, 3, 2, 10, 15, 30),  # noqa: DTZ001
        ),
        (
            "{site}_{camera}_{year}{month}{day}{hour}{minute}.mp4",
            "A_B_202603021015.mp4",
            "A",
            "B",
            datetime(2026, 3, 2, 10, 15),  # noqa: DTZ001
        ),
        ("exports (*)/{site}+{camera}.*", "exports (1)/A+B.mp4", "A", "B", None),
    ],
)
def test_a_path_tells_its_camera_and_its_time(
    pattern: str, path: str, site: str, camera: str, at: datetime | None
) -> None:
    meaning = PathPattern(pattern).read(PurePosixPath(path))
    assert meaning is not None
    assert (meaning.site, meaning.camera, meaning.captured_at) == (site, camera, at)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{site}/{camera}/**", "Main Street/b.mp4"),
        ("{site}/{camera}/*", "A/B/c/d.mp4"),
        (DETAILED, "A/B/2026-13-02/101530.mp4"),
        (DETAILED, "A/B/2026-03-02/10153.mp4"),
        ("{site}+{camera}.mp4", "A+Bxmp4"),
    ],
)
def test_a_path_that_does_not_follow_the_pattern_tells_nothing(pattern: str, path: str) -> None:
    assert PathPattern(pattern).read(PurePosixPath(path)) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "{site}/*",
        "{site}/{camera}/{site}",
        "{site}/{camera}/{hours}",
        "{site}/{camera}/{hour}{minute}",
    ],
)
def test_a_pattern_that_cannot_tell_enough_is_refused(pattern: str) -> None:
    with pytest.raises(SatisfaceError, match=r"\.$"):
        PathPattern(pattern)


names = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs", "Cc"]), min_size=1)
names = names.filter(lambda name: name not in {".", ".."} and name.strip() == name)


@given(names, names)
def test_any_name_is_read_as_it_is(site: str, camera: str) -> None:
    meaning = PathPattern("{site}/{camera}/**").read(PurePosixPath(f"{site}/{camera}/x.mp4"))
    assert meaning is not None
    assert (meaning.site, meaning.camera) == (site, camera)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "Site of Entrance" / "Entrance").mkdir(parents=True)
    return tmp_path / "in"


@pytest.fixture
def inbox(folder: Path) -> Path:
    """The folder of a camera that exists."""
    return folder / "Site of Entrance" / "Entrance"


@pytest.fixture
def watched(folder: Path, clock: Clock) -> WatchedFolder:
    return WatchedFolder(folder, PathPattern("{site}/{camera}/**"), 30.0, clock=clock)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return made_settings(tmp_path)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with opened(settings) as database:
        made_camera(database)
        yield database


def test_a_file_is_taken_once_it_has_stopped_growing(
    inbox: Path, watched: WatchedFolder, clock: Clock
) -> None:
    file = inbox / "a.mp4"
    file.write_bytes(b"1")
    assert list(watched.settled()) == []
    clock.now = 29
    file.write_bytes(b"12")
    assert list(watched.settled()) == []
    clock.now = 58
    assert list(watched.settled()) == []
    clock.now = 59
    assert list(watched.settled()) == [file]


def test_a_file_that_is_written_over_is_waited_for(
    inbox: Path, watched: WatchedFolder, clock: Clock
) -> None:
    file = inbox / "a.mp4"
    file.write_bytes(b"12")
    os.utime(file, ns=(1, 1))
    list(watched.settled())
    file.write_bytes(b"21")
    clock.now = 30
    assert list(watched.settled()) == []


def test_what_is_not_footage_yet_or_any_more_is_left_alone(
    folder: Path, inbox: Path, watched: WatchedFolder, clock: Clock
) -> None:
    for aside in ("done", "failed"):
        (folder / aside).mkdir()
        (folder / aside / "a.mp4").write_bytes(b"1")
    for name in ("a.mp4.part", ".hidden.mp4", "~lock.mp4", "b.crdownload"):
        (inbox / name).write_bytes(b"1")
    (inbox / "link.mp4").symlink_to(folder / "done" / "a.mp4")
    list(watched.settled())
    clock.now = 60
    assert list(watched.settled()) == []


def look(settings: Settings, database: Database, watched: WatchedFolder, clock: Clock) -> list[str]:
    """Two looks, half a minute apart; the sentences."""
    told: list[str] = []
    for _ in range(2):
        take_in_settled(settings, database, watched, threading.Event(), told.append)
        clock.now += 30
    return told


def aside(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_taken_in_lies_in_done_and_what_cannot_be_in_failed_with_its_reason(
    settings: Settings,
    database: Database,
    folder: Path,
    inbox: Path,
    watched: WatchedFolder,
    clock: Clock,
) -> None:
    write_picture(inbox / "good.jpg")
    (inbox / "bad.mp4").write_bytes(b"no video")
    (folder / "Site of Entrance" / "Cellar").mkdir()
    write_picture(folder / "Site of Entrance" / "Cellar" / "c.jpg")
    write_picture(folder / "stray.jpg")
    told = look(settings, database, watched, clock)
    assert len(told) == 4
    assert aside(folder) == {
        "done/Site of Entrance/Entrance/good.jpg",
        "failed/Site of Entrance/Entrance/bad.mp4",
        "failed/Site of Entrance/Entrance/bad.mp4.txt",
        "failed/Site of Entrance/Cellar/c.jpg",
        "failed/Site of Entrance/Cellar/c.jpg.txt",
        "failed/stray.jpg",
        "failed/stray.jpg.txt",
    }
    reason = (folder / "failed/Site of Entrance/Cellar/c.jpg.txt").read_text()
    assert "there is no camera Site of Entrance / Cellar" in reason
    with database.read() as session:
        (row,) = list_recordings(session)
    assert row.name == "Site of Entrance/Entrance/good.jpg"


def test_the_time_of_the_path_counts(
    settings: Settings, database: Database, folder: Path, clock: Clock
) -> None:
    inbox = folder / "site of entrance" / "ENTRANCE" / "2026-03-02"
    inbox.mkdir(parents=True)
    write_picture(inbox / "101530.jpg")
    watched = WatchedFolder(folder, PathPattern(DETAILED), 30.0, clock=clock)
    look(settings, database, watched, clock)
    with database.read() as session:
        (row,) = list_recordings(session)
    assert row.captured_at == datetime(2026, 3, 2, 10, 15, 30, tzinfo=UTC)
    assert row.captured_from == "given"


def test_a_name_that_lies_aside_already_is_kept(
    settings: Settings,
    database: Database,
    folder: Path,
    inbox: Path,
    watched: WatchedFolder,
    clock: Clock,
) -> None:
    write_picture(inbox / "a.jpg")
    look(settings, database, watched, clock)
    write_picture(inbox / "a.jpg", [Appearance(320, 180, look="warm")])
    look(settings, database, watched, clock)
    assert aside(folder) == {
        "done/Site of Entrance/Entrance/a.jpg",
        "done/Site of Entrance/Entrance/a (2).jpg",
    }


def test_after_a_crash_between_taking_in_and_moving_nothing_is_there_twice(
    settings: Settings,
    database: Database,
    folder: Path,
    inbox: Path,
    watched: WatchedFolder,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_picture(inbox / "a.jpg")
    with monkeypatch.context() as broken:
        broken.setattr(WatchedFolder, "put_aside", lambda *_: None)
        look(settings, database, watched, clock)
    look(settings, database, watched, clock)
    assert aside(folder) == {"done/Site of Entrance/Entrance/a.jpg"}
    with database.read() as session:
        assert len(list_recordings(session)) == 1


def test_a_name_in_another_encoding_holds_up_no_other(
    settings: Settings,
    database: Database,
    folder: Path,
    inbox: Path,
    watched: WatchedFolder,
    clock: Clock,
) -> None:
    write_picture(inbox / os.fsdecode(b"K\xe4se.jpg"))
    (inbox / os.fsdecode(b"K\xe4se.mp4")).write_bytes(b"no video")
    write_picture(inbox / "other.jpg", [Appearance(30, 30)])
    look(settings, database, watched, clock)
    kept = {os.fsencode(path.name) for path in (folder / "done").rglob("*.jpg")}
    assert kept == {b"K\xe4se.jpg", b"other.jpg"}
    (reason,) = (folder / "failed").rglob("*.txt")
    assert "K\ufffdse.mp4" in reason.read_text()
    with database.read() as session:
        names = {row.name for row in list_recordings(session)}
    assert names == {f"Site of Entrance/Entrance/{name}" for name in ("K\ufffdse.jpg", "other.jpg")}


STALE = OSError(errno.ESTALE, "Stale file handle")
DENIED = PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(
    ("refuses", "error", "named"),
    [
        ("stat", STALE, ["a.jpg", "b.jpg"]),
        ("stat", DENIED, ["a.jpg", "b.jpg"]),
        ("entry", DENIED, [""]),
        ("scandir", STALE, [""]),
    ],
)
def test_what_cannot_be_looked_at_is_named_once_and_holds_up_no_other(
    settings: Settings,
    database: Database,
    folder: Path,
    inbox: Path,
    watched: WatchedFolder,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    refuses: str,
    error: OSError,
    named: list[str],
) -> None:
    lost = inbox / "lost"
    lost.mkdir()
    for name, size in (("a.jpg", (640, 360)), ("b.jpg", (480, 360))):
        write_picture(lost / name, size=size)
    write_picture(inbox / "other.jpg", size=(320, 360))
    at_file, in_folder, allowed = Path.stat, os.scandir, os.access

    def stat(path: Path, **how: Any) -> os.stat_result:
        if refuses in {"stat", "entry"} and path.parent == lost:
            raise error
        return at_file(path, **how)

    def access(path: Path, mode: int) -> bool:
        return (refuses, path) != ("entry", lost) and allowed(path, mode)

    def scandir(path: str) -> Any:
        if refuses == "scandir" and Path(path) == lost:
            raise type(error)(error.errno, error.strerror, path)
        return in_folder(path)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "stat", stat)
        broken.setattr(os, "scandir", scandir)
        broken.setattr(os, "access", access)
        told = look(settings, database, watched, clock) + look(settings, database, watched, clock)
    assert told == ["Site of Entrance/Entrance/other.jpg: taken in."]
    left_out = [record.args[0] for record in caplog.records if isinstance(record.args, tuple)]
    assert sorted(left_out, key=str) == [str(lost / name) for name in named]
    assert str(error.strerror) in caplog.text
    assert ("let Satisface read" in caplog.text) is (error is DENIED)
    look(settings, database, watched, clock)
    inside = "done/Site of Entrance/Entrance"
    assert aside(folder) == {
        f"{inside}/{name}" for name in ("other.jpg", "lost/a.jpg", "lost/b.jpg")
    }


def test_the_file_of_a_recording_that_failed_is_not_said_to_be_in(
    settings: Settings,
    database: Database,
    folder: Path,
    inbox: Path,
    watched: WatchedFolder,
    clock: Clock,
) -> None:
    watched.delete_done = True
    write_picture(inbox / "a.jpg")
    look(settings, database, watched, clock)
    assert aside(folder) == set()
    with database.write() as session:
        cancel_recording(session, 1, now=datetime.now(UTC))
    write_picture(inbox / "a.jpg")
    look(settings, database, watched, clock)
    again = "failed/Site of Entrance/Entrance/a.jpg"
    assert aside(folder) == {again, f"{again}.txt"}
    assert "delete it there" in (folder / f"{again}.txt").read_text()


def test_a_file_waits_while_the_database_or_the_disk_is_to_blame(
    settings: Settings,
    database: Database,
    folder: Path,
    inbox: Path,
    watched: WatchedFolder,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_picture(inbox / "a.jpg")
    for trouble in (OSError(28, "full"), OperationalError("", None, Exception("gone"))):

        def fail(*_: object, trouble: Exception = trouble, **__: object) -> None:
            raise trouble

        with monkeypatch.context() as broken:
            broken.setattr("jobs.intake.add_recording", fail)
            look(settings, database, watched, clock)
        assert aside(folder) == {"Site of Entrance/Entrance/a.jpg"}
    look(settings, database, watched, clock)
    assert aside(folder) == {"done/Site of Entrance/Entrance/a.jpg"}


@pytest.fixture
def immovable(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Files named ``stuck`` cannot be moved, until it is undone."""
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if path.parent == inbox and path.stem == "stuck":
            raise PermissionError(13, "Permission denied")
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        yield patch


def test_a_file_that_cannot_be_moved_holds_up_no_other(
    settings: Settings,
    database: Database,
    folder: Path,
    inbox: Path,
    watched: WatchedFolder,
    clock: Clock,
    immovable: pytest.MonkeyPatch,
) -> None:
    for name, size in (("stuck.jpg", (640, 360)), ("later.jpg", (480, 360))):
        write_picture(inbox / name, size=size)
    os.utime(inbox / "stuck.jpg", (1, 1))
    told = look(settings, database, watched, clock) + look(settings, database, watched, clock)
    name = "Site of Entrance/Entrance/stuck.jpg"
    assert told == [
        f"{name}: taken in.",
        (
            f"{name}: it was taken in but cannot be moved (Permission denied); "
            "let Satisface write in its folder."
        ),
        "Site of Entrance/Entrance/later.jpg: taken in.",
    ]
    assert aside(folder) == {name, "done/Site of Entrance/Entrance/later.jpg"}
    immovable.undo()
    assert look(settings, database, watched, clock) == []
    assert f"done/{name}" in aside(folder)


@pytest.mark.usefixtures("immovable")
def test_a_file_that_could_not_be_moved_is_looked_at_again_once_it_changes(
    settings: Settings, database: Database, inbox: Path, watched: WatchedFolder, clock: Clock
) -> None:
    (inbox / "stuck.jpg").write_bytes(b"no picture")
    assert len(told := look(settings, database, watched, clock)) == 2
    assert told[1].endswith(
        "stuck.jpg: it cannot be moved (Permission denied); let Satisface write in its folder."
    )
    write_picture(inbox / "stuck.jpg")
    first, second = look(settings, database, watched, clock)
    assert first.endswith("stuck.jpg: taken in.")
    assert "it was taken in but cannot be moved" in second


def test_done_files_can_be_deleted(
    settings: Settings, database: Database, folder: Path, inbox: Path, clock: Clock
) -> None:
    pattern = PathPattern("{site}/{camera}/**")
    watched = WatchedFolder(folder, pattern, 30.0, delete_done=True, clock=clock)
    write_picture(inbox / "a.jpg")
    (inbox / "bad.jpg").write_bytes(b"x")
    look(settings, database, watched, clock)
    assert aside(folder) == {
        "failed/Site of Entrance/Entrance/bad.jpg",
        "failed/Site of Entrance/Entrance/bad.jpg.txt",
    }


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SatisfaceError, match="No folder is named"):
        watched_folder(made_settings(tmp_path))
    with pytest.raises(SatisfaceError, match="there is no such folder"):
        watched_folder(made_settings(tmp_path, watch_folder=str(tmp_path / "nowhere")))
