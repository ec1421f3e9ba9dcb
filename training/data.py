"""FER2013 in the three layouts that people have, checked and cleaned, as arrays.

    folders   ``train/<class>/*.jpg`` and ``validation/<class>/*.jpg``: the study's; validation is
              split 6:4 into validation and test, per class, in one draw for all
    csv       Kaggle's ``fer2013.csv`` with the columns emotion, pixels, Usage
    packed    ``*.npz``: the images as sheets of tiles, with FER+ votes

The official names are kept apart by use: Training is ``training``, PublicTest ``validation``
(everything is chosen on it), PrivateTest ``test`` (looked at once for each released model).
"""

import csv
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.errors import SatisfaceError
from fer_core.preprocessing import FACE_SIZE
from fer_core.types import EXPRESSIONS

DATA_VARIABLE: Final = "SATISFACE_TRAINING_DATA"

VOTE_NAMES: Final = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
"""FER+'s columns (Barsoum et al., 2016, arXiv:1608.01041); NF: not a face."""

VOTES_OF_EXPRESSIONS: Final = (4, 5, 6, 1, 3, 2, 0)
"""The FER+ column of each of EXPRESSIONS."""

NEAR_DUPLICATE_CORRELATION: Final = 0.97

FOLDERS: Final = "folders"
"""The one layout that is not divided officially."""

_DAMAGED: Final = (
    *(OSError, EOFError, ValueError, RuntimeError, TypeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What NumPy raises for an archive that is damaged, cut off, or something else."""

_USAGES: Final = ("Training", "PublicTest", "PrivateTest")
_PICTURES: Final = {".jpg", ".jpeg", ".png", ".bmp"}


class DataError(SatisfaceError):
    """The training data is missing, incomplete or not what it should be."""


@dataclass(frozen=True, slots=True)
class Split:
    """Faces with their labels.

    ``images``: uint8 (N, 48, 48), grey. ``labels``: int8 (N,), indices into EXPRESSIONS.
    ``votes``: uint8 (N, 10), FER+'s counts in VOTE_NAMES' order (all zero where a face has
    none), or None where the layout carries none.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int8]
    votes: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Split":
        """The faces that a mask or indices choose."""
        votes = None if self.votes is None else self.votes[chosen]
        return Split(self.images[chosen], self.labels[chosen], votes)

    def no_face(self) -> NDArray[np.bool_]:
        """bool (N,): FER+'s taggers said "not a face", and nothing else more often."""
        if self.votes is None:
            return np.zeros(len(self), np.bool_)
        not_face = self.votes[:, -1]
        return np.asarray((not_face > 0) & (not_face >= self.votes[:, :-1].max(axis=1)), np.bool_)

    def counts(self) -> dict[str, int]:
        """Number of faces of each expression."""
        counts = np.bincount(self.labels, minlength=len(EXPRESSIONS))
        return dict(zip(EXPRESSIONS, counts.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class FaceData:
    """The three splits. ``layout``: "folders", "csv" or "packed". ``dropped``: how many Training
    images were left out, by reason."""

    training: Split
    validation: Split
    test: Split
    layout: str
    dropped: dict[str, int]


def check_division(name: str, learnt: Mapping[str, Any], faces: FaceData) -> None:
    """Raises DataError where ``faces`` hold out others for validation and test than ``learnt``,
    what run.json tells of the data behind the run or model ``name``: it may have learnt them."""
    way_out = "Give --data what it was trained on."
    layout = str(learnt["layout"])
    if (layout == FOLDERS) != (faces.layout == FOLDERS):
        raise DataError(
            f"Of what these data hold out, {name} has learnt most: it was trained on "
            f"{_divided(layout)}, and they are {_divided(faces.layout)}. {way_out}"
        )
    held_out = {"validation": faces.validation.counts(), "test": faces.test.counts()}
    if any(learnt[split] != counts for split, counts in held_out.items()):
        raise DataError(
            f"These data hold out other faces than those that {name} was trained without. {way_out}"
        )


def _divided(layout: str) -> str:
    if layout == FOLDERS:
        return "folders train and validation"
    return "FER2013 in its official splits"


def data_path(given: Path | None) -> Path:
    """``given``, or what SATISFACE_TRAINING_DATA names. Raises DataError where neither is."""
    named = given or os.environ.get(DATA_VARIABLE)
    if not named:
        raise DataError(f"Say where the training data is: --data, or the variable {DATA_VARIABLE}.")
    return Path(named)


def load(path: Path, *, clean: bool = True) -> FaceData:
    """Read, check and (unless ``clean`` is false) clean the data at ``path``.

    Cleaning drops from Training what would flatter the figures or teach nonsense: images that
    are also (exactly or nearly) in validation or test, and images that are no face.

    Raises DataError.
    """
    if not path.exists():
        raise DataError(f"There is no training data at {path}.")
    if path.is_dir():
        csv_path, packed = path / "fer2013.csv", sorted(path.glob("*.npz"))
        if (path / "train").is_dir():
            data = _read_folders(path)
        elif csv_path.exists():
            data = _read_csv(csv_path)
        elif packed:
            data = _read_packed(packed[0])
        else:
            raise DataError(f"{path} holds no folder train, no fer2013.csv and no .npz file.")
    elif path.suffix == ".csv":
        data = _read_csv(path)
    elif path.suffix == ".npz":
        data = _read_packed(path)
    else:
        raise DataError(f"{path} is neither a folder, a .csv nor a .npz file.")
    for name, split in (
        ("training", data.training),
        ("validation", data.validation),
        ("test", data.test),
    ):
        missing = [expression for expression, count in split.counts().items() if count == 0]
        if missing:
            raise DataError(f"The {name} images in {path} lack the classes {', '.join(missing)}.")
    return cleaned(data) if clean else data


def cleaned(data: FaceData) -> FaceData:
    """Without the Training images that are no face or that validation or test hold as well."""
    held_out = np.concatenate([data.validation.images, data.test.images])
    no_face = data.training.no_face()
    exact = is_among(data.training.images, held_out)
    near = near_duplicates(data.training.images, held_out) & ~exact
    return replace(
        data,
        training=data.training.take(~(no_face | exact | near)),
        dropped={
            "no face": int(no_face.sum()),
            "exact duplicate": int((exact & ~no_face).sum()),
            "near duplicate": int((near & ~no_face).sum()),
        },
    )


def is_among(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """bool (N,): which ``images`` (N, h, w) have a byte-identical twin in ``others``."""
    known = {image.tobytes() for image in others}
    return np.fromiter((image.tobytes() in known for image in images), np.bool_, len(images))


def near_duplicates(
    images: NDArray[np.uint8],
    others: NDArray[np.uint8],
    *,
    correlation: float = NEAR_DUPLICATE_CORRELATION,
    block: int = 2048,
) -> NDArray[np.bool_]:
    """bool (N,): which ``images`` correlate with one of ``others`` by more than ``correlation``
    (Pearson's, over pixels). Images of one flat tone resemble nothing."""
    target = _standardised(others).T
    found = np.zeros(len(images), np.bool_)
    for start in range(0, len(images), block):
        scores = _standardised(images[start : start + block]) @ target
        found[start : start + block] = scores.max(axis=1) > correlation
    return found


def _standardised(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(norm, 1e-6), np.float32)


def soft_labels(split: Split, *, label_weight: float, smoothing: float) -> NDArray[np.float32]:
    """float32 (N, 7), rows summing to 1: ``label_weight`` of FER2013's label and the rest of
    FER+'s votes, for faces that have votes for one of EXPRESSIONS; the label alone for the
    others. ``smoothing``: share spread evenly over the classes."""
    classes = len(EXPRESSIONS)
    targets = np.eye(classes, dtype=np.float32)[split.labels]
    if split.votes is not None:
        votes = split.votes[:, VOTES_OF_EXPRESSIONS].astype(np.float32)
        total = votes.sum(axis=1, keepdims=True)
        mixed = label_weight * targets + (1 - label_weight) * votes / np.maximum(total, 1)
        targets = np.where(total > 0, mixed, targets)
    return np.asarray((1 - smoothing) * targets + smoothing / classes, np.float32)


def _read_folders(path: Path) -> FaceData:
    training = _read_class_folders(path / "train")
    if not (path / "validation").is_dir():
        raise DataError(f"{path} has a folder train but no folder validation.")
    rest = _read_class_folders(path / "validation")
    # One draw for all runs: what one validates on, another must not be tested with.
    generator = np.random.default_rng(0)
    first: list[NDArray[np.intp]] = []
    second: list[NDArray[np.intp]] = []
    for label in range(len(EXPRESSIONS)):
        rows = generator.permutation(np.flatnonzero(rest.labels == label))
        cut = round(len(rows) * 0.6)
        first.append(rows[:cut])
        second.append(rows[cut:])
    return FaceData(
        training,
        rest.take(np.sort(np.concatenate(first))),
        rest.take(np.sort(np.concatenate(second))),
        FOLDERS,
        {},
    )


def _read_class_folders(path: Path) -> Split:
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir())
    unknown = [folder.name for folder in folders if folder.name not in EXPRESSIONS]
    if unknown:
        raise DataError(f"{path} holds folders that are no expression: {', '.join(unknown)}.")
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    unreadable: list[str] = []
    for folder in folders:
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() not in _PICTURES:
                continue
            encoded = np.frombuffer(file.read_bytes(), np.uint8)
            image = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE) if len(encoded) else None
            if image is None:
                unreadable.append(f"{folder.name}/{file.name}")
                continue
            if image.shape != (FACE_SIZE, FACE_SIZE):
                height, width = image.shape
                raise DataError(f"{file} is {width}x{height} pixels, not {FACE_SIZE}x{FACE_SIZE}.")
            images.append(np.asarray(image, np.uint8))
            labels.append(EXPRESSIONS.index(folder.name))
    if unreadable:
        raise DataError(
            f"{len(unreadable)} files in {path} cannot be read as pictures, "
            f"{', '.join(unreadable[:3])} among them."
        )
    if not images:
        raise DataError(f"{path} holds no pictures in folders named after the expressions.")
    return Split(np.stack(images), np.asarray(labels, np.int8))


def _read_csv(path: Path) -> FaceData:
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    usages: list[int] = []
    for line, (label, pixels, usage) in _csv_rows(path):
        try:
            values = np.array(pixels.split(), np.uint8)
        except (ValueError, OverflowError) as error:
            raise DataError(f"{path}, line {line}: pixels must be 0 to 255.") from error
        if values.size != FACE_SIZE**2:
            raise DataError(f"{path}, line {line}: {values.size} pixels, not {FACE_SIZE**2}.")
        if label not in {str(number) for number in range(len(EXPRESSIONS))}:
            raise DataError(f"{path}, line {line}: {label!r} is not a label from 0 to 6.")
        if usage not in _USAGES:
            raise DataError(f"{path}, line {line}: {usage!r} is not one of {_USAGES}.")
        images.append(values.reshape(FACE_SIZE, FACE_SIZE))
        labels.append(int(label))
        usages.append(_USAGES.index(usage))
    if not images:
        raise DataError(f"{path} holds no rows.")
    faces = Split(np.stack(images), np.asarray(labels, np.int8))
    return _by_usage(faces, np.asarray(usages), "csv")


def _csv_rows(path: Path) -> Iterator[tuple[int, tuple[str, str, str]]]:
    """Lines with what they hold of emotion, pixels and Usage. A byte order mark, which Excel
    writes, is no part of the first column's name."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = {name.strip(): name for name in reader.fieldnames or ()}
            missing = [name for name in ("emotion", "pixels", "Usage") if name not in columns]
            if missing:
                raise DataError(f"{path} lacks the columns {', '.join(missing)}.")
            for row in reader:
                emotion, pixels, usage = (
                    (row[columns[name]] or "").strip() for name in ("emotion", "pixels", "Usage")
                )
                yield reader.line_num, (emotion, pixels, usage)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as a .csv file in UTF-8; was it copied whole?"
        ) from error


def _read_packed(path: Path) -> FaceData:
    try:
        # Opened here: NumPy leaves what is no archive open.
        with path.open("rb") as file, np.load(file) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _DAMAGED as error:
        raise DataError(f"{path} cannot be read as a .npz file; was it copied whole?") from error
    missing = [name for name in ("tile", "labels", "split") if name not in arrays]
    if missing:
        raise DataError(f"{path} lacks the arrays {', '.join(missing)}.")
    images = _untile(path, arrays)
    labels = np.asarray(arrays["labels"], np.int8)
    if len(labels) != len(images) or len(arrays["split"]) != len(images):
        raise DataError(f"{path} holds {len(images)} images but {len(labels)} labels.")
    if labels.min() < 0 or labels.max() >= len(EXPRESSIONS):
        raise DataError(f"{path} holds labels outside 0 to {len(EXPRESSIONS) - 1}.")
    votes: NDArray[np.uint8] | None = None
    if "ferplus_votes" in arrays:
        votes = np.asarray(arrays["ferplus_votes"], np.uint8)
        if "ferplus_valid" in arrays:
            votes = np.asarray(votes * arrays["ferplus_valid"].astype(np.uint8)[:, None])
    return _by_usage(Split(images, labels, votes), arrays["split"], "packed")


def _untile(path: Path, arrays: dict[str, NDArray[np.generic]]) -> NDArray[np.uint8]:
    """The images of the sheets ``sheet_*``: each an encoded picture of equal tiles, row by row;
    ``tile`` holds (images, height, width, channels, tiles in a row)."""
    count, height, width, channels, columns = (int(value) for value in arrays["tile"])
    if (height, width, channels) != (FACE_SIZE, FACE_SIZE, 1):
        raise DataError(f"{path} holds tiles of {width}x{height}x{channels}.")
    parts: list[NDArray[np.uint8]] = []
    for name in sorted(name for name in arrays if name.startswith("sheet_")):
        encoded = np.frombuffer(io.BytesIO(arrays[name].tobytes()).getbuffer(), np.uint8)
        sheet = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
        if sheet is None or sheet.shape[1] != columns * width or sheet.shape[0] % height:
            raise DataError(f"{path}: {name} cannot be read as a sheet of tiles.")
        tiles = np.asarray(sheet, np.uint8).reshape(-1, height, columns, width)
        parts.append(tiles.swapaxes(1, 2).reshape(-1, height, width))
    images = np.concatenate(parts)[:count] if parts else np.empty((0, height, width), np.uint8)
    if len(images) != count:
        raise DataError(f"{path} says {count} images but its sheets hold {len(images)}.")
    return images


def _by_usage(faces: Split, usage: NDArray[np.generic], layout: str) -> FaceData:
    training, validation, test = (
        faces.take(np.asarray(usage == number, np.bool_)) for number in range(3)
    )
    return FaceData(training, validation, test, layout, {})
