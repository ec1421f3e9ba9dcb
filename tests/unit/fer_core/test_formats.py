"""Every coding and container that shops have, written by the test and read back."""

import io
import os
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from fer_core import footage
from fer_core.errors import FootageTooLarge
from fer_core.limits import FootageLimits
from fer_core.remote import RemoteVideo
from fer_core.types import FootageKind, Frame
from tests.made_footage import Appearance, scene, write_picture, write_sound
from tests.made_streams import SIZE, Coding, copied, shown, write_coded

X264, X265, VP9 = "libx264", "libx265", "libvpx-vp9"
NO_B = {"bf": "0"}
OPEN_GOP = {"x264-params": "open-gop=1:bframes=2:b-pyramid=strict"}

CODINGS = {
    **{f"h264.{suffix}": Coding(X264) for suffix in ("mp4", "mov", "mkv", "ts", "avi", "flv")},
    **{f"hevc.{suffix}": Coding(X265) for suffix in ("mp4", "mov", "mkv", "ts")},
    **{f"vp8.{suffix}": Coding("libvpx") for suffix in ("webm", "mkv", "ivf")},
    **{f"vp9.{suffix}": Coding(VP9) for suffix in ("webm", "mkv", "mp4")},
    **{f"av1.{suffix}": Coding("libsvtav1") for suffix in ("mp4", "mkv", "webm")},
    **{f"mjpeg.{suffix}": Coding("mjpeg", "yuvj420p") for suffix in ("avi", "mov", "mkv", "mp4")},
    **{f"mpeg4.{suffix}": Coding("mpeg4") for suffix in ("avi", "mp4", "mov", "mkv")},
    "mpeg4-b.avi": Coding("mpeg4", options={"bf": "2"}),
    "mpeg2.mpg": Coding("mpeg2video", fps=25, options={"bf": "2"}),
    "mpeg2.ts": Coding("mpeg2video", fps=25, options={"bf": "2"}),
    "camcorder.m2ts": Coding(X264),
    "interlaced.ts": Coding("mpeg2video", fps=25, options={"flags": "+ildct+ilme"}),
    "wmv2.wmv": Coding("wmv2"),
    "h264.wmv": Coding(X264),
    "mpeg4-b.wmv": Coding("mpeg4", options={"bf": "2"}),
    "bare.h264": Coding(X264, options=NO_B),
    "bare.hevc": Coding(X265),
    "10-bit.mp4": Coding(X265, "yuv420p10le"),
    "4-2-2.mkv": Coding(X264, "yuv422p"),
    "rgb.mkv": Coding("libx264rgb", "rgb24"),
    "alpha.webm": Coding(VP9, "yuva420p"),
    "odd.mp4": Coding(X264, "yuv444p", (257, 145)),
    "odd.webm": Coding(VP9, size=(257, 145)),
    "odd.avi": Coding("mjpeg", "yuvj420p", (257, 145)),
    "fragments.mp4": Coding(X264, container_options={"movflags": "empty_moov+frag_keyframe"}),
    "no-duration.mkv": Coding(X264, container_options={"live": "1"}),
    "no-duration.webm": Coding("libvpx", container_options={"live": "1"}),
    "no-duration.flv": Coding(X264, container_options={"flvflags": "no_duration_filesize"}),
    "open-gop.ts": Coding(X264, options=OPEN_GOP),
    "no-keyframes.mp4": Coding(X264, options={"intra-refresh": "1"}),
    "moving.gif": Coding("gif", "rgb8"),
}
COARSE = {"moving.gif": 15.0}
"""Where the coding itself costs colours."""


def differs(frame: Frame, size: tuple[int, int] = SIZE) -> float:
    """Mean absolute difference to what is to be seen, 0 to 255."""
    truth = shown(size, frame.time_ms)
    return float(np.abs(frame.pixels.astype(np.int16) - truth.astype(np.int16)).mean())


@pytest.mark.parametrize("name", CODINGS)
def test_every_coding_in_every_container(tmp_path: Path, name: str) -> None:
    coding, path = CODINGS[name], tmp_path / name
    at = write_coded(path, coding)
    step_ms = 1000 // coding.fps
    told: list[str] = []
    info = footage.probe(path)
    assert (info.kind, (info.width, info.height)) == (FootageKind.VIDEO, coding.size)
    assert info.duration_ms == pytest.approx(at[-1] + step_ms, abs=2.5 * step_ms)
    assert info.frame_rate is None or info.frame_rate == pytest.approx(coding.fps)
    frames = list(footage.sample(path, on_warning=told.append))
    assert [frame.time_ms for frame in frames] == pytest.approx(
        [time for time in at if time % 200 == 0], abs=1
    )
    assert max(differs(frame, coding.size) for frame in frames) < COARSE.get(name, 3.0)
    assert frames[0].pixels.flags.c_contiguous
    assert told == []
    # And from any point.
    assert [f.time_ms for f in footage.sample(path, 550, 1150)] == [
        frame.time_ms for frame in frames if 550 <= frame.time_ms < 1150
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="priorities as Linux has them")
def test_who_writes_footage_keeps_their_priority(tmp_path: Path) -> None:
    """SVT-AV1 raises root's, and what a later test starts would inherit it."""
    before = os.sched_getscheduler(0)
    write_coded(tmp_path / "v.mkv", CODINGS["av1.mkv"])
    assert os.sched_getscheduler(0) == before != os.SCHED_FIFO


@pytest.mark.parametrize("name", ["h264.mp4", "h264.ts", "hevc.mkv", "mpeg2.ts", "vp9.webm"])
def test_leaving_out_what_nothing_needs_changes_no_sample(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    coding = CODINGS[name]
    if coding.codec == X264:  # a pyramid: B-frames that others refer to, and some that none does
        coding = Coding(X264, fps=25, gop=25, options={"preset": "fast", "bf": "3"})
    write_coded(path, coding, 60)
    with av.open(str(path)) as container:
        rate = coding.fps
        every = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    sampled = list(footage.sample(path))
    assert len(sampled) == 60 * 5 // rate
    for frame in sampled:
        assert np.array_equal(frame.pixels, every[round(frame.time_ms * rate / 1000)])


@pytest.mark.parametrize("suffix", ["mp4", "avi", "wmv"])
def test_keyframes_alone_are_a_fast_mode(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v.{suffix}"
    write_coded(path, Coding(X264, gop=10), 40)
    told: list[str] = []
    frames = list(footage.sample(path, keyframes=True, on_warning=told.append))
    assert [frame.time_ms for frame in frames] == [0, 1000, 2000, 3000]
    assert max(differs(frame) for frame in frames) < 3
    assert told == []
    later = footage.sample(path, 900, 2900, keyframes=True)
    assert [frame.time_ms for frame in later] == [1000, 2000]


@pytest.mark.parametrize("suffix", ["mp4", "wmv"])
def test_keyframes_of_a_piece_that_begins_within_a_group_have_their_true_times(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"piece.{suffix}"
    write_coded(tmp_path / f"whole.{suffix}", Coding(X264, gop=10, options=NO_B), 40)
    with (
        av.open(str(tmp_path / f"whole.{suffix}")) as whole,
        av.open(str(path), "w") as out,
    ):
        copy = out.add_stream_from_template(whole.streams.video[0])
        for n, packet in enumerate(whole.demux(video=0)):
            if packet.dts is not None and n >= 4:
                packet.stream = copy
                out.mux(packet)
    assert [frame.time_ms for frame in footage.sample(path, keyframes=True)] == [600, 1600, 2600]
    assert [frame.time_ms for frame in footage.sample(path, 900, keyframes=True)] == [1600, 2600]


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    for shape, size in ((Fraction(2), (512, 144)), (Fraction(1, 2), (256, 288))):
        path = tmp_path / f"{shape.denominator}.mp4"
        write_coded(path, Coding(X264, pixel_shape=shape), 5)
        info = footage.probe(path)
        assert (info.width, info.height) == size
        (first, *_) = footage.sample(path)
        assert first.pixels.shape == (size[1], size[0], 3)


def test_pixels_are_bounded_as_they_will_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    write_coded(path, Coding(X264, pixel_shape=Fraction(4)), 5)
    with pytest.raises(FootageTooLarge, match="1024 x 144"):
        footage.probe(path, limits=FootageLimits(video_pixels=1024 * 143))
    assert footage.probe(path, limits=FootageLimits(video_pixels=1024 * 144)).width == 1024


def test_a_nonsensical_shape_of_pixels_is_not_believed(tmp_path: Path) -> None:
    write_coded(tmp_path / "v.mp4", Coding(X264, pixel_shape=Fraction(100)), 5)
    assert footage.probe(tmp_path / "v.mp4").width == SIZE[0]


def test_a_stream_that_changes_its_size_keeps_the_one_that_was_told(tmp_path: Path) -> None:
    """Cameras do so when the network is slow."""
    write_coded(tmp_path / "a.ts", Coding(X264))
    write_coded(tmp_path / "b.ts", Coding(X264, size=(128, 72)))
    copied(tmp_path / "b.ts", tmp_path / "later.ts", "mpegts", later_s=2.0)
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "later.ts").read_bytes())
    info = footage.probe(both)
    assert (info.width, info.height) == SIZE
    frames = list(footage.sample(both))
    assert len(frames) == pytest.approx(20, abs=2)
    assert {frame.pixels.shape for frame in frames} == {(144, 256, 3)}
    small = scene((128, 72), [Appearance(60, 60, 0.0, 3.0, (200, 90), 50)], time_s=1.0)
    looks = np.asarray(Image.fromarray(small).resize(SIZE)).astype(int)
    at_three = next(frame for frame in frames if abs(frame.time_ms - 3000) <= 100)
    assert np.abs(at_three.pixels.astype(int) - looks).mean() < 12


def test_frames_over_the_bound_within_a_stream_are_left_out(tmp_path: Path) -> None:
    write_coded(tmp_path / "a.h264", Coding(X264, size=(128, 72), options=NO_B))
    write_coded(tmp_path / "b.h264", Coding(X264, size=(512, 288), options=NO_B))
    both = tmp_path / "both.h264"
    both.write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    told: list[str] = []
    limits = FootageLimits(video_pixels=128 * 80)
    frames = list(footage.sample(both, 0, 4000, limits=limits, on_warning=told.append))
    assert 5 <= len(frames) <= 10
    assert {frame.pixels.shape for frame in frames} == {(72, 128, 3)}
    assert told


@pytest.mark.parametrize("later_s", [3600.0, (2**33 - 90_000) / 90_000])
def test_stamps_count_from_the_start_even_where_they_run_over(
    tmp_path: Path, later_s: float
) -> None:
    """MPEG-TS counts to 2**33 ticks, a little over a day, and then from 0 again."""
    write_coded(tmp_path / "a.ts", Coding(X264))
    copied(tmp_path / "a.ts", tmp_path / "late.ts", "mpegts", later_s)
    assert footage.probe(tmp_path / "late.ts").duration_ms == pytest.approx(2000, abs=250)
    told: list[str] = []
    frames = list(footage.sample(tmp_path / "late.ts", on_warning=told.append))
    assert [frame.time_ms for frame in frames] == pytest.approx(list(range(0, 2000, 200)), abs=1)
    assert max(differs(frame) for frame in frames) < 3
    assert told == []


@pytest.mark.parametrize(
    ("suffix", "whole"),
    [
        *((suffix, "h264.mp4") for suffix in ("mkv", "nut", "flv", "mp4", "ts", "wmv")),
        ("wmv", "mpeg4-b.wmv"),
        ("wmv", "wmv2.wmv"),
    ],
)
def test_a_piece_of_an_endless_recording_is_as_long_as_what_it_holds(
    tmp_path: Path, suffix: str, whole: str
) -> None:
    """Into Matroska, NUT and ASF ``ffmpeg -f segment`` writes the time at the end."""
    write_coded(tmp_path / whole, CODINGS[whole])
    path = tmp_path / f"late.{suffix}"
    copied(tmp_path / whole, path, later_s=3600.0)
    elsewhere = RemoteVideo(path.name, lambda: path.open("rb"))
    for video in (path, elsewhere):
        assert footage.probe(video).duration_ms == pytest.approx(2000, abs=250)
        told: list[str] = []
        frames = list(footage.sample(video, on_warning=told.append))
        assert [frame.time_ms for frame in frames] == list(range(0, 2000, 200))
        assert told == []


def test_a_piece_that_was_cut_off_is_said_to_break_off(tmp_path: Path) -> None:
    write_coded(tmp_path / "a.mp4", Coding(X264), 60)
    path = tmp_path / "late.mkv"
    copied(tmp_path / "a.mp4", path, later_s=3600.0)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert footage.probe(path).duration_ms == pytest.approx(6000, abs=250)
    told: list[str] = []
    assert 5 <= len(list(footage.sample(path, on_warning=told.append))) <= 25
    (sentence,) = told
    assert "breaks off at 0:00:0" in sentence


def _killed_flv(path: Path) -> None:
    """FFmpeg guesses its duration from the bit rate."""
    options = {"flvflags": "no_duration_filesize"}
    write_coded(path, Coding(X264, size=(64, 48), container_options=options), 700)
    path.write_bytes(path.read_bytes()[:-10])


def _short_mkv(path: Path) -> None:
    write_coded(path, Coding(X264, size=(64, 48)), 700)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3  # Duration, a float of 8 bytes
    data[at : at + 8] = struct.pack(">d", 1000.0)
    path.write_bytes(data)


@pytest.mark.parametrize("write", [_killed_flv, _short_mkv])
def test_a_duration_told_far_too_short_is_not_believed(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    path = tmp_path / f"v.{write.__name__[-3:]}"
    write(path)
    assert footage.probe(path).duration_ms == pytest.approx(70_000, abs=250)


@pytest.mark.parametrize("lead", ["whole", "missing", "damaged"])
@pytest.mark.parametrize(
    "coding",
    [
        Coding(X264),
        Coding(X264, options=NO_B),
        Coding(X264, options=OPEN_GOP, gop=12),  # B-frames before its keyframes
        *(CODINGS[name] for name in ("mpeg4.avi", "mpeg4-b.avi", "mjpeg.avi")),
    ],
    ids=["h264-b", "h264", "h264-open", "mpeg4", "mpeg4-b", "mjpeg"],
)
def test_avi_shows_the_same_at_the_same_time_from_wherever_it_is_read(
    tmp_path: Path, coding: Coding, lead: str
) -> None:
    """It tells the order of decoding only. An export may begin within a group of pictures."""
    path = tmp_path / "given.avi"
    write_coded(tmp_path / "whole.avi", coding, 30)
    left_out = 5 if lead == "missing" else 0
    with av.open(str(tmp_path / "whole.avi")) as whole, av.open(str(path), "w") as out:
        copy = out.add_stream_from_template(whole.streams.video[0])
        for n, packet in enumerate(whole.demux(video=0)):
            if packet.size and n >= left_out:
                bad = lead == "damaged" and n < 3
                # A start code and a slice's head: H.264's writer refuses anything else.
                noise = b"\0\0\0\1\x65".ljust(packet.size, b"\xff")
                given = av.Packet(noise if bad else bytes(packet))
                given.pts = given.dts = n - left_out
                given.stream, given.time_base = copy, Fraction(1, 10)
                given.is_keyframe = packet.is_keyframe
                out.mux(given)
    frames = {frame.time_ms: frame.pixels for frame in footage.sample(path, 0, 2400, rate=10)}
    later = list(footage.sample(path, 1550, 2400, rate=10))
    assert [frame.time_ms for frame in later] == list(range(1600, 2400, 100))
    for frame in later:
        assert np.array_equal(frame.pixels, frames[frame.time_ms])
        assert differs(Frame(frame.time_ms + 100 * left_out, frame.pixels)) < 3


@pytest.mark.parametrize(
    "coding", [Coding(X264, options=NO_B), Coding(X264, options=OPEN_GOP, gop=12)]
)
def test_wmv_shows_the_same_at_the_same_time_from_wherever_it_is_read(
    tmp_path: Path, coding: Coding
) -> None:
    """It does not tell where H.264 begins."""
    at = write_coded(tmp_path / "v.wmv", coding, 40)
    whole = list(footage.sample(tmp_path / "v.wmv", rate=10))
    assert [frame.time_ms for frame in whole] == at
    later = list(footage.sample(tmp_path / "v.wmv", 2550, 3450, rate=10))
    assert [frame.time_ms for frame in later] == list(range(2600, 3450, 100))
    for frame in later:
        assert np.array_equal(frame.pixels, whole[frame.time_ms // 100].pixels)
        assert differs(frame) < 3


def test_a_recorder_that_slept_leaves_a_gap_and_no_damage(tmp_path: Path) -> None:
    write_coded(tmp_path / "a.ts", Coding(X264))
    copied(tmp_path / "a.ts", tmp_path / "later.ts", "mpegts", later_s=3600.0)
    copied(tmp_path / "a.ts", tmp_path / "first.ts", "mpegts")
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "first.ts").read_bytes() + (tmp_path / "later.ts").read_bytes())
    assert footage.probe(both).duration_ms == pytest.approx(3602_000, abs=300)
    told: list[str] = []
    frames = [f.time_ms for f in footage.sample(both, 3595_000, 3601_000, on_warning=told.append)]
    assert frames == pytest.approx(list(range(3600_000, 3601_000, 200)), abs=1)
    assert list(footage.sample(both, 60_000, 120_000, on_warning=told.append)) == []
    assert told == []


def test_sound_and_a_cover_before_the_pictures_change_nothing(tmp_path: Path) -> None:
    write_coded(tmp_path / "only.mp4", Coding(X264))
    write_sound(tmp_path / "sound.mp4", 2.0)
    cover = io.BytesIO()
    Image.new("RGB", (64, 64), (0, 0, 255)).save(cover, "JPEG")
    with (
        av.open(str(tmp_path / "only.mp4")) as pictures,
        av.open(str(tmp_path / "sound.mp4")) as sound,
        av.open(str(tmp_path / "company.mp4"), "w") as out,
    ):
        tone = out.add_stream_from_template(sound.streams.audio[0])
        image = out.add_stream("mjpeg", rate=1)
        assert isinstance(image, VideoStream)
        image.width = image.height = 64
        image.pix_fmt = "yuvj420p"
        image.disposition = Disposition.attached_pic
        film = out.add_stream_from_template(pictures.streams.video[0])
        packet = av.Packet(cover.getvalue())
        packet.stream, packet.pts, packet.dts = image, 0, 0
        packet.is_keyframe = True
        out.mux(packet)
        for heard in sound.demux(sound.streams.audio[0]):
            if heard.dts is not None:
                heard.stream = tone
                out.mux(heard)
        for seen in pictures.demux(pictures.streams.video[0]):
            if seen.dts is not None:
                seen.stream = film
                out.mux(seen)
    with av.open(str(tmp_path / "company.mp4")) as made:
        assert [stream.type for stream in made.streams] == ["audio", "video", "video"]
    _is_the_walk(tmp_path / "company.mp4")


def _with_sound(pictures: Path, sound: Path, target: Path) -> None:
    with (
        av.open(str(pictures)) as seen,
        av.open(str(sound)) as heard,
        av.open(str(target), "w") as out,
    ):
        film = out.add_stream_from_template(seen.streams.video[0])
        tone = out.add_stream_from_template(heard.streams.audio[0])
        sent = [
            (packet.dts * packet.time_base, packet, stream)
            for given, stream in ((seen, film), (heard, tone))
            for packet in given.demux()
            if packet.dts is not None
        ]
        for _, packet, stream in sorted(sent, key=lambda one: one[0]):
            packet.stream = stream
            out.mux(packet)


@pytest.mark.parametrize("sound_s", [1.0, 6.0, 12.0])
@pytest.mark.parametrize("suffix", ["mkv", "flv", "nut"])
def test_a_video_is_as_long_as_its_pictures_however_long_its_sound(
    tmp_path: Path, suffix: str, sound_s: float
) -> None:
    write_coded(tmp_path / "only.mp4", Coding(X264, size=(64, 48)), 40)
    write_sound(tmp_path / "sound.mp4", sound_s)
    path = tmp_path / f"both.{suffix}"
    _with_sound(tmp_path / "only.mp4", tmp_path / "sound.mp4", path)
    elsewhere = RemoteVideo(path.name, lambda: path.open("rb"))
    for video in (path, elsewhere):
        assert footage.probe(video).duration_ms == pytest.approx(4000, abs=250)
        told: list[str] = []
        frames = list(footage.sample(video, on_warning=told.append))
        assert [frame.time_ms for frame in frames] == list(range(0, 4000, 200))
        assert told == []


@pytest.mark.parametrize("suffix", ["mkv", "flv"])
def test_a_video_with_sound_that_was_cut_off_is_said_to_break_off(
    tmp_path: Path, suffix: str
) -> None:
    write_coded(tmp_path / "only.mp4", Coding(X264), 60)
    write_sound(tmp_path / "sound.mp4", 6.0)
    path = tmp_path / f"both.{suffix}"
    _with_sound(tmp_path / "only.mp4", tmp_path / "sound.mp4", path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert footage.probe(path).duration_ms == pytest.approx(6000, abs=250)
    told: list[str] = []
    assert 5 <= len(list(footage.sample(path, on_warning=told.append))) <= 25
    (sentence,) = told
    assert "breaks off at 0:00:0" in sentence


def test_data_beside_the_pictures_changes_nothing(tmp_path: Path) -> None:
    write_coded(tmp_path / "only.ts", Coding(X264))
    path = tmp_path / "noted.ts"
    with av.open(str(tmp_path / "only.ts")) as pictures, av.open(str(path), "w") as out:
        data = out.add_data_stream()
        film = out.add_stream_from_template(pictures.streams.video[0])
        for seen in pictures.demux(pictures.streams.video[0]):
            if seen.dts is None:
                continue
            note = av.Packet(b"motion")
            note.stream, note.pts, note.dts = data, seen.dts, seen.dts
            note.time_base = seen.time_base
            out.mux(note)
            seen.stream = film
            out.mux(seen)
    with av.open(str(path)) as made:
        assert [stream.type for stream in made.streams] == ["data", "video"]
    _is_the_walk(path)


def _is_the_walk(path: Path) -> None:
    info = footage.probe(path)
    assert (info.width, info.height, info.codec) == (*SIZE, "h264")
    frames = list(footage.sample(path))
    assert [frame.time_ms for frame in frames] == list(range(0, 2000, 200))
    assert max(differs(frame) for frame in frames) < 3


def test_a_gif_that_does_not_move_is_a_picture(tmp_path: Path) -> None:
    Image.new("RGB", (32, 24)).save(tmp_path / "a.gif")
    assert footage.probe(tmp_path / "a.gif").kind is FootageKind.PICTURE


def test_bare_mjpeg_is_told_from_a_jpeg_by_its_name(tmp_path: Path) -> None:
    write_coded(tmp_path / "camera.mjpeg", Coding("mjpeg", "yuvj420p"))
    assert footage.probe(tmp_path / "camera.mjpeg").kind is FootageKind.VIDEO
    assert len(list(footage.sample(tmp_path / "camera.mjpeg"))) > 1
    write_picture(tmp_path / "photo.jpg")
    assert footage.probe(tmp_path / "photo.jpg").kind is FootageKind.PICTURE


@pytest.mark.parametrize("suffix", [".heic", ".avif"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_phones_picture_stands_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"phone{suffix}"
    write_picture(path, [Appearance(300, 170)], orientation=orientation)
    info = footage.probe(path)
    assert (info.width, info.height) == (640, 360)
    (frame,) = footage.sample(path)
    truth = scene((640, 360), [Appearance(300, 170)])
    assert np.abs(frame.pixels.astype(int) - truth).mean() < 6


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("stereo.jpg", {"format": "MPO", "save_all": True}),
        ("pages.tif", {"save_all": True}),
        ("moving.webp", {"save_all": True}),
        ("moving.png", {"save_all": True}),
    ],
)
def test_of_several_pictures_in_one_file_the_first_is_read(
    tmp_path: Path, name: str, save: dict[str, object]
) -> None:
    first, second = Image.new("RGB", (64, 48), (250, 0, 0)), Image.new("RGB", (64, 48))
    first.save(tmp_path / name, append_images=[second], **save)  # type: ignore[arg-type]
    assert footage.probe(tmp_path / name).kind is FootageKind.PICTURE
    (frame,) = footage.sample(tmp_path / name)
    assert frame.pixels[10, 10].astype(int).tolist() == pytest.approx([0, 0, 250], abs=6)
