"""Zips of footage, unpacked one member at a time and never past a bound.

Members are written under names of our own, so no path inside a zip ever reaches the disk.
"""

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Final

from fer_core.errors import (
    FootageError,
    FootageTooLarge,
    UnreadableFootage,
    UnsafeArchive,
    UnsupportedFootage,
)
from fer_core.limits import FootageLimits

_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")
_CHUNK: Final = 1 << 20
_DIRECTORY_BYTES_PER_ENTRY: Final = 1024
"""The directory is read whole by ``zipfile``; this many bytes an entry are granted to names."""

_LOCAL_HEADER: Final = 30
"""Bytes before a member's name (PKWARE APPNOTE 4.3.7)."""

_END_MAGIC: Final = b"PK\x05\x06"
_END_RECORD: Final = 22
_LOCATOR: Final = 20
_LARGE_RECORD: Final = 56
_END_BYTES: Final = (1 << 16) + _END_RECORD + _LOCATOR + _LARGE_RECORD
"""Of the end of a zip: a comment as long as can be, and the records before it."""

_JUNK: Final = frozenset({"thumbs.db", "desktop.ini"})
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a zip. ``name``: the zip's and the member's, as the user knows them.
    ``path``: where it was unpacked to, None when ``error`` says why it was not."""

    name: str
    path: Path | None
    size: int
    error: FootageError | None = None


def is_archive(path: Path) -> bool:
    """Whether the content (not the name) is a zip's."""
    with path.open("rb") as file:
        return file.read(4) in _MAGIC


def unpack(
    path: Path, into: Path, name: str | None = None, limits: FootageLimits | None = None
) -> Iterator[Member]:
    """The files of a zip, each unpacked when its turn comes; the caller may delete it again.

    What the system adds (folders, dot files, ``__MACOSX``) is passed over in silence. A member
    that cannot be used is yielded with its error, and the others go on. Raises, for the zip as a
    whole: UnreadableFootage (damaged, or no file in it), FootageTooLarge (entries or bytes),
    UnsafeArchive (the same bytes packed into many files).
    """
    name, limits = name or path.name, limits or FootageLimits()
    if _directory_bytes(path) > limits.archive_entries * _DIRECTORY_BYTES_PER_ENTRY:
        raise _too_many(name, limits)
    try:
        archive = zipfile.ZipFile(path)
    except (*_DAMAGE, NotImplementedError) as error:
        raise UnreadableFootage(name, "the zip is damaged or was cut off.") from error
    with archive:
        entries = [entry for entry in archive.infolist() if not _is_system(entry)]
        if not entries:
            raise UnreadableFootage(name, "there are no files in the zip.")
        if len(entries) > limits.archive_entries:
            raise _too_many(name, limits)
        if _overlap(archive.infolist()):
            raise UnsafeArchive(
                name, "its files lie one over the other, which no packing program does."
            )
        left = limits.archive_bytes
        too_large = FootageTooLarge(
            name, f"the zip unpacks to more than {limits.archive_bytes / 1e9:g} GB."
        )
        for number, entry in enumerate(entries):
            shown = f"{name}/{entry.filename}"
            target = into / f"{number:05d}{PurePosixPath(entry.filename).suffix[:10].lower()}"
            try:
                _refuse(entry, shown, limits)
                with closing(_chunks(archive, entry, shown)) as chunks:
                    size = _write(chunks, target, left, too_large)
            except FootageTooLarge:
                target.unlink(missing_ok=True)
                raise
            except FootageError as error:
                target.unlink(missing_ok=True)
                yield Member(shown, None, 0, error)
                continue
            left -= size
            yield Member(shown, target, size)


def _overlap(entries: list[zipfile.ZipInfo]) -> bool:
    """Whether members share bytes (D. Fifield, A better zip bomb, 2019)."""
    spans = sorted((entry.header_offset, entry.compress_size) for entry in entries)
    return any(
        start + _LOCAL_HEADER + size > after for (start, size), (after, _) in pairwise(spans)
    )


def _refuse(entry: zipfile.ZipInfo, shown: str, limits: FootageLimits) -> None:
    """What the directory alone tells against a member."""
    raw = entry.orig_filename.replace("\\", "/")
    if raw.startswith("/") or ".." in raw.split("/") or raw[1:2] == ":":
        raise UnsafeArchive(shown, "its path leads out of the zip, so it was not unpacked.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UnsafeArchive(shown, "it is a link to another file, so it was not unpacked.")
    if entry.flag_bits & 1:
        raise UnreadableFootage(shown, "it is protected by a password.")
    packed = max(entry.compress_size, 1)
    if (
        entry.file_size > limits.compression_floor_bytes
        and entry.file_size / packed > limits.compression_ratio
    ):
        raise UnsafeArchive(
            shown, f"it would unpack to {entry.file_size / packed:.0f} times its size."
        )


def _write(chunks: Iterator[bytes], target: Path, allowed: int, too_large: FootageError) -> int:
    """Writes one member and returns its true size; the directory's claim is not relied on."""
    size = 0
    with target.open("wb") as out:
        for chunk in chunks:
            size += len(chunk)
            if size > allowed:
                raise too_large
            out.write(chunk)
    return size


def _chunks(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, shown: str
) -> Generator[bytes, None, None]:
    try:
        with archive.open(entry) as source:
            chunk = source.read(_CHUNK)
            if chunk[:4] in _MAGIC:
                raise UnsafeArchive(shown, "it is a zip inside a zip, which is not unpacked.")
            while chunk:
                yield chunk
                chunk = source.read(_CHUNK)
    except NotImplementedError as error:
        raise UnsupportedFootage(shown, "it is packed in a way that is not read.") from error
    except RuntimeError as error:  # what zipfile raises where a password is asked for
        raise UnreadableFootage(shown, "it is protected by a password.") from error
    except _DAMAGE as error:
        raise UnreadableFootage(shown, "it is damaged inside the zip.") from error


def _too_many(name: str, limits: FootageLimits) -> FootageTooLarge:
    return FootageTooLarge(name, f"the zip holds more than {limits.archive_entries} files.")


def _is_system(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    return (
        not parts  # before is_dir, which cannot do without a name
        or entry.is_dir()
        or parts[0] == "__MACOSX"
        or (parts[-1].startswith(".") and parts[-1] != "..")
        or parts[-1].lower() in _JUNK
    )


def _directory_bytes(path: Path) -> int:
    """Size of the central directory by the end record (PKWARE APPNOTE 4.3.14 to 4.3.16); 0 when
    there is none, which ``zipfile`` then reports.

    Of a large zip the size is in a second record. Some versions of ``zipfile`` look for it right
    before its locator, others where the locator points: the larger size counts.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _END_BYTES, 0))
        tail = file.read()
        # An offset within the record may read as its signature: only where a whole one fits.
        at = tail.rfind(_END_MAGIC, 0, len(tail) - _END_RECORD + len(_END_MAGIC))
        if at < 0:
            return 0
        (directory,) = struct.unpack_from("<L", tail, at + 12)
        locator = at - _LOCATOR
        if locator < 0 or tail[locator : locator + 4] != b"PK\x06\x07":
            return int(directory)
        (points_to,) = struct.unpack_from("<Q", tail, locator + 8)
        file.seek(min(points_to, size))
        records = [tail[max(locator - _LARGE_RECORD, 0) : locator], file.read(_LARGE_RECORD)]
    return max(
        int(struct.unpack_from("<Q", record, 40)[0])
        if record[:4] == b"PK\x06\x06" and len(record) == _LARGE_RECORD
        else int(directory)
        for record in records
    )
