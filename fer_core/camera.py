"""A camera, or any address that plays, watched for a bounded time and joined again when it drops.

    with Camera("rtsp://user:secret@10.0.0.7/stream1", seconds=3600) as camera:
        for segment in analyse(camera, ExpressionReader()):
            ...

A thread watches and keeps a few seconds of sampled frames: those that wait to be read, and those
that the lead-in of the next segment asks for again. Whoever reads too slowly loses frames, not
memory, and is told. Times count from the first picture; what was missed while the camera was away
stays a gap.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import floor
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import InvalidDataError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fer_core.container import (
    check_pixels,
    clock,
    frame_rate,
    has_times,
    packets,
    rotation,
    shown_size,
    stream_of,
)
from fer_core.conversion import pixels
from fer_core.errors import FootageError, UnreadableFootage
from fer_core.limits import FootageLimits
from fer_core.types import CaptureSource, CaptureTime, FootageInfo, FootageKind, Frame

SCHEMES: Final = frozenset(
    {"rtsp", "rtsps", "rtp", "udp", "tcp", "http", "https", "rtmp", "rtmps", "srt"}
)
_PROTOCOLS: Final = "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,rtmp,rtmps,srt,crypto,httpproxy"
"""What an address may lead on to; never a file of this machine."""

_SILENCE_S: Final = 5.0
_FIRST_DELAY_S: Final = 0.25
_LONGEST_DELAY_S: Final = 10.0
_LONGEST_STEP_MS: Final = 5_000
_GAP_MS: Final = 2_000
_KEPT_SAMPLES: Final = 7
"""What ``AnalysisOptions.tracked_ms`` goes back and on over the end of a segment."""
_LATE_MS: Final = 1_000
"""How much later than asked watching ends, where pictures are late."""


def is_address(text: str) -> bool:
    """Whether a source is an address and not the name of a file."""
    return "://" in text and urlsplit(text).scheme.lower() in SCHEMES


def without_secrets(address: str) -> str:
    """The address without user, password and query, to be shown and logged."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class Camera:
    """What ``fer_core.analyse`` takes in the place of a file.

    ``seconds``: how long to watch. ``rate``: samples a second. ``keep_s``: how far back a stretch
    may begin that is asked for; at few samples a second further. ``most_waiting``: frames kept
    for a reader who is behind. ``reach_s``: how long to try for the first picture. A camera is
    watched once.
    """

    def __init__(
        self,
        address: str,
        seconds: float,
        *,
        rate: float = 5.0,
        keep_s: float = 4.0,
        most_waiting: int = 40,
        reach_s: float = 20.0,
        limits: FootageLimits | None = None,
    ) -> None:
        if not is_address(address):
            raise ValueError(f"no address of a camera: {without_secrets(address)}")
        if seconds <= 0 or rate <= 0:
            raise ValueError("seconds and rate must be above 0")
        self.name = without_secrets(address)
        self.rate = rate
        self._address = address
        self._limits = limits or FootageLimits()
        self._duration_ms = round(min(seconds * 1000, self._limits.duration_ms))
        self._keep_ms = max(keep_s, _KEPT_SAMPLES / rate) * 1000
        self._most_waiting = most_waiting
        self._reach_s = reach_s
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._frames: deque[Frame] = deque()
        self._info: FootageInfo | None = None
        self._size = (0, 0)
        self._refused: FootageError | None = None
        self._transport = "tcp"  # over UDP a busy network tears pictures apart
        self._ended = False
        self._read_ms = self._last_ms = -1
        self._left_out: list[int] = []
        self._damaged: list[int] = []
        self._gaps: list[tuple[int, int]] = []
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def info(self) -> FootageInfo:
        """Waits for the first picture. Raises UnreadableFootage where none comes, RuntimeError
        outside a ``with``."""
        self._check_watched()
        with self._changed:
            self._changed.wait_for(lambda: self._info is not None or self._ended)
            if self._info is not None:
                return self._info
        raise self._refused or UnreadableFootage(self.name, "the camera cannot be reached.")

    def sample(
        self, start_ms: int, end_ms: int, on_warning: Callable[[str], None] = lambda _: None
    ) -> Iterator[Frame]:
        """The frames with ``start_ms <= time < end_ms``, as they come; of the past what is kept.
        Raises RuntimeError outside a ``with``."""
        self._check_watched()
        wanted_ms = start_ms
        while True:
            with self._changed:
                while not (self._ended or self._reaches(wanted_ms)):
                    self._changed.wait()
                frame = next((f for f in self._frames if f.time_ms >= wanted_ms), None)
                if frame is None or frame.time_ms >= end_ms:
                    break
                self._read_ms = max(self._read_ms, frame.time_ms)
            wanted_ms = frame.time_ms + 1
            yield frame
        for sentence in self._warnings(start_ms, end_ms):
            on_warning(sentence)

    def _check_watched(self) -> None:
        """What is never watched would be waited for without an end."""
        if self._thread.ident is None:
            raise RuntimeError("Use the camera in a with statement.")

    def _reaches(self, time_ms: int) -> bool:
        return bool(self._frames) and self._frames[-1].time_ms >= time_ms

    def _warnings(self, start_ms: int, end_ms: int) -> list[str]:
        told = [
            f"The camera could not be reached from {clock(gone)} to {clock(back)}."
            for gone, back in self._gaps
            if gone < end_ms and back > start_ms
        ]
        for times, why in (
            (self._left_out, "came faster than they could be read and were left out."),
            (self._damaged, "could not be decoded and were left out."),
        ):
            count = sum(start_ms <= t < end_ms for t in times)
            if count:
                told.append(f"{count} frames {why}")
        return told

    def _run(self) -> None:
        delay = _FIRST_DELAY_S
        try:
            while self._goes_on():
                before = self._last_ms
                try:
                    self._watch()
                except (av.FFmpegError, OSError):
                    pass  # gone, refused or silent: tried again
                except FootageError as error:
                    self._refused = error
                    if self._info is None:
                        return
                if self._info is None:
                    # Simple cameras send by UDP only.
                    self._transport = "udp" if self._transport == "tcp" else "tcp"
                delay = _FIRST_DELAY_S if self._last_ms > before else delay * 2
                if self._goes_on():
                    self._stop.wait(min(delay, _LONGEST_DELAY_S))
        finally:
            with self._changed:
                if self._info is not None and self._duration_ms - self._last_ms > _GAP_MS:
                    self._gaps.append((max(self._last_ms, 0), self._duration_ms))
                self._ended = True
                self._changed.notify_all()

    def _goes_on(self) -> bool:
        if self._stop.is_set() or self._last_ms >= self._duration_ms:
            return False
        if self._info is None:
            return time.monotonic() - self._began < self._reach_s
        return self._now_ms() < self._duration_ms + _LATE_MS

    def _now_ms(self) -> int:
        return round((time.monotonic() - self._began) * 1000)

    @contextmanager
    def _connected(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        options = {
            "protocol_whitelist": _PROTOCOLS,
            "max_pixels": str(self._limits.video_pixels),
            "rtsp_transport": self._transport,
        }
        with av.open(
            self._address,
            mode="r",
            options=options,
            timeout=(_SILENCE_S, _SILENCE_S),
            metadata_errors="replace",
        ) as container:
            yield container, stream_of(container, self.name)

    def _watch(self) -> None:
        """From connecting to the end of the connection, or of the time."""
        with self._connected() as (container, stream):
            size = shown_size(stream)
            check_pixels(*size, self.name, self._limits)
            stream.thread_type = "SLICE"  # frame threads would hold pictures back
            base = float((stream.time_base or 0) * 1000)
            stamped = has_times(container) and base > 0
            offset: float | None = None
            last_stamp = 0.0
            for frame in self._decoded(container, stream):
                if self._info is None:
                    self._size = size
                    self._meet(container, stream, frame)
                now = float(self._now_ms())
                stamp = frame.pts * base if stamped and frame.pts is not None else now
                if offset is None or not 0 <= stamp - last_stamp <= _LONGEST_STEP_MS:
                    # Joined anew, or the camera's clock was set: on by our own.
                    offset = self._joined_ms(now) - stamp
                last_stamp = stamp
                self._take(round(offset + stamp), frame)

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """The frames until the connection or the time ends."""
        for packet in packets(container, stream):
            try:
                yield from packet.decode()
            except InvalidDataError:
                self._damaged.append(max(self._last_ms, 0))
            if not self._goes_on():
                return
        yield from stream.decode(None)

    def _joined_ms(self, now: float) -> float:
        if self._last_ms < 0:
            return 0.0
        joined = max(now, self._last_ms + 1.0)
        if joined - self._last_ms > _GAP_MS:
            self._gaps.append((self._last_ms, round(joined)))
        return joined

    def _meet(self, container: InputContainer, stream: VideoStream, first: VideoFrame) -> None:
        """The first picture: time counts from here."""
        width, height = self._size if all(self._size) else (first.width, first.height)
        turn = rotation(first)
        rate = frame_rate(container, stream)
        self._began = time.monotonic()
        if rate:  # of a slow camera, lead-ins are longer
            self._keep_ms = max(self._keep_ms, _KEPT_SAMPLES / float(rate) * 1000)
        with self._changed:
            self._info = FootageInfo(
                kind=FootageKind.VIDEO,
                width=height if turn % 180 else width,
                height=width if turn % 180 else height,
                duration_ms=self._duration_ms,
                frame_rate=float(rate) if rate else None,
                codec=stream.codec_context.name,
                rotation=turn,
                captured=CaptureTime(datetime.now(UTC), CaptureSource.METADATA),
            )
            self._changed.notify_all()

    def _take(self, time_ms: int, frame: VideoFrame) -> None:
        """Keep the frame where it is the first of its slot and there is room for it."""
        last, self._last_ms = self._last_ms, max(self._last_ms, time_ms)
        if time_ms <= last or time_ms >= self._duration_ms:
            return
        if last >= 0 and floor((time_ms + 1) * self.rate / 1000) <= floor(
            (last + 1) * self.rate / 1000
        ):
            return
        if frame.is_corrupt or frame.width * frame.height > self._limits.video_pixels:
            self._damaged.append(time_ms)
            return
        with self._changed:
            if sum(f.time_ms > self._read_ms for f in self._frames) >= self._most_waiting:
                self._left_out.append(time_ms)
                return
        kept = Frame(time_ms, pixels(frame, self._size))
        with self._changed:
            self._frames.append(kept)
            while self._frames[0].time_ms < self._read_ms - self._keep_ms:
                self._frames.popleft()
            self._changed.notify_all()
