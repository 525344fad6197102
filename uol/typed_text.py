"""Programs and kernel specs as text, for people: `uol explain` and `UOL_DUMP`.

Reduce softmax: rows s < 4096; cols c < 1024
  line 2  hi = max over c of f32(x[s*1024 + c])
"""

from __future__ import annotations

from collections.abc import Iterable

from uol.codegen.spec import (
    Arg,
    Attention,
    Contract,
    Fold,
    Holds,
    KernelGraph,
    KernelSpec,
    Let,
    Map,
    Pack,
    Read,
    Reduce,
    Scan,
    Scatter,
    Segments,
    Select,
    Step,
    Store,
    Within,
)
from uol.ir.nodes import Axis, Call, Const, Expr, Load, Program, Var
from uol.ir.nodes import Reduce as ReduceExpr

_LEVEL = {"or": 1, "and": 2, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}
_ATOM = 9


def expr_text(expr: Expr) -> str:
    """One expression, as the language would write it."""
    return _at_level(expr)[0]


def axes_text(axes: Iterable[Axis]) -> str:
    """`"n < 4, c < 64"`."""
    return ", ".join(f"{a.name} < {expr_text(a.extent)}" for a in axes) or "none"


def program_text(program: Program) -> str:
    """Tensors and stages of a typed program."""
    tensors = [f"{t.role:5} {t.name}: {t.dtype}[{', '.join(map(expr_text, t.shape))}]" for t in program.tensors.values()]
    stages = [
        f"line {s.line:<3} {s.name}[{', '.join(a.name for a in s.axes)}]: {s.dtype} = {expr_text(s.value)}"
        for s in program.stages
    ]
    return "\n".join([program.text, "", *tensors, "", *stages, ""])


def graph_text(graph: KernelGraph) -> str:
    """The kernels of an operator in launch order."""
    return "\n".join(line for spec in graph.specs for line in (*spec_lines(spec), *arg_lines(spec.args), ""))


def arg_lines(args: Iterable[Arg]) -> list[str]:
    """A line a buffer: role, name, type, shape, strides."""
    return [f"  {arg.role:9} {arg_text(arg)}" for arg in args]


def spec_lines(spec: KernelSpec) -> list[str]:
    """What one kernel computes: its kind, axes, and a line a step."""
    match spec:
        case Contract(line=line, acc=acc, a=a, b=b, k=k):
            head = f"line {line:<3} {acc} = sum over {axes_text(k)} of {expr_text(a)} * {expr_text(b)}{_segments(spec)}"
            steps = [f"  {head}", *_step_lines(spec.epilogue, ())]
        case Attention():
            steps = _attention_lines(spec)
        case Reduce(cols=cols):
            steps = _step_lines(spec.steps, cols)
        case Map() | Pack() | Scan():
            steps = _step_lines(spec.steps, (spec.along,) if isinstance(spec, Scan) else ())
        case Scatter(add=add):
            conditions = [_within(g) if isinstance(g, Within) else _holds(g) for g in spec.guard]
            inside = f" if {' and '.join(conditions)}" if conditions else ""
            head = f"line {add.line:<3} {add.tensor}[{expr_text(add.offset)}] += {expr_text(add.value)}{inside}"
            steps = [*_step_lines(spec.steps, ()), f"  {head}"]
        case Select(line=line, at=at, key=key, col=col, place=place):
            order = "largest" if spec.descending else "smallest"
            head = f"line {line:<3} {at} = the {col.name} of the {place.name}-th {order} {expr_text(key)}"
            steps = [f"  {head}", *_step_lines(spec.steps, ())]
        case _:
            steps = []
    return [f"{type(spec).__name__} {spec.name}: {_space(spec)}", *steps]


def arg_text(arg: Arg) -> str:
    """`"x: f16[4, 64], strides 64 1"`."""
    shape = ", ".join(map(expr_text, arg.shape))
    return f"{arg.name}: {arg.dtype}[{shape}]" + (f", strides {' '.join(map(expr_text, arg.strides))}" if arg.strides else "")


def _space(spec: KernelSpec) -> str:
    match spec:
        case Contract(batch=batch, m=m, n=n, k=k):
            named = {"batch": batch, "m": m, "n": n, "k": k}
            return "; ".join(f"{name} {axes_text(axes)}" for name, axes in named.items() if axes)
        case Attention(batch=batch, rows=rows, cols=cols):
            named = {"batch": batch, "rows": rows, "cols": cols}
            return "; ".join(f"{name} {axes_text(axes)}" for name, axes in named.items() if axes)
        case Reduce(rows=rows, cols=cols):
            return f"rows {axes_text(rows)}; cols {axes_text(cols)}"
        case Scan(rows=rows, along=along, reverse=reverse, exclusive=exclusive):
            ends = f"{'backwards' if reverse else 'forwards'}{', itself excluded' if exclusive else ''}"
            return f"rows {axes_text(rows)}; {ends} along {axes_text((along,))}"
    return axes_text(spec.axes)


def _segments(spec: Contract) -> str:
    match spec.segments:
        case Segments(over="rows", of=of, key=key):
            return f", where {of} = {expr_text(key)}"
        case Segments(of=of, key=key):
            return f", where {expr_text(key)} == {of}"
    return ""


def _attention_lines(spec: Attention) -> list[str]:
    """Dots, what becomes of them, sums over the cols, and what uses those."""
    dots = [
        f"  line {d.line:<3} {d.name} = sum over {axes_text(d.depth)} of {expr_text(d.a)} * {expr_text(d.b)}" for d in spec.dots
    ]
    over = ", ".join(a.name for a in spec.cols)
    sums = [f"  line {s.line:<3} {s.name} = sum over {over} of {s.weight} * {expr_text(s.value)}" for s in spec.sums]
    return [*dots, *_step_lines(spec.steps, spec.cols), *sums, *_step_lines(spec.epilogue, ())]


def _step_lines(steps: Iterable[Step], cols: tuple[Axis, ...]) -> list[str]:
    return [f"  line {step.line:<3} {_step(step, cols)}" for step in steps]


def _step(step: Step, cols: tuple[Axis, ...]) -> str:
    match step:
        case Let(name=name, value=value):
            return f"{name} = {expr_text(value)}"
        case Fold(name=name, op=op, value=value, where=where):
            condition = f" where {' and '.join(map(expr_text, where))}" if where else ""
            return f"{name} = {op} over {', '.join(a.name for a in cols)} of {expr_text(value)}{condition}"
        case Store(tensor=tensor, offset=offset, value=value):
            return f"{tensor}[{expr_text(offset)}] = {expr_text(value)}"


def _at_level(expr: Expr) -> tuple[str, int]:
    match expr:
        case Const(value=value):
            return _literal(value), _ATOM
        case Var(name=name):
            return name, _ATOM
        case Call(fn=fn, args=(left, right)) if fn in _LEVEL:
            level = _LEVEL[fn]
            return f"{_wrapped(left, level)} {fn} {_wrapped(right, level + 1)}", level
        case Call(fn="neg", args=(arg,)):
            return f"-{_wrapped(arg, 7)}", 7
        case Call(fn="not", args=(arg,)):
            return f"not {_wrapped(arg, 3)}", 3
        case Call(fn=fn, args=args, dtype=dtype):
            return f"{dtype if fn == 'cast' else fn}({', '.join(map(expr_text, args))})", _ATOM
        case Load(tensor=tensor, index=index, guard=guard, fill=fill):
            return f"{tensor}[{', '.join(map(expr_text, index))}]{_guarded([expr_text(g) for g in guard], fill)}", _ATOM
        case Read(tensor=tensor, offset=offset, guard=guards, fill=fill):
            conditions = [_within(g) if isinstance(g, Within) else _holds(g) for g in guards]
            return f"{tensor}[{expr_text(offset)}]{_guarded(conditions, fill)}", _ATOM
        case ReduceExpr(op=op, axes=axes, body=body, where=where):
            binders = ", ".join([*(a.name for a in axes), *map(expr_text, where)])
            return f"{op}[{binders}]({expr_text(body)})", _ATOM
    return repr(expr), _ATOM


def _wrapped(expr: Expr, level: int) -> str:
    text, own = _at_level(expr)
    return text if own >= level else f"({text})"


def _literal(value: int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.9g}" if isinstance(value, float) else str(value)


def _guarded(conditions: list[str], fill: Expr | None) -> str:
    return "" if fill is None else f" if {' and '.join(conditions)} else {expr_text(fill)}"


def _within(guard: Within) -> str:
    low = f"{expr_text(guard.low)} <= " if guard.low is not None else ""
    high = f" < {expr_text(guard.high)}" if guard.high is not None else ""
    return f"{low}{expr_text(guard.value)}{high}"


def _holds(guard: Holds) -> str:
    return expr_text(guard.condition)
