"""Every kernel of any size is launched at some size and right there: those for a part of the sizes, too."""

from __future__ import annotations

import pytest
from turns import by_turns

import uol
from uol.binding.sample_sizes import samples_for_every_kernel
from uol.cli.trial import try_compiled
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.nodes import Select
from uol.compiler import Compiled
from uol.operators.registry import find_operator
from uol.ops.texts import names
from uol.ops.workloads import workloads_of

TARGETS = ("cuda", "hip")
OPERATORS = ("relu", "softmax", "mse_loss", "transpose", "matmul", "topk", "attention")
"""Kernels for parts of the sizes of every kind: elements side by side, rows, long rows, tiles across, products, orders,
attention."""


def check(kernel: Compiled) -> None:
    """Runs it, in the twin, at sizes at which each of its kernels is launched; but orders of rows of many tiles, which take
    minutes there, and are launched for shorter tiles in `test_sizes_as_arguments.py`."""
    launched: set[str] = set()
    made_for = kernel.request.instance
    for at in samples_for_every_kernel(kernel, 1):
        trial = try_compiled(kernel, in_twin=True, instance=at)
        assert trial.passed, str(trial)
        sizes = made_for.seen_by_kernels(at).flat_dims
        kernels = kernel.module.kernels
        launched |= {each.name for each in kernels if all(value_at(condition, sizes) for condition in each.launch.where)}
    left = [each for each in kernel.module.kernels if each.name not in launched]
    assert all(isinstance(each.spec, Select) and "_rest0_" not in each.name for each in left), left


@pytest.mark.parametrize(("op", "target"), by_turns(2, OPERATORS, TARGETS))
def test_each_kernel_is_launched_and_right(op: str, target: str) -> None:
    check(uol.compile(op, target, "f16", {}, {"top": 3} if op == "topk" else {}))


@pytest.mark.soak
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("op", names())
def test_each_kernel_of_the_library_is_launched_and_right(op: str, target: str) -> None:
    types = {each.variable: "f32" if "f32" in each.types else each.types[0] for each in find_operator(op).domain}
    check(uol.compile(op, target, types, attrs=workloads_of(op)[0].attrs))
