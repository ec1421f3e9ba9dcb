"""From a file somebody gives to a recording that waits to be read.

The footage is put into the store first and its row is written after it, so a row always has
footage. What a crash leaves between the two (footage without a row) is swept by the worker.
"""

import errno
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePath
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from db.engine import Database
from db.recording_rows import RecordingRow, find_by_sha256
from db.recordings import RecordingError, add_recording, footage_keys
from db.tables import Camera
from fer_core.archive import is_archive, unpack
from fer_core.errors import FootageError, SatisfaceError
from fer_core.footage import plan_segments, probe
from fer_core.limits import FootageLimits
from fer_core.types import CaptureTime, FootageInfo, FootageKind
from jobs.heartbeat import DATABASE_TROUBLE
from jobs.store import FootageStore, StoreUnreachable
from jobs.store import unfinished_folder as unfinished_folder
from settings import Settings, settings

log = logging.getLogger(__name__)

_CHUNK = 4 * 1024 * 1024
_LONGEST_NAME = 255
_UNEXPECTED = "it could not be taken in because of an unexpected fault; the log tells more."


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a look at one file, or one member of a zip, tells. ``problem``: the sentence with
    which it would be refused; the other values are None then."""

    name: str
    kind: FootageKind | None
    duration_ms: int | None
    captured: CaptureTime | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """``captured_from``: "given", "exif", "metadata", "file name" or "upload".
    ``also_at``: other cameras ("Site/Camera") that hold the very same file."""

    name: str
    recording_id: int
    captured_at: datetime
    captured_from: str
    also_at: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        if not self.also_at:
            return f"{self.name}: taken in."
        return f"{self.name}: taken in; the same file was also given for {', '.join(self.also_at)}."


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The camera has this very file already, as ``recording``."""

    name: str
    recording: RecordingRow

    @property
    def reason(self) -> str:
        return (
            f"{self.recording.camera} has this file already, "
            f"as {self.recording.name} ({self.recording.state})."
        )

    @property
    def sentence(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Refused:
    """``sentence`` names the file and says why. ``may_pass``: the file is not to blame (a full
    disk, a database that does not answer); another time it may be taken in."""

    name: str
    sentence: str
    may_pass: bool = False


Outcome = Accepted | Duplicate | Refused


@dataclass(frozen=True, slots=True)
class GivenFile:
    """One file to take in; ``problem`` when it could not even be unpacked, with ``may_pass`` as
    ``Refused`` has it. ``sha256`` where it is known already; ``is_ours``: see
    ``FootageStore.put``."""

    name: str
    path: Path | None
    problem: str | None = None
    is_member: bool = False
    sha256: str | None = None
    is_ours: bool = False
    may_pass: bool = False


def as_text(path: PurePath) -> str:
    """A path as it can be stored and shown: a recorder may write names in another encoding, which
    are no text."""
    return os.fsencode(path).decode("utf-8", "replace")


def inspect(path: Path, name: str, scratch: Path | None = None) -> tuple[Inspected, ...]:
    """A look at a file, or at every member of a zip, that stores nothing.

    ``scratch``: where members are unpacked, one at a time; the home folder when it is None.
    """
    folder, limits = scratch or unfinished_folder(settings()), settings().footage_limits
    files = unpacked_files(path, name, folder, limits)
    return tuple(_inspect(file, limits) for file in files)


def _inspect(file: GivenFile, limits: FootageLimits) -> Inspected:
    if file.path is None:
        return Inspected(file.name, None, None, None, file.problem)
    try:
        info = probe(file.path, file.name, limits)
    except FootageError as error:
        return Inspected(file.name, None, None, None, str(error))
    except Exception:
        log.exception("inspecting %s", file.name)
        return Inspected(file.name, None, None, None, f"{file.name}: {_UNEXPECTED}")
    return Inspected(file.name, info.kind, info.duration_ms, info.captured, None)


def admit(
    database: Database,
    store: FootageStore,
    settings: Settings,
    *,
    path: Path,
    name: str,
    camera_id: int,
    captured_at: datetime | None = None,
    sha256: str | None = None,
    is_ours: bool = False,
) -> Iterator[Outcome]:
    """Take in a file, or every member of a zip: one outcome each, as it comes about.

    ``captured_at``: when the footage begins; naive means the site's local time. For a member of
    a zip it counts only where the member itself does not tell. ``sha256``: of the file, where it
    was hashed already. ``is_ours``: see ``FootageStore.put``. Nothing is raised: what goes wrong
    with one file is its outcome, and the others go on.
    """
    folder = unfinished_folder(settings)
    for file in unpacked_files(path, name, folder, settings.footage_limits):
        try:
            if not file.is_member:
                file = replace(file, sha256=sha256, is_ours=is_ours)
            yield _admit(database, store, settings, file, camera_id, captured_at)
        except StoreUnreachable as error:
            log.exception("taking in %s", file.name)
            yield Refused(file.name, f"{file.name}: {error}", may_pass=True)
        except SatisfaceError as error:
            yield Refused(file.name, str(error))
        except Exception as error:
            log.exception("taking in %s", file.name)
            yield Refused(file.name, _sentence(file.name, error), may_pass=_may_pass(error))


def _may_pass(error: Exception) -> bool:
    return isinstance(error, OSError | SQLAlchemyError) and not isinstance(error, FileNotFoundError)


def _sentence(name: str, error: Exception) -> str:
    """For what was not foreseen: a plain sentence; the log has the rest."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"{name}: there is no space left to store it."
    if isinstance(error, FileNotFoundError):
        return f"{name}: there is no such file."
    return f"{name}: {_UNEXPECTED}"


def unpacked_files(
    path: Path, name: str, folder: Path, limits: FootageLimits | None = None
) -> Iterator[GivenFile]:
    """The file itself, or the members of a zip, each on disk only while it has its turn."""
    try:
        if not (PurePath(name).suffix.lower() == ".zip" and is_archive(path)):
            yield GivenFile(name, path)
            return
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="zip-") as unpacked:
            for member in unpack(path, Path(unpacked), name, limits):
                if member.path is None:
                    yield GivenFile(member.name, None, str(member.error), is_member=True)
                    continue
                yield GivenFile(member.name, member.path, is_member=True, is_ours=True)
                member.path.unlink(missing_ok=True)
    except FootageError as error:
        yield GivenFile(name, None, str(error))
    except Exception as error:
        log.exception("opening %s", name)
        yield GivenFile(name, None, _sentence(name, error), may_pass=_may_pass(error))


def _admit(
    database: Database,
    store: FootageStore,
    settings: Settings,
    file: GivenFile,
    camera_id: int,
    captured_at: datetime | None,
) -> Outcome:
    if file.path is None:
        problem = file.problem or f"{file.name}: {_UNEXPECTED}"
        return Refused(file.name, problem, file.may_pass)
    info = probe(file.path, file.name, settings.footage_limits)
    digest = file.sha256 or _sha256(file.path)
    with database.read() as session:
        camera = session.get(Camera, camera_id)
        if camera is None:
            return Refused(file.name, f"{file.name}: its camera does not exist any more.")
        zone = ZoneInfo(camera.site.time_zone)
        same = find_by_sha256(session, digest)
        # A disk that is not mounted: what is put in its place would be hidden by it later.
        away = not store.is_there() and bool(footage_keys(session))
    if away:
        raise StoreUnreachable("The footage store could not be reached.")
    for recording in same:
        if recording.camera_id == camera_id:
            return Duplicate(file.name, recording)
    at, source = _capture_time(info, captured_at, zone, is_member=file.is_member)
    with _stored(store, file) as key:
        try:
            with database.write() as session:
                recording_id = add_recording(
                    session,
                    camera_id=camera_id,
                    name=_shortened(file.name),
                    info=info,
                    plans=plan_segments(info, settings.segment_seconds * 1000),
                    sha256=digest,
                    bytes=file.path.stat().st_size,
                    captured_at=at,
                    captured_from=source,
                    footage_key=key,
                    sample_rate=settings.sample_rate,
                )
        except (RecordingError, IntegrityError):
            # Two uploads of the same file at the same moment: the other one was first.
            found = _existing(database, digest, camera_id)
            if found is None:
                raise
            store.delete(key)
            return Duplicate(file.name, found)
    also_at = tuple(dict.fromkeys(f"{other.site}/{other.camera}" for other in same))
    return Accepted(file.name, recording_id, at, source, also_at)


@contextmanager
def _stored(store: FootageStore, file: GivenFile) -> Iterator[str]:
    """The key of the stored footage, which is removed again when the block raises.

    Not where the database is in trouble: it may have kept the row and died before it said so. What
    then has no row is swept.
    """
    assert file.path is not None
    key = store.put(file.path, PurePath(file.name).suffix[:10], is_ours=file.is_ours)
    try:
        yield key
    except DATABASE_TROUBLE:
        raise
    except BaseException:
        store.delete(key)
        raise


def _existing(database: Database, digest: str, camera_id: int) -> RecordingRow | None:
    with database.read() as session:
        found = find_by_sha256(session, digest)
    return next((row for row in found if row.camera_id == camera_id), None)


def _capture_time(
    info: FootageInfo, given: datetime | None, zone: ZoneInfo, *, is_member: bool
) -> tuple[datetime, str]:
    """(when, told by what): given, else told by the file, else now. UTC."""
    told = info.captured
    if given is not None and not (is_member and told is not None):
        return _in_utc(given, zone), "given"
    if told is not None:
        return _in_utc(told.at, zone), told.source.value
    return datetime.now(UTC), "upload"


def _in_utc(at: datetime, zone: ZoneInfo) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _shortened(name: str) -> str:
    """A name that fits its column; the end tells more than the beginning."""
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]
