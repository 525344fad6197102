"""Programs and kernel specs as text, for people: `uol explain` and `UOL_DUMP`.

Reduce softmax: rows s < 4096; cols c < 1024
  line 2  hi = max over c of f32(x[s*1024 + c])
"""

from __future__ import annotations

from collections.abc import Iterable

from uol.codegen.specs.expression_text import axes_text, expr_text, guard_text
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import (
    Arg,
    Attention,
    Contract,
    Fold,
    KernelSpec,
    Let,
    Map,
    Pack,
    Reduce,
    Scan,
    Scatter,
    Segments,
    Select,
    Step,
    Store,
)
from uol.codegen.specs.traverse import products_in
from uol.ir.program.nodes import Axis, Call, Program, Put, Stage, Var
from uol.ir.program.nodes import Scatter as ScatterStage
from uol.ir.program.walk import stored


def program_text(program: Program) -> str:
    """Tensors and stages of a typed program."""
    tensors = [f"{t.role:5} {t.name}: {t.dtype}[{', '.join(map(expr_text, t.shape))}]" for t in program.tensors.values()]
    return "\n".join([program.text, "", *tensors, "", *map(stage_text, program.stages), ""])


def stage_text(stage: Stage) -> str:
    """`"line 2   z[r]: f32 = sum[c](x[r, c])"`; of a scatter, `"line 2   s[at[n]]: f32 += x[n] over n"`; of a put, the same
    with `=`."""
    index, relation, rest = ", ".join(a.name for a in stage.axes), "=", ""
    if isinstance(stage, ScatterStage | Put):
        rest = f" over {index}" if index else ""
        index = ", ".join(map(expr_text, stage.target))
    if isinstance(stage, ScatterStage):
        relation = "+="
        rest += f" if {' and '.join(map(expr_text, stage.guard))}" if stage.guard else ""
    return f"line {stage.line:<3} {stored(stage)}[{index}]: {stage.dtype} {relation} {expr_text(stage.value)}{rest}"


def graph_text(graph: KernelGraph) -> str:
    """The kernels of an operator in launch order."""
    return "\n".join(line for spec in graph.specs for line in (*spec_lines(spec), *arg_lines(spec.args), ""))


def arg_lines(args: Iterable[Arg]) -> list[str]:
    """A line a buffer: role, name, type, shape, strides."""
    return [f"  {arg.role:9} {arg_text(arg)}" for arg in args]


def spec_lines(spec: KernelSpec) -> list[str]:
    """What one kernel computes: its kind, axes, and a line a step."""
    match spec:
        case Contract(line=line, acc=acc, k=k):
            product = " + ".join(expr_text(Call("*", pair, spec.acc_dtype)) for pair in products_in(spec))
            head = f"line {line:<3} {acc} = sum over {axes_text(k)} of {product}{_segments(spec)}"
            steps = [f"  {head}", *_step_lines(spec.epilogue, ())]
            if spec.sums:
                steps.append(f"  line {spec.sums[0].line:<3} {spec.sum_of_a} = sum over {axes_text(k)} of {expr_text(spec.a)}")
                steps += _step_lines(spec.sums, ())
        case Attention():
            steps = _attention_lines(spec)
        case Reduce(rows=rows, cols=cols):
            over = ", ".join(a.name for a in rows[1:])
            sums = [_step(s, ()).replace(" = ", f" = sum over {over} of ", 1) for s in spec.columns]
            columns = [f"  line {s.line:<3} {text}" for s, text in zip(spec.columns, sums, strict=True)]
            steps = [*_step_lines(spec.steps, cols), *columns]
        case Map() | Pack() | Scan():
            steps = _step_lines(spec.steps, (spec.along,) if isinstance(spec, Scan) else ())
        case Scatter(add=add):
            conditions = [guard_text(g) for g in spec.guard]
            inside = f" if {' and '.join(conditions)}" if conditions else ""
            head = f"line {add.line:<3} {add.tensor}[{expr_text(add.offset)}] += {expr_text(add.value)}{inside}"
            steps = [*_step_lines(spec.steps, ()), f"  {head}"]
        case Select(line=line, at=at, key=key, col=col, place=place):
            order = "largest" if spec.descending else "smallest"
            known = f", of two runs in order, the first of {spec.run}" if spec.run else ""
            head = f"line {line:<3} {at} = the {col.name} of the {place.name}-th {order} {expr_text(key)}{known}"
            steps = [f"  {head}", *_step_lines(spec.steps, ())]
            if (tally := spec.tally) is not None:
                steps.append(f"  line {tally.line:<3} {tally.tensor}[{expr_text(tally.offset)}] = how many keys are that")
        case _:
            raise TypeError(f"how {type(spec).__name__} is printed is not said")
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
        case Reduce(rows=rows, cols=cols, ascending=ascending):
            known = [arg.name for arg in spec.args if arg.name in ascending]
            return f"rows {axes_text(rows)}; cols {axes_text(cols)}" + (f"; {', '.join(known)} ascending" if known else "")
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
    products = {d.name: expr_text(Call("*", (d.a, d.b), d.dtype)) for d in spec.dots}
    products |= {s.name: expr_text(Call("*", (Var(s.weight, s.dtype), s.value), s.dtype)) for s in spec.sums}
    dots = [f"  line {d.line:<3} {d.name} = sum over {axes_text(d.depth)} of {products[d.name]}" for d in spec.dots]
    over = ", ".join(a.name for a in spec.cols)
    sums = [f"  line {s.line:<3} {s.name} = sum over {over} of {products[s.name]}" for s in spec.sums]
    return [*dots, *_step_lines(spec.steps, spec.cols), *sums, *_step_lines(spec.epilogue, ())]


def _step_lines(steps: Iterable[Step], cols: tuple[Axis, ...]) -> list[str]:
    return [f"  line {step.line:<3} {_step(step, cols)}" for step in steps]


def _step(step: Step, cols: tuple[Axis, ...]) -> str:
    match step:
        case Let(name=name, value=value):
            return f"{name} = {expr_text(value)}"
        case Fold(name=name, op=op, value=value, where=where):
            condition = f" where {' and '.join(map(expr_text, where))}" if where else ""
            return f"{name} = {op} over {', '.join(a.name for a in cols) or 'nothing'} of {expr_text(value)}{condition}"
        case Store(tensor=tensor, offset=offset, value=value):
            return f"{tensor}[{expr_text(offset)}] = {expr_text(value)}"
