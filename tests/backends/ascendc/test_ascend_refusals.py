"""What the machine cannot do is refused with a reason; what does not fit is refused with buffers, bytes and a smaller tile."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_forms import Form, job_of

from uol.backends import registry
from uol.backends.ascendc.schedules import CubeSchedule, VectorSchedule
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Refusal
from uol.codegen.choice import choose
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import KernelSpec
from uol.ir import Library, instantiate, parse
from uol.ir.errors import ResourceError

BACKEND = registry.get("ascendc")
DEVICE = BACKEND.devices[BACKEND.default_device]


def specs(text: str, **dims: int) -> tuple[KernelSpec, ...]:
    ops = parse(text)
    return lower(instantiate(ops[0], Library(ops), dims=dims, types={}), BACKEND, {}).specs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("op f(x: f64[N]) -> (y: f64[N]) { y[n] = x[n] + 1 }", "f64"),
        ("op f(x: f64[M, K], w: f64[N, K]) -> (y: f64[M, N]) { y[m, n] = sum[k](x[m, k] * w[n, k]) }", "f64"),
        ("op f(x: i64[N]) -> (y: i64[N]) { y[n] = x[n] + 1 }", "arithmetic on i64"),
        ("op f(s: i64[N]) -> (y: i32[N]) { y[n] = random_bits(s[n], n) }", "varies along the innermost axes"),
        ("op f(x: i64[N]) -> (y: i32[N]) { y[n] = random_bits(3, x[n] + 1) }", "arithmetic on i64 that may pass 32 bits"),
        ("op f(x: f32[N]) -> (y: i32[N]) { y[n] = random_bits(3, n * 2000000000) }", "may pass 2**31"),
        ("op f(x: i64[N]) -> (y: i64[]) { y[] = sum[n](x[n]) }", "sum of i64"),
    ],
)
def test_what_the_machine_cannot_do(text: str, reason: str) -> None:
    sizes = {n: 40 for n in "MNK" if f"[{n}" in text or f", {n}]" in text}
    (spec,) = specs(text, **sizes)
    with pytest.raises(ResourceError) as error:
        choose(spec, BACKEND, DEVICE)
    assert reason in error.value.message
    assert "ascendc:910b2" in error.value.message
    assert error.value.hint


PRODUCT = "op f(x: f32[M, K], w: f32[K, N]) -> (y: f32[M, N]) { y[m, n] = sum[k](x[m, k] * w[k, n]) }"
ARGMAX = "op f(x: f32[R, C]) -> (y: i32[R]) where C > 0 { y[r] = i32(argmax[c](x[r, c])) }"
SOFTMAX = """op f(x: f32[R, C]) -> (y: f32[R, C]) where C > 0 {
  hi[r] = max[c](x[r, c])
  e[r, c] = exp(x[r, c] - hi[r])
  z[r] = sum[c](e[r, c])
  y[r, c] = e[r, c] / z[r]
}"""


@pytest.mark.parametrize(
    ("text", "sizes", "reason", "hint"),
    [
        (PRODUCT, {"M": 3, "K": 70000, "N": 70000}, "elements apart: a copy to fractals takes at most 65535", "split the axis"),
        (ARGMAX, {"R": 2, "C": 2**24}, "argmax over 16777216 elements: positions are counted in f32", "fewer than 16777216"),
        ("op f(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] + f32(n * n) }", {"N": 4000}, "the index `n * n` as", "split the axis"),
    ],
    ids=["a pitch", "an argmax", "an index"],
)  # fmt: skip
def test_a_limit_is_named_for_what_it_is(text: str, sizes: dict[str, int], reason: str, hint: str) -> None:
    kernels = specs(text, **sizes)
    with pytest.raises(ResourceError) as error:
        choose(kernels[-1], BACKEND, DEVICE)
    assert reason in error.value.message
    assert hint in str(error.value.hint)
    assert "  help: " in str(error.value)


def test_a_long_softmax_has_no_argmax_to_refuse() -> None:
    (spec,) = specs(SOFTMAX, R=96, C=3_000_000_000)
    text = BACKEND.render(spec, choose(spec, BACKEND, DEVICE), DEVICE).text
    assert "c_start < 3000000000" in text
    assert "for (int64_t c_start" in text


def test_an_operand_with_long_rows_is_packed_the_other_way() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3, 5)).astype(np.float32), rng.normal(size=(5, 70000)).astype(np.float32)
    form = Form("long rows", PRODUCT, {"x": x, "w": w}, lambda i: i["x"], {"M": 3, "K": 5, "N": 70000})
    (run,) = execute_many([job_of(form)])
    assert not run.findings, run.findings
    assert np.allclose(run.outputs["y"], x @ w, atol=1e-5)


def test_a_tile_that_does_not_fit_is_refused_with_the_nearest_that_does() -> None:
    (spec,) = specs("op f(x: f32[N], z: f32[N]) -> (y: f32[N]) { y[n] = exp(x[n]) * tanh(z[n]) }", N=100000)
    refusal = BACKEND.check(spec, VectorSchedule("n", 30000, blocks=4), DEVICE)
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith("UB holds 188160 bytes, the kernel needs ")
    assert "z_ub 120064" in refusal.reason
    assert refusal.hint is not None
    assert refusal.hint.startswith("vector cores 48, tile ")


def test_a_cube_tile_that_does_not_fit_is_refused() -> None:
    text = "op f(x: f32[M, K], w: f32[N, K]) -> (y: f32[M, N]) { y[m, n] = sum[k](x[m, k] * w[n, k]) }"
    (spec,) = specs(text, M=999, N=999, K=999)
    refusal = BACKEND.check(spec, CubeSchedule(128, 128, 128), DEVICE)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "L0A holds 65536 bytes, the kernel needs 131072: a_l0 131072"
    assert refusal.hint is not None
    assert "cube cores" in refusal.hint


def test_names_of_an_op_never_meet_those_of_the_generator() -> None:
    x = np.arange(7 * 33, dtype=np.float32).reshape(7, 33) - 100
    text = """op add(half: f32[lanes, t2]) -> (Exp: f32[lanes, t2]) {
  slot[task, i]  = tanh(half[task, i]) + 1
  Exp[task, i] = slot[task, i] * 2
}"""
    text = text.replace("lanes", "A").replace("t2]", "B]").replace("slot[", "mask[")
    (run,) = execute_many([job_of(Form("names", text, {"half": x}, lambda i: i["half"], {"A": 7, "B": 33}))])
    assert not run.findings, run.findings
    assert np.allclose(run.outputs["Exp"], (np.tanh(x) + 1) * 2, atol=1e-5)


def test_schedules_say_what_they_are() -> None:
    (spec,) = specs("op f(x: f32[N, D]) -> (y: f32[N, D]) where D > 0 { y[n, d] = x[n, d] + 1 }", N=1000, D=20000)
    described = {s.describe() for s in BACKEND.schedules(spec, DEVICE)}
    assert len(described) > 3
    assert "vector cores 48, tile 8192 of n_d, lanes are results, double-buffered" in described


def test_devices_differ_in_cores() -> None:
    (spec,) = specs("op f(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] + 1 }", N=10_000_000)
    blocks = {name: BACKEND.render(spec, choose(spec, BACKEND, d), d).launch.grid[0] for name, d in BACKEND.devices.items()}
    assert blocks == {"910b1": 48, "910b2": 48, "910b3": 40, "910b4": 40}


def test_a_schedule_of_another_kind_is_refused() -> None:
    (spec,) = specs("op f(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] + 1 }", N=100)
    refusal = BACKEND.check(spec, CubeSchedule(16, 16, 16), DEVICE)
    assert isinstance(refusal, Refusal)
    assert "a Map runs on vector cores" in refusal.reason
