"""The training step of a network, fused by torch's compiler.

Keras runs a network on torch layer by layer, and its batch normalisation in a dozen steps; what
that moves through memory costs more than the convolutions do. ``Fused`` computes the same layers
from the same variables as one function, in channels-last order and (``mixed``) in bfloat16 with
float32 weights, which pays on GPUs and on processors that know bfloat16 (Intel AMX).

Only this module imports torch, and only where torch is Keras' backend.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

import keras
from keras import layers

Tensor = Any
"""A torch tensor."""

Step = Callable[[list[Tensor], list[Tensor]], Tensor]
"""From a layer's inputs, (B, C, H, W) or (B, C), and its variables to its output."""


class Fused(layers.Layer):  # type: ignore[misc]
    """``network`` while it trains: a list of its outputs, float32. Elsewhere (not training, or
    while Keras builds its graph) Keras runs it.

    ``teaches``: it is another that trains, on what this one, as it is, says of the same faces."""

    def __init__(self, network: keras.Model, *, mixed: bool, teaches: bool = False) -> None:
        super().__init__(name=f"{network.name}_fused", dtype="float32")
        self.network: Final = network
        self._mixed: Final = mixed
        self._teaches: Final = teaches
        self._steps: Final = _steps_of(network, training=not teaches)
        self._run: Callable[..., list[Tensor]] | None = None

    def call(self, faces: keras.KerasTensor, training: bool = False) -> list[keras.KerasTensor]:
        if not training or isinstance(faces, keras.KerasTensor):
            return self._by_keras(faces, training)
        import torch

        if not isinstance(faces, torch.Tensor) or faces.device.type == "meta":
            return self._by_keras(faces, training)
        if self._run is None:
            self._run = torch.compile(self._forward, dynamic=False)
        weights = [[variable.value for variable in layer.weights] for layer, *_ in self._steps]
        with torch.set_grad_enabled(not self._teaches):
            return list(self._run(faces, weights))

    def _by_keras(self, faces: keras.KerasTensor, training: bool) -> list[keras.KerasTensor]:
        read = self.network(faces, training=training and not self._teaches)
        return list(read) if isinstance(read, list) else [read]

    def _forward(self, faces: Tensor, weights: list[list[Tensor]]) -> list[Tensor]:
        import torch

        with torch.autocast(faces.device.type, torch.bfloat16, enabled=self._mixed):
            known = {id(self.network.inputs[0]): faces.permute(0, 3, 1, 2)}
            for (_, step, inputs, output), own in zip(self._steps, weights, strict=True):
                known[output] = step([known[name] for name in inputs], own)
        return [known[id(output)].float() for output in self.network.outputs]


def _steps_of(
    network: keras.Model, *, training: bool
) -> list[tuple[keras.layers.Layer, Step, list[int], int]]:
    """(layer, what it does, the tensors that it reads, the one that it makes), in order."""
    steps = []
    for layer in network.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        read = layer.input if isinstance(layer.input, list) else [layer.input]
        step = _step(layer, training)
        steps.append((layer, step, [id(tensor) for tensor in read], id(layer.output)))
    return steps


def _step(layer: keras.layers.Layer, training: bool) -> Step:
    """What ``layer`` does. Raises NotImplementedError for a kind of layer that ``training.network``
    does not use."""
    for kind, made in (_KINDS if training else _KINDS | _NOT_TRAINING).items():
        if isinstance(layer, kind):
            step: Step = made(layer)
            return step
    raise NotImplementedError(f"{type(layer).__name__} has no fused step.")


def _activated(layer: keras.layers.Layer) -> Callable[[Tensor], Tensor]:
    import torch

    known: dict[str, Callable[[Tensor], Tensor]] = {
        "linear": lambda tensor: tensor,
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
    }
    return known[keras.activations.serialize(layer.activation)]


def _convolution(layer: keras.layers.Conv2D) -> Step:
    import torch
    from torch.nn import functional

    (height, width), stride, activated = layer.kernel_size, layer.strides, _activated(layer)
    _, rows, columns, _ = layer.input.shape
    assert layer.padding == "same" or (height, width) == (1, 1)
    missing = [
        max((-(-side // step) - 1) * step + size - side, 0)
        for side, step, size in zip((rows, columns), stride, (height, width), strict=True)
    ]
    uneven = [missing[1] // 2, missing[1] - missing[1] // 2]
    uneven += [missing[0] // 2, missing[0] - missing[0] // 2]
    few_places = _few_places() if has_few_places(layer) else None

    def step(inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
        kernel = weights[0].permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        bias = weights[1] if layer.use_bias else None
        (tensor,) = inputs
        if uneven[0] == uneven[1] and uneven[2] == uneven[3]:
            padding = (uneven[2], uneven[0])
        else:
            tensor, padding = functional.pad(tensor, uneven), (0, 0)
        if few_places is not None:
            return activated(few_places(tensor, kernel.to(tensor.dtype)))
        return activated(functional.conv2d(tensor, kernel, bias, stride, padding))

    return step


_FEW_PLACES: Final = 8 * 8


def has_few_places(layer: keras.layers.Conv2D) -> bool:
    """Whether its kernel's gradient is taken as matrix products."""
    _, rows, columns, _ = layer.input.shape
    plain = layer.kernel_size == (3, 3) and layer.strides == (1, 1)
    return bool(plain and not layer.use_bias and rows * columns <= _FEW_PLACES)


@cache
def _few_places() -> Callable[[Tensor, Tensor], Tensor]:
    """A convolution of 3 x 3, stride 1, for maps of few places: there oneDNN takes longer for the
    kernel's gradient than the nine matrix products which that is (benchmarks.training_step)."""
    import torch
    from torch.nn import functional

    class FewPlaces(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(context: Any, tensor: Tensor, kernel: Tensor) -> Tensor:
            context.save_for_backward(tensor, kernel)
            return functional.conv2d(tensor, kernel, padding=1)

        @staticmethod
        def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
            tensor, kernel = context.saved_tensors
            into, out = kernel.shape[1], kernel.shape[0]
            rows, columns = tensor.shape[2:]
            back = torch.nn.grad.conv2d_input(tensor.shape, kernel, gradient, padding=1)
            padded = functional.pad(tensor, (1, 1, 1, 1)).permute(0, 2, 3, 1)
            wanted = gradient.permute(1, 0, 2, 3).reshape(out, -1)
            products = [
                wanted @ padded[:, row : row + rows, column : column + columns].reshape(-1, into)
                for row in range(3)
                for column in range(3)
            ]
            return back, torch.stack(products, -1).view(out, into, 3, 3)

    convolved: Callable[[Tensor, Tensor], Tensor] = FewPlaces.apply
    return convolved


def _normalisation(layer: keras.layers.BatchNormalization, training: bool = True) -> Step:
    from torch.nn import functional

    def step(inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
        gamma, beta, mean, variance = weights
        return functional.batch_norm(
            inputs[0], mean, variance, gamma, beta, training, 1 - layer.momentum, layer.epsilon
        )

    return step


def _pooling(layer: keras.layers.Layer) -> Step:
    from torch.nn import functional

    largest = isinstance(layer, layers.MaxPooling2D)
    pooled = functional.max_pool2d if largest else functional.avg_pool2d
    return lambda inputs, _: pooled(inputs[0], layer.pool_size, layer.strides)


def _mean(layer: keras.layers.GlobalAveragePooling2D) -> Step:
    return lambda inputs, _: inputs[0].mean((2, 3), keepdim=layer.keepdims)


def _dense(layer: keras.layers.Dense) -> Step:
    from torch.nn import functional

    activated = _activated(layer)
    return lambda inputs, weights: activated(
        functional.linear(inputs[0], weights[0].T, weights[1] if layer.use_bias else None)
    )


def _dropout(layer: keras.layers.Dropout) -> Step:
    from torch.nn import functional

    return lambda inputs, _: functional.dropout(inputs[0], layer.rate, training=True)


def _flatten(layer: keras.layers.Flatten) -> Step:
    del layer
    return lambda inputs, _: inputs[0].permute(0, 2, 3, 1).flatten(1)


def _activation(layer: keras.layers.Activation) -> Step:
    activated = _activated(layer)
    return lambda inputs, _: activated(inputs[0])


_KINDS: Final[dict[type[keras.layers.Layer], Callable[[Any], Step]]] = {
    layers.Conv2D: _convolution,
    layers.BatchNormalization: _normalisation,
    layers.Activation: _activation,
    layers.AveragePooling2D: _pooling,
    layers.MaxPooling2D: _pooling,
    layers.GlobalAveragePooling2D: _mean,
    layers.Dense: _dense,
    layers.Dropout: _dropout,
    layers.Flatten: _flatten,
    layers.Add: lambda _: lambda inputs, __: inputs[0] + inputs[1],
    layers.Multiply: lambda _: lambda inputs, __: inputs[0] * inputs[1],
}

_NOT_TRAINING: Final[dict[type[keras.layers.Layer], Callable[[Any], Step]]] = {
    layers.BatchNormalization: partial(_normalisation, training=False),
    layers.Dropout: lambda _: lambda inputs, __: inputs[0],
}
