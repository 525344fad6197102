"""Are the turns of a loop alike in what is counted? From the text alone: by how much every value goes on from one turn to the
next. Where that is whole sectors, an access of global memory moves as much in each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.machine.matrix_primitives import MEMORY
from uol.backends.simt.reading.calls import SEARCHES
from uol.backends.simt.reading.loops import conditions_in, steps_in
from uol.backends.simt.reading.syntax import Element, Loop, Name, Node, Number, Operation, Simple, Statement, walk

Shifts = Mapping[str, int | None]
"""By how much a name's value goes on with each turn; None where it is not known. Any other name has one value in all turns."""

AT_INDEX = ("atomic_add", "load_vector", "store_vector")
"""Calls of the device header whose first arguments are a tensor and an index into it."""
FROM_SHARED = frozenset(("load_matrices", "load_matrices_transposed"))
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def has_like_turns(loop: Loop, element_bytes: Mapping[str, int]) -> bool:
    """Does the turn matter neither for what is done at all, nor for how many sectors of global memory are touched?
    `element_bytes`: of each tensor."""
    if any(isinstance(node, Operation) and node.fn in MEMORY - FROM_SHARED for node in _values(loop.body)):
        return False  # by pointers, whose places are followed turn by turn
    shifts = shifts_in(loop)
    if any(shift_of(node, shifts) != 0 for node in conditions_in(loop.body)):
        return False
    moved = ((element_bytes.get(array, 1), shift_of(index, shifts)) for array, index in _accesses(loop.body, element_bytes))
    return all(shift is not None and shift * size % SECTOR_BYTES == 0 for size, shift in moved)


def shifts_in(loop: Loop) -> Shifts:
    """Of what the body of a loop gives values to, and of the variable that it counts by. A name that is declared in the body
    has a new value in each turn; of any other, the turns before decide."""
    steps = [step for step in steps_in(loop.body) if step.target is not None]
    declared = {_target(step) for step in steps if step.dtype}
    found: dict[str, int | None] = {_target(step): None for step in steps if _target(step) not in declared}
    found[loop.variable] = _step(loop)
    while True:
        before = dict(found)
        for step in steps:
            name, shift = _target(step), 0 if step.value is None else shift_of(step.value, found)
            if step.update != "=" and shift == 0:
                continue
            found[name] = shift if found.get(name, shift) == shift and step.update == "=" else None
        if found == before:
            return found


def shift_of(node: Node, shifts: Shifts) -> int | None:
    """By how much an expression goes on with each turn.

    >>> k, four = Name("k"), Number(4, "int")
    >>> [shift_of(Operation(fn, (k, four)), {"k": 8}) for fn in ("+", "*", "/", "%", "<")]
    [8, 32, 2, 0, None]
    """
    match node:
        case Number():
            return 0
        case Name(name=name):
            return shifts.get(name, 0)
        case Element(array=array, index=index):
            return 0 if shifts.get(array, 0) == 0 and all(shift_of(part, shifts) == 0 for part in index) else None
        case Operation(fn=fn, args=args):
            each = [shift_of(a, shifts) for a in args]
            known = [shift for shift in each if shift is not None]
            if not any(each) and len(known) == len(each):
                return 0
            return _combined(fn, args, known) if len(known) == len(each) else None


def _combined(fn: str, args: tuple[Node, ...], shifts: list[int]) -> int | None:
    match fn, args, shifts:
        case "cast", _, [inner]:
            return inner
        case "+", _, [left, right]:
            return left + right
        case "-", _, [left, right]:
            return left - right
        case "*", (Number(value=int(factor)), _), [_, shift]:
            return factor * shift
        case "*", (_, Number(value=int(factor))), [shift, _]:
            return factor * shift
        case "/" | "floor_div", (_, Number(value=int(divisor))), [shift, _] if divisor and shift % divisor == 0:
            return shift // divisor
        case "%" | "floor_mod", (_, Number(value=int(divisor))), [shift, _] if divisor and shift % divisor == 0:
            return 0
        case _, _, [left, right] if fn in COMPARISONS and left == right:
            return 0
    return None


def _step(loop: Loop) -> int | None:
    """Of the variable of a loop, where it is a number in the text."""
    step = loop.step
    return step.value.value if step is not None and step.update == "+=" and isinstance(step.value, Number) else None


def _target(step: Simple) -> str:
    return step.target.name if isinstance(step.target, Name) else step.target.array if step.target is not None else ""


def _values(body: Iterable[Statement]) -> Iterator[Node]:
    """All that expressions of statements are made of."""
    for step in steps_in(body):
        if step.value is not None:
            yield from walk(step.value)


def _accesses(body: Iterable[Statement], tensors: Mapping[str, int]) -> Iterator[tuple[str, Node]]:
    """The accesses of global memory: the tensor, and where. A search among keys has no place of its own."""
    for step in steps_in(body):
        for part in (step.target, step.value):
            for node in () if part is None else walk(part):
                match node:
                    case Element(array=array, index=(index, *_)) if array in tensors:
                        yield array, index
                    case Operation(fn=fn, args=(Name(name=array), index, *_)) if fn in AT_INDEX and array in tensors:
                        yield array, index
                    case Operation(fn=fn) if fn in SEARCHES:
                        yield "", node
