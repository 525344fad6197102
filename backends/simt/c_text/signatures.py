"""Parameters of a kernel: C text for its signature, and the record that launchers follow."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.c_text.names import Names
from uol.backends.simt.c_text.proofs import Index
from uol.backends.simt.c_text.types import COMPUTE, STORAGE
from uol.codegen.backend import Param
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import KernelSpec, Store
from uol.codegen.specs.traverse import steps_of
from uol.ir.program.nodes import Expr

WIDTH = 118


@dataclass(frozen=True, slots=True)
class Signature:
    """`lines` is the C declaration up to its closing parenthesis; `where` what must hold of dims that are arguments,
    `launched` at which sizes it is launched, as people read it."""

    lines: tuple[str, ...]
    params: tuple[Param, ...]
    where: Expr | None = None
    launched: str = ""


def signature(
    spec: KernelSpec,
    symbol: str,
    names: Names,
    threads: int,
    index: Index,
    further: frozenset[str] = frozenset(),
    *,
    least_threads: int = 0,
) -> Signature:
    """Buffers in the spec's order, then run-time attributes, then symbolic dims. `further`: what is written beside stores.
    `least_threads`: so many on a core at a time are enough (1: one block), and a thread may have as many registers as that
    leaves it. 0 leaves it to the compilers, which save registers for further blocks, and put into memory what they then have
    no room for."""
    written = stored_tensors(spec) | further
    params = [Param(a.name, "buffer", a.dtype, a.name in written) for a in spec.args]
    params += [Param(s.name, "scalar", s.dtype) for s in spec.scalars]
    params += [Param(d, "dim", "i64") for d in spec.dims]
    texts = [_declared(p, names, index.ctype) for p in params]
    blocks = f", {max(1, least_threads // threads)}" if least_threads else ""
    head = f'extern "C" __global__ void __launch_bounds__({threads}{blocks}) {symbol}('
    launched = f"; for {' and '.join(map(expr_text, spec.where))}" if spec.where else ""
    one_line = f"{head}{', '.join(texts)})"
    if len(one_line) <= WIDTH:
        return Signature((one_line,), tuple(params), index.where, launched)
    lines = [head, *(f"    {text}," for text in texts)]
    lines[-1] = lines[-1][:-1] + ")"
    return Signature(tuple(lines), tuple(params), index.where, launched)


def stored_tensors(spec: KernelSpec) -> frozenset[str]:
    """The buffers that a kernel writes."""
    return frozenset(s.tensor for s in steps_of(spec) if isinstance(s, Store))


def _declared(param: Param, names: Names, index_type: str) -> str:
    if param.kind == "buffer":
        const = "" if param.writes else "const "
        return f"{const}{STORAGE[param.dtype]}* __restrict__ {names.tensor(param.name)}"
    ctype = index_type if param.kind == "dim" else COMPUTE[param.dtype]
    return f"{ctype} {names.variable(param.name)}"
