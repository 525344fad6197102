"""`uol list` and `uol show`: what operators there are, and their texts."""

from __future__ import annotations

from typing import Annotated

import typer

from uol.cli.arguments import read_operators
from uol.cli.options import ImportOption, JsonOption, OpArgument
from uol.cli.output import print_json, print_table, print_text
from uol.ir.gradients import gradient
from uol.ir.library import GRADIENT
from uol.ir.syntax.printer import print_expr, print_op
from uol.ir.syntax.surface import Attribute, Op, Param
from uol.operators.registry import catalogue
from uol.operators.sources import import_operators
from uol.ops.variadic import VARIADIC

GradOption = Annotated[bool, typer.Option("--grad", help="Show the operator's gradient.")]


def list_operators(modules: ImportOption = [], as_json: JsonOption = False) -> None:  # noqa: B006 - typer's way to say "none"
    """List the operators of the library, and those of the modules that are imported."""
    for module in modules:
        import_operators(module)
    ops = sorted(catalogue(), key=lambda op: op.name)
    if as_json:
        families = [{"name": v.name, "generated": v.pattern, "meaning": v.meaning} for v in VARIADIC.values()]
        print_json([*map(_summary, ops), *families])
        return
    print_table(("operator", "inputs", "results", "attributes", "types"), (_row(op) for op in ops))
    print_text("")
    print_table(("generated", "by name", "meaning"), ((v.name, v.pattern, v.meaning) for v in VARIADIC.values()))


def show(
    op: OpArgument,
    grad: GradOption = False,
    modules: ImportOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Show an operator's text, or that of its gradient; of a file, the texts of all its operators."""
    for module in modules:
        import_operators(module)
    found = [_gradient_of(operator) if grad else operator for operator in read_operators(op)]
    if as_json:
        shown = [{**_summary(operator), "text": print_op(operator)} for operator in found]
        print_json(shown if len(shown) > 1 else shown[0])
    else:
        print_text("\n".join(map(print_op, found)))


def _gradient_of(op: Op) -> Op:
    return catalogue().get(op.name + GRADIENT) or gradient(op, catalogue())


def _row(op: Op) -> tuple[str, ...]:
    inputs, results = (" ".join(_param(p) for p in params) for params in (op.params, op.results))
    types = "; ".join(f"{s.variable}: {' '.join(s.types)}" for s in op.domain)
    names = [a.name for a in op.attributes]
    attributes = " ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return op.name, inputs, results, attributes, types


def _param(param: Param) -> str:
    text = f"{param.name}[{', '.join(map(print_expr, param.dims))}]"
    return text if len(text) <= 24 else f"{param.name}[{len(param.dims)} dims]"


def _summary(op: Op) -> dict[str, object]:
    return {
        "name": op.name,
        "inputs": [_param_json(p) for p in op.params],
        "results": [_param_json(p) for p in op.results],
        "attributes": [_attribute_json(a) for a in op.attributes],
        "types": {s.variable: list(s.types) for s in op.domain},
        "where": [print_expr(w) for w in op.where],
    }


def _attribute_json(attribute: Attribute) -> dict[str, object]:
    default = None if attribute.default is None else print_expr(attribute.default)
    return {"name": attribute.name, "type": attribute.type, "default": default}


def _param_json(param: Param) -> dict[str, object]:
    return {"name": param.name, "type": param.type, "dims": [print_expr(d) for d in param.dims]}
