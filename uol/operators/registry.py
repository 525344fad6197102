"""Every operator that this process knows: the library's, and those registered with `uol.op`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from uol.binding.argument_checks import nearest
from uol.ir.errors import UolError
from uol.ir.syntax.surface import Access, Apply, Node, Op, operands
from uol.ops.other_names import ALIASES, KIN
from uol.ops.signatures import forms_of
from uol.ops.texts import TextLibrary, library
from uol.ops.texts import names as library_names
from uol.ops.variadic import VARIADIC, generated


@cache
def catalogue() -> TextLibrary:
    """The operators by name. One object a process, which `add_operator` extends."""
    return library().copy()


def find_operator(name: str) -> Op:
    """The operator of that name, which may be generated (`concat_3`). Raises UolError with the nearest names for any other."""
    found = catalogue().get(name)
    if found is None:
        hint = _family(name) or nearest_operator(name) or "`uol list` shows the operators"
        raise UolError(f"unknown operator {name!r}", hint=hint)
    if found == generated(name):
        add_operator(found)  # from here on it is listed
    return found


def nearest_operator(name: str) -> str | None:
    """What may be meant by the name of no operator; what PyTorch means by it goes before what is spelt like it."""
    meant = ALIASES.get(name) or KIN.get(name) or ", ".join(t for form in forms_of(name) for t in form.texts)
    return f"here it is {meant}" if meant else nearest(name, names())


def _family(name: str) -> str | None:
    """What is said of the name of a family, which is no operator's."""
    meant = VARIADIC.get(ALIASES.get(name, name))
    return f"there is an operator for each number of inputs, or equation: {meant.pattern}" if meant else None


def names() -> list[str]:
    """The names of all operators; those of the library without its texts."""
    return sorted({*library_names(), *VARIADIC, *(op.name for op in catalogue().added)})


def is_known(name: str) -> bool:
    """Whether there is an operator of that name, of a variadic family too. Nothing is taken in."""
    return catalogue().get(name) is not None


def add_operator(op: Op) -> None:
    """Takes an operator in. Raises TypeCheckError where another operator has its name."""
    catalogue().add(op)


@contextmanager
def substituted(ops: Iterable[Op]) -> Iterator[None]:
    """Within, the catalogue has these operators under their names, whatever it had; then it is as it was."""
    with catalogue().substituting(ops):
        yield


def callees(op: Op, within: TextLibrary | None = None) -> tuple[Op, ...]:
    """The operators that `op` calls, directly and through others, each once: the catalogue's, or another library's."""
    found: dict[str, Op] = {}
    pending = [op]
    while pending:
        for name in _called_names(pending.pop()):
            callee = (catalogue() if within is None else within).get(name)
            if callee is not None and name not in found and name != op.name:
                found[name] = callee
                pending.append(callee)
    return tuple(found[name] for name in sorted(found))


def _called_names(op: Op) -> set[str]:
    """A call of an operator is indexed, `softmax(x)[n]`, or gives several results; a bare `exp(v)` is a function."""

    def walk(node: Node) -> set[str]:
        own = _nested(node.tensor) if isinstance(node, Access) and isinstance(node.tensor, Apply) else set()
        return own.union(*(walk(child) for child in operands(node)))

    several = [s.value for s in op.body if len(s.targets) > 1 and isinstance(s.value, Apply)]
    return set().union(*map(_nested, several), *(walk(statement.value) for statement in op.body))


def _nested(call: Apply) -> set[str]:
    """The operator of a call, and those of its tensors: `softmax(relu(x))`."""
    return {call.fn}.union(*(_nested(argument) for argument in call.args if isinstance(argument, Apply)))
