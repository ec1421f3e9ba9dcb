from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_core import footage
from fer_core.archive import is_archive, unpack
from fer_core.errors import (
    FootageError,
    FootageTooLarge,
    NoVideoStream,
    UnreadableFootage,
    UnsupportedFootage,
)
from fer_core.limits import FootageLimits
from fer_core.types import FootageInfo, FootageKind
from tests.made_footage import Appearance, bad_uploads, write_picture, write_video

EXPECTED = {
    "empty": UnreadableFootage,
    "text": UnsupportedFootage,
    "unfinished": UnreadableFootage,
    "cut_off": UnreadableFootage,
    "huge": FootageTooLarge,
    "noise": UnreadableFootage,
    "document": UnsupportedFootage,
    "table": UnsupportedFootage,
    "sound_only": NoVideoStream,
    "no_frames": UnreadableFootage,
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return bad_uploads(tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_file_that_cannot_be_used_is_one_error_of_its_kind(
    bad: dict[str, Path], kind: str
) -> None:
    with pytest.raises(EXPECTED[kind]) as raised:
        footage.probe(bad[kind], f"Monday's {bad[kind].name}")
    sentence = str(raised.value)
    assert sentence.startswith(f"Monday's {bad[kind].name}: ")
    assert sentence.endswith(".")
    assert "Errno" not in sentence


def test_every_bad_upload_costs_one_sentence(bad: dict[str, Path], tmp_path: Path) -> None:
    assert len(bad) >= 12
    for kind, path in bad.items():
        told: list[str] = []
        try:
            if is_archive(path):
                for member in unpack(path, tmp_path):
                    if member.error:
                        raise member.error
                    if member.path:
                        footage.probe(member.path, member.name)
            else:
                footage.probe(path)
        except FootageError as error:
            told.append(str(error))
        assert len(told) == 1, kind
        assert told[0].startswith(path.name), kind


def test_a_zip_is_not_probed_as_footage(bad: dict[str, Path]) -> None:
    with pytest.raises(UnsupportedFootage, match="zip"):
        footage.probe(bad["nested"])


def test_a_missing_file_is_an_error_of_the_family(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFootage, match="cannot be opened"):
        footage.probe(tmp_path / "gone.mp4")


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    video, picture = tmp_path / "a.mp4", tmp_path / "b.png"
    write_video(video, seconds=1)
    write_picture(picture)
    video.rename(tmp_path / "a.jpg")
    picture.rename(tmp_path / "b.mp4")
    assert footage.probe(tmp_path / "a.jpg").kind is FootageKind.VIDEO
    assert footage.probe(tmp_path / "b.mp4").kind is FootageKind.PICTURE


def test_a_name_that_a_program_could_misread_is_only_a_name(tmp_path: Path) -> None:
    for name in ("-i %03d;till.mp4", "http:--evil.mp4", "Größe 店.mp4", "concat:a|b.mp4"):
        path = tmp_path / name
        write_video(path.with_name("till.mp4"), seconds=1)
        path.with_name("till.mp4").rename(path)
        assert footage.probe(path).duration_ms == 1000


def test_a_play_list_does_not_reach_for_other_files(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.ts", seconds=1)
    for name, text in (
        ("list.m3u8", "#EXTM3U\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile secret.ts\n"),
    ):
        path = tmp_path / name
        # A byte that no text has, so that the refusal does not rest on looking like text.
        path.write_bytes(text.encode() + b"#\x01\n")
        with pytest.raises(FootageError):
            footage.probe(path)


def test_bounds_are_settings(tmp_path: Path) -> None:
    picture, video = tmp_path / "a.jpg", tmp_path / "a.mp4"
    write_picture(picture)
    write_video(video, seconds=2)
    with pytest.raises(FootageTooLarge, match="640 x 360"):
        footage.probe(picture, limits=FootageLimits(picture_pixels=640 * 359))
    with pytest.raises(FootageTooLarge, match="640 x 360"):
        footage.probe(video, limits=FootageLimits(video_pixels=640 * 359))


def test_a_video_may_be_a_little_longer_than_the_bound(tmp_path: Path) -> None:
    """A day's export ends with the frame after midnight."""
    path = tmp_path / "a.mp4"
    write_video(path, size=(64, 48), fps=1, seconds=62)
    assert footage.probe(path, limits=FootageLimits(duration_ms=61_960)).duration_ms == 62_000
    with pytest.raises(FootageTooLarge, match=r"0:01:02 long; .* Cut it into shorter files, or"):
        footage.probe(path, limits=FootageLimits(duration_ms=1_960))


def test_a_picture_is_one_frame_at_the_start(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", [Appearance(320, 180)])
    (frame,) = footage.sample(tmp_path / "a.jpg")
    assert (frame.time_ms, frame.pixels.shape) == (0, (360, 640, 3))
    assert list(footage.sample(tmp_path / "a.jpg", 1)) == []


def test_a_rate_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rate"):
        next(footage.sample(tmp_path / "a.mp4", rate=0))


def _video(duration_ms: int) -> FootageInfo:
    return FootageInfo(FootageKind.VIDEO, 64, 48, duration_ms, 25.0, "h264", 0, None)


@given(st.integers(1, 90_000_000), st.integers(20_000, 3_600_000))
def test_segments_cover_a_video_without_gap_or_overlap(duration_ms: int, segment_ms: int) -> None:
    plans = footage.plan_segments(_video(duration_ms), segment_ms)
    assert plans[0].start_ms == 0
    assert plans[-1].end_ms == duration_ms
    assert [plan.index for plan in plans] == list(range(len(plans)))
    for plan, following in pairwise(plans):
        assert plan.end_ms == following.start_ms
        assert plan.end_ms - plan.start_ms == segment_ms
    last = plans[-1].end_ms - plans[-1].start_ms
    assert len(plans) == 1 or segment_ms * 0.1 <= last < segment_ms * 1.1


def test_a_picture_is_one_segment() -> None:
    info = FootageInfo(FootageKind.PICTURE, 64, 48, 0, None, "jpeg", 0, None)
    assert [(p.start_ms, p.end_ms) for p in footage.plan_segments(info)] == [(0, 1)]
