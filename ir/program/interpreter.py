"""The golden value of a program, in numpy.

Floats are evaluated in float64 and integers exactly, wrapped to their type; a cast to f16, bf16, f8 or an integer
rounds where it stands, f32 values do not round. The last float cast of a result is not applied to what is returned;
a later statement that reads the result reads it rounded.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from uol.ir.errors import ShapeError
from uol.ir.program.checked_mode import CheckedEvaluation, check_promises
from uol.ir.program.evaluation import Evaluation, storage
from uol.ir.program.index_blocks import Block, whole
from uol.ir.program.nodes import Call, Expr, Program, Scatter, Stage
from uol.ir.program.rounding import round_to, wrap
from uol.ir.types import is_float

Array = NDArray[np.generic]

MAX_ELEMENTS = 20_000_000
"""The largest space that is evaluated at once; beyond it a stage is cut along its outermost axes."""


def interpret(
    program: Program,
    inputs: Mapping[str, np.ndarray],
    scalars: Mapping[str, float | int] | None = None,
    dims: Mapping[str, int] | None = None,
    *,
    checked: bool = False,
) -> dict[str, np.ndarray]:
    """The results by name, as float64, int64 or bool arrays of the logical shape.

    `inputs` are rounded to their types first; `dims` gives the dims that stayed symbolic. Raises ShapeError where an
    input is missing or has another shape, or where a fact or check of the program does not hold; with `checked`
    DataError where values break a rule that is else not asked after (`uol.ir.program.checked_mode`).
    """
    given: dict[str, float | int] = {**(dims or {})}
    types = {s.name: s.dtype for s in program.scalars}
    for name, value in (scalars or {}).items():
        given[name] = round_to(value, types[name]).item() if name in types else value
    evaluation = CheckedEvaluation(given, {}, program) if checked else Evaluation(given, {})
    _check(program, given, evaluation)
    for tensor in program.by_role("in"):
        if tensor.name not in inputs:
            raise ShapeError(f"the input `{tensor.name}` of `{program.name}` is missing")
        shape = tuple(evaluation.integer(d) for d in tensor.shape)
        array = np.asarray(inputs[tensor.name])
        if array.shape != shape:
            raise ShapeError(f"`{tensor.name}` of `{program.name}` has the shape {shape}, not {array.shape}")
        evaluation.memory[tensor.name] = round_to(array, tensor.dtype)
    if checked:
        check_promises(program, evaluation.memory)
    results: dict[str, Array] = {}
    with np.errstate(all="ignore"):
        for stage in program.stages:
            if isinstance(evaluation, CheckedEvaluation):
                evaluation.stage = stage
            if isinstance(stage, Scatter):
                results[stage.name] = _scatter(evaluation, program, stage)
            else:
                results[stage.name] = _run(evaluation, stage, stage.value)
    return {t.name: results[t.name] for t in program.by_role("out")}


def _check(program: Program, given: Mapping[str, float | int], evaluation: Evaluation) -> None:
    missing = [n for n in (*program.dims, *(s.name for s in program.scalars)) if n not in given]
    if missing:
        raise ShapeError(f"no value for `{missing[0]}` of `{program.name}`", hint="give it in `dims` or `scalars`")
    for condition in (*program.facts, *program.checks):
        if not evaluation.condition(condition):
            from uol.ir.program.render import show

            raise ShapeError(f"`{program.name}` needs `{show(condition)}`")


def _run(evaluation: Evaluation, stage: Stage, value: Expr) -> Array:
    """Evaluates a stage, stores what a later stage reads, and gives what the golden value is."""
    exact = value
    if isinstance(value, Call) and value.fn == "cast" and is_float(value.dtype):
        exact = value.args[0]  # rounded below, as a whole
    extents = tuple(evaluation.integer(a.extent) for a in stage.axes)
    out = np.empty(extents, storage(exact.type))
    names = tuple(a.name for a in stage.axes)
    _fill(evaluation, exact, whole(names, extents), out)
    evaluation.memory[stage.name] = round_to(out, stage.dtype) if exact is not value else out
    return out.astype(storage(stage.dtype)) if exact is not value else out


def _scatter(evaluation: Evaluation, program: Program, stage: Scatter) -> Array:
    """Zeros, and every value that has a place added there; integers wrap."""
    shape = tuple(evaluation.integer(d) for d in program.tensors[stage.name].shape)
    out = np.zeros(shape, storage(stage.dtype))
    extents = tuple(evaluation.integer(a.extent) for a in stage.axes)
    _add(evaluation, stage, whole(tuple(a.name for a in stage.axes), extents), out)
    evaluation.memory[stage.name] = out = out if is_float(stage.dtype) else wrap(out, stage.dtype)
    return out


def _add(evaluation: Evaluation, stage: Scatter, block: Block, out: Array) -> None:
    """Adds the values of a block of the axes, in parts where it would be too large."""
    if 0 in block.shape:
        return
    parts = None if evaluation.fits(stage.value, block, MAX_ELEMENTS) else block.split()
    if parts is not None:
        for part in parts:
            _add(evaluation, stage, part, out)
        return
    inside = np.broadcast_to(np.asarray(True), block.shape)
    for condition in stage.guard:
        inside = inside & evaluation.value(condition, block)
    if isinstance(evaluation, CheckedEvaluation):
        evaluation.require_targets(stage, inside, block)
    at = tuple(np.broadcast_to(evaluation.value(t, block), block.shape)[inside] for t in stage.target)
    np.add.at(out, at, np.broadcast_to(evaluation.value(stage.value, block), block.shape)[inside])


def _fill(evaluation: Evaluation, value: Expr, block: Block, out: Array) -> None:
    """Evaluates over a block of the axes, in parts where it would be too large."""
    if 0 in block.shape:
        return
    parts = None if evaluation.fits(value, block, MAX_ELEMENTS) else block.split()
    if parts is None:
        out[block.slices] = np.broadcast_to(evaluation.value(value, block), block.shape)
        return
    for part in parts:
        _fill(evaluation, value, part, out)
