"""Measure the shipped model: ``python -m training.evaluate --data ...``.

It measures what ships (LiteRT, temperature, unknown rule) on PublicTest and prints the figures.
``--private-test`` measures PrivateTest as well, once for each released model, and writes it into
metrics.json and card.json and draws figures/ anew; a second time is refused, as are data that
are divided otherwise than those that the model learnt. ``--sheet`` draws faces read right and
wrong to a folder of your own: FER2013's pictures are not ours to hand on.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.errors import ModelError
from fer_core.expression import ExpressionReader
from fer_core.model_card import (
    Estimate,
    MoveFigures,
    SizeFigures,
    SplitMetrics,
    card_json,
    default_model_dir,
    metrics_json,
    read_card,
    read_metrics,
)
from fer_core.preprocessing import FACE_SIZE
from fer_core.types import EXPRESSIONS
from training import data as face_data
from training import metrics
from training.distribution import confusions_of
from training.figures import draw

SIZES: Final = (48, 32, 24, 20, 16)

_TENTH: Final = FACE_SIZE / 10
MOVES: Final = {
    "shifted by a tenth, sideways": (0.0, 1.0, _TENTH, 0.0),
    "shifted by a tenth, up": (0.0, 1.0, 0.0, -_TENTH),
    "shifted by a tenth, down": (0.0, 1.0, 0.0, _TENTH),
    "a tenth larger": (0.0, 1.1, 0.0, 0.0),
    "a tenth smaller": (0.0, 0.9, 0.0, 0.0),
    "turned by 10 degrees": (10.0, 1.0, 0.0, 0.0),
}
"""(degrees, size, pixels to the right, pixels down)"""


def evaluate(
    reader: ExpressionReader,
    name: str,
    split: face_data.Split,
    *,
    twins: NDArray[np.bool_] | None = None,
) -> SplitMetrics:
    """Everything that ``SplitMetrics`` holds, of ``split``, called ``name``. ``twins``, bool (N,):
    the faces that another split holds as well."""
    probabilities = reader.read(split.images)
    labels = split.labels
    confusion = metrics.confusion_matrix(probabilities, labels)
    known = probabilities.max(axis=1) >= reader.card.unknown_below
    figures = {
        key: metrics.estimate(statistic, probabilities, labels)
        for key, statistic in metrics.STATISTICS.items()
    }
    figures["unknown_share"] = metrics.estimate(
        lambda chosen, _: float((chosen.max(axis=1) < reader.card.unknown_below).mean()),
        probabilities,
        labels,
    )
    figures["accuracy_of_known"] = _accuracy(probabilities, labels, known)
    if reader.card.views > 1:
        figures["accuracy_of_one_view"] = metrics.estimate(
            metrics.accuracy, reader.read(split.images, views=1), labels
        )
    if split.votes is not None:
        majority, clear = ferplus_majority(split.votes)
        figures["ferplus_accuracy"] = _accuracy(probabilities, majority, clear)
        figures["accuracy_without_no_face"] = _accuracy(probabilities, labels, ~split.no_face())
    if twins is not None:
        figures["accuracy_without_duplicates"] = _accuracy(probabilities, labels, ~twins)
    return SplitMetrics(
        split=name,
        faces=len(split),
        figures=figures,
        classes=metrics.class_figures(confusion),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        confusions=confusions_of(probabilities[known], labels[known]),
        reliability=metrics.reliability(probabilities, labels),
        coverage=metrics.risk_coverage(probabilities, labels),
        sizes=tuple(
            SizeFigures(
                pixels,
                metrics.estimate(
                    metrics.accuracy, reader.read(shrunk(split.images, pixels)), labels
                ),
            )
            for pixels in SIZES
        ),
        moves=tuple(
            MoveFigures(
                change,
                metrics.estimate(metrics.accuracy, reader.read(moved(split.images, *how)), labels),
            )
            for change, how in MOVES.items()
        ),
    )


def twins_of(faces: face_data.FaceData, split: face_data.Split) -> NDArray[np.bool_]:
    """bool (N,): which faces of ``split`` one of the other splits holds as well, exactly or
    nearly."""
    others = [one for one in (faces.training, faces.validation, faces.test) if one is not split]
    images = np.concatenate([one.images for one in others])
    exact = face_data.is_among(split.images, images)
    return np.asarray(exact | face_data.near_duplicates(split.images, images), np.bool_)


def _accuracy(
    probabilities: NDArray[np.float32], labels: metrics.Labels, chosen: NDArray[np.bool_]
) -> Estimate:
    return metrics.estimate(metrics.accuracy, probabilities[chosen], labels[chosen])


def ferplus_majority(votes: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """FER+'s label, int64 (N,), and for which faces it is clear: more than half of all votes,
    and for one of EXPRESSIONS."""
    ours = votes[:, face_data.VOTES_OF_EXPRESSIONS].astype(np.int64)
    return ours.argmax(axis=1), ours.max(axis=1) * 2 > votes.sum(axis=1)


def shrunk(images: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """``images`` (N, side, side) as if taken with ``pixels`` a side, enlarged again."""
    side = images.shape[1]
    if pixels == side:
        return images
    out = np.empty_like(images)
    for index, image in enumerate(images):
        small = cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA)
        out[index] = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
    return out


def moved(
    images: NDArray[np.uint8], degrees: float, size: float, right: float, down: float
) -> NDArray[np.uint8]:
    """``images`` (N, 48, 48) turned and enlarged about their centre, then shifted by pixels; their
    edge is repeated."""
    centre = (FACE_SIZE - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((centre, centre), degrees, size), np.float64)
    matrix[:, 2] += np.array([right, down])
    out = np.empty_like(images)
    for index, image in enumerate(images):
        out[index] = cv2.warpAffine(
            image, matrix, (FACE_SIZE, FACE_SIZE), borderMode=cv2.BORDER_REPLICATE
        )
    return out


def sample_sheet(
    reader: ExpressionReader, split: face_data.Split, *, columns: int = 7, seed: int = 0
) -> NDArray[np.uint8]:
    """A BGR picture: a row of faces for each label, green frames read right, red ones wrong,
    with what was read and its probability."""
    generator = np.random.default_rng(seed)
    rows = []
    for label in range(len(EXPRESSIONS)):
        candidates = np.flatnonzero(split.labels == label)
        chosen = generator.choice(candidates, min(columns, len(candidates)), replace=False)
        tiles = []
        for image, p in zip(split.images[chosen], reader.read(split.images[chosen]), strict=True):
            tile = cv2.cvtColor(cv2.resize(image, (96, 96)), cv2.COLOR_GRAY2BGR)
            colour = (80, 170, 60) if p.argmax() == label else (60, 60, 220)
            tile = cv2.copyMakeBorder(tile, 4, 22, 4, 4, cv2.BORDER_CONSTANT, value=colour)
            text = f"{EXPRESSIONS[int(p.argmax())]} {p.max():.2f}"
            cv2.putText(tile, text, (5, 116), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
            tiles.append(tile)
        tiles += [np.zeros_like(tiles[0])] * (columns - len(tiles))
        rows.append(np.hstack(tiles))
    return np.asarray(np.vstack(rows), np.uint8)


def summary(measured: SplitMetrics) -> str:
    """The figures as lines of text."""
    lines = [f"{measured.split}, {measured.faces} faces"]
    lines += [
        f"  {name:28} {figure.value:.4f}  [{figure.low:.4f}, {figure.high:.4f}]"
        for name, figure in measured.figures.items()
    ]
    lines += [
        f"  {entry.expression:10} precision {entry.precision:.3f} recall {entry.recall:.3f} "
        f"F1 {entry.f1:.3f} ({entry.faces} faces, {entry.predicted} predicted)"
        for entry in measured.classes
    ]
    lines += [f"  at {size.pixels} px {size.accuracy.value:.4f}" for size in measured.sizes]
    lines += [f"  {move.change} {move.accuracy.value:.4f}" for move in measured.moves]
    return "\n".join(lines)


def check_data(folder: Path, faces: face_data.FaceData) -> None:
    """Raises DataError where ``faces`` are divided otherwise than what the model in ``folder``
    learnt."""
    labels = read_metrics(folder).labels
    # A card that does not tell is of a time when all models learnt the official splits.
    learnt = {
        "layout": json.loads(read_card(folder).recipe).get("data", "packed"),
        "validation": labels["PublicTest"],
        "test": labels["PrivateTest"],
    }
    face_data.check_division(f"the model in {folder}", learnt, faces)


def record_private_test(folder: Path, faces: face_data.FaceData) -> SplitMetrics:
    """Measure PrivateTest, write it into the model's files and draw its figures. Raises ModelError
    where that was done for this model before, and as ``check_data`` does."""
    card, measured = read_card(folder), read_metrics(folder)
    if measured.test is not None:
        raise ModelError(f"PrivateTest was looked at already for model {card.version}.")
    check_data(folder, faces)
    twins = twins_of(faces, faces.test)
    test = evaluate(ExpressionReader(folder), "PrivateTest", faces.test, twins=twins)
    card = dataclasses.replace(card, split=test.split, figures=test.figures)
    measured = dataclasses.replace(measured, test=test)
    draw(measured, folder / "figures")  # first: what is written below refuses a second go
    (folder / "metrics.json").write_bytes(metrics_json(measured))
    (folder / "card.json").write_bytes(card_json(card))
    return test


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz")
    parser.add_argument("--model", type=Path, default=default_model_dir(), help="its folder")
    parser.add_argument("--sheet", type=Path, help="draw sample predictions into this .png")
    parser.add_argument("--private-test", action="store_true", help="once for a released model")
    arguments = parser.parse_args()
    faces = face_data.load(face_data.data_path(arguments.data), clean=False)
    check_data(arguments.model, faces)
    reader = ExpressionReader(arguments.model)
    twins = twins_of(faces, faces.validation)
    print(summary(evaluate(reader, "PublicTest", faces.validation, twins=twins)))  # noqa: T201
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), sample_sheet(reader, faces.validation))
    if arguments.private_test:
        print(summary(record_private_test(arguments.model, faces)))  # noqa: T201


if __name__ == "__main__":
    main()
