"""No face can be made out in a picture that is shown."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from db.stills import SeenBox
from fer_core.detection import YuNetDetector
from fer_core.errors import FootageError
from fer_core.footage import sample
from fer_core.types import Box, Face
from jobs.stills import Still, hidden_picture, stills
from jobs.store import FootageStore
from tests.made_footage import Appearance, write_picture, write_video

PERSON = Appearance(320, 180, start_s=0, end_s=6)


@pytest.fixture
def store(tmp_path: Path) -> FootageStore:
    return FootageStore(str(tmp_path / "store"))


def faces_in(still: Still) -> list[Face]:
    pixels = cv2.imdecode(np.frombuffer(still.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape[:2] == (still.height, still.width)
    return YuNetDetector().detect(np.asarray(pixels, np.uint8))


def test_faces_of_a_video_are_hidden_at_every_moment(tmp_path: Path, store: FootageStore) -> None:
    video = write_video(tmp_path / "film.mp4", [PERSON], seconds=6).path
    assert any(YuNetDetector().detect(frame.pixels) for frame in sample(video, rate=1))
    key = store.put(video)
    found = stills(store, key, [0, 2000, 5000, 60_000])
    assert [round(still.time_ms, -3) for still in found] == [0, 2000, 5000]
    assert [faces_in(still) for still in found] == [[], [], []]


def test_what_was_read_is_hidden_too(tmp_path: Path, store: FootageStore) -> None:
    video = write_video(tmp_path / "film.mp4", seconds=3, background="textured").path
    key = store.put(video)
    (plain,) = stills(store, key, [1000])
    (hidden,) = stills(store, key, [1000], seen=[SeenBox(1000, Box(100, 100, 80, 100))])
    (elsewhen,) = stills(store, key, [1000], seen=[SeenBox(2900, Box(100, 100, 80, 100))])
    assert plain.jpeg == elsewhen.jpeg
    assert plain.jpeg != hidden.jpeg


def test_pictures_are_made_small(tmp_path: Path, store: FootageStore) -> None:
    write_picture(tmp_path / "photo.jpg", [PERSON])
    (still,) = stills(store, store.put(tmp_path / "photo.jpg"), [0], width=320)
    assert still.width == 320
    given = hidden_picture((tmp_path / "photo.jpg").read_bytes(), "photo.jpg", width=400)
    assert given.width == 400
    assert faces_in(given) == []


def test_what_is_no_picture_is_refused_by_its_name(tmp_path: Path, store: FootageStore) -> None:
    with pytest.raises(FootageError, match=r"^note\.jpg: "):
        hidden_picture(b"not a picture", "note.jpg")
    (tmp_path / "store").mkdir()
    with pytest.raises(FileNotFoundError):
        stills(store, "gone.mp4", [0])
    assert not list((tmp_path / "store").glob("*"))
