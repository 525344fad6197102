"""What it costs that dims are arguments: the kernel of any size against the one that is made for its sizes, on the CPU.

    python -m uol.conformance.any_size [--one-core] [FILTER ...]

Each line is one operator: median and 10th percentile in ms, the two taking turns, and the speed of the kernel of any size in
parts of the other's, by the medians. A FILTER such as softmax picks lines; --one-core measures CPU time of one thread.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from statistics import median

from uol.backends.cpu.host import THREADS
from uol.binding.arrays import empty_result
from uol.binding.named_binding import bind_names
from uol.compilation.pipeline import module_of, program_of
from uol.compilation.recompile import KernelsOfAnySize
from uol.compilation.request import Request, resolve_target
from uol.compiler import Compiled
from uol.conformance.bench.turns import Run, Turns, alternate, low_decile
from uol.ir.program.dtype_encoding import encode
from uol.operators.registry import find_operator
from uol.ops.inputs import make_inputs


@dataclass(frozen=True, slots=True)
class Case:
    """An operator at sizes, of which `varying` are arguments."""

    op: str
    dims: Mapping[str, int]
    varying: frozenset[str]
    attrs: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.op} {' '.join(f'{n}={s}' for n, s in self.dims.items())}, any {' '.join(sorted(self.varying))}"


IMAGE = {"N": 2, "C": 16, "H": 28, "W": 28, "O": 16, "D": 16, "R": 3, "S": 3}
IMAGES = {"N": 8, "C": 64, "H": 28, "W": 28, "O": 64, "D": 64, "R": 3, "S": 3}
HEADS = {"B": 2, "H": 4, "G": 4, "L": 128, "M": 128, "D": 64, "E": 64}
LONG = {"B": 1, "H": 8, "G": 8, "L": 512, "M": 512, "D": 64, "E": 64}
LAYER = {"S": 256, "K": 768, "N": 768}
CASES = (
    Case("gelu", {"S": 100_000}, frozenset("S")),
    *(Case(op, {"S": 400, "C": 1000}, frozenset(varying)) for op in ("softmax", "layer_norm") for varying in "SC"),
    Case("softmax_grad", {"S": 400, "C": 1000}, frozenset("C")),
    Case("layer_norm_grad", {"S": 400, "C": 1000}, frozenset("S")),
    *(Case("linear", {"S": 64, "K": 256, "N": 256}, frozenset(varying)) for varying in "SKN"),
    *(Case("linear", LAYER | {"S": rows}, frozenset("S")) for rows in (8, 16, 256)),
    *(Case("linear_grad", LAYER, frozenset(varying)) for varying in ("S", "SKN")),
    *(Case("matmul", {"S": 1, "M": 64, "K": 256, "N": 256}, frozenset(varying)) for varying in ("M", "K", "N", "MKN")),
    *(Case("matmul", {"S": 1, "M": 512, "K": 512, "N": 512}, frozenset(varying)) for varying in ("M", "K", "N", "MKN")),
    *(Case("matmul", {"S": 1, "M": size, "K": size, "N": size}, frozenset("MKN")) for size in (40, 100, 1024)),
    Case("matmul", {"S": 8, "M": 100, "K": 64, "N": 100}, frozenset("SMN")),
    *(Case("batched_matmul", {"B": 48, "M": 128, "K": 64, "N": 128}, frozenset(varying)) for varying in ("B", "MN")),
    *(Case("conv2d", IMAGE, frozenset(varying), {"pad": 1}) for varying in ("N", "W", "HW", "NHW")),
    *(Case(op, IMAGES, frozenset("N"), {"pad": 1}) for op in ("conv2d", "conv2d_grad")),
    *(Case("conv2d_grad", IMAGES | {"O": 128}, frozenset(varying), {"pad": 1, "stride": 2}) for varying in ("N", "CD", "HW")),
    Case("grouped_matmul", {"M": 256, "E": 8, "D": 64, "F": 64}, frozenset("M")),
    Case("grouped_matmul_grad", {"M": 256, "E": 8, "D": 64, "F": 64}, frozenset("M")),
    *(Case("attention", HEADS, frozenset(varying)) for varying in ("B", "LM")),
    *(Case(op, LONG, frozenset(varying)) for op in ("attention", "causal_attention") for varying in ("B", "LM")),
    Case("attention_grad", HEADS, frozenset("B")),
    Case("sort", {"S": 64, "C": 1000}, frozenset("C")),
    Case("topk", {"S": 64, "C": 1000}, frozenset("S"), {"top": 8}),
    Case("cumsum", {"S": 64, "N": 1000}, frozenset("S")),
)


def runs(case: Case) -> tuple[Run, Run]:
    """One call of the kernel for these sizes, and of that of any size."""
    instance = bind_names(find_operator(case.op), "f32", case.dims, case.attrs)
    request = Request(instance, resolve_target("cpu"))
    fixed, free = Compiled(request, module_of(request)), KernelsOfAnySize().find(request, case.varying)
    assert free is not None, f"{case}: there is no kernel of any size"
    values = make_inputs(program_of(request), "random", 0)
    buffers = [encode(values[a.name], a.dtype) for a in fixed.inputs]
    buffers += [empty_result(a) for a in fixed.module.graph.args if a.role == "out"]
    scalars = fixed.scalars({})
    sizes = [instance.flat_dims[d] for d in free.module.graph.dims]
    return lambda: fixed.loaded(*buffers, *scalars), lambda: free.loaded(*buffers, *scalars, *sizes)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", nargs="*", help="operators")
    parser.add_argument("--one-core", action="store_true", help="CPU time of one thread")
    options = parser.parse_args()
    if options.one_core:
        os.environ[THREADS] = "1"
    turns = Turns(6, 0.08, calls=1, clock=time.process_time if options.one_core else time.perf_counter)
    for case in CASES:
        if not options.filters or any(f in str(case) for f in options.filters):
            fixed, free = runs(case)
            found = alternate({"fixed": fixed, "free": free}, turns)
            made, given = (list(chain.from_iterable(found[name])) for name in ("fixed", "free"))
            speed = median(made) / median(given)
            print(f"{case!s:66} fixed {shown(made)}   any {shown(given)}   speed {speed:.2f}", flush=True)


def shown(times: list[float]) -> str:
    """Median and 10th percentile."""
    return f"{median(times):8.3f} / {low_decile(times):8.3f}"


if __name__ == "__main__":
    main()
