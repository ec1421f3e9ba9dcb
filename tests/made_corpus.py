"""Files as they come from shops, thieves and broken disks: each is written by a function here.

    CORPUS                       name -> Case: how it is written, and what must come of it
    CORPUS[name].write(folder)   the file, under a name of its own in the folder

``faces``: the file is odd but sound, and its person must be found. ``refused``: it must be refused,
by this kind of error. Neither: what can be read of it is, or it is refused.
"""

import io
import random
import struct
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from PIL import Image

from fer_core.errors import (
    FootageError,
    FootageTooLarge,
    NoVideoStream,
    UnreadableFootage,
    UnsafeArchive,
    UnsupportedFootage,
)
from tests.made_footage import (
    Appearance,
    bad_uploads,
    scene,
    write_picture,
    write_sound,
    write_video,
    write_zip,
)
from tests.made_streams import copied

SIZE = (320, 180)
PERSON = Appearance(160, 90, face_height=70)


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    content: Callable[[], bytes]
    faces: bool = False
    refused: type[FootageError] | None = None

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_bytes(self.content())
        return path


@cache
def good(suffix: str) -> bytes:
    """A sound file of the kind: a picture, or a second of video."""
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / f"good{suffix}"
        if suffix == ".zip":
            write_zip(path, {"a.jpg": good(".jpg"), "b.mkv": good(".mkv"), "c.png": good(".png")})
        elif suffix in {".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts"}:
            write_video(path, [PERSON], SIZE, fps=10, seconds=1, gop=5)
        else:
            mode = "P" if suffix == ".gif" else "RGB"
            write_picture(path, [PERSON], SIZE, mode=mode, background="textured")
        return path.read_bytes()


@cache
def _bad() -> Mapping[str, bytes]:
    with tempfile.TemporaryDirectory() as made:
        return {path.name: path.read_bytes() for path in bad_uploads(Path(made)).values()}


def made(name: str, write: Callable[[Path], object]) -> Callable[[], bytes]:
    """What a function that writes a file writes."""

    def content() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            write(path)
            return path.read_bytes()

    return content


def video(suffix: str, **options: object) -> Callable[[], bytes]:
    size = options.pop("size", SIZE)
    given = {"fps": 10, "seconds": 1, **options}
    return made(f"v{suffix}", lambda path: write_video(path, [PERSON], size, **given))  # type: ignore[arg-type]


def picture(suffix: str, **options: object) -> Callable[[], bytes]:
    return made(f"p{suffix}", lambda path: write_picture(path, [PERSON], SIZE, **options))  # type: ignore[arg-type]


def cut(suffix: str, tenths: int) -> Callable[[], bytes]:
    return lambda: good(suffix)[: len(good(suffix)) * tenths // 10]


def flipped(suffix: str, seed: int) -> Callable[[], bytes]:
    """One bit in two hundred bytes turned over, the first bytes spared."""

    def content() -> bytes:
        data, chance = bytearray(good(suffix)), random.Random(seed)
        for _ in range(len(data) // 200 + 1):
            data[chance.randrange(16, len(data))] ^= 1 << chance.randrange(8)
        return bytes(data)

    return content


def zipped(members: Mapping[str, bytes | str]) -> Callable[[], bytes]:
    """A member that is given as text is a link to that."""

    def content() -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
                if isinstance(data, str):
                    entry.external_attr = 0o120777 << 16
                archive.writestr(entry, data)
        return out.getvalue()

    return content


def _overlapping() -> bytes:
    """Two thousand entries that all unpack the same megabyte (D. Fifield, 2019)."""
    data = zipped({"a.bmp": b"BM" + bytes(1_000_000)})()
    end = data.rfind(b"PK\x05\x06")
    (start,) = struct.unpack_from("<L", data, end + 16)
    entry, count = data[start:end], 2000
    directory = entry * count
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), start, 0)
    return data[:start] + directory + tail


def _lying_size() -> bytes:
    """The directory says ten bytes where there are three hundred thousand."""
    data = bytearray(zipped({"a.bmp": b"BM" + bytes(300_000)})())
    entry = data.rfind(b"PK\x01\x02")
    struct.pack_into("<L", data, entry + 24, 10)
    return bytes(data)


def _huge_jpeg() -> bytes:
    data = bytearray(good(".jpg"))
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, 20_000, 20_000)
    return bytes(data)


def _strip(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height), 90).save(out, "PNG")
    return out.getvalue()


def _backwards(path: Path, by_s: float) -> None:
    """The second half of the pictures is stamped earlier than the first."""
    write_video(path.with_name("a.ts"), [PERSON], SIZE, fps=10, seconds=1, gop=5)
    copied(path.with_name("a.ts"), path.with_name("b.ts"), "mpegts", by_s)
    path.write_bytes(path.with_name("b.ts").read_bytes() + path.with_name("a.ts").read_bytes())


def _changing_size(path: Path) -> None:
    write_video(path.with_name("a.ts"), [PERSON], SIZE, fps=10, seconds=1)
    write_video(path.with_name("b.ts"), [Appearance(300, 170)], (640, 360), fps=10, seconds=1)
    copied(path.with_name("b.ts"), path.with_name("c.ts"), "mpegts", 1.0)
    path.write_bytes(path.with_name("a.ts").read_bytes() + path.with_name("c.ts").read_bytes())


def _one_pixel_video(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 1
        stream.pix_fmt = "yuvj444p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((1, 1, 3), np.uint8), "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _deep(path: Path) -> None:
    import cv2

    cv2.imwrite(str(path), scene(SIZE, [PERSON]).astype(np.uint16) * 257)


def _cases() -> list[Case]:
    return [
        *(_cut_off()),
        *(_bit_flipped()),
        *(_from_the_upload_page()),
        *(_zips()),
        *(_names()),
        *(_odd_but_sound()),
        *(_not_footage()),
    ]


def _cut_off() -> list[Case]:
    tenths = {
        **dict.fromkeys((".mp4", ".mkv", ".ts", ".jpg", ".zip"), range(1, 10)),
        **dict.fromkeys((".mov", ".webm", ".avi", ".png", ".heic", ".webp", ".gif"), (2, 5, 9)),
    }
    return [
        Case(f"cut-at-{tenth}{suffix}", cut(suffix, tenth), faces=(suffix, tenth) == (".ts", 9))
        for suffix, at in tenths.items()
        for tenth in at
    ]


def _bit_flipped() -> list[Case]:
    videos = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts")
    stills = (".jpg", ".png", ".heic", ".avif", ".webp", ".tif", ".gif", ".bmp", ".zip")
    return [
        Case(f"flipped-{seed}{suffix}", flipped(suffix, seed))
        for suffix in (*videos, *stills)
        for seed in (1, 2)
    ]


def _from_the_upload_page() -> list[Case]:
    names = """empty.mp4 text.mp4 unfinished.mp4 cut_off.jpg huge.png noise.jpg document.pdf
    table.csv bomb.zip climbing.zip nested.zip no_footage.zip nothing.zip damaged.zip encrypted.zip
    sound_only.mp4 no_frames.avi"""
    kinds: dict[str, type[FootageError]] = {
        "huge.png": FootageTooLarge,
        "document.pdf": UnsupportedFootage,
        "table.csv": UnsupportedFootage,
        "text.mp4": UnsupportedFootage,
        "bomb.zip": UnsafeArchive,
        "climbing.zip": UnsafeArchive,
        "nested.zip": UnsafeArchive,
        "no_footage.zip": UnsupportedFootage,
        "sound_only.mp4": NoVideoStream,
    }
    return [
        Case(name, lambda name=name: _bad()[name], refused=kinds.get(name, UnreadableFootage))  # type: ignore[misc]
        for name in names.split()
    ]


def _zips() -> list[Case]:
    photo = picture(".jpg")
    return [
        Case("absolute.zip", lambda: zipped({"/etc/x.jpg": photo()})(), refused=UnsafeArchive),
        Case("drive.zip", lambda: zipped({"C:\\x.jpg": photo()})(), refused=UnsafeArchive),
        Case("backslash.zip", lambda: zipped({"..\\x.jpg": photo()})(), refused=UnsafeArchive),
        Case("link.zip", zipped({"x.jpg": "/etc/passwd"}), refused=UnsafeArchive),
        Case("overlapping.zip", _overlapping, refused=UnsafeArchive),
        Case("lying.zip", _lying_size),
        Case("junk-only.zip", zipped({"__MACOSX/x": b"", ".DS_Store": b""}), refused=FootageError),
        Case("in-front.zip", lambda: b"#!/bin/sh\n" * 9 + zipped({"a.jpg": photo()})()),
        Case("two-of-a-name.zip", lambda: zipped({"a.jpg": photo(), "A.JPG": photo()})(), True),
        Case("name-é日.zip", lambda: zipped({"b/日本 é\u202e.jpg": photo()})(), True),
        Case("long.zip", lambda: zipped({"d/" * 50 + "x" * 3000 + ".jpg": photo()})(), True),
        Case("zip-with-video.zip", lambda: zipped({"v.mkv": good(".mkv")})(), True),
    ]


def _names() -> list[Case]:
    return [
        Case("日本語 🙂 é.jpg", picture(".jpg"), True),
        Case("n" * 240 + ".mp4", video(".mp4"), True),
        Case("-i http:%s?#&'\".mkv", video(".mkv"), True),
        Case("line\nbreak.jpg", picture(".jpg"), True),
        Case("no-ending", video(".mp4"), True),
        Case("picture-named.mp4", picture(".jpg"), True),
        Case("video-named.jpg", video(".mp4"), True),
        Case("matroska-named.avi", video(".mkv"), True),
        Case("png-named.heic", picture(".png"), True),
        Case("zip-named.jpg", lambda: good(".zip")),
        Case("heic-named.mov", picture(".heic"), True),
    ]


def _odd_but_sound() -> list[Case]:
    return [
        Case("one-pixel.png", lambda: _strip(1, 1)),
        Case("one-pixel.avi", made("v.avi", _one_pixel_video)),
        Case("two-pixels.mp4", video(".mp4", size=(2, 2))),
        Case("wide.png", lambda: _strip(20_000, 1)),
        Case("high.png", lambda: _strip(1, 20_000)),
        Case("huge.jpg", _huge_jpeg, refused=FootageTooLarge),
        Case("16-bit-grey.png", picture(".png", mode="I;16"), True),
        Case("16-bit-colour.png", made("p.png", _deep), True),
        Case("16-bit-colour.tif", made("p.tif", _deep), True),
        Case("cmyk.jpg", picture(".jpg", mode="CMYK"), True),
        Case("cmyk.tif", picture(".tif", mode="CMYK"), True),
        Case("palette.png", picture(".png", mode="P"), True),
        Case("palette.gif", picture(".gif", mode="P"), True),
        Case("transparent.webp", picture(".webp", mode="RGBA"), True),
        Case("float.tif", picture(".tif", mode="F"), True),
        Case("turned.jpg", picture(".jpg", orientation=6), True),
        Case("turned.mp4", video(".mp4", rotation=90), True),
        Case("upside-down.mov", video(".mov", rotation=180), True),
        Case("with-sound.mp4", video(".mp4", sound=True), True),
        Case("one-frame.mp4", video(".mp4", seconds=0.1), True),
        Case("sometimes.mp4", video(".mp4", times_s=(0, 0.01, 0.02, 0.9, 7.3)), True),
        Case("backwards.ts", made("v.ts", lambda path: _backwards(path, 30.0)), True),
        # FFmpeg takes a jump of more than a minute for the counter's end, a day later.
        Case("far-backwards.ts", made("v.ts", lambda path: _backwards(path, 100.0))),
        Case("changing-size.ts", made("v.ts", _changing_size), True),
        Case("sound-only.mkv", made("s.mkv", write_sound), refused=NoVideoStream),
        Case("zero-frames.ts", video(".ts", seconds=0), refused=FootageError),
    ]


def _not_footage() -> list[Case]:
    list_of_files = b"ffconcat version 1.0\nfile /etc/passwd\n"
    texts = {
        "list.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n",
        "concat.mkv": list_of_files,
        "camera.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>",
        "page.html": b"<!doctype html><title>504 Gateway Timeout</title>",
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }
    return [
        *(
            Case(name, lambda data=data: data, refused=UnsupportedFootage)  # type: ignore[misc]
            for name, data in texts.items()
        ),
        Case("zeros.mp4", lambda: bytes(100_000), refused=FootageError),
        Case("ones.ts", lambda: b"\xff" * 100_000, refused=FootageError),
        Case("sync-bytes.ts", lambda: (b"G" + bytes(187)) * 500, refused=FootageError),
        Case("one-byte.jpg", lambda: b"\xff", refused=FootageError),
    ]


CORPUS = {case.name: case for case in _cases()}
