"""What ships answers as the network it came from, and reads as well as promised."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fer_core.errors import ModelError
from fer_core.expression import ExpressionReader, views_of
from fer_core.model_card import default_model_dir, read_card, read_metrics
from fer_core.preprocessing import to_model_input
from tests.made_footage import face_picture
from training import data, history
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
from training.evaluate import main as measure_shipped
from training.export import Candidate, choose, export, move
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


@pytest.fixture(scope="module")
def faces(made_data: FaceData) -> FaceData:
    """Made faces, those of PublicTest with ten votes for neutral each."""
    votes = np.zeros((len(made_data.validation), 10), np.uint8)
    votes[:, 0] = 10
    voted = Split(made_data.validation.images, made_data.validation.labels, votes)
    return dataclasses.replace(made_data, validation=voted)


@pytest.fixture(scope="module")
def run(faces: FaceData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six epochs."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
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
    train(config, faces, folder, verbose=0)
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, faces: FaceData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "model"
    export(run, faces, folder, "test")
    return folder


@pytest.fixture
def model(exported: Path, tmp_path: Path) -> Path:
    """What the run gave, to be changed."""
    return shutil.copytree(exported, tmp_path / "model")


def shown_in(model: Path) -> set[str]:
    """The version and the split that the pictures of PrivateTest or PublicTest tell."""
    titles = set()
    for name in ("confusion", "reliability", "risk_coverage"):
        with Image.open(model / "figures" / f"{name}.png") as image:
            titles.add(image.info["Title"])
    return titles


def contents(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_a_run_is_shipped_and_measured(run: Path, faces: FaceData, exported: Path) -> None:
    card, measured = read_card(exported), read_metrics(exported)
    assert card.version == measured.version == "test"
    best = history.best(history.read(run))["val_accuracy"]
    assert measured.validation.figures["accuracy"].value == pytest.approx(best, abs=1e-3)
    assert card.trained_on.startswith("FER2013 Training, 56 faces")
    assert "votes" not in card.trained_on
    assert measured.test is None
    assert len(measured.history) == 6
    for name in ("curves", "confusion", "reliability", "risk_coverage"):
        assert (exported / "figures" / f"{name}.png").stat().st_size > 1000

    reader = ExpressionReader(exported)
    again = evaluate(reader, "PublicTest", faces.validation)
    assert again.confusion == measured.validation.confusion
    assert "PublicTest, 21 faces" in summary(again)
    assert sample_sheet(reader, faces.validation, columns=3).shape == (7 * 122, 3 * 104, 3)


def test_a_share_of_votes_wants_a_head_for_them(run: Path, faces: FaceData, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without a head for votes"):
        export(run, faces, tmp_path / "model", "test", votes_share=0.2)


def test_what_is_taken_off_for_frequent_expressions_ships(
    run: Path, faces: FaceData, tmp_path: Path
) -> None:
    export(run, faces, tmp_path / "model", "test", prior_share=0.5)
    assert json.loads(read_card(tmp_path / "model").recipe)["prior_share"] == 0.5
    inputs = to_model_input(faces.validation.images)
    own, shipped = (
        keras.saving.load_model(path, compile=False).predict(inputs, verbose=0)
        for path in (run / "best.keras", tmp_path / "model" / "expression.keras")
    )
    np.testing.assert_allclose(shipped - own, 0.5 * np.log(7), atol=1e-5)  # all are as frequent


def test_private_test_is_looked_at_once_and_drawn(model: Path, faces: FaceData) -> None:
    assert shown_in(model) == {"test, PublicTest"}
    test = record_private_test(model, faces)
    assert read_metrics(model).test == test
    assert read_card(model).split == "PrivateTest"
    assert shown_in(model) == {"test, PrivateTest"}
    assert "accuracy_without_duplicates" in test.figures
    assert [move.change for move in test.moves] == list(MOVES)
    with pytest.raises(ModelError, match="looked at already"):
        record_private_test(model, faces)


def test_a_model_is_not_measured_with_faces_that_it_learnt(model: Path, faces: FaceData) -> None:
    before = contents(model)
    with pytest.raises(DataError, match=r"official splits, and they are folders .* --data"):
        record_private_test(model, dataclasses.replace(faces, layout="folders"))
    fewer = faces.test.take(np.arange(len(faces.test)) > 0)
    with pytest.raises(DataError, match="hold out other faces"):
        record_private_test(model, dataclasses.replace(faces, test=fewer))
    assert contents(model) == before
    record_private_test(model, dataclasses.replace(faces, layout="csv"))  # divided alike


@pytest.mark.parametrize(
    ("layout", "told"), [("folders", "official splits"), ("packed", "hold out other faces")]
)
def test_the_shipped_model_is_measured_on_the_official_splits_alone(
    faces: FaceData, monkeypatch: pytest.MonkeyPatch, layout: str, told: str
) -> None:
    divided = dataclasses.replace(faces, layout=layout)
    monkeypatch.setattr("training.data.load", lambda *_, **__: divided)
    monkeypatch.setattr("sys.argv", ["evaluate", "--data", "study"])
    with pytest.raises(DataError, match=told):
        measure_shipped()


def test_a_run_is_exported_with_the_data_that_it_learnt(
    run: Path, exported: Path, faces: FaceData, tmp_path: Path
) -> None:
    for other in ({"layout": "folders"}, {"validation": faces.test.take(np.arange(20))}):
        with pytest.raises(DataError, match=str(run)):
            export(run, dataclasses.replace(faces, **other), tmp_path / "model")
    in_folders = shutil.copytree(run, tmp_path / "run")
    described = json.loads((run / "run.json").read_text())
    described["data"]["layout"] = "folders"
    (in_folders / "run.json").write_text(json.dumps(described))
    divided = dataclasses.replace(faces, layout="folders")
    with pytest.raises(DataError, match=str(exported)):
        export(in_folders, divided, tmp_path / "model", before=exported)
    assert not (tmp_path / "model").exists()


def test_the_model_before_is_told(run: Path, faces: FaceData, model: Path, tmp_path: Path) -> None:
    unseen = shutil.copytree(run, tmp_path / "run")
    lines = (run / "history.csv").read_text(encoding="utf-8").splitlines()
    first = lines[1].split(",")
    lines[1] = ",".join([*first[:2], "nan", *first[3:]])
    (unseen / "history.csv").write_text("\n".join(lines), encoding="utf-8")
    report = export(unseen, faces, model, "next", before=model)
    assert "float" in report
    recipe = json.loads(read_card(model).recipe)
    assert recipe["name"] == recipe["before"]["name"] == "tiny"
    assert recipe["data"] == recipe["before"]["data"] == "packed"
    assert [figures.epoch for figures in read_metrics(model).history] == list(range(1, 13))
    seen = [figures.accuracy is not None for figures in read_metrics(model).history]
    assert seen == [True] * 6 + [False] + [True] * 5
    ExpressionReader(model)  # weights and card belong together
    assert shown_in(model) == {"next, PublicTest"}


def test_a_model_in_use_stays_whole_until_the_next_is(
    run: Path, faces: FaceData, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(model)

    def interrupted(reader: ExpressionReader, *_: object, **__: object) -> None:
        assert reader.card.temperature_of_one_view is not None  # the next one is fitted
        assert contents(model) == before
        raise KeyboardInterrupt

    monkeypatch.setattr("training.export.evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(run, faces, model, "next", before=model)
    assert contents(model) == before
    assert list(model.parent.iterdir()) == [model]


def test_the_card_of_a_model_is_moved_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new, used = tmp_path / "new", tmp_path / "used"
    for name in ("card.json", "expression.tflite", "figures/curves.png", "metrics.json"):
        for folder in (new, used):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(folder.name)
    moved: list[str] = []
    replace = Path.replace

    def noted(path: Path, place: Path) -> Path:
        moved.append(place.name)
        return replace(path, place)

    monkeypatch.setattr(Path, "replace", noted)
    move(new, used)
    assert set(contents(used).values()) == {b"new"}
    assert moved[-1] == "card.json"


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
