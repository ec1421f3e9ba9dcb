"""Many training steps as one program of JAX.

On a GPU a step of a small network is over before Python has asked for the next one. ``Scanned``
asks for ``steps_per_execution`` of them at once.

Only this module imports jax, and only where it is Keras' backend.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

_MOST_AT_ONCE: Final = 32


def pays() -> bool:
    """Whether JAX runs on more than a CPU, where XLA gives a loop's convolutions one thread."""
    import jax

    return bool(jax.default_backend() != "cpu")


def steps_at_once(steps: int) -> int:
    """How many of an epoch's ``steps`` one program takes: as many as divide them, up to 32."""
    return max(number for number in range(1, _MOST_AT_ONCE + 1) if steps % number == 0)


class Scanned(keras.Model):  # type: ignore[misc]
    """A model whose training steps run ``steps_per_execution`` at a time in one program, where
    Keras calls a program for each of them."""

    train_function: Any

    def make_train_function(self, force: bool = False) -> None:
        """Keras asks for it before it fits."""
        if self.train_function is not None and not force:
            return
        import jax

        def step(state: Any, batch: Any) -> tuple[Any, Any]:
            logs, state = self.train_step(state, batch)
            return state, logs

        def steps(state: Any, batches: list[Any]) -> tuple[Any, Any]:
            stacked = jax.tree.map(lambda *parts: jax.numpy.stack(parts), *batches)
            state, logs = jax.lax.scan(step, state, stacked)
            return jax.tree.map(lambda values: values[-1], logs), state

        program: Any = jax.jit(steps, donate_argnums=0)

        def train(state: Any, batches: Iterator[Any]) -> Any:
            return program(state, list(islice(batches, self.steps_per_execution)))

        self.train_function = train


def seen_by(
    network: keras.Model, variables: Sequence[keras.Variable]
) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """What ``variables``, which ``network`` does not train, become when it sees a batch, float32
    (B, 48, 48, 1), in training; they themselves stay. Compiled once: JAX is slow layer by layer."""
    import jax

    wanted = {id(variable) for variable in variables}
    chosen = [id(variable) in wanted for variable in network.non_trainable_variables]

    def step(trained: list[Any], fixed: list[Any], batch: Any) -> list[Any]:
        _, after = network.stateless_call(trained, fixed, batch, training=True)
        return [value for value, is_one in zip(after, chosen, strict=True) if is_one]

    program: Any = jax.jit(step)

    def seen(batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        trained = [variable.value for variable in network.trainable_variables]
        fixed = [variable.value for variable in network.non_trainable_variables]
        return [np.asarray(value) for value in program(trained, fixed, batch)]

    return seen
