"""Names of indices and tensors exchanged in surface expressions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Protocol, TypeAlias

from uol.ir.syntax.surface import Access, Apply, Binder, Expr, Name, Node, Pack, Reduction, Statement, below, exchange, operands

Item: TypeAlias = Expr | Pack


def index_key(item: Item) -> str:
    """How an index is called in a mapping: `c`, or `*s` for a pack."""
    assert isinstance(item, Name | Pack)
    return f"*{item.id}" if isinstance(item, Pack) else item.id


def substitute(expr: Expr, values: Mapping[str, Item]) -> Expr:
    """The expression with free names (`c`) and packs (`*s`) exchanged; bound names are renamed where they would catch one."""
    return _Substitution(values).expr(expr)


def free_keys(node: Node) -> frozenset[str]:
    """The names and packs (`*s`) that an expression uses and does not bind; tensors and called operators left out."""
    return frozenset(_free(node))


def _free(node: Node) -> list[str]:
    """The same, in the order in which they stand."""
    found: list[str] = []
    _collect(node, frozenset(), found)
    return found


def _collect(node: Node, bound: frozenset[str], found: list[str]) -> None:
    if isinstance(node, Name | Pack):
        key = node.id if isinstance(node, Name) else f"*{node.id}"
        if key not in bound:
            found.append(key)
        return
    if isinstance(node, Reduction):
        bound = bound | {binder_key(b) for b in node.binders}
    inner = operands(node)
    if isinstance(node, Access) and isinstance(node.tensor, Apply):  # the tensors that are passed to a call are no names
        inner = (*inner[1:], *(k.value for k in node.tensor.keywords))
    for operand in inner:
        _collect(operand, bound, found)


def key_item(key: str) -> Name | Pack:
    """The index that a key names."""
    return Pack(key[1:]) if key.startswith("*") else Name(key)


def loose_keys(statement: Statement, indices: frozenset[str]) -> tuple[str, ...]:
    """The indices of a statement that no reduction binds, in the order in which they stand."""
    nodes: list[Node] = [i for t in statement.targets for i in t.index]
    return tuple(dict.fromkeys(k for n in (*nodes, statement.value) for k in _free(n) if k in indices))


def binder_key(binder: Binder) -> str:
    return f"*{binder.name}" if binder.pack else binder.name


def tensors_in(node: Node) -> frozenset[str]:
    """The tensors that an expression reads, or passes to an operator."""
    reads = [n.tensor for n in below(node) if isinstance(n, Access)]
    passed = (name for base in reads if isinstance(base, Apply) for name in arguments_of(base))
    return frozenset(base.id for base in reads if isinstance(base, Name)) | frozenset(passed)


def arguments_of(call: Apply) -> frozenset[str]:
    """The tensors that the call of an operator takes."""
    inner = (arguments_of(a) for a in call.args if isinstance(a, Apply))
    return frozenset(a.id for a in call.args if isinstance(a, Name)).union(*inner)


def tensors_of(statement: Statement) -> frozenset[str]:
    """The tensors that a statement reads."""
    value = statement.value
    passed = arguments_of(value) if isinstance(value, Apply) and len(statement.targets) > 1 else frozenset()
    return tensors_in(value).union(passed, *(tensors_in(i) for t in statement.targets for i in t.index))


class _Substitution:
    def __init__(self, values: Mapping[str, Item]) -> None:
        self.values = {k: v for k, v in values.items() if k != ("*" + v.id if isinstance(v, Pack) else getattr(v, "id", None))}
        self.caught = frozenset(k for v in self.values.values() for k in free_keys(v))

    def item(self, item: Item) -> Item:
        if isinstance(item, Pack):
            return self.values.get(f"*{item.id}", item)
        return self.expr(item)

    def expr(self, expr: Expr) -> Expr:
        return exchange(expr, self.rule) if self.values else expr

    def rule(self, node: Node) -> Expr | None:
        match node:
            case Name(id=name):
                found = self.values.get(name, node)
                assert not isinstance(found, Pack)
                return found
            case Apply():
                return self.apply(node)
            case Access(tensor=tensor, index=index, fill=fill):
                base = self.apply(tensor) if isinstance(tensor, Apply) else tensor
                moved = tuple(self.item(i) for i in index)
                return replace(node, tensor=base, index=moved, fill=None if fill is None else self.expr(fill))
            case Reduction():
                return self.reduction(node)
        return None

    def apply(self, call: Apply) -> Apply:
        keywords = tuple(replace(k, value=self.expr(k.value)) for k in call.keywords)
        if any(isinstance(a, Name) and a.id in self.values for a in call.args) and call.keywords:
            return replace(call, keywords=keywords)
        return replace(call, args=tuple(self.item(a) for a in call.args), keywords=keywords)

    def reduction(self, node: Reduction) -> Reduction:
        bound = [binder_key(b) for b in node.binders]
        inner: dict[str, Item] = {k: v for k, v in self.values.items() if k not in bound}
        taken = self.caught | free_keys(node) | set(bound)
        for binder in node.binders:
            if binder_key(binder) in self.caught and binder_key(binder) not in inner:
                fresh = fresh_name(binder.name, {k.lstrip("*") for k in taken})
                taken |= {fresh}
                inner[binder_key(binder)] = Pack(fresh) if binder.pack else Name(fresh)
        deeper = _Substitution(inner)
        return replace(
            node, binders=tuple(deeper.binder(b, inner) for b in node.binders), args=tuple(deeper.expr(a) for a in node.args)
        )

    def binder(self, binder: Binder, inner: Mapping[str, Item]) -> Binder:
        renamed = inner.get(binder_key(binder))
        name = renamed.id if isinstance(renamed, Name | Pack) else binder.name
        return replace(binder, name=name, bound=None if binder.bound is None else self.expr(binder.bound))


class IndexNames(Protocol):
    """Gives names of indices."""

    def index(self, wishes: Iterable[str], used: Collection[str]) -> str:
        """One that is not used."""


def binding_apart(expr: Expr, taken: frozenset[str], names: IndexNames) -> Expr:
    """The expression, with other names for what its reductions bind where those are taken."""

    def rule(node: Node) -> Expr | None:
        if not isinstance(node, Reduction) or not {b.name for b in node.binders} & taken:
            return None
        used = taken | {b.name for b in node.binders} | {k.lstrip("*") for k in free_keys(node)}
        moved: dict[str, Item] = {}
        for binder in node.binders:
            if binder.name in taken and binder_key(binder) not in moved:
                name = names.index("ijklmabcdefg", used)
                used |= {name}
                moved[binder_key(binder)] = Pack(name) if binder.pack else Name(name)
        binders = tuple(
            replace(
                b,
                name=getattr(moved.get(binder_key(b)), "id", b.name),
                bound=None if b.bound is None else substitute(b.bound, moved),
            )
            for b in node.binders
        )
        inner = replace(node, binders=binders, args=tuple(substitute(a, moved) for a in node.args))
        return replace(inner, args=tuple(exchange(a, rule) for a in inner.args))

    return exchange(expr, rule)


def without_shadows(expr: Expr, around: frozenset[str], names: IndexNames) -> Expr:
    """The expression, with other names for what a reduction binds where a reduction around it, or the statement (`around`),
    has that index already."""

    def rule(node: Node) -> Expr | None:
        if not isinstance(node, Reduction):
            return None
        apart = binding_apart(node, around, names) if {b.name for b in node.binders} & around else node
        assert isinstance(apart, Reduction)
        inner = around | {b.name for b in apart.binders}
        bounds = (None if b.bound is None else without_shadows(b.bound, inner, names) for b in apart.binders)
        binders = tuple(replace(b, bound=bound) for b, bound in zip(apart.binders, bounds, strict=True))
        return replace(apart, binders=binders, args=tuple(without_shadows(a, inner, names) for a in apart.args))

    return exchange(expr, rule)


def fresh_name(wish: str, taken: set[str] | frozenset[str]) -> str:
    """`wish`, or `wish_2`, `wish_3`, ..."""
    name, number = wish, 2
    while name in taken:
        name, number = f"{wish}_{number}", number + 1
    return name
