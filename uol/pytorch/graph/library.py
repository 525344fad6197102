"""Nodes that the library has an operator for, with the gradient that belongs to it: attention, embedding, pooling, gradients of
convolutions.

`put_in` writes them into a graph in the place of PyTorch's, as calls of a `LibraryCall`. What a form of PyTorch's node has that
the operator has not is named by a reason, which the report gives.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from uol.ir.errors import UolError
from uol.pytorch.graph import attentions
from uol.pytorch.graph.calls import Writer, parts_read
from uol.pytorch.graph.operators import gradient_of, library_op
from uol.pytorch.graph.words import TYPES, Unsaid, aten, shape, value_of

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def _filled(given: Any, needed: int, *defaults: Any) -> list[Any]:
    """Arguments of which the first ones are always given, with the defaults of the others."""
    return [*given, *defaults[len(given) - needed :]]


def _of_pair(both: list[int], what: str) -> tuple[int, int]:
    if len(both) == 1:
        return both[0], both[0]
    if len(both) != 2:
        raise Unsaid(f"{what} over {len(both)} axes")
    return both[0], both[1]


def _embedding(n: fx.Node) -> None:
    w, at, *_ = n.args
    assert isinstance(w, fx.Node) and isinstance(at, fx.Node)
    write = Writer(n)
    if value_of(at).dtype is not torch.int64:
        raise Unsaid("places of another type than i64")
    n.replace_all_uses_with(write.call(library_op("embedding"), (w, at), value_of(n)))
    n.graph.erase_node(n)


def _embedding_gradient(n: fx.Node) -> None:
    dy, at, count, padding, by_frequency = n.args
    assert isinstance(dy, fx.Node) and isinstance(at, fx.Node) and isinstance(count, int) and isinstance(padding, int)
    if by_frequency or value_of(at).dtype is not torch.int64:
        raise Unsaid("an embedding's gradient by frequency" if by_frequency else "places of another type than i64")
    write = Writer(n)
    rows = write.of(dy, aten.reshape.default, [-1, shape(dy)[-1]])
    places = write.of(at, aten.reshape.default, [-1])
    if padding >= 0:  # an index outside is dropped
        outside = write.node(aten.scalar_tensor.default, (-1,), value_of(at).new_empty(()))
        is_padding = write.of(places, aten.eq.Scalar, padding)
        chosen = aten.where.self(value_of(is_padding), value_of(outside), value_of(places))
        places = write.node(aten.where.self, (is_padding, outside, places), chosen)
    n.replace_all_uses_with(write.call(library_op("scatter_add"), (rows, places), value_of(n), places=count))
    n.graph.erase_node(n)


def _pooling(n: fx.Node) -> None:
    """The largest of each window, and where it lies in its plane, which the gradient reads."""
    arguments: Any = n.args
    x, kernel, stride, pad, dilation, ceil = _filled(arguments, 2, [], [0, 0], [1, 1], False)
    assert isinstance(x, fx.Node)
    if ceil or len(shape(x)) != 4:
        raise Unsaid("pooling in ceil mode" if ceil else "pooling of another rank")
    (kh, kw), (sh, sw) = _of_pair(kernel, "pooling"), _of_pair(stride or kernel, "pooling")
    (ph, pw), (dh, dw) = _of_pair(pad, "pooling"), _of_pair(dilation, "pooling")
    reads, (y, at) = parts_read(n), n.meta["val"]
    write = Writer(n)
    if 1 not in reads:
        options = dict(kernel=kh, kernel_h=kh, kernel_w=kw, stride_h=sh, stride_w=sw, dilation_h=dh, dilation_w=dw)
        options |= dict(pad_top=ph, pad_left=pw, pad_bottom=ph, pad_right=pw)
        write.replace_parts({0: write.call(library_op("max_pool2d"), (x,), y, **options)})
        return
    kind, width = TYPES[value_of(x).dtype], shape(x)[3]
    sizes = ", ".join(map(str, y.shape))
    row, column = f"p * {sh} + r * {dh} - {ph}", f"q * {sw} + s * {dw} - {pw}"
    text = f"""op NAME(x: {kind}[{", ".join(map(str, shape(x)))}]) -> (y: {kind}[{sizes}], at: i64[{sizes}]) {{
  y[n, c, p, q] = max[r < {kh}, s < {kw}](x[n, c, {row}, {column}] else -inf)
  best[n, c, p, q] = select(true, argmax[r < {kh}, s < {kw}](x[n, c, {row}, {column}] else -inf), i64(y[n, c, p, q]))
  row[n, c, p, q] = i64(p) * {sh} - {ph} + best[n, c, p, q] / {kw} * {dh}
  at[n, c, p, q] = row[n, c, p, q] * {width} + i64(q) * {sw} - {pw} + best[n, c, p, q] % {kw} * {dw}
}}"""
    both = write.call(text, (x,), (y, at))
    write.replace_parts({k: write.node(operator.getitem, (both, k), value) for k, value in enumerate((y, at))})


def _pooling_gradient(n: fx.Node) -> None:
    dy, x, _, _, _, _, _, at = n.args
    assert isinstance(dy, fx.Node) and isinstance(at, fx.Node)
    if len(shape(x)) != 4:
        raise Unsaid("pooling of another rank")
    batch, channels, height, width = shape(x)
    write = Writer(n)
    kind, sizes = TYPES[value_of(dy).dtype], ", ".join(map(str, shape(dy)))
    if kind not in ("f32", "f64"):
        raise Unsaid("a pooling's gradient in half precision")
    text = f"""op NAME(dy: {kind}[{sizes}], at: i64[{sizes}]) -> (dx: {kind}[{batch}, {channels}, {height * width}]) {{
  dx[n, c, at[n, c, p, q]] += dy[n, c, p, q]
}}"""
    flat = write.call(text, (dy, at), value_of(n).new_empty((batch, channels, height * width)))
    n.replace_all_uses_with(write.of(flat, aten.reshape.default, list(shape(n))))
    n.graph.erase_node(n)


def _average_options(n: fx.Node) -> dict[str, int]:
    """The attributes of `avg_pool2d` for PyTorch's arguments after the tensors."""
    first = 1 if n.target is aten.avg_pool2d.default else 2
    arguments: Any = n.args[first:]
    kernel, stride, pad, ceil, counts, divisor = _filled(arguments, 1, [], [0, 0], False, True, None)
    (kh, kw), (ph, pw) = _of_pair(kernel, "pooling"), _of_pair(pad, "pooling")
    sh, sw = _of_pair(stride or kernel, "pooling")
    if ceil or divisor is not None or (not counts and (ph or pw)):
        raise Unsaid("an average that counts in another way")
    options = dict(kernel=kh, kernel_h=kh, kernel_w=kw, stride_h=sh, stride_w=sw)
    return options | dict(pad_top=ph, pad_left=pw, pad_bottom=ph, pad_right=pw)


def _average(n: fx.Node) -> None:
    x = n.args[0]
    assert isinstance(x, fx.Node)
    if len(shape(x)) != 4:
        raise Unsaid("pooling of another rank")
    write, options = Writer(n), _average_options(n)
    n.replace_all_uses_with(write.call(library_op("avg_pool2d"), (x,), value_of(n), **options))
    n.graph.erase_node(n)


def _average_gradient(n: fx.Node) -> None:
    dy, x = n.args[:2]
    assert isinstance(x, fx.Node) and isinstance(dy, fx.Node)
    if len(shape(x)) != 4:
        raise Unsaid("pooling of another rank")
    write, options = Writer(n), _average_options(n)
    n.replace_all_uses_with(write.call(gradient_of("avg_pool2d", ("x",)), (x, dy), value_of(n), **options))
    n.graph.erase_node(n)


def _convolution_options(axes: int, stride: list[int], pad: list[int], dilation: list[int], groups: int) -> dict[str, int]:
    stride, pad, dilation = (list(v) * axes if len(v) == 1 else v for v in (stride, pad, dilation))
    if axes == 1:
        return dict(stride=stride[0], pad=pad[0], dilation=dilation[0], groups=groups)
    if axes != 2:
        raise Unsaid(f"the gradient of a convolution over {axes} axes")
    found = dict(groups=groups, stride_h=stride[0], stride_w=stride[1], dilation_h=dilation[0], dilation_w=dilation[1])
    return found | dict(pad_top=pad[0], pad_left=pad[1], pad_bottom=pad[0], pad_right=pad[1])


def _convolution_gradient(n: fx.Node) -> None:
    given: Any = n.args
    dy, x, w, _, stride, pad, dilation, transposed, _, groups, _ = given
    if transposed:
        raise Unsaid("the gradient of a transposed convolution")
    axes = len(shape(x)) - 2
    options = _convolution_options(axes, stride, pad, dilation, groups)
    write, parts, values = Writer(n), {}, n.meta["val"]
    for at in parts_read(n):
        if at == 2:
            parts[at] = write.of(dy, aten.sum.dim_IntList, [0, *range(2, axes + 2)])
        else:
            gradient = gradient_of(f"conv{axes}d", ("xw"[at],))
            by_name = {"x": x, "w": w, "dy": dy}
            parts[at] = write.call(gradient, tuple(by_name[p.name] for p in gradient.params), values[at], **options)
    write.replace_parts(parts)


RULES: dict[Any, Callable[[fx.Node], None]] = {
    attentions.FORWARD: attentions.put_forward,
    attentions.BACKWARD: attentions.put_backward,
    aten.embedding.default: _embedding,
    aten.embedding_dense_backward.default: _embedding_gradient,
    aten.max_pool2d_with_indices.default: _pooling,
    aten.max_pool2d_with_indices_backward.default: _pooling_gradient,
    aten.avg_pool2d.default: _average,
    aten.avg_pool2d_backward.default: _average_gradient,
    aten.convolution_backward.default: _convolution_gradient,
}


def put_in(graph: fx.Graph) -> dict[fx.Node, str]:
    """Writes calls of the library into a graph. Gives the nodes that stay PyTorch's although there is a rule, and why."""
    left: dict[fx.Node, str] = {}
    for n in list(graph.nodes):
        rule = RULES.get(n.target)
        if rule is None:
            continue
        try:
            if any(value_of(a).dtype not in TYPES or value_of(a).layout is not torch.strided for a in n.all_input_nodes):
                raise Unsaid("a tensor of another type")
            rule(n)
        except (Unsaid, UolError) as error:
            left[n] = str(error).splitlines()[0]
    return left
