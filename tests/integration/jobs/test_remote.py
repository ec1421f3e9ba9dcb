"""Footage in a store elsewhere is read as footage in a folder is, a piece at a time."""

from pathlib import Path
from typing import Any

import pytest
from s3fs.core import S3File, S3FileSystem

from db.tables import RecordingState
from fer_core.footage import sample
from jobs.intake import Accepted
from jobs.stills import stills
from jobs.store import FootageStore
from settings import Settings
from tests.made_footage import Appearance, write_picture, write_video
from tests.made_jobs import (
    made_camera,
    made_settings,
    opened,
    read_all,
    recording,
    rows,
    store,
    take_in,
)

SECONDS = 12
PEOPLE = (
    Appearance(60, 90, to=(250, 90), end_s=SECONDS, face_height=60),
    Appearance(250, 60, start_s=3.5, end_s=9.5, face_height=44, look="mirrored"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("footage")
    video, photo = (folder / f"door_20260302_101500.{ending}" for ending in ("mp4", "jpg"))
    write_video(video, PEOPLE, (320, 180), fps=5, seconds=SECONDS, gop=5)
    write_picture(photo)
    return [video, photo]


def read(folder: Path, files: list[Path], **values: object) -> tuple[Settings, object]:
    """Settings of an installation that has read ``files``, and what it read."""
    settings = made_settings(folder, sample_rate=3, segment_seconds=3, **values)
    with opened(settings) as database:
        outcomes = take_in(database, settings, made_camera(database), *files)
        read_all(settings)
        for outcome in outcomes.values():
            assert isinstance(outcome, Accepted)
            assert recording(database, outcome.recording_id).state is RecordingState.DONE
        return settings, rows(database)


def test_rows_from_s3_and_postgresql_are_those_of_a_laptop(
    tmp_path: Path, files: list[Path], s3_url: str, postgresql_url: str
) -> None:
    _, expected = read(tmp_path / "laptop", files)
    settings, found = read(
        tmp_path / "cluster", files, footage_url=s3_url, database_url=postgresql_url
    )
    assert found == expected
    assert list(store(settings).stored()) == []
    scratch = settings.home / "unfinished"
    assert [entry for entry in scratch.iterdir() if entry.is_file()] == []


def pieces_fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each piece of a file that is fetched from now on."""
    fetched: list[int] = []
    fetch = S3File._fetch_range

    def counted(file: S3File, start: int, end: int) -> bytes:
        fetched.append(end - start)
        found: bytes = fetch(file, start, end)
        return found

    monkeypatch.setattr(S3File, "_fetch_range", counted)
    return fetched


def test_only_the_pieces_that_a_segment_needs_are_fetched(
    tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.mp4"
    write_video(path, PEOPLE, (640, 360), fps=10, seconds=60, gop=10)
    size = path.stat().st_size
    for module in ("jobs.store", "fer_core.container"):
        monkeypatch.setattr(f"{module}._PIECE", 4096)
    fetched = pieces_fetched(monkeypatch)
    remote = FootageStore(s3_url)
    key = remote.put(path)
    here = [(frame.time_ms, frame.pixels.tobytes()) for frame in sample(path, 30_000, 33_000)]
    with remote.video(key) as video:
        there = [(frame.time_ms, frame.pixels.tobytes()) for frame in sample(video, 30_000, 33_000)]
    assert there == here
    assert len(here) == 15
    assert 0 < sum(fetched) < size / 3


def test_pictures_of_a_video_are_made_of_the_pieces_that_are_needed(
    tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.mp4"
    write_video(path, PEOPLE, (640, 360), fps=10, seconds=60, gop=10)
    write_picture(tmp_path / "photo.jpg")
    # Of the kind that its content says, whatever its name does.
    (tmp_path / "photo.jpg").rename(tmp_path / "photo.mp4")
    for module in ("jobs.store", "fer_core.container"):
        monkeypatch.setattr(f"{module}._PIECE", 4096)
    fetched: list[int] = []
    ask = S3FileSystem._call_s3

    async def counted(files: S3FileSystem, method: str, *arguments: Any, **options: Any) -> Any:
        answer = await ask(files, method, *arguments, **options)
        if method == "get_object":
            fetched.append(answer["ContentLength"])
        return answer

    monkeypatch.setattr(S3FileSystem, "_call_s3", counted)
    here, there = FootageStore(str(tmp_path / "here")), FootageStore(s3_url)
    for file, moments in ((path, [0, 30_000, 57_000]), (tmp_path / "photo.mp4", [0])):
        fetched.clear()
        found = stills(there, there.put(file), moments)
        assert len(found) == len(moments)
        assert found == stills(here, here.put(file), moments)
        if file == path:
            assert 0 < sum(fetched) < path.stat().st_size / 2


def test_what_a_video_was_opened_for_is_not_fetched_again(
    tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "short.mp4"
    write_video(path, PEOPLE, (320, 180), fps=5, seconds=SECONDS, gop=5)
    fetched = pieces_fetched(monkeypatch)
    remote = FootageStore(s3_url)
    with remote.video(remote.put(path)) as video:
        for start_ms in (0, 3000, 6000):
            assert len(list(sample(video, start_ms, start_ms + 1000))) == 5
    assert len(fetched) == 1  # it is shorter than a piece


def test_a_store_that_fails_for_a_moment_costs_no_row_and_no_attempt(
    tmp_path: Path, files: list[Path], s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, expected = read(tmp_path / "laptop", files)
    fetch, left = S3File._fetch_range, [2]

    def troubled(file: S3File, start: int, end: int) -> bytes:
        if left[0]:
            left[0] -= 1
            raise ConnectionResetError("gone")
        found: bytes = fetch(file, start, end)
        return found

    monkeypatch.setattr(S3File, "_fetch_range", troubled)
    _, found = read(tmp_path / "remote", files, footage_url=s3_url, max_attempts=1)
    assert left == [0]
    assert found == expected
