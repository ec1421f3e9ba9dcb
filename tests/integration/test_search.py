"""Which frames of a video are searched for faces, and where (docs/decisions/0016)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.detection import YuNetDetector
from fer_core.options import AnalysisOptions
from fer_core.types import Box, Face
from tests.fixed_reading import people_of, read_by_rote
from tests.made_footage import Appearance, write_video


@pytest.fixture(scope="module")
def detector() -> YuNetDetector:
    # All made faces are larger than this; frames are then not enlarged, which halves the time.
    return YuNetDetector(min_face=36)


class Watched:
    """A detector that writes down what it was asked for, in order: the boxes to look around, or
    None for a whole frame; and the parts to search."""

    at_once = 1

    def __init__(self, detector: YuNetDetector) -> None:
        self._detector = detector
        self.asked: list[Sequence[Box] | None] = []
        self.parts: list[Sequence[Box]] = []

    def detect(
        self,
        pixels: NDArray[np.uint8],
        smallest: float | None = None,
        around: Sequence[Box] | None = None,
        parts: Sequence[Box] = (),
    ) -> list[Face]:
        self.asked.append(around)
        self.parts.append(parts)
        return self._detector.detect(pixels, smallest, around, parts)

    def counts(self) -> tuple[int, int]:
        """(frames searched whole, in part)"""
        whole = sum(around is None for around in self.asked)
        return whole, len(self.asked) - whole


@pytest.mark.parametrize(
    ("rate", "search_ms", "expected"),
    [
        # The first, one in four, and the last.
        (5, 800, (14, 36)),
        (5, 400, (26, 24)),
        (5, 0, (50, 0)),
        (10, 400, (26, 74)),
        (10, 1000, (31, 69)),  # at most four frames wait for the last of them
        (2, 400, (20, 0)),
    ],
)
@pytest.mark.parametrize("people", [[], [Appearance(200, 180), Appearance(450, 180)]])
def test_some_frames_are_searched_whole(
    rate: float,
    search_ms: int,
    expected: tuple[int, int],
    people: list[Appearance],
    tmp_path: Path,
    detector: YuNetDetector,
) -> None:
    write_video(tmp_path / "a.mp4", people, fps=10, seconds=10)
    watched = Watched(detector)
    options = AnalysisOptions(rate=rate, search_ms=search_ms, whole_ms=0)
    (result,) = read_by_rote(tmp_path / "a.mp4", watched, options)
    assert watched.counts() == expected
    assert [track.faces for track in result.tracks] == [10 * rate] * len(people)


def test_while_people_come_and_go_every_other_frame_is_searched_whole(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    """Two who walk, and one who is there for half a second, between two searches: .8, 1.6."""
    brief = Appearance(320, 250, 0.9, 1.5)
    people = [Appearance(80, 100, 0, 4, to=(560, 100)), Appearance(560, 180, 0, 4, to=(80, 180))]
    write_video(tmp_path / "a.mp4", [*people, brief], fps=10, seconds=4)
    watched = Watched(detector)
    (result,) = read_by_rote(tmp_path / "a.mp4", watched, AnalysisOptions(whole_ms=0))
    assert watched.counts() == (10, 10)
    assert sorted(track.faces for track in result.tracks) == [3, 20, 20]


def test_those_between_are_looked_at_where_faces_are_before_and_after(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(120, 180, 0, 2, to=(420, 180))], seconds=2)
    watched = Watched(detector)
    (result,) = read_by_rote(
        tmp_path / "a.mp4", watched, AnalysisOptions(search_ms=400, whole_ms=0)
    )
    boxes = {p.time_ms: p.box for p in result.predictions}
    assert sorted(boxes) == list(range(0, 2000, 200))
    between = [around for around in watched.asked if around is not None]
    assert between == [[boxes[t - 200], boxes[t + 200]] for t in (400, 800, 1200, 1600)]


def test_the_last_frame_before_a_cut_and_what_follows_it_do_not_mix(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(320, 180, 0, 2)], seconds=2, cuts_s=[0.4, 1.0])
    watched = Watched(detector)
    (result,) = read_by_rote(
        tmp_path / "a.mp4", watched, AnalysisOptions(search_ms=400, whole_ms=0)
    )
    boxes = {p.time_ms: p.box for p in result.predictions}
    # 0, 400 and 1000 begin a scene and stand alone, 800 ends one; 200 and 600 end their times.
    between = [around for around in watched.asked if around is not None]
    assert between == [[boxes[1000], boxes[1400]], [boxes[1400], boxes[1800]]]


def test_a_staff_zone_is_not_looked_at_between_searches(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(320, 180)], fps=10, seconds=10)
    watched = Watched(detector)
    zone = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    read_by_rote(tmp_path / "a.mp4", watched, AnalysisOptions(zones=(zone,), whole_ms=0))
    assert watched.counts() == (14, 36)
    assert all(around == [] for around in watched.asked if around is not None)


@pytest.mark.parametrize(("whole_ms", "expected"), [(3200, 4), (1600, 7), (800, 18), (0, 18)])
def test_only_what_changed_is_searched_between_whole_searches(
    tmp_path: Path, detector: YuNetDetector, whole_ms: int, expected: int
) -> None:
    """One stays, one comes and walks, a third is there for a second of it."""
    stays, walks = Appearance(120, 120), Appearance(420, 150, 1.5, 9, to=(560, 220))
    path = write_video(
        tmp_path / "a.mp4", [stays, walks, Appearance(260, 280, 4.1, 5.3)], seconds=10
    ).path
    (always,) = read_by_rote(path, detector, AnalysisOptions(whole_ms=0))
    watched = Watched(detector)
    (result,) = read_by_rote(path, watched, AnalysisOptions(whole_ms=whole_ms))
    whole, _ = watched.counts()
    assert whole == expected
    assert people_of([result]) == people_of([always])
    assert sorted(track.faces for track in result.tracks) == [6, 37, 50]
    searched = [part for parts in watched.parts for part in parts]
    assert bool(searched) is (whole_ms > 800)
    assert all(part.width * part.height < 640 * 360 / 2 for part in searched)
    # What stays as it is is not searched: the one who stays is nowhere in the parts, but where
    # the third is close by.
    assert sum(part.x < 200 and part.y < 150 for part in searched) <= 2


def test_footage_in_which_nothing_changes_is_searched_now_and_then(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(320, 180)], seconds=10)
    watched = Watched(detector)
    (result,) = read_by_rote(tmp_path / "a.mp4", watched)
    assert watched.counts()[0] == 4
    assert not any(watched.parts)
    assert [track.faces for track in result.tracks] == [50]
