"""Names of a gradient's text: none that the forward has, and readable ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from uol.ir.checker.name_rules import RESERVED
from uol.ir.gradients.text.substitution import Item, fresh_name
from uol.ir.syntax.surface import Name, Node, Op, Pack, Reduction, below


class Names:
    """Gives every wish a name of its own."""

    def __init__(self, op: Op) -> None:
        self.taken = set(_names(op)) | RESERVED | {op.name, f"{op.name}_grad"}
        self.indices = set(_indices(op))

    def fresh(self, wish: str) -> str:
        name = fresh_name(wish, self.taken)
        self.taken.add(name)
        return name

    def index(self, wishes: Iterable[str], used: Collection[str]) -> str:
        """An index name that is not `used`; one that another statement has may serve again."""
        wishes = tuple(wishes)
        free = (w for w in wishes if w not in used and (w not in self.taken or w in self.indices))
        name = next(free, None) or fresh_name(wishes[0], self.taken | set(used))
        self.taken.add(name)
        self.indices.add(name)
        return name

    def bind(self, indices: Iterable[str]) -> None:
        """Takes in indices that were named elsewhere."""
        for name in indices:
            self.taken.add(name)
            self.indices.add(name)

    def index_of(self, dim: Item, used: Collection[str]) -> Name | Pack:
        """An index for a dim that no plain index of the text runs over: its letter in lower case, or one before it."""
        if isinstance(dim, Pack):
            return Pack(self.index([dim.id.lower()], used))
        wish = dim.id.lower() if isinstance(dim, Name) and dim.id.lower() != dim.id else "i"
        letters = [wish] if len(wish) > 1 else [chr(c) for c in range(ord(wish), ord("a") - 1, -1)]
        return Name(self.index(letters, used))


def _indices(op: Op) -> Iterator[str]:
    """The names that are indices in the text: of targets and of reductions."""
    for statement in op.body:
        plain = (i for t in statement.targets for i in t.index if isinstance(i, Name | Pack))
        yield from (i.id for i in plain if statement.op == "=")
        if statement.op == "+=":
            other = {d for p in (*op.params, *op.results) for n in p.dims for d in _leaves(n)} | {a.name for a in op.attributes}
            nodes = (statement.value, *(i for t in statement.targets for i in t.index))
            yield from (leaf for n in nodes for leaf in _leaves(n) if leaf not in other)
        yield from (b.name for n in below(statement.value) if isinstance(n, Reduction) for b in n.binders)


def _leaves(node: Node) -> Iterator[str]:
    """Names and packs below, tensors left out."""
    return (n.id for n in below(node) if isinstance(n, Name | Pack))


def _names(op: Op) -> Iterator[str]:
    yield from (t.variable for t in op.domain)
    yield from (p.name for p in (*op.params, *op.results))
    yield from (a.name for a in op.attributes)
    nodes: list[Node] = [d for p in (*op.params, *op.results) for d in p.dims]
    nodes += [w for w in op.where]
    for statement in op.body:
        yield from (t.tensor for t in statement.targets)
        nodes += [statement.value, *(i for t in statement.targets for i in t.index)]
    for node in (n for each in nodes for n in below(each)):
        if isinstance(node, Name | Pack):
            yield node.id
        if isinstance(node, Reduction):
            yield from (b.name for b in node.binders)
