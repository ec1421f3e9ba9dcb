"""A camera at an RTSP address, served by a real server: found, left, and joined again."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from fer_core import footage
from fer_core.camera import Camera
from tests.made_rtsp import PROGRAM, free_port, rtsp_camera
from tests.made_streams import Coding, write_coded

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="there is no RTSP server; on Debian: apt install rtsp-server-perl"
)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_coded(tmp_path / "v.ts", Coding("libx264", options={"bf": "0"}))
    return tmp_path / "v.ts"


def test_an_rtsp_camera_is_watched_for_as_long_as_asked(clip: Path) -> None:
    with rtsp_camera(clip, free_port()) as address, Camera(address, 3.0, reach_s=60) as camera:
        assert footage.probe(camera).codec == "h264"
        times = [frame.time_ms for frame in footage.sample(camera)]
    assert times[0] == 0
    assert times == sorted(set(times))
    assert max(times) < 3000


def test_an_rtsp_camera_is_joined_again_when_its_server_was_killed(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_core.camera._SILENCE_S", 1.0)
    port, times = free_port(), [0]
    with ExitStack() as opened:
        with rtsp_camera(clip, port) as address:
            camera = opened.enter_context(Camera(address, 120.0, reach_s=60))
            frames = footage.sample(camera)
            times += [next(frames).time_ms for _ in range(3)][1:]
        time.sleep(1.5)  # a server that is back at once leaves no gap to be seen
        with rtsp_camera(clip, port):
            while times[-1] - times[-2] < 1000:
                times.append(next(frames).time_ms)
            times += [next(frames).time_ms for _ in range(3)]
    assert times == sorted(set(times))
    assert len(times) >= 7
