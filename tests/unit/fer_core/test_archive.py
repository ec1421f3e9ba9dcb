import stat
import struct
import zipfile
from pathlib import Path

import pytest

from fer_core.archive import is_archive, unpack
from fer_core.errors import FootageTooLarge, UnreadableFootage, UnsafeArchive
from fer_core.limits import FootageLimits
from tests.made_footage import bad_uploads, write_zip


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def test_members_come_out_whole_one_by_one(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "day.zip"
    write_zip(path, {"a.jpg": b"first", "till/b.MP4": b"second" * 400_000})
    members = unpack(path, into)
    first = next(members)
    assert first.name == "day.zip/a.jpg"
    assert first.path is not None
    assert first.path.read_bytes() == b"first"
    assert len(list(into.iterdir())) == 1  # the second waits for its turn
    second = next(members)
    assert second.path is not None
    assert second.path.suffix == ".mp4"
    assert second.path.read_bytes() == b"second" * 400_000
    assert second.size == 2_400_000
    assert list(members) == []


def test_two_members_of_one_name_do_not_overwrite_each_other(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "day.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.jpg", b"2")
    assert [m.path.read_bytes() for m in unpack(path, into) if m.path] == [b"1", b"2"]


def test_what_the_system_adds_is_passed_over(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "mac.zip"
    write_zip(
        path,
        {"till/": b"", "till/a.jpg": b"x", "__MACOSX/till/._a.jpg": b"y", "till/.DS_Store": b"z"}
        | {"Thumbs.db": b"t"},
    )
    assert [member.name for member in unpack(path, into)] == ["mac.zip/till/a.jpg"]


@pytest.mark.parametrize(
    "name", ["../out.jpg", "a/../../out.jpg", "/etc/out.jpg", "C:/out.jpg", "..\\out.jpg"]
)
def test_a_path_that_climbs_out_costs_only_its_member(
    tmp_path: Path, into: Path, name: str
) -> None:
    path = tmp_path / "day.zip"
    write_zip(path, {name: b"evil", "good.jpg": b"good"})
    bad, good = unpack(path, into)
    assert isinstance(bad.error, UnsafeArchive)
    assert bad.path is None
    assert good.error is None
    assert {p.resolve() for p in tmp_path.rglob("*") if p.is_file()} == {
        path.resolve(),
        good.path.resolve() if good.path else None,
    }


def test_a_link_is_not_followed(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("a.jpg")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    (member,) = unpack(path, into)
    assert isinstance(member.error, UnsafeArchive)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("kind", ["bomb", "climbing", "nested", "encrypted"])
def test_a_bad_member_is_told_in_a_sentence_and_leaves_nothing(
    tmp_path: Path, into: Path, kind: str
) -> None:
    path = bad_uploads(tmp_path / "bad")[kind]
    (member,) = unpack(path, into)
    assert member.path is None
    assert str(member.error).startswith(f"{path.name}/")
    assert str(member.error).endswith(".")
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("kind", ["damaged", "nothing"])
def test_a_zip_that_is_of_no_use_is_one_error(tmp_path: Path, into: Path, kind: str) -> None:
    path = bad_uploads(tmp_path / "bad")[kind]
    assert is_archive(path)
    with pytest.raises(UnreadableFootage, match=path.name):
        list(unpack(path, into))


def test_a_damaged_member_costs_only_itself(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "day.zip"
    write_zip(path, {"a.jpg": bytes(range(256)) * 40, "b.jpg": b"good"})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    bad, good = unpack(path, into)
    assert isinstance(bad.error, UnreadableFootage)
    assert good.path is not None


def test_too_many_entries_are_refused(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "day.zip"
    write_zip(path, {f"{n}.jpg": b"x" for n in range(6)})
    with pytest.raises(FootageTooLarge, match="more than 5 files"):
        list(unpack(path, into, limits=FootageLimits(archive_entries=5)))


def test_a_directory_too_large_for_its_bound_is_not_even_read(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "day.zip"
    write_zip(path, {f"{'n' * 2000}{n}.jpg": b"x" for n in range(6)})
    with pytest.raises(FootageTooLarge):
        list(unpack(path, into, limits=FootageLimits(archive_entries=10)))


def _with_large_record(zipped: bytes, directory: int, points_to: int | None = None) -> bytes:
    """The zip with the records that large ones have; the old one says of the directory 0 bytes."""
    end = zipped.rindex(b"PK\x05\x06")
    where = int.from_bytes(zipped[end + 16 : end + 20], "little")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 6, 6, directory, where)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end if points_to is None else points_to, 1)
    old = zipped[end : end + 12] + bytes(4) + zipped[end + 16 :]
    return zipped[:end] + record + locator + old


@pytest.mark.parametrize("hidden", ["in the offset", "behind a comment", "before the locator"])
def test_no_zip_steps_over_the_bound_of_its_directory(
    tmp_path: Path, into: Path, hidden: str
) -> None:
    path = tmp_path / "day.zip"
    write_zip(path, {f"{'n' * 2000}{n}.jpg": b"x" for n in range(6)})
    data = path.read_bytes()
    directory = int.from_bytes(data[-10:-6], "little")
    if hidden == "in the offset":
        # zipfile itself corrects an offset that is wrong.
        data = data[:-6] + b"PK\x05\x06" + data[-2:]
    elif hidden == "behind a comment":
        large = _with_large_record(data, directory)
        data = large[:-2] + b"\xff\xff" + b"c" * 65535
    else:
        data = _with_large_record(data, directory, points_to=0)
    path.write_bytes(data)
    with pytest.raises(FootageTooLarge):
        list(unpack(path, into, limits=FootageLimits(archive_entries=10)))


def test_unpacked_bytes_are_bounded_over_all_members(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "day.zip"
    write_zip(path, {f"{n}.jpg": b"x" * 1000 for n in range(4)})
    members = unpack(path, into, limits=FootageLimits(archive_bytes=2500))
    assert next(members).error is None
    assert next(members).error is None
    with pytest.raises(FootageTooLarge, match=r"day\.zip"):
        next(members)
    assert len(list(into.iterdir())) == 2


def test_the_user_sees_the_name_they_gave(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "0001.bin"
    write_zip(path, {"a.jpg": b"x"})
    (member,) = unpack(path, into, name="Monday.zip")
    assert member.name == "Monday.zip/a.jpg"


def test_content_decides_what_a_zip_is(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    write_zip(path, {"a.jpg": b"x"})
    assert is_archive(path)
    path.write_bytes(b"\xff\xd8\xff")
    assert not is_archive(path)
