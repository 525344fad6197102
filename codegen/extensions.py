"""What some targets have beside what every `Backend` has: each a protocol of its own, which is asked for by `isinstance`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from uol.codegen.backend import Artifact, Backend, Device, Kernel, Module
from uol.codegen.loaded import Loaded
from uol.codegen.specs.nodes import Contract, KernelSpec
from uol.codegen.work import Issued


@runtime_checkable
class TorchBackend(Backend, Protocol):
    """A target whose kernels run on PyTorch's tensors: those on the devices that `torch_devices` names."""

    def torch_device(self, index: int) -> Device:
        """The product that is there under PyTorch's index. Raises UolError for one that the backend cannot build for."""
        ...

    def torch_stream(self, index: int) -> int:
        """The handle of PyTorch's current stream on that device; 0 where there are no streams."""
        ...


@runtime_checkable
class HostBackend(Backend, Protocol):
    """A target that runs on the machine that compiles, and whose texts depend on it."""

    def environment(self, device: Device) -> Mapping[str, str]:
        """The environment variables under which any machine generates the text that this one generates."""
        ...

    def refusal(self, device: Device, environment: Mapping[str, str]) -> str:
        """Why this machine does not run what was generated for the device under these variables, beside its own; empty where
        it does."""
        ...

    def is_own(self, device: Device) -> bool:
        """Is the device this machine itself, for which its kernels may be timed?"""
        ...

    def kernels_file(self, module: Module) -> str:
        """The name of the file that is built and run, where `Module.device` is what one reads."""
        ...


@runtime_checkable
class VariantBackend(Backend, Protocol):
    """A target that has several kernels for a spec whose dims are arguments: each for a part of the sizes."""

    def variants(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        """The spec for each part (`KernelSpec.where`), one of which any sizes are in; itself where one kernel is for all."""
        ...


@runtime_checkable
class SumsOfProducts(Backend, Protocol):
    """A backend that may have one kernel for a sum of several products."""

    def sums_products(self, spec: Contract, device: Device) -> bool:
        """Is there a kernel for a contraction with `more` products?"""
        ...


@runtime_checkable
class AlternativesBackend(Backend, Protocol):
    """A target that may run a spec in several ways: a product in one kernel, or its sums over parts of the terms in one and the
    sums of those in another."""

    def alternatives(self, spec: KernelSpec, device: Device) -> Iterable[tuple[KernelSpec, ...]]:
        """The ways beside what `legalise` gives. The one that takes the least time by `estimate` is taken."""
        ...

    def estimate(self, spec: KernelSpec, device: Device) -> float:
        """The seconds that a spec of known sizes takes with the schedule that it gets, by the model; counted without a text, as
        every alternative is asked for it."""
        ...


@runtime_checkable
class OnDemandBackend(Backend, Protocol):
    """A target that builds the kernels of an operator of any size one by one, as calls take them: a call takes few of them."""

    def module_of_kernel(self, module: Module, kernel: Kernel) -> Module:
        """The module with this kernel alone: what `build` takes, and what is built the same whatever else is in the module."""
        ...

    def load_on_demand(self, module: Module, built: Callable[[Kernel], Artifact], index: int = 0) -> Loaded:
        """An operator whose dims are arguments, on the device of that index. `built` gives the binary of a kernel, and is asked
        for it when the first call comes whose sizes take the kernel. Raises what `load` raises; calls raise it, too, and what
        `built` does."""
        ...


@runtime_checkable
class ForeachBackend(Backend, Protocol):
    """A target that runs an operator at many positions in one launch: over flat runs of memory, each of its own length."""

    foreach_run: int | None
    """How many elements a run has at most, for which kernels are made; None where the length is an argument of theirs."""

    def foreach_module(self, module: Module) -> Module | None:
        """What `load_foreach` takes once it is built, of the operator's module over one flat run; None where there is none."""
        ...

    def load_foreach(self, artifact: Artifact, index: int = 0) -> Callable[..., None]:
        """A callable on a table of addresses (a row a run: inputs, then results), a table of lengths and the run-time
        attributes, with the device's `stream=`. Both tables are int64 and row-major. No run may read what another one
        writes."""
        ...


@dataclass(frozen=True, slots=True)
class CountedLaunch:
    """A launch, or a copy that takes the place of one, as people read it, with its counts."""

    name: str
    schedule: str
    issued: Issued


@runtime_checkable
class CountsRuns(ForeachBackend, Protocol):
    """A target that says what a launch over many runs moves and issues."""

    def issued_by_runs(self, module: Module, lengths: Sequence[int], device: Device) -> tuple[CountedLaunch, ...]:
        """All that one call of what `load_foreach` gives enqueues, in order, for runs of these lengths. `module`: of
        `foreach_module`."""
        ...


@dataclass(frozen=True, slots=True)
class Resources:
    """What a kernel takes of a thread: registers, and bytes of memory for what they do not hold, or for arrays that variables
    index."""

    registers: int
    local_bytes: int


@runtime_checkable
class MeteredBackend(Backend, Protocol):
    """A target whose binaries say what their kernels take."""

    def resources(self, artifact: Artifact) -> Mapping[str, Resources]:
        """Of each kernel of a built module, by name."""
        ...


Way = Literal["load", "store"]


@dataclass(frozen=True, slots=True)
class Accesses:
    """How a kernel's machine code reads and writes the device's memory: `widths` has the number of its instructions by way and
    bytes of a lane, `split` names the accesses of 16 bytes that it makes in pieces of different widths."""

    widths: Mapping[tuple[Way, int], int]
    split: tuple[str, ...]


@runtime_checkable
class DisassembledBackend(Backend, Protocol):
    """A target whose binaries say how their kernels access memory, where its disassembler is installed."""

    def accesses(self, artifact: Artifact) -> Mapping[str, Accesses]:
        """The accesses of each kernel of a built module, by name. Raises MissingToolError without the disassembler."""
        ...


@dataclass(frozen=True, slots=True)
class MainLoop:
    """One turn of the loop of a kernel's machine code that has most products of matrix units.

    mix              instructions by class: "product", "shared load", "integer", ...
    products         those on matrix units
    loads            of global memory, by the bytes of a lane, and whether they go on beside what the thread does
    narrow_scratch   accesses of shared memory of two bytes
    in_flight        at each wait for memory: how many groups, or loads, may still be on their way behind it
    spills           in the whole kernel: accesses of memory for what registers do not hold
    covered          products between a load and the first wait behind it, at the least: what the wait has beside it
    """

    mix: Mapping[str, int]
    products: int
    loads: Mapping[tuple[int, bool], int]
    narrow_scratch: int
    in_flight: tuple[int, ...]
    spills: int
    covered: int = 0

    @property
    def others_per_product(self) -> float:
        """Instructions beside products, for each of these."""
        return (sum(self.mix.values()) - self.products) / self.products


@runtime_checkable
class LoopReadingBackend(MeteredBackend, Protocol):
    """A target whose binaries show the main loops of kernels on matrix units, where its disassembler is installed."""

    def main_loops(self, artifact: Artifact) -> Mapping[str, MainLoop]:
        """Of each kernel of a built module that has one, by name. Raises MissingToolError without the disassembler."""
        ...


@runtime_checkable
class PackableBackend(Backend, Protocol):
    """A target whose cards a plain Python process runs packs on, without uol."""

    def card_modules(self) -> Mapping[str, str]:
        """The modules that open a card there, by the names that they have in a pack: "device" has `open_card(number)`. They
        import nothing of uol but each other."""
        ...
