"""The footage store: a local folder by default, any fsspec address otherwise.

Keys are flat, random names that keep the file's ending; they tell nothing of the file.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from settings import Settings

_UNFINISHED = ".part"
_CHUNK = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredFootage:
    """A file in the store. ``modified``: when it was written, UTC."""

    key: str
    modified: datetime


UNFINISHED: Final = "unfinished"
"""Folder in the home folder."""


def unfinished_folder(settings: Settings) -> Path:
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
        self._files, self._root = fsspec.core.url_to_fs(url)
        self._local = isinstance(self._files, LocalFileSystem)

    def _path(self, key: str) -> str:
        if not key or "/" in key or "\\" in key or key.startswith("."):
            raise ValueError(f"not a key of the footage store: {key!r}")
        return f"{self._root}/{key}"

    def put(self, path: Path, suffix: str | None = None) -> str:
        """Copy a local file into the store, in a stream; the key appears when it is whole.

        ``suffix``: the ending that the key keeps, by default the path's own.
        """
        key = uuid.uuid4().hex + (path.suffix if suffix is None else suffix).lower()
        target = self._path(key)
        self._files.makedirs(self._root, exist_ok=True)
        if not self._local:
            # Object stores show an object when it is complete.
            self._files.put_file(str(path), target)
            return key
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
        return key

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """A local path to the footage: the file itself, or a copy that is removed afterwards.

        Raises FileNotFoundError when the store does not hold the key.
        """
        source = self._path(key)
        if not self._files.exists(source):
            raise FileNotFoundError(f"the footage store holds no {key}")
        if self._local:
            yield Path(source)
            return
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            copy = Path(folder) / key
            self._files.get_file(source, str(copy))
            yield copy

    def delete(self, key: str) -> None:
        """Remove the footage; nothing happens when it is gone already."""
        try:
            self._files.rm_file(self._path(key))
        except FileNotFoundError:
            return

    def exists(self, key: str) -> bool:
        return bool(self._files.exists(self._path(key)))

    def stored(self) -> Iterator[StoredFootage]:
        """Everything in the store, unfinished copies too: what a sweep looks through."""
        if not self._files.exists(self._root):
            return
        for entry in self._files.ls(self._root, detail=True, refresh=True):
            if entry["type"] != "file":
                continue
            try:
                written = self._files.modified(entry["name"])
            except FileNotFoundError:  # read and deleted meanwhile
                continue
            if written.tzinfo is None:
                written = written.replace(tzinfo=UTC)
            yield StoredFootage(entry["name"].rsplit("/", 1)[-1], written.astimezone(UTC))
