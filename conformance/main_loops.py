"""What are the main loops of kernels on matrix units made of? Builds operators for devices, reads the loops out of the
binaries, and prints of each kernel: instructions by class, those beside products for each product, registers, spills, how the
loop reads global and shared memory, and how many groups of copies (or loads) are on their way at its waits.

    python -m uol.conformance.main_loops [--target cuda:a100,cuda:h100,hip:mi250x] [--op matmul,linear] [--dtype f16] [--grad]
    python -m uol.conformance.main_loops --op matmul --dims M=4096,N=4096,K=4096      at these sizes
    python -m uol.conformance.main_loops --op matmul --any-size                       by kernels that take dims as arguments
    python -m uol.conformance.main_loops --op conv2d --channels-last --dims N=8,C=64,D=64,H=56,W=56,O=64,pad=1
    python -m uol.conformance.main_loops --op matmul --any-size --schedule kernel=matmul_whole,m=128,n=128,k=32,unroll=4

Bars: --most-others 0.95 (instructions beside products, for each), --most-registers 224, --asynchronous (every load of global
memory 16 bytes, beside what the thread does), --in-flight 1 (at every wait at least so many on their way), --whole-scratch (no
access of shared memory of 2 bytes), --covered 8 (products between a load and the first wait behind it). Exit status 1 where a
kernel misses one, spills, or an operator has no loop on matrix units; 2 where a tool is missing, or for bad input. Where no
target is named it is one device of each architecture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from uol.backends import registry
from uol.binding.layouts import channels_last
from uol.codegen.choice import given
from uol.codegen.extensions import LoopReadingBackend, MainLoop, Resources
from uol.codegen.indexing.arithmetic import static
from uol.compilation.pipeline import generate, program_of
from uol.compilation.request import Request
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.ir.errors import MissingToolError, UolError
from uol.ops.workloads import Workload, workloads_of

WHOLE_BYTES = 16
"""The most that an instruction moves for a lane."""


@dataclass(frozen=True, slots=True)
class Bars:
    """What a main loop has to keep; None and False: nothing."""

    most_others: float | None = None
    most_registers: int | None = None
    asynchronous: bool = False
    in_flight: int | None = None
    whole_scratch: bool = False
    covered: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The main loop of a kernel, and what the kernel takes of a thread."""

    kernel: str
    loop: MainLoop
    taken: Resources

    def __str__(self) -> str:
        loop = self.loop
        mix = ", ".join(f"{number} {what}" for what, number in sorted(loop.mix.items(), key=lambda part: -part[1]))
        loads = ", ".join(
            f"{n} of {size} bytes{' beside' if beside else ''}" for (size, beside), n in sorted(loop.loads.items())
        )
        lines = (
            f"{self.kernel}: {sum(loop.mix.values())} instructions, {loop.products} products, "
            f"{loop.others_per_product:.2f} others for each",
            f"  {mix}",
            f"  {self.taken.registers} registers, {self.taken.local_bytes} bytes of memory, {loop.spills} spills",
            f"  global loads: {loads or 'none'}; accesses of 2 bytes of shared memory: {loop.narrow_scratch}; "
            f"in flight at waits: {', '.join(map(str, loop.in_flight)) or 'no waits'}; "
            f"products between a load and a wait: {loop.covered}",
        )
        return "\n".join(lines)


def misses(found: Found, bars: Bars) -> Iterator[str]:
    """The bars that a kernel does not keep, in words. One that spills keeps none."""
    loop = found.loop
    if loop.spills or found.taken.local_bytes:
        yield f"{loop.spills} spills, {found.taken.local_bytes} bytes of memory beside registers"
    if bars.most_others is not None and loop.others_per_product > bars.most_others:
        yield f"{loop.others_per_product:.3f} instructions beside each product are more than {bars.most_others}"
    if bars.most_registers is not None and found.taken.registers > bars.most_registers:
        yield f"{found.taken.registers} registers are more than {bars.most_registers}"
    if bars.asynchronous and (other := [each for each in loop.loads if each != (WHOLE_BYTES, True)]):
        sizes = ", ".join(str(size) for size, _ in other)
        yield f"global loads of {sizes} bytes; all have to be of {WHOLE_BYTES}, beside what a thread does"
    if bars.in_flight is not None and any(number < bars.in_flight for number in loop.in_flight):
        yield f"{min(loop.in_flight)} in flight at a wait are fewer than {bars.in_flight}"
    if bars.covered is not None and loop.covered < bars.covered:
        yield f"{loop.covered} products between a load and the wait behind it are fewer than {bars.covered}"
    if bars.whole_scratch and loop.narrow_scratch:
        yield f"{loop.narrow_scratch} accesses of 2 bytes of shared memory"


def loops_of(request: Request) -> list[Found]:
    """The main loops of an operator's kernels. Raises UolError for a target whose machine code nobody reads here."""
    backend = request.target.backend
    if not isinstance(backend, LoopReadingBackend):
        raise UolError(f"nobody reads the loops of {backend.name} here", hint="name a target whose kernels are on matrix units")
    artifact = backend.build(generate(request))
    taken = backend.resources(artifact)
    return [Found(name, loop, taken[name]) for name, loop in backend.main_loops(artifact).items()]


def cases_of(options: argparse.Namespace, target: str) -> Iterator[Case]:
    """The operators that are asked for, at their representative workload or at sizes that are given."""
    names = options.op.split(",")
    gradients = differentiable(names) if options.grad else []
    dims = _dims(options.dims)
    for name in (*names, *gradients):
        for types in types_of(name, options.dtype.split(",")):
            first = workloads_of(name)[0]
            workload = _at(first, dims) if dims else first
            yield Case(name, target, types, workload, sizes="open" if options.any_size else "fixed")


def _at(first: Workload, given: Mapping[str, int]) -> Workload:
    """A workload at other sizes, and with other values of attributes."""
    dims = {**first.dims, **{name: size for name, size in given.items() if name in first.dims}}
    return replace(first, dims=dims, attrs={**first.attrs, **{name: n for name, n in given.items() if name not in dims}})


def with_channels_last(request: Request) -> Request:
    """The same operator with tensors of three dims and more that have their channels, the second dim, side by side."""
    shapes = {name: [static(extent) or 0 for extent in t.shape] for name, t in program_of(request).tensors.items()}
    return replace(request, layouts={name: channels_last(shape) for name, shape in shapes.items() if len(shape) > 2})


def default_targets() -> list[str]:
    """One device of each architecture whose machine code is read here."""
    backends = [each for name in registry.names() if isinstance(each := registry.get(name), LoopReadingBackend)]
    first = {(b.name, device.architecture): device.name for b in backends for device in reversed([*b.devices.values()])}
    return [f"{name}:{device}" for (name, _), device in sorted(first.items())]


def _dims(said: str) -> Mapping[str, int]:
    """`M=4096,N=64` as sizes by name."""
    try:
        parts = (part.split("=") for part in said.split(",") if part)
        return {name: int(size) for name, size in parts}
    except ValueError:
        raise UolError(f"--dims {said!r} does not say sizes", hint="as in --dims M=4096,N=4096,K=4096") from None


def judged(case: Case, bars: Bars, schedules: Sequence[str] = (), *, is_channels_last: bool = False) -> bool:
    """Prints the loops of a case, of kernels with these schedules where any are given. Does each keep the bars, and is there
    one?"""
    request = with_channels_last(request_of(case)) if is_channels_last else request_of(case)
    found = loops_of(replace(request, policy=given(list(schedules))) if schedules else request)
    print(f"--- {case}" + ("" if found else ": no loop on matrix units"), flush=True)
    kept = bool(found)
    for each in found:
        print(each)
        for miss in misses(each, bars):
            print(f"  misses: {miss}", flush=True)
            kept = False
    return kept


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.main_loops", description=__doc__)
    parser.add_argument("--target", default="", help="devices, by commas: cuda:a100,cuda:h100,hip:mi250x")
    parser.add_argument("--op", default="matmul", help="operators, by commas")
    parser.add_argument("--dtype", default="f16", help="types, by commas")
    parser.add_argument("--dims", default="", help="sizes and attributes in place of the workload's: M=4096,N=4096")
    parser.add_argument("--channels-last", action="store_true", help="of three dims and more, channels side by side")
    parser.add_argument("--grad", action="store_true", help="the operators' gradients, too")
    parser.add_argument("--any-size", action="store_true", help="kernels that take dims as arguments")
    parser.add_argument("--schedule", action="append", default=[], help="as of `uol compile`; may be given more than once")
    parser.add_argument("--most-others", type=float, help="instructions beside products for each, at the most")
    parser.add_argument("--most-registers", type=int, help="registers of a thread, at the most")
    parser.add_argument(
        "--asynchronous", action="store_true", help="loads of global memory are of 16 bytes, beside what a thread does"
    )
    parser.add_argument("--in-flight", type=int, help="groups, or loads, on their way at each wait, at the least")
    parser.add_argument("--whole-scratch", action="store_true", help="no access of shared memory is of 2 bytes")
    parser.add_argument("--covered", type=int, help="products between a load and the first wait behind it, at the least")
    options = parser.parse_args(arguments)
    bars = Bars(
        options.most_others,
        options.most_registers,
        options.asynchronous,
        options.in_flight,
        options.whole_scratch,
        options.covered,
    )
    try:
        targets = options.target.split(",") if options.target else default_targets()
        kept = [
            judged(case, bars, options.schedule, is_channels_last=options.channels_last)
            for target in targets
            for case in cases_of(options, target)
        ]
    except MissingToolError as error:
        print(error)
        return 2
    return 0 if all(kept) else 1


if __name__ == "__main__":
    run_command(main)
