"""From a request to text and binary, through the cache.

A request that the cache holds is answered without TVM's compiler and without the language's checker.

`UOL_DUMP=dir` keeps every stage of every kernel: one folder a request, one file a stage.

    dir/softmax-<target>-1f3a90c2/1-op.uol  2-program.txt  3-kernels.txt  4-schedules.txt  softmax.cu  build.log
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uol.backends.cache.files import DiskCache, Key, open_cache
from uol.backends.cache.records import Records
from uol.binding.memory import require_addressable_program, require_addressable_workspace
from uol.codegen.backend import Artifact, Backend, Kernel, Module, Schedule
from uol.codegen.extensions import OnDemandBackend
from uol.codegen.specs.graph import KernelGraph
from uol.compilation.request import Request, Stage
from uol.compilation.symbols import renamed
from uol.ir.errors import ResourceError
from uol.ir.forking import unforked
from uol.ir.program.nodes import Program
from uol.operators.registry import catalogue


@dataclass(frozen=True, slots=True)
class Built:
    """What a target's compiler has made of a module, as it is kept."""

    binary: bytes
    log: str
    files: Mapping[str, bytes]
    compiler: str


BUILT = Records(Built)


def program_of(request: Request) -> Program:
    """The typed program. Raises what the language's checker raises."""
    from uol.ir import instantiate

    instance = request.instance
    return instantiate(
        instance.op,
        catalogue(),
        types=instance.types,
        ranks=instance.ranks,
        dims=request.dims,
        attrs=request.compile_time_attributes,
    )


def module_of(request: Request, cache: DiskCache | None = None) -> Module:
    """The emitted text of a request, with its launch records."""
    if Dump.is_on():  # every stage is wanted, so every stage is run
        return generate(request)
    records = module_records(request.target.backend)
    return (cache or open_cache()).record(request.key("module"), records, lambda: generate(request))


def module_records(backend: Backend) -> Records[Module]:
    """How modules of a backend are kept."""
    return _modules(tuple(backend.schedule_kinds))


def generate(request: Request) -> Module:
    """Program, kernel graph, schedules, text: nothing from the cache."""
    with unforked():
        return _generate(request)


def _generate(request: Request) -> Module:
    program = program_of(request)
    from uol.codegen.choice import compile_graph
    from uol.codegen.lowering import lower

    dump = Dump.of(request)
    dump.program(program)
    require_addressable_program(program)
    target = request.target
    how = {"deterministic": request.deterministic, "tf32": request.tf32}
    graph = lower(program, target.backend, request.layouts, device=target.device, **how)
    dump.graph(graph)
    require_addressable_workspace(graph)
    module = compile_graph(graph, target.backend, target.device, request.policy)
    if request.symbol:
        module = renamed(module, request.symbol, target.backend, target.device)
    dump.module(module)
    return module


def artifact_of(request: Request, module: Module, cache: DiskCache | None = None, stage: Stage = "binary") -> Artifact:
    """The built module; its binary lies on disk. Raises ToolchainError where the target's compiler is missing."""
    cache = cache or open_cache()
    key = request.key(stage)

    def build() -> Built:
        artifact = request.target.backend.build(module)
        Dump.of(request).log(artifact.log)
        return Built(artifact.binary, artifact.log, dict(artifact.files), artifact.compiler)

    built = build() if Dump.is_on() else cache.record(key, BUILT, build)
    path = cache.materialise(key, ".bin", built.binary)
    return Artifact(module, built.binary, path, built.log, built.files, built.compiler)


def kernels_on_demand(request: Request, module: Module, cache: DiskCache | None = None) -> Callable[[Kernel], Artifact]:
    """What gives the binary of one kernel of a module, from the cache, where each has an entry of its own, or by the target's
    compiler. Raises what `artifact_of` raises, when it is called."""
    backend, cache, key = request.target.backend, cache or open_cache(), request.key("binary")
    assert isinstance(backend, OnDemandBackend)

    def built(kernel: Kernel) -> Artifact:
        alone = backend.module_of_kernel(module, kernel)

        def build() -> Built:
            artifact = backend.build(alone)
            Dump.of(request).log(artifact.log, kernel.name)
            return Built(artifact.binary, artifact.log, dict(artifact.files), artifact.compiler)

        own = Key({**key.parts, "kernel": kernel.name})
        made = build() if Dump.is_on() else cache.record(own, BUILT, build)
        return Artifact(alone, made.binary, None, made.log, made.files, made.compiler)

    return built


@cache
def _modules(schedule_kinds: tuple[type, ...]) -> Records[Module]:
    """How modules of a backend with these schedules are kept."""
    return Records(Module, {Schedule: schedule_kinds})


@dataclass(frozen=True, slots=True)
class Dump:
    """The folder of one request; without a folder nothing is written."""

    folder: Path | None

    @staticmethod
    def is_on() -> bool:
        return bool(os.environ.get("UOL_DUMP"))

    @staticmethod
    def of(request: Request) -> Dump:
        if not Dump.is_on():
            return Dump(None)
        name = f"{request.instance.op.name}-{request.target.name.replace(':', '-')}-{request.key('module').digest[:8]}"
        return Dump(Path(os.environ["UOL_DUMP"]) / name)

    def program(self, program: Program) -> None:
        if self.folder is None:
            return
        from uol.codegen.specs.printer import program_text

        self._write("1-op.uol", program.text + "\n")
        self._write("2-program.txt", program_text(program))

    def graph(self, graph: KernelGraph) -> None:
        if self.folder is None:
            return
        from uol.codegen.specs.printer import graph_text

        self._write("3-kernels.txt", graph_text(graph))

    def module(self, module: Module) -> None:
        if self.folder is None:
            return
        lines = [f"{k.name}: {k.schedule.describe()}\n  {k.launch}\n  {k.footprint}\n" for k in module.kernels]
        self._write("4-schedules.txt", "".join(lines))
        for file in (module.device, *module.host):
            self._write(file.name, file.text)

    def log(self, text: str, kernel: str = "") -> None:
        self._write(f"build{kernel and f'-{kernel}'}.log", text)

    def _write(self, name: str, text: str) -> None:
        if self.folder is None:
            return
        try:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except OSError as error:
            raise ResourceError(
                f"cannot write {str(self.folder)!r}: {error.strerror or error}",
                hint="set UOL_DUMP to a folder that can be written, or unset it",
            ) from error
