"""The reader gives calibrated probabilities, the same in any batch, and refuses altered files."""

import dataclasses
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.errors import ModelError
from fer_core.expression import WEIGHTS, ExpressionReader, calibrated
from fer_core.model_card import card_json, default_model_dir, read_card, read_metrics
from fer_core.types import EXPRESSIONS


@pytest.fixture(scope="module")
def reader() -> ExpressionReader:
    return ExpressionReader()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped model, to be spoilt."""
    for name in (WEIGHTS, "card.json", "metrics.json"):
        shutil.copyfile(default_model_dir() / name, tmp_path / name)
    return tmp_path


def crops(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth made pictures, uint8 (N, 48, 48)."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, 6, 6)).astype(np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def test_rows_are_probabilities(reader: ExpressionReader) -> None:
    read = reader.read(crops(70))
    assert read.shape == (70, len(EXPRESSIONS))
    assert read.dtype == np.float32
    assert (read >= 0).all()
    assert read.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert len(np.unique(read.round(4), axis=0)) > 60


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_face_is_read_the_same_in_any_batch(reader: ExpressionReader, batch: int) -> None:
    faces = crops(45, 1)
    other = ExpressionReader(batch=batch, threads=1)
    assert (reader.read(faces) == other.read(faces)).all()
    assert (reader.read(faces)[::-1] == reader.read(faces[::-1])).all()


def test_one_face_after_many_is_read_alone(reader: ExpressionReader) -> None:
    faces = crops(20, 2)
    together = reader.read(faces)
    assert (reader.read(faces[7:8]) == together[7:8]).all()
    assert (reader.read(faces) == together).all()


def test_faces_are_read_the_same_by_several_threads_at_the_same_time() -> None:
    faces = crops(64, 3)
    reader = ExpressionReader(threads=1, at_once=4)
    assert reader.at_once == 4
    alone = reader.read(faces)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            parts = list(pool.map(reader.read, np.split(faces, 8)))
            assert (np.concatenate(parts) == alone).all()


def test_no_faces_give_no_rows(reader: ExpressionReader) -> None:
    assert reader.read(crops(0)).shape == (0, len(EXPRESSIONS))


def test_the_temperature_of_the_card_is_applied(model: Path, reader: ExpressionReader) -> None:
    card = read_card(model)
    doubled = dataclasses.replace(card, temperature=card.temperature * 2)
    (model / "card.json").write_bytes(card_json(doubled))
    faces = crops(5)
    flatter = ExpressionReader(model).read(faces)
    assert flatter == pytest.approx(
        calibrated(reader.logits(faces), card.temperature * 2), abs=1e-6
    )
    assert (flatter.max(axis=1) < reader.read(faces).max(axis=1)).all()


def test_two_views_are_a_face_and_its_mirror_image_averaged(reader: ExpressionReader) -> None:
    faces = crops(9, 4)
    mirrored = faces[:, :, ::-1]
    both = (reader.logits(faces, views=1) + reader.logits(mirrored, views=1)) / 2
    assert reader.logits(faces, views=2) == pytest.approx(both, abs=1e-5)
    assert (reader.logits(faces, views=2) == reader.logits(mirrored, views=2)).all()
    assert np.abs(reader.read(faces, views=1) - reader.read(faces, views=2)).max() > 0.01
    with pytest.raises(ValueError, match="once or twice"):
        reader.read(faces, views=3)


def test_as_many_views_as_the_card_says_at_the_temperature_of_as_many(model: Path) -> None:
    faces = crops(9, 5)
    card = dataclasses.replace(read_card(model), temperature=2.0, temperature_of_one_view=3.0)
    for views, temperature in ((1, 2.0), (2, 2.0)):
        changed = dataclasses.replace(card, views=views)
        (model / "card.json").write_bytes(card_json(changed))
        reader = ExpressionReader(model)
        expected = calibrated(reader.logits(faces, views=views), temperature)
        assert (reader.read(faces) == expected).all()
        once = calibrated(reader.logits(faces, views=1), 3.0)
        assert (reader.read(faces, views=1) == once).all()


def test_calibrated_is_a_softmax_that_survives_large_logits() -> None:
    logits = np.array([[1e4, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], np.float32)
    assert calibrated(logits, 1.0)[0] == pytest.approx([1, 0, 0, 0, 0, 0, 0])
    assert calibrated(logits, 1.0)[1] == pytest.approx(np.full(7, 1 / 7))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 48, 48), np.float32),
        np.zeros((48, 48), np.uint8),
        np.zeros((2, 64, 64), np.uint8),
    ],
)
def test_other_shapes_and_types_are_refused(
    reader: ExpressionReader, wrong: NDArray[np.uint8]
) -> None:
    with pytest.raises(ValueError, match="crops must be uint8"):
        reader.read(wrong)


def test_altered_weights_are_refused(model: Path) -> None:
    weights = bytearray((model / WEIGHTS).read_bytes())
    weights[len(weights) // 2] ^= 1
    (model / WEIGHTS).write_bytes(weights)
    with pytest.raises(ModelError, match="not those that its card describes"):
        ExpressionReader(model)


def test_weights_that_are_no_model_are_refused(model: Path) -> None:
    (model / WEIGHTS).write_bytes(b"nothing")
    digest = hashlib.sha256(b"nothing").hexdigest()
    card = dataclasses.replace(read_card(model), sha256={WEIGHTS: digest})
    (model / "card.json").write_bytes(card_json(card))
    with pytest.raises(ModelError, match="cannot be loaded"):
        ExpressionReader(model)


@pytest.mark.parametrize("name", [WEIGHTS, "card.json"])
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / name).unlink()
    with pytest.raises(ModelError, match=name):
        ExpressionReader(model)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("expressions", list(reversed(EXPRESSIONS)), "other expressions"),
        ("input_size", 64, "other expressions or sizes"),
        ("temperature", 0, "no usable temperature"),
        ("temperature", "warm", "does not hold what it should"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(
    model: Path, key: str, value: object, sentence: str
) -> None:
    card = json.loads((model / "card.json").read_text())
    (model / "card.json").write_text(json.dumps({**card, key: value}))
    with pytest.raises(ModelError, match=sentence):
        ExpressionReader(model)


def test_the_folder_of_the_model_can_be_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFACE_MODEL_DIR", str(model))
    assert default_model_dir() == model


def test_the_shipped_files_belong_together() -> None:
    card, measured = read_card(), read_metrics()
    assert measured.version == card.version
    for name, digest in card.sha256.items():
        content = (default_model_dir() / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
    assert set(card.sha256) == {WEIGHTS, "expression.keras"}
    assert 0 < card.unknown_below < 1


def test_the_shipped_figures_agree_with_each_other() -> None:
    measured = read_metrics()
    splits = [split for split in (measured.validation, measured.test) if split]
    assert read_card().figures == splits[-1].figures
    for split in splits:
        counts = np.array(split.confusion)
        assert counts.sum() == split.faces
        assert np.trace(counts) / split.faces == pytest.approx(split.figures["accuracy"].value)
        assert sum(entry.faces for entry in split.reliability) == split.faces
        assert [entry.expression for entry in split.classes] == list(EXPRESSIONS)
        assert [entry.faces for entry in split.classes] == counts.sum(axis=1).tolist()
        assert [entry.faces for entry in split.classes] == list(
            measured.labels[split.split].values()
        )
        for figure in split.figures.values():
            assert figure.low < figure.high
