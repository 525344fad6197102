"""Options by which PyTorch chooses what are operators of their own here: `reduction=` of losses, `align_corners=`,
windows that hang over.

uol.ops.mse_loss(x, t, reduction="sum")     is     uol.ops.mse_loss_sum(x, t)
uol.ops.mse_loss(x, t, reduction="none")    is     uol.ops.mse_loss_each(x, t)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from uol.binding.argument_checks import shown
from uol.ir.errors import ShapeError, TypeCheckError
from uol.ir.syntax.surface import Name, Op
from uol.ops.texts import family_of
from uol.pytorch.layers import window_options

Call = Callable[..., Any]
Operators = Callable[[str], Call]
"""`uol.ops.<name>` by its name."""

REDUCED = ("loss", "classes")
"""The families whose operators are means, beside which `_each` and `_sum` stand."""
OVER_ROWS = frozenset({"kl_div"})
"""The losses whose sum PyTorch also divides by the number of rows, as `reduction="batchmean"`."""
PROBABILITIES = {"dropout": "p", "dropout_attention": "p"}
"""The attribute that is a probability, by operator."""
CHANNELS = {"prelu": 1}
"""The input, by its place, that has a value for each channel (dim 1 of the first input), where the text broadcasts."""
BROADCAST = {"masked_attention": "mask", "biased_attention": "bias"}
"""The input that may have fewer dims than its text, or dims of 1, as a mask of PyTorch's attention may."""


def with_forms(op: Op, call: Call, operators: Operators) -> Call:
    """The operator with the options of PyTorch that its text does not have; itself where there are none."""
    if is_mean(op):
        return _reduced(op, call, operators)
    if has_corners(op):
        return _aligned(call, operators(f"{op.name}_corners"))
    if op.name in PROBABILITIES:
        return _drawn(op, call)
    if op.name in BROADCAST:
        return _broadcast(op, call)
    if op.name in CHANNELS:
        return _by_channel(op, call)
    if not window_options.axes_of(op):
        return call
    windowed = _windowed(op, call)
    if not is_pool(op):
        return windowed
    return _pooled(op, windowed, operators(f"{op.name}_counted") if is_counted(op) else None)


def is_mean(op: Op) -> bool:
    """Does `reduction=` choose among this loss, its sum and its elements?"""
    return family_of(op.name) in REDUCED and family_of(f"{op.name}_sum") is not None


def reductions_of(op: Op) -> tuple[str, ...]:
    """What `reduction=` may be, for an operator that `is_mean`."""
    return ("mean", "sum", "none", *(("batchmean",) if op.name in OVER_ROWS else ()))


def has_corners(op: Op) -> bool:
    """Does `align_corners=` choose among two texts?"""
    return family_of(f"{op.name}_corners") is not None


def is_pool(op: Op) -> bool:
    """Do windows of an attribute's size move over the input, which `ceil_mode=` may round up?"""
    return window_options.has_edges(op) and any(a.name == "kernel" for a in op.attributes)


def is_counted(op: Op) -> bool:
    """Does `count_include_pad=` choose among two texts?"""
    return family_of(f"{op.name}_counted") is not None


def _reduced(op: Op, mean: Call, operators: Operators) -> Call:
    name = op.name
    forms = {"mean": mean, "sum": operators(f"{name}_sum"), "none": operators(f"{name}_each")}
    if "batchmean" in reductions_of(op):
        forms["batchmean"] = _over_rows(forms["sum"])

    def call(*inputs: object, reduction: str = "mean", **options: object) -> object:
        chosen = forms.get(reduction) if isinstance(reduction, str) else None
        if chosen is None:
            message = f"{name}: the reduction is {shown(reduction)}"
            raise TypeCheckError(message, hint=f"one of {', '.join(map(repr, forms))}")
        return chosen(*inputs, **options)

    return _named(call, mean)


def _over_rows(total: Call) -> Call:
    def call(*inputs: object, **options: object) -> Any:
        found: Any = total(*inputs, **options)
        tensors = [x for name, x in (*enumerate(inputs), *options.items()) if isinstance(x, Tensor) and name != "out"]
        rows = tensors[0].shape[0] if tensors[0].dim() else 1
        return found / rows if options.get("out") is None else found.div_(rows)

    return call


def _aligned(centres: Call, corners: Call) -> Call:
    def call(*inputs: object, align_corners: bool | None = None, **options: object) -> object:
        return (corners if align_corners else centres)(*inputs, **options)

    return _named(call, centres)


def _drawn(op: Op, plain: Call) -> Call:
    name = PROBABILITIES[op.name]

    def call(*inputs: object, **options: object) -> object:
        p = options.get(name)
        if isinstance(p, int | float) and not 0 <= p <= 1:
            raise ShapeError(f"{op.name}: {name} is {p!r}", hint="it is a probability, from 0 to 1")
        return plain(*inputs, **options)

    return _named(call, plain)


def _by_channel(op: Op, plain: Call) -> Call:
    names, place = [p.name for p in op.params], CHANNELS[op.name]

    def call(*inputs: Any, **options: Any) -> object:
        given = dict(zip(names, inputs, strict=False)) | options
        x, each = given.get(names[0]), given.get(names[place])
        if isinstance(x, Tensor) and isinstance(each, Tensor) and each.dim() == 1 and x.dim() > 2:
            given[names[place]] = each.reshape(-1, *[1] * (x.dim() - 2))
            return plain(**given)
        return plain(*inputs, **options)

    return _named(call, plain)


def _broadcast(op: Op, plain: Call) -> Call:
    """The call with its one input of `BROADCAST` as a view of the size that the other inputs give it."""
    names, wide = [p.name for p in op.params], BROADCAST[op.name]
    dims = {p.name: [d.id for d in p.dims if isinstance(d, Name)] for p in op.params}

    def call(*inputs: Any, **options: Any) -> object:
        given = dict(zip(names, inputs, strict=False)) | options
        x = given.get(wide)
        sizes: dict[str, int] = {}
        for name in names:
            other = given.get(name)
            if name != wide and isinstance(other, Tensor) and other.dim() == len(dims[name]):
                sizes |= zip(dims[name], other.shape, strict=True)
        if not isinstance(x, Tensor) or not sizes.keys() >= set(dims[wide]):
            return plain(*inputs, **options)  # which says what is wrong
        size = [sizes[dim] for dim in dims[wide]]
        if x.dim() > len(size) or any([a not in (1, b) for a, b in zip(x.shape[::-1], size[::-1], strict=False)]):
            shape = ", ".join(dims[wide])
            message = f"{op.name}: {wide} is {list(x.shape)}, which does not broadcast to [{shape}] = {size}"
            raise ShapeError(message, hint="sizes must be equal, or 1, from the last dim on")
        return plain(**{**given, wide: x.expand(size)})

    return _named(call, plain)


def _windowed(op: Op, plain: Call) -> Call:
    theirs = {name for name, ours in window_options.NAMES.items() if any(a.name == ours for a in op.attributes)}

    def call(*inputs: object, **options: object) -> object:
        if options.keys() & theirs or any([isinstance(value, tuple | list) for value in options.values()]):
            options = window_options.by_axis(op, options)
        return plain(*inputs, **options)

    return _named(call, plain)


def _pooled(op: Op, plain: Call, counted: Call | None) -> Call:
    def call(*inputs: object, ceil_mode: bool = False, **options: Any) -> object:
        includes_pad = options.pop("count_include_pad", True) if counted is not None else True
        x = inputs[0] if inputs else options.get("x")
        if not isinstance(x, Tensor) or (includes_pad and not ceil_mode):
            return plain(*inputs, **options)
        options = window_options.by_axis(op, options)
        wider = window_options.rounded_up(op, x.shape, options) if ceil_mode else options
        rim = window_options.rim(op, options) if includes_pad else {}
        if counted is None or window_options.rim(op, wider) == (rim or window_options.rim(op, {})):
            return plain(*inputs, **wider)
        return counted(*inputs, **wider, **rim)

    return _named(call, plain)


def _named(call: Call, like: Call) -> Call:
    call.__name__ = call.__qualname__ = like.__name__
    call.__module__ = like.__module__
    call.__doc__ = like.__doc__
    return call
