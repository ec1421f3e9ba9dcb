"""Still pictures: header first, pixels only when they are asked for."""

import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from fer_core import capture_time
from fer_core.errors import FootageTooLarge, UnreadableFootage
from fer_core.limits import FootageLimits
from fer_core.types import FootageInfo, FootageKind

pillow_heif.register_heif_opener()

# Only what shops have: Pillow's other readers (EPS starts a program, for one) stay shut.
_FORMATS: Final = (
    JpegImagePlugin.JpegImageFile.format,
    PngImagePlugin.PngImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    BmpImagePlugin.BmpImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    GifImagePlugin.GifImageFile.format,
    AvifImagePlugin.AvifImageFile.format,
    "HEIF",
)
_MAGIC: Final = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # TIFF and BigTIFF
)
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")

# What Pillow's readers raise on damaged files, beside OSError.
_DAMAGE: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    RuntimeError,
    ZeroDivisionError,
    MemoryError,
    struct.error,
)
_LONGEST_SIDE: Final = 65_535
"""Pixels: the most that a JPEG can have. What is longer is no photograph, and the parts of a
picture that are read at a time would be as long."""

_TRANSPARENT_ON: Final = (128, 128, 128)
_CLOCKWISE: Final = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
_TRUNCATED_LOCK: Final = threading.Lock()


def is_picture(head: bytes) -> bool:
    """Whether the first bytes of a file (32 are enough) are those of a picture format."""
    return (
        head.startswith(_MAGIC)
        or (head.startswith(b"BM") and head[6:10] == b"\0\0\0\0")
        or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS)
    )


def is_moving(path: Path) -> bool:
    """Whether a GIF holds more than one frame; no pixel is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=(GifImagePlugin.GifImageFile.format,)) as image:
                return bool(getattr(image, "is_animated", False))
    except (*_DAMAGE, Image.DecompressionBombError):
        return False


def probe(path: Path, name: str, limits: FootageLimits) -> FootageInfo:
    """What the header tells; no pixel is decoded.

    Raises UnreadableFootage, FootageTooLarge.
    """
    with _opened(path, name, limits) as image:
        exif = _exif(image)
        now = datetime.now(UTC)
        orientation = exif.get(0x0112)
        orientation = orientation if isinstance(orientation, int) else 1
        width, height = image.size
        # Pillow gives the size of a TIFF as it will be after turning, of all others as stored.
        if orientation in (5, 6, 7, 8) and image.format != TiffImagePlugin.TiffImageFile.format:
            width, height = height, width
        try:
            captured = capture_time.from_exif(exif, now)
        except _DAMAGE:
            captured = None
        return FootageInfo(
            kind=FootageKind.PICTURE,
            width=width,
            height=height,
            duration_ms=0,
            frame_rate=None,
            codec=(image.format or "unknown").lower(),
            rotation=_CLOCKWISE.get(orientation, 0),
            captured=captured or capture_time.from_name(name, now),
        )


def read(
    path: Path, name: str, limits: FootageLimits, on_warning: Callable[[str], None]
) -> NDArray[np.uint8]:
    """The picture, upright: uint8 (height, width, 3), BGR. Of an animation the first frame.

    A picture that breaks off is read as far as it goes, and ``on_warning`` is told.
    Raises UnreadableFootage, FootageTooLarge.
    """
    try:
        with _opened(path, name, limits) as image:
            return _pixels(image)
    except UnreadableFootage:
        pass
    # The flag is global in Pillow, hence the lock; a complete picture never comes here.
    with _TRUNCATED_LOCK:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            with _opened(path, name, limits) as image:
                pixels = _pixels(image)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
    on_warning("The picture is damaged or cut off; only a part of it could be read.")
    return pixels


@contextmanager
def _opened(path: Path, name: str, limits: FootageLimits) -> Iterator[Image.Image]:
    """The picture with its header read and its size checked; all damage as one error."""
    try:
        with warnings.catch_warnings():
            # Our own bound is checked below, with a sentence; metadata warnings help nobody.
            warnings.simplefilter("ignore")
            # Not by its name: by that Pillow maps uncompressed pixels into memory, and takes
            # those of a TIFF for turned already.
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
                width, height = image.size
                if width * height > limits.picture_pixels:
                    raise FootageTooLarge(
                        name,
                        f"the picture is {width} x {height} pixels; at most "
                        f"{limits.picture_pixels / 1e6:.0f} million are read.",
                    )
                if max(width, height) > _LONGEST_SIDE:
                    raise FootageTooLarge(
                        name,
                        f"the picture is {width} x {height} pixels; at most {_LONGEST_SIDE:,} on "
                        "a side are read. Cut it into smaller pictures.",
                    )
                yield image
    except Image.DecompressionBombError as error:
        raise FootageTooLarge(
            name,
            "the picture has too many pixels; at most "
            f"{limits.picture_pixels / 1e6:.0f} million are read.",
        ) from error
    except _DAMAGE as error:
        raise UnreadableFootage(
            name, "the picture is damaged, or the file is not the picture its name says."
        ) from error


def _exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except _DAMAGE:
        return Image.Exif()


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    image.load()
    try:
        upright = ImageOps.exif_transpose(image)
    except _DAMAGE:  # orientation unreadable: the pixels are not
        upright = image
    if upright.mode.startswith("I;16"):
        deep = np.asarray(upright).astype(np.uint16)
        return cv2.cvtColor((deep >> 8).astype(np.uint8), cv2.COLOR_GRAY2BGR).astype(np.uint8)
    if upright.mode in ("I", "F"):
        return cv2.cvtColor(_stretched(np.asarray(upright)), cv2.COLOR_GRAY2BGR).astype(np.uint8)
    if upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (*_TRANSPARENT_ON, 255))
        upright = Image.alpha_composite(ground, rgba)
    rgb = np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


def _stretched(deep: NDArray[np.generic]) -> NDArray[np.uint8]:
    """32-bit or float grey to 8 bits: by 65535 where the values are 16-bit, else by range."""
    values = np.nan_to_num(deep.astype(np.float32))
    low, high = float(values.min()), float(values.max())
    if low >= 0 and 255 < high <= 65535:
        low, high = 0.0, 65535.0
    scaled = (values - low) * (255.0 / max(high - low, 1e-6))
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)
