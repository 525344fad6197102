"""Calls of operators inside an operator: the callee's stages, inlined."""

from __future__ import annotations

from uol.ir.checker import constants, statements
from uol.ir.checker.argument_binding import Argument, Binding, bind
from uol.ir.checker.attributes import default
from uol.ir.checker.environment import Environment, Scope
from uol.ir.checker.messages import closest, mismatch
from uol.ir.checker.promises import promises
from uol.ir.checker.where_conditions import conditions
from uol.ir.errors import ShapeError
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Const, Expr, Tensor
from uol.ir.program.render import show
from uol.ir.syntax import surface
from uol.ir.syntax.printer import print_expr
from uol.ir.syntax.surface import Apply, Name, Node, Op
from uol.ir.types import INDEX, is_float

MAX_DEPTH = 16


def inline(scope: Scope, call: Apply) -> tuple[Tensor, ...]:
    """The results of a call: its stages go before the statement that calls. The same call twice is made once."""
    env = scope.env
    if call not in env.results:
        env.results[call] = _inline(scope, call)
    return env.results[call]


def single(scope: Scope, call: Apply) -> Tensor:
    """The result of a call that has one."""
    results = inline(scope, call)
    if len(results) > 1:
        targets = ", ".join(f"{r}[...]" for r in "abcdefgh"[: len(results)])
        raise mismatch(
            scope.op,
            call,
            f"`{call.fn}` has {len(results)} results",
            f"bind them in order, in a statement of their own: `({targets}) = {call.fn}(...)`",
        )
    return results[0]


def _inline(scope: Scope, call: Apply) -> tuple[Tensor, ...]:
    env = scope.env
    op = _callee(scope, call)
    tensors = [_argument(scope, a) for a in call.args]
    try:
        binding = bind(op, [Argument(t.dtype, t.shape) for t in tensors])
    except ShapeError as error:
        raise mismatch(env.op, call, error.message, error.hint) from None
    unknown = [t.variable for t in op.domain if t.variable not in binding.types]
    if unknown:
        raise mismatch(env.op, call, f"nothing says which type `{unknown[0]}` of `{op.name}` is")
    inner = Environment(binding.op, env.draft, binding.types, dict(binding.dims), calls=(*env.calls, op.name))
    inner.attributes = _attributes(scope, call, op)
    inner.tensors = {p.name: t for p, t in zip(op.params, tensors, strict=True)}
    with scope.facts.scope(*_require(scope, call, inner, binding)):
        return _stages(scope, inner)


def _callee(scope: Scope, call: Apply) -> Op:
    library = scope.env.draft.library
    op = library.get(call.fn)
    if op is None:
        hint = closest(call.fn, (o.name for o in library))
        raise mismatch(scope.op, call, f"unknown operator `{call.fn}`", hint)
    if op.name in scope.env.calls:
        chain = " -> ".join((*scope.env.calls, op.name))
        raise mismatch(scope.op, call, f"operators do not call themselves: {chain}")
    if len(scope.env.calls) > MAX_DEPTH:
        raise mismatch(scope.op, call, f"calls are nested more than {MAX_DEPTH} deep")
    return op


def _argument(scope: Scope, arg: Node) -> Tensor:
    match arg:
        case Name(id=name) if name in scope.env.tensors:
            return scope.env.tensors[name]
        case Name(id=name):
            raise mismatch(scope.op, arg, f"unknown tensor `{name}`", closest(name, scope.env.tensors))
        case Apply():
            return single(scope, arg)
    raise mismatch(
        scope.op, arg, "an operator takes whole tensors", "name the tensor without its indices; attributes follow a `;`"
    )


def _attributes(scope: Scope, call: Apply, op: Op) -> dict[str, Expr]:
    given = {k.name: k for k in call.keywords}
    if len(given) < len(call.keywords):
        raise mismatch(scope.op, call, "an attribute is given twice")
    for name, keyword in given.items():
        if op.attribute(name) is None:
            known = [a.name for a in op.attributes]
            raise mismatch(scope.op, keyword, f"`{op.name}` has no attribute `{name}`", closest(name, known))
    out: dict[str, Expr] = {}
    earlier = Environment(op, scope.env.draft, {}, attributes=out)
    for attribute in op.attributes:
        dtype = INDEX if attribute.type == "int" else scope.env.draft.scalar_type
        preset = default(earlier, attribute, dtype)
        if attribute.name in given:
            keyword = given[attribute.name]
            if not constants.is_free(scope.env, keyword.value):
                raise mismatch(scope.op, keyword.value, "an attribute is made of literals, dims and attributes")
            found = constants.constant(scope.env, keyword.value, dtype)
            out[attribute.name] = found if is_float(found.type) else scope.facts.simplify(found)
        elif preset is not None:
            out[attribute.name] = preset
        else:
            raise mismatch(
                scope.op, call, f"the attribute `{attribute.name}` of `{op.name}` is not given", f"add `; {attribute.name}=...`"
            )
    return out


def _require(scope: Scope, call: Apply, inner: Environment, binding: Binding) -> list[Expr]:
    """What the callee's signature says about dims, and its `where` clause: obligations of the caller, and known from
    there on."""
    for dim, extent, param in binding.equations:
        wanted = constants.constant(inner, dim, INDEX)
        scope.env.require(
            compare("==", wanted, extent),
            call,
            f"`{param}` of `{inner.op.name}` needs a dim of {show(wanted)}, it is {show(extent)}",
        )
    _require_promises(scope, call, inner)

    def evaluated(clause: surface.Expr) -> tuple[tuple[surface.Expr, Expr], tuple[Expr, ...]]:
        condition = constants.constant(inner, clause, "bool")
        return (clause, condition), (condition,)

    needs = conditions(inner.op, scope.facts, evaluated)
    for clause, condition in needs:
        is_known = isinstance(condition, Const)  # no more than true or false
        needed = f"`{print_expr(clause)}`, but {inner.values_in(clause)}" if is_known else f"`{show(condition)}`"
        scope.env.require(condition, call, f"`{inner.op.name}` needs {needed}")
    return [condition for _, condition in needs]


def _require_promises(scope: Scope, call: Apply, inner: Environment) -> None:
    """What the callee's signature promises about data that its kernels rely on."""
    for name in promises(inner.op, "sorted"):
        if inner.tensors[name].name not in scope.env.draft.sorted:
            raise mismatch(
                scope.op,
                call,
                f"`{inner.op.name}` needs `{name}` to be sorted, and nothing says so",
                f"add `where sorted({_passed(call, inner.op, name)})`, or sort it",
            )
    for name in promises(inner.op, "permutation"):
        if inner.tensors[name].name not in scope.env.draft.permutations:
            raise mismatch(
                scope.op,
                call,
                f"`{inner.op.name}` needs `{name}` to be a permutation, and nothing says so",
                f"add `where permutation({_passed(call, inner.op, name)})`, or make it by `argsort`",
            )


def _passed(call: Apply, op: Op, name: str) -> str:
    """What a call passes for a parameter, as it is written."""
    return print_expr(call.args[[p.name for p in op.params].index(name)])


def _stages(scope: Scope, inner: Environment) -> tuple[Tensor, ...]:
    op, draft = inner.op, scope.env.draft
    for result in op.results:
        name = draft.unique(f"{op.name}_{result.name}")
        inner.tensors[result.name] = draft.add(statements.declare(inner, result, name, "local"))
    count = len(op.body)
    names = {t.tensor: f"{op.name}_{t.tensor}" for s in op.body for t in s.targets}
    statements.run(inner, [scope.line] * count, [scope.span] * count, names)
    return tuple(inner.tensors[r.name] for r in op.results)
