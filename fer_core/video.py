"""Video by its true time stamps: probed cheaply, sampled by time, readable from any point.

The samples lie on a grid fixed to the recording: of every slot ``k / rate`` seconds the first
readable frame at or after it (within a millisecond, since containers round). So the same frames
come out, with the same times, whether a video is read in one go or in segments.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from math import ceil, floor
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fer_core import capture_time
from fer_core.errors import FootageTooLarge, NoVideoStream, UnreadableFootage
from fer_core.limits import FootageLimits
from fer_core.types import FootageInfo, FootageKind, Frame

# Containers of cameras, phones and recorders. Play lists (HLS, concat) stay shut: they name
# other files and addresses, and an upload must not make the server open those.
_CONTAINERS: Final = (
    "mov,mp4,m4a,3gp,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,mxf,nut,h264,hevc,"
    "ivf,dhav,dv,mjpeg,wtv"
)
NOT_OPENED: Final = "the video is damaged, or the file is not the video its name says."

_PROBE_PACKETS: Final = 600
"""Video packets tried for a first readable frame: 20 s at 30 a second."""

_SEEK_MARGINS_MS: Final = (0, 10_000, 60_000)
"""How far before the wanted time to look for a keyframe, where a seek lands too late."""

_EARLY_END_MS: Final = 2_000
_ROTATIONS: Final = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def probe(path: Path, name: str, limits: FootageLimits) -> FootageInfo:
    """Header, first readable frame, duration. Only where no duration is written anywhere are the
    packets walked through (not decoded).

    Raises UnreadableFootage, NoVideoStream, FootageTooLarge.
    """
    with _opened(path, name) as (container, stream):
        _check_pixels(stream.codec_context.width, stream.codec_context.height, name, limits)
        first = _first_frame(container, stream)
        if first is None:
            raise UnreadableFootage(name, "the video holds no picture that can be read.")
        _check_pixels(first.width, first.height, name, limits)
        rotation = _rotation(first)
        turned = rotation % 180 == 90
        rate = stream.average_rate
        metadata = {**stream.metadata, **container.metadata}
        now = datetime.now(UTC)
        codec = stream.codec_context.name
        written_ms = _duration_ms(container, stream)
        duration_ms = written_ms and max(written_ms, _last_ms(container, stream, written_ms))
    if not duration_ms:
        duration_ms = _walked_duration_ms(path, name)
    if duration_ms > limits.duration_ms:
        raise FootageTooLarge(
            name,
            f"the video is {_clock(duration_ms)} long; at most {_clock(limits.duration_ms)} "
            "are read at a time.",
        )
    return FootageInfo(
        kind=FootageKind.VIDEO,
        width=first.height if turned else first.width,
        height=first.width if turned else first.height,
        duration_ms=max(duration_ms, 1),
        frame_rate=float(rate) if rate else None,
        codec=codec,
        rotation=rotation,
        captured=capture_time.from_metadata(metadata, now) or capture_time.from_name(name, now),
    )


def sample(
    path: Path,
    name: str,
    start_ms: int,
    end_ms: int,
    rate: float,
    limits: FootageLimits,
    on_warning: Callable[[str], None],
) -> Iterator[Frame]:
    """The frames on the grid with ``start_ms <= time < end_ms``, upright.

    Unreadable frames are left out and told to ``on_warning`` in one sentence when the end is
    reached, as is a video that ends early. Raises UnreadableFootage or NoVideoStream only where
    the file cannot be opened at all.
    """
    reader = _Reader(path, name, start_ms, end_ms, rate)
    for time_ms, decoded in reader:
        if decoded.width * decoded.height > limits.video_pixels:
            reader.damaged.append(time_ms)
            continue
        yield Frame(time_ms, _pixels(decoded))
    for sentence in reader.warnings():
        on_warning(sentence)


class _Reader:
    """One pass over one stretch. Iterating gives (time_ms, frame) of the chosen frames."""

    def __init__(self, path: Path, name: str, start_ms: int, end_ms: int, rate: float) -> None:
        self._path, self._name = path, name
        self._start_ms, self._end_ms, self._rate = start_ms, end_ms, rate
        self.damaged: list[int] = []
        self._went_back = 0
        self._last_ms: int | None = None
        self._broke_off = False
        self._frame_ms = 0.0

    def _slot(self, time_ms: int) -> int:
        return floor((time_ms + 1) * self._rate / 1000)

    def __iter__(self) -> Iterator[tuple[int, VideoFrame]]:
        # A frame before the stretch must be seen, or the first frame of it cannot be told to be
        # the first of its slot.
        before_ms = self._start_ms - ceil(1000 / self._rate) - 1
        margins = _SEEK_MARGINS_MS if before_ms > 0 else ()
        for margin in margins:
            with _opened(self._path, self._name) as (container, stream):
                frames = self._decoded(container, stream, before_ms - margin)
                first = next(frames, None)
                if first is not None and first[0] <= before_ms:
                    yield from self._chosen(first, frames)
                    return
        with _opened(self._path, self._name) as (container, stream):
            frames = self._decoded(container, stream, None)
            first = next(frames, None)
            if first is not None:
                yield from self._chosen(first, frames)

    def _chosen(
        self, first: tuple[int, VideoFrame], rest: Iterator[tuple[int, VideoFrame]]
    ) -> Iterator[tuple[int, VideoFrame]]:
        last: int | None = None
        item: tuple[int, VideoFrame] | None = first
        while item is not None:
            time_ms, frame = item
            if time_ms >= self._end_ms:
                self._last_ms = time_ms
                return
            if last is not None and time_ms <= last:
                self._went_back += last - time_ms > 1000
            else:
                opens_slot = last is None or self._slot(time_ms) > self._slot(last)
                last = self._last_ms = time_ms
                if opens_slot and time_ms >= max(self._start_ms, 0):
                    yield time_ms, frame
            item = next(rest, None)

    def _decoded(
        self, container: InputContainer, stream: VideoStream, seek_ms: int | None
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Every readable frame with its time, in the order of display."""
        assert stream.time_base is not None
        tick_ms = float(stream.time_base * 1000)
        origin = stream.start_time or 0
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        self._frame_ms = float(1000 / rate)
        self._broke_off = False
        self.damaged.clear()
        stream.thread_type = "AUTO"
        if seek_ms is not None and seek_ms > 0:
            try:
                container.seek(origin + round(seek_ms / tick_ms), stream=stream, backward=True)
            except av.FFmpegError:
                return
        time_ms = -round(self._frame_ms)
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self._broke_off = True
                packet = None
            try:
                if packet is None:
                    # What the decoder still holds; PyAV sends the empty packet by itself only
                    # where the container ended well.
                    frames = stream.decode(None) if self._broke_off else []
                else:
                    frames = packet.decode()
            except av.EOFError:
                frames = []
            except av.FFmpegError:
                frames = []
                if packet is not None and packet.pts is not None:
                    self.damaged.append(round((packet.pts - origin) * tick_ms))
            for frame in frames:
                if frame.pts is not None:
                    time_ms = round((frame.pts - origin) * tick_ms)
                else:
                    time_ms += round(self._frame_ms)
                if frame.is_corrupt:
                    self.damaged.append(time_ms)
                else:
                    yield time_ms, frame
            if packet is None:
                return

    def warnings(self) -> list[str]:
        """What could not be read, as sentences."""
        told = []
        damaged = [t for t in self.damaged if self._start_ms <= t < self._end_ms]
        if damaged:
            count = f"{len(damaged)} frames" if len(damaged) > 1 else "One frame"
            told.append(
                f"{count} between {_clock(min(damaged))} and {_clock(max(damaged))} "
                "could not be decoded and were left out."
            )
        if self._went_back:
            told.append("The time stamps go back within the video; what repeats was left out.")
        last = self._last_ms
        short_of = self._end_ms - max(_EARLY_END_MS, 3 * self._frame_ms)
        if last is None or last < min(short_of, self._end_ms - 1):
            at = _clock(max(last or 0, 0))
            told.append(f"The video breaks off at {at}; nothing could be read after it.")
        return told


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its stream of pictures. Raises UnreadableFootage, NoVideoStream."""
    try:
        container = av.open(
            f"file:{path.resolve()}",  # the prefix keeps FFmpeg from reading meaning into the name
            mode="r",
            options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UnreadableFootage(name, NOT_OPENED) from error
    with container:
        streams = [
            stream
            for stream in container.streams.video
            if not stream.disposition & Disposition.attached_pic
        ]
        if not streams:
            what = "sound but no pictures" if container.streams.audio else "no pictures"
            raise NoVideoStream(name, f"the file holds {what}.")
        # None where FFmpeg has no decoder, whatever PyAV's stubs say.
        readable = [s for s in streams if s.codec_context is not None]  # type: ignore[redundant-expr]
        if not readable:
            raise UnreadableFootage(name, "the video is in a coding that cannot be read.")
        yield container, readable[0]


def _check_pixels(width: int, height: int, name: str, limits: FootageLimits) -> None:
    if width * height > limits.video_pixels:
        raise FootageTooLarge(
            name,
            f"the video is {width} x {height} pixels; at most "
            f"{limits.video_pixels / 1e6:.0f} million are read.",
        )


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    packets = container.demux(stream)
    for _ in range(_PROBE_PACKETS):
        try:
            packet = next(packets, None)
            if packet is None:
                return None
            frames = packet.decode()
        except av.FFmpegError:
            continue
        if frames:
            return frames[0]
    return None


def _duration_ms(container: InputContainer, stream: VideoStream) -> int | None:
    if stream.duration and stream.time_base:
        return ceil(stream.duration * stream.time_base * 1000)
    if container.duration:
        return ceil(container.duration / 1000)
    return None


def _last_ms(container: InputContainer, stream: VideoStream, written_ms: int) -> int:
    """The end of the last packets; recorders with a variable frame rate write too short a
    duration. 0 where the end cannot be reached quickly."""
    base = stream.time_base
    if base is None:
        return 0
    origin, end = stream.start_time or 0, 0
    try:
        container.seek(origin + int(written_ms / (base * 1000)), stream=stream, backward=True)
        for packet in islice(container.demux(stream), _PROBE_PACKETS):
            if packet.pts is not None:
                end = max(end, packet.pts - origin + (packet.duration or 0))
    except av.FFmpegError:
        return 0
    return ceil(end * base * 1000)


def _walked_duration_ms(path: Path, name: str) -> int:
    """The end of the last packet. Where packets carry no time, their count at the frame rate."""
    count, end = 0, 0
    with _opened(path, name) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        base = stream.time_base or Fraction(1, 1000)
        origin = stream.start_time or 0
        try:
            for packet in container.demux(stream):
                if packet.size:
                    count += 1
                if packet.pts is not None:
                    end = max(end, packet.pts - origin + (packet.duration or 0))
        except av.FFmpegError:
            pass  # the end is where reading ends
    return ceil(max(end * base, count / rate if not end else 0) * 1000)


def _rotation(frame: VideoFrame) -> int:
    """Degrees clockwise that stand the frame upright: 0, 90, 180 or 270."""
    return round(-frame.rotation / 90) * 90 % 360


def _pixels(frame: VideoFrame) -> NDArray[np.uint8]:
    pixels = frame.to_ndarray(format="bgr24")
    turn = _ROTATIONS.get(_rotation(frame))
    return np.asarray(pixels if turn is None else cv2.rotate(pixels, turn), np.uint8)


def _clock(time_ms: int) -> str:
    """h:mm:ss, as players show it."""
    seconds = time_ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
