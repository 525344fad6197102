"""A path's convolutions at their sizes: which there are, what is admitted of them, and that a wrong number, a finding and too
much time end the command with 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from uol.backends.twin import Finding, Job, TwinRun, execute_many
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.conformance.paths import convolutions
from uol.conformance.paths.convolution_bounds import admitted, sums_of
from uol.conformance.paths.convolutions import Subject, convolutions_of, kernels_for, main, prepare, sizes_of
from uol.conformance.paths.recorded import Call
from uol.ir.errors import UolError
from uol.ops.inputs import Kind


def subject(op: str, target: str, inputs: Kind = "random", stride: int = 2) -> Subject:
    """Pictures of odd sizes, channels-last, whose last windows reach beyond them."""
    shapes = [(2, 24, 9, 11), (16, 24, 3, 3), (2, 16, (9 - 1) // stride + 1, (11 - 1) // stride + 1)]
    tensors = [torch.empty(s, dtype=torch.float16, device="meta").to(memory_format=torch.channels_last) for s in shapes]
    options = {"stride": stride, "pad": 1}
    return Subject(1, Call(op, tuple(tensors[: 3 if op.endswith("_grad") else 2]), options), target, inputs)


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("inputs", ["random", "wide", "exact"])
@pytest.mark.parametrize(("op", "stride"), [("conv2d", 2), ("conv2d_grad", 2), ("conv2d_grad", 1)])
def test_what_is_admitted_is_what_the_text_admits(op: str, stride: int, inputs: Kind, target: str) -> None:
    """Of factors that gfx90a takes for zero, too: every seventh is subnormal."""
    ready = prepare(subject(op, target, inputs, stride))
    values = dict(ready.values)
    if inputs == "random":
        values = {name: np.where(np.arange(v.size).reshape(v.shape) % 7, v, 2.0**-20) for name, v in values.items()}
    sums = sums_of(ready.case, ready.program, values)
    own = contract(target, op)
    for owed in (own, own.as_a_rule()):
        golden = enclose(ready.program, values, ready.scalars, owed)
        for name, found in admitted(ready.case, ready.program, values, sums, owed).items():
            scale = 1e-12 * np.max(np.abs(golden[name].high - golden[name].low)) + 1e-12 * np.max(np.abs(golden[name].value))
            for side in ("value", "low", "high"):
                np.testing.assert_allclose(getattr(found, side), getattr(golden[name], side), rtol=0, atol=scale)


def test_the_distinct_convolutions_of_a_step_are_found() -> None:
    network = convolutions_of("resnet50", 1, "f16")
    assert len(network) == 23
    first, last = (sizes_of(forward) for forward, _ in (network[0], network[-1]))
    assert first == "1x3x224x224 * 64x3x7x7, stride 2, pad 3" and last == "1x512x7x7 * 512x512x3x3, pad 1"
    assert all(gradient.op == "conv2d_grad" and len(gradient.inputs) == 3 for _, gradient in network)
    assert network[2][0].inputs[0].stride() == (64 * 56 * 56, 1, 64 * 56, 64)
    assert [sizes_of(forward) for forward, _ in convolutions_of("cmap", 2, "bf16")] == [
        "2x64x8x28x28 * 128x64x3x3x3, stride 2, pad 1",
        "2x128x4x14x14 * 256x128x3x3x3, stride 1x2x2, pad 1",
    ]
    with pytest.raises(UolError, match="moe has no convolution"):
        convolutions_of("moe", 1, "f16")


def test_a_result_takes_the_kernels_that_it_is_made_by() -> None:
    module = prepare(subject("conv2d_grad", "cuda")).compiled.module
    own = {result: [kernel.name for kernel in kernels_for(module, result)] for result in ("dx", "dw")}
    assert all(own.values()) and not set(own["dx"]) & set(own["dw"])
    assert sorted(own["dx"] + own["dw"]) == sorted(kernel.name for kernel in module.kernels)


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [subject(op, target) for op in ("conv2d", "conv2d_grad") for target in ("cuda", "hip")]
    ready = [prepare(each) for each in chosen]
    runs = execute_many([Job(p.compiled.module, p.buffers, p.scalars) for p in ready])
    monkeypatch.setattr(convolutions, "subjects_of", lambda options: chosen)

    def told(found: list[TwinRun], *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(convolutions, "execute_many", lambda jobs: found)
        return main(arguments), capsys.readouterr().out

    status, said = told(runs)
    assert status == 0 and said.count(" 0 findings") == 6 and "WRONG" not in said
    assert "dx      hip         matrix units, 4 products" in said
    assert told(runs, "--most-seconds", "0")[0] == 1
    dw = runs[3].outputs["dw"].copy()
    dw[-1, -1, -1, -1] *= 1.02
    status, said = told([*runs[:3], replace(runs[3], outputs={**runs[3].outputs, "dw": dw})])
    assert status == 1 and said.count("WRONG") == 1 and "[15, 23, 2, 2]" in said
    status, said = told([replace(runs[0], findings=(Finding("race-ww", "two threads", "conv2d_kernel", 7),)), *runs[1:]])
    assert status == 1 and "conv2d_kernel:7: race-ww: two threads" in said
