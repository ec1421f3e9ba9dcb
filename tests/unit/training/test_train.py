"""Training goes on where it stopped, and keeps the averaged weights of its best epoch."""

import dataclasses
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest

from fer_core.expression import calibrated
from fer_core.preprocessing import to_model_input
from training import history
from training.augmentation import Augmentation
from training.calibrate import fit_temperature
from training.data import DataError, FaceData, Split, soft_labels
from training.learner import Learner, Statistics, build_network
from training.metrics import nll
from training.network import (
    adjusted,
    leaning_to_votes,
    multiply_adds,
    read_votes_head,
    residual_net,
    study_cnn,
)
from training.recipe import Recipe, read_recipe
from training.train import DrawnFaces, main, targets_of, train

# Keras 3.15 saves its variables by a way that NumPy 2 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "training" / "configs").glob("*.toml"))

TINY = Recipe(
    name="tiny",
    widths=(8, 8),
    blocks=(1, 1),
    squeeze=False,
    epochs=2,
    batch_size=14,
    learning_rate=0.1,
    ema_momentum=0.5,
    jit=False,
)


def test_a_stopped_run_ends_where_an_undisturbed_one_does(
    tmp_path: Path, made_data: FaceData
) -> None:
    train(TINY, made_data, tmp_path / "whole", verbose=0)
    for _ in range(2):
        train(TINY, made_data, tmp_path / "parts", minutes=0, verbose=0)
    whole, parts = history.read(tmp_path / "whole"), history.read(tmp_path / "parts")
    assert [row["epoch"] for row in parts] == [1, 2]
    for one, other in zip(whole, parts, strict=True):
        assert other["learning_rate"] == one["learning_rate"]
        assert other["loss"] == pytest.approx(one["loss"], abs=2e-3)
        assert other["val_loss"] == pytest.approx(one["val_loss"], abs=2e-3)


def test_a_run_that_is_over_stays_as_it_is(tmp_path: Path, made_data: FaceData) -> None:
    train(TINY, made_data, tmp_path, verbose=0)
    described = (tmp_path / "run.json").read_bytes()
    train(dataclasses.replace(TINY, learning_rate=0.5), made_data, tmp_path, verbose=0)
    assert (tmp_path / "run.json").read_bytes() == described


@pytest.fixture(scope="module")
def begun(made_data: FaceData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has one epoch left."""
    folder = tmp_path_factory.mktemp("runs") / "begun"
    train(TINY, made_data, folder, minutes=0, verbose=0)
    return folder


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"widths": (8, 4)}, "another network"),
        ({"strides": (1, 1)}, "another network"),  # of the same weights
        ({"seed": 2}, "another seed"),
    ],
)
def test_a_run_goes_on_as_no_other(
    begun: Path, made_data: FaceData, change: dict[str, Any], told: str
) -> None:
    before = {path.name: path.read_bytes() for path in begun.iterdir()}
    with pytest.raises(DataError, match=rf"checkpoint\.npz .* {told} .* --fresh, .* --out"):
        train(dataclasses.replace(TINY, **change), made_data, begun, verbose=0)
    assert {path.name: path.read_bytes() for path in begun.iterdir()} == before


def test_a_run_goes_on_with_no_other_data(begun: Path, made_data: FaceData) -> None:
    fewer = made_data.training.take(np.arange(len(made_data.training)) > 0)
    for other in ({"layout": "folders"}, {"training": fewer}):
        with pytest.raises(DataError, match=r"checkpoint\.npz .* another set of data"):
            train(TINY, dataclasses.replace(made_data, **other), begun, verbose=0)


def test_a_checkpoint_from_elsewhere_is_named(
    begun: Path, made_data: FaceData, tmp_path: Path
) -> None:
    other = dataclasses.replace(TINY, widths=(8, 4))
    train(other, made_data, tmp_path / "other", minutes=0, verbose=0)
    run = shutil.copytree(begun, tmp_path / "run")
    shutil.copyfile(tmp_path / "other" / "checkpoint.npz", run / "checkpoint.npz")
    with pytest.raises(DataError, match=r"run/checkpoint\.npz .* another network"):
        train(TINY, made_data, run, verbose=0)


def test_a_run_may_be_steered_while_it_goes_on(
    begun: Path, made_data: FaceData, tmp_path: Path
) -> None:
    run = shutil.copytree(begun, tmp_path / "run")
    steered = dataclasses.replace(
        TINY, epochs=3, learning_rate=0.05, dropout=0.1, augmentation=Augmentation(tilt=2.0)
    )
    train(steered, made_data, run, verbose=0)
    assert len(history.read(run)) == 3


def test_a_checkpoint_alone_is_not_gone_on_from(
    begun: Path, made_data: FaceData, tmp_path: Path
) -> None:
    run = shutil.copytree(begun, tmp_path / "run")
    (run / "run.json").unlink()
    with pytest.raises(DataError, match=r"run\.json, .* is gone: .* --fresh"):
        train(TINY, made_data, run, verbose=0)


def test_a_fresh_run_deletes_its_own_files_and_only_once_all_is_there(
    tmp_path: Path, made_data: FaceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ("checkpoint.npz", "history.csv", "best.keras", "votes.npz", "run.json")
    for name in (*own, "tensorboard/events", "notes.txt", "other/checkpoint.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    everything = set(tmp_path.rglob("*"))
    command = ["train", "--config", str(CONFIGS[0]), "--out", str(tmp_path), "--fresh"]
    monkeypatch.setattr("sys.argv", [*command, "--data", str(tmp_path / "nowhere")])
    with pytest.raises(DataError, match="no training data"):
        main()
    for missing in ({"start": "nowhere.keras"}, {"teachers": ("nobody",)}):
        with pytest.raises(DataError, match=r"nowhere|nobody"):
            train(dataclasses.replace(TINY, **missing), made_data, tmp_path, fresh=True)
    assert set(tmp_path.rglob("*")) == everything

    monkeypatch.setattr("training.data.load", lambda _: made_data)
    monkeypatch.setattr("training.train.read_recipe", lambda *_: TINY)
    main()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    new = {"checkpoint.npz", "history.csv", "best.keras", "run.json"}
    assert left == {*new, "notes.txt", "other", "other/checkpoint.npz"}
    assert len(history.read(tmp_path)) == TINY.epochs


def voted(split: Split) -> Split:
    """With ten votes for neutral of each face."""
    votes = np.zeros((len(split), 10), np.uint8)
    votes[:, 0] = 10
    return Split(split.images, split.labels, votes)


def by_brightness(split: Split) -> Split:
    """Faces that a net of two stages tells apart: the brighter, the later the label."""
    levels = (20 + 30 * split.labels.astype(np.uint8))[:, np.newaxis, np.newaxis]
    return Split(split.images // 8 + levels, split.labels)


def test_a_run_learns_and_keeps_its_best(tmp_path: Path, made_data: FaceData) -> None:
    plain = Augmentation(contrast=0, brightness=0, erase=0)
    config = dataclasses.replace(TINY, epochs=20, patience=20, augmentation=plain)
    made_data = dataclasses.replace(
        made_data,
        training=by_brightness(made_data.training),
        validation=by_brightness(made_data.validation),
    )
    best = train(config, made_data, tmp_path, verbose=0)
    assert best > 0.5
    kept = history.best(history.read(tmp_path))
    assert best == kept["val_accuracy"]
    network = keras.saving.load_model(tmp_path / "best.keras")
    assert not network.compiled
    logits = network.predict(to_model_input(made_data.validation.images), verbose=0)
    labels = made_data.validation.labels
    assert (logits.argmax(axis=1) == labels).mean() == pytest.approx(best, abs=1e-4)
    sharp = calibrated(logits, fit_temperature(logits, labels))
    assert nll(sharp, labels) == pytest.approx(kept["val_nll"], abs=1e-4)
    described = json.loads((tmp_path / "run.json").read_text())
    assert described["config"]["seed"] == config.seed
    assert described["data"]["training"]["fear"] == 8


def test_a_run_begins_with_the_model_that_it_is_told(tmp_path: Path, made_data: FaceData) -> None:
    before = residual_net(TINY.widths, TINY.blocks, squeeze=False, dropout=TINY.dropout)
    before.save(tmp_path / "before.keras")
    still = dataclasses.replace(
        TINY, start=str(tmp_path / "before.keras"), learning_rate=0.0, votes_weight=0.5
    )
    faces = dataclasses.replace(made_data, training=voted(made_data.training))
    train(still, faces, tmp_path / "run", verbose=0)
    after = keras.saving.load_model(tmp_path / "run" / "best.keras")
    trained = [layer for layer in after.layers if layer.trainable_weights]
    for layer in trained:
        for one, other in zip(
            layer.trainable_weights, before.get_layer(layer.name).trainable_weights, strict=True
        ):
            assert np.array_equal(one.numpy(), other.numpy())
    assert trained
    head = read_votes_head(tmp_path / "run")
    assert head is not None
    assert np.array_equal(head[0], before.get_layer("logits").get_weights()[0])


def test_a_start_that_is_no_such_model_is_named(tmp_path: Path, made_data: FaceData) -> None:
    missing = dataclasses.replace(TINY, start=str(tmp_path / "none.keras"))
    with pytest.raises(DataError, match="no model to begin with"):
        train(missing, made_data, tmp_path / "run", verbose=0)
    (tmp_path / "text.keras").write_text("no model")
    text = dataclasses.replace(TINY, start=str(tmp_path / "text.keras"))
    with pytest.raises(DataError, match="no model that Keras saved"):
        train(text, made_data, tmp_path / "run", verbose=0)
    residual_net((4, 8), (1, 1), squeeze=False).save(tmp_path / "other.keras")
    other = dataclasses.replace(TINY, start=str(tmp_path / "other.keras"))
    with pytest.raises(DataError, match="another network"):
        train(other, made_data, tmp_path / "run", verbose=0)


def test_a_run_without_progress_stops_early(tmp_path: Path, made_data: FaceData) -> None:
    config = dataclasses.replace(TINY, epochs=30, learning_rate=1e-9, patience=2)
    train(config, made_data, tmp_path, verbose=0)
    rows = history.read(tmp_path)
    best = history.best(rows)
    assert rows[-1]["epoch"] - best["epoch"] == config.patience
    assert len(rows) <= 5
    assert train(config, made_data, tmp_path, verbose=0) == best["val_accuracy"]
    assert history.read(tmp_path) == rows
    patient = dataclasses.replace(config, patience=3, epochs=len(rows) + 1)
    train(patient, made_data, tmp_path, verbose=0)
    assert len(history.read(tmp_path)) == len(rows) + 1


def test_batches_follow_seed_and_epoch(made_data: FaceData) -> None:
    targets = soft_labels(made_data.training, label_weight=1.0, smoothing=0.0)
    faces = DrawnFaces(made_data.training, [targets], TINY, first_epoch=0)
    first, repeated = faces[1], faces[1]
    faces.on_epoch_end()
    resumed = DrawnFaces(made_data.training, [targets], TINY, first_epoch=1)
    assert np.array_equal(first[0], repeated[0])
    assert not np.array_equal(first[0], faces[1][0])
    assert np.array_equal(resumed[1][0], faces[1][0])
    assert first[0].shape == (14, 48, 48, 1)


def test_balance_draws_rare_expressions_more_often(made_data: FaceData) -> None:
    uneven = made_data.training.take(np.arange(len(made_data.training)) >= 7)
    targets = soft_labels(uneven, label_weight=1.0, smoothing=0.0)
    drawn = 0
    for epoch in range(40):
        config = dataclasses.replace(TINY, balance=1.0, batch_size=len(uneven))
        drawn += int(DrawnFaces(uneven, [targets], config, epoch)[0][1][0][:, 0].sum())
    assert drawn / (40 * len(uneven)) == pytest.approx(1 / 7, abs=0.04)


def test_blended_faces_have_blended_targets(made_data: FaceData) -> None:
    targets = soft_labels(made_data.training, label_weight=1.0, smoothing=0.0)
    plain = DrawnFaces(made_data.training, [targets], TINY, first_epoch=0)
    config = dataclasses.replace(TINY, mixup=0.4)
    blended = DrawnFaces(made_data.training, [targets], config, first_epoch=0)
    pixels, (labels,) = plain[0]
    mixed, (shares,) = blended[0]
    assert np.array_equal(mixed, blended[0][0])
    other = np.roll(labels, 1, axis=0)
    assert shares.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert ((shares > 0) <= ((labels > 0) | (other > 0))).all()
    own = (shares * labels).sum(axis=1)
    assert (own >= 0.5 - 1e-6).all()
    differ = labels.argmax(axis=1) != other.argmax(axis=1)
    assert differ.any()
    expected = own[:, None, None, None] * pixels
    expected = expected + (1 - own)[:, None, None, None] * np.roll(pixels, 1, axis=0)
    assert mixed[differ] == pytest.approx(expected[differ], abs=1e-2)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_the_recipes_that_ship_can_be_read(file: Path) -> None:
    assert read_recipe(file).name == file.stem


def test_settings_can_be_changed_where_a_run_is_started(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text('name = "some"\ndropout = 0.1\n[augmentation]\ntilt = 3.0\nblur = 0.2\n')
    changed = read_recipe(file, ["augmentation.blur=0.5", "blocks=[1, 2]", "name='other'"])
    assert (changed.name, changed.dropout, changed.blocks) == ("other", 0.1, (1, 2))
    assert (changed.augmentation.tilt, changed.augmentation.blur) == (3.0, 0.5)
    with pytest.raises(DataError, match=r"augmentation\.blurr: Unexpected"):
        read_recipe(file, ["augmentation.blurr=0.5"])
    with pytest.raises(DataError, match="'blur' is not of the form"):
        read_recipe(file, ["blur"])


def test_a_setting_that_does_not_exist_is_named(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text('name = "wrong"\nepoch = 3\n')
    with pytest.raises(DataError, match="epoch: Unexpected"):
        read_recipe(file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("network='stduy'", "network: Input should be 'residual' or 'study'"),
        ("epochs='many'", "epochs: Input should be a valid integer"),
        ("ranks.stage3_1_b='few'", "ranks.stage3_1_b: Input should be a valid integer"),
        ("epochs=2\nwarmup_epochs=2.0", "warmup_epochs: must be less than epochs"),
    ],
)
def test_a_value_that_a_setting_cannot_have_is_named(change: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_recipe(CONFIGS[0], [change])


@pytest.mark.parametrize("network", ["residual", "study"])
def test_ranks_of_what_the_network_has_not_are_named(network: Literal["residual", "study"]) -> None:
    recipe = dataclasses.replace(TINY, network=network, ranks={"stage9_1_a": 4})
    with pytest.raises(DataError, match="has not: stage9_1_a"):
        build_network(recipe)


def test_data_without_votes_are_learnt_by_label_and_the_run_says_so(
    tmp_path: Path, made_data: FaceData
) -> None:
    recipe = dataclasses.replace(TINY, label_weight=0.8, votes_weight=0.5)
    train(recipe, made_data, tmp_path, verbose=0)
    config = json.loads((tmp_path / "run.json").read_text())["config"]
    assert (config["label_weight"], config["votes_weight"]) == (1.0, 0.0)
    assert read_votes_head(tmp_path) is None


def test_networks_take_faces_and_give_logits() -> None:
    for network in (residual_net(), study_cnn()):
        assert network.input_shape == (None, 48, 48, 1)
        assert network.output_shape == (None, 7)
    assert residual_net().count_params() < 5_000_000
    assert multiply_adds(residual_net()) < multiply_adds(study_cnn())


@pytest.mark.parametrize(
    ("strides", "sides"), [((), [24, 12]), ((1, 1), [24, 24]), ((2, 1), [12] * 2)]
)
def test_stages_make_the_map_smaller_by_their_strides(
    strides: tuple[int, ...], sides: list[int]
) -> None:
    network = residual_net((8, 8), (2, 2), strides=strides)
    ends = [network.get_layer(f"stage{stage}_2_add").output for stage in (1, 2)]
    assert [end.shape[1] for end in ends] == sides


def test_statistics_are_those_of_the_batches_shown() -> None:
    network = residual_net((4, 8), (1, 1), squeeze=False)
    generator = np.random.default_rng(1)
    batches = [
        np.asarray(generator.normal(level, 1, (16, 48, 48, 1)), np.float32) for level in (-3, 1, 2)
    ]
    Statistics(network).measure(batches)
    (first,) = (layer for layer in network.layers if layer.name == "stem_norm")
    stem = network.get_layer("stem_conv")
    seen = np.concatenate([keras.ops.convert_to_numpy(stem(batch)) for batch in batches])
    mean = keras.ops.convert_to_numpy(first.moving_mean)
    assert mean == pytest.approx(seen.mean(axis=(0, 1, 2)), abs=1e-4)
    assert first.momentum == pytest.approx(0.97)


def test_the_network_sees_faces_scaled_as_the_reader_does(made_data: FaceData) -> None:
    learner = Learner(TINY)
    images = made_data.validation.images[:4]
    inside = keras.ops.convert_to_numpy(learner.scale(images[..., None].astype(np.float32)))
    assert inside == pytest.approx(to_model_input(images), abs=1e-5)


def test_a_head_for_votes_learns_them_and_can_share_in_what_is_read(
    tmp_path: Path, made_data: FaceData
) -> None:
    recipe = dataclasses.replace(TINY, votes_weight=0.5, label_weight=1.0)
    data = dataclasses.replace(made_data, training=voted(made_data.training))
    label, votes = targets_of(data.training, recipe)
    assert (label.argmax(axis=1) == data.training.labels).all()
    assert (votes.argmax(axis=1) == 6).all()
    for _ in range(2):
        train(recipe, data, tmp_path / "run", minutes=0, verbose=0)
    assert len(history.read(tmp_path / "run")) == 2
    network = keras.saving.load_model(tmp_path / "run" / "best.keras")
    assert network.output_shape == (None, 7)
    head = read_votes_head(tmp_path / "run")
    assert head is not None
    faces = to_model_input(data.validation.images)
    own, votes, between = (
        leaning_to_votes(network, head, share).predict(faces, verbose=0) for share in (0, 1, 0.25)
    )
    np.testing.assert_allclose(own, network.predict(faces, verbose=0), atol=1e-5)
    np.testing.assert_allclose(between, 0.75 * own + 0.25 * votes, atol=1e-5)
    assert np.abs(votes - own).max() > 1e-3


def test_a_rare_expression_is_read_more_readily() -> None:
    network = residual_net((4, 8), (1, 1), squeeze=False)
    faces = np.random.default_rng(1).normal(size=(5, 48, 48, 1)).astype(np.float32)
    own = network.predict(faces, verbose=0)
    gained = adjusted(network, [100, 1, 10, 100, 0, 100, 689], 0.5).predict(faces, verbose=0) - own
    expected = [-0.5 * np.log(share) for share in (0.1, 0.001, 0.01, 0.1, 0.001, 0.1, 0.689)]
    np.testing.assert_allclose(gained, np.tile(expected, (5, 1)), atol=1e-5)
    np.testing.assert_array_equal(network.predict(faces, verbose=0), own)


def test_a_student_learns_its_teachers_opinion(tmp_path: Path, made_data: FaceData) -> None:
    train(TINY, made_data, tmp_path / "teacher", verbose=0)
    teacher = keras.saving.load_model(tmp_path / "teacher" / "best.keras")
    before = [np.array(weight) for weight in teacher.get_weights()]
    recipe = dataclasses.replace(
        TINY, seed=2, epochs=12, patience=12, teachers=("teacher",), distillation=1.0
    )
    train(recipe, made_data, tmp_path / "student", verbose=0)
    after = keras.saving.load_model(tmp_path / "teacher" / "best.keras").get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    losses = [row["loss"] for row in history.read(tmp_path / "student")]
    assert losses[-1] < losses[0] / 2


def test_no_teacher_shares_the_path_of_a_variable() -> None:
    """On torch Keras keeps one variable of each path: the gradients of the others, which it never
    cleared, added up until the student was lost."""
    network = build_network(TINY)
    learner = Learner(dataclasses.replace(TINY, teachers=("one", "two")), [network, network])
    paths = Counter(variable.path for variable in learner.model.variables)
    assert set(paths.values()) == {1}
    assert len(paths) > 2 * len(network.variables)


def test_a_teacher_that_is_missing_is_named(tmp_path: Path, made_data: FaceData) -> None:
    recipe = dataclasses.replace(TINY, teachers=("nobody",))
    with pytest.raises(DataError, match="nobody"):
        train(recipe, made_data, tmp_path / "student", verbose=0)


def test_logs_are_written_for_tensorboard(tmp_path: Path, made_data: FaceData) -> None:
    train(TINY, made_data, tmp_path, verbose=0, tensorboard=True)
    assert list(tmp_path.glob("tensorboard/*/events*"))
