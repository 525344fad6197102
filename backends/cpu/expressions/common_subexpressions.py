"""Values that are used more than once.

TensorIR's passes and code generator walk expressions as trees: a term that occurs twice is compiled twice, and nesting
multiplies. A variable does not help, since the analyzer that the passes carry along puts its value back wherever it
occurs. So what is shared is held in an array on the stack (`Builder.hold`), which LLVM turns into a register. Only where
evaluation is lazy, and nothing may stand in front of the statement, do names go into the expression.
"""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx

from uol.backends.cpu.expressions.dtypes import Term

Share = Callable[[Term], Term]
"""Gives a value a name: the term that stands for it from then on."""


class LocalNames:
    """Names within one expression, for what must not be evaluated in front of the statement.

    >>> share = LocalNames()
    >>> root = share(tirx.sqrt(tirx.Var("x", "float32")))
    >>> share.close(tirx.Add(root, root))
    T.Let(t + t, where={t: T.sqrt(x)})
    """

    def __init__(self) -> None:
        self._bindings: list[tuple[Term, Term]] = []

    def __call__(self, value: Term) -> Term:
        variable, carrier, term = named("t", value)
        if variable is not None:
            self._bindings.append((variable, carrier))
        return term

    def close(self, result: Term) -> Term:
        """The result under all names given so far."""
        for variable, value in reversed(self._bindings):
            result = tirx.Let(variable, value, result)
        return result


def named(name: str, value: Term) -> tuple[Term | None, Term, Term]:
    """(variable, what to bind it to, the term that then stands for the value). There is no variable where the value is
    one, or a literal. A bool travels as an i32: TVM's code generator cannot bind a vector of bools."""
    if isinstance(value, tirx.Var | tirx.IntImm | tirx.FloatImm):
        return None, value, value
    if str(value.ty) != "bool":
        variable = tirx.Var(name, value.ty)
        return variable, value, variable
    one, zero = tirx.const(1, "int32"), tirx.const(0, "int32")
    variable = tirx.Var(name, "int32")
    return variable, tirx.Select(value, one, zero), tirx.Not(tirx.EQ(variable, zero))
