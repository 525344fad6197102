"""Kernels as values, for tests: of a text, with a schedule, before they are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from uol.backends import registry
from uol.backends.simt.choosing.rendering import plan_of
from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.kernel.nodes import Block, Body, If, Kernel, Loop, Runs, Statement
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.simt_backend import SimtBackend
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import KernelSpec
from uol.ir import Library, instantiate, parse

SQUARES = "op f(x: f16[R, C]) -> (y: f32[R]) where C > 0 { y[r] = sum[c](acc(x[r, c]) * acc(x[r, c])) }"
SOFTMAX = """op f(x: f16[R, C]) -> (y: f16[R, C]) where C > 0 {
  hi[r]   = max[c](acc(x[r, c]))
  e[r, c] = exp(acc(x[r, c]) - hi[r])
  z[r]    = sum[c](e[r, c])
  y[r, c] = f16(e[r, c] / z[r])
}"""
LINEAR = "op f(x: f16[M, K], w: f16[N, K]) -> (y: f16[M, N]) { y[m, n] = f16(sum[k](acc(x[m, k]) * acc(w[n, k]))) }"
PLACES = "op f(x: f32[R, C]) -> (y: i64[R]) where C > 0 { y[r] = argmax[c](x[r, c]) }"


def backend() -> SimtBackend:
    """One whose words both vendors have."""
    found = registry.get("cuda")
    assert isinstance(found, SimtBackend)
    return found


def machine() -> Machine:
    """A device of its."""
    return backend().machine_of(backend().devices[backend().default_device])


def spec_of(text: str, dims: Mapping[str, int]) -> KernelSpec:
    """The last kernel of a text's, whose dims are arguments where there are none here."""
    ops = parse(text)
    return lower(instantiate(ops[0], Library(ops), dims=dims, types={}), backend(), {}).specs[-1]


def kernel_of(text: str, schedule: SimtSchedule, dims: Mapping[str, int]) -> Kernel:
    """The kernel of a text."""
    found = plan_of(spec_of(text, dims), schedule, machine())
    assert isinstance(found, Kernel)
    return found


def changed(kernel: Kernel, change: Callable[[Statement], tuple[Statement, ...]]) -> Kernel:
    """The kernel with other statements in place of each."""

    def go(body: Body) -> Body:
        return tuple(new for statement in body for new in change(within(statement)))

    def within(statement: Statement) -> Statement:
        match statement:
            case If(body=body, otherwise=otherwise):
                return replace(statement, body=go(body), otherwise=go(otherwise))
            case Loop(body=body) | Runs(body=body) | Block(body=body):
                return replace(statement, body=go(body))
        return statement

    return replace(kernel, body=go(kernel.body))
