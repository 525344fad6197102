"""The gradients that are written agree with the derived ones, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from turns import by_turns

from uol.ir import check, instantiate, interpret
from uol.ir.gradients import gradient
from uol.ir.library import SAVING
from uol.ops.texts import library, written_gradients
from uol.ops.workloads import workloads_of

WRITTEN = written_gradients()
ATTENTIONS = ("attention", "causal_attention", "masked_attention", "biased_attention")


def mask(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Half of it true, and in some rows nothing."""
    return (generator.random(shape) < 0.5) & (generator.random((*shape[:-1], 1)) < 0.8)


@pytest.mark.parametrize("name", WRITTEN)
def test_it_is_the_gradient_of_its_operator(name: str) -> None:
    assert library().get(name) is WRITTEN[name]
    assert name not in library()
    check(WRITTEN[name], library())


@pytest.mark.parametrize("name", by_turns(2, list(WRITTEN)))
def test_it_agrees_with_the_derived_one(name: str) -> None:
    forward = library().get(name.removesuffix("_grad"))
    assert forward is not None
    saving = library().get(f"{forward.name}{SAVING}") or forward
    derived, generator = gradient(forward, library()), np.random.default_rng(0)
    for workload in workloads_of(forward.name):
        whole: dict[str, Any] = {"types": {"T": "f64"}, "ranks": workload.ranks, "dims": workload.flat_dims}
        whole["attrs"] = workload.attrs
        first = instantiate(forward, library(), **whole)
        inputs = {
            t.name: mask(generator, shape) if t.dtype == "bool" else generator.standard_normal(shape)
            for t in first.by_role("in")
            for shape in [tuple(int(d.value) for d in t.shape)]  # type: ignore[attr-defined]  # static
        }
        known = {a.name for a in forward.attributes}
        run_time = {name: value for name, value in {"eps": 1e-3, "momentum": 0.3}.items() if name in known}
        inputs |= interpret(instantiate(saving, library(), **whole), inputs, run_time)
        inputs |= {f"d{r.name}": generator.standard_normal(inputs[r.name].shape) for r in forward.results}
        found = []
        for op in (WRITTEN[name], derived):
            attrs = {a.name: workload.attrs[a.name] for a in op.attributes if a.name in workload.attrs}
            found.append(interpret(instantiate(op, library(), **{**whole, "attrs": attrs}), inputs, run_time))
        for result in found[0]:
            np.testing.assert_allclose(found[0][result], found[1][result], rtol=1e-9, atol=1e-12, err_msg=str(workload))


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_saves_the_maximum_of_its_rows_and_the_reciprocal_of_their_sum(name: str) -> None:
    forward, saving, written = (library().get(f"{name}{suffix}") for suffix in ("", SAVING, "_grad"))
    assert forward is not None and saving is not None and written is not None
    check(saving, library())
    assert [(r.name, r.type) for r in saving.results] == [("y", "T"), ("hi", "acc(T)"), ("z_inv", "acc(T)")]
    assert saving.body == forward.body
    assert {"hi", "z_inv"} <= {p.name for p in written.params}
    assert not {"hi", "z", "z_inv"} & {t.tensor for s in written.body for t in s.targets}  # the row is not reduced again


def test_what_is_saved_is_pytorchs_and_has_no_value_where_nothing_is_seen() -> None:
    saving = library().get("masked_attention_saving")
    assert saving is not None
    generator = np.random.default_rng(1)
    program = instantiate(saving, library(), types={"T": "f64"}, dims=dict(B=2, H=4, G=2, L=9, M=6, D=5, E=3))
    shapes = {t.name: tuple(int(d.value) for d in t.shape) for t in program.by_role("in")}  # type: ignore[attr-defined]
    inputs = {n: mask(generator, s) if n == "mask" else generator.standard_normal(s) for n, s in shapes.items()}
    q, k, seen = (torch.from_numpy(inputs[n]) for n in ("q", "k", "mask"))
    assert not seen.any(-1).all()
    scores = q @ k.repeat_interleave(2, 1).mT / 5**0.5
    expected = scores.masked_fill(~seen, -torch.inf).logsumexp(-1)
    found = interpret(program, inputs)
    np.testing.assert_allclose(found["hi"] - np.log(found["z_inv"]), expected.numpy(), rtol=1e-12)
