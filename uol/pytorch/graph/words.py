"""What one node of an ATen graph is in index notation: maps by their expression, reductions by their word, types by their name.

Everything here is about one node; nothing knows of groups. Views are in `views`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import fx

aten: Any = torch.ops.aten
prims: Any = torch.ops.prims

TYPES = {
    torch.float64: "f64",
    torch.float32: "f32",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.int64: "i64",
    torch.int32: "i32",
    torch.int16: "i16",
    torch.int8: "i8",
    torch.uint8: "u8",
    torch.bool: "bool",
}
HALVES = (torch.float16, torch.bfloat16)


class Unsaid(Exception):
    """The language has no words for a node, for the reason given: it stays PyTorch's."""


def value_of(n: Any) -> torch.Tensor:
    """The tensor without data that stands for a node's value."""
    found: torch.Tensor = n.meta["val"]
    return found


def shape(n: Any) -> tuple[int, ...]:
    """The sizes of a node's value."""
    return tuple(value_of(n).shape)


def is_tensor(n: object) -> bool:
    """Is this a node whose value is one tensor?"""
    return isinstance(n, fx.Node) and isinstance(n.meta.get("val"), torch.Tensor)


def literal(v: Any) -> str:
    """A number as the language writes it."""
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, float):
        if math.isinf(v):
            return "inf" if v > 0 else "(-inf)"
        if math.isnan(v):
            raise Unsaid("NaN is no literal")
    if not isinstance(v, int | float):
        raise Unsaid(f"{type(v).__name__} is no literal")
    text = repr(v)
    return f"({text})" if text.startswith("-") else text


Expression = Callable[..., str]
"""The value of a map, from the values of its operands."""


def _infix(sign: str) -> Expression:
    return lambda a, b: f"({a} {sign} {b})"


def _call(name: str) -> Expression:
    return lambda *a: f"{name}({', '.join(a)})"


_POWERS: dict[float, Expression] = {
    2: lambda a: f"({a} * {a})",
    3: lambda a: f"({a} * {a} * {a})",
    0.5: lambda a: f"sqrt({a})",
    -0.5: lambda a: f"rsqrt({a})",
    1: lambda a: a,
    -1: lambda a: f"(1 / {a})",
}


def power(a: str, exponent: int | float) -> str:
    """A value to a power that is a number."""
    known = _POWERS.get(exponent)
    return f"pow({a}, {literal(exponent)})" if known is None else known(a)


FUNCTIONS = (
    *("exp", "log", "sqrt", "rsqrt", "erf", "tanh", "sin", "cos"),
    *("abs", "floor", "ceil", "exp2", "expm1", "log1p", "log2", "round"),
)
"""Those that have one name in both languages."""

MAPS: dict[Any, Expression] = {
    aten.neg.default: lambda a: f"(-{a})",
    aten.reciprocal.default: lambda a: f"(1 / {a})",
    aten.sigmoid.default: lambda a: f"(1 / (1 + exp(-{a})))",
    aten.relu.default: lambda a: f"max({a}, 0)",
    aten.silu.default: lambda a: f"({a} / (1 + exp(-{a})))",
    aten.logical_not.default: lambda a: f"(not {a})",
    aten.bitwise_not.default: _call("bit_not"),
    aten.logical_and.default: _infix("and"),
    aten.logical_or.default: _infix("or"),
    aten.where.self: lambda c, a, b: f"select({c}, {a}, {b})",
    aten.pow.Tensor_Scalar: power,
    aten.pow.Tensor_Tensor: _call("pow"),
    aten.maximum.default: _call("max"),
    aten.minimum.default: _call("min"),
    aten.clone.default: lambda a: a,
    aten.copy.default: lambda a, b: b,
    aten.pow.Scalar: _call("pow"),
    aten.sign.default: lambda a: f"select({a} > 0, 1, select({a} < 0, -1, 0))",  # 0 of NaN, too
    aten.isnan.default: lambda a: f"({a} != {a})",
    aten.isinf.default: lambda a: f"(abs({a}) == inf)",
    aten.tan.default: lambda a: f"(sin({a}) / cos({a}))",
    aten.log10.default: lambda a: f"(log({a}) / {math.log(10)!r})",
}
for _name in FUNCTIONS:
    MAPS[getattr(aten, _name).default] = _call(_name)
for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("div", "/")):
    for _form in ("Tensor", "Scalar"):
        MAPS[getattr(getattr(aten, _name), _form)] = _infix(_sign)
for _name in ("and", "or", "xor"):
    for _form in ("Tensor", "Scalar", "Scalar_Tensor"):
        MAPS[getattr(getattr(aten, f"bitwise_{_name}"), _form)] = _call(f"bit_{_name}")
for _way, _operator in (("left", "__lshift__"), ("right", "__rshift__")):
    for _form in ("Tensor", "Tensor_Scalar", "Scalar_Tensor"):
        MAPS[getattr(getattr(aten, f"bitwise_{_way}_shift"), _form)] = _call(f"shift_{_way}")
    for _form in ("Tensor", "Scalar"):
        MAPS[getattr(getattr(aten, _operator), _form)] = _call(f"shift_{_way}")

COMPARISONS: set[Any] = {aten.isnan.default, aten.isinf.default}
"""Maps that are computed in the common type of what they compare."""
for _name, _sign in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    for _form in ("Tensor", "Scalar"):
        MAPS[getattr(getattr(aten, _name), _form)] = _infix(_sign)
        COMPARISONS.add(getattr(getattr(aten, _name), _form))

LOGIC = {
    aten.logical_not.default,
    aten.logical_and.default,
    aten.logical_or.default,
}
"""Maps of truth values."""

CASTS = {prims.convert_element_type.default, aten._to_copy.default}
CONSTANTS = {aten.full.default, aten.full_like.default, aten.scalar_tensor.default, prims.iota.default}
"""What reads no tensor: its value is a number, or follows from the index."""

REDUCTIONS: dict[Any, tuple[str, bool]] = {
    aten.sum.dim_IntList: ("sum", False),
    aten.sum.default: ("sum", False),
    aten.mean.dim: ("sum", True),
    aten.mean.default: ("sum", True),
    aten.amax.default: ("max", False),
    aten.amin.default: ("min", False),
    aten.max.default: ("max", False),
    aten.min.default: ("min", False),
    aten.prod.dim_int: ("prod", False),
    aten.argmax.default: ("argmax", False),
    aten.argmin.default: ("argmin", False),
    aten.any.default: ("any", False),
    aten.any.dim: ("any", False),
    aten.any.dims: ("any", False),
}
"""The word, and whether the sum is divided by the count."""

CONVOLUTION = aten.convolution.default
SCAN = aten.cumsum.default


def product_of_rows(x: torch.Tensor, w: torch.Tensor, c: torch.Tensor | None) -> torch.Tensor:
    """x @ w + c for an x of any rank: what `tidying` makes of a product of flattened rows."""
    y = torch.matmul(x, w)
    return y if c is None else y + c


PRODUCTS = {aten.mm.default, aten.addmm.default, aten.bmm.default, product_of_rows}


def reduced(n: fx.Node) -> tuple[tuple[int, ...], bool]:
    """Which dims of its input a reduction folds, and whether they stay as 1."""
    rank = len(shape(n.args[0]))
    dims: Any = n.args[1] if len(n.args) > 1 and not isinstance(n.args[1], torch.dtype) else n.kwargs.get("dim")
    if dims is None or dims == []:
        dims = range(rank)
    if isinstance(dims, int):
        dims = (dims,)
    keep = n.args[2] if len(n.args) > 2 else n.kwargs.get("keepdim", False)
    return tuple(sorted(d % rank for d in dims)) if rank else (), bool(keep)


def constant(n: fx.Node, index: list[str]) -> str:
    """The value of a constant at an index."""
    kind = TYPES[value_of(n).dtype]
    if n.target is prims.iota.default:
        start, step = n.kwargs["start"], n.kwargs["step"]
        return f"{kind}(i64({index[0]}) * {literal(step)} + {literal(start)})"
    value: Any = n.args[0] if n.target is aten.scalar_tensor.default else n.args[1]
    if value_of(n).dtype.is_floating_point:
        value = float(value)
    elif value_of(n).dtype is torch.bool:
        value = bool(value)
    return f"{kind}({literal(value)})"
