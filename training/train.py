"""Train a recogniser: ``python -m training.train --config training/configs/first.toml``.

The run's folder gets ``checkpoint.npz`` (with the optimizer's state) and ``history.csv`` after
every epoch, from which the same command goes on; ``best.keras`` (the averaged weights of the epoch
that was best on validation: training.history) and ``run.json`` (settings, seed, data, versions).
"""

import argparse
import dataclasses
import gc
import json
import math
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from fer_core.expression import calibrated
from fer_core.preprocessing import to_model_input
from training import data as face_data
from training import history, metrics
from training.calibrate import fit_temperature
from training.learner import Learner, Statistics, build_network
from training.network import VOTES_HEAD
from training.recipe import Recipe, read_recipe

_MEASURED_FACES: Final = 2048
"""From how many faces the averaged network's statistics are measured."""

_CHECKPOINT: Final = "checkpoint.npz"
_BEST: Final = "best.keras"
_DESCRIBED: Final = "run.json"
_TENSORBOARD: Final = "tensorboard"

_SHAPING: Final = (
    *("network", "widths", "blocks", "squeeze"),
    *("stem_stride", "strides", "ranks"),
)
"""The settings that make the network, beside a head for votes."""


class DrawnFaces(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of faces, pixels as float32 (B, 48, 48, 1), with their targets. Every epoch has an
    order of its own, from the seed and the epoch's number, so that a resumed run sees what an
    undisturbed one would. The last, smaller batch is left out."""

    def __init__(
        self,
        split: face_data.Split,
        targets: list[NDArray[np.float32]],
        recipe: Recipe,
        first_epoch: int,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._split, self._targets, self._recipe = split, targets, recipe
        self._epoch = first_epoch
        self._order = self._draw()

    def _draw(self) -> NDArray[np.intp]:
        generator = np.random.default_rng((self._recipe.seed, self._epoch))
        size = len(self._split)
        if self._recipe.balance <= 0:
            return generator.permutation(size)
        counts = np.bincount(self._split.labels, minlength=self._targets[0].shape[1])
        weights = counts[self._split.labels].astype(np.float64) ** -self._recipe.balance
        return generator.choice(size, size, p=weights / weights.sum())

    def __len__(self) -> int:
        return len(self._split) // self._recipe.batch_size

    def __getitem__(
        self, index: int
    ) -> tuple[NDArray[np.float32], tuple[NDArray[np.float32], ...]]:
        size = self._recipe.batch_size
        rows = self._order[index * size : (index + 1) * size]
        pixels = self._split.images[rows].astype(np.float32)[..., None]
        targets = [target[rows] for target in self._targets]
        if self._recipe.mixup > 0:
            pixels, *targets = self._blended([pixels, *targets], index)
        return pixels, tuple(targets)

    def _blended(self, arrays: list[NDArray[np.float32]], index: int) -> list[NDArray[np.float32]]:
        """Each face with the one before it, in shares of their own."""
        generator = np.random.default_rng((self._recipe.seed, self._epoch, index))
        share = generator.beta(self._recipe.mixup, self._recipe.mixup, len(arrays[0]))
        share = np.maximum(share, 1 - share).astype(np.float32)
        shares = [share.reshape(-1, *[1] * (array.ndim - 1)) for array in arrays]
        return [
            np.asarray(array * own + np.roll(array, 1, axis=0) * (1 - own), np.float32)
            for array, own in zip(arrays, shares, strict=True)
        ]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._order = self._draw()


def targets_of(split: face_data.Split, recipe: Recipe) -> list[NDArray[np.float32]]:
    """What each of the learner's outputs is to give, float32 (N, 7)."""
    mixed = face_data.soft_labels(
        split, label_weight=recipe.label_weight, smoothing=recipe.smoothing
    )
    if recipe.votes_weight <= 0:
        return [mixed]
    return [mixed, face_data.soft_labels(split, label_weight=0.0, smoothing=0.0)]


class EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]
    """Validates the averaged weights, writes checkpoint, history and the best network, and
    stops when ``patience`` runs out."""

    def __init__(
        self,
        learner: Learner,
        out: Path,
        faces: DrawnFaces,
        validation: face_data.Split,
        rows: history.Rows,
        stop_at: float | None,
    ) -> None:
        super().__init__()
        self._learner, self._out, self._faces = learner, out, faces
        self._rows, self._stop_at = rows, stop_at
        # Never compiled: a file saved from it loads under every Keras backend.
        self._averaged = build_network(learner.recipe)
        self._statistics = Statistics(self._averaged)
        self._inputs = to_model_input(validation.images)
        self._labels = validation.labels
        self._began = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._began = time.monotonic()
        self._learner.reseed(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        rows, logs = self._rows, {} if logs is None else logs
        votes = self._learner.average_into(self._averaged)
        self._measure_statistics()
        logits = np.asarray(self._averaged.predict(self._inputs, batch_size=512, verbose=0))
        accuracy = metrics.accuracy(logits, self._labels)
        loss = metrics.nll(calibrated(logits, 1.0), self._labels)
        sharp = calibrated(logits, fit_temperature(logits, self._labels))
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        rows.append(
            {
                "epoch": epoch + 1,
                "loss": round(logs.get("loss", math.nan), 5),
                "accuracy": round(_accuracy(logs), 5),
                "val_loss": round(loss, 5),
                "val_accuracy": round(accuracy, 5),
                "val_nll": round(metrics.nll(sharp, self._labels), 5),
                "learning_rate": round(float(rate), 6),
                "seconds": round(time.monotonic() - self._began, 1),
            }
        )
        best = history.best(rows)
        if best is rows[-1]:
            _save(self._averaged, self._out / _BEST)
            if votes:
                np.savez(self._out / VOTES_HEAD, kernel=votes[0], bias=votes[1])
        self._learner.save(self._out / _CHECKPOINT)
        history.write(self._out, rows)
        gc.collect()  # tensors in cycles weigh much that Python does not know of
        logs["val_accuracy"], logs["val_loss"] = accuracy, loss
        _report(rows[-1], best)
        late = self._stop_at is not None and time.time() > self._stop_at
        if late or _is_over(rows, self._learner.recipe):
            self.model.stop_training = True

    def _measure_statistics(self) -> None:
        count = min(len(self._faces), -(-_MEASURED_FACES // self._learner.recipe.batch_size))
        changed = [self._learner.augment(self._faces[n][0], training=True) for n in range(count)]
        self._statistics.measure(self._learner.scale(faces) for faces in changed)


def _is_over(rows: history.Rows, recipe: Recipe) -> bool:
    """Whether nothing is left to do: all epochs are done, or ``patience`` has run out."""
    waited = len(rows) - history.best(rows)["epoch"]
    return waited >= recipe.patience or len(rows) >= recipe.epochs


def _accuracy(logs: dict[str, float]) -> float:
    """That of training: the learner's only output's, or that of its first."""
    return next((value for name, value in logs.items() if name.endswith("accuracy")), math.nan)


def _report(row: dict[str, float], best: dict[str, float]) -> None:
    print(  # noqa: T201
        f"\nepoch {row['epoch']:.0f}: loss {row['loss']:.3f}, accuracy {row['accuracy']:.3f}, "
        f"validation {row['val_accuracy']:.4f} (likelihood best at {best['epoch']:.0f}), "
        f"{row['seconds']:.0f} s",
        flush=True,
    )


def _save(model: keras.Model, path: Path) -> None:
    """Whole or not at all."""
    part = path.with_name(f"part-{path.name}")
    model.save(part)
    part.replace(path)


def _write_json(path: Path, value: object) -> None:
    part = path.with_name(f"part-{path.name}")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    part.replace(path)


def train(
    recipe: Recipe,
    faces: face_data.FaceData,
    out: Path,
    *,
    minutes: float | None = None,
    verbose: int | str = "auto",
    tensorboard: bool = False,
    mixed: bool | None = None,
    fresh: bool = False,
) -> float:
    """Train (or go on training) in the folder ``out``; the validation accuracy of its best epoch.

    ``minutes``: stop after the epoch in which they run out; the run can go on later. ``mixed``:
    compute in bfloat16 with float32 weights, by default where there is a GPU. ``fresh``: delete
    what a run has left in ``out`` and begin anew. Without votes in the data, the labels alone are
    learnt, and run.json says so.

    Raises DataError where the run in ``out`` has another network, seed or data, and where the
    teachers, or the model to begin with, are not there or of another kind.
    """
    if faces.training.votes is None:
        recipe = dataclasses.replace(recipe, label_weight=1.0, votes_weight=0.0)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / _CHECKPOINT
    rows = history.read(out) if checkpoint.exists() and not fresh else []
    if rows:
        _check_resumed(checkpoint, recipe, faces)
        if _is_over(rows, recipe):
            print(f"The run in {out} has ended; nothing is left to train.")  # noqa: T201
            return history.best(rows)["val_accuracy"]
    keras.utils.set_random_seed(recipe.seed)
    if mixed is None:
        mixed = _has_gpu()
    learner = Learner(recipe, _teachers(recipe, out.parent), mixed=mixed)
    learner.compile(len(faces.training) // recipe.batch_size)
    if rows:
        _go_on(learner, checkpoint)
    elif recipe.start:
        _begin_with(learner, Path(recipe.start))
    if fresh:  # now that everything it begins with was there
        _forget(out)
    _write_json(out / _DESCRIBED, _describe(recipe, faces, learner.network, mixed=mixed))
    drawn = DrawnFaces(faces.training, targets_of(faces.training, recipe), recipe, len(rows))
    stop_at = None if minutes is None else time.time() + minutes * 60
    callbacks: list[keras.callbacks.Callback] = [
        EpochEnd(learner, out, drawn, faces.validation, rows, stop_at)
    ]
    if tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(str(out / _TENSORBOARD)))
    learner.model.fit(
        drawn,
        shuffle=False,
        initial_epoch=len(rows),
        epochs=recipe.epochs,
        verbose=verbose,
        callbacks=callbacks,
    )
    return history.best(rows)["val_accuracy"]


def _forget(run: Path) -> None:
    """Delete what ``train`` wrote into the folder ``run``, and nothing else that is there."""
    for name in (_CHECKPOINT, history.NAME, _BEST, VOTES_HEAD, _DESCRIBED):
        (run / name).unlink(missing_ok=True)
    shutil.rmtree(run / _TENSORBOARD, ignore_errors=True)


def _check_resumed(checkpoint: Path, recipe: Recipe, faces: face_data.FaceData) -> None:
    """Raises DataError where the run of ``checkpoint`` has another network, seed or data. Epochs,
    rates, augmentation and the like may be changed while it goes on."""
    path = checkpoint.with_name(_DESCRIBED)
    if not path.exists():
        raise face_data.DataError(
            f"{path}, which says what {checkpoint} was trained on, is gone: put it back, or begin "
            "anew with --fresh."
        )
    described = json.loads(path.read_text(encoding="utf-8"))
    asked = json.loads(json.dumps(dataclasses.asdict(recipe)))
    if described["data"] != _describe_data(faces):
        raise _another("set of data", checkpoint)
    if described["config"]["seed"] != recipe.seed:
        raise _another("seed", checkpoint)
    # A run of before some setting existed had what is asked for, or its weights tell.
    if _shape(asked | described["config"]) != _shape(asked):
        raise _another("network", checkpoint)


def _shape(config: dict[str, Any]) -> list[Any]:
    return [*(config[name] for name in _SHAPING), config["votes_weight"] > 0]


def _another(what: str, checkpoint: Path) -> face_data.DataError:
    return face_data.DataError(
        f"{checkpoint} was written with another {what} than this command names: begin anew with "
        "--fresh, or give the new run a folder of its own with --out."
    )


def _go_on(learner: Learner, checkpoint: Path) -> None:
    try:
        learner.load(checkpoint)
    except ValueError as error:
        raise _another("network", checkpoint) from error


def _has_gpu() -> bool:
    if keras.backend.backend() == "torch":  # for which Keras lists no devices
        import torch

        return bool(torch.cuda.is_available())
    return any("gpu" in device for device in keras.distribution.list_devices())


def _begin_with(learner: Learner, path: Path) -> None:
    if not path.exists():
        raise face_data.DataError(f"There is no model to begin with at {path}.")
    try:
        model = keras.saving.load_model(path, compile=False)
    except ValueError as error:
        raise face_data.DataError(f"{path} is no model that Keras saved.") from error
    try:
        learner.begin_with(model)
    except ValueError as error:
        raise face_data.DataError(
            f"{path} is another network than that of the recipe {learner.recipe.name}."
        ) from error


def _teachers(recipe: Recipe, runs: Path) -> list[keras.Model]:
    found = []
    for name in recipe.teachers:
        path = runs / name / _BEST
        if not path.exists():
            raise face_data.DataError(f"The teacher {name} has no network at {path}.")
        found.append(keras.saving.load_model(path, compile=False))
    return found


def _describe(
    recipe: Recipe, faces: face_data.FaceData, network: keras.Model, *, mixed: bool
) -> dict[str, object]:
    return {
        "config": dataclasses.asdict(recipe),
        "parameters": network.count_params(),
        "data": _describe_data(faces),
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
        },
        "mixed_precision": mixed,
    }


def _describe_data(faces: face_data.FaceData) -> dict[str, object]:
    return {
        "layout": faces.layout,
        "training": faces.training.counts(),
        "validation": faces.validation.counts(),
        "test": faces.test.counts(),
        "dropped": faces.dropped,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="instead of the recipe's (augmentation.erase=0.0); again for more",
    )
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz")
    parser.add_argument("--out", type=Path, help="the run's folder (runs/<name>)")
    parser.add_argument("--minutes", type=float, help="stop after the epoch in which they run out")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--fresh", action="store_true", help="delete the run's files, begin anew")
    parser.add_argument(
        "--mixed",
        action=argparse.BooleanOptionalAction,
        help="compute in bfloat16 (by default where there is a GPU)",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write logs for TensorBoard")
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config, arguments.set)
    if arguments.seed is not None:
        recipe = dataclasses.replace(recipe, seed=arguments.seed)
    out: Path = arguments.out or Path("runs") / recipe.name
    faces = face_data.load(face_data.data_path(arguments.data))
    verbose = "auto" if sys.stdout.isatty() else 2
    train(
        recipe,
        faces,
        out,
        minutes=arguments.minutes,
        verbose=verbose,
        tensorboard=arguments.tensorboard,
        mixed=arguments.mixed,
        fresh=arguments.fresh,
    )


if __name__ == "__main__":
    main()
