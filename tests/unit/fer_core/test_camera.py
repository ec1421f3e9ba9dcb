"""A camera served by the test on this machine: MPEG-TS over TCP, MJPEG over HTTP."""

import socket
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fer_core import footage
from fer_core.analysis import analyse
from fer_core.camera import Camera, is_address, without_secrets
from fer_core.detection import YuNetDetector
from fer_core.errors import FootageTooLarge, UnreadableFootage
from fer_core.expression import ExpressionReader
from fer_core.limits import FootageLimits
from fer_core.options import AnalysisOptions
from tests.made_footage import Appearance, write_video
from tests.made_streams import SIZE, Coding, served, shown, write_coded


@pytest.fixture
def stream(tmp_path: Path) -> bytes:
    """Two seconds of ten frames each."""
    write_coded(tmp_path / "v.ts", Coding("libx264"))
    return (tmp_path / "v.ts").read_bytes()


def test_a_camera_gives_its_frames_with_their_times(stream: bytes) -> None:
    with served([stream]) as port, Camera(f"tcp://127.0.0.1:{port}", 1.0) as camera:
        info = footage.probe(camera)
        assert (info.width, info.height, info.codec) == (*SIZE, "h264")
        assert info.duration_ms == 1000
        assert info.captured is not None
        frames = list(footage.sample(camera))
    assert [frame.time_ms for frame in frames] == [0, 200, 400, 600, 800]
    for frame in frames:
        assert np.abs(frame.pixels.astype(int) - shown(SIZE, frame.time_ms)).mean() < 3


def test_a_connection_that_drops_is_made_anew_and_time_goes_on(stream: bytes) -> None:
    told: list[str] = []
    with served([stream, stream]) as port, Camera(f"tcp://127.0.0.1:{port}", 3.0) as camera:
        frames = list(footage.sample(camera, on_warning=told.append))
    times = [frame.time_ms for frame in frames]
    assert times == sorted(set(times))
    assert len(times) == pytest.approx(15, abs=2)
    assert times[-1] > 2500
    assert told == []


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that runs fifty times as fast."""
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() * 50)
    monkeypatch.setattr("fer_core.camera.time", clock)


@pytest.mark.usefixtures("hurried")
def test_a_camera_that_stays_away_is_waited_for_no_longer_than_asked(stream: bytes) -> None:
    told: list[str] = []
    with served([stream]) as port, Camera(f"tcp://127.0.0.1:{port}", 60.0) as camera:
        frames = list(footage.sample(camera, on_warning=told.append))
    assert len(frames) == 10
    assert told == ["The camera could not be reached from 0:00:01 to 0:01:00."]


def test_an_address_where_nobody_answers_is_one_plain_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = f"tcp://admin:secret@127.0.0.1:{port}"
    with (
        Camera(address, 60, reach_s=0.5) as camera,
        pytest.raises(UnreadableFootage, match="cannot be reached") as caught,
    ):
        footage.probe(camera)
    assert "secret" not in str(caught.value)


def test_nothing_that_plays_is_one_plain_error() -> None:
    page = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Sign in</h1>" * 3
    with (
        served([page] * 3) as port,
        Camera(f"http://127.0.0.1:{port}/live", 60, reach_s=0.5) as camera,
        pytest.raises(UnreadableFootage),
    ):
        footage.probe(camera)


def test_a_picture_over_the_bound_is_refused(stream: bytes) -> None:
    limits = FootageLimits(video_pixels=100 * 100)
    with (
        served([stream]) as port,
        Camera(f"tcp://127.0.0.1:{port}", 1.0, limits=limits) as camera,
        pytest.raises(FootageTooLarge),
    ):
        footage.probe(camera)


def test_a_picture_is_bounded_as_it_will_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "camera.ts"
    write_coded(path, Coding("libx264", pixel_shape=Fraction(4)))
    with (
        served([path.read_bytes()]) as port,
        Camera(
            f"tcp://127.0.0.1:{port}", 1.0, limits=FootageLimits(video_pixels=1024 * 143)
        ) as camera,
        pytest.raises(FootageTooLarge, match="1024 x 144"),
    ):
        footage.probe(camera)


@pytest.mark.usefixtures("hurried")
def test_a_slow_reader_loses_frames_and_no_memory(stream: bytes) -> None:
    told: list[str] = []
    address = "tcp://127.0.0.1:{}"
    with served([stream]) as port, Camera(address.format(port), 2.0, most_waiting=3) as camera:
        with camera._changed:
            camera._changed.wait_for(lambda: camera._ended, 60)
        frames = list(footage.sample(camera, on_warning=told.append))
    assert [frame.time_ms for frame in frames] == [0, 200, 400]
    assert told == ["7 frames came faster than they could be read and were left out."]


def test_what_was_just_seen_can_be_asked_for_again(stream: bytes) -> None:
    with served([stream]) as port, Camera(f"tcp://127.0.0.1:{port}", 2.0) as camera:
        first = [frame.time_ms for frame in footage.sample(camera, 0, 1000)]
        again = [frame.time_ms for frame in footage.sample(camera, 600, 1400)]
    assert (first, again) == ([0, 200, 400, 600, 800], [600, 800, 1000, 1200])


def test_at_few_samples_a_second_more_of_the_past_is_kept() -> None:
    usual, seldom = (Camera("rtsp://10.0.0.7/a", 60, rate=rate)._keep_ms for rate in (5, 0.5))
    assert (usual, seldom) == (4000, 14_000)


def test_of_a_camera_that_sends_few_frames_more_of_the_past_is_kept(tmp_path: Path) -> None:
    write_video(tmp_path / "v.ts", [], (320, 180), fps=1, seconds=4)
    with (
        served([(tmp_path / "v.ts").read_bytes()]) as port,
        Camera(f"tcp://127.0.0.1:{port}", 1.0) as camera,
    ):
        told = camera.info.frame_rate
        assert told is not None
        assert told < 2
        assert camera._keep_ms >= sum(AnalysisOptions().tracked_ms(told))


def test_mjpeg_over_http_is_timed_by_its_coming(tmp_path: Path) -> None:
    write_coded(tmp_path / "v.mjpeg", Coding("mjpeg", "yuvj420p"), 12)
    parts = (tmp_path / "v.mjpeg").read_bytes().split(b"\xff\xd8\xff")[1:]
    answer = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
    for part in parts:
        jpeg = b"\xff\xd8\xff" + part
        head = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
        answer += head + jpeg + b"\r\n"
    with (
        served([answer] * 20, 0.01) as port,
        Camera(f"http://127.0.0.1:{port}/v", 0.6) as camera,
    ):
        assert camera.info.codec == "mjpeg"
        frames = list(footage.sample(camera))
    assert frames[0].time_ms == 0
    assert all(frame.pixels.shape == (144, 256, 3) for frame in frames)


def test_a_person_before_a_camera_is_one_over_segments(tmp_path: Path) -> None:
    person = Appearance(160, 90, face_height=70)
    write_video(tmp_path / "v.ts", [person], (320, 180), fps=10, seconds=4)
    options = AnalysisOptions(segment_ms=1000)
    detector = YuNetDetector()
    with (
        served([(tmp_path / "v.ts").read_bytes()]) as port,
        Camera(f"tcp://127.0.0.1:{port}", 4.0) as camera,
    ):
        results = list(analyse(camera, ExpressionReader(), options, detector))
    assert [len(result.predictions) for result in results] == [5] * 4
    assert [len(result.tracks) for result in results] == [1, 1, 1, 1]
    assert [result.tracks[0].lead_in is not None for result in results] == [False] + [True] * 3


def test_a_camera_is_sampled_as_it_was_made_to_be() -> None:
    with pytest.raises(ValueError, match="5"):
        list(footage.sample(Camera("rtsp://10.0.0.7/a", 1.0), rate=2.0))


def test_a_camera_that_nothing_watches_is_not_waited_for() -> None:
    camera = Camera("rtsp://10.0.0.7/a", 1.0)
    with pytest.raises(RuntimeError, match="Use the camera in a with statement"):
        footage.probe(camera)
    with pytest.raises(RuntimeError, match="Use the camera in a with statement"):
        list(footage.sample(camera, 0, 1000))


@pytest.mark.parametrize("text", ["rtsp://10.0.0.7/stream1", "HTTP://x/y.m3u8", "udp://@:1234"])
def test_an_address_is_told_from_a_file(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize("text", ["v.mp4", "C:\\v.mp4", "file:///etc/passwd", "concat://a|b", ""])
def test_a_file_is_no_address(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(ValueError, match="address"):
        Camera(text, 1.0)


def test_secrets_are_not_shown() -> None:
    shown = without_secrets("rtsp://admin:p%40ss@10.0.0.7:554/live?token=abc")
    assert shown == "rtsp://10.0.0.7:554/live"
