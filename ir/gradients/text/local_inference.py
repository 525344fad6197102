"""What the statements of a text say of the locals that they define: types and dims."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from uol.ir.gradients.text.inference import Dims, Types, extent_in
from uol.ir.gradients.text.substitution import Item
from uol.ir.syntax.surface import ORDERS, Access, Name, Number, Pack, Reduction, Statement, below


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
        defined = {t.tensor for s in later for t in s.targets}
        read = scattered_dims(types, statement, later, types.dims.keys() - defined, types.dims.keys() & defined)
        types.dims[target.tensor] = tuple(d if d is not None else Number(0) for d in read)
        return
    found = [extent_in(types, (value,), item) for item in target.index]
    types.dims[target.tensor] = tuple(d if d is not None else Number(0) for d in found)


def _order_dims(types: Types, value: Reduction, index: tuple[Item, ...]) -> Dims:
    """Rows as the keys have them; the place in the order runs to K, or over all that is ordered."""
    binder = value.binders[0]
    whole = value.args[1] if value.op == "topk" else extent_in(types, (value.args[0],), Name(binder.name))
    found = [extent_in(types, (value.args[0],), item) or whole for item in index]
    return tuple(d if d is not None else Number(0) for d in found)


def scattered_dims(
    types: Types, statement: Statement, later: Sequence[Statement], known: Collection[str], results: Collection[str]
) -> tuple[Item | None, ...]:
    """The dims of a tensor that is only added to, as the checker finds them: those of the first plain index that reads it,
    by a result there or by another tensor that is `known` when it is added to; else of a plain index of the target."""
    (target,) = statement.targets
    found: list[Item | None] = []
    for place, item in enumerate(target.index):
        reads = (_read_extent(types, known, results, s, target.tensor, place) for s in later)
        extent = next((e for e in reads if e is not None), None)
        if extent is None and isinstance(item, Name | Pack):
            parts = (statement.value, *(i for i in target.index if not isinstance(i, Pack)))
            extent = extent_in(types, parts, item)
        found.append(extent)
    return tuple(found)


def _read_extent(
    types: Types, known: Collection[str], results: Collection[str], reader: Statement, tensor: str, place: int
) -> Item | None:
    reads = [n for n in below(reader.value) if isinstance(n, Access) and isinstance(n.tensor, Name)]
    for read in reads:
        item = read.index[place] if read.tensor == Name(tensor) else None
        if not isinstance(item, Name | Pack):
            continue
        given = [(t.index, types.dims[t.tensor]) for t in reader.targets if t.tensor in results]
        given += [(r.index, types.dims[r.tensor.id]) for r in reads if isinstance(r.tensor, Name) and r.tensor.id in known]
        for index, dims in given:
            if item in index:
                return dims[index.index(item)]
    return None
