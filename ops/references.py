"""What each operator should give, computed by PyTorch: independent of the texts, of the interpreter and of every kernel.

A reference takes the operator's inputs as float64 (or int64) arrays, already rounded to their types, and its attributes as
the caller gave them. It computes in float64, or in float32 where it is asked to, and returns `{result name: array}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uol.ir.errors import UolError

if TYPE_CHECKING:
    import torch

Array = NDArray[np.generic]
Attributes = Mapping[str, int | float]
_Inputs = Mapping[str, "torch.Tensor"]
_Reference = Callable[[_Inputs, Attributes], "torch.Tensor"]


Registered = Callable[..., object]
"""A user's reference: takes the inputs as tensors and the attributes by keyword; gives a tensor, or one a result."""

_registered: dict[str, Registered] = {}


def register_reference(op: str, function: Registered) -> None:
    """Take a reference in for an operator that is not of the library."""
    _registered[op] = function


def reference(
    op: str, inputs: Mapping[str, Array], attrs: Attributes, *, precision: str = "f64", results: Sequence[str] = ("y",)
) -> dict[str, Array]:
    """The operator's results by PyTorch, in `precision` ("f64" or "f32"); `results` are their names.

    >>> reference("relu", {"x": np.array([-1.0, 2.0])}, {})["y"]
    array([0., 2.])
    """
    import torch

    if not has_reference(op):
        raise UolError(f"no reference for operator {op!r}", hint="give one: `uol.op(text, reference=...)`")
    dtype = torch.float32 if precision == "f32" else torch.float64
    tensors = {name: _tensor(array, dtype) for name, array in inputs.items()}
    with torch.no_grad():
        given = _REFERENCES[op](tensors, attrs) if op in _REFERENCES else _registered[op](*tensors.values(), **attrs)
    each = given if isinstance(given, tuple | list) else (given,)
    if len(each) != len(results) or not all(isinstance(result, torch.Tensor) for result in each):
        raise UolError(f"the reference of {op!r} must give a tensor for each of: {', '.join(results)}")
    return {name: result.numpy() for name, result in zip(results, each, strict=True)}


def _tensor(array: Array, dtype: torch.dtype) -> torch.Tensor:
    import torch

    tensor = torch.from_numpy(np.array(array, order="C"))
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def has_reference(op: str) -> bool:
    """Is there a reference for this operator?"""
    return op in _REFERENCES or op in _registered


def _elementwise(name: str) -> _Reference:
    def apply(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
        import torch

        function = getattr(torch.nn.functional, name, None) if name in ("gelu", "silu") else getattr(torch, name)
        return function(*inputs.values())  # type: ignore[no-any-return, misc]

    return apply


def _cast(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    """Identity: the golden value leaves the last cast out, but for integer results, which the caller rounds."""
    return inputs["x"]


def _linear(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    import torch

    return torch.nn.functional.linear(inputs["x"], inputs["w"], inputs["b"])


def _matmul(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    return inputs["a"] @ inputs["b"]


def _padded(x: torch.Tensor, attrs: Attributes, value: float) -> torch.Tensor:
    import torch

    pad = attrs.get("pad", 0)
    top, left = attrs.get("pad_top", pad), attrs.get("pad_left", pad)
    sides = (left, attrs.get("pad_right", left), top, attrs.get("pad_bottom", top))
    return torch.nn.functional.pad(x, [int(side) for side in sides], value=value)


def _pair(attrs: Attributes, name: str, default: int | float) -> tuple[int, int]:
    both = attrs.get(name, default)
    return int(attrs.get(f"{name}_h", both)), int(attrs.get(f"{name}_w", both))


def _conv2d(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    import torch

    return torch.nn.functional.conv2d(
        _padded(inputs["x"], attrs, 0.0),
        inputs["w"],
        inputs.get("b"),
        stride=_pair(attrs, "stride", 1),
        dilation=_pair(attrs, "dilation", 1),
        groups=int(attrs.get("groups", 1)),
    )


def _batch_norm(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    import torch

    mean, var, gamma, beta = (inputs[name] for name in ("mean", "var", "gamma", "beta"))
    return torch.nn.functional.batch_norm(inputs["x"], mean, var, gamma, beta, eps=float(attrs.get("eps", 1e-5)))


def _conv2d_bn(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    return _batch_norm({**inputs, "x": _conv2d(inputs, attrs)}, attrs)


def _layer_norm(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    import torch

    x = inputs["x"]
    return torch.nn.functional.layer_norm(x, x.shape[-1:], inputs["gamma"], inputs["beta"], float(attrs.get("eps", 1e-5)))


def _rms_norm(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    import torch

    x = inputs["x"]
    return torch.nn.functional.rms_norm(x, x.shape[-1:], inputs["gamma"], float(attrs.get("eps", 1e-6)))


def _max_pool2d(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    import torch

    kernel = _pair(attrs, "kernel", attrs["kernel"])
    return torch.nn.functional.max_pool2d(
        _padded(inputs["x"], attrs, -torch.inf),
        kernel,
        stride=_pair(attrs, "stride", attrs["kernel"]),
        dilation=int(attrs.get("dilation", 1)),
    )


def _avg_pool2d(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    import torch

    kernel = _pair(attrs, "kernel", attrs["kernel"])
    padded = _padded(inputs["x"], attrs, 0.0)
    return torch.nn.functional.avg_pool2d(padded, kernel, stride=_pair(attrs, "stride", attrs["kernel"]))


def _global_avg_pool2d(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    return inputs["x"].mean((2, 3))


def _softmax(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    return inputs["x"].softmax(-1)


def _argmax(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    return inputs["x"].argmax(-1)


def _then_relu(first: _Reference) -> _Reference:
    return lambda inputs, attrs: first(inputs, attrs).relu()


def _conv2d_bn_add(inputs: _Inputs, attrs: Attributes) -> torch.Tensor:
    return _conv2d_bn(inputs, attrs) + inputs["z"]


_REFERENCES: dict[str, _Reference] = {
    **{name: _elementwise(name) for name in ("relu", "gelu", "silu", "sigmoid", "tanh", "exp", "add", "sub", "mul", "div")},
    "cast": _cast,
    "linear": _linear,
    "linear_relu": _then_relu(_linear),
    "matmul": _matmul,
    "conv2d": _conv2d,
    "conv2d_bias": _conv2d,
    "conv2d_bn": _conv2d_bn,
    "conv2d_bn_relu": _then_relu(_conv2d_bn),
    "conv2d_bn_add_relu": _then_relu(_conv2d_bn_add),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "global_avg_pool2d": _global_avg_pool2d,
    "softmax": _softmax,
    "argmax": _argmax,
}
