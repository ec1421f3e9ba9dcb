"""``fer``'s own way through a video, in its own environment:

    python -m benchmarks.recogniser_peers.fer_video VIDEO EVERY THREADS

reads every EVERY-th frame with ``Video.analyze``, nothing drawn and nothing saved, and prints
seconds by the clock, seconds of the processor, and the faces read. Loading is not counted.
"""

import sys
import tempfile
import time

import cv2
import numpy as np
import tensorflow as tf
from fer.classes import Video  # type: ignore[import-not-found]
from fer.fer import FER  # type: ignore[import-not-found]


def main() -> None:
    path, every, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    cv2.setNumThreads(threads)
    # It asks for a key after each frame, and a server has no window.
    cv2.waitKey, cv2.destroyAllWindows = lambda *_: -1, lambda: None
    recogniser = FER()
    recogniser._classify_emotions(np.zeros((1, 64, 64), np.float32))  # noqa: SLF001
    with tempfile.TemporaryDirectory() as folder:
        video = Video(path, outdir=folder)
        video.to_format = lambda data, _: data  # the faces themselves; only they are counted
        clock, processor = time.perf_counter(), time.process_time()
        frames = video.analyze(
            recogniser,
            frequency=every,
            save_frames=False,
            save_video=False,
            annotate_frames=False,
            zip_images=False,
        )
        spent = time.perf_counter() - clock, time.process_time() - processor
    print(*spent, sum(len(faces) for faces in frames))


if __name__ == "__main__":
    main()
