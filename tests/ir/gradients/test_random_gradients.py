"""Random operators: the derived gradient is the limit of differences of the forward's golden value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from random_ops import Case, typed_ops

from uol.ir import Library, check, instantiate, interpret, parse, print_op
from uol.ir.checker.instantiation import dim_names
from uol.ir.gradients.derivation import derive

STEPS = (1e-5, 1e-6, 1e-7)
EMPTY = Library()


def golden(op, case: Case, inputs) -> dict:
    dims = {d: case.dims[d] for d in dim_names(op)}
    program = instantiate(op, EMPTY, types={"T": "f64"}, dims=dims)
    return interpret(program, {t.name: inputs[t.name] for t in program.by_role("in")})


def compare(case: Case) -> None:
    """Along a random direction, the difference at one of three steps is near the derivative: a kink of max, select or abs
    may lie within the longer ones, rounding spoils the shorter ones."""
    (op,) = parse(case.text)
    derived = derive(op, EMPTY)
    text = derived.op
    assert parse(print_op(text))[0] == text
    rng = np.random.default_rng(1)
    # away from the values that a case has twice, where maxima and comparisons have kinks
    inputs = {n: v + rng.uniform(-1e-2, 1e-2, v.shape) if v.dtype.kind == "f" else v for n, v in case.inputs.items()}
    forward = golden(op, case, inputs)
    seed = rng.standard_normal(forward["y"].shape)
    names = {out: name for name, out in derived.roles.gradients.items()}
    known = {**inputs, **forward, **{c: seed for c in derived.roles.cotangents.values()}}
    found = golden(text, case, known)
    along = {n: rng.uniform(-1, 1, v.shape) for n, v in inputs.items() if n in names.values()}
    got = sum(float((found[out] * along[name]).sum()) for out, name in names.items())
    slopes = []
    for step in STEPS:
        ends = [
            float((golden(op, case, {**inputs, **{n: inputs[n] + s * step * d for n, d in along.items()}})["y"] * seed).sum())
            for s in (1, -1)
        ]
        slopes.append((ends[0] - ends[1]) / (2 * step))
    size = 1 + abs(got) + float(np.abs(forward["y"] * seed).sum())
    assert min(abs(s - got) for s in slopes) <= 1e-5 * size, (print_op(op), print_op(text), got, slopes)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(typed_ops(dtypes=("f64",)))
def test_random_operators(case: Case) -> None:
    compare(case)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(typed_ops(dtypes=("f64",)))
def test_random_gradients_pass_the_checker_for_every_type(case: Case) -> None:
    (op,) = parse(case.text)
    check(derive(op, EMPTY).op, EMPTY)


@pytest.mark.soak
@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(typed_ops(dtypes=("f64",), smallest=0))
def test_many_random_operators(case: Case) -> None:
    # the place of an extremum over nothing does not exist, and is refused by name
    assume(0 not in case.dims.values() or not ("max[" in case.text or "min[" in case.text))
    compare(case)
