"""A convolution in index notation, over one to three axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx

from uol.pytorch.graph.views import within
from uol.pytorch.graph.words import Unsaid, shape

Read = Callable[[fx.Node, list[str], bool], str]


def convolution(n: fx.Node, index: list[str], read: Read) -> str:
    """The value at an index; `read` gives an operand's at an index, 0 outside where it is told so."""
    given: Any = n.args
    x, w, bias, stride, padding, dilation, transposed, _, groups = given
    axes = len(shape(x)) - 2
    if transposed or not 1 <= axes <= 3:
        raise Unsaid("a transposed convolution" if transposed else "a convolution of another rank")
    out, depth, *window = shape(w)
    stride, padding, dilation = (list(v) * axes if len(v) == 1 else v for v in (stride, padding, dilation))
    names = ["r", "s", "u"][:axes]
    folds = [k for k, size in zip(names, window, strict=True) if size > 1]
    places = [k if size > 1 else "0" for k, size in zip(names, window, strict=True)]
    at = [_place(*each) for each in zip(index[2:], places, stride, padding, dilation, strict=True)]
    channel = "c" if depth > 1 else "0"
    source = channel if groups == 1 else shifted_channel(index[1], out // groups, depth, channel)
    left = read(x, [index[0], source, *at], any(padding))
    right = read(w, [index[1], channel, *places], False)
    bound = [*(["c"] if depth > 1 else []), *folds]
    value = f"sum[{', '.join(bound)}]({left} * {right})" if bound else f"({left} * {right})"
    return value if bias is None else f"({value} + {read(bias, [index[1]], False)})"


def shifted_channel(o: str, outs: int, depth: int, channel: str) -> str:
    """The channel of the input that a group's `channel` is: an output channel's group, times its depth."""
    group = o if outs == 1 else f"{within(o)} / {outs}"
    first = group if depth == 1 else f"{within(group)} * {depth}"
    return first if channel == "0" else f"{first} + {channel}"


def _place(p: str, k: str, stride: int, pad: int, dilation: int) -> str:
    first = p if stride == 1 else f"{within(p)} * {stride}"
    inner = "" if k == "0" else f" + {k}" if dilation == 1 else f" + {k} * {dilation}"
    return first + inner + (f" - {pad}" if pad else "")
