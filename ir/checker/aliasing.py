"""Aliases of an operator: an input whose memory a result may take.

The text stays pure. An input may be overwritten where every element of it is read only at the index that is written:

    new_mean[c] = (1 - momentum) * mean[c] + momentum * mu[c]     mean may be new_mean
    y[i] = x[i] + x[i - 1]                                        x may not be y

What is computed from such an element counts as the element: `d[i] = 2 * x[i]` read as `d[i - 1]` reads another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from uol.ir.checker.messages import closest, mismatch
from uol.ir.syntax.surface import Access, Apply, Name, Node, Op, Param, Reduction, Statement, operands


def check_aliases(op: Op, aliases: Mapping[str, str]) -> None:
    """`aliases` gives results by the inputs whose memory they take. Raises TypeCheckError, at its position, where a name
    is unknown, an input and its result differ in type or dims, or an element is read at another index than is written.

    >>> from uol.ir.syntax.parser import parse
    >>> check_aliases(parse("op twice(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] + x[i] }")[0], {"x": "y"})
    """
    inputs, results = ({p.name: p for p in params} for params in (op.params, op.results))
    taken: dict[str, str] = {}
    for name, result in aliases.items():
        for known, wanted, kind in ((inputs, name, "input"), (results, result, "result")):
            if wanted not in known:
                raise mismatch(op, op, f"`{op.name}` has no {kind} `{wanted}`", closest(wanted, known))
        if result in taken:
            raise mismatch(op, results[result], f"`{result}` is to take the memory of both `{taken[result]}` and `{name}`")
        taken[result] = name
        _require_same(op, inputs[name], results[result])
        _check_reads(op, name, result)


def _require_same(op: Op, given: Param, result: Param) -> None:
    if (given.type, given.dims) != (result.type, result.dims):
        hint = "give it the input's type and dims"
        raise mismatch(
            op, result, f"`{result.name}` cannot take the memory of `{given.name}`: they are declared differently", hint
        )


def _check_reads(op: Op, name: str, result: str) -> None:
    """Follows the input, and what is computed from its elements, through the statements."""
    elements = {name}
    for statement in op.body:
        found = [read for read in _reads(statement.value, frozenset()) if _names(read[0]) & elements]
        if statement.op == "+=" and any(t.tensor == result for t in statement.targets):
            hint = "`+=` starts at 0; read the input in a statement of `=`"
            raise mismatch(op, statement, f"`{result}` cannot take the memory of `{name}`: it is added to", hint)
        for read, bound in found:
            if not _is_own_element(read, bound, statement):
                at = ", ".join(f"{t.tensor}[...]" for t in statement.targets)
                raise mismatch(
                    op,
                    read,
                    f"`{name}` cannot be overwritten by `{result}`: {at} reads it at another index than it writes",
                    "read it only at the indices of the statement's target, or do not alias it",
                )
        elements |= {t.tensor for t in statement.targets if found and all(r.name != t.tensor for r in op.results)}


def _is_own_element(read: Node, bound: frozenset[str], statement: Statement) -> bool:
    """Is a read at exactly the target's indices, none of which a reduction around it has taken for its own?"""
    if not isinstance(read, Access) or not isinstance(read.tensor, Name) or statement.op == "+=":
        return False
    own = {item.id for item in read.index if not isinstance(item, Apply) and hasattr(item, "id")}
    return not own & bound and all(target.index == read.index for target in statement.targets)


def _reads(node: Node, bound: frozenset[str]) -> Iterator[tuple[Node, frozenset[str]]]:
    """Accesses, and calls that take whole tensors, with the indices that the reductions around them bind."""
    match node:
        case Access(tensor=Name()) | Apply():
            yield node, bound
        case Reduction(binders=binders):
            bound = bound | {b.name for b in binders}
    for operand in operands(node):
        yield from _reads(operand, bound)


def _names(read: Node) -> set[str]:
    """The tensors that a read takes from: of an access one; of a call those that stand there as a whole."""
    match read:
        case Access(tensor=Name(id=name)):
            return {name}
        case Apply(args=args):
            return {a.id for a in args if isinstance(a, Name)}
    return set()
