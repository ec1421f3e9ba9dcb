"""What happens at the door: accepted, known already, or refused with a sentence."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db.engine import Database
from db.recording_rows import count_recordings, find_by_sha256
from db.recordings import delete_recording
from db.tables import Recording
from fer_core.types import FootageKind
from jobs import intake
from jobs.intake import Accepted, Duplicate, Outcome, Refused, inspect
from jobs.store import FootageStore
from settings import Settings
from tests.made_footage import Appearance, bad_uploads, write_picture, write_video, write_zip
from tests.made_jobs import (
    made_camera,
    made_settings,
    opened,
    read_all,
    recording,
    store,
    take_in,
)

TAKEN = datetime(2026, 1, 5, 10, 15)  # noqa: DTZ001 - the camera's local time


def accepted(outcome: Outcome) -> Accepted:
    assert isinstance(outcome, Accepted), outcome
    return outcome


def left_over(settings: Settings) -> list[Path]:
    folder = settings.home / "unfinished"
    return list(folder.iterdir()) if folder.exists() else []


def test_a_video_is_cut_into_segments_and_stored(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    path = tmp_path / "till.mp4"
    write_video(path, [Appearance(320, 180)], seconds=5)
    outcome = accepted(take_in(database, settings, made_camera(database), path)["till.mp4"])
    row = recording(database, outcome.recording_id)
    assert (row.kind, row.width, row.height, row.duration_ms) == ("video", 640, 360, 5000)
    assert (row.state, row.segments, row.segments_done) == ("queued", 3, 0)
    assert row.bytes == path.stat().st_size
    assert row.has_footage
    assert path.exists()
    (footage,) = store(settings).stored()
    with store(settings).local(footage.key) as stored:
        assert stored.read_bytes() == path.read_bytes()


def test_bad_files_cost_one_sentence_each_and_stop_nothing(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    bad = bad_uploads(tmp_path / "bad")
    assert len(bad) >= 12
    good = tmp_path / "good.jpg"
    write_picture(good)
    camera = made_camera(database)
    paths = list(bad.values())
    outcomes = take_in(database, settings, camera, *paths[:6], good, *paths[6:])

    accepted(outcomes.pop("good.jpg"))
    assert len(outcomes) == len(bad)
    for name, outcome in outcomes.items():
        assert isinstance(outcome, Refused), outcome
        assert outcome.sentence.startswith(f"{name}: ")
        assert outcome.sentence.endswith(".")
        assert outcome.sentence.count("\n") == 0
        assert "unexpected" not in outcome.sentence
        assert "Error" not in outcome.sentence
        assert str(tmp_path) not in outcome.sentence
    assert left_over(settings) == []
    assert not (tmp_path / "outside.jpg").exists()

    read_all(settings)
    with database.read() as session:
        assert count_recordings(session, states=["done"]) == 1
        assert count_recordings(session) == 1
    assert list(store(settings).stored()) == []


def test_the_good_members_of_a_zip_are_taken_in(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    write_picture(tmp_path / "a.jpg", captured=TAKEN)
    write_picture(tmp_path / "b.png", [Appearance(200, 200)])
    write_zip(
        tmp_path / "day.zip",
        {
            "a.jpg": tmp_path / "a.jpg",
            "notes.txt": b"nothing to see here\n",
            "in/b.png": tmp_path / "b.png",
            "in/again.jpg": tmp_path / "a.jpg",
        },
    )
    given = datetime(2026, 2, 1, tzinfo=UTC)
    camera = made_camera(database)
    outcomes = take_in(database, settings, camera, tmp_path / "day.zip", captured_at=given)

    assert list(outcomes) == [
        "day.zip/a.jpg",
        "day.zip/notes.txt",
        "day.zip/in/b.png",
        "day.zip/in/again.jpg",
    ]
    own, text, without, again = outcomes.values()
    # A member that tells its own time keeps it; the time given is for those that do not.
    assert (accepted(own).captured_from, accepted(own).captured_at.hour) == ("exif", 10)
    assert (accepted(without).captured_from, accepted(without).captured_at) == ("given", given)
    assert isinstance(text, Refused)
    assert isinstance(again, Duplicate)
    assert again.recording.id == accepted(own).recording_id
    assert left_over(settings) == []


def test_a_file_that_the_camera_has_already_is_noticed(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    write_picture(tmp_path / "one.jpg")
    (tmp_path / "other name.jpg").write_bytes((tmp_path / "one.jpg").read_bytes())
    camera = made_camera(database)
    first = accepted(take_in(database, settings, camera, tmp_path / "one.jpg")["one.jpg"])
    second = take_in(database, settings, camera, tmp_path / "other name.jpg")["other name.jpg"]
    assert isinstance(second, Duplicate)
    assert second.recording.id == first.recording_id
    assert "one.jpg" in second.sentence
    assert len(list(store(settings).stored())) == 1


def test_a_file_that_is_ours_is_not_copied_and_its_hash_is_believed(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    path = tmp_path / "photo.jpg"
    write_picture(path)
    (outcome,) = intake.admit(
        database,
        store(settings),
        settings,
        path=path,
        name="photo.jpg",
        camera_id=made_camera(database),
        sha256="0" * 64,
        is_ours=True,
    )
    accepted(outcome)
    (kept,) = store(settings).stored()
    assert Path(settings.resolved_footage_url, kept.key).samefile(path)
    with database.read() as session:
        assert len(find_by_sha256(session, "0" * 64)) == 1


def test_the_same_file_of_another_camera_is_taken_in_and_said(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    write_picture(tmp_path / "one.jpg")
    take_in(database, settings, made_camera(database, "Door"), tmp_path / "one.jpg")
    other = made_camera(database, "Till")
    outcome = accepted(take_in(database, settings, other, tmp_path / "one.jpg")["one.jpg"])
    assert outcome.also_at == ("Site of Door/Door",)
    assert "Site of Door/Door" in outcome.sentence


def test_a_file_that_was_deleted_may_come_again(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    write_picture(tmp_path / "one.jpg")
    camera = made_camera(database)
    first = accepted(take_in(database, settings, camera, tmp_path / "one.jpg")["one.jpg"])
    with database.write() as session:
        key = delete_recording(session, first.recording_id)
    assert key is not None
    store(settings).delete(key)
    accepted(take_in(database, settings, camera, tmp_path / "one.jpg")["one.jpg"])


def test_of_two_uploads_of_a_file_at_once_one_is_the_duplicate(
    tmp_path: Path, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(tmp_path / "one.jpg")
    camera = made_camera(database)
    both_have_looked = threading.Barrier(2)
    put = FootageStore.put

    def slowly(
        self: FootageStore, path: Path, suffix: str | None = None, *, is_ours: bool = False
    ) -> str:
        both_have_looked.wait(240)
        return put(self, path, suffix, is_ours=is_ours)

    monkeypatch.setattr(FootageStore, "put", slowly)
    with ThreadPoolExecutor(2) as pool:
        two = [
            pool.submit(take_in, database, settings, camera, tmp_path / "one.jpg") for _ in range(2)
        ]
    kinds = {type(future.result()["one.jpg"]) for future in two}
    assert kinds == {Accepted, Duplicate}
    assert len(list(store(settings).stored())) == 1


def test_capture_times(tmp_path: Path, settings: Settings, database: Database) -> None:
    """Given, else EXIF, else the container, else the name, else now; local times by the site."""
    berlin = timezone(timedelta(hours=1))
    camera = made_camera(database, time_zone="Europe/Berlin")
    write_picture(tmp_path / "exif_20250607_080910.jpg", captured=TAKEN)
    write_picture(tmp_path / "zone.jpg", captured=TAKEN.replace(tzinfo=berlin), mode="L")
    write_video(tmp_path / "meta.mp4", seconds=1, created=TAKEN.replace(tzinfo=UTC))
    write_picture(tmp_path / "IMG_20250607_080910.png")
    write_picture(tmp_path / "plain.bmp")
    write_picture(tmp_path / "given.webp", captured=TAKEN)

    untold = [path for path in sorted(tmp_path.glob("*.*")) if path.suffix != ".webp"]
    outcomes = take_in(database, settings, camera, *untold)
    found = {
        name: (accepted(outcome).captured_from, accepted(outcome).captured_at)
        for name, outcome in outcomes.items()
    }
    in_utc = datetime(2026, 1, 5, 9, 15, tzinfo=UTC)
    assert found["exif_20250607_080910.jpg"] == ("exif", in_utc)
    assert found["zone.jpg"] == ("exif", in_utc)
    assert found["meta.mp4"] == ("metadata", TAKEN.replace(tzinfo=UTC))
    assert found["IMG_20250607_080910.png"] == (
        "file name",
        datetime(2025, 6, 7, 6, 9, 10, tzinfo=UTC),
    )
    assert found["plain.bmp"][0] == "upload"
    assert timedelta() <= datetime.now(UTC) - found["plain.bmp"][1] < timedelta(hours=1)

    given = take_in(database, settings, camera, tmp_path / "given.webp", captured_at=TAKEN)
    assert accepted(given["given.webp"]).captured_from == "given"
    assert accepted(given["given.webp"]).captured_at == in_utc


def test_a_fault_at_one_file_is_a_sentence_and_stops_nothing(
    tmp_path: Path, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "b.png"):
        write_picture(tmp_path / name)
    put = FootageStore.put

    def failing(
        self: FootageStore, path: Path, suffix: str | None = None, *, is_ours: bool = False
    ) -> str:
        if suffix == ".jpg":
            raise OSError(28, "No space left on device")
        return put(self, path, suffix, is_ours=is_ours)

    monkeypatch.setattr(FootageStore, "put", failing)
    camera = made_camera(database)
    outcomes = take_in(
        database, settings, camera, tmp_path / "a.jpg", tmp_path / "b.png", tmp_path / "c.jpg"
    )
    assert outcomes["a.jpg"] == Refused(
        "a.jpg", "a.jpg: there is no space left to store it.", may_pass=True
    )
    accepted(outcomes["b.png"])
    assert isinstance(outcomes["c.jpg"], Refused)  # there is no such file


def test_a_disk_that_fills_while_a_zip_is_unpacked_is_not_the_zips_fault(
    tmp_path: Path, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(tmp_path / "a.jpg")
    write_zip(tmp_path / "day.zip", {"a.jpg": tmp_path / "a.jpg"})
    camera = made_camera(database)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("fer_core.archive._write", full)
        outcomes = take_in(database, settings, camera, tmp_path / "day.zip")
    assert outcomes["day.zip"] == Refused(
        "day.zip", "day.zip: there is no space left to store it.", may_pass=True
    )
    assert left_over(settings) == []
    accepted(take_in(database, settings, camera, tmp_path / "day.zip")["day.zip/a.jpg"])


def test_footage_is_removed_again_when_its_row_cannot_be_written(
    tmp_path: Path, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(tmp_path / "a.jpg")

    def broken(*_: object, **__: object) -> int:
        raise RuntimeError("no row today")

    monkeypatch.setattr(intake, "add_recording", broken)
    outcomes = take_in(database, settings, made_camera(database), tmp_path / "a.jpg")
    assert isinstance(outcomes["a.jpg"], Refused)
    assert list(store(settings).stored()) == []


def test_footage_stays_when_the_database_died_before_it_told_whether_the_row_is_kept(
    tmp_path: Path, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(tmp_path / "a.jpg")
    camera = made_camera(database)
    write = Database.write

    @contextlib.contextmanager
    def dying(self: Database) -> Iterator[Session]:
        with write(self) as session:
            yield session
        raise OperationalError("COMMIT", None, Exception("the connection was closed"))

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", dying)
        outcome = take_in(database, settings, camera, tmp_path / "a.jpg")["a.jpg"]
    assert isinstance(outcome, Refused)
    assert outcome.may_pass
    again = take_in(database, settings, camera, tmp_path / "a.jpg")["a.jpg"]
    assert isinstance(again, Duplicate)
    (stored,) = store(settings).stored()
    with database.read() as session:
        assert session.scalars(select(Recording.footage_key)).all() == [stored.key]


def test_nothing_is_put_in_the_place_of_a_store_that_is_away(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    for name in ("a.jpg", "b.png"):
        write_picture(tmp_path / name)
    camera = made_camera(database)
    accepted(take_in(database, settings, camera, tmp_path / "a.jpg")["a.jpg"])
    folder = Path(settings.resolved_footage_url)
    folder.rename(tmp_path / "away")
    outcome = take_in(database, settings, camera, tmp_path / "b.png")["b.png"]
    assert outcome == Refused(
        "b.png", "b.png: The footage store could not be reached.", may_pass=True
    )
    assert not folder.exists()
    (tmp_path / "away").rename(folder)
    accepted(take_in(database, settings, camera, tmp_path / "b.png")["b.png"])


def test_a_camera_that_is_gone_is_said(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    write_picture(tmp_path / "a.jpg")
    outcome = take_in(database, settings, 99, tmp_path / "a.jpg")["a.jpg"]
    assert outcome == Refused("a.jpg", "a.jpg: its camera does not exist any more.")


def test_a_name_too_long_keeps_its_end(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    write_picture(tmp_path / "a.jpg")
    write_zip(tmp_path / "z.zip", {f"{'y' * 260}/a.jpg": tmp_path / "a.jpg"})
    (outcome,) = take_in(database, settings, made_camera(database), tmp_path / "z.zip").values()
    name = recording(database, accepted(outcome).recording_id).name
    assert len(name) == 255
    assert name.endswith("yyy/a.jpg")


def test_a_look_stores_nothing(tmp_path: Path, settings: Settings, database: Database) -> None:
    write_picture(tmp_path / "a.jpg", captured=TAKEN)
    write_video(tmp_path / "v.mp4", seconds=1)
    write_zip(
        tmp_path / "z.zip",
        {"a.jpg": tmp_path / "a.jpg", "v.mp4": tmp_path / "v.mp4", "t.txt": b"hello\n"},
    )
    scratch = tmp_path / "scratch"
    picture, video, text = inspect(tmp_path / "z.zip", "z.zip", scratch)
    assert (picture.name, picture.kind, picture.problem) == (
        "z.zip/a.jpg",
        FootageKind.PICTURE,
        None,
    )
    assert picture.captured is not None
    assert picture.captured.at == TAKEN
    assert (video.kind, video.duration_ms) == (FootageKind.VIDEO, 1000)
    assert text.kind is None
    assert text.problem is not None
    assert text.problem.startswith("z.zip/t.txt: ")
    (alone,) = inspect(tmp_path / "a.jpg", "Tuesday.jpg", scratch)
    assert alone.name == "Tuesday.jpg"
    assert list(scratch.iterdir()) == []
    assert list(store(settings).stored()) == []
    with database.read() as session:
        assert count_recordings(session) == 0


def test_the_administrators_bounds_hold(tmp_path: Path) -> None:
    settings = made_settings(
        tmp_path, max_picture_megapixels=1, max_video_hours=0.001, max_zip_files=1
    )
    picture, video, packed = (tmp_path / name for name in ("wide.jpg", "long.mp4", "two.zip"))
    write_picture(picture, [Appearance(320, 180)], size=(1280, 960))
    write_video(video, [], seconds=5)
    write_zip(packed, {"a.txt": b"", "b.txt": b""})
    with opened(settings) as database:
        camera = made_camera(database)
        for path in (picture, video, packed):
            (outcome,) = take_in(database, settings, camera, path).values()
            assert isinstance(outcome, Refused), outcome
            assert path.name in outcome.sentence
        assert list(store(settings).stored()) == []
