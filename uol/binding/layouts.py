"""How tensors of a call lie in memory: the strides that a kernel is made for, and those of its results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from uol.binding.argument_checks import require_kind
from uol.binding.instance import Instance
from uol.binding.memory import MOST, WIDEST_BYTES
from uol.ir.errors import ShapeError

Sizes = tuple[int, ...]


def row_major(sizes: Sequence[int]) -> Sizes:
    """Strides of a dense tensor, the last dim contiguous."""
    return _dense(sizes, range(len(sizes)))


def channels_last(sizes: Sequence[int]) -> Sizes:
    """Strides of a dense tensor [N, C, spatial...] whose channels are contiguous."""
    return _dense(sizes, (0, *range(2, len(sizes)), 1))


def sequence_first(sizes: Sequence[int]) -> Sizes:
    """Strides of a dense tensor [B, heads, length, width] that lies as [B, length, heads, width]: heads split from rows."""
    return _dense(sizes, (0, 2, 1, 3))


def canonical(sizes: Sequence[int], strides: Sequence[int]) -> Sizes:
    """Strides with those that no element depends on set as a dense tensor would have them: one kernel for all."""
    plain = row_major(sizes)
    if 0 in sizes:
        return plain
    free = [size <= 1 for size in sizes]
    for dense in (plain, channels_last(sizes) if len(sizes) >= 3 else plain):
        if all(f or have == want for f, have, want in zip(free, strides, dense, strict=True)):
            return dense
    return tuple(want if f else have for f, have, want in zip(free, strides, plain, strict=True))


def is_channels_last(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Is this a dense 4- or 5-dimensional tensor with contiguous channels, and not row-major as well?"""
    if len(sizes) not in (4, 5) or 0 in sizes:
        return False
    return tuple(strides) == channels_last(sizes) != row_major(sizes)


def is_sequence_first(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Is this a 4-dimensional tensor whose heads lie beside each other within its rows, one row after another? The rows may be
    parts of wider ones, as where queries, keys and values come of one product. Of one head or row it is row-major, too."""
    if len(sizes) != 4 or min(sizes[1:3]) <= 1 or 0 in sizes:
        return False
    (batch, heads, length, width), (by_batch, by_head, by_row, step) = sizes, strides
    in_rows = step == 1 and by_head == width and by_row >= heads * width
    return in_rows and (by_batch == length * by_row or batch == 1)


def result_strides(name: str, sizes: Sequence[int], inputs: Mapping[str, tuple[Sizes, Sizes]]) -> Sizes:
    """Channels-last where an input of the same rank came so, sequence-first where one of the same shape did, so that heads
    become rows again without a copy; else row-major. `inputs`: sizes and strides by name.

    A gradient lies as what it is of: `dw` as the input `w`, so that PyTorch can keep it beside its parameter as it is. Where
    that is no input, a cotangent `dy` says nothing beside its `y`: the way back through a model lies as the way forward did,
    even where a view in between turned the dims round.
    """
    own = inputs.get(name.removeprefix("d")) if name.startswith("d") else None
    if own is not None and own[0] == tuple(sizes):
        asked = [own]
    else:
        asked = [form for n, form in inputs.items() if not (n.startswith("d") and n.removeprefix("d") in inputs)]
    if any(len(have) == len(sizes) and is_channels_last(have, strides) for have, strides in asked):
        return channels_last(sizes)
    if any(have == tuple(sizes) and is_sequence_first(have, strides) for have, strides in asked):
        return sequence_first(sizes)
    return row_major(sizes)


def is_dense(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Do the elements fill their memory, in some order of the dims?"""
    step = 1
    for stride, size in sorted(pair for pair in zip(strides, sizes, strict=True) if pair[1] != 1):
        if stride != step:
            return 0 in sizes
        step *= size
    return True


def checked_strides(instance: Instance, given: Mapping[str, object]) -> dict[str, Sizes]:
    """Strides by tensor name, as a user names them. Raises ShapeError for those that no tensor can have."""
    op = instance.op
    params = {p.name: p for p in (*op.params, *op.results)}
    checked: dict[str, Sizes] = {}
    for name, each in given.items():
        if name not in params:
            raise ShapeError(f"{op.name} has no tensor {name!r}", hint=f"its tensors are {', '.join(params)}")
        strides = require_kind(each, Sequence, f"strides[{name!r}]", "a tuple", 'write strides={"x": (64, 1)}')
        sizes = instance.shape(params[name])
        if len(strides) != len(sizes):
            raise ShapeError(f"{op.name}: {name} has {len(sizes)} dims, its layout {len(strides)} strides")
        if any(not isinstance(s, int) or s < 0 for s in strides):
            raise ShapeError(f"{op.name}: the strides {tuple(strides)} of {name} are not whole numbers of 0 or more")
        if sum((max(size, 1) - 1) * s for size, s in zip(sizes, strides, strict=True)) * WIDEST_BYTES > MOST:
            raise ShapeError(f"{op.name}: the strides {tuple(strides)} of {name} are beyond 64-bit addresses")
        if params[name] in op.results and not is_dense(sizes, strides):
            raise ShapeError(f"{op.name}: the result {name} must be dense, its strides {tuple(strides)} leave gaps")
        checked[name] = tuple(strides)
    return checked


def _dense(sizes: Sequence[int], order: Iterable[int]) -> Sizes:
    strides = [1] * len(sizes)
    step = 1
    for dim in reversed(list(order)):
        strides[dim] = step
        step *= max(sizes[dim], 1)
    return tuple(strides)
