"""The golden value of every operator equals its independent reference, in float64, on all workloads and kinds of inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from library_programs import program_of
from turns import by_turns

from uol.binding.named_binding import bind_names
from uol.ir import Program, interpret
from uol.ops.inputs import kinds, make_inputs
from uol.ops.references import reference
from uol.ops.texts import library, names
from uol.ops.workloads import Workload, workloads_of

# The two differ by the order of their float64 sums only; the longest has 4097 terms.
RELATIVE, ABSOLUTE = 1e-11, 1e-12
CONDITIONED = {"offset": 1e-10, "constant": 1e-10, "paired": 1e-10}
"""A mean of numbers near 1000 is off by some units of 2^-43, which is divided by a deviation of 1/8 or so; a mean of equal
numbers by one of 2^-46, which is divided by the root of eps; a score near 2^17 by one of 2^-36, which its exponential has,
too."""


def scalars_of(program: Program, workload: Workload) -> Mapping[str, float]:
    op = library().get(workload.op)
    assert op is not None
    types = {t.variable: t.types[0] for t in op.domain}
    attrs = bind_names(op, types, workload.dims, workload.attrs).attrs
    return {s.name: attrs[s.name] for s in program.scalars}


@pytest.mark.parametrize(("half", "name"), by_turns(4, [0, 1], names()))
def test_the_interpreter_gives_what_pytorch_gives(half: int, name: str) -> None:
    """On one in two workloads; the kinds beside exact and random by turns."""
    for number, workload in enumerate(workloads_of(name)[half::2]):
        program = program_of(workload, "f64")
        results = tuple(t.name for t in program.by_role("out"))
        for kind in (*kinds(name)[:2], *kinds(name)[2 + number % 2 :: 2]):
            inputs = make_inputs(program, kind, seed=1)
            golden = interpret(program, inputs, scalars_of(program, workload))
            expected = reference(name, inputs, workload.attrs, results=results)
            for result in results:
                assert golden[result].shape == expected[result].shape, str(workload)
                told = f"{result} of {workload} on {kind}"
                absolute = CONDITIONED.get(kind, ABSOLUTE)
                np.testing.assert_allclose(golden[result], expected[result], RELATIVE, absolute, equal_nan=True, err_msg=told)


@pytest.mark.parametrize("name", ["conv2d", "softmax", "gelu", "linear"])
def test_a_reference_also_computes_in_float32(name: str) -> None:
    workload = workloads_of(name)[0]
    inputs = make_inputs(program_of(workload, "f32"), "random", seed=2)
    wide = reference(name, inputs, workload.attrs)["y"]
    narrow = reference(name, inputs, workload.attrs, precision="f32")["y"]
    assert narrow.dtype == np.float32
    error = np.abs(wide - narrow).max()
    assert 0 < error < 1e-3


@pytest.mark.parametrize(
    ("source", "target"),
    [("f32", "i8"), ("f64", "i32"), ("f16", "u8"), ("f32", "i64"), ("i64", "i8"), ("i32", "u8"), ("i32", "f32")],
)
def test_casts_follow_the_language(source: str, target: str) -> None:
    workload = workloads_of("cast")[0]
    program = program_of(workload, source, target)
    inputs = make_inputs(program, "special", seed=3)
    golden = interpret(program, inputs)["y"]
    assert np.array_equal(golden, cast_by_hand(inputs["x"], target))


def cast_by_hand(values: np.ndarray, target: str) -> np.ndarray:
    """Rule 4, one element after the other."""
    if target == "f32":
        return values.astype(np.float64)  # the last cast of a result is not applied
    bits, unsigned = int(target[1:]), target.startswith("u")
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def one(value: float | int) -> int:
        if isinstance(value, int):
            return (value - low) % 2**bits + low
        if np.isnan(value):
            return 0
        return low if value <= low else high if value >= high else int(value)

    return np.array([one(v) for v in values.ravel().tolist()], dtype=np.int64).reshape(values.shape)


def test_inputs_are_the_same_for_one_seed_and_differ_for_another() -> None:
    program = program_of(workloads_of("linear")[0], "f16")
    first, again, other = (make_inputs(program, "random", seed) for seed in (5, 5, 6))
    for name in first:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32"])
def test_inputs_are_representable(dtype: str) -> None:
    from uol.ir.program.rounding import round_to

    program = program_of(workloads_of("div")[0], dtype)
    for kind in kinds("div"):
        for values in make_inputs(program, kind, seed=7).values():
            assert np.array_equal(values, round_to(values, dtype), equal_nan=True)


def test_special_inputs_hold_what_they_say() -> None:
    x = make_inputs(program_of(workloads_of("relu")[0], "f32"), "special", seed=1)["x"]
    assert np.isnan(x).any()
    assert (x == np.inf).any()
    assert (x == -np.inf).any()
    assert (np.signbit(x) & (x == 0)).any()
    assert ((x != 0) & (np.abs(x) < 2.0**-126)).any()


@pytest.mark.parametrize(("name", "mode"), [("upsample_linear1d", "linear"), ("upsample_bilinear2d", "bilinear")])
def test_references_of_resampling_are_pytorchs(name: str, mode: str) -> None:
    """Their weights are exact, PyTorch's are rounded."""
    for workload in workloads_of(name):
        x = make_inputs(program_of(workload, "f64"), "random", seed=4)["x"]
        expected = torch.nn.functional.interpolate(torch.from_numpy(x), list(workload.attrs.values()), mode=mode)
        np.testing.assert_allclose(reference(name, {"x": x}, workload.attrs)["y"], expected, 1e-12, 1e-13)
