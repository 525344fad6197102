"""PyTorch's own check of custom operators (`torch.library.opcheck`) on every operator of the library and on its gradient.

    python -m uol.conformance.opcheck [--op softmax,conv2d] [--device TYPE]

Schema, autograd's registration, the fake implementation, and tracing with dynamic shapes, on the smallest of an operator's
workloads, in f32 where it has that type. An operator's gradient is reached through it, and checked on its own. Exit status 1
where one fails.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from uol.backends.cache.records import Records
from uol.binding.named_binding import bind_names
from uol.conformance.command import run_command
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.conformance.torch_samples.devices import device_of
from uol.ir import instantiate
from uol.ir.gradients import has_gradient
from uol.ir.library import GRADIENT
from uol.ir.program.nodes import Program
from uol.ir.syntax.surface import Op
from uol.ir.types import is_float
from uol.operators.gradients import gradient_op
from uol.operators.registry import catalogue, find_operator
from uol.ops.inputs import make_inputs
from uol.ops.texts import names
from uol.ops.workloads import Workload, workloads_of
from uol.pytorch.bridge import generated, operator
from uol.pytorch.schema import TORCH_TYPES

Case = tuple[tuple[torch.Tensor, ...], dict[str, int | float | torch.dtype]]
TYPES = ("f32", "i64", "i32")
"""The type that is checked: the first of these that an operator admits; its own first one where it admits none."""

REGISTRATION = "test_autograd_registration"


def smallest(op: str) -> Workload:
    """The workload with the fewest elements, of those that hold any; with more than one along each dim, where there is one:
    what has no spread may have no gradient."""
    full = [w for w in workloads_of(op) if 0 not in w.flat_dims.values()]
    wide = [w for w in full if 1 not in w.flat_dims.values()]
    return min(wide or full, key=lambda w: math.prod(w.flat_dims.values()))


def case_of(op: Op, device: str = "cpu") -> Case:
    """Inputs and attributes of an operator at its smallest workload."""
    workload = smallest(op.name)
    domain = {t.variable: next((d for d in TYPES if d in t.types), t.types[0]) for t in op.domain}
    at = bind_names(op, domain or None, workload.dims, workload.attrs)
    whole = {name: value for name, value in at.attrs.items() if isinstance(value, int)}
    program = instantiate(op, catalogue(), types=at.types, ranks=at.ranks, dims=at.flat_dims, attrs=whole)
    given = {p.type for p in op.params}
    free = [t.variable for t in op.domain if t.variable not in given]
    chosen = {"dtype" if len(free) == 1 else f"dtype_{v}": TORCH_TYPES[domain[v]] for v in free}
    return _tensors(program, op, device), dict(workload.attrs) | chosen


def _tensors(program: Program, op: Op, device: str) -> tuple[torch.Tensor, ...]:
    inputs, types = make_inputs(program, "random"), {t.name: t.dtype for t in program.by_role("in")}
    made = [torch.tensor(inputs[p.name]).to(device, TORCH_TYPES[types[p.name]]) for p in op.params]
    return tuple(x.requires_grad_(is_float(types[p.name])) for x, p in zip(made, op.params, strict=True))


def check(name: str, device: str = "cpu") -> tuple[str, ...]:
    """Runs PyTorch's check on an operator and on its gradient. Returns what was found wrong."""
    op = catalogue().get(name)
    assert op is not None
    inputs, options = case_of(op, device)
    operator(name)  # makes it known to PyTorch
    found = _opcheck(name, inputs, options)
    if name.endswith(GRADIENT) or not has_gradient(op):
        return found
    gradient = gradient_op(op, op.float_inputs)
    for each in (gradient.op, gradient.forward):
        generated(each)  # makes it known
    with torch.no_grad():
        results = getattr(torch.ops.uol, gradient.forward.name)(*inputs, **options)
    results = (results,) if isinstance(results, torch.Tensor) else results
    parts = {"input": inputs, "result": results, "cotangent": [torch.ones_like(y) for y in results]}
    arguments = tuple(parts[kind][at].detach().clone() for kind, at in gradient.sources)
    known = {a.name for a in gradient.op.attributes}
    return found + _opcheck(gradient.op.name, arguments, {n: v for n, v in options.items() if n in known})


def _opcheck(name: str, inputs: tuple[torch.Tensor, ...], options: dict[str, int | float | torch.dtype]) -> tuple[str, ...]:
    try:
        results = torch.library.opcheck(getattr(torch.ops.uol, name).default, inputs, options, raise_exception=False)
    except Exception as error:
        return (f"{name}: {type(error).__name__}: {error}",)
    found = {test: result for test, result in results.items() if result != "SUCCESS"}
    if isinstance(found.get(REGISTRATION), NotImplementedError):  # which PyTorch asks for on some devices alone
        del found[REGISTRATION]
    return tuple(f"{name}: {test}: {result}" for test, result in found.items())


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found wrong with an operator."""

    op: str
    found: tuple[str, ...]


def _checked(device: str, ops: Sequence[str]) -> list[Checked]:
    return [Checked(op, _tried(op, device)) for op in ops]


def _tried(name: str, device: str) -> tuple[str, ...]:
    try:
        return check(name, device)
    except Exception as error:
        return (f"{name}: {type(error).__name__}: {error}",)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.opcheck", description=__doc__)
    parser.add_argument("--op", help="operators, by commas; the whole library else")
    parser.add_argument("--device", default="cpu", help="PyTorch's device of the inputs")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    device, failed = device_of(options.device), 0
    checked = sorted(names()) if options.op is None else [find_operator(name).name for name in options.op.split(",")]
    steps: Steps[str, Checked] = Steps(f"opcheck {device}", Records(Checked), str, partial(_checked, device))
    operators = 0
    for one in results_of(steps, checked, options):
        failed, operators = failed + bool(one.found), operators + 1
        print(f"{one.op:36} {'failed' if one.found else 'passed'}", flush=True)
        for each in one.found:
            print(f"  {each.strip().splitlines()[0][:400]}", flush=True)
    print(f"{operators} operators, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    run_command(main)
