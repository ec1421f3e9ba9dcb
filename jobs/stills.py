"""Single pictures of footage for a screen, with every face made a mosaic.

Here nothing is measured, so a face too many is hidden rather than one too few: also what the
detector is far from sure of, and what was read where the footage was analysed.
"""

import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from db.stills import SeenBox
from fer_core.annotation import hide
from fer_core.detection import YuNetDetector
from fer_core.errors import UnreadableFootage
from fer_core.footage import sample
from fer_core.limits import FootageLimits
from fer_core.pictures import is_picture
from fer_core.remote import RemoteVideo
from fer_core.types import Box, Frame
from jobs.store import FootageStore

_SCORE: Final = 0.3
_SMALLEST: Final = 16.0
_LOOK_MS: Final = 4_000
"""How far behind a moment its picture may lie, where frames are missing."""

# One picture at a time: a second network in memory would gain little here.
_detecting = threading.Lock()


@dataclass(frozen=True, slots=True)
class Still:
    """``jpeg``: the picture at ``time_ms``, as a file of ``width`` x ``height`` pixels."""

    time_ms: int
    width: int
    height: int
    jpeg: bytes


def stills(
    store: FootageStore,
    footage_key: str,
    times_ms: Sequence[int],
    *,
    seen: Iterable[SeenBox] = (),
    width: int = 960,
    limits: FootageLimits | None = None,
) -> list[Still]:
    """The pictures at these moments, at most ``width`` pixels wide; fewer where the footage ends
    before. ``seen``: faces that were read, to be hidden whatever the detector thinks now.

    Raises FileNotFoundError where the store holds no such footage, and FootageError.
    """
    boxes = list(seen)
    found: list[Still] = []
    with _footage(store, footage_key) as source:
        for time_ms in times_ms:
            frame = _first(source, time_ms, limits)
            if frame is None:
                continue
            near = [one.box for one in boxes if abs(one.time_ms - frame.time_ms) <= 1000]
            found.append(_still(frame, near, width))
    return found


def hidden_picture(
    picture: bytes, name: str, *, width: int = 960, limits: FootageLimits | None = None
) -> Still:
    """A picture that somebody gave. It is on disk only while it is read. Raises
    FootageError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(picture)
        frame = _first(path, 0, limits, name)
    if frame is None:
        raise UnreadableFootage(name, "it holds no picture.")
    return _still(frame, (), width)


def _footage(store: FootageStore, key: str) -> AbstractContextManager[Path | RemoteVideo]:
    """Of a video elsewhere only what the moments need is fetched, as where a segment is read.
    Pictures, and the GIFs that move, are small: they are read from a copy."""
    return store.local(key) if is_picture(store.head(key)) else store.video(key)


def _first(
    source: Path | RemoteVideo,
    time_ms: int,
    limits: FootageLimits | None,
    name: str | None = None,
) -> Frame | None:
    frames = sample(source, time_ms, time_ms + _LOOK_MS, rate=2, name=name, limits=limits)
    # A picture is one frame at 0, whatever moment is asked for.
    return next(iter(frames), None)


def _hidden(pixels: NDArray[np.uint8], boxes: Iterable[Box]) -> NDArray[np.uint8]:
    shown = pixels.copy()
    with _detecting:
        faces = _detector().detect(shown, _SMALLEST)
    for box in (*(face.box for face in faces), *boxes):
        hide(shown, box)
    return shown


@cache
def _detector() -> YuNetDetector:
    return YuNetDetector(_SCORE, min_face=_SMALLEST)


def _still(frame: Frame, boxes: Iterable[Box], width: int) -> Still:
    pixels = _hidden(frame.pixels, boxes)
    high, wide = pixels.shape[:2]
    if wide > width:
        high, wide = max(round(high * width / wide), 1), width
        pixels = np.asarray(
            cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_AREA), np.uint8
        )
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return Still(frame.time_ms, wide, high, coded.tobytes())
