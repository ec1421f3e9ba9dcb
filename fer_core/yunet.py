"""YuNet's network in LiteRT: an image to boxes, landmarks and scores, in the image's own pixels.

YuNet: Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 2023. The weights are those of OpenCV's ``FaceDetectorYN`` (2023mar), laid out for LiteRT
by ``training.face_detector``; LiteRT takes half the time that OpenCV does. What follows the
network is as in OpenCV's modules/objdetect/src/face_detect.cpp.
"""

import hashlib
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from fer_core.errors import ModelError

WEIGHTS: Final = Path(__file__).resolve().parent.parent / "models" / "face_detector.tflite"
WEIGHTS_SHA256: Final = "e2257951ce057927df79e9907446e5edc43758cdadacfc32a33f6f7dc0ae1460"

STEP: Final = 32
"""The network's coarsest stride: sides of its input are multiples of it."""

_TOP_K: Final = 5000


class YuNet:
    """The network, laid out for one size of image at a time. Not for two threads at once.

    ``threads``: of the arithmetic; one is the most work for the least time of the processor.
    Raises ModelError when the weights are not there or were altered.
    """

    def __init__(self, threads: int = 1) -> None:
        try:
            self._interpreter = Interpreter(model_content=_weights(), num_threads=threads)
        except (RuntimeError, ValueError) as error:
            raise ModelError("The weights of the face detector cannot be loaded.") from error
        self._input = int(self._interpreter.get_input_details()[0]["index"])
        self._size = (0, 0)

    def find(
        self, image: NDArray[np.uint8], score_threshold: float, nms_iou: float, side: int = 0
    ) -> NDArray[np.float32]:
        """float32 (N, 15), best first: x, y, width, height, five landmarks (x, y), score.

        ``image``: uint8 (height, width, 3), BGR. ``nms_iou``: overlap from which two boxes are
        one face. ``side``: what the network is laid out for at least, of both sides: laying it out
        anew takes time.
        """
        height, width = (max(length, side) for length in image.shape[:2])
        self._lay_out(-(-height // STEP) * STEP, -(-width // STEP) * STEP)
        self._fill(image)
        self._interpreter.invoke()
        levels = [
            self._interpreter.get_tensor(int(output["index"]))[0]
            for output in self._interpreter.get_output_details()
        ]
        rows = np.concatenate(
            [_decoded(level, self._size[0] // len(level), score_threshold) for level in levels]
        )
        return rows[non_maximum_suppression(rows, nms_iou)]

    def _lay_out(self, height: int, width: int) -> None:
        if (height, width) == self._size:
            return
        self._interpreter.resize_tensor_input(self._input, [1, height, width, 4])
        self._interpreter.allocate_tensors()
        self._size = (height, width)

    def _fill(self, image: NDArray[np.uint8]) -> None:
        """The image into the network's own memory; no view of it may outlive this."""
        height, width = image.shape[:2]
        (own,) = self._interpreter.tensor(self._input)()
        own[:height, :width] = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
        # What is beyond the image is black, as OpenCV has it.
        own[height:] = 0
        own[:height, width:] = 0


def non_maximum_suppression(rows: NDArray[np.float32], nms_iou: float) -> NDArray[np.intp]:
    """Which of the rows (N, 15) to keep, best first: of boxes that overlap by more than
    ``nms_iou``, the one of the highest score."""
    kept = cv2.dnn.NMSBoxes(
        rows[:, :4].astype(np.float64).tolist(), rows[:, 14].tolist(), 0.0, nms_iou, top_k=_TOP_K
    )
    return np.asarray(kept, np.intp)


def _decoded(level: NDArray[np.float32], stride: int, threshold: float) -> NDArray[np.float32]:
    """The rows (N, 15) of one level that reach ``threshold``.

    The score is the geometric mean of "a face" and "its box is good".
    """
    scores = np.sqrt(_sigmoid(level[..., 0]) * _sigmoid(level[..., 5]))
    y, x = np.nonzero(scores >= threshold)
    cells = level[y, x]
    at = np.stack([x, y], axis=1).astype(np.float32)
    centre = (at + cells[:, 1:3]) * stride
    size = np.exp(cells[:, 3:5]) * stride
    landmarks = (cells[:, 6:16].reshape(-1, 5, 2) + at[:, None]) * stride
    return np.concatenate(
        [centre - size / 2, size, landmarks.reshape(-1, 10), scores[y, x][:, None]], axis=1
    ).astype(np.float32)


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def _weights() -> bytes:
    try:
        data = WEIGHTS.read_bytes()
    except OSError as error:
        raise ModelError("The weights of the face detector are missing.") from error
    if hashlib.sha256(data).hexdigest() != WEIGHTS_SHA256:
        raise ModelError("The weights of the face detector are not the ones this version expects.")
    return data
