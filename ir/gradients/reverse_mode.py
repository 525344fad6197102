"""The statements of an operator in reverse, each from the cotangents of its targets to those of what it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from uol.ir.checker.messages import mismatch
from uol.ir.gradients.backward_call import Roles, arguments, roles_by_name, statement_of
from uol.ir.gradients.callees import call_of, callee, integers_in
from uol.ir.gradients.cotangent import Cotangent, Index
from uol.ir.gradients.cotangent_accumulator import Accumulator, is_read_at
from uol.ir.gradients.invariance import stabilisers
from uol.ir.gradients.maps.guards import with_else
from uol.ir.gradients.maps.inverted_index import Search
from uol.ir.gradients.maps.scattering import scattered
from uol.ir.gradients.maps.transposed_index import Term, gather, is_awkward
from uol.ir.gradients.residuals import plain_operator
from uol.ir.gradients.text.algebra import Sum, product_of, to_expr
from uol.ir.gradients.text.forms import is_plain_read
from uol.ir.gradients.text.inference import Types, extent_in, has_gradient
from uol.ir.gradients.text.local_inference import is_order, learn
from uol.ir.gradients.text.naming import Names
from uol.ir.gradients.text.rewriting import known_values
from uol.ir.gradients.text.substitution import (
    Item,
    binding_apart,
    free_keys,
    key_item,
    loose_keys,
    substitute,
    tensors_in,
)
from uol.ir.gradients.vjp_rules import Vjp
from uol.ir.operators import GRADIENT, Operators
from uol.ir.syntax.surface import Access, Apply, Binary, Expr, Name, Number, Op, Pack, Reduction, Statement, Target, below


class ReverseMode(Accumulator):
    """`forward`: the statements that may be recomputed. `active`: the tensors whose cotangents anybody asks for."""

    def __init__(
        self,
        op: Op,
        library: Operators,
        types: Types,
        names: Names,
        seeds: dict[str, str],
        asked: tuple[str, ...],
        gradient_of: Callable[[Op, tuple[str, ...]], tuple[Op, Roles]],
        *,
        saves: bool,
    ) -> None:
        super().__init__(op, types, names, seeds, saves=saves)
        self.library, self.gradient_of = library, gradient_of
        results = frozenset(r.name for r in op.results)
        for number, statement in enumerate(op.body):
            if call_of(statement) is None:
                learn(types, statement, op.body[number + 1 :])
        self.active = self._active(asked) - stabilisers(op.body, results, frozenset(types.sets))
        self.forward = [r for s in op.body if (r := self.recomputed(s, results)) is not None]
        self.totals: dict[str, Cotangent] = {}
        self.compared: dict[str, tuple[Term, tuple[Item, ...]]] = {}  # reads whose place is asked of every element

    def _active(self, asked: tuple[str, ...]) -> frozenset[str]:
        """The tensors through which a result depends on an input that is asked for."""
        reached = set(asked)
        for statement in self.op.body:
            call = call_of(statement)
            read = tensors_in(statement.value) if call is None else self.followed(call)
            if read & reached:
                reached |= {t.tensor for t in statement.targets if self.types.is_float(self.types.tensors[t.tensor])}
        return frozenset(reached)

    def followed(self, call: Apply) -> frozenset[str]:
        """The tensors that are passed to a call, for whose values its gradient is not just 0."""
        found = callee(self.op, call, self.library)
        integers = integers_in(found, call, self.types)
        if integers and not has_gradient(found, integers):
            return frozenset()
        backward, roles = self.gradient_of(found, integers)
        passed = {p.name: a.id for p, a in zip(found.params, call.args, strict=True) if isinstance(a, Name)}
        zero = {s.targets[0].tensor for s in backward.body if s.value == Number(0)}
        return frozenset(passed[p] for p, name in roles.gradients.items() if name not in zero)

    def recomputed(self, statement: Statement, results: frozenset[str]) -> Statement | None:
        """What gives the locals of a statement anew: values in an order by the places that were saved, the results of a
        call beside new locals for those that were."""
        saved = [t for t in statement.targets if t.tensor in results]
        if not saved:
            return statement
        if len(saved) == len(statement.targets):
            return None
        value = statement.value
        if isinstance(value, Reduction) and saved == [statement.targets[1]]:
            place = Access(Name(saved[0].tensor), saved[0].index)
            key = value.binders[0].name
            body = substitute(with_else(value.args[0], frozenset((key,)), self.types), {key: place})
            return Statement(statement.targets[:1], "=", body)
        targets = tuple(replace(t, tensor=self.names.fresh(t.tensor)) if t in saved else t for t in statement.targets)
        return replace(statement, targets=targets)

    def run(self) -> None:
        for statement in reversed(self.op.body):
            if not any(t.tensor in self.active for t in statement.targets):
                continue
            if call_of(statement) is not None:
                self.call(statement)
            elif is_order(statement):
                self.order(statement)
            elif statement.op == "+=":
                self.scatter(statement)
            else:
                self.plain(statement)

    # --- kinds of statements --------------------------------------------------------------------------------------------

    def plain(self, statement: Statement) -> None:
        target = statement.targets[0]
        total, scope = self.complete(target, statement.value)
        if total.sum:
            carried = self.carried(target.tensor, total, statement.value, scope)
            self.vjp(statement, target.tensor).visit(statement.value, carried, scope)

    def order(self, statement: Statement) -> None:
        """v[n, k] = score[n, at[n, k]]: the values go back through their places."""
        node, target = statement.value, statement.targets[0]
        assert isinstance(node, Reduction)
        if node.op == "argsort":
            return
        total, scope = self.complete(target)
        if total.sum:
            place = self.order_place(statement, node, target)
            body = substitute(node.args[0], {node.binders[0].name: place})
            self.vjp(statement, target.tensor).visit(body, self.plain_cotangent(target.tensor, total, scope), scope)

    def order_place(self, statement: Statement, node: Reduction, target: Target) -> Access:
        """The places of a sorting statement; found once more where the forward did not keep them."""
        if len(statement.targets) == 2:
            return Access(Name(statement.targets[1].tensor), target.index)
        at = Target(self.names.fresh("at"), target.index)
        value: Statement = Statement((at,), "=", Reduction("argsort", node.binders, node.args))
        if node.op == "topk":
            value = Statement((Target(self.names.fresh(f"{target.tensor}_values"), target.index), at), "=", node)
        self.types.tensors[at.tensor], self.types.dims[at.tensor] = "i64", self.types.dims[target.tensor]
        self.statements.append(value)
        return Access(Name(at.tensor), target.index)

    def scatter(self, statement: Statement) -> None:
        """y[at[n], d] += v: every term reads the cotangent of where it went."""
        (target,) = statement.targets
        if target.tensor not in self.totals:
            element = self.element(target.tensor)
            total, scope = self.complete(Target(target.tensor, element))
            bare = is_read_at(total, element)
            self.totals[target.tensor] = total if bare or not total.sum else self.named(f"d{target.tensor}", total, scope)
        total = self.totals[target.tensor]
        if not total.sum:
            return
        (whole,) = [f for f, _ in total.sum[0].factors]
        assert isinstance(whole, Access)
        plain = all(isinstance(i, Name | Pack) for i in target.index)
        read = Access(whole.tensor, target.index, None if plain else Number(0))
        keys = loose_keys(statement, self.indices())
        declared = dict(zip(target.index, self.types.dims[target.tensor], strict=True))
        extents = [declared.get(key_item(k)) or extent_in(self.types, (statement.value, read), key_item(k)) for k in keys]
        scope = tuple(Index(k, e, False) for k, e in zip(keys, extents, strict=True))
        self.anchor = read
        cotangent = Cotangent(total.type, (product_of(read),))
        Vjp(self, f"d{target.tensor}", (), self.rewriting).visit(statement.value, cotangent, scope)

    def call(self, statement: Statement) -> None:
        """The callee's gradient gives the terms of all tensors that were passed."""
        if not any(self.has_cotangent(t.tensor) for t in statement.targets):
            return
        call = call_of(statement)
        assert call is not None
        found = callee(self.op, call, self.library)
        backward, roles = self.backward_of(found, call, statement)
        results = {r.name: t.tensor for r, t in zip(found.results, statement.targets, strict=True)}
        cotangents = {}
        for result, target in zip(found.results, statement.targets, strict=True):
            if result.name in roles.cotangents:
                cotangents[result.name] = self.cotangent_tensor(target)
        made: list[tuple[str, tuple[Item, ...]]] = []
        owners = {name: param for param, name in roles.gradients.items()}
        passed = {p.name: a.id for p, a in zip(found.params, call.args, strict=True) if isinstance(a, Name)}
        for result in backward.results:
            tensor = passed[owners[result.name]]
            name, element = self.names.fresh(f"d{tensor}_part"), self.element(tensor)
            self.types.tensors[name], self.types.dims[name] = self.types.tensors[tensor], self.types.dims[tensor]
            made.append((name, element))
            if tensor in self.active:
                part = product_of(Access(Name(name), element))
                self.terms.setdefault(tensor, []).append(Cotangent(self.types.tensors[tensor], (part,)))
        args = arguments(found, backward, roles, call, results, cotangents)
        self.statements.append(statement_of(backward, args, call, tuple(made)))

    def backward_of(self, found: Op, call: Apply, statement: Statement) -> tuple[Op, Roles]:
        """The gradient of a callee: the written one that reads what is saved, where no cotangent comes to that."""
        plain = plain_operator(found, self.library)
        if plain is not None and not any(self.has_cotangent(t.tensor) for t in statement.targets[len(plain.results) :]):
            written = self.library.written_gradient(f"{plain.name}{GRADIENT}")
            assert written is not None
            return written, roles_by_name(found, written)
        return self.gradient_of(found, integers_in(found, call, self.types))

    def has_cotangent(self, tensor: str) -> bool:
        return tensor in self.seeds or any(t.sum for t in self.terms.get(tensor, []))

    def cotangent_tensor(self, target: Target) -> str:
        """The tensor that holds the cotangent of a target, zeros where it has none."""
        total, scope = self.complete(target)
        if is_read_at(total, target.index):
            (read, _) = total.sum[0].factors[0]
            assert isinstance(read, Access) and isinstance(read.tensor, Name)
            return read.tensor.id
        value = to_expr(total.sum) if total.sum else self.beside(Number(0), total.type)
        made = self.named_value(f"d{target.tensor}", value, total.type, scope)
        assert isinstance(made, Access) and isinstance(made.tensor, Name)
        return made.tensor.id

    # --- cotangents -----------------------------------------------------------------------------------------------------

    def carried(self, name: str, total: Cotangent, value: Expr, scope: tuple[Index, ...]) -> Cotangent:
        """The cotangent of a statement, with a name where it is long and read more than once."""
        reads = sum(isinstance(n, Access) and isinstance(n.tensor, Name) and n.tensor.id in self.active for n in below(value))
        if len(total.sum) > 1 and reads > 1:
            return self.named(f"d{name}", total, scope)
        return Cotangent(total.type, self.hoisted(total.sum, total.type, scope))

    def plain_cotangent(self, name: str, total: Cotangent, scope: tuple[Index, ...]) -> Cotangent:
        """A cotangent that is a read, or is made one."""
        plain = len(total.sum) == 1 and all(is_plain_read(f) for f, _ in total.sum[0].factors)
        return total if plain else self.named(f"d{name}", total, scope)

    def hoisted(self, products: Sum, dtype: str, scope: tuple[Index, ...]) -> Sum:
        """The products with their sums as reads of locals."""

        def read(factor: Expr) -> Expr:
            if not isinstance(factor, Reduction):
                return factor
            body = factor.args[0]
            wish = "dot" if isinstance(body, Binary) and body.op == "*" else "total"
            return self.named_value(wish, factor, self.types.of(factor) or dtype, scope)

        return tuple(p.mapped(read) for p in products)

    def vjp(self, statement: Statement, name: str) -> Vjp:
        is_result = name in self.seeds
        known = known_values(statement, self.types, is_result) if len(statement.targets) == 1 else ()
        return Vjp(self, "du" if is_result else f"d{name}", known, self.rewriting)

    # --- the sink of the rules --------------------------------------------------------------------------------------------

    def is_active(self, tensor: str) -> bool:
        return tensor in self.active

    def contribute(self, access: Access, cotangent: Cotangent, scope: tuple[Index, ...]) -> None:
        assert isinstance(access.tensor, Name)
        name = access.tensor.id
        if name not in self.active:
            return
        term = Term(access, Cotangent(cotangent.type, _renamed(cotangent.sum, scope, self.names)), scope)
        element, dims = self.element(name, access), self.types.dims[name]
        own = tuple(i for i in scope if not i.bound)
        used = frozenset(k for p in cotangent.sum for f, _ in p.factors for k in free_keys(f))
        if not used & {i.key for i in scope if i.bound} and is_awkward(term, element, dims, self.types, self.names):
            term = Term(access, self.named("part", cotangent, own), scope)
        found = gather(term, element, dims, self.types, self.names)
        if found is None and (found := gather(term, element, dims, self.types, self.names, "one place")) is not None:
            self.compared[name] = term, element
        found = found or self.scattered(term, element)
        searches: tuple[Search, ...] = ("what is left", "everywhere")
        for search in searches:
            found = found or gather(term, element, dims, self.types, self.names, search)
        if found is None:
            message = f"the gradient of this read of `{name}` cannot be written: no text says which indices read an element"
            raise mismatch(self.op, access, message, "read it in a statement of its own, at plain indices")
        self.terms.setdefault(name, []).append(found)

    def total(self, name: str) -> Cotangent:
        """A term that compares places is added at its own, where it is all that there is: zeros are cleared, not compared."""
        if name in self.compared and sum(bool(t.sum) for t in self.terms[name]) == 1:
            added = self.scattered(*self.compared.pop(name))
            self.terms[name] = self.terms[name] if added is None else [added]
        return super().total(name)

    def scattered(self, term: Term, element: tuple[Item, ...]) -> Cotangent | None:
        """The sum of what went elsewhere; all such terms of a tensor are added to one."""
        assert isinstance(term.access.tensor, Name)
        name = term.access.tensor.id
        known = self.sums.get(name)
        made = scattered(term, element, self, known or f"d{name}_sum", begun=known is not None)
        if made is None:
            return None
        statement, read = made
        self.sums[name] = statement.targets[0].tensor
        self.statements.append(statement)
        return read if known is None else Cotangent(read.type, ())

    def place(self, scope: tuple[Index, ...], extremum: Reduction, wish: str, some: Expr | None) -> Expr:
        """argmax for max, where the condition `some` holds: the result that holds it, or a local."""
        found = replace(extremum, op=f"arg{extremum.op}")
        results = {r.name for r in self.op.results}
        for statement in self.op.body:
            target = statement.targets[0]
            if statement.value == found and target.tensor in results and target.index == tuple(i.item for i in scope):
                return Access(Name(target.tensor), target.index)
        used = free_keys(found)
        (body,) = found.args
        if self.missing((found,), scope) and self.anchor is not None and not self.missing((found, self.anchor), scope):
            found = replace(found, args=(self.beside(body, self.types.of(body) or ""),))
        else:
            scope = tuple(i for i in scope if i.key in used)
        return self.named_value(wish, found if some is None else Apply("select", (some, found, Number(0))), "i64", scope)


def _renamed(products: Sum, scope: tuple[Index, ...], names: Names) -> Sum:
    """The products, no reduction within them binding an index of the scope."""
    taken = frozenset(i.key.lstrip("*") for i in scope)
    return tuple(p.mapped(lambda f: binding_apart(f, taken, names)) for p in products)
