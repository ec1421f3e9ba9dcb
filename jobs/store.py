"""The footage store: a local folder by default, any fsspec address otherwise.

A store elsewhere keeps its own account of who may read it: for S3 the AWS_* variables, as boto3
knows them (AWS_ENDPOINT_URL for stores that speak like S3). Keys are flat, random names that keep
the file's ending; they tell nothing of the file.
"""

import errno
import logging
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from fer_core.errors import SatisfaceError
from fer_core.remote import Reader, RemoteVideo

if TYPE_CHECKING:
    # A process that only reads has no use for them, and they take long to load.
    from settings import Settings

log = logging.getLogger(__name__)

_UNFINISHED = ".part"
_CHUNK = 4 * 1024 * 1024
_PIECE: Final = 4 * 1024 * 1024
_PATIENCE_S: Final = 5.0
_PIECES: Final = 8
"""Pieces of a remote video in memory at a time: its index, its sound and its pictures lie apart."""

_GONE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESTALE}
)
"""What the system says of a file on a disk that is not there (any more)."""

_NAMED: Final = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}(\..*)?", re.DOTALL)
"""A random UUID (RFC 9562, version 4) without its dashes, and an ending."""


class StoreUnreachable(SatisfaceError):
    """A remote store did not give what it holds; trying again later may help."""


@dataclass(frozen=True, slots=True)
class StoredFootage:
    """A file in the store. ``modified``: when it was written, UTC."""

    key: str
    modified: datetime


UNFINISHED: Final = "unfinished"
"""Folder in the home folder."""


def unfinished_folder(settings: "Settings") -> Path:
    """Where files lie while they are taken in; what a crash leaves there is swept."""
    folder = settings.home / UNFINISHED
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class FootageStore:
    """Keeps footage from its upload until it was read.

    ``url``: a folder or an fsspec address. ``scratch``: the local folder for copies of footage
    from a remote store; the system's temporary folder when it is None.
    """

    def __init__(self, url: str, scratch: Path | None = None) -> None:
        self._scratch = scratch
        # A list that is kept would hide what other machines put there.
        self._files, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        self._local = isinstance(self._files, LocalFileSystem)

    def _path(self, key: str) -> str:
        if not key or "/" in key or "\\" in key or key.startswith("."):
            raise ValueError(f"not a key of the footage store: {key!r}")
        return f"{self._root}/{key}"

    def put(self, path: Path, suffix: str | None = None, *, is_ours: bool = False) -> str:
        """Copy a local file into the store, in a stream; the key appears when it is whole.

        ``suffix``: the ending that the key keeps, by default the path's own. ``is_ours``: nobody
        else writes to the file, which is about to be deleted: where the disk can, it gets a
        second name instead of a copy.
        """
        # As ``is_named_by_put`` knows it.
        key = uuid.uuid4().hex + (path.suffix if suffix is None else suffix).lower()
        if self._local and is_ours:
            self._files.makedirs(self._root, exist_ok=True)
            if _linked(path, Path(self._path(key))):
                return key
        self.put_as(key, path)
        return key

    def put_as(self, key: str, path: Path) -> None:
        """As ``put``, under a key that is given: for footage that comes back from a backup.

        Raises StoreUnreachable where the store is elsewhere, OSError where it is a folder.
        """
        target = self._path(key)
        if not self._local:
            # Object stores show an object when it is complete.
            with path.open("rb"), _reaching():
                self._files.makedirs(self._root, exist_ok=True)
                self._files.put_file(str(path), target)
            return
        self._files.makedirs(self._root, exist_ok=True)
        unfinished = Path(target + _UNFINISHED)
        try:
            with path.open("rb") as source, unfinished.open("wb") as sink:
                shutil.copyfileobj(source, sink, _CHUNK)
                sink.flush()
                # The row that names this footage must not outlive it in a power cut.
                os.fsync(sink.fileno())
            unfinished.replace(target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """A local path to the footage: the file itself, or a copy that is removed afterwards.

        Raises FileNotFoundError when the store does not hold the key, StoreUnreachable; also in
        place of what the block raises where a file could not be found.
        """
        source = self._held(key)
        if self._local:
            with self._on_disk(key, source) as path:
                yield path
            return
        with tempfile.TemporaryDirectory(dir=self._room()) as folder:
            copy = Path(folder) / key
            with _reaching():
                self._files.get_file(source, str(copy))
            yield copy

    def head(self, key: str, size: int = 32) -> bytes:
        """The first bytes, by which a picture is told from a video. Raises FileNotFoundError when
        the store does not hold the key, StoreUnreachable."""
        source = self._held(key)
        with _reaching():
            return bytes(self._files.cat_file(source, start=0, end=size))

    def _room(self) -> Path | None:
        """``scratch``; None, the system's temporary folder, where it cannot be made here: on a
        cluster it is named by the machine that hands segments out."""
        try:
            if self._scratch is not None:
                self._scratch.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None
        return self._scratch

    @contextmanager
    def video(self, key: str) -> Iterator[Path | RemoteVideo]:
        """A video to be read: the file itself, or one elsewhere of which only the pieces that are
        asked for are fetched, and not again each time that it is opened.

        Raises FileNotFoundError when the store does not hold the key, StoreUnreachable; also in
        place of what the block raises or makes of a piece that could not be fetched.
        """
        source = self._held(key)
        if self._local:
            with self._on_disk(key, source) as path:
                yield path
            return
        failures: list[Exception] = []
        with _reaching():
            file = self._files.open(
                source,
                "rb",
                block_size=_PIECE,
                cache_type="blockcache",
                cache_options={"maxblocks": _PIECES},
            )
        with file:
            try:
                yield RemoteVideo(key, lambda: _Watched(file, failures))
            except Exception:
                if not failures:
                    raise
        if failures:
            raise StoreUnreachable("The footage store could not be read.") from failures[0]

    @contextmanager
    def _on_disk(self, key: str, source: str) -> Iterator[Path]:
        """The file itself. It was there a moment ago: where it is not found any more its disk went
        away, which readers take for damage, or somebody deleted it."""
        try:
            yield Path(source)
        except Exception as error:
            if not _was_gone(error):
                raise
            self._held(key)
            # The disk is back already.
            raise StoreUnreachable("The footage store could not be read.") from error

    def check(self) -> None:
        """Write a little and delete it again. Raises StoreUnreachable where that goes wrong."""
        probe = f"{self._root}/{uuid.uuid4().hex}{_UNFINISHED}"
        with _reaching():
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(probe, b"probe")
            self._files.rm_file(probe)

    def answers(self) -> bool:
        """Whether the store as a whole can be asked: false where it is away, or lets nobody in,
        and not where a piece of footage cannot be read. Changes nothing: to make the folder of a
        disk that is missing would hide that it is."""
        if self._local:
            return self.is_there()
        try:
            with _reaching():
                self._files.info(f"{self._root}/{uuid.uuid4().hex}")
        except FileNotFoundError:
            return True
        except StoreUnreachable:
            return False
        return True

    def _held(self, key: str) -> str:
        source = self._path(key)
        with _reaching():
            held = self._files.exists(source)
            # A disk that is not mounted, and not one whose footage was deleted.
            if not held and self._local and not self._files.exists(self._root):
                raise OSError(f"there is no {self._root}")
        if not held:
            raise FileNotFoundError(f"the footage store holds no {key}")
        return source

    def delete(self, key: str) -> None:
        """Remove the footage; nothing happens when it is gone already. Raises StoreUnreachable."""
        try:
            source = self._held(key)
            with _reaching():
                self._files.rm_file(source)
        except FileNotFoundError:
            return

    def delete_each(self, keys: Iterable[str]) -> Iterator[str]:
        """Remove footage; gives each key once it is gone. One piece that cannot be removed is
        logged and holds up no other; after ``_PATIENCE_S`` of failures the rest is left."""
        failed: list[str] = []
        lost_s = 0.0
        for key in keys:
            began = time.monotonic()
            try:
                self.delete(key)
            except StoreUnreachable as error:
                lost_s += time.monotonic() - began
                failed.append(f"{key}: {error.__cause__ or error}")
                if lost_s > _PATIENCE_S:
                    break
            else:
                yield key
        if failed:
            log.error(
                "%d pieces of footage are left to the next sweep, first %s", len(failed), failed[0]
            )

    def is_there(self) -> bool:
        """False where its folder does not exist: nothing was put there, or a disk is missing.
        Always true elsewhere: what lies in no folder has none."""
        return not self._local or bool(self._files.exists(self._root))

    def exists(self, key: str) -> bool:
        return bool(self._files.exists(self._path(key)))

    def stored(self, *, ours: bool = False) -> Iterator[StoredFootage]:
        """Everything in the store, unfinished copies too: what a sweep looks through.

        ``ours``: only files with such names as ``put`` gives.
        """
        if not self._files.exists(self._root):
            return
        for entry in self._files.ls(self._root, detail=True, refresh=True):
            key = entry["name"].rsplit("/", 1)[-1]
            if entry["type"] != "file" or (ours and not is_named_by_put(key)):
                continue
            written = _listed_time(entry)
            if written is None:
                try:
                    written = self._files.modified(entry["name"])
                except FileNotFoundError:  # read and deleted meanwhile
                    continue
            if written.tzinfo is None:
                written = written.replace(tzinfo=UTC)
            yield StoredFootage(key, written.astimezone(UTC))


def is_named_by_put(name: str) -> bool:
    """Whether a file in the store has such a name as ``FootageStore.put`` gives, or a copy that
    was cut off; whatever else lies there is somebody else's."""
    return _NAMED.fullmatch(name) is not None


def _listed_time(entry: Mapping[str, object]) -> datetime | None:
    """When a file was written, where the list of the folder tells: on a store elsewhere it would
    be a request for each file."""
    for name in ("LastModified", "last_modified", "mtime"):
        told = entry.get(name)
        if isinstance(told, datetime):
            return told
        if isinstance(told, int | float):
            return datetime.fromtimestamp(told, UTC)
    return None


class _Watched:
    """A reader of a file that others read after it. It keeps what went wrong: FFmpeg would take it
    for the end of the video."""

    def __init__(self, file: Reader, failures: list[Exception]) -> None:
        self._file = file
        self._failures = failures
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        try:
            self._file.seek(self._at)
            found = self._file.read(size)
        except Exception as error:
            self._failures.append(error)
            raise
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._file.seek(self._at)
        self._at = self._file.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """The file stays open for the next reader."""


def _was_gone(error: BaseException | None) -> bool:
    """Whether a file that was not found is at the bottom of it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _GONE:
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


@contextmanager
def _reaching() -> Iterator[None]:
    """Whatever a store raises where it cannot be reached is one error."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        raise StoreUnreachable("The footage store could not be reached.") from error


def _linked(path: Path, target: Path) -> bool:
    """Give the file another name. False where the disk cannot, or the target is on another one."""
    try:
        with path.open("r+b") as file:
            os.fsync(file.fileno())
        # Before it can be seen: footage without a row is swept by its age.
        os.utime(path)
        target.hardlink_to(path)
    except OSError:
        return False
    return True
