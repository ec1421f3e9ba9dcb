from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_core import footage
from fer_core.errors import FootageTooLarge, UnreadableFootage
from fer_core.types import CaptureSource
from tests.made_footage import Appearance, scene, write_picture

STANDING = Appearance(300, 170)
FORMATS = [
    ("a.jpg", "RGB"),
    ("a.jpg", "L"),
    ("a.jpg", "CMYK"),
    ("a.png", "RGB"),
    ("a.png", "RGBA"),
    ("a.png", "LA"),
    ("a.png", "P"),
    ("a.png", "I;16"),
    ("a.webp", "RGB"),
    ("a.webp", "RGBA"),
    ("a.bmp", "RGB"),
    ("a.tif", "RGB"),
    ("a.tif", "CMYK"),
    ("a.tif", "I;16"),
    ("a.tif", "F"),
    ("a.gif", "P"),
    ("a.heic", "RGB"),
    ("a.avif", "RGB"),
]


@pytest.mark.parametrize(("name", "mode"), FORMATS)
def test_every_kind_of_picture_is_read_as_it_looks(tmp_path: Path, name: str, mode: str) -> None:
    path = tmp_path / name
    write_picture(path, [STANDING], mode=mode)
    info = footage.probe(path)
    assert (info.width, info.height, info.duration_ms) == (640, 360, 0)
    (frame,) = footage.sample(path)
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.shape == (360, 640, 3)
    truth = scene((640, 360), [STANDING])
    grey = frame.pixels.mean(axis=2), truth.mean(axis=2)
    assert np.abs(grey[0] - grey[1]).mean() < 14
    if mode not in ("L", "LA", "I;16", "F"):
        assert np.abs(frame.pixels.astype(int) - truth).mean() < 14


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_orientation_is_heeded(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"phone{suffix}"
    write_picture(path, [STANDING], orientation=orientation)
    info = footage.probe(path)
    assert (info.width, info.height) == (640, 360)
    (frame,) = footage.sample(path)
    assert np.abs(frame.pixels.astype(int) - scene((640, 360), [STANDING])).mean() < 6


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("mode", ["L", "I;16", "RGBA", "CMYK"])
def test_an_uncompressed_tiff_is_turned_as_a_compressed_one_is(
    tmp_path: Path, mode: str, orientation: int
) -> None:
    """Pillow maps the pixels of these into memory where it knows their file by name."""
    shown = Image.fromarray(scene((640, 360), [STANDING]))
    grey = np.asarray(shown.convert("L")).astype(np.uint16)
    stored = Image.fromarray(grey * 257) if mode == "I;16" else shown.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = []
    for compression in ("raw", "tiff_lzw"):
        path = tmp_path / f"{compression}.tif"
        stored.save(path, exif=exif.tobytes(), compression=compression)
        info = footage.probe(path)
        assert (info.width, info.height) == (360, 640)
        read += [frame.pixels for frame in footage.sample(path)]
    uncompressed, compressed = read
    assert uncompressed.shape == (640, 360, 3)
    assert np.array_equal(uncompressed, compressed)


def test_exif_tells_the_capture_time(tmp_path: Path) -> None:
    path = tmp_path / "IMG_20200101_000000.jpg"
    local = datetime(2026, 3, 1, 9, 30)  # noqa: DTZ001 - as cameras write it
    write_picture(path, captured=local)
    captured = footage.probe(path).captured
    assert captured is not None
    assert (captured.at, captured.source) == (local, CaptureSource.EXIF)
    write_picture(path, captured=local.replace(tzinfo=timezone(timedelta(hours=1))))
    captured = footage.probe(path).captured
    assert captured is not None
    assert captured.at == datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    first = Image.new("RGB", (64, 48), (255, 0, 0))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    (frame,) = footage.sample(tmp_path / "a.gif")
    assert frame.pixels[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    write_picture(path, [STANDING], background="textured")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    told: list[str] = []
    (frame,) = footage.sample(path, on_warning=told.append)
    truth = scene((640, 360), [STANDING], "textured")
    assert np.abs(frame.pixels[:150].astype(int) - truth[:150]).mean() < 8
    assert len(told) == 1
    (_, *_) = footage.sample(path)  # and once more: nothing global is left behind
    whole = tmp_path / f"whole{suffix}"
    write_picture(whole)
    told.clear()
    list(footage.sample(whole, on_warning=told.append))
    assert told == []


def test_a_picture_without_any_pixels_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "head.png"
    write_picture(path)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"IDAT") + 2])
    with pytest.raises(UnreadableFootage, match=r"head\.png"):
        list(footage.sample(path))


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    Image.new("1", (1, 1)).save(tmp_path / "dot.png")
    (frame,) = footage.sample(tmp_path / "dot.png")
    assert frame.pixels.shape == (1, 1, 3)


@pytest.mark.parametrize("size", [(65_536, 1), (1, 65_536)])
def test_a_picture_too_long_on_one_side_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    """Few pixels, but the detector sees each side as a multiple of 32."""
    path = tmp_path / "thin.png"
    Image.new("L", size).save(path)
    with pytest.raises(FootageTooLarge, match=r"at most 65,535 on a side are read\. Cut"):
        footage.probe(path)
    with pytest.raises(FootageTooLarge):
        list(footage.sample(path))
