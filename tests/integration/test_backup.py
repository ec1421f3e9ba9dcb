"""A backup brings an installation back, whatever its database and its store are."""

import json
import shutil
import stat
from pathlib import Path

import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from commands.app import app
from db.copy import CopyError, checksums
from db.engine import downgrade, upgrade
from db.places import create_site, list_sites
from db.recordings import delete_recording
from db.tables import RecordingState
from jobs import backup
from jobs.backup import BackupError, back_up, restore
from jobs.intake import Accepted
from settings import Settings
from tests.made_footage import Appearance, write_picture, write_video
from tests.made_jobs import (
    made_camera,
    made_settings,
    opened,
    read_all,
    recording,
    rows,
    store,
    take_in,
)

SECONDS = 4
PEOPLE = (Appearance(60, 90, to=(250, 90), end_s=SECONDS, face_height=60),)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """An installation that has read a picture, and has a video waiting."""
    made = made_settings(tmp_path, database_url=database_url, sample_rate=3)
    write_picture(tmp_path / "photo.jpg")
    write_video(tmp_path / "door.mp4", PEOPLE, (320, 180), fps=5, seconds=SECONDS, gop=5)
    with opened(made) as database:
        camera = made_camera(database)
        take_in(database, made, camera, tmp_path / "photo.jpg")
        read_all(made)
        outcome = take_in(database, made, camera, tmp_path / "door.mp4")["door.mp4"]
        assert isinstance(outcome, Accepted)
    return made


def test_what_was_restored_goes_on_as_the_original_does(
    tmp_path: Path, settings: Settings, empty_url: str, s3_url: str
) -> None:
    made = back_up(settings, tmp_path / "monday")
    assert (made.footage, made.gone) == (1, 0)
    elsewhere = Settings(home=tmp_path / "other", database_url=empty_url, footage_url=s3_url)
    restored = restore(elsewhere, tmp_path / "monday")
    assert (restored.made_at, restored.footage) == (made.made_at, 1)
    with opened(settings) as here, opened(elsewhere) as there:
        with here.read() as mine, there.read() as theirs:
            assert checksums(theirs) == checksums(mine)
        assert len(list(store(elsewhere).stored())) == 1
        for installation in (settings, elsewhere):
            read_all(installation)
        assert recording(there, 2).state is RecordingState.DONE
        assert rows(there) == rows(here)
    assert list((elsewhere.home / "unfinished").iterdir()) == []


def test_a_backup_is_all_that_stands_in_its_folder(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "backups").mkdir()
    back_up(settings, tmp_path / "backups" / "monday")
    (folder,) = (tmp_path / "backups").iterdir()
    assert sorted(entry.name for entry in folder.iterdir()) == [
        "backup.json",
        "footage",
        "satisface.db",
    ]
    with pytest.raises(BackupError, match="there already"):
        back_up(settings, folder)


def test_a_backup_that_fails_leaves_nothing(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_snapshot", full)
    with pytest.raises(OSError, match="No space"):
        back_up(settings, tmp_path / "backups" / "monday")
    assert list((tmp_path / "backups").iterdir()) == []


def test_footage_that_goes_while_it_is_backed_up_is_missed_by_nobody(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = backup._snapshot

    def meanwhile(*arguments: object) -> None:
        with opened(settings) as database, database.write() as session:
            key = delete_recording(session, 2)
        assert key is not None
        store(settings).delete(key)
        snapshot(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(backup, "_snapshot", meanwhile)
    made = back_up(settings, tmp_path / "monday")
    assert (made.footage, made.gone) == (0, 0)
    assert list((tmp_path / "monday" / "footage").iterdir()) == []


def test_footage_that_was_lost_is_told(tmp_path: Path, settings: Settings) -> None:
    for footage in store(settings).stored():
        store(settings).delete(footage.key)
    assert back_up(settings, tmp_path / "monday").gone == 1


@pytest.fixture
def monday(tmp_path: Path, sqlite_url: str) -> Path:
    """A small backup, of an installation of which nothing was made but its tables."""
    made = made_settings(tmp_path / "plain", database_url=sqlite_url)
    with opened(made) as database:
        made_camera(database)
    return back_up(made, tmp_path / "monday").folder


@pytest.mark.embedded
def test_a_backup_is_not_mixed_with_what_is_there(tmp_path: Path, monday: Path) -> None:
    filled = made_settings(tmp_path / "filled")
    with opened(filled) as database:
        made_camera(database, "Till")
        with pytest.raises(CopyError, match="not empty"):
            restore(filled, monday)
    shutil.rmtree(filled.home)
    assert restore(filled, monday).footage == 0


def test_a_backup_of_a_file_that_is_written_all_the_time_ends_with_one_state_of_it(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = made_settings(tmp_path / "busy", database_url=sqlite_url)
    monkeypatch.setattr(backup, "_PAGES_AT_ONCE", 1)
    written: list[int] = []
    with opened(busy) as database:
        made_camera(database)
        with database.read() as session:
            before = checksums(session)

        def meanwhile(what: str, *_: int) -> None:
            if what == "database":
                assert len(written) < 1000, "it begins anew with every commit"
                with database.write() as session:
                    written.append(create_site(session, f"Site {len(written)}", "UTC"))

        made = back_up(busy, tmp_path / "monday", meanwhile)
        with database.read() as session:
            assert len(list_sites(session)) == 1 + len(written)
    assert len(written) > 10
    file = Settings(database_url=f"sqlite:///{made.folder / 'satisface.db'}")
    with opened(file) as copied, copied.read() as session:
        assert checksums(session) == before


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_backup_is_refused(tmp_path: Path, monday: Path, damage: str) -> None:
    file = monday / "satisface.db"
    if damage == "changed":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    else:
        file.unlink()
    elsewhere = Settings(home=tmp_path / "other", database_url="", footage_url="")
    with pytest.raises(BackupError, match=r"damaged: satisface\.db"):
        restore(elsewhere, monday)
    assert not elsewhere.home.exists()


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path / "other", database_url="", footage_url="")
    with pytest.raises(BackupError, match="not a backup"):
        restore(elsewhere, tmp_path)


def test_the_backup_of_an_older_version_is_migrated(tmp_path: Path, monday: Path) -> None:
    file = monday / "satisface.db"
    downgrade(f"sqlite:///{file}", "0001")
    listed = json.loads((monday / "backup.json").read_text())
    listed["files"]["satisface.db"]["sha256"] = backup._sha256(file)
    (monday / "backup.json").write_text(json.dumps(listed))
    elsewhere = Settings(home=tmp_path / "other", database_url="", footage_url="")
    restore(elsewhere, monday)
    with opened(elsewhere) as database, database.read() as session:
        assert checksums(session)["cameras"].rows == 1


def test_the_copy_that_is_migrated_can_be_written_though_the_backup_cannot(
    tmp_path: Path, monday: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (monday / "satisface.db").chmod(0o444)
    modes: list[int] = []

    def noted(url: str) -> None:
        modes.append(Path(str(make_url(url).database)).stat().st_mode)
        upgrade(url)

    monkeypatch.setattr(backup, "upgrade", noted)
    restore(Settings(home=tmp_path / "other", database_url="", footage_url=""), monday)
    assert [bool(mode & stat.S_IWUSR) for mode in modes] == [True]


@pytest.mark.embedded
def test_folders_may_be_called_as_an_address_would_not_have_them(tmp_path: Path) -> None:
    odd = tmp_path / "a%20b?c#d"
    write_picture(tmp_path / "photo.jpg")
    here = made_settings(odd)
    with opened(here) as database:
        take_in(database, here, made_camera(database), tmp_path / "photo.jpg")
        made = back_up(here, odd / "monday")
        there = Settings(home=odd / "other", database_url="", footage_url="")
        assert (made.footage, restore(there, made.folder).footage) == (1, 1)
        with opened(there) as copied, database.read() as mine, copied.read() as theirs:
            assert checksums(theirs) == checksums(mine)
    assert {entry.name for entry in tmp_path.iterdir()} == {odd.name, "photo.jpg"}


def run(settings: Settings, *arguments: object) -> tuple[int, str]:
    """Exit status of ``cli.py`` with ``settings``, and what it said on one line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("settings.settings", lambda: settings)
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, " ".join(result.stderr.split())


def test_the_commands_say_what_they_did(tmp_path: Path, sqlite_url: str, empty_url: str) -> None:
    here = made_settings(tmp_path / "plain", database_url=sqlite_url)
    with opened(here) as database:
        made_camera(database)
    status, said = run(here, "backup", tmp_path / "tuesday")
    assert (status, "the database and 0 files of footage" in said) == (0, True)
    assert run(here, "backup", tmp_path / "tuesday")[0] == 1

    there = Settings(home=tmp_path / "other", database_url=empty_url)
    status, said = run(there, "restore", tmp_path / "tuesday")
    assert (status, "Restored as of" in said) == (0, True)
    status, said = run(there, "restore", tmp_path / "tuesday")
    assert (status, "not empty: it holds sites, cameras" in said) == (1, True)

    third = f"sqlite:///{tmp_path / 'third.db'}"
    status, said = run(there, "db", "copy", third)
    assert (status, "2 rows of" in said) == (0, True)
    with (
        opened(here) as mine,
        opened(Settings(database_url=third)) as theirs,
        mine.read() as first,
        theirs.read() as last,
    ):
        assert checksums(first) == checksums(last)
