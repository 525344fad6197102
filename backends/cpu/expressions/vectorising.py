"""Which steps may stand in a vectorised loop.

TVM runs what it cannot vectorise one lane at a time, statement by statement: a value that a later statement uses would be
lost. A loop with such a step is therefore written as a serial one. What cannot be vectorised: calls of the C library, and
what must be evaluated lazily under a condition that differs from lane to lane.
"""

from __future__ import annotations

from collections.abc import Iterable

from uol.backends.cpu.expressions.builder import SERIAL, VECTORIZED
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.fast_functions import POLYNOMIALS
from uol.backends.cpu.expressions.spec_expressions import Scope, is_total
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Fold, Let, Read, Step, guard_operands
from uol.codegen.specs.search import Search
from uol.codegen.specs.traverse import step_expressions
from uol.ir.program.nodes import Call, Expr
from uol.ir.program.walk import variables

LIBRARY = ("exp", "exp2", "expm1", "log", "log2", "log1p", "sin", "cos", "tanh", "erf", "pow")


def lane_loop(steps: Iterable[Step], lane_axes: Iterable[str], scope: Scope) -> Term:
    """The kind of a loop over lanes of `lane_axes` that holds the steps."""
    varying = set(lane_axes)
    for step in steps:
        if not all(vectorises(e, varying, scope) for e in step_expressions(step)):
            return SERIAL
        if isinstance(step, Fold) and step.where and not is_total(step.value, scope):
            return SERIAL
        if isinstance(step, Let) and variables(step.value) & varying:
            varying.add(step.name)
    return VECTORIZED


def vectorises(expr: Expr, varying: set[str], scope: Scope) -> bool:
    """Whether an expression over lanes of the `varying` names is one vector expression."""
    match expr:
        case Call(fn=fn, dtype=dtype) if fn in LIBRARY and (
            fn not in POLYNOMIALS or representation(dtype).compute != "float32"
        ):
            return False
        case Call(fn="select", args=(condition, *arms)) if variables(condition) & varying:
            if not all(is_total(arm, scope) for arm in arms):
                return False
        case Search(count=count) if static(count) is None:
            return False
        case Read(guard=guard) if guard and any(variables(e) & varying for e in guard_operands(guard)):
            return False
    return all(vectorises(child, varying, scope) for child in expr.children)
