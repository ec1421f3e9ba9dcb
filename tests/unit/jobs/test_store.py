import shutil
from pathlib import Path

import pytest

from jobs.store import FootageStore

CONTENT = bytes(range(256)) * 40_000  # longer than one chunk


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Till 3, Monday.MP4"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def store(tmp_path: Path) -> FootageStore:
    return FootageStore(str(tmp_path / "a folder" / "footage"))


def test_what_was_put_is_given_back(store: FootageStore, file: Path) -> None:
    key = store.put(file)
    with store.local(key) as path:
        assert path.read_bytes() == CONTENT
    assert store.exists(key)
    assert file.exists()


def test_a_key_tells_nothing_of_the_file_but_its_ending(store: FootageStore, file: Path) -> None:
    first, second = store.put(file), store.put(file)
    assert first != second
    assert first.endswith(".mp4")
    assert "till" not in first.lower()


def test_a_copy_that_fails_leaves_nothing(
    store: FootageStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        store.put(file)
    assert list(store.stored()) == []


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


def test_footage_of_a_remote_store_is_copied_for_its_use_only(tmp_path: Path, file: Path) -> None:
    scratch = tmp_path / "scratch"
    store = FootageStore(f"memory://footage-{tmp_path.name}", scratch)
    key = store.put(file)
    assert [footage.key for footage in store.stored()] == [key]
    with store.local(key) as path:
        assert path.is_relative_to(scratch)
        assert path.read_bytes() == CONTENT
    assert list(scratch.iterdir()) == []
    store.delete(key)
    store.delete(key)
    assert not store.exists(key)
