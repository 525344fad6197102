"""The accumulator of a reverse-mode derivation: the cotangents found so far, and the statements made of them."""

from __future__ import annotations

from collections.abc import Sequence

from uol.ir.gradients.cotangent import Cotangent, Index
from uol.ir.gradients.text.algebra import add, product_of, to_expr
from uol.ir.gradients.text.forms import is_plain_read
from uol.ir.gradients.text.inference import Types, extent_in
from uol.ir.gradients.text.naming import Names
from uol.ir.gradients.text.rewriting import Rewriting, centred_sums, saved_products
from uol.ir.gradients.text.substitution import Item, free_keys, index_key
from uol.ir.syntax.surface import Access, Apply, Binary, Bool, Expr, Name, Number, Op, Pack, Reduction, Statement, Target


class Accumulator:
    """statements  the derived ones, in order
    terms       the cotangents found so far, by tensor, over the indices in `elements`
    sums        the locals to which scattered terms of a tensor are added
    seeds       the cotangents that are given, by result
    anchor      a tensor over the indices of the statement at hand

    `saves`: products that a result holds are read from it.
    """

    def __init__(self, op: Op, types: Types, names: Names, seeds: dict[str, str], *, saves: bool) -> None:
        self.op, self.types, self.names, self.seeds = op, types, names, seeds
        self.rewriting = Rewriting(saved_products(op, types) if saves else (), centred_sums(op, types))
        self.statements: list[Statement] = []
        self.terms: dict[str, list[Cotangent]] = {}
        self.sums: dict[str, str] = {}
        self.elements: dict[str, tuple[Item, ...]] = {t.tensor: t.index for s in op.body if s.op == "=" for t in s.targets}
        self.anchor: Access | None = None

    def complete(self, target: Target, value: Expr | None = None) -> tuple[Cotangent, tuple[Index, ...]]:
        """The cotangent of a target in its type, and the indices that it stands under."""
        name = target.tensor
        self.elements.setdefault(name, target.index)
        dtype = self.types.tensors[name]
        scope = tuple(Index(index_key(i), e, False) for i, e in zip(target.index, self.types.dims[name], strict=True))
        self.anchor = Access(Name(self.seeds.get(name, name)), target.index)
        if name in self.seeds:
            self.terms.setdefault(name, []).insert(0, Cotangent(dtype, (product_of(self.anchor),)))
        total = self.narrowed(self.total(name), dtype)
        if name in self.sums and total.sum and not _is_contraction(value):
            # a scattered sum does not say how large it is: the tensor does, or the other factor of a contraction
            sized = self.beside(to_expr(total.sum), dtype)
            total = Cotangent(dtype, (product_of(self.named_value(f"d{name}", sized, dtype, scope)),))
        return total, scope

    def total(self, name: str) -> Cotangent:
        """The terms of a tensor's cotangent, added in the accumulator."""
        terms = [t for t in self.terms.get(name, []) if t.sum]
        if len(terms) == 1:
            return Cotangent(terms[0].type, self.rewriting.held(terms[0].sum))
        wide = self.types.accumulator(self.types.tensors[name])
        return Cotangent(wide, self.rewriting.held(add(*(self.narrowed(t, wide).sum for t in terms))))

    def narrowed(self, cotangent: Cotangent, dtype: str) -> Cotangent:
        """The cotangent in another type: that of its value, or the accumulator."""
        if cotangent.type == dtype or not cotangent.sum:
            return Cotangent(dtype, cotangent.sum)
        return Cotangent(dtype, (product_of(self.types.cast(to_expr(cotangent.sum), cotangent.type, dtype)),))

    def element(self, tensor: str, access: Access | None = None) -> tuple[Item, ...]:
        """The indices over which a tensor's cotangent is written: those of its first plain read, else of its dims."""
        if tensor not in self.elements:
            items: list[Item] = []
            for number, dim in enumerate(self.types.dims[tensor]):
                read = access.index[number] if access is not None else None
                plain = isinstance(read, Name | Pack) and read not in items and index_key(read) in self.indices()
                used = {i.id for i in items if isinstance(i, Name | Pack)}
                items.append(read if plain and read is not None else self.names.index_of(dim, used))
            self.elements[tensor] = tuple(items)
        return self.elements[tensor]

    def indices(self) -> frozenset[str]:
        """The names that are indices somewhere, and the packs that are."""
        return frozenset(self.names.indices) | {f"*{n}" for n in self.names.indices}

    def named(self, wish: str, cotangent: Cotangent, scope: tuple[Index, ...], near: Expr | None = None) -> Cotangent:
        read = self.named_value(wish, to_expr(cotangent.sum), cotangent.type, scope, near)
        return Cotangent(cotangent.type, (product_of(read),))

    def named_value(self, wish: str, value: Expr, dtype: str, scope: tuple[Index, ...], near: Expr | None = None) -> Expr:
        """The value as the read of a local; the value itself where nothing could say how large the local is."""
        sized = self.sized(value, dtype, scope, near)
        if sized is None:
            return value
        name = self.names.fresh(wish)
        index = tuple(i.item for i in scope)
        self.types.tensors[name] = dtype
        self.types.dims[name] = tuple(i.extent for i in scope if i.extent is not None)
        self.statements.append(Statement((Target(name, index),), "=", sized))
        return Access(Name(name), index)

    def sized(self, value: Expr, dtype: str, scope: tuple[Index, ...], near: Expr | None = None) -> Expr | None:
        """`select(true, value, other)`, where every index of the scope stands alone in one of the two, over its own extent;
        None where no such other is found."""
        missing = self.missing((value,), scope)
        if not missing and self.types.of(value) is not None:
            return value
        keys = {i.key for i in scope}
        fits = self.anchor is not None and free_keys(self.anchor) & self.indices() <= keys
        if self.anchor is not None and fits and not self.missing((value, self.anchor), scope):
            return self.beside(value, dtype)
        other = self.standing_in(missing or scope, dtype)
        if other is None and near is not None and free_keys(near) & self.indices() <= keys:
            other = near if not self.missing((value, near), scope) else None
        return None if other is None else Apply("select", (Bool(True), value, other))

    def missing(self, values: tuple[Expr, ...], scope: Sequence[Index]) -> tuple[Index, ...]:
        """The indices of the scope that stand alone in none of the values, or over another extent."""
        return tuple(i for i in scope if i.extent is None or extent_in(self.types, values, i.item, alone=True) != i.extent)

    def standing_in(self, indices: Sequence[Index], dtype: str) -> Expr | None:
        """A sum of reads of inputs, results and their cotangents in which the indices stand alone, each over its extent."""
        found: Expr | None = None
        pending = list(indices)
        known = (*self.seeds.values(), *(p.name for p in (*self.op.params, *self.op.results)))
        while pending:
            reads = [(self.read_over(name, pending), name) for name in known]
            (read, covered), name = max(reads, key=lambda r: len(r[0][1]))
            if not covered:
                return None
            pending = [i for i in pending if i not in covered]
            value = self.types.cast(read, self.types.tensors[name], dtype)
            found = value if found is None else Binary("+", found, value)
        return found

    def read_over(self, name: str, indices: Sequence[Index]) -> tuple[Access, tuple[Index, ...]]:
        """A read of a tensor at those indices that run over its dims, and at 0 elsewhere; and these indices."""
        covered: list[Index] = []
        items: list[Item] = []
        for dim in self.types.dims[name]:
            fitting = [i for i in indices if i.extent == dim and i not in covered]
            covered += fitting[:1]
            items.append(fitting[0].item if fitting else Number(0))
            if not fitting and isinstance(dim, Pack):
                covered, items = [], []
                break
        return Access(Name(name), tuple(items)), tuple(covered)

    def beside(self, value: Expr, dtype: str) -> Expr:
        """`select(true, value, y[n, c])`: the value, over the indices of the statement at hand."""
        assert self.anchor is not None and isinstance(self.anchor.tensor, Name)
        other = self.types.cast(self.anchor, self.types.tensors[self.anchor.tensor.id], dtype)
        return Apply("select", (Bool(True), value, other))

    def define(self, name: str, index: tuple[Item, ...], cotangent: Cotangent, dtype: str) -> None:
        value = to_expr(self.narrowed(cotangent, dtype).sum)
        self.statements.append(Statement((Target(name, index),), "=", value))


def is_read_at(cotangent: Cotangent, index: tuple[Item, ...]) -> bool:
    """Whether a cotangent is a tensor, read at just these indices."""
    if len(cotangent.sum) != 1:
        return False
    (product,) = cotangent.sum
    if product.coefficient != 1 or len(product.factors) != 1 or product.factors[0][1] != 1:
        return False
    factor = product.factors[0][0]
    return isinstance(factor, Access) and isinstance(factor.tensor, Name) and factor.index == index and factor.fill is None


def _is_contraction(value: Expr | None) -> bool:
    match value:
        case Reduction(op="sum", args=(Binary(op="*", left=left, right=right),)):
            return is_plain_read(left) and is_plain_read(right)
    return False
