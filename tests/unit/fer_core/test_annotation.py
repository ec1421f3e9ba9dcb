from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fer_core.aggregation import track_of
from fer_core.annotation import AnnotatedVideo, Missed, hide
from fer_core.footage import probe, sample
from fer_core.types import (
    UNKNOWN,
    Box,
    Frame,
    LeadIn,
    Prediction,
    SegmentPlan,
    SegmentResult,
    UnknownReason,
)
from tests.made_footage import Appearance, scene

SIZE = (321, 180)
PERSON = Appearance(160, 100, face_height=70)


def prediction(time_ms: int, box: Box, expression: str = "happy", track: int = 0) -> Prediction:
    reason = UnknownReason.BLURRED if expression == UNKNOWN else None
    return Prediction(time_ms, 0, track, box, 0.9, 0.8, expression, 0.7, None, reason)


def written(path: Path, *, plain: bool, times_ms: tuple[int, ...] = (0, 200, 900)) -> Box:
    box = PERSON.box(0.0)
    assert box is not None
    with AnnotatedVideo(path, plain=plain) as video:
        for time_ms in times_ms:
            frame = Frame(time_ms, scene(SIZE, [PERSON]))
            video.add(frame, [prediction(time_ms, box, "happy" if time_ms else UNKNOWN)])
    return box


def inner(pixels: np.ndarray, box: Box) -> np.ndarray:
    """The middle of the face, where no line is drawn."""
    x, y, w, h = (round(v) for v in (box.x, box.y, box.width, box.height))
    return pixels[y + h // 5 : y + h * 4 // 5, x + w // 5 : x + w * 4 // 5].astype(int)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_every_frame_is_shown_at_its_time(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"made{suffix}"
    written(path, plain=True)
    assert (probe(path).width, probe(path).height) == (320, 180)
    assert [frame.time_ms for frame in sample(path)] == [0, 200, 900]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_name_that_looks_like_an_address_is_a_name(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        written(Path("12:30.mp4"), plain=True)
    assert [p.name for p in tmp_path.iterdir()] == ["12:30.mp4"]


def test_faces_are_hidden_unless_asked_otherwise(tmp_path: Path) -> None:
    box = written(tmp_path / "hidden.mp4", plain=False)
    written(tmp_path / "plain.mp4", plain=True)
    truth = inner(scene(SIZE, [PERSON]), box)
    (hidden, *_), (plain, *_) = (
        list(sample(tmp_path / name)) for name in ("hidden.mp4", "plain.mp4")
    )
    assert np.abs(inner(plain.pixels, box) - truth).mean() < 8
    assert np.abs(inner(hidden.pixels, box) - truth).mean() > 15


def test_what_was_read_is_drawn(tmp_path: Path) -> None:
    box = written(tmp_path / "a.mp4", plain=True)
    frames = list(sample(tmp_path / "a.mp4"))
    line = frames[1].pixels[round(box.y + box.height / 2), round(box.x)].astype(int)
    assert line[1] > line[0] + 20  # the green of happy
    assert line[1] > line[2] + 20


def test_a_mosaic_keeps_no_detail_and_touches_nothing_else() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (100, 120, 3), np.uint8)
    pixels = noise.copy()
    hide(pixels, Box(40, 30, 40, 40))
    assert len(np.unique(pixels[20:80, 30:90].reshape(-1, 3), axis=0)) <= 6 * 6
    assert np.array_equal(pixels[:19], noise[:19])
    assert np.array_equal(pixels[:, :29], noise[:, :29])


@pytest.mark.parametrize("box", [Box(-30, -30, 40, 40), Box(110, 90, 40, 40), Box(200, 10, 5, 5)])
def test_faces_over_the_edge_are_hidden_as_far_as_they_are_seen(box: Box) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (100, 120, 3), np.uint8)
    hide(pixels, box)
    assert pixels.shape == (100, 120, 3)


def segment(
    sights: Sequence[Prediction], lead_in: LeadIn | None = None, start_ms: int = 0
) -> SegmentResult:
    """``lead_in``: of the first track."""
    numbers = sorted({sight.track for sight in sights})
    tracks = tuple(
        track_of(n, [sight for sight in sights if sight.track == n], None if n else lead_in)
        for n in numbers
    )
    return SegmentResult(SegmentPlan(0, start_ms, start_ms + 1000), 5, tuple(sights), tracks)


def missed(sights: Sequence[Prediction], time_ms: int) -> list[Box]:
    return Missed([segment(sights)]).at(time_ms)


def test_someone_missed_between_two_sights_is_hidden_where_they_must_have_been() -> None:
    sights = [prediction(0, Box(0, 0, 10, 10)), prediction(400, Box(40, 20, 10, 20))]
    assert missed(sights, 200) == [Box(20, 10, 10, 15)]
    assert missed(sights, 0) == []
    assert missed(sights, 600) == []
    seldom = [prediction(0, Box(0, 0, 10, 10)), prediction(4000, Box(40, 20, 10, 20))]
    assert missed(seldom, 2000) == [Box(20, 10, 10, 15)]
    apart = [prediction(0, Box(0, 0, 10, 10)), prediction(9000, Box(40, 20, 10, 20))]
    assert missed(apart, 1000) == []
    others = [prediction(0, Box(0, 0, 9, 9)), prediction(400, Box(4, 2, 9, 9), track=1)]
    assert missed(others, 200) == []


def test_someone_missed_at_the_border_of_two_segments_is_hidden_on_both_sides() -> None:
    before = segment([prediction(600, Box(0, 0, 10, 10), track=3)])
    sights = [prediction(1400, Box(80, 40, 10, 10)), prediction(1600, Box(80, 40, 10, 10))]
    after = segment(sights, LeadIn(600, 0), 1000)
    assert Missed([before, after]).at(800) == [Box(20, 10, 10, 10)]
    assert Missed([before, after]).at(1000) == [Box(40, 20, 10, 10)]
    somebody_else = segment(sights, None, 1000)
    assert Missed([before, somebody_else]).at(1000) == []
    assert Missed([after]).at(1000) == []  # where they came from is not known


def test_everyone_who_was_missed_at_a_time_is_hidden() -> None:
    """Whoever went unseen for longer, or from earlier on, is not forgotten over the others."""
    seen = {0: (0, 1800), 1: (1000, 1200), 2: (1000, 1400), 3: (200, 900), 4: (1100, 1150)}
    times = [(time_ms, track) for track, both in seen.items() for time_ms in both]
    sights = [
        prediction(time_ms, Box(track * 50, 0, 10, 10), track=track)
        for time_ms, track in sorted(times)
    ]
    assert sorted(box.x for box in missed(sights, 1100)) == [0, 50, 100]


class FaultError(Exception):
    pass


def test_what_fails_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with AnnotatedVideo(tmp_path / "a.mp4") as video:
            video.add(Frame(0, scene(SIZE)), [])
            raise FaultError

    with pytest.raises(FaultError):
        fail()
    with AnnotatedVideo(tmp_path / "b.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_another_ending_is_refused() -> None:
    with pytest.raises(ValueError, match="mp4"):
        AnnotatedVideo(Path("a.exe"))
