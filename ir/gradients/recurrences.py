"""Running products, and sums whose terms fade by a product over what lies between, in reverse: a factor passes on what stands
before it, times what comes back from behind it. Neither is divided by anything, so that any factor may be 0.

    y[i] = sum[j <= i](b[j] * prod[k > j, k <= i](a[k]))
    da[k] += sum[j < k](b[j] * prod[m > j, m < k](a[m])) * sum[i >= k](dy[i] * prod[m > k, m <= i](a[m]))

    y[i] = prod[k <= i](a[k])
    da[k] += prod[m < k](a[m]) * sum[i >= k](dy[i] * prod[m > k, m <= i](a[m]))
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from uol.ir.gradients.maps.transposed_index import FLIPPED
from uol.ir.gradients.text.substitution import free_keys, substitute
from uol.ir.syntax.surface import Access, Binary, Binder, Expr, Name, Number, Pack, Reduction, below, exchange


@dataclass(frozen=True, slots=True)
class Faded:
    """What is summed up at the index `inner`, and fades from there on; `bound` is that of the product."""

    inner: str
    bound: str
    term: Expr


@dataclass(frozen=True, slots=True)
class Fading:
    """`sum[.. along](faded.term * product)`, where the product is over what lies between, up to `along` with the relation
    `bound`; or the product alone."""

    along: str
    bound: str
    product: Reduction
    faded: Faded | None = None

    @property
    def factor(self) -> str:
        """The index of the product."""
        return self.product.binders[0].name

    def before(self, name: str) -> Expr:
        """What stands before the factor; `name` is free."""
        if self.faded is None:
            return self._between(name, (self.bound[0], self.factor))
        product = self._between(name, (self.faded.bound, self.faded.inner), (self.bound[0], self.factor))
        binder = Binder(self.faded.inner, FLIPPED[self.faded.bound], Name(self.factor))
        return Reduction("sum", (binder,), (Binary("*", self.faded.term, product),))

    def behind(self, cotangent: Expr, name: str) -> Expr:
        """What comes back from behind the factor, itself included."""
        product = self._between(name, (FLIPPED[self.bound[0]], self.factor), (self.bound, self.along))
        binder = Binder(self.along, FLIPPED[self.bound], Name(self.factor))
        return Reduction("sum", (binder,), (Binary("*", cotangent, product),))

    def places(self, extent: Expr) -> tuple[Expr, ...]:
        """Where there may be a factor, if it reads anything that may be out of range elsewhere."""
        reads = (n for n in below(self.product.args[0]) if isinstance(n, Access))
        if all(isinstance(at, Name | Pack) for read in reads for at in read.index):
            return ()
        at, low, high = Name(self.factor), "=" if self.faded is None else self.faded.bound, self.bound
        low, high = (low, high) if high[0] == "<" else (high, low)
        first = () if low.endswith("=") else (Binary(">", at, Number(0)),)
        return first if high.endswith("=") else (*first, Binary("<", at, Binary("-", extent, Number(1))))

    def _between(self, name: str, *bounds: tuple[str, str]) -> Reduction:
        body = substitute(self.product.args[0], {self.factor: Name(name)})
        return Reduction("prod", tuple(Binder(name, sign, Name(bound)) for sign, bound in bounds), (body,))


def fading_in(node: Reduction, indices: Collection[str]) -> Fading | None:
    """A sum or a product as one of these, along one of the indices of its statement; None where it is none."""
    if node.op == "prod":
        return _running(node, indices)
    match node.binders:
        case (Binder(name=inner, relation=str() as of_sum, bound=Name(id=along), pack=False),) if along in indices:
            found = _parted(node.args[0])
        case _:
            return None
    if found is None:
        return None
    product, term = found
    bounds = {b.bound.id: b.relation for b in product.binders if isinstance(b.bound, Name) and b.relation is not None}
    of_term, of_result = bounds.get(inner, ""), bounds.get(along, "")
    if len(product.binders) != 2 or len({b.name for b in product.binders}) != 1 or of_sum not in FLIPPED:
        return None
    if of_term[:1] != FLIPPED[of_sum[0]] or of_result[:1] != of_sum[0]:
        return None
    if along in free_keys(term) or {inner, along} & free_keys(product.args[0]):
        return None
    if of_term.endswith("=") and of_result.endswith("=") and not of_sum.endswith("="):
        return None  # between one place and itself there would be a factor, and no term of the sum
    return Fading(along, of_result, product, Faded(inner, of_term, term))


def own_factor_apart(node: Reduction, indices: Collection[str]) -> Expr | None:
    """`sum[j < i](b[j] * prod[k >= j, k <= i](a[k]))` as `a[i] * sum[j < i](b[j] * prod[k >= j, k < i](a[k]))`, which is one of
    these; None for any other sum, and where the factor may be out of range at `i`."""
    found = _parted(node.args[0]) if len(node.binders) == 1 and isinstance(node.binders[0].bound, Name) else None
    if found is None or not isinstance(node.binders[0].bound, Name):
        return None
    product, along = found[0], node.binders[0].bound
    own = [b for b in product.binders if b.bound == along and b.relation in ("<=", ">=")]
    reads = (n for n in below(product.args[0]) if isinstance(n, Access))
    if len(own) != 1 or not all(isinstance(at, Name | Pack) for read in reads for at in read.index):
        return None
    binders = tuple(replace(b, relation=b.relation[0]) if b in own and b.relation else b for b in product.binders)
    others = replace(product, binders=binders)
    rest = replace(node, args=(exchange(node.args[0], lambda n: others if n is product else None),))
    if fading_in(rest, indices) is None:
        return None
    return Binary("*", substitute(product.args[0], {product.binders[0].name: along}), rest)


def _running(node: Reduction, indices: Collection[str]) -> Fading | None:
    """A running product."""
    match node.binders:
        case (Binder(relation=str() as bound, bound=Name(id=along), pack=False),) if along in indices and bound in FLIPPED:
            return None if along in free_keys(node.args[0]) else Fading(along, bound, node)
    return None


def _parted(value: Expr) -> tuple[Reduction, Expr] | None:
    """A product over a window, and what it is multiplied by."""
    match value:
        case Binary(op="*", left=Reduction(op="prod") as product, right=rest):
            return product, rest
        case Binary(op="*", left=rest, right=Reduction(op="prod") as product):
            return product, rest
        case Binary(op="*", left=left, right=right):
            for one, other in ((left, right), (right, left)):
                found = _parted(one)
                if found is not None:
                    return found[0], replace(value, left=found[1], right=other)
    return None
