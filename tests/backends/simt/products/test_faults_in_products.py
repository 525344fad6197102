"""Faults planted by hand in emitted products of every form: each is a finding of the twin, or breaks the contract."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from turns import by_turns

from uol.backends.twin import execute_many
from uol.conformance.cases.verdict import Case
from uol.conformance.mutation.judge import Trial
from uol.ops.workloads import Workload


@dataclass(frozen=True)
class Fault:
    """Every match of `right` replaced by `wrong`, or the first `times`. `kinds`: findings of which there is one; none where a
    wrong value will do."""

    name: str
    right: str
    wrong: str
    times: int = 0
    kinds: frozenset[str] = frozenset()


IN_FLIGHT = frozenset({"copy-in-flight"})
RACE = frozenset({"race-wr", "race-rw", "race-ww"})
COMMON = (
    Fault("no zero fill", r"((?:copy_async|load_buffer)<.*), [^,\n]* >= [^,;\n]*\);", r"\1);"),
    Fault("swizzle of stores alone", r"(const int \w+_to =\s+.*?) \^ \(thread[^)]*\) \* 16\)", r"\1)", times=1),
)
PIPELINE = {
    "cuda": (
        *COMMON,
        Fault("wait off by one", r"wait_copies<2>", "wait_copies<3>", kinds=IN_FLIGHT),
        Fault("no barrier behind the wait", r"(wait_copies<2>\(\);\n) *__syncthreads\(\);\n", r"\1", kinds=RACE),
        Fault("the stage that is read is filled", r"int write = \d+;", "int write = 0;", kinds=IN_FLIGHT | RACE),
        Fault("no commit in the loop", r"(      \}\n)      uol::commit_copies\(\);\n", r"\1", kinds=IN_FLIGHT),
        Fault("halves of a fragment swapped", r"_part\[0\] \+ ni \* 2\)", "_part[0] + (1 - ni) * 2)"),
        Fault("warps of 64", r"lane = thread % 32;", "lane = thread % 64;"),
    ),
    "hip": (
        *COMMON,
        Fault("no barrier", r" *__syncthreads\(\);\n(\s+read = )", r"\1", kinds=RACE),
        Fault("the stage that is read is filled", r"\(read \^ \d+\)", "read", kinds=RACE),
        Fault("halves of a fragment swapped", r" \+ half \* 2, ", " + (1 - half) * 2, "),
        Fault("warps of 32", r"lane = thread % 64;", "lane = thread % 32;"),
    ),
}
TRANSPOSED = Fault("no transpose", r"uol::transpose_4x4\(\w+\[\w+\]\);", ";")
PARTS = (
    Fault("a part added twice", r"= 0\.0f;(.*\n  for \(int part = 0;)", r"= matmul_parts[row];\1"),
    Fault("a part left out", r"int part = 0;", "int part = 1;"),
)
FEW_ROWS = (
    Fault("no zero fill", r", valid\);", ");"),
    Fault("a part added twice", r"int slot = 1;", "int slot = 0;"),
    Fault("no barrier", r"  __syncthreads\(\);\n", "", kinds=RACE),
    Fault("halves of a fragment swapped", r"\[h \* 2 \+ r / 2\]", "[h * 2 + 1 - r / 2]"),
    Fault("warps of 64", r"lane = threadIdx\.x % 32;", "lane = threadIdx.x % 64;"),
)


@dataclass(frozen=True)
class Form:
    """A form of product: where all sizes have tails, and every stage is filled again. `kernel`: the end of the name of the one
    that has the faults; all, where it is empty."""

    name: str
    backend: str
    workload: Workload
    faults: tuple[Fault, ...]
    kernel: str = ""

    def planted(self, text: str, fault: Fault) -> str:
        """Raises AssertionError where the kernel has no such place."""
        begin = text.index(f"{self.kernel}(\n") if self.kernel else 0
        end = text.find("\n}\n", begin) if self.kernel else len(text)
        inner, count = re.subn(fault.right, fault.wrong, text[begin:end], count=fault.times)
        assert count, f"{self.backend} {self.name}: {fault.name}: nothing to replace"
        return text[:begin] + inner + text[end:]


WORKLOADS = {
    "dense": Workload("matmul", {"S": (), "M": 40, "N": 72, "K": 376}),
    "second factor by rows": Workload("linear", {"S": (40,), "N": 72, "K": 376}),
    "first factor by columns": Workload("matmul_transposed", {"S": (), "M": 40, "N": 72, "K": 376}),
    "batched": Workload("batched_matmul", {"B": 2, "M": 40, "N": 72, "K": 376}),
    "rows of segments": Workload("grouped_matmul", {"M": 97, "E": 3, "D": 376, "F": 72}),
    "sums of segments": Workload("grouped_matmul_grad", {"M": 700, "E": 2, "D": 40, "F": 40}),
    "parts of terms": Workload("matmul", {"S": (), "M": 40, "N": 72, "K": 3008}),
}
WIDE_SUMS = Workload("grouped_matmul_grad", {"M": 700, "E": 2, "D": 72, "F": 136})
"""As large that the sums of segments are on matrix units on HIP, too."""
KERNELS = {"sums of segments": "_dw_sum_kernel"}
BY_ROWS = ("second factor by rows", "rows of segments")
"""Forms whose factors both lie along the terms: nothing is transposed on HIP."""
FORMS = [
    *(Form(name, "cuda", w, PIPELINE["cuda"], KERNELS.get(name, "")) for name, w in WORKLOADS.items()),
    *(
        Form(name, "hip", w, PIPELINE["hip"] + (() if name in BY_ROWS else (TRANSPOSED,)), KERNELS.get(name, ""))
        for name, w in {**WORKLOADS, "sums of segments": WIDE_SUMS}.items()
    ),
    *(Form("sum of parts", backend, WORKLOADS["parts of terms"], PARTS, "matmul_kernel") for backend in PIPELINE),
    Form("few rows", "cuda", Workload("linear", {"S": (13,), "N": 45, "K": 328}), FEW_ROWS),
]


@pytest.mark.parametrize("form", by_turns(6, FORMS), ids=lambda form: f"{form.backend}: {form.name}")
def test_faults_are_found_in_products_of_every_form(form: Form) -> None:
    trial = Trial.of(Case(form.workload.op, form.backend, "f16", form.workload, "exact"))
    text = trial.module.device.text
    runs = execute_many([trial.job(form.planted(text, fault)) for fault in form.faults])
    missed = []
    for fault, run in zip(form.faults, runs, strict=True):
        kinds = {finding.kind for finding in run.findings}
        assert "compile-error" not in kinds, f"{fault.name}: {run.findings[0]}"
        found = kinds & fault.kinds if fault.kinds else kinds or trial.breach(run)
        if not found:
            missed.append(f"{fault.name}: {sorted(kinds)}, {trial.breach(run)}")
    assert not missed
