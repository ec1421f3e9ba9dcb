"""What ``tests/fuzz.py`` found, made small. Each once let something out that was no plain error."""

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from fer_core import footage
from fer_core.archive import unpack
from fer_core.container import packets
from tests.made_footage import write_picture, write_video, write_zip


def test_a_member_without_a_name_is_passed_over(tmp_path: Path) -> None:
    """A name that begins with a zero byte is an empty one to zipfile."""
    write_picture(tmp_path / "a.jpg")
    path = tmp_path / "nameless.zip"
    write_zip(path, {"?.jpg": b"x", "good.jpg": tmp_path / "a.jpg"})
    path.write_bytes(path.read_bytes().replace(b"?.jpg", b"\0.jpg"))
    with zipfile.ZipFile(path) as archive:
        assert "" in archive.namelist()
    into = tmp_path / "into"
    into.mkdir()
    assert [member.name for member in unpack(path, into)] == ["nameless.zip/good.jpg"]


def test_a_stream_that_begins_within_the_file_changes_nothing(tmp_path: Path) -> None:
    """After a stream that the header did not name and that begins behind the 5 MB in which FFmpeg
    looks for more, PyAV raises an IndexError, unless a byte that it never wrote is nought."""
    path = tmp_path / "late.flv"
    noise = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flv", rate=10, options={"qmin": "1", "qmax": "1"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.codec_context.gop_size = 1
        for _ in range(30):
            pixels = noise.integers(0, 256, (480, 640, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "bgr24")))
        container.mux(stream.encode())
    data = path.read_bytes()
    at, tags = 9 + 4, []
    while at < len(data):
        tags.append(at)
        at += 11 + int.from_bytes(data[at + 1 : at + 4], "big") + 4
    middle = tags[len(tags) * 7 // 8]
    assert middle > 6_000_000
    sound = struct.pack(">BBHI", 8, 0, 2, 0) + bytes(3) + b"\x22\xff"  # the beginning of MP3
    sound += struct.pack(">I", len(sound))
    path.write_bytes(data[:middle] + sound * 3 + data[middle:])
    with av.open(str(path)) as made:
        assert [stream.type for stream in made.streams] == ["video"]
    told: list[str] = []
    frames = footage.sample(path, on_warning=told.append)
    assert [frame.time_ms for frame in frames] == list(range(0, 3000, 200))
    assert told == []


@pytest.mark.parametrize("after", [0, 7, 20])
def test_what_pyav_stumbles_over_costs_no_packet(tmp_path: Path, after: int) -> None:
    """The IndexError of the test above, which chance leaves out of one reading in 256."""

    class Stumbling:
        stumbled = 0

        def demux(self, stream: av.VideoStream) -> Iterator["av.Packet[Any]"]:
            demuxed = made.demux(stream)
            if self.stumbled:
                yield from demuxed
                return
            for _ in range(after):
                yield next(demuxed)
            self.stumbled += 1
            made.streams[99]

    write_video(tmp_path / "v.mkv", size=(64, 48), fps=10, seconds=2)
    with av.open(str(tmp_path / "v.mkv")) as made:
        container = Stumbling()
        found = list(packets(container, made.streams.video[0]))  # type: ignore[arg-type]
    assert len(found) == 20
    assert container.stumbled == 1
