"""Operators from a user's text, or from a function that builds the same."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast, get_args

from uol.binding.argument_checks import require_kind, require_names, shown
from uol.binding.named_binding import bind_names
from uol.ir.checker.aliasing import check_aliases
from uol.ir.errors import ParseError, UolError
from uol.ir.syntax.printer import print_op
from uol.ir.syntax.surface import Op
from uol.operators.checked_texts import require_right
from uol.operators.registry import add_operator, callees, catalogue
from uol.ops.accuracy import Section, check_contract, register_contract
from uol.ops.aliasing import register_aliases
from uol.ops.inputs import Ask, Kind
from uol.ops.references import Reference, register_reference
from uol.ops.references.gradients import register_forward
from uol.ops.trees import trees_of
from uol.ops.workloads import Cases, read_cases, register_cases

if TYPE_CHECKING:
    from uol.ir.syntax.builder import Definition


EXAMPLE = 'write cases=[{"S": (64,), "C": 256}, {"S": (), "C": 7, "eps": 0.5}]'


class Operator:
    """An operator as a function of PyTorch tensors; torch is loaded at the first call. Where it is unpickled, its text is
    registered anew, with what it may overwrite, without its reference."""

    def __init__(self, op: Op, texts: tuple[Op, ...] = (), aliases: Mapping[str, str] | None = None) -> None:
        self.op = op
        self.__name__ = op.name
        self._texts, self._aliases = texts or (op,), aliases

    def __reduce__(self) -> tuple[object, ...]:
        own = {each.name for each in catalogue().added}
        called = (each for each in callees(self.op) if each.name in own)
        texts = {each.name: each for each in (*called, *self._texts)}  # the operator itself stays the last
        return _registered, ("\n".join(map(print_op, texts.values())), self._aliases, self.op.span.file)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:  # how many results there are is the text's to say
        return import_module("uol.pytorch.bridge").operator(self.op.name)(*args, **kwargs)

    def in_place(self, /, *args: object, **kwargs: object) -> object:
        """The operator on tensors of which those that it has aliases for are overwritten."""
        return import_module("uol.pytorch.in_place").in_place_function(self.op.name)(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<uol operator {self.op.name}>"


def op(
    text: str | Definition,
    reference: Reference | None = None,
    *,
    aliases: Mapping[str, str] | None = None,
    cases: Sequence[Mapping[str, object]] | Mapping[str, object] | None = None,
    contract: Mapping[str, Section] | None = None,
    file: str = "<uol.op>",
) -> Operator:
    """Registers the operators of a text: for `uol.compile`, as `uol.ops.<name>`, and as `torch.ops.uol.<name>`.

    In place of a text a function may build the operator (`uol.ir.syntax.builder`): `op` is then its decorator.

    `reference` computes what the last operator of the text should give, from PyTorch tensors in float64 and the
    attributes by keyword: conformance compares with it. `aliases` gives results by the inputs that they may overwrite:
    `uol.ops.<name>_`, which is `.in_place` of what is returned, does so. `cases` are the sizes and attributes at which
    conformance checks it (sizes that it draws, where nothing is said), `contract` bounds that differ from the common ones,
    in ulp (`uol.ops.accuracy`). All of them are the last operator's, which is returned. A text with an error registers
    nothing. Raises ParseError, TypeCheckError or BoundsError, with the place and the cause.

    >>> twofold = op("op twofold(x: T[*S]) -> (y: T[*S]) for T in (f64, f32) { y[*s] = x[*s] + x[*s] }")
    >>> from uol import fn
    >>> @op
    ... def thrice(op):
    ...     S, s = op.names("*S *s")
    ...     x, y = op.input("x", fn.f32[S]), op.result("y", fn.f32[S])
    ...     y[s] = fn.exp(x[s]) * 3
    >>> half = op("op half(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] / 2 }", cases=[{"N": 7}, {"N": 4096}],
    ...           contract={"rounding": {"division": 1.0}})
    """
    require_kind(file, str, "file", "a name", 'write file="mine.uol"')
    if isinstance(text, FunctionType):
        from uol.ir.syntax.builder import build

        built = build(text)
        text, file = print_op(built), built.span.file
    require_kind(text, str, "text", "the text of an operator", 'write uol.op("op ...")')
    if reference is not None and not callable(reference):
        raise UolError(f"reference is {shown(reference)}, not a function", hint="give a function of PyTorch tensors")
    parsed = right_operators(cast(str, text), file)
    with_it = list(_checked(parsed[-1], aliases, cases, contract))
    _require_first(parsed)
    _take_in(parsed)
    for take_in in with_it:
        take_in()
    if reference is not None:
        register_reference(parsed[-1].name, reference)
    return Operator(parsed[-1], parsed, aliases)


def right_operators(text: str, file: str) -> tuple[Op, ...]:
    """The operators of a text, which the checker has passed."""
    parsed = tuple(trees_of(text, file).values())
    if not parsed:
        raise ParseError("the text holds no operator", hint="write: op name(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }")
    library = catalogue().copy()
    for each in parsed:
        library.add(each)
    require_right(parsed, library)
    return parsed


def _take_in(parsed: tuple[Op, ...]) -> None:
    """The operators are known from now on, to PyTorch too where it is there."""
    for each in parsed:
        add_operator(each)
        register_forward(each)
    if "uol.pytorch.bridge" in sys.modules or "torch" in sys.modules:
        for each in parsed:
            import_module("uol.pytorch.bridge").define(each)


def _registered(text: str, aliases: Mapping[str, str] | None, file: str) -> Operator:
    return op(text, aliases=aliases, file=file)


def _checked(op: Op, aliases: object, cases: object, contract: object) -> Iterator[Callable[[], None]]:
    """What is registered beside a text: checked here, taken in by the calls that are given."""
    if aliases is not None:
        named = cast(Mapping[str, str], require_names(aliases, "aliases", 'write aliases={"running_mean": "new_mean"}'))
        check_aliases(op, named)
        yield partial(register_aliases, op.name, named)
    if cases is not None:
        yield partial(register_cases, op.name, cases_for(op, cases))
    if contract is not None:
        bounds = require_names(contract, "contract", 'write contract={"functions": {"exp": 4.0}}')
        check_contract(op.name, bounds)
        yield partial(register_contract, op.name, cast(Mapping[str, Section], bounds))


def _require_first(ops: Sequence[Op]) -> None:
    """Raises UolError for the gradient of an operator that PyTorch has differentiated already."""
    if "uol.pytorch.bridge" in sys.modules:
        for each in ops:
            import_module("uol.pytorch.bridge").require_first(each)


def cases_for(op: Op, given: object) -> Cases:
    """`given` is a list of cases, or a table of them with kinds of inputs and values, as a group of `ops/cases/*.toml` is:
    `{"cases": [{"N": 7}], "inputs": ["exact", "random"], "values": {"var": "positive"}}`.

    Raises UolError for another form, and ShapeError for a case that the operator does not admit.
    """
    table = require_names(given, "cases", EXAMPLE) if isinstance(given, Mapping) else {"cases": given}
    unknown = [name for name in table if name not in ("cases", "inputs", "values", "wide")]
    if unknown:
        raise UolError(f"cases of {op.name} have no {unknown[0]!r}", hint='they have "cases", "inputs", "values" and "wide"')
    listed = require_kind(table.get("cases"), Sequence, "cases", "a list of dicts", EXAMPLE)
    if not listed or isinstance(listed, str):
        raise UolError(f"there are no cases of {op.name}", hint=EXAMPLE)
    long = require_kind(table.get("wide", ()), Sequence, "wide", "a list of dicts", EXAMPLE)
    for case in (*listed, *long):
        require_names(case, "a case", EXAMPLE)
    _require_known(op, table)
    found = read_cases(op.name, table)
    types = {s.variable: s.types[0] for s in op.domain}
    for workload in (*found.workloads, *found.wide):
        bind_names(op, types, workload.dims, workload.attrs)
    return found


def _require_known(op: Op, table: Mapping[str, object]) -> None:
    """The kinds of inputs, and what the values of inputs must be."""
    kinds = require_kind(table.get("inputs", ()), Sequence, "inputs", "a list of kinds", 'write "inputs": ["exact", "random"]')
    for kind in kinds:
        if kind not in get_args(Kind):
            raise UolError(f"no kind of inputs {kind!r}", hint=f"one of {', '.join(get_args(Kind))}")
    inputs = [p.name for p in op.params]
    for name, ask in require_names(table.get("values", {}), "values", 'write "values": {"var": "positive"}').items():
        if name not in inputs:
            raise UolError(f"{op.name} has no input {name!r}", hint=f"its inputs are {', '.join(inputs)}")
        if ask not in get_args(Ask):
            raise UolError(f"no values {ask!r} for {name} of {op.name}", hint=f"one of {', '.join(get_args(Ask))}")
