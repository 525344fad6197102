"""The gradients that are written agree with the derived ones, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from uol.ir import Library, check, instantiate, interpret
from uol.ir.gradients import gradient
from uol.ops.texts import library, written_gradients
from uol.ops.workloads import workloads_of

WRITTEN = written_gradients()


@pytest.mark.parametrize("name", WRITTEN)
def test_it_is_the_gradient_of_its_operator(name: str) -> None:
    assert library().get(name) is WRITTEN[name]
    assert name not in library()
    check(WRITTEN[name], library())


@pytest.mark.parametrize("name", WRITTEN)
def test_it_agrees_with_the_derived_one(name: str) -> None:
    forward = library().get(name.removesuffix("_grad"))
    assert forward is not None
    derived, generator = gradient(forward, library()), np.random.default_rng(0)
    for workload in workloads_of(forward.name):
        whole = {"types": {"T": "f64"}, "dims": workload.flat_dims, "attrs": workload.attrs}
        first = instantiate(forward, library(), **whole)  # type: ignore[arg-type]  # by name
        inputs = {
            t.name: generator.random(shape) < 0.5 if t.dtype == "bool" else generator.standard_normal(shape)
            for t in first.by_role("in")
            for shape in [tuple(int(d.value) for d in t.shape)]  # type: ignore[attr-defined]  # static
        }
        inputs |= interpret(first, inputs)
        inputs["dy"] = generator.standard_normal(inputs["y"].shape)
        found = [
            interpret(instantiate(op, Library(), **whole), inputs)  # type: ignore[arg-type]
            for op in (WRITTEN[name], derived)
        ]
        for result in found[0]:
            np.testing.assert_allclose(found[0][result], found[1][result], rtol=1e-9, atol=1e-12, err_msg=str(workload))
