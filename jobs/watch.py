"""A folder that is looked into again and again: what lies there and has stopped growing is taken
in, and moved aside.

The path of a file tells its camera and, where the pattern says so, its time. A file that cannot be
taken in lies in ``failed`` with a sentence beside it; one that can lies in ``done``, or is deleted.
A crash between taking in and moving does no harm: the camera has that file already the next time.
"""

import logging
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from db.engine import Database
from db.places import list_sites
from db.tables import RecordingState
from fer_core.errors import SatisfaceError
from jobs.intake import Duplicate, Outcome, Refused, admit, as_text
from jobs.store import FootageStore
from settings import Settings

log = logging.getLogger(__name__)

DONE: Final = "done"
FAILED: Final = "failed"
LOOK_S: Final = 5.0

_GROWING = (".part", ".partial", ".tmp", ".crdownload", ".filepart")
_FIELDS: Final = {
    "site": "[^/]+?",
    "camera": "[^/]+?",
    "year": r"\d{4}",
    "month": r"\d{2}",
    "day": r"\d{2}",
    "hour": r"\d{2}",
    "minute": r"\d{2}",
    "second": r"\d{2}",
}
_TOKEN = re.compile(r"\{(\w+)\}|(\*\*)|(\*)")
_TIME: Final = ("year", "month", "day", "hour", "minute", "second")
_LEAST_TIME: Final = frozenset(_TIME[:5])


class WatchError(SatisfaceError):
    """The watched folder cannot be watched as it is set up."""


@dataclass(frozen=True, slots=True)
class PathMeaning:
    """What a path tells. ``captured_at``: on the site's clock; None leaves it to the file."""

    site: str
    camera: str
    captured_at: datetime | None


_GIVEN_UP: Final = frozenset({RecordingState.FAILED, RecordingState.CANCELLED})


class PathPattern:
    """A pattern such as ``{site}/{camera}/{year}-{month}-{day}/{hour}{minute}*``.

    Every field stands for digits or for (part of) a name; ``*`` for anything within a name, ``**``
    for anything at all. Raises WatchError for one that names no site and camera, or half a time.
    """

    def __init__(self, pattern: str) -> None:
        names = [name for name, _, _ in _TOKEN.findall(pattern) if name]
        for name in names:
            if name not in _FIELDS:
                raise WatchError(f"{pattern}: {{{name}}} is not known; use {_known_fields()}.")
        if len(set(names)) != len(names):
            raise WatchError(f"{pattern}: every field can stand there once only.")
        if not {"site", "camera"} <= set(names):
            raise WatchError(f"{pattern}: it has to say where {{site}} and {{camera}} stand.")
        of_time = set(names) & set(_TIME)
        if of_time and not of_time >= _LEAST_TIME:
            raise WatchError(f"{pattern}: a time needs year, month, day, hour and minute.")
        self._matcher = re.compile(_expression(pattern))

    def read(self, path: PurePosixPath) -> PathMeaning | None:
        """``path``: within the watched folder. None when it does not follow the pattern, or its
        digits are no time."""
        found = self._matcher.fullmatch(str(path))
        if found is None:
            return None
        fields = found.groupdict()
        at = None
        if "year" in fields:
            try:
                at = datetime(*(int(fields.get(name) or 0) for name in _TIME))  # type: ignore[arg-type]  # noqa: DTZ001
            except ValueError:
                return None
        return PathMeaning(fields["site"].strip(), fields["camera"].strip(), at)


def _known_fields() -> str:
    return ", ".join(f"{{{name}}}" for name in _FIELDS)


def _expression(pattern: str) -> str:
    parts, end = [], 0
    for token in _TOKEN.finditer(pattern):
        parts.append(re.escape(pattern[end : token.start()]))
        name, everything, _ = token.groups()
        if name:
            parts.append(f"(?P<{name}>{_FIELDS[name]})")
        else:
            parts.append(".*" if everything else "[^/]*")
        end = token.end()
    parts.append(re.escape(pattern[end:]))
    return "(?s)" + "".join(parts)


@dataclass(slots=True)
class _Seen:
    """How a file looked, and since when (monotonic seconds) it has looked so. ``left_with``: the
    sentences with which it was to be put aside, where it could not be moved."""

    size: int
    modified_ns: int
    since: float
    left_with: list[str] | None = None


@dataclass(slots=True)
class WatchedFolder:
    """One look after another into ``folder``; ``clock`` counts seconds."""

    folder: Path
    pattern: PathPattern
    settle_seconds: float
    delete_done: bool = False
    clock: Callable[[], float] = time.monotonic
    _seen: dict[Path, _Seen] = field(default_factory=dict)
    _left_out: frozenset[Path] = frozenset()

    def settled(self) -> Iterator[Path]:
        """Files that have not changed for ``settle_seconds``, oldest first. The log names
        once what cannot be looked at."""
        now = self.clock()
        there: dict[Path, _Seen] = {}
        for path, found in self._files():
            before = self._seen.get(path)
            if before and (before.size, before.modified_ns) == (found.st_size, found.st_mtime_ns):
                there[path] = before
            else:
                there[path] = _Seen(found.st_size, found.st_mtime_ns, now)
        self._seen = there
        ready = [p for p, seen in there.items() if now - seen.since >= self.settle_seconds]
        yield from sorted(ready, key=lambda path: (there[path].modified_ns, path))

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """What may be footage. A share may lose a file, or a folder let nobody in: that holds up
        nothing else."""
        failures: dict[Path, OSError] = {}
        for at, folders, names in os.walk(
            self.folder, onerror=lambda error: failures.update({Path(error.filename): error})
        ):
            folder = Path(at)
            aside = (DONE, FAILED) if folder == self.folder else ()
            folders[:] = [name for name in folders if _is_shown(name) and name not in aside]
            for name in names:
                path = folder / name
                if not _is_shown(name) or name in aside or path.suffix.lower() in _GROWING:
                    continue
                try:
                    found = path.lstat()
                except OSError as error:
                    if not os.access(folder, os.X_OK):
                        # It may be listed and not entered: this goes for all in it.
                        failures[folder] = error
                        folders.clear()
                        break
                    failures[path] = error
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield path, found
        self._leave_out(failures)

    def _leave_out(self, failures: Mapping[Path, OSError]) -> None:
        there = {
            path: error
            for path, error in failures.items()
            if path == self.folder or not isinstance(error, FileNotFoundError)  # gone meanwhile
        }
        for path in there.keys() - self._left_out:
            error = there[path]
            log.warning(
                "%s: it is left out, since it cannot be looked at (%s)%s.",
                as_text(path),
                error.strerror or error,
                "; let Satisface read and enter its folder"
                if isinstance(error, PermissionError)
                else "",
            )
        self._left_out = frozenset(there)

    def put_aside(self, path: Path, sentences: list[str]) -> None:
        """Move a settled file. ``sentences``: what was wrong with it; none when all of it was
        taken in. Raises OSError where it cannot be moved; ``left_with`` remembers it then."""
        self._seen[path].left_with = sentences
        if not sentences and self.delete_done:
            path.unlink(missing_ok=True)
        else:
            target = self._free(FAILED if sentences else DONE, path.relative_to(self.folder))
            target.parent.mkdir(parents=True, exist_ok=True)
            if sentences:
                reason = target.with_name(target.name + ".txt")
                reason.write_text("\n".join([*sentences, ""]), encoding="utf-8")
            path.replace(target)
        self._seen.pop(path, None)

    def left_with(self, path: Path) -> list[str] | None:
        """The sentences of a settled file that could not be moved and has not changed since; None
        of any other."""
        return self._seen[path].left_with

    def _free(self, aside: str, inside: Path) -> Path:
        wanted = self.folder / aside / inside
        target, number = wanted, 1
        while target.exists():
            number += 1
            target = wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
        return target


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "~"))


def watched_folder(settings: Settings, folder: Path | None = None) -> WatchedFolder:
    """As the settings have it; ``folder`` instead of theirs. Raises WatchError."""
    where = folder or (Path(settings.watch_folder).expanduser() if settings.watch_folder else None)
    if where is None:
        raise WatchError("No folder is named: give one, or set SATISFACE_WATCH_FOLDER.")
    if not where.is_dir():
        raise WatchError(f"{where}: there is no such folder.")
    return WatchedFolder(
        where.absolute(),
        PathPattern(settings.watch_pattern),
        settings.watch_settle_seconds,
        settings.watch_delete_done,
    )


def watch(
    settings: Settings,
    database: Database,
    watched: WatchedFolder,
    stop: threading.Event,
    tell: Callable[[str], None] = log.info,
) -> None:
    """Take in what lies in the folder until ``stop`` is set. ``tell``: a sentence for each file."""
    while not stop.is_set():
        try:
            take_in_settled(settings, database, watched, stop, tell)
        except Exception:
            # Whatever it is, what comes in tomorrow is to be looked at.
            log.exception("looking into %s", watched.folder)
        stop.wait(LOOK_S)


def take_in_settled(
    settings: Settings,
    database: Database,
    watched: WatchedFolder,
    stop: threading.Event,
    tell: Callable[[str], None] = log.info,
) -> int:
    """One look into the folder; the number of files that were not taken in, or not all of them.
    A file stays where it is when not it is to blame: a full disk, a database that does not answer.
    One that cannot be moved is told of once, and not taken in again unless it changes; only the
    move is tried at each look."""
    store = FootageStore(settings.resolved_footage_url)
    refused = 0
    for path in watched.settled():
        if stop.is_set():
            break
        name = as_text(path.relative_to(watched.folder))
        left_with = sentences = watched.left_with(path)
        if sentences is None:
            outcomes = _take_in(settings, database, store, watched.pattern, path, name)
            for outcome in outcomes:
                tell(outcome.sentence)
            sentences = [why for outcome in outcomes if (why := _not_in(outcome))]
            refused += bool(sentences)
            if any(isinstance(outcome, Refused) and outcome.may_pass for outcome in outcomes):
                continue
        try:
            watched.put_aside(path, sentences)
        except OSError as error:
            if left_with is None:
                what = "it cannot" if sentences else "it was taken in but cannot"
                reason = error.strerror or error
                tell(f"{name}: {what} be moved ({reason}); let Satisface write in its folder.")
    return refused


def _not_in(outcome: Outcome) -> str | None:
    """Why this file is not to go where files are that were taken in."""
    if isinstance(outcome, Refused):
        return outcome.sentence
    if isinstance(outcome, Duplicate) and outcome.recording.state in _GIVEN_UP:
        return (
            f"{outcome.sentence} Read it again on the Recordings page; or delete it there, and "
            "give the file again."
        )
    return None


def _take_in(
    settings: Settings,
    database: Database,
    store: FootageStore,
    pattern: PathPattern,
    path: Path,
    name: str,
) -> list[Outcome]:
    meaning = pattern.read(PurePosixPath(name))
    if meaning is None:
        how = settings.watch_pattern
        return [Refused(name, f"{name}: its path does not follow the pattern {how}.")]
    camera_id = _camera(database, meaning)
    if camera_id is None:
        where = f"{meaning.site} / {meaning.camera}"
        return [Refused(name, f"{name}: there is no camera {where}. Add it under Settings.")]
    return list(
        admit(
            database,
            store,
            settings,
            path=path,
            name=name,
            camera_id=camera_id,
            captured_at=meaning.captured_at,
        )
    )


def _camera(database: Database, meaning: PathMeaning) -> int | None:
    """Names are compared as people would: in whatever case."""
    with database.read() as session:
        for site in list_sites(session):
            if site.name.casefold() == meaning.site.casefold():
                for camera in site.cameras:
                    if camera.name.casefold() == meaning.camera.casefold():
                        return camera.id
    return None
