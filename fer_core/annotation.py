"""A copy of the footage with what was read drawn into it; faces are made unrecognisable unless
somebody who may see them asks otherwise.

Only sampled frames are shown: between them nobody looked for faces, so nobody could hide them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fer_core.tracking import LONGEST_MISSED_MS
from fer_core.types import UNKNOWN, Box, Frame, LeadIn, Prediction, SegmentResult

CONTAINERS: Final = frozenset({".mp4", ".mkv", ".mov"})

# BGR; after the colours of the screens, light enough for dark footage.
_COLOURS: Final = {
    "happy": (80, 190, 60),
    "surprise": (60, 190, 240),
    "neutral": (200, 200, 200),
    "angry": (70, 70, 230),
    "disgust": (160, 90, 170),
    "fear": (220, 140, 90),
    "sad": (230, 170, 80),
    UNKNOWN: (140, 140, 140),
}
_MARGIN: Final = 0.25
_MOSAIC: Final = 6
"""Squares across a hidden face: too few for anyone to be told, whatever sharpens them."""


class AnnotatedVideo:
    """Frames in, a video out: ``with AnnotatedVideo(path) as video: video.add(frame, ...)``.

    ``plain``: faces are left as they are. The file appears under its name when it is whole.
    """

    def __init__(self, path: Path, *, plain: bool = False) -> None:
        if path.suffix.lower() not in CONTAINERS:
            raise ValueError(f"an annotated video ends in {', '.join(sorted(CONTAINERS))}")
        self._path, self._plain = path, plain
        self._unfinished = path.with_name(f".{path.stem}.part{path.suffix}")
        self._stream: VideoStream | None = None
        self._size = (0, 0)

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # The prefix keeps FFmpeg from reading meaning into the name.
        self._container = av.open(f"file:{self._unfinished.resolve()}", "w")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
            if kind is None and self._stream is not None:
                self._unfinished.replace(self._path)
        finally:
            self._unfinished.unlink(missing_ok=True)

    def add(self, frame: Frame, read: Sequence[Prediction], hidden: Iterable[Box] = ()) -> None:
        """``read``: the predictions of this frame. ``hidden``: more faces to be hidden, which
        nothing was read from. Frames come in the order of their times."""
        pixels = frame.pixels.copy()
        if not self._plain:
            for one in (*(prediction.box for prediction in read), *hidden):
                hide(pixels, one)
        for prediction in read:
            _label(pixels, prediction)
        self._write(pixels, frame.time_ms)

    def _write(self, pixels: NDArray[np.uint8], time_ms: int) -> None:
        height, width = pixels.shape[:2]
        if self._stream is None:
            # The coding wants even sides.
            self._size = (max(width // 2 * 2, 2), max(height // 2 * 2, 2))
            codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
            stream = self._container.add_stream(codec, rate=25)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height = self._size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
            if codec == "libx264":
                stream.options = {"preset": "veryfast", "crf": "23"}
            else:
                stream.bit_rate = 4_000_000
            self._stream = stream
        if (width, height) != self._size:
            pixels = np.asarray(cv2.resize(pixels, self._size), np.uint8)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "bgr24")
        picture.pts, picture.time_base = time_ms, Fraction(1, 1000)
        self._container.mux(self._stream.encode(picture))


def hide(pixels: NDArray[np.uint8], box: Box) -> None:
    """Make the face in the box, and some of what is around it, a mosaic; in place."""
    height, width = pixels.shape[:2]
    left = max(int(box.x - box.width * _MARGIN), 0)
    top = max(int(box.y - box.height * _MARGIN), 0)
    right = min(int(box.x + box.width * (1 + _MARGIN)) + 1, width)
    bottom = min(int(box.y + box.height * (1 + _MARGIN)) + 1, height)
    if left >= right or top >= bottom:
        return
    face = pixels[top:bottom, left:right]
    coarse = cv2.resize(face, (_MOSAIC, _MOSAIC), interpolation=cv2.INTER_AREA)
    size = (right - left, bottom - top)
    pixels[top:bottom, left:right] = cv2.resize(coarse, size, interpolation=cv2.INTER_NEAREST)


class Missed:
    """Where people must have been who were not found in a frame.

    Between two sights of one person, at most five seconds apart, a face went from the one place to
    the other. ``results``: segments of one recording, one after the other; who was missed over the
    border of two is known where both are given.
    """

    def __init__(self, results: Sequence[SegmentResult]) -> None:
        sights = {LeadIn(p.time_ms, p.face): p for result in results for p in result.predictions}
        gaps = []
        for result in results:
            latest = {
                track.number: sights[track.lead_in]
                for track in result.tracks
                if track.lead_in is not None and track.lead_in in sights
            }
            for now in result.predictions:
                last = latest.get(now.track)
                latest[now.track] = now
                if last is not None and 0 < now.time_ms - last.time_ms <= LONGEST_MISSED_MS:
                    gaps.append((last, now))
        self._gaps = sorted(gaps, key=lambda gap: gap[0].time_ms)
        self._starts = [last.time_ms for last, _ in self._gaps]

    def at(self, time_ms: int) -> list[Box]:
        """The places at a time, for those who were seen before and after but not at it."""
        first = bisect_right(self._starts, time_ms - LONGEST_MISSED_MS)
        end = bisect_left(self._starts, time_ms)
        return [
            _between(last.box, now.box, (time_ms - last.time_ms) / (now.time_ms - last.time_ms))
            for last, now in self._gaps[first:end]
            if time_ms < now.time_ms
        ]


def _between(a: Box, b: Box, part: float) -> Box:
    return Box(
        a.x + (b.x - a.x) * part,
        a.y + (b.y - a.y) * part,
        a.width + (b.width - a.width) * part,
        a.height + (b.height - a.height) * part,
    )


def _label(pixels: NDArray[np.uint8], prediction: Prediction) -> None:
    box, colour = prediction.box, _COLOURS[prediction.expression]
    left, top = round(box.x), round(box.y)
    thick = max(round(pixels.shape[0] / 400), 2)
    end = (round(box.x + box.width), round(box.y + box.height))
    cv2.rectangle(pixels, (left, top), end, colour, thick)
    text = prediction.expression
    if prediction.expression != UNKNOWN:
        text += f" {prediction.confidence:.0%}"
    elif prediction.unknown_reason is not None:
        text += f": {prediction.unknown_reason.value}"
    scale = max(pixels.shape[0] / 1000, 0.4)
    stroke = max(thick // 2, 1)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
    foot = top - 4 if top - height - below - 4 >= 0 else min(end[1] + height + 6, pixels.shape[0])
    left = max(min(left, pixels.shape[1] - width), 0)
    ground = ((left, foot - height - below // 2), (left + width, foot + below))
    cv2.rectangle(pixels, *ground, (30, 30, 30), -1)
    cv2.putText(pixels, text, (left, foot), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, stroke)
