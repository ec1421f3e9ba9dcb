import os
import shutil
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fer_core import container
from fer_core.errors import UnreadableFootage
from fer_core.limits import FootageLimits
from fer_core.remote import RemoteVideo
from jobs.store import FootageStore, StoreUnreachable, is_named_by_put

CONTENT = bytes(range(256)) * 40_000  # longer than one chunk


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Till 3, Monday.MP4"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def store(tmp_path: Path) -> FootageStore:
    return FootageStore(str(tmp_path / "a folder" / "footage"))


@pytest.fixture(params=["folder", "memory", "s3"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> FootageStore:
    if request.param == "folder":
        return FootageStore(str(tmp_path / "footage"))
    if request.param == "memory":
        return FootageStore(f"memory://footage-{tmp_path.name}", tmp_path / "scratch")
    return FootageStore(request.getfixturevalue("s3_url"), tmp_path / "scratch")


def test_what_was_put_is_given_back(store: FootageStore, file: Path) -> None:
    key = store.put(file)
    with store.local(key) as path:
        assert path.read_bytes() == CONTENT
    assert store.exists(key)
    assert file.exists()


def test_a_file_of_ours_gets_a_second_name_and_is_young(store: FootageStore, file: Path) -> None:
    os.utime(file, (0, 0))
    key = store.put(file, is_ours=True)
    with store.local(key) as path:
        assert path.samefile(file)
    (stored,) = store.stored()
    assert datetime.now(UTC) - stored.modified < timedelta(hours=1)
    file.unlink()
    with store.local(key) as path:
        assert path.read_bytes() == CONTENT


def test_a_disk_without_second_names_gets_a_copy(
    store: FootageStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with store.local(store.put(file, is_ours=True)) as path:
        assert path.read_bytes() == CONTENT
        assert not path.samefile(file)


def test_a_key_tells_nothing_of_the_file_but_its_ending(store: FootageStore, file: Path) -> None:
    first, second = store.put(file), store.put(file)
    assert first != second
    assert first.endswith(".mp4")
    assert "till" not in first.lower()


@pytest.mark.parametrize("suffix", [".mp4", "", ".JPG", ".a b\n"])
def test_names_that_the_store_gives_are_known(store: FootageStore, file: Path, suffix: str) -> None:
    key = store.put(file, suffix)
    assert is_named_by_put(key)
    assert is_named_by_put(key + ".part")


@pytest.mark.parametrize(
    "name",
    [
        "20260302_101530.mp4",
        "given.mp4",
        "D41D8CD98F00B204E9800998ECF8427E.mp4",
        "d41d8cd98f00b204e9800998ecf8427e.mp4",  # a hash
        "9f8b4c1e-6f0a-4d51-8c3e-2b7a90d4e6f1.mp4",
        "9f8b4c1e6f0a4d518c3e2b7a90d4e6f1-till.mp4",
        "x9f8b4c1e6f0a4d518c3e2b7a90d4e6f1.mp4",
    ],
)
def test_other_names_are_not_those_of_the_store(name: str) -> None:
    assert not is_named_by_put(name)


def test_a_copy_that_fails_leaves_nothing(
    store: FootageStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        store.put(file)
    assert list(store.stored()) == []


def test_when_footage_was_written_is_read_off_the_list(
    any_store: FootageStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = any_store.put(file)
    any_store.put_as("of a recorder.mp4", file)
    files, asked = any_store._files, []
    modified = files.modified

    def counted(path: str) -> datetime:
        asked.append(path.rsplit("/", 1)[-1])
        when: datetime = modified(path)
        return when

    monkeypatch.setattr(files, "modified", counted)
    (stored,) = any_store.stored(ours=True)
    assert stored.key == key
    assert stored.modified == modified(any_store._path(key))
    # Lists of what is kept in memory do not tell.
    assert asked == ([key] if files.protocol == "memory" else [])


def test_a_copy_that_was_cut_off_is_listed_so_that_it_can_be_swept(
    store: FootageStore, file: Path, tmp_path: Path
) -> None:
    key = store.put(file)
    part = tmp_path / "a folder" / "footage" / "0123.mp4.part"
    part.write_bytes(b"half")
    listed = {footage.key for footage in store.stored()}
    assert listed == {key, part.name}
    assert all(footage.modified.tzinfo is not None for footage in store.stored())
    store.delete(part.name)
    assert {footage.key for footage in store.stored()} == {key}


def test_deleting_twice_is_no_error(store: FootageStore, file: Path) -> None:
    key = store.put(file)
    store.delete(key)
    store.delete(key)
    assert not store.exists(key)
    with pytest.raises(FileNotFoundError), store.local(key):
        pass


def test_a_store_that_was_never_used_is_empty(store: FootageStore) -> None:
    assert list(store.stored()) == []
    assert not store.exists("abc.mp4")


@pytest.mark.parametrize("key", ["", "../secret", "a/b", "..", ".hidden", "a\\b"])
def test_a_key_cannot_lead_elsewhere(store: FootageStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.exists(key)


def test_footage_comes_and_goes(any_store: FootageStore, file: Path) -> None:
    assert list(any_store.stored()) == []
    key = any_store.put(file)
    assert [footage.key for footage in any_store.stored()] == [key]
    with any_store.local(key) as path:
        assert path.read_bytes() == CONTENT
    any_store.put_as("given.mp4", file)
    assert any_store.exists("given.mp4")
    any_store.check()
    assert {footage.key for footage in any_store.stored()} == {key, "given.mp4"}
    any_store.delete(key)
    any_store.delete(key)
    assert not any_store.exists(key)
    with pytest.raises(FileNotFoundError), any_store.local(key):
        pass
    with pytest.raises(FileNotFoundError), any_store.video(key):
        pass


@pytest.mark.parametrize("any_store", ["memory", "s3"], indirect=True)
def test_footage_of_a_remote_store_is_copied_for_its_use_only(
    any_store: FootageStore, tmp_path: Path, file: Path
) -> None:
    scratch = tmp_path / "scratch"
    key = any_store.put(file)

    def use_and_fail() -> None:
        with any_store.local(key) as path:
            assert path.is_relative_to(scratch)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        use_and_fail()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("any_store", ["memory", "s3"], indirect=True)
def test_a_remote_video_is_read_from_any_place(any_store: FootageStore, file: Path) -> None:
    key = any_store.put(file)
    with any_store.video(key) as video:
        assert isinstance(video, RemoteVideo)
        with closing(video.open()) as reader:
            assert reader.seek(-500, 2) == len(CONTENT) - 500
            assert reader.read() == CONTENT[-500:]
            assert reader.seek(1000) == reader.tell() == 1000
            assert reader.read(300) == CONTENT[1000:1300]


@pytest.mark.parametrize("swallow", [False, True], ids=["told", "swallowed"])
def test_a_piece_that_cannot_be_fetched_is_not_the_end_of_the_video(
    s3_url: str, file: Path, monkeypatch: pytest.MonkeyPatch, *, swallow: bool
) -> None:
    store = FootageStore(s3_url)
    key = store.put(file)

    def refuse(*_: object, **__: object) -> bytes:
        raise ConnectionResetError("gone")

    def use() -> None:
        monkeypatch.setattr("s3fs.core.S3File._fetch_range", refuse)
        with store.video(key) as video:
            assert isinstance(video, RemoteVideo)
            with (
                closing(video.open()) as reader,
                suppress(OSError if swallow else ZeroDivisionError),
            ):
                reader.read(10)

    with pytest.raises(StoreUnreachable):
        use()


@pytest.mark.parametrize("trouble", [TimeoutError("gone"), RuntimeError("the library's own")])
def test_a_video_that_the_store_does_not_open_is_not_damaged(
    s3_url: str, file: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    store = FootageStore(s3_url)
    key = store.put(file)

    def refuse(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(store._files, "open", refuse)
    with (
        pytest.raises(StoreUnreachable),
        store.video(key) as video,
        container.opened(video, "monday.mp4", FootageLimits()),
    ):
        pass


def test_a_store_that_cannot_be_reached_says_so(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, s3_url: str
) -> None:
    store = FootageStore(s3_url)
    key = store.put(file)

    def refuse(*_: object, **__: object) -> bool:
        raise ConnectionRefusedError("nobody listens")

    for name in ("exists", "pipe_file"):
        monkeypatch.setattr(store._files, name, refuse)
    with pytest.raises(StoreUnreachable), store.local(key):
        pass
    with pytest.raises(StoreUnreachable):
        store.check()
    (tmp_path / "a file").write_bytes(b"x")
    with pytest.raises(StoreUnreachable):
        FootageStore(str(tmp_path / "a file" / "footage")).check()


def test_a_store_answers_whatever_becomes_of_one_piece(
    any_store: FootageStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_store.put(file)
    assert any_store.answers()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    for name in ("open", "get_file"):
        monkeypatch.setattr(any_store._files, name, refuse)
    assert any_store.answers()


def test_a_remote_store_that_holds_nothing_answers(s3_url: str) -> None:
    assert FootageStore(s3_url).answers()


@pytest.mark.parametrize("trouble", [ConnectionRefusedError(), PermissionError(), RuntimeError()])
def test_a_remote_store_that_lets_nobody_in_does_not_answer(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    store = FootageStore(s3_url)

    def refuse(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(store._files, "info", refuse)
    assert not store.answers()


def test_a_folder_that_is_missing_does_not_answer_and_is_not_made(
    store: FootageStore, file: Path
) -> None:
    store.put(file)
    folder = file.parent / "a folder"
    away = folder.rename(file.parent / "away")
    assert not store.answers()
    assert not folder.exists()
    away.rename(folder)
    assert store.answers()


def test_a_folder_that_is_gone_is_not_footage_that_is_gone(tmp_path: Path, file: Path) -> None:
    store = FootageStore(str(tmp_path / "mounted"))
    key = store.put(file)
    (tmp_path / "mounted").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnreachable), store.local(key):
        pass
    (tmp_path / "elsewhere").rename(tmp_path / "mounted")
    with store.local(key) as path:
        assert path.read_bytes() == file.read_bytes()
    store.delete(key)
    with pytest.raises(FileNotFoundError), store.local(key):
        pass


@pytest.mark.parametrize("is_back", [False, True])
def test_a_folder_that_goes_away_while_it_is_read_damages_nothing(
    store: FootageStore, file: Path, *, is_back: bool
) -> None:
    key = store.put(file)
    folder = file.parent / "a folder"
    away = folder.with_name("away")

    def read() -> None:
        with store.video(key) as path:
            assert isinstance(path, Path)
            folder.rename(away)
            try:
                path.read_bytes()
            except OSError as error:
                if is_back:
                    away.rename(folder)
                raise UnreadableFootage("monday.mp4", "the file cannot be opened.") from error

    with pytest.raises(StoreUnreachable):
        read()
    if not is_back:
        away.rename(folder)
    assert store.exists(key)


def test_what_is_deleted_while_it_is_read_is_gone(store: FootageStore, file: Path) -> None:
    key = store.put(file)

    def read() -> None:
        with store.local(key) as path:
            store.delete(key)
            path.read_bytes()

    with pytest.raises(FileNotFoundError):
        read()


def test_damage_is_the_files_own(store: FootageStore, file: Path) -> None:
    key = store.put(file)
    with pytest.raises(UnreadableFootage), store.video(key):
        raise UnreadableFootage("monday.mp4", "it is damaged.") from ValueError("invalid data")


def test_a_store_that_is_away_keeps_what_is_to_be_deleted(store: FootageStore, file: Path) -> None:
    key = store.put(file)
    folder = file.parent / "a folder"
    assert store.is_there()
    folder.rename(file.parent / "away")
    assert not store.is_there()
    with pytest.raises(StoreUnreachable):
        store.delete(key)
    (file.parent / "away").rename(folder)
    store.delete(key)
    assert not store.exists(key)


def test_a_store_that_does_not_answer_says_so_whatever_is_asked(
    s3_url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FootageStore(s3_url)
    key = store.put(file)

    def gone(*_: object, **__: object) -> None:
        raise RuntimeError("an error of the store's own library")

    monkeypatch.setattr(store._files, "put_file", gone)
    monkeypatch.setattr(store._files, "rm_file", gone)
    with pytest.raises(StoreUnreachable):
        store.put(file)
    with pytest.raises(StoreUnreachable):
        store.delete(key)


def test_a_scratch_folder_of_another_machine_is_not_needed(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"picture")
    store = FootageStore(f"memory://footage-{tmp_path.name}", file / "unfinished")
    with store.local(store.put(file)) as path:
        assert path.read_bytes() == b"picture"
