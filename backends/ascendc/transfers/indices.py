"""Index expressions in the scalar unit's C, and what is known about them.

Kernels here are of static shape, so slopes and ranges come from polynomials and intervals; the text keeps the Horner form
of the spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from uol.backends.ascendc.helpers import FLOOR_DIV, FLOOR_MOD
from uol.backends.ascendc.vector.tile import start_of
from uol.backends.ascendc.vector.values import Unsupported
from uol.codegen.indexing.affine import constant_stride
from uol.codegen.indexing.arithmetic import ZERO, static
from uol.codegen.specs.nodes import Arg, Guard, Holds, KernelSpec, Read, Within, guard_operands
from uol.ir.errors import RefusalError
from uol.ir.integers.intervals import Interval
from uol.ir.integers.polynomials import difference, from_poly, interval, to_poly
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.render import show
from uol.ir.program.walk import variables
from uol.ir.types import INDEX

BINARY = {"or": 1, "and": 2, "==": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}
C_OPERATOR = {"or": "||", "and": "&&"}
UNARY = 7
FLOORED = {"/": FLOOR_DIV, "%": FLOOR_MOD}
"""Helpers of the emitted text, for a dividend that may be negative and a positive divisor."""
WIDE_ELEMENTS = 2**31 - 2**16
"""Offsets within a tile are added to the offset of its first element."""


def extent(axis: Axis) -> int:
    """The extent of an axis. Raises RefusalError where it is symbolic."""
    value = static(axis.extent)
    if value is None:
        hint = "give the dims when compiling for Ascend, e.g. --dims C=1024"
        raise RefusalError(f"the extent of {axis.name} is symbolic", hint=hint)
    return value


def span_of(arg: Arg) -> int:
    """Elements from the first to the last of a buffer, ends included."""
    shape = [static(d) or 0 for d in arg.shape]
    strides = [static(s) or 0 for s in arg.strides]
    return 0 if 0 in shape else 1 + sum((d - 1) * s for d, s in zip(shape, strides, strict=True))


def index_type(spec: KernelSpec) -> str:
    """The C type of a kernel's indices: int64_t where an offset may leave int."""
    return "int64_t" if any(span_of(a) >= WIDE_ELEMENTS for a in spec.args) else "int"


@dataclass(frozen=True, slots=True)
class Indices:
    """Prints index expressions of one kernel. `names` gives the C text of every variable, `ranges` its values."""

    names: Mapping[str, str]
    ranges: Mapping[str, Interval]

    @staticmethod
    def over(axes: Iterable[Axis], names: Mapping[str, str]) -> Indices:
        """`names` as given; every axis, and the start of every tile along one, is below the axis's extent."""
        bounds = {a.name: Interval(0, max(extent(a) - 1, 0)) for a in axes}
        return Indices(names, {**bounds, **{start_of(name): bound for name, bound in bounds.items()}})

    def text(self, expr: Expr, level: int = 0) -> str:
        """The expression as C; in parentheses if it binds looser than `level`."""
        match expr:
            case Const(value=value):
                text = str(int(value))
                return f"({text})" if int(value) < 0 and level > 4 else text
            case Var(name=name):
                return self.names[name]
            case Read():
                return self._element(expr)
            case Call(fn="cast", args=(inner,)):
                return self.text(inner, level)
            case Call(fn="neg", args=(a,), dtype=dtype):
                return f"-{self._operand(a, UNARY + 1, dtype)}"
            case Call(fn="not", args=(a,)):
                return f"!({self.text(a)})"
            case Call(fn="min" | "max" as fn, args=(a, b)):
                relation = "<" if fn == "min" else ">"
                return f"({self.text(a, 5)} {relation} {self.text(b, 5)} ? {self.text(a)} : {self.text(b)})"
            case Call(fn="select", args=(c, a, b)):
                return f"({self.text(c)} ? {self.text(a)} : {self.text(b)})"
            case Call(fn="/" | "%" as fn, args=(a, b)) if not self.natural(a):
                return self._floor(fn, a, b)
            case Call(fn=fn, args=(a, b), dtype=dtype) if fn in BINARY:
                return self._binary(fn, a, b, level, dtype)
        raise Unsupported(
            f"no scalar instructions for the index `{show(expr)}`", "compute it beforehand and pass it as a tensor"
        )

    def _operand(self, expr: Expr, level: int, dtype: str) -> str:
        """An operand of index arithmetic: data is widened, for what is computed of it may leave its type."""
        inner = expr.args[0] if isinstance(expr, Call) and expr.fn == "cast" else expr
        if dtype == INDEX and isinstance(inner, Read) and inner.dtype != "i64":
            return f"static_cast<int64_t>({self.text(inner)})"
        return self.text(expr, level)

    def _binary(self, fn: str, a: Expr, b: Expr, level: int, dtype: str) -> str:
        own = BINARY[fn]
        if fn == "+" and isinstance(b, Const) and b.value < 0:
            fn, b = "-", Const(-int(b.value))
        tight = fn in ("-", "/", "%", "<", "<=", ">", ">=")
        right = self._operand(b, own + 1 if tight or fn == "*" else own, dtype)
        text = f"{self._operand(a, own, dtype)} {C_OPERATOR.get(fn, fn)} {right}"
        return f"({text})" if own < level else text

    def _floor(self, fn: str, a: Expr, b: Expr) -> str:
        """C truncates; a divisor here is positive. Shifted by a multiple of it, the dividend is not negative; where nothing
        is known of it (it is read from memory), a helper looks at its sign."""
        low, divisor = self.interval(a).low, static(b)
        if low is None or low <= -WIDE_ELEMENTS or divisor is None or divisor <= 0:
            return f"{FLOORED[fn]}({self.text(a)}, {self.text(b)})"
        turns = -(low // divisor)
        shifted = f"({self.text(a, 5)} + {turns * divisor})"
        return f"({shifted} / {divisor} - {turns})" if fn == "/" else f"({shifted} % {divisor})"

    def _element(self, read: Read) -> str:
        """An element of global memory by the scalar unit: data-dependent indices."""
        element = f"{self.names[read.tensor]}.GetValue({self.text(read.offset)})"
        if not read.guard:
            return element
        return f"({self.condition(read.guard)} ? {element} : {self.text(read.fill or ZERO)})"

    def condition(self, guards: Iterable[Guard]) -> str:
        """The conjunction of guards as C; empty where there are none."""
        parts = []
        for guard in guards:
            match guard:
                case Within(value, low, high):
                    parts += [f"{self.text(value, 5)} >= {self.text(low, 5)}"] if low is not None else []
                    parts += [f"{self.text(value, 5)} < {self.text(high, 5)}"] if high is not None else []
                case Holds(condition):
                    parts.append(self.text(condition, 3))
        return " && ".join(parts)

    def difference(self, a: Expr, b: Expr) -> Expr:
        """a - b, terms collected."""
        return from_poly(difference(a, b, self.ranges))

    def interval(self, expr: Expr) -> Interval:
        return interval(to_poly(expr, self.ranges), self.ranges)

    def natural(self, expr: Expr) -> bool:
        """Is the expression never negative?"""
        low = self.interval(expr).low
        return low is not None and low >= 0

    def slope(self, expr: Expr, axis: str) -> int | None:
        """How much the expression grows a step of the axis; None where that is not constant."""
        return constant_stride(expr, axis, self.ranges)


def uses(guard: Guard, names: Sequence[str]) -> bool:
    """Does a guard depend on any of the variables?"""
    return any(n in variables(e) for e in guard_operands((guard,)) for n in names)


def stride_of(read: Read, axis: str, indices: Indices) -> int | None:
    """Elements a step of the axis; None where the read is not affine in it."""
    stated = dict(read.strides).get(axis)
    if stated is not None and (value := static(stated)) is not None:
        return value
    return indices.slope(read.offset, axis)
