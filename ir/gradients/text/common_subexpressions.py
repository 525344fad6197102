"""The last pass: what a gradient's statements have in common gets a name; a local that is read once, where its indices
are those of the statement, loses its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from uol.ir.functions import FUNCTIONS
from uol.ir.gradients.text.forms import stands_alone
from uol.ir.gradients.text.inference import Types, extent_in
from uol.ir.gradients.text.naming import Names
from uol.ir.gradients.text.substitution import arguments_of, free_keys, index_key, tensors_of
from uol.ir.syntax.surface import (
    ORDERS,
    Access,
    Apply,
    Binary,
    Expr,
    Name,
    Node,
    Number,
    Pack,
    Reduction,
    Statement,
    Target,
    below,
    exchange,
    operands,
)

CHEAP = ("max", "min", "abs", "floor", "ceil", "round")
EVEN = (*CHEAP, "tanh", "erf", "sin", "cos", "acc", "select")
WISHES = {"sqrt": "root", "exp": "e", "log": "logarithm", "tanh": "t", "erf": "phi", "sin": "sine", "cos": "cosine"}


def share(
    forward: Sequence[Statement], derived: Sequence[Statement], results: frozenset[str], types: Types, names: Names
) -> tuple[Statement, ...]:
    """The body of a gradient: of the forward's statements those that are needed, then the derived ones."""
    body = needed((*forward, *derived), results)
    body = inlined(body, {s.targets[0].tensor for s in derived} - results)
    body = without_copies(body)
    while (found := _repeated(body, types, names)) is not None:
        body = _named(body, found, types, names)
    return body


def needed(body: Sequence[Statement], results: frozenset[str]) -> tuple[Statement, ...]:
    """The statements that the results depend on, in order."""
    wanted = set(results)
    kept: list[Statement] = []
    for statement in reversed(body):
        if any(t.tensor in wanted for t in statement.targets):
            kept.insert(0, statement)
            wanted |= tensors_of(statement)
    return tuple(kept)


def inlined(body: tuple[Statement, ...], locals_: set[str]) -> tuple[Statement, ...]:
    """Without those locals that one statement reads once, at its own indices and outside of its reductions."""
    left = list(body)
    reads = [Counter(_reads(s)) for s in left]
    number = 0
    while number < len(left):
        target = left[number].targets[0]
        readers = [n for n, found in enumerate(reads) if found[target.tensor]]
        once = target.tensor in locals_ and len(readers) == 1 and reads[readers[0]][target.tensor] == 1
        moved = _within(left[readers[0]], left[number]) if once else None
        if moved is None:
            number += 1
            continue
        left[readers[0]], reads[readers[0]] = moved, Counter(_reads(moved))
        del left[number], reads[number]
        number = 0
    return tuple(left)


def _within(reader: Statement, statement: Statement) -> Statement | None:
    """The reader of a local with the local's value in its place; None where that cannot stand there."""
    target = statement.targets[0]
    if statement.op != "=" or _is_call(statement) or len(reader.targets) > 1:
        return None
    read = Access(Name(target.tensor), target.index)
    if set(reader.targets[0].index) != set(target.index) or not _outside(reader.value, read):
        return None
    return replace(reader, value=_exchanged(reader.value, read, statement.value))


def _is_call(statement: Statement) -> bool:
    value = statement.value
    return len(statement.targets) > 1 or isinstance(value, Access) and isinstance(value.tensor, Apply)


def _exchanged(value: Expr, old: Expr, new: Expr) -> Expr:
    return exchange(value, lambda n: new if n == old else None)


def without_copies(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """A sum that is only copied is made where the copy goes: `dx_sum[at[n]] += v; dx[i] = dx_sum[i]` is `dx[at[n]] += v`."""
    reads = Counter(name for s in body for name in _reads(s))
    for statement in body:
        target, value = statement.targets[0], statement.value
        if not isinstance(value, Access) or not isinstance(value.tensor, Name) or value.fill is not None:
            continue
        made = [s for s in body if any(t.tensor == value.tensor.id for t in s.targets)]
        if value.index == target.index and made and reads[value.tensor.id] == 1 and all(s.op == "+=" for s in made):
            moved = {id(s): replace(s, targets=(replace(s.targets[0], tensor=target.tensor),)) for s in made}
            return without_copies(tuple(moved.get(id(s), s) for s in body if s is not statement))
    return body


def _reads(statement: Statement) -> Iterator[str]:
    """The tensors that a statement reads, once for each read."""
    nodes = (statement.value, *(i for t in statement.targets for i in t.index))
    bases = [n.tensor for each in nodes for n in below(each) if isinstance(n, Access)]
    calls = [b for b in bases if isinstance(b, Apply)]
    if isinstance(statement.value, Apply) and len(statement.targets) > 1:
        calls.append(statement.value)
    yield from (base.id for base in bases if isinstance(base, Name))
    yield from (name for call in calls for name in arguments_of(call))


def _outside(node: Node, read: Access) -> bool:
    """Whether the read stands outside of reductions."""
    if node == read:
        return True
    return not isinstance(node, Reduction) and any(_outside(n, read) for n in operands(node))


def _repeated(body: tuple[Statement, ...], types: Types, names: Names) -> Expr | None:
    """The largest expression with a built-in function in it that occurs twice, and whose indices say how far they run."""
    indices = _indices(body, names)
    count: Counter[Expr] = Counter()
    always: set[Node] = set()
    for statement in body:
        count.update(n for n in below(statement.value) if isinstance(n, Apply | Binary | Reduction) and _is_dear(n))
        always |= _always(statement.value)
    twice = [
        e
        for e, n in count.items()
        if n > 1 and (e in always or stands_alone(e) and _is_even(e, indices)) and _axes(e, indices, types) is not None
    ]
    return max(twice, key=lambda e: sum(1 for _ in below(e)), default=None)


def _is_dear(node: Expr) -> bool:
    """A value that is worth a name: a float with a built-in function or a reduction in it."""
    match node:
        case Apply(fn=fn) if fn not in FUNCTIONS:
            return False
        case Reduction(op=op) if op in ORDERS:  # the whole of a statement, whose targets say how far it goes
            return False
        case Binary(op=op) if op not in ("+", "-", "*", "/"):
            return False
    parts = tuple(below(node))
    calls = any(isinstance(n, Apply) and n.fn in FUNCTIONS and n.fn not in CHEAP or isinstance(n, Reduction) for n in parts)
    return calls and any(isinstance(n, Access) for n in parts)


def _is_even(node: Node, indices: frozenset[str]) -> bool:
    """Whether value and derivative are finite everywhere. A root of its own beside the choice that keeps its argument above 0
    would make 0 * inf of the second derivative, and so would an extremum over a window that is empty for some indices."""
    parts = tuple(below(node))
    windows = (b.bound for n in parts if isinstance(n, Reduction) and n.op in ("max", "min") for b in n.binders)
    if any(bound is not None and free_keys(bound) & indices for bound in windows):
        return False
    steep = any(isinstance(n, Apply) and n.fn in FUNCTIONS and n.fn not in EVEN for n in parts)
    return not steep and not any(isinstance(n, Binary) and n.op == "/" and not isinstance(n.right, Number) for n in parts)


def _always(value: Node) -> set[Node]:
    """What is evaluated whatever is chosen: outside of every choice, or where a condition holds and where it does not."""
    found = set(_unconditional(value))
    arms: dict[Node, tuple[set[Node], set[Node]]] = {}
    for node in found:
        match node:
            case Apply(fn="select", args=(condition, a, b)):
                taken, other = arms.setdefault(condition, (set(), set()))
                taken |= set(_unconditional(a))
                other |= set(_unconditional(b))
    return found.union(*(taken & other for taken, other in arms.values()))


def _unconditional(node: Node) -> Iterator[Node]:
    """What is evaluated whatever a `select` chooses."""
    yield node
    inner = operands(node)[:1] if isinstance(node, Apply) and node.fn == "select" else operands(node)
    for operand in inner:
        yield from _unconditional(operand)


def _indices(body: tuple[Statement, ...], names: Names) -> frozenset[str]:
    """Everything that is an index in the body."""
    bound = (b.name for s in body for n in below(s.value) if isinstance(n, Reduction) for b in n.binders)
    every = names.indices.union(bound)
    return frozenset(every) | {f"*{n}" for n in every}


def _axes(expr: Expr, indices: frozenset[str], types: Types) -> tuple[Name | Pack, ...] | None:
    """The indices of an expression; None where one of them stands nowhere alone without an `else`, so that where the expression
    occurs it may run over different dims."""
    free = free_keys(expr) & indices
    ordered = dict.fromkeys(i for n in below(expr) if isinstance(n, Access) for i in n.index if isinstance(i, Name | Pack))
    axes = tuple(i for i in ordered if index_key(i) in free)
    known = all(extent_in(types, (expr,), i, firm=True) is not None for i in axes)
    return axes if known and len(axes) == len(free) else None


def _named(body: tuple[Statement, ...], value: Expr, types: Types, names: Names) -> tuple[Statement, ...]:
    """The value defined before its first use, or where a statement defines it already, and read from there on."""
    axes = _axes(value, _indices(body, names), types)
    assert axes is not None
    uses = [n for n, s in enumerate(body) if any(n == value for n in below(s.value))]
    first = body[uses[0]]
    if first.value == value and first.op == "=" and len(first.targets) == 1 and set(first.targets[0].index) == set(axes):
        definition, rest = first, body[uses[0] + 1 :]
        start = body[: uses[0]]
    else:
        wish = WISHES.get(value.fn, "u") if isinstance(value, Apply) else "u"
        target = Target(names.fresh(wish), axes)
        types.tensors[target.tensor] = types.of(value) or ""
        types.dims[target.tensor] = tuple(e for i in axes if (e := extent_in(types, (value,), i)) is not None)
        definition, rest, start = Statement((target,), "=", value), body[uses[0] :], body[: uses[0]]
    target = definition.targets[0]
    read = Access(Name(target.tensor), target.index)
    later = tuple(replace(s, value=_exchanged(s.value, value, read)) for s in rest)
    return (*start, definition, *later)
