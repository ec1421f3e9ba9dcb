"""Video in any coding and container that the installed FFmpeg writes, small and known.

    write_coded(path, codec, ...)    a few frames of one walking face; returns their times
    shown(size, time_ms)             what the frame at a time must look like
    copied(source, target, ...)      the same packets in another container or at other times
    served(answers)                  a port that answers as cameras do

One face walks over the picture, so that a frame of the wrong time is told from the right one.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from tests.made_footage import Appearance, scene

SIZE = (256, 144)
WALK = Appearance(60, 60, 0.0, 3.0, to=(200, 90), face_height=50)

QUICK: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "ultrafast", "bf": "2", "forced-idr": "1"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
}
"""Options of the encoders, chosen for speed; B-frames where a coding has them."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How to write: FFmpeg's names of the encoder, the pixels and the container."""

    codec: str
    pixels: str = "yuv420p"
    size: tuple[int, int] = SIZE
    fps: int = 10
    container: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    gop: int = 10
    pixel_shape: Fraction | None = None


def shown(size: tuple[int, int], time_ms: float) -> NDArray[np.uint8]:
    return scene(size, [WALK], time_s=time_ms / 1000)


@contextmanager
def _priority_kept() -> Iterator[None]:
    """SVT-AV1 gives whoever encodes with it as root the highest real-time priority, for good and
    to all that it starts from then on: a browser of a later test would starve the machine."""
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def write_coded(path: Path, coding: Coding, frames: int = 20) -> list[int]:
    """Returns the milliseconds at which the frames are shown."""
    with (
        _priority_kept(),
        av.open(
            str(path), "w", format=coding.container, options=dict(coding.container_options)
        ) as container,
    ):
        stream = container.add_stream(coding.codec, rate=coding.fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = coding.size
        stream.pix_fmt = coding.pixels
        if coding.pixel_shape is not None:
            stream.codec_context.sample_aspect_ratio = coding.pixel_shape
        stream.codec_context.gop_size = coding.gop
        stream.codec_context.thread_count = 1
        stream.bit_rate = 2_000_000
        stream.options = {**QUICK.get(coding.codec, {}), **coding.options}
        times = [1000 * n // coding.fps for n in range(frames)]
        for n, time_ms in enumerate(times):
            frame = av.VideoFrame.from_ndarray(shown(coding.size, time_ms), "bgr24")
            frame.pts, frame.time_base = n, Fraction(1, coding.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return times


def copied(source: Path, target: Path, container: str | None = None, later_s: float = 0.0) -> None:
    """The packets of the pictures, each ``later_s`` later."""
    options = {"output_ts_offset": str(later_s), "avoid_negative_ts": "disabled"}
    with (
        av.open(str(source)) as given,
        av.open(str(target), "w", format=container, options=options) as out,
    ):
        pictures = given.streams.video[0]
        copy = out.add_stream_from_template(pictures)
        for packet in given.demux(pictures):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)


@contextmanager
def served(answers: Sequence[bytes], pause_s: float = 0.0) -> Iterator[int]:
    """A port of this machine: to each connection the next answer, and then the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def accepted() -> socket.socket | None:
            while not over.is_set():
                try:
                    return server.accept()[0]
                except TimeoutError:
                    continue
            return None

        def serve() -> None:
            for answer in answers:
                connection = accepted()
                if connection is None:
                    return
                with connection:
                    connection.settimeout(240)
                    try:
                        for at in range(0, len(answer), 65536):
                            connection.sendall(answer[at : at + 65536])
                            time.sleep(pause_s)
                    except OSError:
                        continue  # the watcher had seen enough

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()
