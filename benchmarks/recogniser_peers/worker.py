"""A recogniser's process, and what can be asked of it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.recogniser_peers.catalogue import Peer
from benchmarks.recogniser_peers.environments import (
    PeerMissing,
    last_error,
    node_commands,
    prepared,
    python_of,
)
from benchmarks.recogniser_peers.serving import CLASSES, MARK
from fer_core.types import EXPRESSIONS

ROOT: Final = Path(__file__).parents[2]


class Worker:
    """A process that was started and waits to be asked; a context manager that ends it.

    Raises PeerMissing when it does not start, or ends before it answers.
    """

    def __init__(self, name: str, command: Sequence[str], labels: Sequence[str]) -> None:
        self.name, self.labels = name, tuple(labels)
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed by close()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            self._answer()
        except PeerMissing:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def read_faces(self, faces: Path, batch: int) -> NDArray[np.float32]:
        """Probabilities, float32 (N, 7), in the peer's order, of a file of raw faces."""
        return self._written({"do": "faces", "in": str(faces), "batch": batch})[0]

    def speed(self, faces: Path, batch: int, seconds: float) -> float:
        """Faces a second, measured for ``seconds`` or a little more."""
        answer = self._ask({"do": "time", "in": str(faces), "batch": batch, "seconds": seconds})
        return answer["faces"] / answer["seconds"]

    def read_pictures(self, pictures: Path, side: int) -> tuple[NDArray[np.float32], float]:
        """(Probabilities with rows of NaN where no face was found, pictures a second)."""
        return self._written({"do": "pictures", "in": str(pictures), "side": side})

    def _written(self, wish: dict[str, str | float]) -> tuple[NDArray[np.float32], float]:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "probabilities.f32"
            answer = self._ask(wish | {"out": str(out)})
            rows = np.fromfile(out, np.float32).reshape(-1, CLASSES)
        return rows, answer["faces"] / answer.get("seconds", float("inf"))

    def _ask(self, wish: Mapping[str, str | float]) -> dict[str, float]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(wish) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what it said when it ended is in its errors
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(MARK):
                answer: dict[str, float] = json.loads(line.removeprefix(MARK))
                return answer
        self._errors.seek(0)
        raise PeerMissing(f"{self.name} ended early: {last_error(self._errors.read())}")


def start_peer(peer: Peer, cache: Path, threads: int) -> Worker:
    """Install the peer if need be, and start it. Raises PeerMissing."""
    folder = prepared(peer.environment, cache)
    first, *rest = peer.program
    if peer.environment.kind == "npm":
        script = Path(__file__).with_name(first)
        command = [str(node_commands(cache)[0]), str(script), str(threads), *rest, str(folder)]
    else:
        command = [str(python_of(folder)), "-W", "ignore", "-m", first, str(threads), *rest]
    return Worker(peer.name, command, peer.labels)


def start_ours(name: str, folder: Path, threads: int) -> Worker:
    """Start our own reader on the model in ``folder``. Raises PeerMissing."""
    module = "benchmarks.recogniser_peers.ours"
    return Worker(
        name, [sys.executable, "-m", module, str(threads), str(folder.resolve())], EXPRESSIONS
    )
