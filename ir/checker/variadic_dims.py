"""`*S` written out: an operator at fixed ranks, free of packs.

At rank k > 1 the dims S_0 ... S_{k-1} and the indices s_0 ... s_{k-1} stand for `*S` and `*s`, at rank 1 plain S and s,
at rank 0 nothing. `count(*S)` becomes a product, `flat(*s)` a row-major linear index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from uol.ir.checker.messages import closest, mismatch
from uol.ir.syntax import surface
from uol.ir.syntax.surface import Access, Apply, Binary, Binder, Expr, Name, Node, Number, Op, Pack, Reduction


def pack_names(op: Op) -> tuple[str, ...]:
    """The packs of dims that an operator declares, in order."""
    packs = [d.id for p in (*op.params, *op.results) for d in p.dims if isinstance(d, Pack)]
    return tuple(dict.fromkeys(packs))


def members(name: str, rank: int) -> tuple[str, ...]:
    """The names that a pack stands for."""
    return (name,) if rank == 1 else tuple(f"{name}_{n}" for n in range(rank))


def expand_packs(op: Op, ranks: Mapping[str, int]) -> Op:
    """The operator with every pack written out. Raises TypeCheckError where packs do not fit together."""
    declared = pack_names(op)
    inputs = {d.id for p in op.params for d in p.dims if isinstance(d, Pack)}
    for param in op.results:
        for dim in param.dims:
            if isinstance(dim, Pack) and dim.id not in inputs:
                raise mismatch(op, dim, f"no input has the dims `*{dim.id}`", closest(dim.id, inputs))
    missing = [name for name in declared if name not in ranks]
    if missing:
        raise mismatch(op, op, f"the rank of `*{missing[0]}` is not given", "give `ranks`")
    if not declared and not _mentions_pack(op):
        return op
    return _Expansion(op, ranks).run()


def _mentions_pack(op: Op) -> bool:
    def visit(node: Node) -> bool:
        if isinstance(node, Pack) or (isinstance(node, Reduction) and any(b.pack for b in node.binders)):
            return True
        return any(map(visit, surface.operands(node)))

    targets = [i for s in op.body for t in s.targets for i in t.index]
    return any(map(visit, (*op.where, *targets, *(s.value for s in op.body))))


@dataclass(frozen=True, slots=True)
class _Signature:
    """Which pack a tensor has, and how many plain dims stand before and after it."""

    pack: str | None
    before: int
    after: int


class _Expansion:
    def __init__(self, op: Op, ranks: Mapping[str, int]) -> None:
        self.op = op
        self.ranks = ranks
        self.tensors: dict[str, _Signature] = {}
        self.index_packs: dict[str, str] = {}  # of the statement at hand: `*s` -> `*S`

    def run(self) -> Op:
        self.check_members()
        for param in (*self.op.params, *self.op.results):
            self.tensors[param.name] = self.signature(param.dims, {p: p for p in self.ranks})
        return replace(
            self.op,
            params=tuple(self.param(p) for p in self.op.params),
            results=tuple(self.param(p) for p in self.op.results),
            where=tuple(self.expr(w) for w in self.op.where),
            body=tuple(self.statement(s) for s in self.op.body),
        )

    def check_members(self) -> None:
        """The names that a pack stands for must not be in the text already."""
        written = {*self.op_names()}
        for param in (*self.op.params, *self.op.results):
            for dim in param.dims:
                if not isinstance(dim, Pack) or self.ranks[dim.id] == 1:
                    continue
                for name in members(dim.id, self.ranks[dim.id]):
                    if name in written:
                        raise mismatch(
                            self.op, dim, f"`*{dim.id}` stands for `{name}`, which is another name of the text", "rename it"
                        )

    def op_names(self) -> Iterable[str]:
        yield from (p.name for p in (*self.op.params, *self.op.results))
        yield from (a.name for a in self.op.attributes)
        dims: list[Node] = [d for p in (*self.op.params, *self.op.results) for d in p.dims]
        values: list[Node] = [n for s in self.op.body for n in (s.value, *(i for t in s.targets for i in t.index))]
        for node in (*dims, *values):
            yield from (n.id for n in surface.below(node) if isinstance(n, Name))

    def signature(self, items: Iterable[Expr | Pack], packs: Mapping[str, str]) -> _Signature:
        items = tuple(items)
        at = [n for n, item in enumerate(items) if isinstance(item, Pack)]
        if len(at) > 1:
            raise mismatch(self.op, items[at[1]], "a tensor has at most one pack of dims")
        if not at:
            return _Signature(None, len(items), 0)
        pack = items[at[0]]
        assert isinstance(pack, Pack)
        if pack.id not in packs:
            raise mismatch(
                self.op,
                pack,
                f"cannot tell which dims `*{pack.id}` runs over",
                f"index a tensor that has a pack with `*{pack.id}`",
            )
        return _Signature(packs[pack.id], at[0], len(items) - at[0] - 1)

    def param(self, param: surface.Param) -> surface.Param:
        dims: list[Expr] = []
        for dim in param.dims:
            if isinstance(dim, Pack):
                dims += (Name(n, span=dim.span) for n in members(dim.id, self.ranks[dim.id]))
            else:
                dims.append(self.expr(dim))
        return replace(param, dims=tuple(dims))

    def statement(self, statement: surface.Statement) -> surface.Statement:
        self.index_packs = {}
        for target in statement.targets:
            self.learn(target.tensor, target.index, target)
        self.learn_all(statement.value)
        self.learn_from_calls(statement)
        for target in statement.targets:
            if target.tensor not in self.tensors:
                self.tensors[target.tensor] = self.signature(target.index, self.index_packs)
        targets = tuple(replace(t, index=self.index(t.index)) for t in statement.targets)
        return replace(statement, targets=targets, value=self.expr(statement.value))

    def learn_from_calls(self, statement: surface.Statement) -> None:
        """The results of a call run over the pack of the tensors that it is passed, where those have one."""
        nodes = tuple(surface.below(statement.value))
        calls = [n.tensor for n in nodes if isinstance(n, Access) and isinstance(n.tensor, Apply)]
        if isinstance(statement.value, Apply) and len(statement.targets) > 1:
            calls.append(statement.value)
        passed = {self.tensors[a.id].pack for c in calls for a in c.args if isinstance(a, Name) and a.id in self.tensors}
        packs = [p for p in passed if p is not None]
        items = (*nodes, *(i for t in statement.targets for i in t.index))
        for item in (n for n in items if isinstance(n, Pack)):
            if len(packs) == 1:
                self.index_packs.setdefault(item.id, packs[0])

    def learn_all(self, node: Node) -> None:
        if isinstance(node, Access) and isinstance(node.tensor, Name):
            self.learn(node.tensor.id, node.index, node)
        for operand in surface.operands(node):
            self.learn_all(operand)

    def learn(self, tensor: str, index: tuple[Expr | Pack, ...], node: Node) -> None:
        """Which pack of dims an index pack runs over, from an access to a tensor whose dims are known."""
        known = self.tensors.get(tensor)
        if known is None:
            return
        at = [n for n, item in enumerate(index) if isinstance(item, Pack)]
        if known.pack is None:
            if at:
                raise mismatch(self.op, index[at[0]], f"`{tensor}` has no pack of dims")
            return
        if not at:
            raise mismatch(self.op, node, f"`{tensor}` has the dims `*{known.pack}`, which take a pack of indices")
        if len(at) > 1:
            raise mismatch(self.op, index[at[1]], "an access has at most one pack of indices")
        if (at[0], len(index) - at[0] - 1) != (known.before, known.after):
            raise mismatch(
                self.op,
                node,
                f"`{tensor}` has {known.before} dims before `*{known.pack}` and {known.after} after it;"
                f" the access has {at[0]} and {len(index) - at[0] - 1}",
            )
        pack = index[at[0]]
        assert isinstance(pack, Pack)
        earlier = self.index_packs.setdefault(pack.id, known.pack)
        if earlier != known.pack:
            raise mismatch(self.op, pack, f"`*{pack.id}` runs over `*{known.pack}` here and over `*{earlier}` elsewhere")

    def index(self, index: tuple[Expr | Pack, ...]) -> tuple[Expr, ...]:
        out: list[Expr] = []
        for item in index:
            if isinstance(item, Pack):
                out += (Name(n, span=item.span) for n in self.index_members(item, item.id))
            else:
                out.append(self.expr(item))
        return tuple(out)

    def index_members(self, node: Node, name: str) -> tuple[str, ...]:
        return members(name, self.ranks[self.pack_of(node, name)])

    def pack_of(self, node: Node, name: str) -> str:
        if name in self.index_packs:
            return self.index_packs[name]
        raise mismatch(
            self.op, node, f"cannot tell which dims `*{name}` runs over", f"index a tensor that has a pack with `*{name}`"
        )

    def expr(self, expr: Expr) -> Expr:
        return surface.exchange(expr, self.written_out)

    def written_out(self, node: Node) -> Expr | None:
        match node:
            case Apply():
                return self.apply(node)
            case Access(tensor=tensor, index=index, fill=fill):
                base = self.call(tensor) if isinstance(tensor, Apply) else tensor
                return replace(node, tensor=base, index=self.index(index), fill=None if fill is None else self.expr(fill))
            case Reduction(binders=binders, args=args):
                expanded = tuple(b for binder in binders for b in self.binder(binder))
                return replace(node, binders=expanded, args=tuple(self.expr(a) for a in args))
        return None

    def binder(self, binder: Binder) -> tuple[Binder, ...]:
        if binder.pack:
            return tuple(Binder(n, span=binder.span) for n in self.index_members(binder, binder.name))
        return (replace(binder, bound=None if binder.bound is None else self.expr(binder.bound)),)

    def apply(self, call: Apply) -> Expr:
        packs = [a for a in call.args if isinstance(a, Pack)]
        if call.fn not in ("count", "flat"):
            if packs:
                raise mismatch(self.op, packs[0], f"`{call.fn}` takes no pack", "only `count(*S)` and `flat(*s)` do")
            return self.call(call)
        if len(call.args) != 1 or not packs:
            raise mismatch(self.op, call, f"`{call.fn}` takes one pack", "`count(*S)` of dims, `flat(*s)` of indices")
        pack = packs[0]
        if call.fn == "count":
            if pack.id not in self.ranks:
                raise mismatch(self.op, pack, f"no input has the dims `*{pack.id}`", closest(pack.id, self.ranks))
            return _product(members(pack.id, self.ranks[pack.id]), call)
        dims = members(self.pack_of(pack, pack.id), self.ranks[self.pack_of(pack, pack.id)])
        return _row_major(self.index_members(pack, pack.id), dims, call)

    def call(self, call: Apply) -> Apply:
        args = tuple(a if isinstance(a, Pack) else self.expr(a) for a in call.args)
        for arg in args:
            if isinstance(arg, Pack):
                raise mismatch(self.op, arg, f"`{call.fn}` takes no pack", "only `count(*S)` and `flat(*s)` do")
        return replace(call, args=args, keywords=tuple(replace(k, value=self.expr(k.value)) for k in call.keywords))


def _product(names: tuple[str, ...], node: Node) -> Expr:
    if not names:
        return Number(1, span=node.span)
    out: Expr = Name(names[0], span=node.span)
    for name in names[1:]:
        out = Binary("*", out, Name(name, span=node.span), span=node.span)
    return out


def _row_major(indices: tuple[str, ...], dims: tuple[str, ...], node: Node) -> Expr:
    if not indices:
        return Number(0, span=node.span)
    out: Expr = Name(indices[0], span=node.span)
    for index, dim in zip(indices[1:], dims[1:], strict=True):
        scaled = Binary("*", out, Name(dim, span=node.span), span=node.span)
        out = Binary("+", scaled, Name(index, span=node.span), span=node.span)
    return out
