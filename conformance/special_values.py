"""What every operator gives for infinities, NaN, zeros, subnormals and the largest values: as PyTorch's own functions do?

    python -m uol.conformance.special_values [--op softmax,hypot] [--kernels]

The golden value, and with `--kernels` the CPU's kernel, in float64 against the operator's reference, which is PyTorch's:
nothing that is expected comes from the text. Elements take any combination of special values; rows (what one reduction takes
in) have one of them first, in the middle or last, two of them, or nothing else. Where an operator differs for a reason,
special_values.toml says so; exit status 1 where one differs beside that, or where what is written there is not so.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from itertools import product
from typing import Any

import numpy as np

from uol.backends.cache.records import Records
from uol.compilation.pipeline import module_of, program_of
from uol.compilation.request import Request, resolve_target
from uol.compiler import Compiled
from uol.conformance.accuracy.interval import Array, Floats
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.guard_pages import run_fenced
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.gradients.cases import fitting
from uol.conformance.runs.shards import read_shard
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.interpreter import interpret
from uol.ir.program.nodes import Program, Reduce, Scatter
from uol.ir.program.rounding import round_to
from uol.ir.program.walk import walk
from uol.ir.types import is_float
from uol.operators.registry import find_operator
from uol.ops.inputs import make_inputs, static_shape
from uol.ops.reduced_dims import reduced_dims
from uol.ops.references import reference
from uol.ops.row_inputs import from_rows, rows_and_columns
from uol.ops.texts import names
from uol.ops.workloads import Workload, workloads_of

NUMBERS = (0.0, -0.0, 1.0, -2.5, 2.0**-1022, -(2.0**-1074), np.inf, -np.inf, np.nan)
LARGEST = float(np.finfo(np.float64).max)
WITH_LARGEST = (LARGEST, -LARGEST, 0.0, 1.0, -2.5, np.inf, -np.inf, np.nan)
"""The largest values are given to operators of one or two inputs that add nothing up: what overflows in a sum or in a longer
expression is a matter of its order. Kernels get none: one that contracts a multiplication with an addition overflows later."""

MOST_RUNS = 40
"""Runs of one operator, at most: its rows take turns through all combinations."""

RELATIVE, ABSOLUTE = 1e-9, 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """Results of an operator that are of class `ours` where PyTorch's are of class `theirs`: nan, inf, -inf or number."""

    op: str
    ours: str
    theirs: str
    example: str = ""
    count: int = 0

    def __str__(self) -> str:
        return f"{self.op} gives {self.ours}, PyTorch {self.theirs}, {self.count} times: {self.example}"


def explained() -> Mapping[tuple[str, str, str], str]:
    """The reasons of special_values.toml, by operator and classes."""
    return {(op, d["ours"], d["theirs"]): " ".join(d["reason"].split()) for d in _table() for op in d["ops"]}


@cache
def _table() -> tuple[dict[str, Any], ...]:
    text = files("uol.conformance").joinpath("special_values.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["difference"])


def subjects() -> list[str]:
    """The operators that are compared: all that take f64, in which numbers are PyTorch's, or integers. Steps of optimisers that
    write a narrow copy compute in f32 alone; those of one type, of the same formulas, are here."""
    return [op for op in names() if types_of(op, ("f64",))]


def differences(op: str, kernels: bool = False) -> list[Difference]:
    """Where an operator is not as PyTorch's functions, explained or not."""
    found: dict[tuple[str, str], list[str]] = {}
    for workload in _workloads(op):
        types = types_of(op, ("f64",))
        case = Case(op, "cpu", next((t for t in types if "f64" in t), types[0]), workload)
        instance = fitting(find_operator(op), case)
        request = Request(instance, resolve_target("cpu"))
        program = program_of(request)
        compiled = Compiled(request, module_of(request)) if kernels else None
        scalars = {s.name: instance.attrs[s.name] for s in program.scalars}
        results = program.by_role("out")
        for inputs, largest in special_inputs(program):
            theirs = pytorchs(op, inputs, workload, tuple(t.name for t in results))
            with np.errstate(all="ignore"):
                given: list[Mapping[str, Array]] = [interpret(program, inputs, scalars)]
            if compiled is not None and not largest:
                given.append(_run(compiled, program, inputs))
            for ours, result in product(given, results):
                told = f"{result.name} of {workload}"
                for key, example in _compared(ours[result.name], theirs[result.name], told):
                    found.setdefault(key, []).append(example)
    return [Difference(op, *key, examples[0], len(examples)) for key, examples in found.items()]


def pytorchs(op: str, inputs: Mapping[str, Array], workload: Workload, results: tuple[str, ...]) -> Mapping[str, Array]:
    """What PyTorch's function gives: the reference, which is one or is made of some. A reference that is more exact than
    PyTorch on numbers is not taken, nor the fused kernel of attention, which has its own way with NaN."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import interpolate

    if op.startswith("upsample_") and "linear" in op:
        sizes = [int(n) for n in workload.attrs.values()]
        mode, corners = ("bilinear" if len(sizes) == 2 else "linear"), op.endswith("corners")
        return {"y": interpolate(torch.from_numpy(inputs["x"]), sizes, mode=mode, align_corners=corners).numpy()}
    with sdpa_kernel(SDPBackend.MATH):
        return reference(op, inputs, workload.attrs, results=results)


def _run(compiled: Compiled, program: Program, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    buffers = {t.name: encode(inputs[t.name], t.dtype) for t in program.by_role("in")}
    return run_fenced(compiled, buffers)[0]


def _workloads(op: str) -> list[Workload]:
    """The smallest workload that has rows to speak of, and the smallest with other attributes."""
    full = [w for w in workloads_of(op) if 0 not in w.flat_dims.values()]
    sized = sorted(full, key=lambda w: int(np.prod([n for n in w.flat_dims.values()], dtype=np.int64)))
    large = [w for w in sized if max(w.flat_dims.values(), default=0) >= 5 and len(w.flat_dims) >= 1] or sized[-1:]
    other = [w for w in large[1:] if w.attrs != large[0].attrs]
    return large[:1] + other[:1]


def special_inputs(program: Program) -> Iterator[tuple[dict[str, Array], bool]]:
    """Inputs with special values, run after run, and whether the largest are among them."""
    short = len([t for t in program.by_role("in") if is_float(t.dtype)]) <= 2
    for values in (NUMBERS, WITH_LARGEST) if short and not _adds_up(program) else (NUMBERS,):
        number, runs = 0, 1
        while number < min(runs, MOST_RUNS):
            inputs, runs = _special(program, values, number)
            yield inputs, values is WITH_LARGEST
            number += 1


def _adds_up(program: Program) -> bool:
    nodes = (node for stage in program.stages for node in walk(stage.value))
    return any(isinstance(s, Scatter) for s in program.stages) or any(
        isinstance(node, Reduce) and node.op in ("sum", "prod") for node in nodes
    )


def _special(program: Program, values: tuple[float, ...], run: int) -> tuple[dict[str, Array], int]:
    """The inputs of one run, and how many runs take every combination."""
    inputs = make_inputs(program, "random", run)
    generator = np.random.Generator(np.random.Philox(run))
    floats = [t for t in program.by_role("in") if is_float(t.dtype)]
    dims = reduced_dims(program)
    runs = 1
    for number, tensor in enumerate(floats):
        shape, along = static_shape(tensor), dims.get(tensor.name)
        rows = max(int(np.prod(shape)), 1)
        if along is None:
            chosen = np.array(values)[(np.arange(rows) + run * rows) // len(values) ** number % len(values)].reshape(shape)
            kept = generator.random(shape) < (0.9 if dims else 0.0)
            inputs[tensor.name] = np.where(kept, inputs[tensor.name], chosen)
            runs = max(runs, -(-(len(values) ** len(floats)) // rows) if not dims else 1)
        else:
            inputs[tensor.name], needed = _in_rows(inputs[tensor.name], along, values, run, number, len(dims), generator)
            runs = max(runs, needed)
        inputs[tensor.name] = _taken(program.name, inputs[tensor.name], tensor.dtype)
        if tensor.name in program.sorted:
            inputs[tensor.name] = np.sort(inputs[tensor.name])
    return inputs, runs


def _taken(op: str, values: Array, dtype: str) -> Array:
    """Values of a type; where PyTorch's function raises for others, those between 0 and 1."""
    if op.startswith("binary_cross_entropy") and "logits" not in op:
        values = np.clip(np.where(np.isnan(values), 0.5, np.abs(values)), 0.0, 1.0)
    return np.asarray(round_to(values, dtype))


def _in_rows(
    array: Array, dims: tuple[int, ...], values: tuple[float, ...], run: int, number: int, inputs: int,
    generator: np.random.Generator,
) -> tuple[Floats, int]:  # fmt: skip
    rows, columns = rows_and_columns(array.shape, dims)
    order = (*(d for d in range(array.ndim) if d not in dims), *dims)
    table = np.transpose(array, order).reshape(rows, columns).copy()
    patterns = _patterns(values, columns)
    for row in range(rows):
        if inputs == 1 or generator.random() < 0.6:
            for place, value in patterns[(run * rows + row + 41 * number) % len(patterns)]:
                table[row, place] = value
    return from_rows(table, array.shape, dims), inputs * -(-len(patterns) // max(rows, 1))


Pattern = tuple[tuple[int | slice, float], ...]


def _patterns(values: tuple[float, ...], columns: int) -> list[Pattern]:
    """What rows hold beside numbers: one value first, in the middle or last, two, one alone, or none."""
    last = columns - 1
    return [
        *(((place, value),) for place in (0, columns // 2, last) for value in values),
        *(((0, value), (last, other)) for value in values for other in values),
        *(((slice(None), value),) for value in values),
        (),
    ]


def _compared(ours: Array, theirs: Array, told: str) -> Iterator[tuple[tuple[str, str], str]]:
    """The classes of results that are not as PyTorch's, with an example each time."""
    mine, other = np.asarray(ours), np.asarray(theirs)
    classes, expected = _classes(mine), _classes(other)
    with np.errstate(all="ignore"):
        near = np.abs(mine - other) <= ABSOLUTE + RELATIVE * np.abs(other) if mine.dtype.kind == "f" else mine == other
    for place in np.argwhere((classes != expected) | (classes == "number") & ~near):
        at = tuple(int(i) for i in place)
        yield (str(classes[at]), str(expected[at])), f"{told} at {list(at)}: {mine[at]}, PyTorch {other[at]}"


def _classes(array: Array) -> Array:
    if array.dtype.kind != "f":
        return np.full(array.shape, "number")
    return np.where(np.isnan(array), "nan", np.where(array == np.inf, "inf", np.where(array == -np.inf, "-inf", "number")))


@dataclass(frozen=True, slots=True)
class Differences:
    """Those of an operator, explained or not."""

    found: tuple[Difference, ...]


def _differences(kernels: bool, ops: Sequence[str]) -> list[Differences]:
    return [Differences(tuple(differences(op, kernels))) for op in ops]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.special_values", description=__doc__)
    parser.add_argument("--op", default=",".join(subjects()), help="operators, by commas")
    parser.add_argument("--kernels", action="store_true", help="the CPU's kernels as well")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    chosen, reasons, failed = options.op.split(","), dict(explained()), 0
    of = f"special_values{' kernels' * options.kernels}"
    steps: Steps[str, Differences] = Steps(of, Records(Differences), str, partial(_differences, options.kernels))
    for each in results_of(steps, chosen, options):
        for found in each.found:
            reason = reasons.pop((found.op, found.ours, found.theirs), "")
            failed += not reason
            print(f"{found}: {reason or 'UNEXPLAINED'}", flush=True)
    shard = read_shard(options.shard)
    stale = [key for key in reasons if key[0] in chosen and shard.takes(key[0])]
    for op, ours, theirs in stale:
        print(f"{op} never gives {ours} where PyTorch gives {theirs}: special_values.toml says so")
    print(f"{len(chosen)} operators, {failed} differences that are not explained, {len(stale)} explained that are none")
    return 1 if failed or stale else 0


if __name__ == "__main__":
    run_command(main)
