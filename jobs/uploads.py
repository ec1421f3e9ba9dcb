"""Uploads that arrive in pieces: what is there so far, on disk, under a name nobody can guess.

An upload is a folder ``upload-<id>`` among the unfinished files: ``file`` holds its bytes, and the
length of that file is how far the upload is; ``about.json`` is written once at its beginning and
once at its end. Nothing else is kept, so a server that is killed goes on where the bytes end. What
nobody has added to for a day is swept with everything else that lies unfinished.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fer_core.errors import SatisfaceError

LIFETIME: Final = timedelta(days=1)
"""After this long without another byte an upload is swept."""

_PREFIX = "upload-"
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_TOUCH_S: Final = 60.0


class UploadError(SatisfaceError):
    """Something is wrong with an upload."""


class NoRoom(UploadError):
    """The disk cannot hold it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """``offset`` of ``length`` bytes are there. ``metadata``: as the client gave it. ``sha256``:
    of the whole file, hexadecimal; None until it is whole, and where a server that ended in between
    has not seen all of it."""

    id: str
    name: str
    length: int
    offset: int
    metadata: str
    path: Path
    expires: datetime
    sha256: str | None

    @property
    def is_whole(self) -> bool:
        return self.offset == self.length


class Uploads:
    """The uploads under ``folder``, the one where everything unfinished lies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        return self._folder

    def create(self, name: str, length: int, metadata: str = "") -> Upload:
        """Raises NoRoom when the disk could not hold ``length`` bytes more."""
        if length > shutil.disk_usage(self._folder).free:
            raise NoRoom(f"{name}: there is no space left to store it.")
        upload_id = secrets.token_urlsafe(16)
        folder = self._of(upload_id)
        folder.mkdir()
        (folder / "file").touch()
        _write_json(folder / "about.json", {"name": name, "length": length, "metadata": metadata})
        created = self.find(upload_id)
        assert created is not None
        return created

    def find(self, upload_id: str) -> Upload | None:
        """None when there is none of this name (any more)."""
        if not _ID.fullmatch(upload_id):
            return None
        folder = self._of(upload_id)
        try:
            about = json.loads((folder / "about.json").read_bytes())
            offset = (folder / "file").stat().st_size
            touched = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
        return Upload(
            upload_id,
            about["name"],
            about["length"],
            offset,
            about["metadata"],
            folder / "file",
            touched + LIFETIME,
            about.get("sha256"),
        )

    def finish(self, upload: Upload, sha256: str) -> None:
        """Remember the hash of an upload that is whole."""
        about = {"name": upload.name, "length": upload.length, "metadata": upload.metadata}
        _write_json(upload.path.with_name("about.json"), about | {"sha256": sha256})

    def remove(self, upload_id: str) -> None:
        """Nothing happens when it is gone already."""
        if _ID.fullmatch(upload_id):
            shutil.rmtree(self._of(upload_id), ignore_errors=True)

    def _of(self, upload_id: str) -> Path:
        return self._folder / (_PREFIX + upload_id)


class RunningHashes:
    """SHA-256 of what has arrived so far, by upload. A server that ends loses them, and a hash
    that did not see every byte is worth nothing: whoever takes the file in reads it then."""

    _MOST = 1000

    def __init__(self) -> None:
        self._by_id: dict[str, tuple[int, hashlib._Hash]] = {}

    def take(self, upload: Upload) -> "hashlib._Hash | None":
        """The hash of the first ``upload.offset`` bytes, where it is known."""
        offset, running = self._by_id.pop(upload.id, (0, None))
        if upload.offset == 0:
            return hashlib.sha256()
        return running if offset == upload.offset else None

    def keep(self, upload_id: str, offset: int, running: "hashlib._Hash | None") -> None:
        if running is not None:
            self._by_id[upload_id] = (offset, running)
        while len(self._by_id) > self._MOST:
            del self._by_id[next(iter(self._by_id))]

    def forget(self, upload_id: str) -> None:
        self._by_id.pop(upload_id, None)


class Arrival:
    """Bytes that are added to an upload, from one request; a context manager.

    ``checksum``: algorithm and digest that the client gave for this request's bytes; when they
    turn out to be others, ``end`` takes them back.
    """

    def __init__(
        self,
        uploads: Uploads,
        hashes: RunningHashes,
        upload: Upload,
        checksum: tuple[str, bytes] | None = None,
    ) -> None:
        self._uploads = uploads
        self._hashes = hashes
        self._upload = upload
        self._begin = self.offset = upload.offset
        self._running = hashes.take(upload)
        self._before = self._running.copy() if checksum and self._running else None
        self._expected = checksum[1] if checksum else None
        self._own = hashlib.new(checksum[0], usedforsecurity=False) if checksum else None
        self._touched = time.monotonic()
        self._file = upload.path.open("r+b", buffering=0)
        self._file.seek(self.offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and self._own is not None:
            self.take_back()
        self._file.close()
        self._hashes.keep(self._upload.id, self.offset, self._running)

    @property
    def room(self) -> int:
        """Bytes that are still missing."""
        return self._upload.length - self.offset

    def write(self, data: bytes | bytearray) -> None:
        """Raises NoRoom. Bytes beyond the upload's length are the caller's to refuse."""
        view = memoryview(data)
        try:
            while view:
                written = self._file.write(view)
                if self._running:
                    self._running.update(view[:written])
                if self._own:
                    self._own.update(view[:written])
                self.offset += written
                view = view[written:]
        except OSError as error:
            raise NoRoom(
                f"{self._upload.name}: it could not be stored ({os.strerror(error.errno or 0)})."
            ) from error
        if time.monotonic() - self._touched > _TOUCH_S:
            self._touch()

    def end(self) -> bool:
        """Conclude the request. False when its bytes were not those of its checksum: they are
        taken back."""
        if self._own is not None and self._own.digest() != self._expected:
            self.take_back()
            return False
        if self.room == 0:
            # The row that will name this footage must not outlive it in a power cut.
            os.fsync(self._file.fileno())
            if self._running:
                self._uploads.finish(self._upload, self._running.hexdigest())
        self._touch()
        return True

    def take_back(self) -> None:
        """What a request with a checksum brought counts only when it came whole."""
        self._file.truncate(self._begin)
        self.offset, self._running = self._begin, self._before

    @property
    def has_checksum(self) -> bool:
        return self._own is not None

    def _touch(self) -> None:
        """Its day begins anew."""
        os.utime(self._upload.path.parent)
        self._touched = time.monotonic()


def _write_json(path: Path, value: dict[str, object]) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(value))
    unfinished.replace(path)
