"""What is trained: the network behind the augmentation, with what only training needs around it.

pixels -> AugmentFaces -> scaled as fer_core.preprocessing does -> network -> logits. Beside it,
where the recipe asks for them, a head for FER+'s votes and the teachers' opinion of the same
changed faces. Keras 3; what one backend does in a way of its own is in ``on_jax`` and ``on_torch``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from fer_core.preprocessing import FACE_SIZE, to_model_input
from fer_core.types import EXPRESSIONS
from training import on_jax
from training.augmentation import AugmentFaces
from training.data import DataError
from training.network import LOW, residual_net, study_cnn
from training.on_torch import Fused
from training.recipe import Recipe


def build_network(recipe: Recipe) -> keras.Model:
    """The network of ``recipe``, fresh: what is shipped. Raises DataError where ``ranks`` names a
    convolution that it has not."""
    if recipe.network == "study":
        network = study_cnn(recipe.dropout)
    else:
        network = residual_net(
            recipe.widths,
            recipe.blocks,
            squeeze=recipe.squeeze,
            dropout=recipe.dropout,
            stem_stride=recipe.stem_stride,
            strides=recipe.strides,
            ranks=recipe.ranks,
        )
    missing = {f"{name}{LOW}" for name in recipe.ranks} - {layer.name for layer in network.layers}
    if missing:
        names = ", ".join(sorted(name.removesuffix(LOW) for name in missing))
        raise DataError(f"The recipe {recipe.name} ranks what its network has not: {names}.")
    return network


@contextmanager
def mixed_precision(wanted: bool) -> Iterator[None]:
    """Layers made here compute in bfloat16 and keep their weights in float32."""
    before = keras.config.dtype_policy()
    if wanted:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _renamed(network: keras.Model, name: str) -> keras.Model:
    """A copy whose variables have paths of their own: on torch, Keras clears the gradients of one
    variable of each path only, and those of the others would add up from step to step."""

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config(layer.get_config() | {"name": f"{name}_{layer.name}"})

    copy = keras.models.clone_model(network, clone_function=copied)
    copy.set_weights(network.get_weights())
    copy.name = name
    return copy


class Distillation(layers.Layer):  # type: ignore[misc]
    """Adds the Kullback-Leibler divergence from the teachers' probabilities to the student's,
    both at ``temperature``, to the loss (Hinton et al., 2015, arXiv:1503.02531)."""

    def __init__(self, temperature: float, weight: float, **options: Any) -> None:
        super().__init__(dtype="float32", **options)
        self.temperature: Final = temperature
        self.weight: Final = weight

    def call(self, student: keras.KerasTensor, teacher: keras.KerasTensor) -> keras.KerasTensor:
        log_p = ops.log_softmax(teacher / self.temperature)
        log_q = ops.log_softmax(student / self.temperature)
        divergence = ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)
        self.add_loss(self.weight * self.temperature**2 * ops.mean(divergence))
        return student


class Learner:
    """A network in training.

    ``network``: what is shipped. ``model``: what is fitted, from pixels, float32
    (B, 48, 48, 1), to logits (B, 7), twice where there is a head for votes. ``teachers``:
    networks, not trained.
    """

    def __init__(
        self, recipe: Recipe, teachers: Sequence[keras.Model] = (), *, mixed: bool = False
    ) -> None:
        self.recipe: Final = recipe
        fused = keras.backend.backend() == "torch"
        with mixed_precision(mixed and not fused):
            self.network: Final = build_network(recipe)
        pixels = keras.Input((FACE_SIZE, FACE_SIZE, 1), name="pixels")
        self.augment: Final = AugmentFaces(
            recipe.augmentation, recipe.seed, dtype="float32", name="augment"
        )
        black, white = to_model_input(np.array([[[0, 255]]], np.uint8)).ravel().tolist()
        self.scale: Final = layers.Rescaling(
            (white - black) / 255, black, dtype="float32", name="scale"
        )
        faces = self.scale(self.augment(pixels))
        inner, head = self.network, None
        if recipe.votes_weight > 0:
            head = layers.Dense(len(EXPRESSIONS), dtype="float32", name="votes")
            pooled = self.network.get_layer("dropout").output
            inner = keras.Model(self.network.input, [self.network.output, head(pooled)])
        if fused:
            inner = Fused(inner, mixed=mixed)
        read = inner(faces)
        logits, *votes = read if isinstance(read, list) else [read]
        logits = layers.Identity(dtype="float32", name="label")(logits)
        if teachers:
            teachers = [_renamed(teacher, f"teacher{n}") for n, teacher in enumerate(teachers)]
            for teacher in teachers:
                teacher.trainable = False
                if mixed and not fused:
                    for layer in teacher.layers:
                        layer.dtype_policy = "mixed_bfloat16"
            opinions = [
                Fused(teacher, mixed=mixed, teaches=True)(faces)[0]
                if fused
                else teacher(faces, training=False)
                for teacher in teachers
            ]
            opinion = layers.Average()(opinions) if len(opinions) > 1 else opinions[0]
            logits = Distillation(recipe.temperature, recipe.distillation, name="label_learnt")(
                logits, opinion
            )
        self._extra: Final[list[keras.Variable]] = list(head.weights) if head else []
        self._scanned: Final = keras.backend.backend() == "jax" and on_jax.pays()
        kind = on_jax.Scanned if self._scanned else keras.Model
        self.model: Final = kind(pixels, [logits, *votes], name="learner")

    def compile(self, steps: int) -> None:
        """SGD with Nesterov momentum, warm-up and a cosine to zero, and a running average of the
        weights. ``steps``: in an epoch. Keras' decay is decoupled: 5e-3 here equals an L2 penalty
        of 5e-4 under momentum 0.9."""
        recipe = self.recipe
        warmup = round(recipe.warmup_epochs * steps)
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=recipe.learning_rate / 50,
            decay_steps=recipe.epochs * steps - warmup,
            warmup_target=recipe.learning_rate,
            warmup_steps=warmup,
        )
        own = 1 - recipe.distillation if recipe.teachers else 1.0
        weights = [own, recipe.votes_weight][: len(self.model.outputs)]
        self.model.compile(
            optimizer=keras.optimizers.SGD(
                schedule,
                momentum=0.9,
                nesterov=True,
                weight_decay=recipe.weight_decay,
                use_ema=True,
                ema_momentum=recipe.ema_momentum,
            ),
            loss=[keras.losses.CategoricalCrossentropy(from_logits=True) for _ in weights],
            loss_weights=weights,
            metrics=[[keras.metrics.CategoricalAccuracy(name="accuracy")], []][: len(weights)],
            jit_compile=recipe.jit and keras.backend.backend() != "torch",
            steps_per_execution=on_jax.steps_at_once(steps) if self._scanned else 1,
        )

    def reseed(self, epoch: int) -> None:
        """Random numbers of an epoch follow from seed and epoch, so that a resumed run draws
        what an undisturbed one would."""
        keras.utils.set_random_seed(self.recipe.seed + 1000 * epoch)
        generators = [self.augment.seed_generator]
        generators += [
            layer.seed_generator
            for layer in self.network.layers
            if isinstance(layer, layers.Dropout) and layer.rate > 0
        ]
        for number, generator in enumerate(generators):
            generator.state.assign(np.array([self.recipe.seed + 1000 * number, epoch], "uint32"))

    def average_into(self, averaged: keras.Model) -> list[NDArray[np.float32]]:
        """Give ``averaged`` the running average of the network's weights; that of the head for
        votes, kernel (C, 7) and bias (7,), where there is one."""
        trained = self.model.trainable_variables
        raw = [keras.ops.convert_to_numpy(variable) for variable in trained]
        self.model.optimizer.finalize_variable_values(trained)
        averaged.set_weights(self.network.get_weights())
        head = [keras.ops.convert_to_numpy(variable) for variable in self._extra]
        for variable, value in zip(trained, raw, strict=True):
            variable.assign(value)
        return head

    def save(self, path: Path) -> None:
        """Weights and the optimizer's state, whole or not at all."""
        part = path.with_name(f"part-{path.name}")
        np.savez(
            part,
            **{
                f"{number:04}": keras.ops.convert_to_numpy(v)
                for number, v in enumerate(self._state())
            },
        )
        part.replace(path)

    def load(self, path: Path) -> None:
        """What ``save`` wrote; the schedule stays the recipe's: more or fewer epochs than the
        run began with stretch or squeeze what is left of it."""
        self.model.optimizer.build(self.model.trainable_variables)
        with np.load(path) as saved:
            values: list[NDArray[np.generic]] = [saved[name] for name in sorted(saved.files)]
        for variable, value in zip(self._state(), values, strict=True):
            variable.assign(value)

    def begin_with(self, network: keras.Model) -> None:
        """The weights of ``network``; a head for votes begins as its head. Raises ValueError where
        it is another network."""
        self.network.set_weights(network.get_weights())
        if self._extra:
            head = network.get_layer("logits").get_weights()
            for variable, value in zip(self._extra, head, strict=True):
                variable.assign(value)

    def _state(self) -> list[keras.Variable]:
        return [*self.network.weights, *self._extra, *self.model.optimizer.variables]


class Statistics:
    """Sets the mean and variance of every batch normalisation of ``network`` to those of the faces
    that it is shown: averaged weights see other activations than the weights whose running
    statistics they inherit (Izmailov et al., 2018, arXiv:1803.05407, section 3)."""

    def __init__(self, network: keras.Model) -> None:
        self._network: Final = network
        self._norms: Final = [
            layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)
        ]
        self._variables: Final = [
            variable
            for layer in self._norms
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        self._of_batch: Callable[[NDArray[np.float32]], list[NDArray[np.float32]]] = self._eager
        if keras.backend.backend() == "jax":
            self._of_batch = on_jax.seen_by(network, self._variables)

    def measure(self, batches: Iterable[NDArray[np.float32]]) -> None:
        """``batches``: each float32 (B, 48, 48, 1); every one counts alike."""
        momenta = [layer.momentum for layer in self._norms]
        for layer in self._norms:
            layer.momentum = 0.0  # a batch's own statistics
        seen = [self._of_batch(batch) for batch in batches]
        for layer, momentum in zip(self._norms, momenta, strict=True):
            layer.momentum = momentum
        for variable, values in zip(self._variables, zip(*seen, strict=True), strict=True):
            variable.assign(np.mean(values, axis=0))

    def _eager(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self._network(batch, training=True)
        return [keras.ops.convert_to_numpy(variable) for variable in self._variables]
