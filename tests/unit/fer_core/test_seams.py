"""Who is a person in segments that are read one by one, with made detectors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core import footage
from fer_core.analysis import analyse_segment
from fer_core.options import AnalysisOptions
from fer_core.tracking import iou
from fer_core.types import Box, Face, FootageInfo, FootageKind, Frame
from tests.fixed_reading import FixedModel, people_of

_WHO_STAYS = Box(400, 150, 60, 80)
_SPOT = Box(20, 20, 40, 48)


def still_frames(step_ms: int) -> Callable[..., Iterator[Frame]]:
    """In the place of ``footage.sample``. Each frame tells which one it is in a corner."""

    def sample(_path: object, start_ms: int, end_ms: int, **_: object) -> Iterator[Frame]:
        for number in range(-(-start_ms // step_ms), -(-end_ms // step_ms)):
            pixels = np.zeros((360, 640, 3), np.uint8)
            pixels[0, 0] = number
            yield Frame(number * step_ms, pixels)

    return sample


@dataclass
class Doubtful:
    """Finds one who stays, and from ``since_ms`` on takes a spot left of them for a face where it
    is shown all of a frame, or just that."""

    since_ms: int = 10**6
    score: float = 0.9
    at_once: ClassVar[int] = 1

    def detect(
        self,
        pixels: NDArray[np.uint8],
        smallest: float | None = None,
        around: Sequence[Box] | None = None,
        parts: Sequence[Box] = (),
    ) -> list[Face]:
        there = [(_SPOT, 0.5)] if int(pixels[0, 0, 0]) * 200 >= self.since_ms else []
        landmarks = np.array([[15, 30], [45, 30], [30, 45], [18, 60], [42, 60]], np.float32)
        return [
            Face(box, landmarks + np.array([box.x, box.y], np.float32), score)
            for box, score in [*there, (_WHO_STAYS, self.score)]
            if around is None or any(iou(box, one) > 0 for one in around)
        ]


@pytest.mark.parametrize("since_ms", range(0, 10_000, 400))
def test_a_segment_and_the_next_one_number_the_faces_before_a_seam_alike(
    monkeypatch: pytest.MonkeyPatch, since_ms: int
) -> None:
    monkeypatch.setattr(footage, "sample", still_frames(200))
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


@pytest.mark.parametrize(
    ("step_ms", "told_rate", "keyframes", "people", "faces"),
    [
        (1000, 5.0, False, 1, 40),  # a camera that sends less while nothing moves
        (1000, 1.0, False, 1, 40),
        (2000, 25.0, True, 20, 20),  # too far apart to tell that it is the same one
        (5000, 25.0, True, 8, 8),
        (200, 5.0, False, 0, 0),
    ],
)
def test_one_never_seen_clearly_is_a_person_where_frames_are_seldom_in_each_segment(
    monkeypatch: pytest.MonkeyPatch,
    step_ms: int,
    told_rate: float,
    keyframes: bool,
    people: int,
    faces: int,
) -> None:
    monkeypatch.setattr(footage, "sample", still_frames(step_ms))
    info = FootageInfo(FootageKind.VIDEO, 640, 360, 40_000, told_rate, "h264", 0, None)
    options = AnalysisOptions(segment_ms=10_000, keyframes=keyframes)
    results = [
        analyse_segment(Path("a.mp4"), info, plan, options, FixedModel(), Doubtful(score=0.7))
        for plan in footage.plan_segments(info, options.segment_ms)
    ]
    assert sum(len(result.predictions) for result in results) == faces
    assert len(people_of(results)) == people
