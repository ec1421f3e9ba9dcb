"""Train a recogniser: ``python -m training.train --config training/configs/first.toml``.

The run's folder gets ``checkpoint.keras`` (with the optimizer) and ``state.json`` after every
epoch, from which the same command goes on; ``best.keras`` (the averaged weights of the epoch
that was best on validation), ``history.csv`` and ``run.json`` (settings, seed, data, versions).
"""

import argparse
import csv
import dataclasses
import json
import math
import platform
import shutil
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from fer_core.preprocessing import to_model_input
from training import data as face_data
from training.augmentation import Augmentation
from training.network import residual_net, study_cnn

HISTORY_FIELDS: Final = (
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class Config:
    """A recipe; the fields are the keys of the TOML file.

    ``ema_momentum``: of the running average of the weights, which is what is validated and
    kept. ``patience``: epochs without a better validation accuracy before it stops.
    ``label_weight``, ``smoothing``: see ``training.data.soft_labels``. ``balance``: 0 draws faces
    as they come, 1 draws every expression equally often. ``jit``: compile the step with XLA.
    """

    name: str
    seed: int = 1
    network: Literal["residual", "study"] = "residual"
    widths: tuple[int, ...] = (24, 48, 96, 192)
    blocks: tuple[int, ...] = (1, 1, 1, 1)
    squeeze: bool = True
    dropout: float = 0.3
    epochs: int = 45
    batch_size: int = 64
    learning_rate: float = 0.05
    warmup_epochs: float = 1.0
    weight_decay: float = 5e-3
    ema_momentum: float = 0.999
    patience: int = 12
    label_weight: float = 0.6
    smoothing: float = 0.0
    balance: float = 0.0
    jit: bool = True
    augmentation: Augmentation = field(default_factory=Augmentation)


def read_config(path: Path) -> Config:
    """Raises DataError where the file holds what is no setting."""
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {entry.name for entry in dataclasses.fields(Config)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise face_data.DataError(f"{path} holds unknown settings: {', '.join(unknown)}.")
    if "augmentation" in values:
        values["augmentation"] = Augmentation(**values["augmentation"])
    for name in ("widths", "blocks"):
        if name in values:
            values[name] = tuple(values[name])
    return Config(**values)


def build_network(config: Config) -> keras.Model:
    """The network of ``config``, fresh."""
    if config.network == "study":
        return study_cnn(config.dropout)
    return residual_net(
        config.widths, config.blocks, squeeze=config.squeeze, dropout=config.dropout
    )


class AugmentedFaces(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of augmented faces, (float32 (B, 48, 48, 1), float32 (B, 7)). Every epoch has its
    own order and its own changes, both from the seed and the epoch's number, so that a resumed
    run sees what an undisturbed one would. The last, smaller batch is left out."""

    def __init__(
        self,
        split: face_data.Split,
        targets: NDArray[np.float32],
        config: Config,
        first_epoch: int,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._split, self._targets, self._config = split, targets, config
        self._epoch = first_epoch
        self._order = self._draw()

    def _draw(self) -> NDArray[np.intp]:
        generator = np.random.default_rng((self._config.seed, self._epoch))
        size = len(self._split)
        if self._config.balance <= 0:
            return generator.permutation(size)
        counts = np.bincount(self._split.labels, minlength=self._targets.shape[1])
        weights = counts[self._split.labels].astype(np.float64) ** -self._config.balance
        return generator.choice(size, size, p=weights / weights.sum())

    def __len__(self) -> int:
        return len(self._split) // self._config.batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        size = self._config.batch_size
        rows = self._order[index * size : (index + 1) * size]
        generator = np.random.default_rng((self._config.seed, self._epoch, index))
        images = self._config.augmentation(self._split.images[rows], generator)
        return to_model_input(images), self._targets[rows]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._order = self._draw()


@dataclass(slots=True)
class _State:
    epoch: int = 0
    best_accuracy: float = 0.0
    best_epoch: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)


_MEASURED: Final = 16
"""Batches from which the averaged network's statistics are measured."""


def measure_statistics(network: keras.Model, batches: Sequence[NDArray[np.float32]]) -> None:
    """Set the mean and variance of every batch normalisation to those of ``batches``, each
    float32 (B, 48, 48, 1): averaged weights see other activations than the weights whose running
    statistics they inherit (Izmailov et al., 2018, arXiv:1803.05407, section 3)."""
    norms = [
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in norms]
    for number, batch in enumerate(batches):
        for layer in norms:
            layer.momentum = number / (number + 1)  # every batch counts alike
        network(batch, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


class EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]
    """Validates the averaged weights, writes checkpoint, history and the best network, and
    stops when ``patience`` runs out."""

    def __init__(
        self,
        config: Config,
        out: Path,
        faces: "AugmentedFaces",
        validation: face_data.Split,
        state: _State,
        stop_at: float | None,
    ) -> None:
        super().__init__()
        self._config, self._out, self._state, self._stop_at = config, out, state, stop_at
        # Never compiled: a file saved from it loads under every Keras backend.
        self._averaged = build_network(config)
        self._faces = faces
        self._inputs = to_model_input(validation.images)
        self._labels = validation.labels.astype(np.int64)
        self._began = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._began = time.monotonic()
        # A .keras file does not hold where dropout's random numbers stand.
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                layer.seed_generator.state.assign([self._config.seed, epoch])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        model, state, logs = self.model, self._state, logs or {}
        raw = model.get_weights()
        model.optimizer.finalize_variable_values(model.trainable_variables)
        self._averaged.set_weights(model.get_weights())
        model.set_weights(raw)
        measured = min(_MEASURED, len(self._faces))
        measure_statistics(self._averaged, [self._faces[n][0] for n in range(measured)])
        averaged = self._averaged.predict(self._inputs, batch_size=512, verbose=0)
        logits = np.asarray(averaged, np.float64)
        peak = logits.max(axis=1, keepdims=True)
        log_p = logits - peak - np.log(np.exp(logits - peak).sum(axis=1, keepdims=True))
        accuracy = float((logits.argmax(axis=1) == self._labels).mean())
        state.epoch = epoch + 1
        if accuracy > state.best_accuracy:
            state.best_accuracy, state.best_epoch = accuracy, state.epoch
            _save(self._averaged, self._out / "best.keras")
        state.rows.append(
            {
                "epoch": state.epoch,
                "loss": round(logs.get("loss", math.nan), 5),
                "accuracy": round(logs.get("accuracy", math.nan), 5),
                "val_loss": round(float(-log_p[np.arange(len(log_p)), self._labels].mean()), 5),
                "val_accuracy": round(accuracy, 5),
                "learning_rate": round(float(model.optimizer.learning_rate), 6),
                "seconds": round(time.monotonic() - self._began, 1),
            }
        )
        _save(model, self._out / "checkpoint.keras")
        _write_json(self._out / "state.json", dataclasses.asdict(state))
        with (self._out / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HISTORY_FIELDS)
            writer.writeheader()
            writer.writerows(state.rows)
        logs["val_accuracy"], logs["val_loss"] = accuracy, state.rows[-1]["val_loss"]
        _report(state)
        late = self._stop_at is not None and time.time() > self._stop_at
        if late or state.epoch - state.best_epoch >= self._config.patience:
            model.stop_training = True


def _report(state: _State) -> None:
    row = state.rows[-1]
    print(  # noqa: T201
        f"\nepoch {state.epoch}: loss {row['loss']:.3f}, accuracy {row['accuracy']:.3f}, "
        f"validation {row['val_accuracy']:.4f} (best {state.best_accuracy:.4f} "
        f"at {state.best_epoch}), {row['seconds']:.0f} s",
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


def compile_network(config: Config, network: keras.Model, steps: int) -> None:
    """SGD with Nesterov momentum, warm-up and a cosine to zero, and a running average of the
    weights. ``steps``: in an epoch. Keras' decay is decoupled: 5e-3 here equals an L2 penalty of
    5e-4 under momentum 0.9."""
    warmup = round(config.warmup_epochs * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 50,
        decay_steps=config.epochs * steps - warmup,
        warmup_target=config.learning_rate,
        warmup_steps=warmup,
    )
    network.compile(
        optimizer=keras.optimizers.SGD(
            schedule,
            momentum=0.9,
            nesterov=True,
            weight_decay=config.weight_decay,
            use_ema=True,
            ema_momentum=config.ema_momentum,
        ),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=config.jit,
    )


def resume(checkpoint: Path, config: Config, steps: int) -> keras.Model:
    """The network and the optimizer's state from ``checkpoint``, the schedule from ``config``:
    more or fewer epochs than the run began with stretch or squeeze what is left of it."""
    network = keras.saving.load_model(checkpoint)
    values = [keras.ops.convert_to_numpy(variable) for variable in network.optimizer.variables]
    compile_network(config, network, steps)
    network.optimizer.build(network.trainable_variables)
    for variable, value in zip(network.optimizer.variables, values, strict=True):
        variable.assign(value)
    return network


def train(
    config: Config,
    faces: face_data.FaceData,
    out: Path,
    *,
    minutes: float | None = None,
    verbose: int | str = "auto",
) -> float:
    """Train (or go on training) in the folder ``out``; the best validation accuracy.

    ``minutes``: stop after the epoch in which they run out; the run can go on later.
    """
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(config.seed)
    state = _State()
    steps = len(faces.training) // config.batch_size
    checkpoint = out / "checkpoint.keras"
    if checkpoint.exists() and (out / "state.json").exists():
        state = _State(**json.loads((out / "state.json").read_text(encoding="utf-8")))
        network = resume(checkpoint, config, steps)
    else:
        network = build_network(config)
        compile_network(config, network, steps)
    _write_json(out / "run.json", _describe(config, faces, network))
    targets = face_data.soft_labels(
        faces.training, label_weight=config.label_weight, smoothing=config.smoothing
    )
    drawn = AugmentedFaces(faces.training, targets, config, state.epoch)
    network.fit(
        drawn,
        shuffle=False,
        initial_epoch=state.epoch,
        epochs=config.epochs,
        verbose=verbose,
        callbacks=[
            EpochEnd(
                config,
                out,
                drawn,
                faces.validation,
                state,
                None if minutes is None else time.time() + minutes * 60,
            )
        ],
    )
    return state.best_accuracy


def _describe(config: Config, faces: face_data.FaceData, network: keras.Model) -> dict[str, object]:
    return {
        "config": dataclasses.asdict(config),
        "parameters": network.count_params(),
        "data": {
            "layout": faces.layout,
            "training": faces.training.counts(),
            "validation": faces.validation.counts(),
            "test": faces.test.counts(),
            "dropped": faces.dropped,
        },
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
        },
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz")
    parser.add_argument("--out", type=Path, help="the run's folder (runs/<name>)")
    parser.add_argument("--minutes", type=float, help="stop after the epoch in which they run out")
    parser.add_argument("--fresh", action="store_true", help="forget the run's checkpoints")
    arguments = parser.parse_args()
    config = read_config(arguments.config)
    out: Path = arguments.out or Path("runs") / config.name
    if arguments.fresh:
        shutil.rmtree(out, ignore_errors=True)
    faces = face_data.load(face_data.data_path(arguments.data), seed=config.seed)
    verbose = "auto" if sys.stdout.isatty() else 2
    train(config, faces, out, minutes=arguments.minutes, verbose=verbose)


if __name__ == "__main__":
    main()
