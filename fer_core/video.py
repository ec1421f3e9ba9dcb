"""Video by its true time stamps: probed cheaply, sampled by time, readable from any point."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fer_core import capture_time
from fer_core.container import (
    check_pixels,
    clock,
    frame_rate,
    opened,
    origin_of,
    packets,
    packets_of_all,
    rotation,
    shown_size,
    stamp_of,
)
from fer_core.conversion import pixels
from fer_core.decoding import Stretch
from fer_core.errors import FootageTooLarge, UnreadableFootage
from fer_core.limits import FootageLimits
from fer_core.remote import RemoteVideo
from fer_core.types import FootageInfo, FootageKind, Frame

_PROBE_PACKETS: Final = 600
"""Video packets tried for a first readable frame: 20 s at 30 a second."""

_LONGER_MS: Final = 60_000
"""By which a video may exceed the limit, or by a hundredth of that: recorders end a day's export
with the frame after it."""

_TIME_AT_END: Final = frozenset({"matroska,webm", "nut", "asf"})
"""FFmpeg's names of containers whose duration may be the time stamp at the end."""

_ONE_DURATION: Final = frozenset({"matroska,webm", "nut", "flv"})
"""Of containers that tell one duration for all their streams."""

_OF_THE_LONGEST: Final = _ONE_DURATION | {"asf"}
"""Of containers whose duration may be that of sound which goes on without pictures. (Of ASF, FFmpeg
tells it for each stream.)"""

_NEAR_THE_END_MS: Final = 1000
"""By which a stream may end before the written duration and still reach it."""

_BACK_MS: Final = (0, 10_000, 60_000)
"""How far before the written end to look for the last pictures, before all packets are walked
through: in FLV no seek goes behind them."""


def probe(path: Path | RemoteVideo, name: str, limits: FootageLimits) -> FootageInfo:
    """Header, first readable frame, duration. Where no duration is written anywhere the packets
    are walked through (not decoded), and where it may be wrong those near the end.

    Raises UnreadableFootage, NoVideoStream, FootageTooLarge.
    """
    with opened(path, name, limits) as (container, stream):
        width, height = shown_size(stream)
        first, origin = _beginning(container, stream)
        if first is None:
            raise UnreadableFootage(name, "the video holds no picture that can be read.")
        check_pixels(first.width, first.height, name, limits)
        if not (width and height):
            width, height = first.width, first.height
        turn = rotation(first)
        rate = frame_rate(container, stream)
        metadata = {**stream.metadata, **container.metadata}
        now = datetime.now(UTC)
        codec = stream.codec_context.name
        written_ms = _written_ms(container, stream)
        duration_ms = written_ms and _duration_ms(container, stream, origin, written_ms)
    if not duration_ms:
        duration_ms = _walked_duration_ms(path, name, limits)
    if duration_ms > limits.duration_ms + min(_LONGER_MS, limits.duration_ms // 100):
        raise FootageTooLarge(
            name,
            f"the video is {clock(duration_ms)} long; at most {clock(limits.duration_ms)} are read "
            "at a time. Cut it into shorter files, or raise the limit in the settings "
            "(SATISFACE_MAX_VIDEO_HOURS).",
        )
    return FootageInfo(
        kind=FootageKind.VIDEO,
        width=height if turn % 180 == 90 else width,
        height=width if turn % 180 == 90 else height,
        duration_ms=max(duration_ms, 1),
        frame_rate=float(rate) if rate else None,
        codec=codec,
        rotation=turn,
        captured=capture_time.from_metadata(metadata, now) or capture_time.from_name(name, now),
    )


def sample(
    path: Path | RemoteVideo,
    name: str,
    start_ms: int,
    end_ms: int,
    rate: float,
    limits: FootageLimits,
    on_warning: Callable[[str], None],
    *,
    keyframes: bool = False,
) -> Iterator[Frame]:
    """The frames on the grid (see ``fer_core.decoding``) with ``start_ms <= time < end_ms``,
    upright, with square pixels, and of one size even where the stream changes its own.

    Unreadable frames are left out and told to ``on_warning`` in one sentence when the end is
    reached, as is a video that ends early. Raises UnreadableFootage, NoVideoStream or
    FootageTooLarge only where the file cannot be opened at all.
    """
    stretch = Stretch(path, name, start_ms, end_ms, rate, limits, keyframes=keyframes)
    for time_ms, decoded in stretch:
        yield Frame(time_ms, pixels(decoded, stretch.size))
    for sentence in stretch.warnings():
        on_warning(sentence)


def _beginning(container: InputContainer, stream: VideoStream) -> tuple[VideoFrame | None, int]:
    """The first readable frame, and the ticks at which the video begins."""
    reached = packets(container, stream)
    origin: int | None = None
    for _ in range(_PROBE_PACKETS):
        try:
            packet = next(reached, None)
            if origin is None:
                origin = origin_of(container, stream, packet)
            # At the end the decoder gives what it still holds.
            frames = stream.decode(None) if packet is None else packet.decode()
        except av.FFmpegError:
            continue
        if frames:
            return frames[0], origin
        if packet is None:
            break
    return None, origin or 0


def _written_ms(container: InputContainer, stream: VideoStream) -> int | None:
    """The duration as the file or FFmpeg tells it. None where FFmpeg only guessed it from the bit
    rate: it writes that to the stream, which has no duration of its own in these containers."""
    if stream.duration and stream.time_base:
        if container.format.name in _ONE_DURATION:
            return None
        return ceil(stream.duration * stream.time_base * 1000)
    return ceil(container.duration / 1000) if container.duration else None


def _from_start_ms(
    container: InputContainer, stream: VideoStream, origin: int, written_ms: int
) -> int:
    """The written duration without what passed before the first picture: a recorder that cuts an
    endless recording into pieces (``ffmpeg -f segment``) writes the time at the end."""
    if container.format.name not in _TIME_AT_END or stream.time_base is None:
        return written_ms
    from_start_ms = written_ms - floor(origin * stream.time_base * 1000)
    return from_start_ms if from_start_ms > 0 else written_ms


def _duration_ms(
    container: InputContainer, stream: VideoStream, origin: int, written_ms: int
) -> int:
    """How long the pictures go on. The written duration is not believed where packets lie behind
    it: recorders with a variable frame rate write too short a one. Nor where sound or data reach
    it and the pictures do not; where nothing reaches it, the file is cut off."""
    from_start_ms = _from_start_ms(container, stream, origin, written_ms)
    of_the_longest = container.format.name in _OF_THE_LONGEST and len(container.streams) > 1
    pictures_ms = others_ms = 0
    for back_ms in (*_BACK_MS, written_ms) if of_the_longest else (0,):
        since_ms = max(written_ms - back_ms, 0)
        pictures_ms, others_ms = _ends_ms(container, stream, origin, since_ms)
        if pictures_ms or not since_ms:
            break
    if of_the_longest and pictures_ms and others_ms >= from_start_ms - _NEAR_THE_END_MS:
        return pictures_ms
    return max(from_start_ms, pictures_ms)


def _ends_ms(
    container: InputContainer, stream: VideoStream, origin: int, since_ms: int
) -> tuple[int, int]:
    """The ends of the last packets: of the pictures, and of whatever else there is. All that lies
    behind ``since_ms``, or the keyframe before, is read (not decoded). 0 where there is no getting
    there."""
    base = stream.time_base
    if base is None:
        return 0, 0
    ends: dict[int, int] = {}
    try:
        container.seek(origin + int(since_ms / (base * 1000)), stream=stream, backward=True)
        for packet in packets_of_all(container):
            stamp = stamp_of(container, packet)
            if stamp is not None:
                end = stamp + (packet.duration or 1)
                ends[packet.stream_index] = max(ends.get(packet.stream_index, end), end)
    except av.FFmpegError:
        pass  # the end is where reading ends

    def end_ms(index: int) -> int:
        ticks = (container.streams[index].time_base or Fraction()) * ends[index]
        return max(ceil((ticks - origin * base) * 1000), 0)

    others_ms = (end_ms(index) for index in ends if index != stream.index)
    return end_ms(stream.index) if stream.index in ends else 0, max(others_ms, default=0)


def _walked_duration_ms(path: Path | RemoteVideo, name: str, limits: FootageLimits) -> int:
    """The end of the last packet. Where packets carry no time, their count at the frame rate."""
    count, end, origin = 0, 0, 0
    with opened(path, name, limits) as (container, stream):
        rate = frame_rate(container, stream) or Fraction(25)
        base = stream.time_base or Fraction(1, 1000)
        try:
            for packet in packets(container, stream):
                if not count:
                    origin = origin_of(container, stream, packet)
                count += 1
                stamp = stamp_of(container, packet)
                if stamp is not None:
                    end = max(end, stamp - origin + (packet.duration or 0))
        except av.FFmpegError:
            pass  # the end is where reading ends
    return ceil(max(end * base, count / rate if not end else 0) * 1000)
