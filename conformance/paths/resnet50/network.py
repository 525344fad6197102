"""Networks as lists of operators: ResNet-50's layers, and each at the shapes that its inputs give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from uol.binding.instance import Instance
from uol.binding.tensor_binding import bind_tensors
from uol.operators.registry import find_operator

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """An operator in a network. `inputs` maps the operator's parameters to tensors: the name of an earlier layer (its
    result), "image", or a key of the state dict."""

    name: str
    op: str
    inputs: Mapping[str, str]
    attrs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """A layer with the shapes of its inputs and of its result `y`."""

    layer: Layer
    instance: Instance
    shapes: Mapping[str, Shape]

    @property
    def configuration(self) -> tuple[object, ...]:
        """What two layers must have in common to be the same kernels."""
        return (self.layer.op, tuple(self.shapes.items()), tuple(self.layer.attrs.items()))

    @property
    def description(self) -> str:
        """`1x64x56x56 * 64x64x3x3 -> 1x64x56x56, pad 1`."""
        weight = f" * {_sizes(self.shapes['w'])}" if "w" in self.shapes else ""
        attrs = "".join(f", {name} {value}" for name, value in self.layer.attrs.items())
        return f"{_sizes(self.shapes['x'])}{weight} -> {_sizes(self.shapes['y'])}{attrs}"


def resnet50() -> tuple[Layer, ...]:
    """ResNet-50 (He et al., 2015; the stride is on the 3x3 convolution, as in torchvision), with every batch norm, relu and
    residual in the convolution before it. Names and weights are those of torchvision's state dict."""
    layers = [
        _convolution("conv1", "conv1", "bn1", "image", "conv2d_bn_relu", stride=2, pad=3),
        Layer("maxpool", "max_pool2d", {"x": "conv1"}, {"kernel": 3, "stride": 2, "pad": 1}),
    ]
    last = "maxpool"
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            layers += _bottleneck(f"layer{stage}.{block}", last, stride=stride, widen=block == 0)
            last = layers[-1].name
    layers.append(Layer("avgpool", "global_avg_pool2d", {"x": last}))
    layers.append(Layer("fc", "linear", {"x": "avgpool", "w": "fc.weight", "b": "fc.bias"}))
    return tuple(layers)


def _bottleneck(name: str, x: str, *, stride: int, widen: bool) -> Iterator[Layer]:
    yield _convolution(f"{name}.conv1", f"{name}.conv1", f"{name}.bn1", x, "conv2d_bn_relu")
    yield _convolution(f"{name}.conv2", f"{name}.conv2", f"{name}.bn2", f"{name}.conv1", "conv2d_bn_relu", stride=stride, pad=1)
    if widen:
        yield _convolution(f"{name}.downsample", f"{name}.downsample.0", f"{name}.downsample.1", x, "conv2d_bn", stride=stride)
    last = _convolution(f"{name}.conv3", f"{name}.conv3", f"{name}.bn3", f"{name}.conv2", "conv2d_bn_add_relu")
    yield Layer(last.name, last.op, {**last.inputs, "z": f"{name}.downsample" if widen else x}, last.attrs)


def _convolution(name: str, conv: str, norm: str, x: str, op: str, **attrs: int) -> Layer:
    parts = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}
    inputs = {"x": x, "w": f"{conv}.weight", **{ours: f"{norm}.{theirs}" for ours, theirs in parts.items()}}
    return Layer(name, op, inputs, {key: value for key, value in attrs.items() if (key, value) != ("stride", 1)})


def place(layers: tuple[Layer, ...], known: Mapping[str, Shape], dtype: str) -> tuple[Placed, ...]:
    """Every layer at its shapes, given those of the image and of the weights. Raises ShapeError where they do not fit."""
    shapes = dict(known)
    placed = []
    for layer in layers:
        op = find_operator(layer.op)
        given = {param: shapes[tensor] for param, tensor in layer.inputs.items()}
        instance = bind_tensors(op, given, dict.fromkeys(given, dtype), layer.attrs)
        shapes[layer.name] = instance.shape(op.results[0])
        placed.append(Placed(layer, instance, {**given, "y": shapes[layer.name]}))
    return tuple(placed)


def distinct(placed: tuple[Placed, ...]) -> tuple[tuple[Placed, tuple[str, ...]], ...]:
    """The first layer of every configuration, with the names of all that have it."""
    groups: dict[tuple[object, ...], list[Placed]] = {}
    for each in placed:
        groups.setdefault(each.configuration, []).append(each)
    return tuple((group[0], tuple(p.layer.name for p in group)) for group in groups.values())


def _sizes(shape: Shape) -> str:
    return "x".join(map(str, shape))
