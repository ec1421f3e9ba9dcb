"""A real RTSP server on this machine, with a camera that feeds it.

``rtsp-server-perl`` of Debian (RTP by UDP only, as simple cameras are); FFmpeg, by PyAV, plays the
camera: it announces itself to the server and sends a clip over and over, as fast as it is shown.
"""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

PROGRAM = shutil.which("rtsp-server-perl")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as asking:
        asking.bind(("127.0.0.1", 0))
        return int(asking.getsockname()[1])


@contextmanager
def rtsp_camera(clip: Path, port: int) -> Iterator[str]:
    """The address of a camera that plays ``clip``; at the end the server is killed, and the
    camera with it."""
    assert PROGRAM is not None
    feed = free_port()
    server = subprocess.Popen(
        [
            *(PROGRAM, "--clientport", str(port), "--serverport", str(feed)),
            *("--rtp_start_port", str(free_port(socket.SOCK_DGRAM) // 2 * 2)),
            *("--client_listen_address", "127.0.0.1", "--source_listen_address", "127.0.0.1"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    over = threading.Event()
    feeding = threading.Thread(target=_feed, args=(clip, f"rtsp://127.0.0.1:{feed}/till", over))
    try:
        for listening in (port, feed):
            _wait_for(listening)
        feeding.start()
        yield f"rtsp://127.0.0.1:{port}/till"
    finally:
        server.kill()
        server.wait()
        over.set()
        if feeding.ident is not None:
            feeding.join()


def _wait_for(port: int) -> None:
    end = time.monotonic() + 240
    while time.monotonic() < end:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens at {port}")


def _feed(clip: Path, address: str, over: threading.Event) -> None:
    out = av.open(address, "w", format="rtsp", options={"rtsp_transport": "udp"})
    with suppress(av.FFmpegError, OSError):  # the server was killed
        _send(clip, out, over)
    with suppress(av.FFmpegError, OSError):
        out.close()


def _send(clip: Path, out: OutputContainer, over: threading.Event) -> None:
    shift, began = 0, time.monotonic()
    sent: VideoStream | None = None
    while True:
        with av.open(str(clip)) as given:
            stream = given.streams.video[0]
            sent = sent or out.add_stream_from_template(stream)
            assert stream.time_base is not None
            end = 0
            for packet in given.demux(stream):
                if packet.dts is None or packet.pts is None:
                    continue
                end = max(end, packet.pts + (packet.duration or 0))
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = sent
                ahead_s = float(packet.dts * stream.time_base) - (time.monotonic() - began)
                if over.wait(max(ahead_s, 0)):
                    return
                out.mux(packet)
            shift += end
