"""gradient(op): reverse mode on index notation. The gradient is an operator of the same language.

    op f(x: T[*S], ...) -> (y: T[*S])     op f_grad(x, ..., y, dy: T[*S]) -> (dx: T[*S], ...)

Saved: inputs and results of the forward, and of these only what the gradient reads, or whose dims it names.
Recomputed: every intermediate that is read, by the forward's own statement. A cotangent has its value's type; several
terms add up in the accumulator before one cast. The gradient of a gradient is derived in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

from uol.ir.gradients.algebra import Product, Sum, add, product_of, to_expr
from uol.ir.gradients.cotangent import Cotangent, Index
from uol.ir.gradients.gathering import gather
from uol.ir.gradients.inference import Types, extent_in, float_types
from uol.ir.gradients.invariance import stabilisers
from uol.ir.gradients.naming import Names
from uol.ir.gradients.rewriting import Rewriting, known_values, saved_products
from uol.ir.gradients.sharing import share
from uol.ir.gradients.signature import assemble
from uol.ir.gradients.substitution import Item, index_key, tensors_in
from uol.ir.gradients.sweep import Sweep
from uol.ir.library import Library
from uol.ir.report import closest, mismatch
from uol.ir.syntax import Access, Expr, Name, Number, Op, Pack, Param, Reduction, Statement, Target, below


def gradient(op: Op, library: Library, wrt: Sequence[str] | None = None) -> Op:
    """The gradient of an operator with respect to its float inputs, or to those named in `wrt`.

    Raises TypeCheckError where an input is not of the operator, or not a float.

    >>> from uol.ir.parser import parse
    >>> from uol.ir.printer import print_op
    >>> print(print_op(gradient(parse("op double(x: f32[N]) -> (y: f32[N]) { y[i] = 2 * x[i] }")[0], Library())))
    op double_grad(dy: f32[N]) -> (dx: f32[N]) {
      dx[i] = 2 * dy[i]
    }
    """
    return _Derivation(float_types(op), library, wrt).run()


class _Derivation:
    """`terms` are the cotangents found so far, by tensor, over the indices in `targets`."""

    def __init__(self, op: Op, library: Library, wrt: Sequence[str] | None) -> None:
        self.op = op
        self.types = Types({t.variable: t.types for t in op.domain})
        self.names = Names(op)
        for param in (*op.params, *op.results):
            self.types.declare(param)
        self.wrt = self._inputs(wrt)
        self.active = self._active() - stabilisers(op.body, frozenset(r.name for r in op.results), frozenset(self.types.sets))
        self.rewriting = Rewriting(saved_products(op, self.types))
        self.targets: dict[str, tuple[Item, ...]] = {}
        self.terms: dict[str, list[Cotangent]] = {}
        self.statements: list[Statement] = []

    def run(self) -> Op:
        op = self.op
        seeds = {r.name: self.names.fresh(f"d{r.name}") for r in op.results if self.types.is_float(r.type)}
        cotangents = tuple(Param(seeds[r.name], r.type, r.dims) for r in op.results if r.name in seeds)
        for param in cotangents:
            self.types.declare(param)
        for statement in reversed(op.body):
            self.reverse(statement, seeds)
        results = tuple(self.result(p) for p in op.params if p.name in self.wrt)
        forward = [s for s in op.body if not any(t.tensor in seeds for t in s.targets)]
        body = share(forward, self.statements, frozenset(r.name for r in results), self.types, self.names)
        return assemble(op, cotangents, results, body)

    def result(self, param: Param) -> Param:
        """`dx`, and the statement that defines it."""
        out = Param(self.names.fresh(f"d{param.name}"), param.type, param.dims)
        self.types.declare(out)
        self.define(out.name, self.target_of(param.name), self.total(param.name), param.type)
        return out

    # --- what is asked for ----------------------------------------------------------------------------------------------

    def _inputs(self, wrt: Sequence[str] | None) -> tuple[str, ...]:
        floats = [p.name for p in self.op.params if self.types.is_float(p.type)]
        for name in wrt or ():
            if name not in floats:
                raise mismatch(self.op, self.op, f"`{self.op.name}` has no float input `{name}`", closest(name, floats))
        return tuple(n for n in floats if wrt is None or n in wrt)

    def _active(self) -> frozenset[str]:
        """The tensors through which a result depends on an input that is asked for. Also learns the locals' types."""
        reached = set(self.wrt)
        for statement in self.op.body:
            for target in statement.targets:
                if target.tensor not in self.types.tensors:
                    self.learn(target, statement.value)
                if self.types.is_float(self.types.tensors[target.tensor]) and tensors_in(statement.value) & reached:
                    reached.add(target.tensor)
        return frozenset(reached)

    def learn(self, target: Target, value: Expr) -> None:
        dtype = self.types.of(value)
        self.types.tensors[target.tensor] = "i64" if dtype in (None, "idx") else str(dtype)
        found = [extent_in(self.types, (value,), item) for item in target.index]
        self.types.dims[target.tensor] = tuple(d if d is not None else Number(0) for d in found)

    def is_active(self, tensor: str) -> bool:
        return tensor in self.active

    # --- statements in reverse ------------------------------------------------------------------------------------------

    def reverse(self, statement: Statement, seeds: dict[str, str]) -> None:
        (target,) = statement.targets
        name = target.tensor
        if name not in self.active:
            return
        self.targets[name] = target.index
        dtype = self.types.tensors[name]
        if name in seeds:
            seed = Access(Name(seeds[name]), target.index)
            self.terms.setdefault(name, []).insert(0, Cotangent(dtype, (product_of(seed),)))
        total = self.total(name)
        if not total.sum:
            return
        dims = self.types.dims[name]
        scope = tuple(Index(index_key(i), e, False) for i, e in zip(target.index, dims, strict=True))
        wish = "du" if name in seeds else f"d{name}"
        sweep = Sweep(self, wish, known_values(statement, self.types, name in seeds), self.rewriting)
        total = self.narrowed(total, dtype)
        sweep.visit(statement.value, self.carried(name, total, statement.value, scope), scope)

    def total(self, name: str) -> Cotangent:
        """The terms of a tensor's cotangent, added in the accumulator."""
        terms = [t for t in self.terms.get(name, []) if t.sum]
        if len(terms) == 1:
            return terms[0]
        wide = self.types.accumulator(self.types.tensors[name])
        return Cotangent(wide, add(*(self.narrowed(t, wide).sum for t in terms)))

    def narrowed(self, cotangent: Cotangent, dtype: str) -> Cotangent:
        """The cotangent in the type of its value."""
        if cotangent.type == dtype or not cotangent.sum:
            return Cotangent(dtype, cotangent.sum)
        return Cotangent(dtype, (product_of(self.types.cast(to_expr(cotangent.sum), cotangent.type, dtype)),))

    def carried(self, name: str, total: Cotangent, value: Expr, scope: tuple[Index, ...]) -> Cotangent:
        """The cotangent of a statement, with a name where it is long and read more than once."""
        reads = sum(isinstance(n, Access) and isinstance(n.tensor, Name) and n.tensor.id in self.active for n in below(value))
        if len(total.sum) > 1 and reads > 1:
            return self.named(f"d{name}", total, scope)
        return Cotangent(total.type, self.hoisted(total.sum, scope))

    def hoisted(self, products: Sum, scope: tuple[Index, ...]) -> Sum:
        """The products with their sums as reads of locals."""

        def read(factor: Expr) -> Expr:
            if not isinstance(factor, Reduction):
                return factor
            return self.named_value("dot" if "*" in str(factor.args) else "total", factor, self.types.of(factor) or "", scope)

        return tuple(Product(p.coefficient, tuple((read(f), q) for f, q in p.factors)) for p in products)

    # --- the sink of a sweep --------------------------------------------------------------------------------------------

    def contribute(self, access: Access, cotangent: Cotangent, scope: tuple[Index, ...]) -> None:
        assert isinstance(access.tensor, Name)
        if not self.is_active(access.tensor.id):
            return
        target = self.target_of(access.tensor.id, access)
        self.terms.setdefault(access.tensor.id, []).append(gather(access, cotangent, scope, target, self.types))

    def target_of(self, tensor: str, access: Access | None = None) -> tuple[Item, ...]:
        """The indices over which a tensor's cotangent is written: those of its first plain read, else of its dims."""
        if tensor not in self.targets:
            items: list[Item] = []
            for number, dim in enumerate(self.types.dims[tensor]):
                read = access.index[number] if access is not None else None
                plain = isinstance(read, Name | Pack) and read not in items
                used = {i.id for i in items if isinstance(i, Name)}
                items.append(read if plain and read is not None else self.names.index_of(dim, used))
            self.targets[tensor] = tuple(items)
        return self.targets[tensor]

    def named(self, wish: str, cotangent: Cotangent, scope: tuple[Index, ...]) -> Cotangent:
        read = self.named_value(wish, to_expr(cotangent.sum), cotangent.type, scope)
        return Cotangent(cotangent.type, (product_of(read),))

    def named_value(self, wish: str, value: Expr, dtype: str, scope: tuple[Index, ...]) -> Expr:
        name = self.names.fresh(wish)
        index = tuple(i.item for i in scope)
        self.types.tensors[name] = dtype
        self.types.dims[name] = tuple(Number(0) if i.extent is None else i.extent for i in scope)
        self.statements.append(Statement((Target(name, index),), "=", value))
        return Access(Name(name), index)

    def define(self, name: str, index: tuple[Item, ...], cotangent: Cotangent, dtype: str) -> None:
        value = to_expr(self.narrowed(cotangent, dtype).sum)
        self.statements.append(Statement((Target(name, index),), "=", value))
