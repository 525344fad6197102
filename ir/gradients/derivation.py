"""gradient(op): reverse mode on index notation. The gradient is an operator of the same language.

    op f(x: T[*S], ...) -> (y: T[*S])     op f_grad(x, ..., y, dy: T[*S]) -> (dx: T[*S], ...)

Saved: inputs and results of the forward, and of these only what the gradient reads (or whose dims it names).
Recomputed: every intermediate, by the forward's own statements. A cotangent has its value's type; several terms add up in
the accumulator before one cast. The gradient of a gradient is derived the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uol.ir.functions import FUNCTIONS
from uol.ir.gradients.algebra import add, product_of, to_expr
from uol.ir.gradients.cotangent import Cotangent, Index
from uol.ir.gradients.gathering import gather
from uol.ir.gradients.inference import Types, extent_in, float_types
from uol.ir.gradients.naming import Names
from uol.ir.gradients.rewriting import Rewriting, known_values
from uol.ir.gradients.sharing import share
from uol.ir.gradients.signature import assemble
from uol.ir.gradients.substitution import Item, index_key, tensors_in
from uol.ir.gradients.sweep import Sweep
from uol.ir.library import Library
from uol.ir.report import closest, mismatch
from uol.ir.syntax import Access, Apply, Expr, Name, Number, Op, Param, Statement, Target, below


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
    def __init__(self, op: Op, library: Library, wrt: Sequence[str] | None) -> None:
        self.op = op
        self.types = Types({t.variable: t.types for t in op.domain})
        self.names = Names(op)
        for param in (*op.params, *op.results):
            self.types.declare(param)
        self.wrt = self._inputs(wrt)
        self.active = self._active()
        self.targets: dict[str, tuple[Item, ...]] = {}
        self.terms: dict[str, list[Cotangent]] = {}
        self.derived: list[Statement] = []
        self.recomputed: list[Statement] = []  # values beside the forward's own

    def run(self) -> Op:
        op = self.op
        seeds = {r.name: self.names.fresh(f"d{r.name}") for r in op.results if self.types.is_float(r.type)}
        cotangents = tuple(Param(seeds[r.name], r.type, r.dims) for r in op.results if r.name in seeds)
        for cotangent in cotangents:
            self.types.declare(cotangent)
        for statement in reversed(op.body):
            self.reverse(statement, seeds)
        results = []
        for param in op.params:
            if param.name in self.wrt:
                name = self.names.fresh(f"d{param.name}")
                results.append(Param(name, param.type, param.dims))
                self.types.declare(results[-1])
                self.define(name, self.target_of(param.name), self.total(param.name, param.type), param.type)
        body = share(self.forward(), self.derived, self.types, self.names)
        return assemble(op, cotangents, tuple(results), body)

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

    # --- statements -----------------------------------------------------------------------------------------------------

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
        total = self.total(name, dtype)
        if not total.sum:
            return
        scope = tuple(
            Index(index_key(i), e, False) for i, e in zip(target.index, self.types.dims[name], strict=True)  # type: ignore[arg-type]
        )
        total = self.carried(name, total, statement.value, scope)
        rewriting = Rewriting(known_values(statement, self.types, name in seeds))
        Sweep(self, name, rewriting.known, rewriting.simplify).visit(statement.value, total, scope)

    def carried(self, name: str, total: Cotangent, value: Expr, scope: tuple[Index, ...]) -> Cotangent:
        """The cotangent of a statement, with a name where it is long and read more than once."""
        reads = sum(isinstance(n, Access) and isinstance(n.tensor, Name) and n.tensor.id in self.active for n in below(value))
        if len(total.sum) > 1 and reads > 1:
            return self.named(f"d{name}", total, scope)
        return replace(total, sum=tuple(self.hoisted(p, scope) for p in total.sum))

    def hoisted(self, product: Product, scope: tuple[Index, ...]) -> Product:
        """A product whose sums are reads of locals."""
        factors = tuple(
            (self.named_value(sum_name(f), f, self.types.of(f) or "", scope) if isinstance(f, Reduction) else f, p)
            for f, p in product.factors
        )
        return replace(product, factors=factors)

    # --- the sink of a sweep --------------------------------------------------------------------------------------------

    def contribute(self, access: Access, cotangent: Cotangent, scope: tuple[Index, ...]) -> None:
        assert isinstance(access.tensor, Name)
        name = access.tensor.id
        dtype = self.types.tensors[name]
        target = self.target_of(name, access)
        self.terms.setdefault(name, []).append(
            gather(access, cotangent, scope, target, self.types.dims[name], self.types, self.names)
        )
        assert dtype == cotangent.type, (dtype, cotangent.type)

    def named(self, wish: str, cotangent: Cotangent, scope: tuple[Index, ...]) -> Cotangent:
        name = self.names.fresh(wish)
        index = tuple(i.item for i in scope)
        self.define(name, index, cotangent, cotangent.type)
        self.types.tensors[name] = cotangent.type
        self.types.dims[name] = tuple(i.extent for i in scope)  # type: ignore[misc]
        return Cotangent(cotangent.type, (product_of(Access(Name(name), index)),))
