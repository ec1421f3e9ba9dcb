"""Footage whose content is known, made on the spot: nothing is downloaded, nothing is stored.

The face is that of ``skimage.data.astronaut()`` (Eileen Collins, NASA, public domain), which
comes inside scikit-image's wheel. It is pasted at known places and times, so that boxes, times,
tracks and counts can be asserted.

    face_picture(look, face_height)        one head on nothing: pixels, mask and where its face is
    scene(size, people, background)        one frame with faces, and the true boxes
    write_picture(path, people, ...)       a picture in the format of the path's suffix
    Appearance(x, y, ...)                  one person: when, along which line, how big, which look
    write_video(path, people, ...)         a video; returns the truth: boxes by time
    write_sound(path)                      a container that holds sound and no picture
    write_zip(path, members)               a zip of files and of bytes
    bad_uploads(folder)                    kind -> path of files that no analysis can use

Coordinates are pixels of the upright frame; times are seconds in what is asked for and
milliseconds in what is returned, as in ``fer_core``.
"""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from fer_core.types import Box

Pixels = NDArray[np.uint8]

LOOKS = ("plain", "mirrored", "dark", "warm", "cold")
"""Copies of the one face that tell people apart for the eye (no code recognises anybody)."""

# In the astronaut picture: the head with its hair, and the face from forehead to chin as face
# detectors mark it. Measured by eye.
_HEAD = Box(138, 8, 180, 212)
_FACE = Box(180, 64, 89, 113)

_CODECS = {
    ".mp4": "libx264",
    ".mov": "libx264",
    ".mkv": "libx264",
    ".ts": "libx264",
    ".webm": "libvpx",
    ".avi": "mpeg4",
}


@dataclass(frozen=True, slots=True)
class Head:
    """``pixels``: uint8 (h, w, 3), BGR. ``mask``: float32 (h, w, 1), 0 to 1. ``face``: the box of
    the face within ``pixels``."""

    pixels: Pixels
    mask: NDArray[np.float32]
    face: Box


@dataclass(frozen=True, slots=True)
class Appearance:
    """One person in a video or a picture.

    The centre of the face goes from ``(x, y)`` at ``start_s`` to ``to`` at ``end_s`` in a
    straight line (``to=None``: stands still); shown while ``start_s <= t < end_s``, except
    within ``hidden_s`` (from, until). ``face_height``: pixels, forehead to chin.
    """

    x: float
    y: float
    start_s: float = 0.0
    end_s: float = math.inf
    to: tuple[float, float] | None = None
    face_height: float = 80.0
    look: str = "plain"
    hidden_s: tuple[float, float] | None = None

    def box(self, time_s: float) -> Box | None:
        """Where the face is at a time; None when it is not shown."""
        if not self.start_s <= time_s < self.end_s:
            return None
        if self.hidden_s and self.hidden_s[0] <= time_s < self.hidden_s[1]:
            return None
        x, y = self.x, self.y
        if self.to:
            part = (time_s - self.start_s) / (self.end_s - self.start_s)
            x, y = x + (self.to[0] - x) * part, y + (self.to[1] - y) * part
        width = self.face_height * _FACE.width / _FACE.height
        return Box(x - width / 2, y - self.face_height / 2, width, self.face_height)


@dataclass(frozen=True, slots=True)
class MadeVideo:
    """What ``write_video`` wrote. ``times_ms``: of every frame, from the video's start."""

    path: Path
    size: tuple[int, int]
    times_ms: tuple[int, ...]
    people: tuple[Appearance, ...]

    def boxes(self, time_ms: float) -> dict[int, Box]:
        """The faces at a time, by the person's place in ``people``."""
        found = ((n, person.box(time_ms / 1000)) for n, person in enumerate(self.people))
        return {n: box for n, box in found if box is not None}


@cache
def face_picture(look: str = "plain", face_height: float = _FACE.height) -> Head:
    """The head, cut out, scaled so that the face is ``face_height`` pixels high."""
    x, y, width, height = (int(v) for v in (_HEAD.x, _HEAD.y, _HEAD.width, _HEAD.height))
    whole: Pixels = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    rgb = whole[y : y + height, x : x + width]
    pixels = np.ascontiguousarray(rgb[..., ::-1]).astype(np.float32)
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(
        mask, (width // 2, height // 2), (width // 2 - 8, height // 2 - 8), 0, 0, 360, 1.0, -1
    )
    mask = cv2.GaussianBlur(mask, (0, 0), 3).astype(np.float32)
    face = Box(_FACE.x - x, _FACE.y - y, _FACE.width, _FACE.height)
    if look == "mirrored":
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
        face = Box(width - face.x - face.width, face.y, face.width, face.height)
    elif look == "dark":
        pixels = pixels * 0.6
    elif look == "warm":
        pixels = pixels * np.array([0.75, 0.95, 1.1], np.float32)
    elif look == "cold":
        pixels = pixels * np.array([1.1, 0.95, 0.8], np.float32)
    elif look != "plain":
        raise ValueError(f"no such look: {look}")
    scale = face_height / _FACE.height
    to = (round(width * scale), round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(np.ascontiguousarray(pixels), to, interpolation=how)
    mask = cv2.resize(np.ascontiguousarray(mask), to, interpolation=how).astype(np.float32)
    return Head(
        pixels=np.clip(scaled, 0, 255).astype(np.uint8),
        mask=np.clip(mask, 0, 1)[..., None],
        face=Box(face.x * scale, face.y * scale, face.width * scale, face.height * scale),
    )


@cache
def _background(size: tuple[int, int], background: str) -> Pixels:
    width, height = size
    if background == "plain":
        return np.full((height, width, 3), (168, 172, 176), np.uint8)
    if background == "dark":
        return np.full((height, width, 3), (12, 12, 12), np.uint8)
    if background == "textured":
        noise = np.random.default_rng(7).normal(size=(height, width)).astype(np.float32)
        soft = cv2.GaussianBlur(noise, (0, 0), 5)[..., None]
        tinted = 150 + soft * np.array([280, 330, 360], np.float32)
        return np.asarray(np.clip(tinted, 60, 230), np.uint8)
    raise ValueError(f"no such background: {background}")


def scene(
    size: tuple[int, int],
    people: Sequence[Appearance] = (),
    background: str = "plain",
    time_s: float = 0.0,
) -> Pixels:
    """One frame, uint8 (height, width, 3), BGR. Faces may reach over the edge.

    ``background``: "plain", "dark" or "textured".
    """
    frame = _background(size, background).copy()
    for person in people:
        box = person.box(time_s)
        if box is None:
            continue
        head = face_picture(person.look, person.face_height)
        left, top = round(box.x - head.face.x), round(box.y - head.face.y)
        height, width = head.mask.shape[:2]
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + width, size[0]), min(top + height, size[1])
        if x0 >= x1 or y0 >= y1:
            continue
        part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        under = frame[y0:y1, x0:x1]
        mask = head.mask[part]
        frame[y0:y1, x0:x1] = (head.pixels[part] * mask + under * (1 - mask)).astype(np.uint8)
    return frame


def write_picture(
    path: Path,
    people: Sequence[Appearance] = (Appearance(320, 180),),
    size: tuple[int, int] = (640, 360),
    *,
    background: str = "plain",
    mode: str = "RGB",
    orientation: int = 1,
    captured: datetime | None = None,
) -> tuple[Box, ...]:
    """A picture in the format of ``path``'s suffix; returns the true boxes.

    ``mode``: Pillow's ("L", "P", "CMYK", "RGBA", "I;16" ...). ``orientation``: EXIF 1 to 8; the
    stored pixels are turned so that a reader who heeds it sees the scene upright.
    ``captured``: EXIF DateTimeOriginal, with OffsetTimeOriginal when it is aware.
    """
    image = Image.fromarray(np.ascontiguousarray(scene(size, people, background)[..., ::-1]))
    if mode == "I;16":
        grey = np.asarray(image.convert("L")).astype(np.uint16)
        image = Image.fromarray(grey * 257)
    elif mode == "P":
        image = image.quantize(256)
    else:
        image = image.convert(mode)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    if orientation != 1:
        image = image.transpose(undo[orientation])
        exif[0x0112] = orientation
    if captured is not None:
        details = exif.get_ifd(0x8769)
        details[36867] = captured.strftime("%Y:%m:%d %H:%M:%S")
        if captured.tzinfo is not None:
            offset = captured.strftime("%z")
            details[36881] = f"{offset[:3]}:{offset[3:]}"
    if path.suffix.lower() in {".heic", ".heif"}:
        import pillow_heif

        pillow_heif.register_heif_opener()
    if orientation == 1 and captured is None:
        image.save(path)
    else:
        image.save(path, exif=exif.tobytes())
    return tuple(box for box in (person.box(0.0) for person in people) if box is not None)


def write_video(
    path: Path,
    people: Sequence[Appearance] = (),
    size: tuple[int, int] = (640, 360),
    fps: float = 10.0,
    seconds: float = 4.0,
    *,
    times_s: Sequence[float] | None = None,
    background: str = "plain",
    cuts_s: Sequence[float] = (),
    rotation: int = 0,
    created: datetime | None = None,
    codec: str | None = None,
    gop: int = 20,
    sound: bool = False,
) -> MadeVideo:
    """A video in the container of ``path``'s suffix (mp4, mov, mkv, webm, avi, ts).

    ``times_s``: of each frame, for a variable frame rate (then ``fps`` and ``seconds`` are not
    used). ``cuts_s``: at each of these the scene changes, to the other background and back.
    ``rotation``: degrees clockwise that a player must turn the stored picture. ``created``: the
    container's creation time, aware. ``gop``: frames from keyframe to keyframe.
    """
    times = (
        tuple(times_s)
        if times_s is not None
        else tuple(n / fps for n in range(round(seconds * fps)))
    )
    codec = codec or _CODECS[path.suffix.lower()]
    turned = rotation % 180 == 90
    with av.open(str(path), "w") as container:
        if created is not None:
            container.metadata["creation_time"] = created.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = (size[1], size[0]) if turned else size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.thread_count = 1
        if times_s is not None:
            stream.codec_context.time_base = Fraction(1, 90_000)
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "18", "bf": "2"}
        elif codec == "libvpx":
            stream.options = {"deadline": "realtime", "cpu-used": "8"}
            stream.bit_rate = 2_000_000
        else:
            stream.bit_rate = 4_000_000
        if rotation:
            stream.set_display_rotation(-rotation)
        audio = container.add_stream("aac", rate=16_000, layout="mono") if sound else None
        container.start_encoding()
        for n, time_s in enumerate(times):
            other = sum(time_s >= cut for cut in cuts_s) % 2 == 1
            behind = ("dark" if background != "dark" else "plain") if other else background
            upright = scene(size, people, behind, time_s)
            stored = np.rot90(upright, rotation // 90) if rotation else upright
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), "bgr24")
            if times_s is None:
                frame.pts, frame.time_base = n, 1 / Fraction(fps).limit_denominator(1001)
            else:
                frame.pts, frame.time_base = round(time_s * 90_000), Fraction(1, 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if isinstance(audio, av.AudioStream):
            _encode_tone(container, audio, times[-1] if times else 1.0)
    return MadeVideo(path, size, tuple(round(t * 1000) for t in times), tuple(people))


def _encode_tone(
    container: av.container.OutputContainer, stream: av.AudioStream, seconds: float
) -> None:
    rate = 16_000
    wave = np.sin(np.arange(max(int(seconds * rate), 1024)) / 8).astype(np.float32)[None]
    for start in range(0, wave.shape[1], 1024):
        part = np.ascontiguousarray(wave[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_sound(path: Path, seconds: float = 1.0) -> None:
    """A container that holds sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        _encode_tone(container, stream, seconds)


def write_zip(path: Path, members: Mapping[str, Path | bytes]) -> None:
    """A zip of files (by path) and of bytes, under the names given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else content.read_bytes()
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)


def _huge_png(width: int = 20_000, height: int = 20_000) -> bytes:
    """A picture that is small as a file and 1.2 GB when decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(width * 3 + 1) * 8)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def _encrypted(zipped: bytes) -> bytes:
    """The same zip with every member marked as encrypted (the standard library cannot write
    a truly encrypted one; a reader stops at the mark)."""
    data = bytearray(zipped)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(signature)
        while start >= 0:
            data[start + at] |= 1
            start = data.find(signature, start + 4)
    return bytes(data)


def bad_uploads(folder: Path) -> dict[str, Path]:
    """Files that no analysis can use, one of each kind; each must cost one plain sentence."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(11).bytes(20_000)
    good = folder / "good.jpg"
    write_picture(good)
    photo = good.read_bytes()
    good.unlink()
    video = folder / "good.mp4"
    write_video(video, [Appearance(320, 180)], seconds=1)
    film = video.read_bytes()
    video.unlink()
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("photo.jpg", photo)

    made: dict[str, bytes | Mapping[str, Path | bytes]] = {
        "empty.mp4": b"",
        "text.mp4": b"Dear sir, please find attached the video of Tuesday.\n" * 40,
        "unfinished.mp4": film[: film.rfind(b"moov") - 4],
        "cut_off.jpg": photo[:300],
        "huge.png": _huge_png(),
        "noise.jpg": noise,
        "document.pdf": b"%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\ntrailer << >>\n%%EOF\n",
        "table.csv": b"hour,people\n9,14\n10,22\n",
        "bomb.zip": {"photo.bmp": b"BM" + bytes(60_000_000)},
        "climbing.zip": {"../../outside.jpg": photo},
        "nested.zip": {"inner.zip": inner.getvalue()},
        "no_footage.zip": {"notes.txt": b"nothing to see here\n"},
        "nothing.zip": {},
        "damaged.zip": inner.getvalue()[: len(inner.getvalue()) // 2],
        "encrypted.zip": _encrypted(inner.getvalue()),
    }
    paths = {}
    for name, content in made.items():
        path = folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            write_zip(path, content)
        paths[path.stem] = path
    paths["sound_only"] = folder / "sound_only.mp4"
    write_sound(paths["sound_only"])
    paths["no_frames"] = folder / "no_frames.avi"
    write_video(paths["no_frames"], seconds=0)
    return paths
