"""The three layouts give the same faces, and what is wrong with them is said."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_core.types import EXPRESSIONS
from training import data
from training.data import DataError, FaceData, Split

MadeFaces = Callable[[int, int], Split]


def write_folders(path: Path, training: Split, validation: Split) -> None:
    for name, split in (("train", training), ("validation", validation)):
        for number, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            folder = path / name / EXPRESSIONS[label]
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{number:04}.png"), image)


def write_csv(path: Path, made: FaceData) -> Path:
    lines = ["emotion,pixels,Usage"]
    for usage, split in (
        ("Training", made.training),
        ("PublicTest", made.validation),
        ("PrivateTest", made.test),
    ):
        for image, label in zip(split.images, split.labels, strict=True):
            lines.append(f"{label},{' '.join(map(str, image.ravel()))},{usage}")
    file = path / "fer2013.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def write_packed(path: Path, made: FaceData, *, columns: int = 5) -> Path:
    splits = (made.training, made.validation, made.test)
    images = np.concatenate([split.images for split in splits])
    count = len(images)
    padded = np.zeros((-(-count // columns) * columns, 48, 48), np.uint8)
    padded[:count] = images
    sheet = padded.reshape(-1, columns, 48, 48).swapaxes(1, 2).reshape(-1, columns * 48)
    half = sheet.shape[0] // 48 // 2 * 48
    votes = np.zeros((count, 10), np.uint8)
    votes[:, 0] = 10
    votes[0] = (0, 0, 0, 0, 2, 0, 0, 0, 0, 8)  # the first Training image is no face
    file = path / "made.npz"
    np.savez(
        file,
        tile=np.array([count, 48, 48, 1, columns]),
        sheet_000=cv2.imencode(".png", sheet[:half])[1].ravel(),
        sheet_001=cv2.imencode(".png", sheet[half:])[1].ravel(),
        labels=np.concatenate([split.labels for split in splits]),
        split=np.repeat(np.arange(3, dtype=np.uint8), [len(split) for split in splits]),
        ferplus_votes=votes,
        ferplus_valid=np.arange(count) != 1,
    )
    return file


def test_folders_give_training_and_a_stratified_six_to_four_split(
    tmp_path: Path, made_faces: MadeFaces
) -> None:
    write_folders(tmp_path, made_faces(4, 1), made_faces(5, 2))
    loaded = data.load(tmp_path)
    assert loaded.layout == "folders"
    assert set(loaded.training.counts().values()) == {4}
    assert set(loaded.validation.counts().values()) == {3}
    assert set(loaded.test.counts().values()) == {2}
    both = {image.tobytes() for image in loaded.validation.images} | {
        image.tobytes() for image in loaded.test.images
    }
    assert both == {image.tobytes() for image in made_faces(5, 2).images}


def test_folders_are_split_alike_every_time_and_by_chance(
    tmp_path: Path, made_faces: MadeFaces
) -> None:
    write_folders(tmp_path, made_faces(4, 1), made_faces(10, 2))
    first, again = (data.load(tmp_path) for _ in range(2))
    assert np.array_equal(first.validation.images, again.validation.images)
    assert np.array_equal(first.test.images, again.test.images)
    images = made_faces(10, 2).images
    in_order = {image.tobytes() for image in images[6::10]}
    assert not in_order <= {image.tobytes() for image in first.test.images}


def test_csv_rows_go_where_their_usage_says(tmp_path: Path, made_data: FaceData) -> None:
    loaded = data.load(write_csv(tmp_path, made_data))
    for name in ("training", "validation", "test"):
        assert np.array_equal(getattr(loaded, name).images, getattr(made_data, name).images)
        assert np.array_equal(getattr(loaded, name).labels, getattr(made_data, name).labels)


def test_packed_sheets_are_cut_in_order_and_votes_that_do_not_hold_are_emptied(
    tmp_path: Path, made_data: FaceData
) -> None:
    loaded = data.load(write_packed(tmp_path, made_data), clean=False)
    assert np.array_equal(loaded.training.images, made_data.training.images)
    assert np.array_equal(loaded.test.images, made_data.test.images)
    assert loaded.training.votes is not None
    assert loaded.training.votes.sum(axis=1).tolist()[:3] == [10, 0, 10]


def test_training_loses_what_is_no_face_and_what_the_other_splits_hold(
    tmp_path: Path, made_data: FaceData
) -> None:
    images = made_data.training.images.copy()
    images[1] = made_data.test.images[0]
    images[2] = np.clip(made_data.validation.images[4].astype(int) + 3, 0, 255)
    made = FaceData(
        Split(images, made_data.training.labels), made_data.validation, made_data.test, "", {}
    )
    loaded = data.load(write_packed(tmp_path, made))
    assert loaded.dropped == {"no face": 1, "exact duplicate": 1, "near duplicate": 1}
    assert np.array_equal(loaded.training.images, images[3:])


def test_no_face_wins_where_the_taggers_are_even() -> None:
    votes = np.zeros((3, 10), np.uint8)
    votes[0, [3, 9]] = (5, 5)
    votes[1, [3, 9]] = (6, 4)
    split = Split(np.zeros((3, 48, 48), np.uint8), np.zeros(3, np.int8), votes)
    assert split.no_face().tolist() == [True, False, False]


def test_a_flat_image_is_near_nothing() -> None:
    flat = np.full((2, 48, 48), 90, np.uint8)
    assert not data.near_duplicates(flat, flat).any()


def test_near_duplicates_are_the_same_in_any_block(made_faces: MadeFaces) -> None:
    images, others = made_faces(4, 1).images, made_faces(2, 1).images
    whole = data.near_duplicates(images, others, correlation=0.9)
    assert whole.any()
    assert not whole.all()
    assert np.array_equal(whole, data.near_duplicates(images, others, correlation=0.9, block=5))


def test_soft_labels_mix_votes_for_our_expressions_with_the_label() -> None:
    votes = np.zeros((2, 10), np.uint8)
    votes[0, [1, 2, 7]] = (6, 2, 2)  # happiness, surprise, contempt
    votes[1, 9] = 10  # no face: no vote for any expression
    split = Split(np.zeros((2, 48, 48), np.uint8), np.array([6, 0], np.int8), votes)
    soft = data.soft_labels(split, label_weight=0.6, smoothing=0.0)
    assert soft[0] == pytest.approx([0, 0, 0, 0.4 * 0.75, 0, 0.4 * 0.25, 0.6])
    assert soft[1] == pytest.approx([1, 0, 0, 0, 0, 0, 0])
    smooth = data.soft_labels(split, label_weight=1.0, smoothing=0.7)
    assert smooth[1] == pytest.approx([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])


def spoil_missing_class(folder: Path) -> None:
    for file in (folder / "train" / "fear").iterdir():
        file.unlink()


def spoil_unknown_class(folder: Path) -> None:
    (folder / "train" / "joy").mkdir()


def spoil_unreadable(folder: Path) -> None:
    (folder / "train" / "fear" / "0.jpg").write_bytes(b"no picture")


def spoil_empty_file(folder: Path) -> None:
    (folder / "validation" / "sad" / "0.jpg").write_bytes(b"")


def spoil_size(folder: Path) -> None:
    cv2.imwrite(str(folder / "train" / "fear" / "0.png"), np.zeros((48, 64), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoil_missing_class, "training images .* lack the classes fear"),
        (spoil_unknown_class, "no expression: joy"),
        (spoil_unreadable, r"1 files .* fear/0\.jpg"),
        (spoil_empty_file, r"1 files .* sad/0\.jpg"),
        (spoil_size, "is 64x48 pixels, not 48x48"),
    ],
)
def test_spoilt_folders_are_named(
    tmp_path: Path, made_faces: MadeFaces, spoil: Callable[[Path], None], sentence: str
) -> None:
    write_folders(tmp_path, made_faces(2, 1), made_faces(5, 2))
    spoil(tmp_path)
    with pytest.raises(DataError, match=sentence):
        data.load(tmp_path)


GOOD_PIXELS = " ".join(["7"] * 2304)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("emotion,pixels\n", "lacks the columns Usage"),
        ("emotion,pixels,Usage\n", "holds no rows"),
        ("emotion,pixels,Usage\n0,1 2 3,Training\n", "line 2: 3 pixels, not 2304"),
        (f"emotion,pixels,Usage\n7,{GOOD_PIXELS},Training\n", "line 2: '7' is not a label"),
        (f"emotion,pixels,Usage\n0,{GOOD_PIXELS},Test\n", "line 2: 'Test' is not one of"),
        ("emotion,pixels,Usage\n0,x y,Training\n", "line 2: pixels must be 0 to 255"),
        ("emotion,pixels,Usage\n0,1 300,Training\n", "line 2: pixels must be 0 to 255"),
    ],
)
def test_a_spoilt_csv_is_named_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "fer2013.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=sentence):
        data.load(file)


def test_a_spoilt_npz_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    with pytest.raises(DataError, match="cannot be read as a "):
        data.load(text)
    lacking = tmp_path / "lacking.npz"
    np.savez(lacking, labels=np.zeros(3))
    with pytest.raises(DataError, match="lacks the arrays tile, split"):
        data.load(lacking)
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, tile=[9, 48, 48, 1, 3], labels=np.zeros(9), split=np.zeros(9))
    with pytest.raises(DataError, match="says 9 images but its sheets hold 0"):
        data.load(wrong)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def overwritten(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(100) + content[middle + 100 :]


def with_an_unknown_compression(content: bytes) -> bytes:
    method = content.index(b"PK\x01\x02") + 10
    return content[:method] + b"\x63" + content[method + 1 :]


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (cut, zipfile.BadZipFile),
        (overwritten, zlib.error),
        (with_an_unknown_compression, NotImplementedError),
    ],
)
def test_a_damaged_npz_is_named(
    tmp_path: Path, damage: Callable[[bytes], bytes], cause: type[Exception]
) -> None:
    file = tmp_path / "packed.npz"
    sheet = np.random.default_rng(0).integers(0, 9, 4000).astype(np.uint8)
    np.savez_compressed(file, sheet_000=sheet)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=r"packed\.npz cannot be read") as told:
        data.load(file)
    assert isinstance(told.value.__cause__, cause)


def test_an_array_under_the_name_of_an_archive_is_named(tmp_path: Path) -> None:
    file = tmp_path / "array.npz"
    with file.open("wb") as opened:
        np.save(opened, np.zeros(3))
    with pytest.raises(DataError, match=r"array\.npz cannot be read"):
        data.load(file)


def test_a_csv_may_begin_with_a_byte_order_mark(tmp_path: Path, made_data: FaceData) -> None:
    file = write_csv(tmp_path, made_data)
    file.write_text(file.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert data.load(file, clean=False).validation.counts() == made_data.validation.counts()


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param("0,é,Training\n".encode("latin-1"), id="not UTF-8"),
        pytest.param(b"0," + b"7" * 200_000 + b",Training\n", id="a field too long"),
    ],
)
def test_a_csv_that_is_no_text_of_fields_is_named(tmp_path: Path, rows: bytes) -> None:
    file = tmp_path / "fer2013.csv"
    file.write_bytes(b"emotion,pixels,Usage\n" + rows)
    with pytest.raises(DataError, match=r"fer2013\.csv cannot be read as a \.csv file"):
        data.load(file)


def test_a_place_without_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no training data at"):
        data.load(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no folder train"):
        data.load(tmp_path)


def test_the_path_comes_from_the_flag_or_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(data.DATA_VARIABLE, raising=False)
    with pytest.raises(DataError, match=data.DATA_VARIABLE):
        data.data_path(None)
    monkeypatch.setenv(data.DATA_VARIABLE, str(tmp_path))
    assert data.data_path(None) == tmp_path
    assert data.data_path(Path("given")) == Path("given")
