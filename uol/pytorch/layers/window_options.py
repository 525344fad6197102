"""Windows as PyTorch writes them: `kernel_size`, `padding` and `output_padding`, a number for each axis, `ceil_mode` and
`count_include_pad`.

    uol.ops.conv2d(x, w, stride=(2, 1), padding=(1, 2))
        is uol.ops.conv2d(x, w, stride_h=2, stride_w=1, pad_top=1, pad_left=2)
    uol.ops.avg_pool2d(x, kernel_size=3, padding=1, count_include_pad=False)
        is uol.ops.avg_pool2d_counted(x, kernel=3, pad=1)
    uol.ops.max_pool1d(x, kernel_size=2, ceil_mode=True)
        is uol.ops.max_pool1d(x, kernel=2, pad_left=0, pad_right=1) where a window hangs over
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from uol.binding.argument_checks import shown
from uol.ir.errors import ShapeError
from uol.ir.syntax.surface import Op

AXES = ("d", "h", "w")
EDGES = {"d": ("front", "back"), "h": ("top", "bottom"), "w": ("left", "right")}
NAMES = {"kernel_size": "kernel", "padding": "pad", "output_padding": "output_pad"}
"""PyTorch's names, and ours."""

Options = dict[str, Any]


def axes_of(op: Op) -> tuple[str, ...]:
    """The axes along which an operator's windows move, outermost first; none where it has no windows."""
    known = {a.name for a in op.attributes}
    if "stride" not in known or "pad" not in known:
        return ()
    return tuple(axis for axis in AXES if known & {f"pad_{EDGES[axis][0]}", f"pad_{axis}"})


def has_edges(op: Op) -> bool:
    """Is padding before and behind told apart? Else it is one number an axis, `pad_h`."""
    return any(a.name == f"pad_{EDGES[axis][0]}" for a in op.attributes for axis in axes_of(op))


def by_axis(op: Op, given: Options) -> Options:
    """The options with our names, those that have a number for each axis by axis; a number that was given for one axis goes
    before one that was given for all. Raises ShapeError for too few or many, and for an option under both of its names."""
    axes, options = axes_of(op), _renamed(op, given)
    spread: Options = {}
    numbers = {name: value for name, value in options.items() if not _is_list(value)}
    if _is_list(options.get("kernel")):
        options.setdefault("stride", options["kernel"])
    for name, value in options.items():
        if name in numbers:
            continue
        each = tuple(value) * (len(axes) if len(value) == 1 else 1)
        if len(each) != len(axes) or None in each:
            raise ShapeError(f"{op.name}: {name} is {shown(value)}", hint=f"one number, or {len(axes)}")
        spread |= dict(zip(_finer(op, name, axes), each, strict=True))
        if name == "kernel":
            spread["kernel"] = each[0]  # to which the finer ones would default
    return spread | numbers


def with_axes(op: Op) -> frozenset[str]:
    """The attributes that take a number for each axis."""
    axes, known = axes_of(op), {a.name for a in op.attributes}
    return frozenset(name for name in known if axes and known.issuperset(_finer(op, name, axes)))


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _renamed(op: Op, given: Options) -> Options:
    found: Options = {}
    for name, value in given.items():
        if value is None:
            continue
        ours = NAMES.get(name, name)
        if ours in found:
            theirs = next(n for n, o in NAMES.items() if o == ours)
            raise ShapeError(f"{op.name}: {theirs} and {ours} are one option, and both are given", hint=f"leave out {ours}")
        found[ours] = value
    return found


def _finer(op: Op, name: str, axes: Sequence[str]) -> list[str]:
    if name == "pad" and has_edges(op):
        return [f"pad_{EDGES[axis][0]}" for axis in axes]
    return [name] if len(axes) == 1 else [f"{name}_{axis}" for axis in axes]


def rounded_up(op: Op, sizes: Sequence[int], options: Options) -> Options:
    """The options with as much padding behind as a last window needs that begins within the input or the padding before it;
    as they are, where they are no windows, which the operator says."""
    if not all(_is_whole(options[a.name]) for a in op.attributes if a.name in options):
        return options
    found = dict(options)
    for axis, size in zip(reversed(axes_of(op)), reversed(sizes), strict=False):
        low, high = padding_along(options, axis)
        kernel = along(options, "kernel", axis, 1)
        stride, reach = along(options, "stride", axis, kernel), along(options, "dilation", axis, 1) * (kernel - 1) + 1
        if stride < 1:
            return options
        last = -(-(size + low + high - reach) // stride)  # the last window's number, rounded up
        if last * stride >= size + low:
            last -= 1
        first, behind = EDGES[axis]
        found |= {f"pad_{first}": low, f"pad_{behind}": max(high, last * stride + reach - size - low)}
    return found


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def padding_along(options: Options, axis: str) -> tuple[int, int]:
    """The padding before and behind."""
    first, behind = (f"pad_{edge}" for edge in EDGES[axis])
    low = _first_of(options, (first, "pad"), 0)
    return low, _first_of(options, (behind,), low)


def along(options: Options, name: str, axis: str, default: int) -> int:
    """An option's number for an axis. A stride is by default what the coarser kernel is."""
    coarser = (name, "kernel") if name == "stride" else (name,)
    return _first_of(options, (f"{name}_{axis}", *coarser), default)


def _first_of(options: Options, names: Sequence[str], default: int) -> int:
    return next((options[name] for name in names if name in options), default)


def rim(op: Op, options: Options) -> Options:
    """The padding as what counts of it: `rim_left` and so on."""
    pairs = [(EDGES[axis], padding_along(options, axis)) for axis in axes_of(op)]
    return {f"rim_{edge}": pad for edges, pads in pairs for edge, pad in zip(edges, pads, strict=True)}
