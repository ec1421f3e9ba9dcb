"""One pass over a stretch of a video: the frames on the grid, and what could not be read.

The samples lie on a grid fixed to the recording: of every slot ``k / rate`` seconds the first
readable frame at or after it (within a millisecond, since containers round). So the same frames
come out, with the same times, whether a video is read in one go or in segments.

What no sample and no other frame needs is not decoded: of a slot's later frames, those that no
frame refers to (in H.264 with B-frames that is half of the work of decoding).
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fer_core.container import (
    by_decoding,
    clock,
    frame_rate,
    has_times,
    opened,
    origin_of,
    packets,
    shown_size,
)
from fer_core.limits import FootageLimits
from fer_core.remote import RemoteVideo

_SEEK_MARGINS_MS: Final = (0, 10_000, 60_000)
"""How far before the wanted time to look for a keyframe, where a seek lands too late."""

_REORDERED: Final = 17
"""Packets looked ahead: in H.264 and HEVC a frame is shown at most 16 frames after a later one."""

_EARLY_END_MS: Final = 2_000


class Stretch:
    """The frames on the grid with ``start_ms <= time < end_ms``; iterated once.

    Iterating gives (time_ms, frame as decoded); ``size`` is that to show all of them at, known
    with the first. ``keyframes``: only frames
    that stand for themselves, at a tenth of the cost; of a slot the first of these. Raises
    UnreadableFootage, NoVideoStream or FootageTooLarge where the file cannot be opened at all.
    """

    def __init__(
        self,
        path: Path | RemoteVideo,
        name: str,
        start_ms: int,
        end_ms: int,
        rate: float,
        limits: FootageLimits,
        *,
        keyframes: bool = False,
    ) -> None:
        self._path, self._name, self._limits = path, name, limits
        self._start_ms, self._end_ms, self._rate = start_ms, end_ms, rate
        self._keyframes = keyframes
        # A frame before the stretch must be seen, or the first frame of it cannot be told to be
        # the first of its slot.
        self._before_ms = start_ms - ceil(1000 / rate) - 1
        self.size = (0, 0)
        self._damaged: list[int] = []
        self._went_back = 0
        self._last_ms: int | None = None
        self._broke_off = False
        self._frame_ms = 0.0

    def __iter__(self) -> Iterator[tuple[int, VideoFrame]]:
        for margin in _SEEK_MARGINS_MS if self._before_ms > 0 else ():
            with opened(self._path, self._name, self._limits) as (container, stream):
                if not has_times(container):
                    break
                frames = self._decoded(container, stream, self._before_ms - margin)
                first = next(frames, None)
                if first is not None and first[0] <= self._before_ms:
                    yield from self._chosen(first, frames)
                    return
        with opened(self._path, self._name, self._limits) as (container, stream):
            frames = self._decoded(container, stream, None)
            first = next(frames, None)
            if first is not None:
                yield from self._chosen(first, frames)

    def warnings(self) -> list[str]:
        """What could not be read, as sentences; known when the end is reached."""
        told = []
        damaged = [t for t in self._damaged if self._start_ms <= t < self._end_ms]
        if damaged:
            count = f"{len(damaged)} frames" if len(damaged) > 1 else "One frame"
            told.append(
                f"{count} between {clock(min(damaged))} and {clock(max(damaged))} "
                "could not be decoded and were left out."
            )
        if self._went_back:
            told.append("The time stamps go back within the video; what repeats was left out.")
        last = self._last_ms
        short_of = self._end_ms - max(_EARLY_END_MS, 3 * self._frame_ms)
        # Keyframes may lie far apart: that the last one is early means nothing.
        ended = self._keyframes and not self._broke_off and last is not None
        if not ended and (last is None or last < min(short_of, self._end_ms - 1)):
            at = clock(max(last or 0, 0))
            told.append(f"The video breaks off at {at}; nothing could be read after it.")
        return told

    def _slot(self, time_ms: int) -> int:
        return floor((time_ms + 1) * self._rate / 1000)

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
        """The readable frames with their times, in the order of display; where packets tell
        times, without those that are neither samples nor needed by others."""
        self.size = shown_size(stream)
        clocked = _Clock(container, stream, alone=self._keyframes)
        self._frame_ms = clocked.frame_ms
        stream.thread_type = "AUTO"
        if seek_ms is not None and seek_ms > 0 and clocked.by_order:
            # Only the file's beginning tells what its stamps mean.
            next(self._pictures(container, stream, clocked), None)
        self._broke_off = False
        self._damaged.clear()
        if seek_ms is not None and seek_ms > 0:
            try:
                container.seek(clocked.stamp(seek_ms), stream=stream, backward=True)
            except av.FFmpegError:
                return
        yield from self._pictures(container, stream, clocked)

    def _pictures(
        self, container: InputContainer, stream: VideoStream, clocked: "_Clock"
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Those from where the container stands."""
        sent = self._packets(container, stream, clocked)
        judged: Iterator[tuple[Packet[VideoStream], bool]]
        if self._keyframes:
            stream.codec_context.skip_frame = "NONKEY"
            judged = ((packet, True) for packet in sent if packet.is_keyframe)
        elif clocked.packets_tell:
            judged = self._judged(sent, clocked)
        else:
            judged = ((packet, True) for packet in sent)
        for packet, wanted in judged:
            if not self._keyframes:
                stream.codec_context.skip_frame = "DEFAULT" if wanted else "NONREF"
            clocked.sent(packet)
            try:
                frames = packet.decode()
            except av.EOFError:
                frames = []
            except av.FFmpegError:
                frames = []
                clocked.refused()
                if packet.pts is not None:
                    self._damaged.append(clocked.packet_ms(packet))
            yield from self._readable(frames, clocked)
        try:
            frames = stream.decode(None)  # what the decoder still holds
        except av.FFmpegError:
            frames = []
        yield from self._readable(frames, clocked)

    def _packets(
        self, container: InputContainer, stream: VideoStream, clocked: "_Clock"
    ) -> Iterator["Packet[VideoStream]"]:
        """All packets up to where the file ends or cannot be read on."""
        try:
            for packet in packets(container, stream):
                clocked.reached(packet)
                yield packet
        except av.FFmpegError:
            self._broke_off = True

    def _judged(
        self, sent: Iterator["Packet[VideoStream]"], clocked: "_Clock"
    ) -> Iterator[tuple["Packet[VideoStream]", bool]]:
        """Each packet, and whether its frame is the first of its slot.

        Which frame is shown before it is known once all packets that could be were seen; they
        come in the order of decoding.
        """
        waiting: deque[Packet[VideoStream]] = deque()
        times: list[int] = []

        def judge(packet: "Packet[VideoStream]") -> tuple["Packet[VideoStream]", bool]:
            if packet.pts is None:
                return packet, True
            time_ms = clocked.packet_ms(packet)
            place = bisect_left(times, time_ms)
            before = times[place - 1] if place else None
            opens_slot = before is None or self._slot(time_ms) > self._slot(before)
            return packet, opens_slot and time_ms >= self._before_ms

        for packet in sent:
            waiting.append(packet)
            if packet.pts is not None:
                insort(times, clocked.packet_ms(packet))
                del times[: -4 * _REORDERED]
            if len(waiting) > _REORDERED:
                yield judge(waiting.popleft())
        while waiting:
            yield judge(waiting.popleft())

    def _readable(
        self, frames: list[VideoFrame], clocked: "_Clock"
    ) -> Iterator[tuple[int, VideoFrame]]:
        for frame in frames:
            time_ms = clocked.frame_at(frame)
            too_large = frame.width * frame.height > self._limits.video_pixels
            if frame.is_corrupt or too_large:
                self._damaged.append(time_ms)
            else:
                yield time_ms, frame


class _Clock:
    """Stamps to milliseconds since the video's start. ``alone``: of keyframes only."""

    def __init__(self, container: InputContainer, stream: VideoStream, *, alone: bool) -> None:
        base = stream.time_base or Fraction(1, 1000)
        self._tick_ms = float(base * 1000)
        self._container, self._stream = container, stream
        self._origin = origin_of(container, stream, None)
        self.frame_ms = float(1000 / (frame_rate(container, stream) or Fraction(25)))
        self.by_order = by_decoding(container)
        self.packets_tell = has_times(container) and not self.by_order
        self._alone = alone and self.by_order
        self._context = stream.codec_context
        self._sent: list[int] = []
        self._may_be_lost = True
        self._begun = False
        self._delay: int | None = None
        self._last_ms = -self.frame_ms

    def stamp(self, time_ms: int) -> int:
        return self._origin + round(time_ms / self._tick_ms)

    def packet_ms(self, packet: "Packet[VideoStream]") -> int:
        assert packet.pts is not None
        return round((packet.pts - self._origin) * self._tick_ms)

    def reached(self, packet: "Packet[VideoStream]") -> None:
        """Of all packets, sent or not: the file's first one tells where it begins."""
        if not self._begun:
            self._begun, self._origin = True, origin_of(self._container, self._stream, packet)

    def sent(self, packet: "Packet[VideoStream]") -> None:
        """Frames come out as many packets late as the decoder holds some back to reorder them.
        That is counted at the file's beginning, wherever reading then goes on: after a seek the
        frames that are shown before a keyframe may be lost. And from the first keyframe on: what
        is before it, where a video begins within a group of pictures, gives no frame."""
        if self._alone:
            packet.pts = packet.dts  # which the decoder hands on; keyframes keep their order
        elif self.by_order and self._delay is None and packet.dts is not None:
            self._count(packet, packet.dts)

    def _count(self, packet: "Packet[VideoStream]", stamp: int) -> None:
        if self._may_be_lost and packet.is_keyframe:
            self._sent.clear()
            self._may_be_lost = False
        if len(self._sent) < _REORDERED:
            self._sent.append(stamp)

    def refused(self) -> None:
        """The decoder could not read a packet, perhaps the keyframe: the next one may be first.
        Not any packet, for decoders of several threads tell of it later."""
        self._may_be_lost = True

    def _held_back(self, stamp: int) -> int:
        """Ticks from the packet that stands first in what is shown to the one that its frame came
        out with. ``stamp`` is that of the first frame, which comes later where those shown before
        the first keyframe needed what is missing, and did not come."""
        depth = self._context.reorder_depth
        return min([stamp, *self._sent[depth : depth + 1]]) - self._sent[0]

    def frame_at(self, frame: VideoFrame) -> int:
        """Of a frame without any stamp: one frame after the one before."""
        stamp = frame.pts
        if self.by_order and not self._alone:
            stamp = frame.dts
            if stamp is not None and self._sent:
                if self._delay is None:
                    self._delay = self._held_back(stamp)
                stamp -= self._delay
        if stamp is None:
            self._last_ms += self.frame_ms
        else:
            self._last_ms = (stamp - self._origin) * self._tick_ms
        return round(self._last_ms)
