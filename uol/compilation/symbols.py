"""The name under which an operator's C functions, files and kernels go: its own, or one that carries its types and sizes, so
that several of one operator link into one program.

    --symbol auto                         softmax_f16_C1024_S4096
    --symbol "{op}_{types}"               softmax_f16
    --symbol rows                         rows
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from string import Formatter
from typing import TYPE_CHECKING

from uol.binding.instance import Instance
from uol.codegen.backend import Backend, Device, Kernel, Module
from uol.ir.checker.attributes import compile_time
from uol.ir.errors import UolError

if TYPE_CHECKING:
    from uol.binding.instance import OpenSize

AUTOMATIC, TEMPLATE = "auto", "{op}_{types}_{sizes}_{attributes}"
LONGEST = 200
"""Characters of a symbol: names of files that are made of it stay below the 255 that file systems take."""


def symbol_of(text: str, instance: Instance) -> str:
    """The symbol that a text means for an operator at its types and sizes; the fields of a template that have no value leave no
    gap. Empty where the text is: then everything has the operator's own name.

    Raises UolError for a field that there is not, and for what is no name in C.
    """
    if not text:
        return ""
    fields = _fields(instance)
    template = TEMPLATE if text == AUTOMATIC else text
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise UolError(f"the symbol {text!r} is no template: {error}", hint=_hint(fields)) from error
    if unknown := sorted(names - fields.keys()):
        raise UolError(f"the symbol {text!r} has a field {unknown[0]!r}", hint=_hint(fields))
    symbol = "_".join(part for part in template.format(**fields).split("_") if part)
    if not (symbol.isascii() and symbol.isidentifier() and len(symbol) <= LONGEST):
        long = f", of at most {LONGEST} characters" if len(symbol) > LONGEST else ""
        raise UolError(f"the symbol {symbol[:80]!r} is no name in C{long}", hint=_hint(fields))
    return symbol


def renamed(module: Module, symbol: str, backend: Backend, device: Device) -> Module:
    """The module with its functions, files and kernels under a symbol. Schedules are named by the kernels' own names."""
    op = module.graph.name

    def of(kernel: Kernel) -> Kernel:
        own = kernel.spec.name
        rest = own.removeprefix(op) if own.startswith(op) else f"_{own}"
        made = backend.render(replace(kernel.spec, name=symbol + rest), kernel.schedule, device)
        return replace(made, spec=kernel.spec)

    return backend.assemble(replace(module.graph, name=symbol), tuple(map(of, module.kernels)), device)


def _fields(instance: Instance) -> Mapping[str, str]:
    """What a template may name: `{"op": "softmax", "types": "f16", "sizes": "C1024_S4096", "attributes": ""}`."""
    fixed = compile_time(instance.op)
    attributes = (f"{name}{value}".replace("-", "m") for name, value in instance.attrs.items() if name in fixed)
    return {
        "op": instance.op.name,
        "types": "_".join(instance.types.values()),
        "sizes": "_".join(_sizes(instance)),
        "attributes": "_".join(attributes),
    }


def _sizes(instance: Instance) -> Iterator[str]:
    """`C1024`, `S50x2`; an open size is `any`."""

    def shown(size: OpenSize) -> str:
        return "any" if size is None else str(size)

    yield from (f"{name}{shown(size)}" for name, size in instance.dims.items())
    yield from (f"{name}{'any' if sizes is None else 'x'.join(map(shown, sizes))}" for name, sizes in instance.packs.items())


def _hint(fields: Mapping[str, str]) -> str:
    known = ", ".join(f"{{{name}}}" for name in fields)
    return f"give a name of letters, digits and underscores, a template of {known}, or {AUTOMATIC}: all of them"
