"""``deepface`` on a video, in its own environment:

    python -m benchmarks.recogniser_peers.deepface_video VIDEO EVERY THREADS

gives every EVERY-th frame to ``DeepFace.analyze`` with its default detector, as its users do (the
package has no way of its own through a file), and prints seconds by the clock, seconds of the
processor, and the faces read. Loading is not counted.

For speed only: the package fetches its weights from elsewhere when it is first used, so its
network is left as it was initialised. That takes as long to compute and says nothing about faces.
"""

import sys
import time

import cv2
import numpy as np
import tensorflow as tf
from deepface import DeepFace  # type: ignore[import-not-found]
from deepface.commons import weight_utils  # type: ignore[import-not-found]
from numpy.typing import NDArray


def faces_read(pixels: NDArray[np.uint8]) -> int:
    """How many faces it finds in a frame and reads."""
    found = DeepFace.analyze(pixels, actions=["emotion"], enforce_detection=False, silent=True)
    # Where it finds none it reads the whole frame as one.
    return sum(face["face_confidence"] > 0 for face in found)


def main() -> None:
    path, every, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    cv2.setNumThreads(threads)
    weight_utils.download_weights_if_necessary = lambda **_: ""
    weight_utils.load_model_weights = lambda model, weight_file: model  # noqa: ARG005
    faces_read(np.zeros((360, 640, 3), np.uint8))
    video, read, number = cv2.VideoCapture(path), 0, 0
    clock, processor = time.perf_counter(), time.process_time()
    while video.grab():
        if number % every == 0:
            kept, pixels = video.retrieve()
            read += faces_read(np.asarray(pixels, np.uint8)) if kept else 0
        number += 1
    print(time.perf_counter() - clock, time.process_time() - processor, read)


if __name__ == "__main__":
    main()
