"""Programs of the library's operators at the sizes of their cases."""

from __future__ import annotations

from uol.ir import instantiate
from uol.ir.program.nodes import Program
from uol.ops.texts import library
from uol.ops.workloads import Workload


def program_of(workload: Workload, dtype: str, result: str | None = None) -> Program:
    """The operator of a case in one type; `result` is the type of a cast's result."""
    op = library().get(workload.op)
    assert op is not None
    types = {t.variable: dtype if dtype in t.types else t.types[0] for t in op.domain}
    if result is not None:
        types["U"] = result
    return instantiate(op, library(), types=types, ranks=workload.ranks, dims=workload.flat_dims, attrs=workload.attrs)
