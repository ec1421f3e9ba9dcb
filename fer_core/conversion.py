"""A frame as it was decoded to the picture that an eye would see.

Besides the turn that stands it upright: pixels become square, the two moments of an interlaced
frame (cameras with PAL or NTSC lines, camcorders, broadcasts) become one, and the steep scale of
HDR video (phones, above all) becomes that of ordinary screens, for which detector and recogniser
were trained.
"""

from functools import cache
from typing import Final

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from fer_core.container import rotation

_ROTATIONS: Final = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}

_PQ: Final = 16
_HLG: Final = 18
"""ITU-T H.273's numbers of the two transfer functions of HDR video (ITU-R BT.2100)."""

_WHITE_NITS: Final = 203.0
"""What HDR shows plain white at (ITU-R BT.2408)."""

_PEAK_NITS: Final = 1000.0

_COMB: Final = 10
"""Levels of grey by which a line must leave both its neighbours, the same way."""

_COMB_WITHIN: Final = (16, 8)
_COMB_SHARE: Final = 0.15
"""Of the pixels of such a window: fewer are detail, more are movement."""

_COMB_REACH: Final = (15, 9)


def pixels(frame: VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The frame as it is to be seen: uint8 (height, width, 3), BGR. ``size``: (width, height)
    before it is turned upright; (0, 0) leaves it as it is."""
    width, height = size if all(size) else (frame.width, frame.height)
    if frame.interlaced_frame:
        # Lines must not mix before it is known which belong together.
        stored = deinterlaced(np.ascontiguousarray(_bgr(frame, frame.width, frame.height)))
        if (width, height) != (frame.width, frame.height):
            stored = np.asarray(cv2.resize(stored, (width, height)), np.uint8)
    else:
        stored = _bgr(frame, width, height)
    if frame.color_trc in (_PQ, _HLG):
        stored = np.asarray(cv2.LUT(stored, tone_curve(frame.color_trc)), np.uint8)
    turn = _ROTATIONS.get(rotation(frame))
    # Rows of an odd width come padded.
    return np.ascontiguousarray(stored if turn is None else cv2.rotate(stored, turn), np.uint8)


def _bgr(frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """uint8 (height, width, 3). In the thread that asks: by itself FFmpeg starts as many as there
    are cores, anew for each frame, which costs twice the conversion."""
    converted = frame.to_ndarray(format="bgr24", width=width, height=height, threads=1)
    return np.asarray(converted, np.uint8)


def deinterlaced(woven: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One moment of a frame whose even and odd lines were taken at two: uint8 (h, w, 3), BGR.

    Where the odd lines stick out of the even ones on either side, as they do where something
    moved, they are made of those; elsewhere nothing is touched, so that who stands still keeps
    nearly every line. It needs no other frame: between samples frames are often not decoded at all.
    """
    odd = woven[1::2]
    if len(woven) < 3:
        return woven
    above = woven[: 2 * len(odd) : 2]
    below = woven[2::2]
    if len(below) < len(odd):
        below = np.concatenate([below, above[-1:]])
    grey, grey_above, grey_below = (
        cv2.cvtColor(np.ascontiguousarray(lines), cv2.COLOR_BGR2GRAY)
        for lines in (odd, above, below)
    )
    brighter = cv2.subtract(grey, cv2.max(grey_above, grey_below))
    darker = cv2.subtract(cv2.min(grey_above, grey_below), grey)
    combed = (cv2.max(brighter, darker) > _COMB).astype(np.uint8) * np.uint8(255)
    moved = (cv2.blur(combed, _COMB_WITHIN) > 255 * _COMB_SHARE).astype(np.uint8)
    moved = np.asarray(cv2.dilate(moved, np.ones(_COMB_REACH[::-1], np.uint8)), np.uint8)
    between = cv2.addWeighted(np.ascontiguousarray(above), 0.5, below, 0.5, 0)
    one = woven.copy()
    one[1::2] = np.where(moved[..., np.newaxis], between, odd)
    return one


@cache
def tone_curve(transfer: int) -> NDArray[np.uint8]:
    """uint8 (256,): the level on an ordinary screen (sRGB) for each of HDR video.

    Light as BT.2100 decodes it, for a screen of 1000 nits; brought down by Reinhard's curve
    (Reinhard et al., 2002, eq. 4), which leaves shades nearly alone and puts plain white at three
    quarters. The wider colours of HDR are left as they are: faces are read in grey.
    """
    level = np.arange(256) / 255
    nits = _pq_nits(level) if transfer == _PQ else _hlg_nits(level)
    light, white = nits / _WHITE_NITS, _PEAK_NITS / _WHITE_NITS
    shown = np.clip(light * (1 + light / white**2) / (1 + light), 0, 1)
    srgb = np.where(shown <= 0.0031308, 12.92 * shown, 1.055 * shown ** (1 / 2.4) - 0.055)
    return np.round(255 * srgb).astype(np.uint8)


def _pq_nits(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084's EOTF."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = level ** (1 / m2)
    return np.asarray(10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _hlg_nits(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """ARIB STD-B67's inverse OETF, with the system's gamma of 1.2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
    return np.asarray(_PEAK_NITS * scene**1.2)
