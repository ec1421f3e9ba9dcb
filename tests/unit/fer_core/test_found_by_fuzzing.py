"""What ``tests/fuzz.py`` found, made small. Each once let something out that was no plain error."""

import struct
import zipfile
from pathlib import Path

import pytest

from fer_core import footage
from fer_core.archive import unpack
from tests.made_footage import write_picture, write_zip
from tests.made_streams import Coding, write_coded


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


@pytest.mark.parametrize("codec", ["libx264", "flv"])
def test_a_stream_that_begins_within_the_file_changes_nothing(tmp_path: Path, codec: str) -> None:
    """PyAV raises an IndexError at the first packet of a stream that the header did not name."""
    path = tmp_path / "late.flv"
    write_coded(path, Coding(codec, size=(64, 48)), 40)
    data = path.read_bytes()
    told: list[str] = []
    alone = [frame.time_ms for frame in footage.sample(path, on_warning=told.append)]
    at, tags = 9 + 4, []
    while at < len(data):
        tags.append(at)
        at += 11 + int.from_bytes(data[at + 1 : at + 4], "big") + 4
    sound = struct.pack(">BBHI", 8, 0, 2, 0) + bytes(3) + b"\x22\xff"  # the beginning of MP3
    sound += struct.pack(">I", len(sound))
    middle = tags[len(tags) * 3 // 4]
    path.write_bytes(data[:middle] + sound * 3 + data[middle:])
    assert footage.probe(path).duration_ms > 3000
    assert [frame.time_ms for frame in footage.sample(path, on_warning=told.append)] == alone
    assert told == []
