"""ResNet-50 in PyTorch: torchvision's network and its weights, and each layer as PyTorch computes it eagerly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from uol.conformance.paths.resnet50.network import Layer
from uol.conformance.paths.resnet50.weights import load_weights
from uol.ir.errors import ToolchainError

if TYPE_CHECKING:
    import torch

Array = NDArray[np.generic]
Tensors = Mapping[str, "torch.Tensor"]


def load_network(weights: Path | None, seed: int, image: NDArray[np.float32]) -> torch.nn.Module:
    """torchvision's ResNet-50 for inference, in float32: with a state dict from a file, or with seeded weights.

    Seeded weights are torchvision's initialisation; the norms' scales and shifts are random, and their statistics are those
    of the picture, so that values stay in the range that they have in a trained network.
    """
    import torch

    network = _resnet50()
    if weights is None:
        _seed(network, seed, torch.from_numpy(image))
    else:
        load_weights(network, weights, "ResNet-50")
    prepared: torch.nn.Module = network.requires_grad_(False).eval()
    return prepared


def state_arrays(network: torch.nn.Module) -> dict[str, NDArray[np.float32]]:
    """The floating-point entries of the state dict."""
    return {name: value.numpy() for name, value in network.state_dict().items() if value.is_floating_point()}


def logits(network: torch.nn.Module, image: NDArray[np.float32], *, double: bool) -> NDArray[np.float64]:
    """The network's result for a picture, computed in float64 or float32."""
    import copy

    import torch

    with torch.no_grad():
        if not double:
            single: NDArray[np.float32] = network(torch.from_numpy(image)).numpy()
            return single.astype(np.float64)
        wide: NDArray[np.float64] = copy.deepcopy(network).double()(torch.from_numpy(image).double()).numpy()
        return wide


def copied(module: torch.nn.Module, order: torch.memory_format) -> torch.nn.Module:
    """A copy whose weights lie in a memory format."""
    import copy

    return copy.deepcopy(module).to(memory_format=order)  # type: ignore[call-overload,no-any-return]  # PyTorch's stubs lack it


def eager_network(
    network: torch.nn.Module, image: NDArray[np.float32], *, channels_last: bool, compiled: bool = False
) -> Callable[[], object]:
    """The whole network as eager PyTorch, or by torch.compile; weights and picture in the given memory format."""
    import torch

    order = torch.channels_last if channels_last else torch.contiguous_format
    module = copied(network, order)
    own = torch.compile(module) if compiled else module
    x = torch.from_numpy(image).to(memory_format=order)

    def call() -> object:
        with torch.inference_mode():
            return own(x)

    return call


def eager_steps(
    layers: Sequence[Layer], state: Mapping[str, NDArray[np.float32]], image: NDArray[np.float32]
) -> dict[str, Callable[[], torch.Tensor]]:
    """A network as eager PyTorch computes it, layer by layer, by the layers' names: one call for each part, in place where
    torchvision's network is in place; picture, activations and filters are channels-last. A step takes the results of those
    before it, so they are called in order; what no later step reads is freed, as it is in a module's forward."""
    import torch

    def channels_last(array: NDArray[np.float32]) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        return tensor.to(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor

    read = {tensor for layer in layers for tensor in layer.inputs.values()}
    fixed = {name: channels_last(array) for name, array in state.items() if name in read}
    results: dict[str, torch.Tensor] = {"image": channels_last(image)}
    last_reader = {tensor: layer.name for layer in layers for tensor in layer.inputs.values()}

    def step(layer: Layer) -> torch.Tensor:
        with torch.inference_mode():
            tensors = {param: results[t] if t in results else fixed[t] for param, t in layer.inputs.items()}
            result = _eager(layer.op, tensors, layer.attrs)()
        for tensor in layer.inputs.values():
            if tensor != "image" and last_reader[tensor] == layer.name:
                results.pop(tensor, None)
        results[layer.name] = result
        return result

    return {layer.name: partial(step, layer) for layer in layers}


def _eager(op: str, tensors: Tensors, attrs: Mapping[str, int]) -> Callable[[], torch.Tensor]:
    import torch

    functional = torch.nn.functional
    x = tensors["x"]
    stride, pad = attrs.get("stride", 1), attrs.get("pad", 0)
    if op == "max_pool2d":
        return lambda: functional.max_pool2d(x, attrs["kernel"], stride, pad)
    if op == "global_avg_pool2d":
        return lambda: functional.adaptive_avg_pool2d(x, (1, 1)).flatten(1)
    if op == "linear":
        return lambda: functional.linear(x, tensors["w"], tensors["b"])
    w, gamma, beta, mean, var = (tensors[name] for name in ("w", "gamma", "beta", "mean", "var"))

    def convolution() -> torch.Tensor:
        y = functional.batch_norm(functional.conv2d(x, w, None, stride, pad), mean, var, gamma, beta)
        if "z" in tensors:
            y += tensors["z"]
        return y.relu_() if op.endswith("relu") else y

    return convolution


def _resnet50() -> Any:
    try:
        from torchvision.models import resnet50
    except ImportError as error:
        raise ToolchainError("the reference network is torchvision's, which is missing", hint="install uol[paths]") from error
    return resnet50(weights=None)


def _seed(network: Any, seed: int, image: torch.Tensor) -> None:
    import torch

    generator = torch.Generator().manual_seed(seed)
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            last = name.endswith("bn3")  # the end of a block: smaller, so that residuals do not grow from block to block
            torch.nn.init.uniform_(module.weight, 0.2 if last else 0.5, 0.5 if last else 1.5, generator=generator)
            torch.nn.init.normal_(module.bias, 0.0, 0.2, generator=generator)
            module.momentum = 1.0  # the next batch's statistics, and no others
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, 0.0, 0.02, generator=generator)
            torch.nn.init.zeros_(module.bias)
    with torch.no_grad():
        network.train()(image)
