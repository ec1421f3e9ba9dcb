"""``fer`` from PyPI, in its own environment: python -m benchmarks.recogniser_peers.of_fer THREADS

Its network is called by the package's own ``_classify_emotions``, on faces prepared as its
``detect_emotions`` prepares them (``cv2.resize`` to the network's size, then to -1 to 1). Pictures
go through ``detect_emotions`` itself, with the package's own settings (its Haar cascade).
"""

import sys

import cv2
import numpy as np
import tensorflow as tf
from fer.fer import FER  # type: ignore[import-not-found]
from numpy.typing import NDArray

from benchmarks.recogniser_peers.serving import serve

_SIZE = (64, 64)


def main() -> None:
    threads = int(sys.argv[1])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    cv2.setNumThreads(threads)
    recogniser = FER()

    def read_faces(faces: NDArray[np.uint8], _batch: int) -> NDArray[np.float32]:
        prepared = [(cv2.resize(face, _SIZE).astype("float32") / 255.0 - 0.5) * 2 for face in faces]
        return np.asarray(recogniser._classify_emotions(np.array(prepared)), np.float32)  # noqa: SLF001

    def read_picture(picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        faces = recogniser.detect_emotions(picture)
        if not faces:
            return None
        largest = max(faces, key=lambda face: face["box"][2] * face["box"][3])
        return np.asarray(list(largest["emotions"].values()), np.float32)

    serve(read_faces, read_picture)


if __name__ == "__main__":
    main()
