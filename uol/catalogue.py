"""Every operator that this process knows: the library's, and those registered with `uol.op`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from uol.ir.errors import UolError
from uol.ir.library import Library
from uol.ir.syntax import Apply, Node, Op, operands
from uol.ops.library import library
from uol.suggest import nearest

Reference = Callable[..., object]

_references: dict[str, Reference] = {}


@cache
def catalogue() -> Library:
    """The operators by name. One object a process, which `add_operator` extends."""
    return Library(library())


def find_operator(name: str) -> Op:
    """The operator of that name. Raises UolError with the nearest names for any other."""
    op = catalogue().get(name)
    if op is None:
        names = [known.name for known in catalogue()]
        raise UolError(f"unknown operator {name!r}", hint=nearest(name, names) or "`uol list` shows the operators")
    return op


def add_operator(op: Op, reference: Reference | None = None) -> None:
    """Takes an operator in. Raises TypeCheckError where another operator has its name."""
    catalogue().add(op)
    if reference is not None:
        _references[op.name] = reference


def reference_of(name: str) -> Reference | None:
    """The reference that was registered with an operator."""
    return _references.get(name)


def callees(op: Op) -> tuple[Op, ...]:
    """The operators that `op` calls, directly and through others, each once."""
    found: dict[str, Op] = {}
    pending = [op]
    while pending:
        for name in _applied_names(pending.pop()):
            callee = catalogue().get(name)
            if callee is not None and name not in found and name != op.name:
                found[name] = callee
                pending.append(callee)
    return tuple(found[name] for name in sorted(found))


def _applied_names(op: Op) -> set[str]:
    def walk(node: Node) -> set[str]:
        own = {node.fn} if isinstance(node, Apply) else set()
        return own.union(*(walk(child) for child in operands(node)))

    return set().union(*(walk(statement.value) for statement in op.body))
