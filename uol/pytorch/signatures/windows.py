"""Rewrites of windows whose texts have a number for each axis under the axis's name: places of maxima, unfold and fold."""

from __future__ import annotations

from typing import Any

from uol.ir.errors import ShapeError
from uol.pytorch.signatures.call import Call, rewrite

AXES = ("d", "h", "w")


def numbers(value: Any, count: int) -> list[Any]:
    """One number for each axis, from one for all or from a list."""
    return [value] * count if isinstance(value, int | float) else list(value) * (count if len(value) == 1 else 1)


@rewrite
def with_indices(call: Call, text: str, axes: str) -> None:
    """`return_indices=True` is another text, whose options have a number for each axis."""
    if not call.args["return_indices"]:
        return
    if call.args["ceil_mode"]:
        raise call.refuse("return_indices=True with ceil_mode=True", "a padding that ends with the last window")
    call.text, call.attributes = text, {}
    call.args["stride"] = call.args["stride"] or call.args["kernel_size"]
    window(call, axes)


@rewrite
def window(call: Call, axes: str) -> None:
    """The window's size, stride, padding and dilation, each with a number for each axis."""
    count = int(axes)
    for name, theirs in {"kernel": "kernel_size", "stride": "stride", "pad": "padding", "dilation": "dilation"}.items():
        each = numbers(call.args[theirs], count)
        if len(each) != count:
            raise ShapeError(f"{call.name}: {theirs} is {call.args[theirs]!r}", hint=f"one number, or {count}")
        finer = [name] if count == 1 else [name, *(f"{name}_{axis}" for axis in AXES[-count:])]
        for attribute, number in zip(finer, each if count == 1 else [each[0], *each], strict=True):
            call.args[attribute] = number
            call.attributes[attribute] = attribute


@rewrite
def picture(call: Call, name: str) -> None:
    """The two sizes of a picture."""
    for axis, number in zip(AXES[1:], numbers(call.args[name], 2), strict=True):
        call.args[f"out_{axis}"] = number
        call.attributes[f"out_{axis}"] = f"out_{axis}"
