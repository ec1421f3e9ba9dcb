"""Open, probe and sample pictures and video into timed frames.

What a file is follows from its content; its name only helps to word an error, to guess the
capture time, and to tell bare MJPEG from a JPEG. A GIF that moves is a video, other animations
are their first frame. Every failure is one error of ``fer_core.errors``.
"""

import string
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Final

from fer_core import container, pictures, video
from fer_core.archive import is_archive
from fer_core.camera import Camera
from fer_core.errors import FootageError, UnreadableFootage, UnsupportedFootage
from fer_core.limits import FootageLimits
from fer_core.remote import RemoteVideo
from fer_core.types import FootageInfo, FootageKind, Frame, SegmentPlan

DEFAULT_RATE: Final = 5.0
"""Samples a second."""

Source = Path | RemoteVideo | Camera
"""Where frames come from: a file here or elsewhere, or a camera that is being watched."""

SEGMENT_MS: Final = 300_000
_SMALLEST_TAIL: Final = 0.1

PICTURE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".gif"}
)
VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg"}
    | {".3gp", ".wmv", ".asf", ".flv", ".dav", ".h264", ".hevc", ".mjpeg", ".mjpg"}
)
_BARE_MJPEG: Final = frozenset({".mjpeg", ".mjpg"})

_TEXT: Final = frozenset(string.printable.encode())
_KNOWN_OTHERS: Final = (
    (b"%PDF-", "this is a PDF document, not a picture or a video."),
    (b"Rar!", "this kind of archive is not read; a zip is."),
    (b"7z\xbc\xaf", "this kind of archive is not read; a zip is."),
    (b"\x1f\x8b", "this kind of archive is not read; a zip is."),
    (b"\xd0\xcf\x11\xe0", "this is an office document, not a picture or a video."),
    (b"MZ", "this is a program, not a picture or a video."),
    (b"\x7fELF", "this is a program, not a picture or a video."),
)


def probe(
    source: Source, name: str | None = None, limits: FootageLimits | None = None
) -> FootageInfo:
    """What the file is, without reading it through; of a camera what its first picture tells.

    ``name``: the file as the user knows it (default: its own).
    Raises a FootageError: UnreadableFootage, UnsupportedFootage, NoVideoStream, FootageTooLarge.
    """
    if isinstance(source, Camera):
        return source.info
    path = source
    name, limits = name or path.name, limits or FootageLimits()
    if isinstance(path, RemoteVideo):
        return video.probe(path, name, limits)
    head = _head(path, name)
    if _is_still(path, head, name):
        return pictures.probe(path, name, limits)
    _refuse_known_others(path, head, name)
    try:
        return video.probe(path, name, limits)
    except UnreadableFootage as error:
        raise _worded(error, head, name) from error


def sample(
    source: Source,
    start_ms: int = 0,
    end_ms: int | None = None,
    *,
    rate: float = DEFAULT_RATE,
    name: str | None = None,
    limits: FootageLimits | None = None,
    on_warning: Callable[[str], None] = lambda _: None,
    keyframes: bool = False,
) -> Iterator[Frame]:
    """Frames of the stretch ``start_ms <= time < end_ms``, ``rate`` a second, in order.

    A picture is one frame at 0. For video see ``fer_core.decoding``: the samples lie on a grid
    fixed to the recording, so segments give the frames that one go gives. ``on_warning`` is told,
    in sentences, what could not be read. ``end_ms=None``: to the end. ``keyframes``: the fast
    mode, for a tenth of the work: only frames that the camera coded whole, which may be seconds
    apart; too far to follow people, enough to see when somebody was there. A camera is sampled as
    it was made to be.
    """
    if rate <= 0:
        raise ValueError(f"rate must be above 0, not {rate}")
    if isinstance(source, Camera):
        if rate != source.rate:
            raise ValueError(f"the camera is sampled {source.rate} times a second, not {rate}")
        end_ms = source.info.duration_ms if end_ms is None else end_ms
        yield from source.sample(start_ms, end_ms, on_warning)
        return
    path = source
    name, limits = name or path.name, limits or FootageLimits()
    if isinstance(path, Path) and _is_still(path, _head(path, name), name):
        if start_ms <= 0:
            yield Frame(0, pictures.read(path, name, limits, on_warning))
        return
    if end_ms is None:
        end_ms = probe(path, name, limits).duration_ms
    yield from video.sample(
        path, name, start_ms, end_ms, rate, limits, on_warning, keyframes=keyframes
    )


def plan_segments(info: FootageInfo, segment_ms: int = SEGMENT_MS) -> tuple[SegmentPlan, ...]:
    """The stretches a recording is worked through in; together they cover it without gaps.

    A picture is the one segment [0, 1). A tail under a tenth of a segment joins the one before.
    """
    if segment_ms <= 0:
        raise ValueError(f"segment_ms must be above 0, not {segment_ms}")
    if info.kind is FootageKind.PICTURE:
        return (SegmentPlan(0, 0, 1),)
    starts = list(range(0, max(info.duration_ms, 1), segment_ms))
    if len(starts) > 1 and info.duration_ms - starts[-1] < segment_ms * _SMALLEST_TAIL:
        starts.pop()
    ends = [*starts[1:], max(info.duration_ms, 1)]
    return tuple(SegmentPlan(n, *span) for n, span in enumerate(zip(starts, ends, strict=True)))


def _head(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise UnreadableFootage(name, "the file cannot be opened.") from error
    if not head:
        raise UnreadableFootage(name, "the file is empty.")
    return head


def _is_still(path: Path, head: bytes, name: str) -> bool:
    if not pictures.is_picture(head):
        return False
    if head.startswith(b"GIF8"):
        return not pictures.is_moving(path)
    # One JPEG after the other begins as one JPEG does.
    is_jpeg = head.startswith(b"\xff\xd8")
    return not (is_jpeg and PurePath(name).suffix.lower() in _BARE_MJPEG)


def _refuse_known_others(path: Path, head: bytes, name: str) -> None:
    if is_archive(path):
        raise UnsupportedFootage(name, "this is a zip; what it holds must be unpacked first.")
    for magic, reason in _KNOWN_OTHERS:
        if head.startswith(magic):
            raise UnsupportedFootage(name, reason)
    if set(head) <= _TEXT:
        raise UnsupportedFootage(name, "this is a text file, not a picture or a video.")


def _worded(error: UnreadableFootage, head: bytes, name: str) -> FootageError:
    """The decoder only says "invalid data"; what the file looks like says more."""
    if error.reason != container.NOT_OPENED:
        return error
    suffix = PurePath(name).suffix.lower()
    if head[4:8] == b"ftyp":
        return UnreadableFootage(
            name,
            "the video was cut off or never finished: the part that says where its pictures are "
            "is missing.",
        )
    if suffix in PICTURE_SUFFIXES:
        return UnreadableFootage(name, "the file is damaged; there is no picture in it.")
    if suffix in VIDEO_SUFFIXES:
        return error
    return UnsupportedFootage(name, "this is not a picture or a video that can be read.")
