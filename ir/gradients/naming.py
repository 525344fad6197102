"""Names of a gradient's text: none that the forward has, and readable ones."""

from __future__ import annotations

from collections.abc import Iterator

from uol.ir.gradients.substitution import Item, fresh_name
from uol.ir.names import RESERVED
from uol.ir.syntax import Name, Node, Op, Pack, Reduction, below


class Names:
    """Gives every wish a name of its own."""

    def __init__(self, op: Op) -> None:
        self.taken = set(_names(op)) | RESERVED | {op.name, f"{op.name}_grad"}

    def fresh(self, wish: str) -> str:
        name = fresh_name(wish, self.taken)
        self.taken.add(name)
        return name

    def index_of(self, dim: Item, used: set[str]) -> Name | Pack:
        """An index for a dim that no plain index of the text runs over: the dim's letter in lower case, or one before it.
        An index name of another statement may serve again; `used` are those of this tensor."""
        if isinstance(dim, Pack):
            return Pack(self.fresh(dim.id.lower()))
        wish = dim.id.lower() if isinstance(dim, Name) and dim.id.lower() != dim.id else "i"
        letters = [wish] if len(wish) > 1 else [chr(c) for c in range(ord(wish), ord("a") - 1, -1)]
        for letter in letters:
            if letter not in used and letter not in self.taken:
                self.taken.add(letter)
                return Name(letter)
        return Name(self.fresh(wish))


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
