"""The gradient of an operator as a case: inputs that belong together, and a comparison with PyTorch's autograd.

A gradient reads results of the forward, and what it saves. They are made from the forward's inputs, so that a relation that
the text relies on (a softmax adds up to one) holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from uol.binding.instance import Instance
from uol.binding.named_binding import bind_names, free_dims
from uol.conformance.accuracy.comparison import Comparison
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.conformance.accuracy.interval import Array, ulp
from uol.conformance.cases.verdict import Case
from uol.ir import instantiate, interpret
from uol.ir.library import SAVING
from uol.ir.program.dtype_encoding import decode
from uol.ir.program.nodes import Call, Expr, Program, Tensor
from uol.ir.program.rounding import round_to
from uol.ir.program.walk import rewrite
from uol.ir.syntax.surface import Op
from uol.ir.types import DTYPES, is_float
from uol.operators.registry import catalogue
from uol.ops.inputs import make_inputs
from uol.ops.references.gradients import forward_of
from uol.ops.workloads import Workload

EIGHT_BITS = {name: DTYPES[name].epsilon for name in ("f8e4m3", "f8e5m2")}
"""One unit in the last place of 1, as f16 has it in PyTorch's table, in which types of 8 bits do not stand."""
TOLERANCE = {"f64": 1e-7, "f32": 1.3e-6, "f16": 1e-3, "bf16": 1.6e-2, **EIGHT_BITS}
"""PyTorch's default relative tolerances, here relative to the largest value: the golden value is held to the contract, this
holds the formula to another's. Source: torch.testing.assert_close."""
ROUNDINGS = 16
"""Of f64, half a unit each, in the terms that autograd adds up."""


def fitting(op: Op, case: Case) -> Instance:
    """The instance of a case. A gradient takes from the workload of its forward what it has itself."""
    workload, dtype = case.workload, case.dtype
    if forward_of(case.op) is not None:
        workload = _narrowed(op, workload)
        variables = {t.variable for t in op.domain}
        if "=" in dtype:
            dtype = ",".join(part for part in dtype.split(",") if part.split("=")[0] in variables)
    return bind_names(op, dtype, workload.dims, workload.attrs)


def _narrowed(op: Op, workload: Workload) -> Workload:
    known = {name for names in free_dims(op) for name in names}
    attributes = {a.name for a in op.attributes}
    dims = {name: extent for name, extent in workload.dims.items() if name in known}
    return replace(workload, dims=dims, attrs={n: v for n, v in workload.attrs.items() if n in attributes})


def gradient_inputs(case: Case, forward: Op, program: Program) -> dict[str, Array]:
    """The inputs of a gradient, and those of its forward, by name; each rounded to its type."""
    first, inputs, results = _forward_run(case, forward)
    saved = results.keys() - {r.name for r in forward.results}
    rounded = {t.name: round_to(results[t.name], t.dtype) for t in first.by_role("out")}
    # what is saved draws no numbers: the cotangents are those of a gradient that makes it again
    tensors = {n: replace(t, role="local") if n in saved else t for n, t in program.tensors.items()}
    own = make_inputs(replace(program, tensors=tensors), case.inputs, case.seed + 1)
    return {**own, **inputs, **rounded}


def _forward_run(case: Case, forward: Op) -> tuple[Program, dict[str, Array], Mapping[str, Array]]:
    """The forward with what it saves, its inputs, and its results, which nothing has rounded. Where the cotangents are wide,
    the inputs are signs: what they are multiplied with, so that sums over them are exact."""
    saving = catalogue().get(f"{forward.name}{SAVING}") or forward
    at = bind_names(forward, case.dtype, case.workload.dims, case.workload.attrs)
    whole = {name: value for name, value in at.attrs.items() if isinstance(value, int)}
    first = instantiate(saving, catalogue(), types=at.types, ranks=at.ranks, dims=at.flat_dims, attrs=whole)
    inputs = make_inputs(first, "signs" if case.inputs == "wide" else case.inputs, case.seed)
    return first, inputs, interpret(first, inputs, {s.name: at.attrs[s.name] for s in first.scalars})


def with_stored_results(
    cotangents: Mapping[str, Array],
    case: Case,
    forward: Op,
    program: Program,
    values: Mapping[str, Array],
    scalars: Mapping[str, float | int],
) -> dict[str, Array]:
    """Autograd's cotangents, moved by what the golden ones are moved by: by the forward's results, by being rounded to their
    types, and by what the text itself rounds on the way. A gradient reads and multiplies them so, where autograd in float64
    rounds none: 1 - y*y has few digits of a y near 1. The golden cotangents may be rounded to their own type: where that is all
    they differ in from autograd's, the moved ones are golden ones."""
    _, _, exact = _forward_run(case, forward)
    kept = {name: np.broadcast_to(exact[name], v.shape) if name in exact else v for name, v in values.items()}
    owed = contract("any target")  # of which golden values are the same; and enclosing takes inputs as they are
    stored = enclose(program, values, scalars, owed).results
    whole = enclose(_without_roundings(program), kept, scalars, owed).results
    moved: dict[str, Array] = {}
    for name, own in cotangents.items():
        with np.errstate(invalid="ignore"):
            by = stored[name].value - whole[name].value
            is_rounded = np.abs(whole[name].value - own) <= ulp(own, program.tensors[name].dtype)
        moved[name] = np.where(is_rounded, stored[name].value, own + np.where(np.isnan(by), 0.0, by))
    return moved


def _without_roundings(program: Program) -> Program:
    """A program whose intermediate values are not rounded to a narrower type and widened again."""

    def rule(node: Expr) -> Expr | None:
        match node:
            case Call(fn="cast", args=(Call(fn="cast", args=(value,)) as narrow,)) if value.type == node.type:
                rounds = is_float(node.type) and is_float(narrow.type) and DTYPES[narrow.type].bits < DTYPES[node.type].bits
                return rewrite(value, rule) if rounds else None
        return None

    local = {tensor.name for tensor in program.by_role("local")}
    stages = (replace(s, value=rewrite(s.value, rule)) if s.name in local else s for s in program.stages)
    return replace(program, stages=tuple(stages))


def admitted_by_scale(scale: float, dtype: str, inputs: Iterable[Array]) -> float:
    """How far a cotangent may be from autograd's, whose largest one is `scale`, of these inputs."""
    floats = (x[np.isfinite(x)] for x in inputs if x.dtype.kind == "f")
    own_error = ROUNDINGS * 2.0**-52 * max((float(np.max(np.abs(x), initial=0.0)) for x in floats), default=0.0)
    return TOLERANCE[dtype] * scale + float(ulp(np.zeros(()), dtype)) + own_error


def compare_with_autograd(
    actual: Mapping[str, Array],
    expected: Mapping[str, Array],
    results: tuple[Tensor, ...],
    inputs: Iterable[Array] = (),
    lost: float = 0.0,
) -> Comparison:
    """Every cotangent within PyTorch's tolerance of autograd's, relative to the largest of them, and within the smallest number
    of its type. Where terms as large as `inputs` cancel, autograd itself is right to what they are rounded to in f64. Where it
    has no finite number (0/0 at a kink, or beyond f16 where it computes in f64) the golden value alone judges. `lost` is what
    autograd's own cotangents may be off by."""
    worst = Comparison(True, "", 0)
    inputs = tuple(inputs)
    for tensor in results:
        value, owed = decode(actual[tensor.name], tensor.dtype), np.asarray(expected[tensor.name])
        if value.shape != owed.shape:
            return Comparison(False, f"shape {value.shape}, expected {owed.shape}", value.size)
        largest_held = round_to(np.asarray(np.inf), tensor.dtype)  # infinity, but in a type that has none
        finite = np.isfinite(round_to(owed, tensor.dtype)) & (np.abs(owed) <= largest_held)
        scale = float(np.max(np.abs(owed[finite]), initial=0.0))
        with np.errstate(invalid="ignore"):  # of infinities, which `finite` leaves out
            error = np.where(finite, np.abs(value - owed), 0.0)
        largest = float(np.max(error, initial=0.0))
        admitted = admitted_by_scale(scale, tensor.dtype, inputs) + lost
        wrong, share = ~(error <= admitted), largest / admitted
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            reason = f"{tensor.name}{list(place)} is {value[place]}, autograd gives {owed[place]}"
            return Comparison(False, reason, value.size, largest, share=share, scale=scale, worst=place)
        worst = max(worst, Comparison(True, "", value.size, largest, share=share, scale=scale), key=lambda c: c.share)
    return worst
