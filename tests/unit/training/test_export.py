"""What ships answers as the network it came from, and reads as well as promised."""

import dataclasses
import json
import os
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.errors import ModelError
from fer_core.expression import ExpressionReader, views_of
from fer_core.model_card import default_model_dir, read_card, read_metrics
from fer_core.preprocessing import to_model_input
from tests.made_footage import face_picture
from training import data
from training.augmentation import Augmentation, AugmentFaces
from training.data import DataError, FaceData, Split
from training.evaluate import (
    MOVES,
    evaluate,
    ferplus_majority,
    moved,
    record_private_test,
    sample_sheet,
    shrunk,
    summary,
    twins_of,
)
from training.export import Candidate, choose, export
from training.history import FIELDS
from training.recipe import Recipe
from training.train import train

# Keras 3.15 saves its variables by a way that NumPy 2 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return keras.saving.load_model(default_model_dir() / "expression.keras")


@pytest.fixture(scope="module")
def public_test() -> Split:
    folder = os.environ.get("SATISFACE_TEST_DATA")
    path = Path(folder) / "fer2013_compact.npz" if folder else None
    if path is None or not path.exists():
        pytest.skip("FER2013 is not there: SATISFACE_TEST_DATA names no folder that holds it")
    return data.load(path, clean=False).validation


def test_the_shipped_network_is_uncompiled_so_that_every_backend_loads_it(
    network: keras.Model,
) -> None:
    assert not network.compiled
    assert network.count_params() == read_card().parameters


def test_litert_and_keras_agree_on_many_views_of_a_face(network: keras.Model) -> None:
    head = face_picture(face_height=48)
    box = head.face
    left, top = round(box.x + box.width / 2) - 24, round(box.y)
    face = cv2.cvtColor(head.pixels[top : top + 48, left : left + 48], cv2.COLOR_BGR2GRAY)
    faces = np.repeat(face[np.newaxis, ..., np.newaxis], 256, axis=0).astype(np.float32)
    views = AugmentFaces(Augmentation(), 2)(faces, training=True)
    images = np.asarray(keras.ops.convert_to_numpy(views)[..., 0], np.uint8)
    expected = network.predict(to_model_input(images), verbose=0)
    read = ExpressionReader().logits(images, views=1)
    assert (read.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99
    assert np.abs(read - expected).max() < 0.05 * np.abs(expected).max()


def test_litert_and_keras_agree_on_public_test(network: keras.Model, public_test: Split) -> None:
    both = [
        network.predict(to_model_input(images), verbose=0)
        for images in views_of(public_test.images, 2)
    ]
    expected = np.mean(both, axis=0).argmax(axis=1)
    read = ExpressionReader().read(public_test.images).argmax(axis=1)
    lost = (expected == public_test.labels).mean() - (read == public_test.labels).mean()
    assert (read == expected).mean() >= 0.99
    assert lost <= 0.003


def test_public_test_is_read_as_well_as_promised(public_test: Split) -> None:
    read = ExpressionReader().read(public_test.images).argmax(axis=1)
    accuracy = float((read == public_test.labels).mean())
    assert accuracy >= 0.68
    assert accuracy == pytest.approx(read_metrics().validation.figures["accuracy"].value, abs=0.002)


def test_a_run_is_shipped_measured_and_looked_at_once(tmp_path: Path, made_data: FaceData) -> None:
    config = Recipe(
        name="tiny",
        widths=(8, 8),
        blocks=(1, 1),
        squeeze=False,
        epochs=6,
        batch_size=14,
        learning_rate=0.1,
        ema_momentum=0.5,
        jit=False,
    )
    votes = np.zeros((len(made_data.validation), 10), np.uint8)
    votes[:, 0] = 10
    voted = Split(made_data.validation.images, made_data.validation.labels, votes)
    faces = FaceData(made_data.training, voted, made_data.test, "packed", {})
    run, model = tmp_path / "run", tmp_path / "model"
    best = train(config, faces, run, verbose=0)
    with pytest.raises(DataError, match="without a head for votes"):
        export(run, faces, model, "test", votes_share=0.2)
    report = export(run, faces, model, "test")
    card, measured = read_card(model), read_metrics(model)
    assert card.version == measured.version == "test"
    assert measured.validation.figures["accuracy"].value == pytest.approx(best, abs=1e-3)
    assert card.trained_on.startswith("FER2013 Training, 56 faces")
    assert "votes" not in card.trained_on
    assert measured.test is None
    assert len(measured.history) == 6
    assert "float" in report
    for name in ("curves", "confusion", "reliability", "risk_coverage"):
        assert (model / "figures" / f"{name}.png").stat().st_size > 1000

    test = record_private_test(model, faces)
    assert read_metrics(model).test == test
    assert read_card(model).split == "PrivateTest"
    assert "accuracy_without_duplicates" in test.figures
    assert [move.change for move in test.moves] == list(MOVES)
    with pytest.raises(ModelError, match="looked at already"):
        record_private_test(model, faces)

    history = run / "history.csv"
    _, first, *others = history.read_text(encoding="utf-8").splitlines()
    unseen = ",".join([*first.split(",")[:2], "nan", *first.split(",")[3:]])
    header = ",".join(FIELDS)
    history.write_text("\n".join([header, unseen, *others]), encoding="utf-8")
    export(run, faces, model, "next", before=model)
    recipe = json.loads(read_card(model).recipe)
    assert recipe["name"] == recipe["before"]["name"] == "tiny"
    assert [figures.epoch for figures in read_metrics(model).history] == list(range(1, 13))
    seen = [figures.accuracy is not None for figures in read_metrics(model).history]
    assert seen == [True] * 6 + [False] + [True] * 5

    reader = ExpressionReader(model)
    again = evaluate(reader, "PublicTest", voted)
    assert again.confusion == measured.validation.confusion
    assert "PublicTest, 21 faces" in summary(again)
    assert sample_sheet(reader, voted, columns=3).shape == (7 * 122, 3 * 104, 3)


def test_faces_are_moved_as_their_words_say() -> None:
    spot = np.zeros((1, 48, 48), np.uint8)
    spot[0, 20:24, 30:34] = 255  # centre at (31.5, 21.5)

    def centre(image: NDArray[np.uint8]) -> tuple[float, float]:
        rows, columns = np.indices(image.shape)
        return float((image * columns).sum() / image.sum()), float(
            (image * rows).sum() / image.sum()
        )

    where = {change: centre(moved(spot, *how)[0].astype(float)) for change, how in MOVES.items()}
    assert where["shifted by a tenth, sideways"] == pytest.approx((36.3, 21.5), abs=0.1)
    assert where["shifted by a tenth, up"] == pytest.approx((31.5, 16.7), abs=0.1)
    assert where["a tenth larger"] == pytest.approx((32.3, 21.3), abs=0.1)
    assert where["a tenth smaller"] == pytest.approx((30.7, 21.7), abs=0.1)


def test_twins_are_found_in_the_other_splits(made_data: FaceData) -> None:
    images = made_data.test.images.copy()
    images[3] = made_data.training.images[5]
    test = Split(images, made_data.test.labels)
    faces = dataclasses.replace(made_data, test=test)
    alone = twins_of(made_data, made_data.test)
    assert twins_of(faces, faces.test)[3]
    assert twins_of(faces, faces.test).sum() <= alone.sum() + 1


def candidate(kind: str, agreement: float, accuracy: float, speed: float) -> Candidate:
    return Candidate(kind, b"", agreement, accuracy, speed)


def test_the_fastest_faithful_file_ships() -> None:
    exact = candidate("float", 1.0, 0.7, 1000)
    assert choose([exact, candidate("other", 0.995, 0.7, 2000)]).kind == "other"
    assert choose([exact, candidate("strays", 0.98, 0.7, 2000)]).kind == "float"
    assert choose([exact, candidate("worse", 0.995, 0.68, 2000)]).kind == "float"
    assert choose([exact, candidate("slower", 1.0, 0.7, 900)]).kind == "float"


def test_the_majority_is_clear_from_more_than_half_of_the_votes() -> None:
    votes = np.zeros((4, 10), np.uint8)
    votes[0, 1] = 10  # happiness
    votes[1, [1, 3]] = (5, 5)  # half and half
    votes[2, [5, 7]] = (6, 4)  # disgust before contempt
    votes[3, 9] = 10  # no face
    majority, clear = ferplus_majority(votes)
    assert clear.tolist() == [True, False, True, False]
    assert majority[clear].tolist() == [3, 1]


def test_shrinking_keeps_the_mean_and_loses_detail() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
    assert shrunk(images, 48) is images
    small = shrunk(images, 16)
    assert small.shape == images.shape
    assert small.mean() == pytest.approx(images.mean(), abs=1)
    assert small.std() < 0.6 * images.std()
