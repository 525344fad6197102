"""From a request to text and binary, through the cache.

A request that the cache holds is answered without TVM's compiler and without the language's checker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from uol.backends.cache.files import DiskCache, open_cache
from uol.backends.cache.records import Records
from uol.binding.addresses import require_addressable_program, require_addressable_workspace
from uol.codegen.backend import Artifact, Module, Schedule
from uol.compilation.compile_key import Request
from uol.compilation.dump import Dump
from uol.ir.program.nodes import Program
from uol.operators.registry import catalogue
from uol.without_torch import import_tvm


@dataclass(frozen=True, slots=True)
class Built:
    """What a target's compiler has made of a module, as it is kept."""

    binary: bytes
    log: str
    files: Mapping[str, bytes]


BUILT = Records(Built)


def program_of(request: Request) -> Program:
    """The typed program. Raises what the language's checker raises."""
    import_tvm()
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
    records = _modules(tuple(request.target.backend.schedule_kinds))
    return (cache or open_cache()).record(request.key("module"), records, lambda: generate(request))


def generate(request: Request) -> Module:
    """Program, kernel graph, schedules, text: nothing from the cache."""
    program = program_of(request)
    from uol.codegen.lowering import lower
    from uol.codegen.pipeline import compile_graph

    dump = Dump.of(request)
    dump.program(program)
    require_addressable_program(program)
    graph = lower(program, request.target.backend, request.layouts)
    dump.graph(graph)
    require_addressable_workspace(graph)
    module = compile_graph(graph, request.target.backend, request.target.device, request.policy)
    dump.module(module)
    return module


def artifact_of(request: Request, module: Module, cache: DiskCache | None = None) -> Artifact:
    """The built module; its binary lies on disk. Raises ToolchainError where the target's compiler is missing."""
    cache = cache or open_cache()
    key = request.key("binary")

    def build() -> Built:
        artifact = request.target.backend.build(module)
        Dump.of(request).log(artifact.log)
        return Built(artifact.binary, artifact.log, dict(artifact.files))

    built = build() if Dump.is_on() else cache.record(key, BUILT, build)
    path = cache.materialise(key, ".bin", built.binary)
    return Artifact(module, built.binary, path, built.log, built.files)


@cache
def _modules(schedule_kinds: tuple[type, ...]) -> Records[Module]:
    """How modules of a backend with these schedules are kept."""
    return Records(Module, {Schedule: schedule_kinds})
