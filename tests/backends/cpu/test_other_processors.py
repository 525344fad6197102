"""Kernels as other machines get them: cut for other numbers of cores, with narrower vectors. An operator for each schedule.

Every buffer has fences here: a task too many writes beside its own.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cpu_cases import program_of
from turns import by_turns

from uol.backends.cpu.backend import BACKEND
from uol.backends.cpu.host import host
from uol.codegen.lowering import lower
from uol.ir.errors import UolError
from uol.ops.texts import names

SCHEDULES = (
    *("add", "sum", "softmax", "layer_norm", "linear", "conv2d", "conv2d_bn_add_relu", "max_pool2d", "transpose"),
    *("scatter_add", "cumsum", "cummax", "sort", "topk", "attention", "grouped_matmul", "dropout", "unique"),
)
PROCESSORS = ((1, ""), (3, ""), (5, ""), (5, "x86-64-v2"), (16, "x86-64-v2"))
"""Cores, and the processor's name: fewer and more than the parts of most axes, and numbers that divide few."""


def checked(ops: str, cores: int, processor: str, *options: str) -> str:
    """What is not supported where kernels are made for that many cores of that processor; LLVM names it."""
    narrower = {"UOL_CPU": processor} if processor else {}
    environment = {**os.environ, **narrower, "UOL_NUM_THREADS": str(cores), "TVM_NUM_THREADS": str(cores)}
    command = [sys.executable, "-m", "uol.conformance.support", "--target", "cpu", "--dtype", "f32", "--op", ops, *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"exit {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


@pytest.mark.parametrize(("sixth", "turn"), by_turns(6, range(6), range(2)))
def test_every_schedule(sixth: int, turn: int) -> None:
    cores, processor = (PROCESSORS[2], PROCESSORS[4])[turn]
    assert checked(",".join(SCHEDULES[turn::2][sixth::6]), cores, processor, "--first") == ""


OPEN = """
import torch, uol
for k in (32, 33, 34, 8, 130):
    x, w = torch.randn(1, k, dtype=torch.float64), torch.randn(16, k, dtype=torch.float64)
    torch.testing.assert_close(uol.ops.text.linear(x, w, torch.zeros(16, dtype=torch.float64)), x @ w.T)
"""


def test_a_product_of_any_length_in_vectors_of_two() -> None:
    environment = {**os.environ, "UOL_CPU": "x86-64-v2"}
    done = subprocess.run([sys.executable, "-c", OPEN], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_vector_and_one_element_more_of_every_second_element() -> None:
    """In vectors of 16, where a shuffle takes 8 at once. The text alone: any machine can make it."""
    environment = {**os.environ, "UOL_CPU": "skylake-avx512"}
    text = "import uol; print(uol.compile('prod', dims={'S': (9,), 'C': 2}).source)"
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "strided_0" in done.stdout


@pytest.mark.soak
@pytest.mark.parametrize("options", [(), ("--gradients",)])
@pytest.mark.parametrize(("cores", "processor"), PROCESSORS)
@pytest.mark.parametrize("part", range(8))
def test_every_operator(part: int, cores: int, processor: str, options: tuple[str, ...]) -> None:
    assert checked(",".join(names()[part::8]), cores, processor, "--first", *options) == ""


def test_a_processor_that_llvm_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UOL_CPU", "znver5x")
    with pytest.raises(UolError, match="UOL_CPU is 'znver5x'") as raised:
        host()
    assert {"haswell", "znver3", "x86-64-v3"} <= set((raised.value.hint or "").removeprefix("LLVM knows ").split(", "))


def test_words_are_made_for_the_units_of_the_processor_that_a_kernel_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What compiles multiplies words of bf16; x86-64-v3 does not, and its kernel's operands are those of a machine without."""
    monkeypatch.setenv("UOL_CPU", "x86-64-v3")
    program = program_of("matmul", types={"T": "bf16"}, dims={"M": 512, "K": 512, "N": 512}, ranks={"S": 0})
    without, older = lower(program, BACKEND), BACKEND.devices["x86-64-v3"]
    monkeypatch.setenv("UOL_CPU", "sapphirerapids")
    assert lower(program, BACKEND) != without
    assert lower(program, BACKEND, device=older) == without
