from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core import footage
from fer_core.types import CaptureSource, Frame
from tests.made_footage import Appearance, scene, write_video

WALK = Appearance(120, 120, 0.0, 6.0, to=(520, 220))
CONTAINERS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts")


def read(path: Path, start_ms: int = 0, end_ms: int | None = None, rate: float = 5) -> list[Frame]:
    return list(footage.sample(path, start_ms, end_ms, rate=rate))


def times(frames: Sequence[Frame]) -> list[int]:
    return [frame.time_ms for frame in frames]


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean absolute difference of two frames, 0 to 255."""
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_every_container_gives_the_frames_it_holds(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"walk{suffix}"
    write_video(path, [WALK], fps=10, seconds=4)
    info = footage.probe(path)
    assert (info.width, info.height, info.rotation) == (640, 360, 0)
    assert info.duration_ms == pytest.approx(4000, abs=100)
    assert info.frame_rate == pytest.approx(10)
    frames = read(path)
    assert times(frames) == list(range(0, 4000, 200))
    for frame in frames:
        truth = scene((640, 360), [WALK], time_s=frame.time_ms / 1000)
        assert difference(frame.pixels, truth) < 6


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("segment_ms", [700, 1500, 2000])
def test_segments_give_the_frames_that_one_go_gives(
    tmp_path: Path, suffix: str, segment_ms: int
) -> None:
    path = tmp_path / f"walk{suffix}"
    write_video(path, [WALK], fps=12.5, seconds=6, gop=15)
    whole = read(path)
    parts = [
        f for start in range(0, 6000, segment_ms) for f in read(path, start, start + segment_ms)
    ]
    parts = [frame for frame in parts if frame.time_ms < 6000]
    assert times(parts) == times(whole)
    assert max(difference(a.pixels, b.pixels) for a, b in zip(whole, parts, strict=True)) < 0.5


def test_a_variable_frame_rate_is_sampled_by_its_true_times(tmp_path: Path) -> None:
    path = tmp_path / "phone.mp4"
    at = (0.0, 0.1, 0.15, 0.9, 0.95, 2.0, 2.05, 2.19, 2.21, 3.3, 3.9)
    write_video(path, [WALK], times_s=at)
    # Of every fifth of a second the first frame at or after it.
    frames = read(path)
    assert times(frames) == [0, 900, 2000, 2210, 3300, 3900]
    for frame in frames:
        truth = scene((640, 360), [WALK], time_s=frame.time_ms / 1000)
        assert difference(frame.pixels, truth) < 6
    assert times(read(path, 950, 3300)) == [2000, 2210]


@pytest.mark.parametrize("rate", [0.5, 2.0, 3.0, 7.5, 10.0, 25.0])
def test_samples_come_as_often_as_asked_and_no_oftener_than_frames(
    tmp_path: Path, rate: float
) -> None:
    path = tmp_path / "walk.mkv"
    write_video(path, size=(64, 48), fps=10, seconds=4)
    assert len(read(path, rate=rate)) == pytest.approx(4 * min(rate, 10), abs=1)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_video_filmed_on_its_side_stands_upright(tmp_path: Path, rotation: int) -> None:
    path = tmp_path / "phone.mp4"
    write_video(path, [Appearance(180, 200)], (360, 640), seconds=1, rotation=rotation)
    info = footage.probe(path)
    assert (info.width, info.height, info.rotation) == (360, 640, rotation)
    (first, *_) = read(path)
    assert difference(first.pixels, scene((360, 640), [Appearance(180, 200)])) < 6


def test_the_containers_creation_time_is_the_capture_time(tmp_path: Path) -> None:
    at = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    path = tmp_path / "20200101_000000.mp4"
    write_video(path, size=(64, 48), seconds=1, created=at)
    captured = footage.probe(path).captured
    assert captured is not None
    assert (captured.at, captured.source) == (at, CaptureSource.METADATA)


def test_without_one_the_name_the_user_knows_tells(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    write_video(path.with_suffix(".mp4"), size=(64, 48), seconds=1)
    captured = footage.probe(path.with_suffix(".mp4"), "ch01_20200102030405.mp4").captured
    assert captured is not None
    assert captured.at == datetime(2020, 1, 2, 3, 4, 5)  # noqa: DTZ001 - local, by design
    assert captured.source is CaptureSource.FILE_NAME


def test_sound_beside_the_picture_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    write_video(path, [WALK], seconds=2, sound=True)
    assert times(read(path)) == list(range(0, 2000, 200))


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".avi", ".webm"])
def test_a_video_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    write_video(path, [WALK], seconds=6, background="textured")
    info = footage.probe(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    told: list[str] = []
    frames = list(footage.sample(path, 0, info.duration_ms, on_warning=told.append))
    assert 5 <= len(frames) <= 25
    assert times(frames) == list(range(0, 200 * len(frames), 200))
    assert any("breaks off at 0:00:0" in sentence for sentence in told)


def test_damage_in_the_middle_costs_the_damaged_frames_only(tmp_path: Path) -> None:
    path = tmp_path / "bad.mkv"
    write_video(path, [WALK], seconds=6, gop=10, background="textured")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    told: list[str] = []
    frames = list(footage.sample(path, on_warning=told.append))
    assert {0, 200, 400, 5600, 5800} <= set(times(frames))
    assert len(frames) >= 20
    assert told


def test_a_stretch_beyond_the_end_is_empty_and_said(tmp_path: Path) -> None:
    path = tmp_path / "walk.mp4"
    write_video(path, size=(64, 48), seconds=2)
    told: list[str] = []
    assert list(footage.sample(path, 60_000, 120_000, on_warning=told.append)) == []
    assert told


def test_a_whole_video_is_read_without_a_warning(tmp_path: Path) -> None:
    for suffix in CONTAINERS:
        told: list[str] = []
        path = tmp_path / f"walk{suffix}"
        write_video(path, size=(64, 48), seconds=3)
        list(footage.sample(path, on_warning=told.append))
        assert told == [], suffix


def test_a_video_without_a_written_duration_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "stream.h264"
    write_video(tmp_path / "walk.mp4", [WALK], seconds=3)
    _strip_to_stream(tmp_path / "walk.mp4", path)
    info = footage.probe(path)
    assert info.duration_ms == pytest.approx(3000, rel=0.7)
    assert len(read(path)) >= 5


def _strip_to_stream(source: Path, target: Path) -> None:
    import av

    with av.open(str(source)) as read_from, av.open(str(target), "w", format="h264") as write_to:
        stream = read_from.streams.video[0]
        copy = write_to.add_stream_from_template(stream)
        for packet in read_from.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                write_to.mux(packet)
