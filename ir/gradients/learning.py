"""What the statements of a text say of the locals that they define: types and dims."""

from __future__ import annotations

from collections.abc import Sequence

from uol.ir.gradients.inference import Dims, Types, extent_in
from uol.ir.gradients.substitution import Item
from uol.ir.syntax import Access, Name, Number, Reduction, Statement, below

ORDERS = ("topk", "sort", "argsort")


def is_order(statement: Statement) -> bool:
    """A sorting statement."""
    return isinstance(statement.value, Reduction) and statement.value.op in ORDERS


def learn(types: Types, statement: Statement, later: Sequence[Statement] = ()) -> None:
    """Takes in the targets of a statement; what is declared stays as it is."""
    value = statement.value
    if isinstance(value, Reduction) and value.op in ORDERS:
        dims = _order_dims(types, value, statement.targets[0].index)
        dtypes = [types.of(value.args[0]) or "i64", "i64"] if value.op != "argsort" else ["i64"]
        for target, dtype in zip(statement.targets, dtypes, strict=False):
            types.tensors.setdefault(target.tensor, dtype)
            types.dims.setdefault(target.tensor, dims)
        return
    target = statement.targets[0]
    dtype_found = types.of(value)
    types.tensors.setdefault(target.tensor, "i64" if dtype_found in (None, "idx") else str(dtype_found))
    if target.tensor in types.dims:
        return
    if statement.op == "+=":
        types.dims[target.tensor] = _scattered_dims(types, target.tensor, len(target.index), later)
        return
    found = [extent_in(types, (value,), item) for item in target.index]
    types.dims[target.tensor] = tuple(d if d is not None else Number(0) for d in found)


def _order_dims(types: Types, value: Reduction, index: tuple[Item, ...]) -> Dims:
    """Rows as the keys have them; the place in the order runs to K, or over all that is ordered."""
    binder = value.binders[0]
    whole = value.args[1] if value.op == "topk" else extent_in(types, (value.args[0],), Name(binder.name))
    found = [extent_in(types, (value.args[0],), item) or whole for item in index]
    return tuple(d if d is not None else Number(0) for d in found)


def _scattered_dims(types: Types, tensor: str, rank: int, later: Sequence[Statement]) -> Dims:
    """A scattered local is as large as the indices that read it run."""
    found: list[Item] = [Number(0)] * rank
    for statement in later:
        for node in below(statement.value):
            if not isinstance(node, Access) or node.tensor != Name(tensor):
                continue
            for place, item in enumerate(node.index):
                extent = _reader_extent(types, statement, item)
                if extent is not None and found[place] == Number(0):
                    found[place] = extent
    return tuple(found)


def _reader_extent(types: Types, statement: Statement, item: Item) -> Item | None:
    for target in statement.targets:
        dims = types.dims.get(target.tensor)
        if dims is not None and item in target.index:
            return dims[target.index.index(item)]
    return extent_in(types, (statement.value,), item)
