"""An operator at fixed types, ranks, dims and compile-time attributes: the typed program."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from uol.ir.checker import constants, statements
from uol.ir.checker.attributes import compile_time, default
from uol.ir.checker.environment import Draft, Environment
from uol.ir.checker.messages import at, closest, mismatch
from uol.ir.checker.name_rules import check_names
from uol.ir.checker.promises import promises
from uol.ir.checker.variadic_dims import expand_packs
from uol.ir.checker.where_conditions import conditions
from uol.ir.errors import ShapeError
from uol.ir.integers.assumptions import is_integral
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import compare
from uol.ir.library import Library
from uol.ir.program.nodes import Const, Expr, Program, Scalar, Var
from uol.ir.syntax import surface
from uol.ir.syntax.printer import print_op, statement_lines
from uol.ir.syntax.surface import Name, Node, Op, below
from uol.ir.types import DTYPES, INDEX, resolved


def instantiate(
    op: Op,
    library: Library,
    *,
    types: Mapping[str, str],
    ranks: Mapping[str, int] | None = None,
    dims: Mapping[str, int] | None = None,
    attrs: Mapping[str, int | float] | None = None,
    defaults: bool = True,
    facts: Facts | None = None,
    folds: bool = True,
) -> Program:
    """The program of an operator: `types` binds its type variables, `ranks` its packs, `dims` and `attrs` names to
    numbers. Dims that are not given stay symbolic; attributes that are not given take their default, and where there is
    none (or `defaults` is off) stay symbolic too. Run-time attributes are scalars of the program whatever is given.
    With `folds` off a `select` stays where its condition is known: the program has its numbers where the text has them, by
    which ties of `max` and `min` are decided.

    Raises TypeCheckError, BoundsError or ShapeError, at the position in the operator's text.

    >>> from uol.ir.syntax.parser import parse
    >>> op = parse("op relu(x: T[*S]) -> (y: T[*S]) for T in (f32, f16) { y[*s] = max(x[*s], 0) }")[0]
    >>> instantiate(op, Library(), types={"T": "f16"}, ranks={"S": 2}, dims={"S_0": 2, "S_1": 3}).stages[0].dtype
    'f16'
    """
    check_names(op)
    _check_types(op, types)
    expanded = expand_packs(op, ranks or {})
    if expanded is not op:
        check_names(expanded)
    draft = Draft(library, facts or Facts(), _scalar_type(expanded, types), folds=folds)
    env = Environment(expanded, draft, types, calls=(op.name,))
    scalars = _attributes(env, attrs or {}, defaults)
    symbols = _dims(env, dims or {}) + tuple(e.name for e in env.attributes.values() if isinstance(e, Var) and e.dtype == INDEX)
    draft.reserved = {*symbols, *(s.name for s in scalars)}
    known: list[Expr] = [compare(">=", Var(name), Const(0)) for name in symbols if name in env.dims]
    with draft.facts.scope(*known):
        return _program(env, op, scalars, symbols, known)


def dim_names(op: Op, ranks: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """The names of an operator's dims, packs written out, in order of the signature."""
    expanded = expand_packs(op, ranks or {})
    attributes = {a.name for a in op.attributes}
    names = [n.id for p in expanded.params for d in p.dims for n in _names(d) if n.id not in attributes]
    return tuple(dict.fromkeys(names))


def _program(env: Environment, op: Op, scalars: tuple[Scalar, ...], symbols: tuple[str, ...], known: list[Expr]) -> Program:
    draft, expanded = env.draft, env.op
    draft.sorted += promises(expanded, "sorted")
    draft.permutations += promises(expanded, "permutation")
    clauses = [c for said in conditions(expanded, draft.facts, partial(_where, env)) for c in said]
    with draft.facts.scope(*clauses):
        for param in expanded.params:
            env.tensors[param.name] = draft.add(statements.declare(env, param, param.name, "in"))
        for param in expanded.results:
            env.tensors[param.name] = draft.add(statements.declare(env, param, param.name, "out"))
        spans = [s.span for s in expanded.body]
        statements.run(env, statement_lines(op), spans, {})
    return Program(
        op.name,
        dict(draft.tensors),
        tuple(draft.stages),
        scalars,
        symbols,
        (*known, *(c for c in clauses if is_integral(c))),
        (*draft.checks, *(c for c in clauses if not is_integral(c))),
        print_op(op),
        tuple(draft.sorted),
        tuple(promises(expanded, "finite")),
        tuple(draft.permutations),
    )


def _where(env: Environment, clause: surface.Expr) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    """What a clause says, beyond what is known, twice (as `conditions` has it); false is a ShapeError."""
    condition = constants.constant(env, clause, "bool")
    if is_integral(condition):
        condition = env.facts.simplify(condition)
    if isinstance(condition, Const) and condition.value:
        return (), ()
    if isinstance(condition, Const):
        raise at(ShapeError, env.op, clause, f"the `where` clause of `{env.op.name}` does not hold: {env.values_in(clause)}")
    return (condition,), (condition,)


def _check_types(op: Op, types: Mapping[str, str]) -> None:
    sets = {t.variable: t for t in op.domain}
    for type_set in op.domain:
        for name in type_set.types:
            if name not in DTYPES:
                raise mismatch(
                    op, type_set, f"unknown type `{name}`", closest(name, DTYPES) or f"types are {', '.join(DTYPES)}"
                )
    for name in types:
        if name not in sets:
            raise mismatch(op, op, f"`{op.name}` has no type variable `{name}`", closest(name, sets))
    for name, type_set in sets.items():
        if name not in types:
            raise mismatch(
                op, type_set, f"the type `{name}` of `{op.name}` is not given", f"it is one of {', '.join(type_set.types)}"
            )
        if types[name] not in type_set.types:
            raise mismatch(
                op, type_set, f"`{op.name}` is not for {types[name]}", f"`{name}` is one of {', '.join(type_set.types)}"
            )


def _scalar_type(op: Op, types: Mapping[str, str]) -> str:
    return "f64" if any(resolved(p.type, types) == "f64" for p in (*op.params, *op.results)) else "f32"


def _attributes(env: Environment, given: Mapping[str, int | float], defaults: bool) -> tuple[Scalar, ...]:
    op, scalars = env.op, []
    for name in given:
        if op.attribute(name) is None:
            raise ShapeError(f"`{op.name}` has no attribute `{name}`", hint=closest(name, (a.name for a in op.attributes)))
    fixed = compile_time(op)
    for attribute in op.attributes:
        name = attribute.name
        preset = default(env, attribute, INDEX if attribute.type == "int" else env.draft.scalar_type)
        if attribute.type == "int" and not isinstance(given.get(name, 0), int):
            raise ShapeError(f"the attribute `{name}` of `{op.name}` is an integer, not {given[name]!r}")
        if name in fixed:
            value = Const(int(given[name])) if name in given else preset if defaults else None
            env.attributes[name] = Var(name) if value is None else value
            continue
        scalars.append(Scalar(name, "i64" if attribute.type == "int" else env.draft.scalar_type))
        env.attributes[name] = Var(name, scalars[-1].dtype)
    return tuple(scalars)


def _dims(env: Environment, given: Mapping[str, int]) -> tuple[str, ...]:
    """Binds every dim that the inputs name; the symbolic ones are returned."""
    op = env.op
    names = dict.fromkeys(n.id for p in op.params for d in p.dims for n in _names(d) if n.id not in env.attributes)
    for name, size in given.items():
        if name not in names:
            raise ShapeError(
                f"`{op.name}` has no dim `{name}`", hint=closest(name, names) or f"its dims are {', '.join(names)}"
            )
        if size < 0:
            raise ShapeError(f"the dim `{name}` of `{op.name}` is {size}, below zero")
    env.dims = {name: Const(int(given[name])) if name in given else Var(name) for name in names}
    return tuple(name for name in names if name not in given)


def _names(node: Node) -> list[Name]:
    return [n for n in below(node) if isinstance(n, Name)]
