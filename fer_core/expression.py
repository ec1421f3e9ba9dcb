"""Crops to calibrated probabilities: the shipped LiteRT model, read in batches."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from fer_core.errors import ModelError
from fer_core.model_card import ModelCard, default_model_dir, read_card
from fer_core.preprocessing import FACE_SIZE, to_model_input
from fer_core.stages import Pool
from fer_core.types import EXPRESSIONS

WEIGHTS: Final = "expression.tflite"


class ExpressionReader:
    """Reads faces with the model in ``folder`` (the shipped one).

    ``threads``: of the arithmetic for one batch. ``batch``: faces a step at most; a face is read
    the same, to the last bit, in a batch of any size. ``at_once``: batches that are to be read at
    the same time, each by a thread of its own. Raises ModelError when the weights or their card
    are missing, altered, or do not fit this code.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        threads: int = 2,
        batch: int = 16,
        at_once: int = 1,
    ) -> None:
        folder = folder or default_model_dir()
        self.card: Final[ModelCard] = read_card(folder)
        if self.card.expressions != EXPRESSIONS or self.card.input_size != FACE_SIZE:
            raise ModelError("The model reads other expressions or sizes than this version does.")
        if self.card.temperature <= 0:
            raise ModelError("The model's card holds no usable temperature.")
        self.at_once, self._batch = at_once, batch
        self._networks = Pool(partial(_Network, _checked_weights(folder, self.card), threads))
        with self._networks.lent():
            pass  # made now, so that weights that cannot be used are told of at once

    def read(self, crops: NDArray[np.uint8], views: int | None = None) -> NDArray[np.float32]:
        """Calibrated probabilities, float32 (N, 7), rows summing to 1, in EXPRESSIONS' order.

        ``crops``: uint8 (N, 48, 48), as ``fer_core.preprocessing.align_crop`` makes them.
        ``views``: see ``ModelCard``; 1 takes half the time of 2. By default as the card has it.
        """
        one = self.card.temperature_of_one_view if views == 1 else None
        return calibrated(self.logits(crops, views), one or self.card.temperature)

    def logits(self, crops: NDArray[np.uint8], views: int | None = None) -> NDArray[np.float32]:
        """The model's own answers, float32 (N, 7), before calibration, averaged over the views."""
        if crops.ndim != 3 or crops.shape[1:] != (FACE_SIZE, FACE_SIZE) or crops.dtype != np.uint8:
            raise ValueError(f"crops must be uint8 (N, 48, 48), not {crops.dtype} {crops.shape}")
        shown = [self._logits(view) for view in views_of(crops, views or self.card.views)]
        return np.asarray(np.mean(shown, axis=0), np.float32)

    def _logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        out = np.empty((len(crops), len(EXPRESSIONS)), np.float32)
        with self._networks.lent() as network:
            for start in range(0, len(crops), self._batch):
                inputs = to_model_input(crops[start : start + self._batch])
                out[start : start + len(inputs)] = network.logits(inputs)
        return out


class _Network:
    """The network, laid out for one number of faces at a time. Not for two threads at once."""

    def __init__(self, weights: bytes, threads: int) -> None:
        self._laid_out = 0
        try:
            self._interpreter = Interpreter(model_content=weights, num_threads=threads)
            self._input = int(self._interpreter.get_input_details()[0]["index"])
            self._output = int(self._interpreter.get_output_details()[0]["index"])
            self._lay_out(1)
        except (RuntimeError, ValueError) as error:
            raise ModelError("The model's weights cannot be loaded.") from error

    def logits(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (N, 48, 48, 1) to float32 (N, 7)."""
        self._lay_out(len(inputs))
        self._interpreter.set_tensor(self._input, inputs)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output), np.float32)

    def _lay_out(self, count: int) -> None:
        """For ``count`` faces: well under a millisecond, while a face that only fills up a batch
        would cost as much as a face."""
        if count != self._laid_out:
            self._interpreter.resize_tensor_input(self._input, [count, FACE_SIZE, FACE_SIZE, 1])
            self._interpreter.allocate_tensors()
            self._laid_out = count


def views_of(crops: NDArray[np.uint8], views: int) -> list[NDArray[np.uint8]]:
    """What the network is shown of ``crops`` (N, 48, 48): themselves, and mirrored where
    ``views`` is 2."""
    if views not in {1, 2}:
        raise ValueError(f"a face is shown once or twice, not {views} times")
    return [crops, crops[:, :, ::-1]][:views]


def calibrated(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Softmax of ``logits`` (N, 7) divided by ``temperature`` (Guo et al., 2017,
    arXiv:1706.04599)."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    exponential = np.exp(scaled)
    return np.asarray(exponential / exponential.sum(axis=1, keepdims=True), np.float32)


def _checked_weights(folder: Path, card: ModelCard) -> bytes:
    path = folder / WEIGHTS
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model's weights {WEIGHTS} are missing from {folder}.") from error
    if hashlib.sha256(weights).hexdigest() != card.sha256.get(WEIGHTS):
        raise ModelError(f"The model's weights {WEIGHTS} are not those that its card describes.")
    return weights
