"""Softmax, norms, SiLU and pairs turned by complex numbers, which are written out, as functions that the rules of a graph know:
before autograd takes it apart.

The gradient of what is written out goes through each of its steps; a largest value's counts its ties. Those of softmax and of
norms are known, with two reductions of a row at most. Only chains are matched whose values are the function's, up to
roundings; nodes that others read, too, stay beside them. A graph that overwrites tensors is left as it is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.nn import functional

_OTHER_NAMES = {"truediv": "div", "true_divide": "div", "divide": "div", "subtract": "sub", "multiply": "mul", "__pow__": "pow"}
_IN_PLACE = {getattr(operator, name) for name in ("iadd", "isub", "imul", "itruediv", "ipow", "setitem")}


def _word(n: Any) -> str:
    """What a node does, whichever way it is written; "" for what is no call."""
    if not isinstance(n, fx.Node) or n.op not in ("call_function", "call_method"):
        return ""
    name = n.target if isinstance(n.target, str) else getattr(n.target, "__name__", "")
    return _OTHER_NAMES.get(name, name)


def _overwrites(n: fx.Node) -> bool:
    if n.target in _IN_PLACE or n.kwargs.get("inplace") or n.kwargs.get("out") is not None:
        return True
    name = _word(n)
    return name.endswith("_") and not name.endswith("__")


def _value(n: Any) -> torch.Tensor | None:
    found = n.meta.get("example_value") if isinstance(n, fx.Node) else None
    return found if isinstance(found, torch.Tensor) else None


def _rank(n: Any) -> int:
    found = _value(n)
    return -1 if found is None else found.dim()


def _number(v: Any) -> bool:
    return isinstance(v, int | float) and not isinstance(v, bool)


def _over_last(n: Any, word: str) -> Any:
    """The tensor of which a node is this reduction over the last dim, which stays; None for any other node."""
    if _word(n) != word or not n.args or set(n.kwargs) - {"dim", "keepdim"}:
        return None
    x, *rest = n.args
    dim = rest[0] if rest else n.kwargs.get("dim")
    keeps = rest[1] if len(rest) > 1 else n.kwargs.get("keepdim", False)
    if isinstance(dim, list | tuple) and len(dim) == 1:
        dim = dim[0]
    return x if keeps is True and isinstance(dim, int) and dim in (-1, _rank(x) - 1) and _rank(x) > 0 else None


def _largest(n: Any) -> Any:
    """The tensor whose largest of each row a node is."""
    if _word(n) == "getitem" and n.args[1] == 0:
        return _over_last(n.args[0], "max")
    if _word(n) == "getattr" and n.args[1] == "values":
        return _over_last(n.args[0], "max")
    return _over_last(n, "amax")


def _pair(n: Any, word: str) -> tuple[Any, Any] | None:
    """The two operands of a node."""
    return (n.args[0], n.args[1]) if _word(n) == word and len(n.args) == 2 and not n.kwargs else None


def _either_way(n: Any, word: str) -> list[tuple[Any, Any]]:
    both = _pair(n, word)
    return [] if both is None else [both, both[::-1]]


def _lowered(n: Any) -> Any:
    """The x of `x - x.amax(-1, keepdim=True)`."""
    both = _pair(n, "sub")
    return both[0] if both is not None and isinstance(both[0], fx.Node) and _largest(both[1]) is both[0] else None


def _softmax(n: fx.Node) -> fx.Node | None:
    both = _pair(n, "div")
    if both is None or _over_last(both[1], "sum") is not both[0] or _word(both[0]) != "exp":
        return None
    x = _lowered(both[0].args[0])
    return None if x is None else _put(n, functional.softmax, (x, -1))


def _log_softmax(n: fx.Node) -> fx.Node | None:
    both = _pair(n, "sub")
    x = None if both is None else _lowered(both[0])
    if both is None or x is None or _word(both[1]) != "log":
        return None
    exp = _over_last(both[1].args[0], "sum")
    return _put(n, functional.log_softmax, (x, -1)) if _word(exp) == "exp" and exp.args[0] is both[0] else None


def _square(n: Any) -> Any:
    """The tensor that a node squares."""
    if _word(n) == "square":
        return n.args[0]
    both = _pair(n, "pow")
    if both is not None and _number(both[1]) and both[1] == 2:
        return both[0]
    both = _pair(n, "mul")
    return both[0] if both is not None and both[0] is both[1] else None


def _inverse_root(n: Any) -> tuple[Any, float] | None:
    """The value and the eps of `rsqrt(value + eps)`."""
    if _word(n) != "rsqrt":
        return None
    for value, eps in _either_way(n.args[0], "add"):
        if _number(eps):
            return value, float(eps)
    return None


def _scaled(n: Any) -> tuple[Any, Any, float] | None:
    """The x, the value and the eps of `x * rsqrt(value + eps)`, or of `x / sqrt(value + eps)`."""
    for x, root in _either_way(n, "mul"):
        found = _inverse_root(root)
        if found is not None:
            return x, *found
    both = _pair(n, "div")
    if both is not None and _word(both[1]) == "sqrt":
        for value, eps in _either_way(both[1].args[0], "add"):
            if _number(eps):
                return both[0], value, float(eps)
    return None


def _rms_norm(n: fx.Node) -> fx.Node | None:
    found = _scaled(n)
    if found is None:
        return None
    x, value, eps = found
    width = _width(x)
    if width is None or _square(_over_last(value, "mean")) is not x or _centred(x) is not None:
        return None
    return _put(n, functional.rms_norm, (x, (width,), None, eps))


def _centred(n: Any) -> Any:
    """The x of `x - x.mean(-1, keepdim=True)`."""
    both = _pair(n, "sub")
    return both[0] if both is not None and isinstance(both[0], fx.Node) and _over_last(both[1], "mean") is both[0] else None


def _layer_norm(n: fx.Node) -> fx.Node | None:
    found = _scaled(n)
    if found is None:
        return None
    centred, value, eps = found
    x = _centred(centred)
    width = _width(x)
    if width is None:
        return None
    squared = _square(_over_last(value, "mean"))
    if squared is not centred and _centred(squared) is not x and not _is_variance(value, x):
        return None
    return _put(n, functional.layer_norm, (x, (width,), None, None, eps))


def _is_variance(n: Any, x: Any) -> bool:
    """Is a node the mean square of what rows of x are beside their means?"""
    if _word(n) != "var" or not n.args or n.args[0] is not x or set(n.kwargs) - {"dim", "keepdim", "unbiased", "correction"}:
        return False
    dim = n.args[1] if len(n.args) == 2 else n.kwargs.get("dim")
    biased = n.kwargs.get("unbiased") is False or n.kwargs.get("correction") == 0
    return dim in (-1, [-1], (-1,)) and n.kwargs.get("keepdim") is True and biased


def _width(x: Any) -> int | None:
    """The length of rows of f32 or f64; None where it is not known."""
    value = _value(x)
    if value is None or not value.dim() or not _is_wide(x):
        return None
    width = value.shape[-1]
    return width if type(width) is int and width > 1 else None


def _with_scale(n: fx.Node) -> fx.Node | None:
    """A norm without parameters that is multiplied by a row."""
    for norm, w in _either_way(n, "mul"):
        if _is_norm(norm) and _is_row_of(w, norm):
            place = 2
            if norm.args[place] is None:
                return _put(n, norm.target, (*norm.args[:place], w, *norm.args[place + 1 :]))
    return None


def _with_shift(n: fx.Node) -> fx.Node | None:
    """A layer norm with a scale, to which a row is added."""
    for norm, b in _either_way(n, "add"):
        is_layer = _is_norm(norm) and norm.target is functional.layer_norm
        if is_layer and norm.args[2] is not None and norm.args[3] is None and _is_row_of(b, norm):
            return _put(n, norm.target, (*norm.args[:3], b, norm.args[4]))
    return None


def _is_norm(n: Any) -> bool:
    return (
        isinstance(n, fx.Node)
        and n.meta.get("uol_matched") is True
        and n.target in (functional.layer_norm, functional.rms_norm)
    )


def _is_row_of(w: Any, norm: fx.Node) -> bool:
    row, whole = _value(w), _value(norm)
    return row is not None and whole is not None and row.shape == whole.shape[-1:] and row.dtype == whole.dtype


def _turned(n: fx.Node) -> fx.Node | None:
    """`view_as_real(view_as_complex(x.reshape(..., -1, 2)) * f).flatten(-2)`: pairs of the last dim times complex numbers."""
    whole = n.args[0] if _word(n) in ("flatten", "reshape", "view") and n.args else None
    product = whole.args[0] if isinstance(whole, fx.Node) and _word(whole) == "view_as_real" else None
    for pairs, f in _either_way(product, "mul"):
        parts: Any = pairs.args[0] if _word(pairs) == "view_as_complex" else None
        x = parts.args[0] if _word(parts) in ("reshape", "view", "unflatten") else None
        value, split, numbers, found = (_value(each) for each in (x, parts, f, n))
        if value is None or split is None or numbers is None or found is None or not value.dim() or not _is_wide(x):
            continue
        is_product = numbers.is_complex() and numbers.dim() < split.dim() and found.shape == value.shape
        if is_product and split.shape == (*value.shape[:-1], value.shape[-1] // 2, 2):
            return _put(n, turned_pairs, (x, f))
    return None


def turned_pairs(x: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
    """Neighbours of the last dim as complex numbers, times `f`, in real numbers: of complex ones there are no kernels."""
    even, odd = x[..., ::2], x[..., 1::2]
    real, imaginary = torch.view_as_real(f).unbind(-1)
    return torch.stack((even * real - odd * imaginary, even * imaginary + odd * real), -1).flatten(-2)


def _silu(n: fx.Node) -> fx.Node | None:
    """`x * sigmoid(x)`, or `x / (1 + exp(-x))`."""
    for x, gate in _either_way(n, "mul"):
        if _word(gate) == "sigmoid" and gate.args == (x,) and not gate.kwargs and _is_wide(x):
            return _put(n, functional.silu, (x,))
    both = _pair(n, "div")
    for one, e in [] if both is None else _either_way(both[1], "add"):
        negative: Any = e.args[0] if _word(e) == "exp" and len(e.args) == 1 and not e.kwargs else None
        if both is not None and _number(one) and one == 1 and _word(negative) == "neg" and negative.args == both[:1]:
            return _put(n, functional.silu, both[:1]) if _is_wide(both[0]) else None
    return None


def _is_wide(x: Any) -> bool:
    """Is a tensor of f32 or f64? In half precision each written step rounds."""
    value = _value(x)
    return value is not None and value.dtype in (torch.float32, torch.float64)


RULES: tuple[Callable[[fx.Node], fx.Node | None], ...] = (
    _softmax,
    _log_softmax,
    _rms_norm,
    _layer_norm,
    _with_scale,
    _with_shift,
    _silu,
    _turned,
)


def _put(n: fx.Node, function: Any, args: tuple[Any, ...]) -> fx.Node:
    """A call in front of a node, whose value it has."""
    with n.graph.inserting_before(n):
        made = n.graph.call_function(function, args)
    made.meta.update({k: v for k, v in n.meta.items() if k != "uol_matched"})
    made.meta["uol_matched"] = True
    return made


def match(module: fx.GraphModule) -> int:
    """Puts functions into a graph that dynamo has captured; gives how many."""
    graph, count = module.graph, 0
    if any(_overwrites(n) for n in graph.nodes):
        return 0
    for n in list(graph.nodes):
        for rule in RULES:
            found = rule(n) if n.op in ("call_function", "call_method") else None
            if found is not None:
                n.replace_all_uses_with(found)
                graph.erase_node(n)
                count += 1
                break
    if count:
        graph.eliminate_dead_code()
        module.recompile()
    return count
