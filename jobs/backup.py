"""A whole installation in a folder, and back: the database as one SQLite file, whatever it is kept
in, the footage that still waits, and a list with the hash of each file.

A backup is taken while everything runs. It appears under its name when it is whole.
"""

import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import make_url

from db.copy import check_empty, copy_database
from db.engine import Database, upgrade
from db.recordings import footage_keys
from fer_core.errors import SatisfaceError
from jobs.store import FootageStore, unfinished_folder
from settings import Settings, sqlite_url

_DATABASE: Final = "satisface.db"
_FOOTAGE: Final = "footage"
_LIST: Final = "backup.json"
_FORM: Final = 1
_PAGES_AT_ONCE: Final = 2_000

Progress = Callable[[str, int, int], None]
"""Told what is copied, and how much of how much."""


class BackupError(SatisfaceError):
    """A backup cannot be made or brought back; the message says why."""


@dataclass(frozen=True, slots=True)
class Backup:
    """``footage``: files in it. ``bytes``: of all of it. ``gone``: footage that was to be there
    and was in the store no more."""

    folder: Path
    made_at: datetime
    footage: int
    bytes: int
    gone: int = 0


def back_up(settings: Settings, folder: Path, progress: Progress = lambda *_: None) -> Backup:
    """Write a backup to ``folder``, which must not be there yet. Raises BackupError."""
    if folder.exists():
        raise BackupError(f"{folder} is there already; a backup gets a new folder.")
    made_at = datetime.now(UTC)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        unfinished = Path(scratch) / folder.name
        (unfinished / _FOOTAGE).mkdir(parents=True)
        # What comes from elsewhere may be larger than the system's temporary folder.
        store = FootageStore(settings.resolved_footage_url, Path(scratch))
        # Footage that is read and deleted from here on is wanted by nobody; what comes is added.
        _fetch(store, unfinished, _kept(settings.resolved_database_url), progress)
        _snapshot(settings.resolved_database_url, unfinished / _DATABASE, progress)
        wanted = _kept(sqlite_url(unfinished / _DATABASE))
        _fetch(store, unfinished, wanted, progress)
        for file in (unfinished / _FOOTAGE).iterdir():
            if file.name not in wanted:
                file.unlink()
        files: dict[str, dict[str, Any]] = {
            str(file.relative_to(unfinished)): {
                "bytes": file.stat().st_size,
                "sha256": _sha256(file),
            }
            for file in sorted(unfinished.rglob("*"))
            if file.is_file()
        }
        listed = {"form": _FORM, "made_at": made_at.isoformat(), "files": files}
        (unfinished / _LIST).write_text(json.dumps(listed, indent=1))
        unfinished.rename(folder)
    footage = len(files) - 1
    size = sum(int(about["bytes"]) for about in files.values())
    return Backup(folder, made_at, footage, size, gone=len(wanted) - footage)


def restore(settings: Settings, folder: Path, progress: Progress = lambda *_: None) -> Backup:
    """Bring a backup back into an installation whose database is empty or missing.

    One that an older version made is migrated on the way. Raises BackupError where a file of the
    backup is missing or changed, CopyError where the database holds something.
    """
    listed = _checked(folder, progress)
    check_empty(settings.resolved_database_url)
    store = FootageStore(settings.resolved_footage_url)
    footage = [Path(name) for name in listed["files"] if name != _DATABASE]
    # Before the rows: a worker that finds a recording without its footage gives it up.
    for done, file in enumerate(footage):
        progress("footage", done, len(footage))
        store.put_as(file.name, folder / file)
    with tempfile.TemporaryDirectory(dir=unfinished_folder(settings)) as scratch:
        # Without the mode of the original, which may be read-only.
        copy = sqlite_url(shutil.copyfile(folder / _DATABASE, Path(scratch) / _DATABASE))
        upgrade(copy)
        copy_database(copy, settings.resolved_database_url, progress)
    size = sum(int(about["bytes"]) for about in listed["files"].values())
    return Backup(folder, datetime.fromisoformat(listed["made_at"]), len(footage), size)


def _kept(url: str) -> set[str]:
    """Keys of the footage that the database names."""
    with closing(Database(url)) as database, database.read() as session:
        return set(footage_keys(session).values())


def _fetch(store: FootageStore, folder: Path, wanted: Collection[str], progress: Progress) -> None:
    """Copy what is not there yet; what was deleted meanwhile is left out."""
    missing = sorted(key for key in wanted if not (folder / _FOOTAGE / key).exists())
    for done, key in enumerate(missing):
        progress("footage", done, len(missing))
        try:
            with store.local(key) as file:
                shutil.copyfile(file, folder / _FOOTAGE / key)
        except FileNotFoundError:
            (folder / _FOOTAGE / key).unlink(missing_ok=True)


def _snapshot(url: str, target: Path, progress: Progress) -> None:
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        copy_database(url, sqlite_url(target), progress)
        return
    with (
        closing(sqlite3.connect(str(address.database), isolation_level=None)) as source,
        closing(sqlite3.connect(target)) as sink,
    ):
        # One state for all steps: between steps of its own, SQLite begins anew with every commit.
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM sqlite_master").fetchone()
        source.backup(
            sink,
            pages=_PAGES_AT_ONCE,
            progress=lambda _, left, total: progress("database", total - left, total),
            sleep=0.0,
        )
        # Alone, without a log beside it.
        sink.execute("PRAGMA journal_mode = DELETE")


def _checked(folder: Path, progress: Progress) -> dict[str, Any]:
    try:
        listed: dict[str, Any] = json.loads((folder / _LIST).read_text())
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder} is not a backup: it has no {_LIST}.") from error
    if listed["form"] != _FORM:
        raise BackupError(f"{folder} was made by a newer version.")
    for done, (name, about) in enumerate(listed["files"].items()):
        progress("checking", done, len(listed["files"]))
        if not (folder / name).is_file() or _sha256(folder / name) != about["sha256"]:
            raise BackupError(f"The backup is damaged: {name} is missing or changed.")
    return listed


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
