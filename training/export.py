"""Ship a trained run: ``python -m training.export --run runs/first --data ...``.

Writes into ``models/``: expression.keras (uncompiled), expression.tflite, metrics.json, figures/
and card.json, once all of them are made. Temperature and unknown rule are fitted on PublicTest
with the LiteRT file itself, so that what is measured is what ships. PrivateTest is not looked at
here: see ``training.evaluate --private-test``.
"""

import argparse
import dataclasses
import datetime as dt
import hashlib
import json
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from fer_core.expression import WEIGHTS, ExpressionReader, views_of
from fer_core.model_card import (
    EpochFigures,
    ModelCard,
    ModelMetrics,
    card_json,
    default_model_dir,
    metrics_json,
    read_card,
    read_metrics,
)
from fer_core.preprocessing import FACE_SIZE, to_model_input
from fer_core.types import EXPRESSIONS
from training import calibrate, distribution, history
from training import data as face_data
from training.evaluate import check_data, evaluate, summary, twins_of
from training.figures import draw
from training.network import adjusted, leaning_to_votes, multiply_adds, read_votes_head

SOURCE: Final = "expression.keras"
LEAST_AGREEMENT: Final = 0.99
_MOST_LOST: Final = 0.001

_PREPROCESSING: Final = (
    "A face is turned, scaled and shifted by its five landmarks onto the mean landmarks of "
    "FER2013's faces, cut to 48x48 pixels of grey, and scaled as (pixel - 127.5) / 64: "
    "fer_core.preprocessing, used by training, evaluation and analysis alike."
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A LiteRT file and how it did on PublicTest beside the Keras network it came from.

    ``faces_per_second``: with two threads, at the batch that the reader uses.
    """

    kind: str
    weights: bytes
    agreement: float
    accuracy: float
    faces_per_second: float


def convert(network: keras.Model, folder: Path) -> dict[str, bytes]:
    """LiteRT files of ``network``: its weights as floats, and as 8-bit integers that are widened
    as they are used ("dynamic range")."""
    import tensorflow as tf  # the converter's own constant; nothing else here needs it

    files = {}
    for kind, options in {
        "float": {},
        "dynamic range": {"optimizations": [tf.lite.Optimize.DEFAULT]},
    }.items():
        path = folder / "export.tflite"
        network.export(path, format="litert", verbose=False, **options)
        files[kind] = path.read_bytes()
    return files


def compare(
    network: keras.Model, card: ModelCard, files: dict[str, bytes], split: face_data.Split
) -> list[Candidate]:
    """Each of the LiteRT ``files`` beside ``network`` on ``split``."""
    answers = [
        network.predict(to_model_input(images), batch_size=512, verbose=0)
        for images in views_of(split.images, card.views)
    ]
    expected = np.mean(answers, axis=0)
    candidates = []
    for kind, weights in files.items():
        with tempfile.TemporaryDirectory() as name:
            reader = _reader(Path(name), card, weights)
        reader.logits(split.images[:256])
        began = time.perf_counter()
        logits = reader.logits(split.images)
        seconds = time.perf_counter() - began
        read = logits.argmax(axis=1)
        candidates.append(
            Candidate(
                kind,
                weights,
                float((read == expected.argmax(axis=1)).mean()),
                float((read == split.labels).mean()),
                len(split) / seconds,
            )
        )
    return candidates


def choose(candidates: list[Candidate]) -> Candidate:
    """The fastest that answers as the network does (the first is the one to hold them to)."""
    faithful = [
        entry
        for entry in candidates
        if entry.agreement >= LEAST_AGREEMENT
        and entry.accuracy >= candidates[0].accuracy - _MOST_LOST
    ]
    return max(faithful, key=lambda entry: entry.faces_per_second)


def _reader(folder: Path, card: ModelCard, weights: bytes) -> ExpressionReader:
    (folder / WEIGHTS).write_bytes(weights)
    digest = {WEIGHTS: hashlib.sha256(weights).hexdigest()}
    (folder / "card.json").write_bytes(card_json(dataclasses.replace(card, sha256=digest)))
    return ExpressionReader(folder)


def export(
    run: Path,
    faces: face_data.FaceData,
    out: Path,
    version: str | None = None,
    *,
    views: int = 1,
    votes_share: float = 0.0,
    prior_share: float = 0.0,
    before: Path | None = None,
) -> str:
    """Write the model of the folder ``run`` into ``out``; a report in words. ``views``: see
    ``ModelCard``; ``votes_share``: see ``training.network.leaning_to_votes``; ``prior_share``: see
    ``training.network.adjusted``; ``before``: the folder of the model that the run began with,
    whose recipe and epochs are told as well; it may be ``out``. Raises DataError where the run has
    no head for votes to lean to, and where ``faces`` are divided otherwise than what it or the
    model before it learnt."""
    described = json.loads((run / "run.json").read_text(encoding="utf-8"))
    learnt = described["data"]
    face_data.check_division(f"the run in {run}", learnt, faces)
    network = keras.saving.load_model(run / "best.keras", compile=False)
    if votes_share:
        head = read_votes_head(run)
        if head is None:
            raise face_data.DataError(f"{run} was trained without a head for votes.")
        network = leaning_to_votes(network, head, votes_share)
    if prior_share:
        network = adjusted(network, [learnt["training"][name] for name in EXPRESSIONS], prior_share)
    shares = {"votes_share": votes_share, "prior_share": prior_share}
    recipe = described["config"] | shares | {"data": learnt["layout"]}
    earlier: tuple[EpochFigures, ...] = ()
    if before is not None:
        check_data(before, faces)
        recipe |= {"before": json.loads(read_card(before).recipe)}
        earlier = read_metrics(before).history
    today = dt.datetime.now(dt.UTC).date().isoformat()
    card = ModelCard(
        name="expression",
        version=version or f"{today}-{described['config']['name']}",
        created=today,
        expressions=EXPRESSIONS,
        input_size=FACE_SIZE,
        preprocessing=_PREPROCESSING,
        temperature=1.0,
        unknown_below=0.0,
        sha256={},
        parameters=network.count_params(),
        multiply_adds=multiply_adds(network),
        trained_on=_trained_on(described),
        recipe=json.dumps(recipe, sort_keys=True),
        split="PublicTest",
        figures={},
        views=views,
    )
    epochs = (*earlier, *_history(history.read(run), len(earlier)))
    out.mkdir(parents=True, exist_ok=True)
    # What reads faces with the model in ``out`` sees nothing of it before it is whole.
    with tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=f"{out.name}-") as name:
        folder = Path(name)
        report = _build(network, card, epochs, learnt, faces, folder)
        move(folder, out)
    return report


def _build(
    network: keras.Model,
    card: ModelCard,
    epochs: tuple[EpochFigures, ...],
    learnt: dict[str, Any],
    faces: face_data.FaceData,
    folder: Path,
) -> str:
    """Write the whole model into ``folder``; a report in words. ``card``: without what is fitted
    and measured here. ``learnt``: what run.json tells of the data."""
    with tempfile.TemporaryDirectory() as name:
        files = convert(network, Path(name))
    candidates = compare(network, card, files, faces.validation)
    chosen = choose(candidates)
    network.save(folder / SOURCE)
    reader = _reader(folder, card, chosen.weights)
    fitted = calibrate.fit(reader.logits(faces.validation.images), faces.validation.labels)
    of_one_view = calibrate.fit_temperature(
        reader.logits(faces.validation.images, views=1), faces.validation.labels
    )
    card = dataclasses.replace(
        card,
        temperature=fitted.temperature,
        temperature_of_one_view=of_one_view,
        unknown_below=fitted.unknown_below,
        sha256={
            file: hashlib.sha256((folder / file).read_bytes()).hexdigest()
            for file in (SOURCE, WEIGHTS)
        },
    )
    (folder / "card.json").write_bytes(card_json(card))
    reader = ExpressionReader(folder)
    validation = evaluate(
        reader,
        "PublicTest",
        faces.validation,
        twins=twins_of(faces, faces.validation),
    )
    (folder / "card.json").write_bytes(
        card_json(dataclasses.replace(card, figures=validation.figures))
    )
    measured = ModelMetrics(
        version=card.version,
        history=epochs,
        labels={
            "Training": learnt["training"],
            "PublicTest": faces.validation.counts(),
            "PrivateTest": faces.test.counts(),
        },
        left_out=learnt["dropped"],
        validation=validation,
        test=None,
        distribution=distribution.measured(reader, faces.validation),
    )
    (folder / "metrics.json").write_bytes(metrics_json(measured))
    draw(measured, folder / "figures")
    return "\n".join(
        [
            *(
                f"{entry.kind:14} {len(entry.weights):9} bytes, agreement {entry.agreement:.4f}, "
                f"accuracy {entry.accuracy:.4f}, {entry.faces_per_second:.0f} faces/s"
                for entry in candidates
            ),
            f"shipped: {chosen.kind}, {fitted}",
            summary(validation),
        ]
    )


def move(folder: Path, out: Path) -> None:
    """All files of ``folder`` to their places in ``out``, the card last: weights that it does not
    describe are refused by what reads faces."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: path.name == "card.json"):
        place = out / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)


def _trained_on(described: dict[str, Any]) -> str:
    config, data = described["config"], described["data"]
    votes = ", and FER+ votes" if config["label_weight"] < 1 or config["votes_weight"] > 0 else ""
    faces = sum(data["training"].values())
    dropped = ", ".join(f"{count} {reason}" for reason, count in data["dropped"].items())
    return f"FER2013 Training, {faces} faces (left out: {dropped or 'none'}){votes}"


def _history(rows: history.Rows, before: int) -> tuple[EpochFigures, ...]:
    """Numbered on from ``before`` epochs."""
    return tuple(
        EpochFigures(
            before + int(row["epoch"]),
            row["loss"],
            None if math.isnan(row["accuracy"]) else row["accuracy"],
            row["val_loss"],
            row["val_accuracy"],
            row["learning_rate"],
        )
        for row in rows
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="a folder of training.train")
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz")
    parser.add_argument("--out", type=Path, default=default_model_dir())
    parser.add_argument("--version", help="of the model (date and recipe)")
    parser.add_argument(
        "--views", type=int, default=1, choices=(1, 2), help="of a face: 2 is its mirror image, too"
    )
    parser.add_argument(
        "--votes-share",
        type=float,
        default=0.0,
        help="of the head for votes in what is read, 0 to 1 (training.compare tells what it does)",
    )
    parser.add_argument(
        "--prior-share",
        type=float,
        default=0.0,
        help="of the logarithm of how often an expression was learnt, taken off its logit: rare "
        "ones are read more readily, 0 to 1",
    )
    parser.add_argument("--before", type=Path, help="folder of the model that the run began with")
    arguments = parser.parse_args()
    faces = face_data.load(face_data.data_path(arguments.data), clean=False)
    report = export(
        arguments.run,
        faces,
        arguments.out,
        arguments.version,
        views=arguments.views,
        votes_share=arguments.votes_share,
        prior_share=arguments.prior_share,
        before=arguments.before,
    )
    print(report)  # noqa: T201


if __name__ == "__main__":
    main()
