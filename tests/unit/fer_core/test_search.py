"""Which frames are searched, seen from what a segment and the next one make of the same frames."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core import footage
from fer_core.analysis import analyse_segment
from fer_core.options import AnalysisOptions
from fer_core.tracking import iou
from fer_core.types import Box, Face, FootageInfo, FootageKind, Frame
from tests.fixed_reading import FixedModel

_WHO_STAYS = Box(400, 150, 60, 80)
_SPOT = Box(20, 20, 40, 48)


def still_frames(_path: object, start_ms: int, end_ms: int, **_: object) -> Iterator[Frame]:
    """Five a second; each tells which one it is in a corner."""
    for number in range(-(-start_ms // 200), -(-end_ms // 200)):
        pixels = np.zeros((360, 640, 3), np.uint8)
        pixels[0, 0] = number
        yield Frame(number * 200, pixels)


class Doubtful:
    """Finds one who stays, and from ``since_ms`` on takes a spot left of them for a face where it
    is shown all of a frame, or just that."""

    at_once = 1

    def __init__(self, since_ms: int) -> None:
        self._since_ms = since_ms

    def detect(
        self,
        pixels: NDArray[np.uint8],
        smallest: float | None = None,
        around: Sequence[Box] | None = None,
        parts: Sequence[Box] = (),
    ) -> list[Face]:
        there = [(_SPOT, 0.5)] if int(pixels[0, 0, 0]) * 200 >= self._since_ms else []
        landmarks = np.array([[15, 30], [45, 30], [30, 45], [18, 60], [42, 60]], np.float32)
        return [
            Face(box, landmarks + np.array([box.x, box.y], np.float32), score)
            for box, score in [*there, (_WHO_STAYS, 0.9)]
            if around is None or any(iou(box, one) > 0 for one in around)
        ]


@pytest.mark.parametrize("since_ms", range(0, 10_000, 400))
def test_a_segment_and_the_next_one_number_the_faces_before_a_seam_alike(
    monkeypatch: pytest.MonkeyPatch, since_ms: int
) -> None:
    monkeypatch.setattr(footage, "sample", still_frames)
    info = FootageInfo(FootageKind.VIDEO, 640, 360, 20_000, 10.0, "h264", 0, None)
    options = AnalysisOptions(segment_ms=10_000)
    before, after = (
        analyse_segment(Path("a.mp4"), info, plan, options, FixedModel(), Doubtful(since_ms))
        for plan in footage.plan_segments(info, options.segment_ms)
    )
    (track,) = after.tracks
    assert track.lead_in is not None
    seam = track.lead_in.time_ms, track.lead_in.face
    assert [p.box for p in before.predictions if (p.time_ms, p.face) == seam] == [_WHO_STAYS]
