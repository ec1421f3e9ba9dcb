"""Satisface's own reader as one of the processes that are compared.

python -m benchmarks.recogniser_peers.ours THREADS FOLDER
"""

import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.recogniser_peers.serving import serve
from fer_core import ExpressionReader, YuNetDetector, align_crop


def main() -> None:
    threads, folder = int(sys.argv[1]), Path(sys.argv[2])
    cv2.setNumThreads(threads)

    @cache
    def reader(batch: int) -> ExpressionReader:
        return ExpressionReader(folder, threads=threads, batch=batch)

    detector = YuNetDetector()

    def read_picture(picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        faces = detector.detect(picture)
        if not faces:
            return None
        largest = max(faces, key=lambda face: face.box.width * face.box.height)
        return np.asarray(reader(1).read(align_crop(picture, largest)[None])[0], np.float32)

    reader(1)
    serve(lambda faces, batch: reader(batch).read(faces), read_picture)


if __name__ == "__main__":
    main()
