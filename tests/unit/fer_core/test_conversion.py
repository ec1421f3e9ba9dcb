"""Interlaced and HDR footage, written by real encoders, against the scene that was filmed."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fer_core import footage
from fer_core.conversion import deinterlaced, tone_curve
from fer_core.detection import YuNetDetector
from fer_core.expression import ExpressionReader
from fer_core.preprocessing import align_crop
from fer_core.types import EXPRESSIONS
from tests.made_footage import Appearance, scene

SIZE = (640, 360)
STANDING = Appearance(160, 180, face_height=90)
STRIDING = Appearance(360, 180, 0.0, 2.0, to=(600, 180), face_height=90, look="warm")
FPS = 10
LATER_S = 0.05
"""From the even lines to the odd ones."""

PQ, HLG = 16, 18


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean absolute difference, 0 to 255."""
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())


def woven(time_s: float) -> NDArray[np.uint8]:
    """Even lines of one moment, odd ones of the next."""
    frame = scene(SIZE, [STANDING, STRIDING], time_s=time_s)
    frame[1::2] = scene(SIZE, [STANDING, STRIDING], time_s=time_s + LATER_S)[1::2]
    return frame


def write_interlaced(path: Path, codec: str, options: dict[str, str]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 8_000_000
        for n in range(10):
            frame = av.VideoFrame.from_ndarray(woven(n / FPS), "bgr24")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("i.mp4", "libx264", {"x264-params": "tff=1", "preset": "ultrafast"}),
        ("i.ts", "mpeg2video", {"flags": "+ildct+ilme"}),
    ],
)
def test_interlaced_footage_shows_one_moment(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    path = tmp_path / name
    write_interlaced(path, codec, options)
    frames = list(footage.sample(path))
    assert [frame.time_ms for frame in frames] == [0, 200, 400, 600, 800]
    for frame in frames:
        time_s = frame.time_ms / 1000
        one = scene(SIZE, [STANDING, STRIDING], time_s=time_s)
        moving = np.s_[120:240, 340:620]
        combed = difference(woven(time_s)[moving], one[moving])
        assert difference(frame.pixels[moving], one[moving]) < 0.7 * combed


def test_who_stands_still_keeps_nearly_every_line() -> None:
    before = woven(0.4)
    after = deinterlaced(before)
    changed = (after != before).any(axis=-1)
    still, moving = changed[80:280, 60:260], changed[120:240, 340:620]
    assert still.mean() < 0.05 < moving.mean()


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5])
def test_pictures_of_a_few_lines_are_no_error(height: int) -> None:
    lines = np.zeros((height, 40, 3), np.uint8)
    lines[1::2] = 200
    one = deinterlaced(lines)
    assert one.shape == lines.shape
    assert height < 3 or one.max() == 0


def as_hdr(sdr: NDArray[np.uint8], transfer: int) -> NDArray[np.uint16]:
    """What an HDR camera writes of a scene whose white is at 203 nits: RGB, 16 bits."""
    level = sdr[..., ::-1].astype(np.float64) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    if transfer == PQ:
        y = (linear * 203 / 10_000) ** (2610 / 16384)
        coded = ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)
    else:
        light = (linear * 203 / 1000) ** (1 / 1.2)
        log = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
        coded = np.where(light <= 1 / 12, np.sqrt(3 * light), log)
    return np.round(65535 * coded).astype(np.uint16)


def write_hdr(path: Path, transfer: int) -> None:
    named = {PQ: "smpte2084", HLG: "arib-std-b67"}[transfer]
    told = f"log-level=none:colorprim=bt2020:transfer={named}:colormatrix=bt709"
    with av.open(str(path), "w") as container:
        options = {"x265-params": told, "preset": "ultrafast"}
        stream = container.add_stream("libx265", rate=FPS, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p10le"
        stream.bit_rate = 4_000_000
        picture = as_hdr(scene(SIZE, [STANDING]), transfer)
        for n in range(3):
            frame = av.VideoFrame.from_ndarray(picture, "rgb48le")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_footage_is_read_as_an_ordinary_camera_would_show_it(
    tmp_path: Path, transfer: int
) -> None:
    path = tmp_path / "hdr.mp4"
    write_hdr(path, transfer)
    ordinary = scene(SIZE, [STANDING])
    (frame, *_) = footage.sample(path)
    detector, model = YuNetDetector(), ExpressionReader(threads=1)
    crops = []
    for picture in (ordinary, frame.pixels):
        (face,) = detector.detect(picture)
        crops.append(align_crop(picture, face))
    assert abs(crops[0].mean() - crops[1].mean()) < 30
    # Untouched, levels crowd in the middle of the scale.
    assert crops[1].std() > 0.7 * crops[0].std()
    read = model.read(np.stack(crops))
    assert EXPRESSIONS[read[0].argmax()] == EXPRESSIONS[read[1].argmax()]


def test_plain_white_is_bright_and_nothing_is_lost_on_the_way_to_the_peak() -> None:
    for transfer in (PQ, HLG):
        curve = tone_curve(transfer).astype(int)
        assert curve[0] == 0
        assert (np.diff(curve) >= 0).all()
        assert curve[-1] == 255
    assert tone_curve(PQ)[148] == pytest.approx(191, abs=6)  # 203 nits
    assert tone_curve(HLG)[191] == pytest.approx(191, abs=6)
