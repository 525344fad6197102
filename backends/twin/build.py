"""Executables of many modules: texts in, cached executables out."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import platform
import re
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from uol.backends.toolchain.running import run_tool, said_of_version
from uol.backends.twin import cache
from uol.backends.twin.cache import Built
from uol.backends.twin.folders import sweep_unfinished
from uol.backends.twin.kind import TwinKind, Unit
from uol.backends.twin.locals import filled
from uol.backends.twin.machine import processors
from uol.backends.twin.record import Finding
from uol.codegen.backend import Module
from uol.ir.errors import ResourceError, ToolchainError

BATCH = 16
"""Modules in one compiler run: starting the compiler costs as much as a few kernels."""


NO_SPACE = os.strerror(errno.ENOSPC)


@dataclass(frozen=True, slots=True)
class Order:
    """A module to be built. `key` identifies it: text, kernels, kind, mode."""

    kind: TwinKind
    module: Module
    checked: bool
    counted: bool
    key: str


def order(kind: TwinKind, module: Module, checked: bool, counted: bool = False) -> Order:
    modes = fingerprint(kind), str(checked), str(counted)
    parts = (*modes, module.device.name, module.device.text, *(k.name for k in module.kernels))
    return Order(kind, module, checked, counted, digest(parts))


def build_modules(orders: Sequence[Order]) -> dict[str, Built | Finding]:
    """The executables of modules by key, compiled where the cache has none; a text that does not compile is a finding.

    Raises ToolchainError without a compiler, ResourceError without room for its files.
    """
    built: dict[str, Built | Finding] = {}
    missing: dict[str, Order] = {}
    for item in orders:
        found = cache.find(item.key)
        if found is not None:
            built[item.key] = found
        else:
            missing[item.key] = item
    batches = list(split_batches(list(missing.values())))
    if not batches:
        return built
    try:
        sweep_unfinished(cache.cache_folder())
        cache.prune()
        for item in {(i.kind.name): i for i in missing.values()}.values():
            runtime_objects(item.kind)
        with ThreadPoolExecutor(processors()) as pool:
            for result in pool.map(build_batch, batches):
                built |= result
    except OSError as error:
        raise no_room(f"the twin cannot be built in {cache.cache_folder()}: {error.strerror}") from error
    return built


def no_room(message: str) -> ResourceError:
    """The error of a folder that is full, or cannot be written."""
    return ResourceError(message, hint="make room there, or set UOL_CACHE_DIR and TMPDIR to folders with more room")


def split_batches(orders: list[Order]) -> Iterable[list[Order]]:
    """Orders of one kind and mode together, evenly over the compilers, at most `BATCH` a run."""
    groups: dict[tuple[str, bool, bool], list[Order]] = {}
    for item in orders:
        groups.setdefault((item.kind.name, item.checked, item.counted), []).append(item)
    for group in groups.values():
        runs = max(-(-len(group) // BATCH), min(processors(), len(group) // 4), 1)
        for start in range(runs):
            yield group[start::runs]


def build_batch(batch: list[Order]) -> dict[str, Built | Finding]:
    """One executable. When its texts do not compile together, each is tried alone, so that one cannot spoil the rest."""
    place = cache.cache_folder() / "exe" / digest(item.key for item in batch)
    units = tuple(Unit(slot, item.module, f"m{slot}/{item.module.device.name}") for slot, item in enumerate(batch))
    try:
        cache.publish(place, lambda folder: compile_units(batch[0], units, folder))
    except CompileError as error:
        if len(batch) == 1:
            return {batch[0].key: finding_of(error, units[0])}
        return {key: result for item in batch for key, result in build_batch([item]).items()}
    result = {item.key: Built(place / "twin", unit.slot, unit.include) for item, unit in zip(batch, units, strict=True)}
    for key, built in result.items():
        cache.remember(key, built)
    return {**result}


class CompileError(Exception):
    """The compiler's words."""


def compile_units(sample: Order, units: tuple[Unit, ...], folder: Path) -> None:
    """Write texts and glue into a folder and build `twin` there. Paths are relative, for the folder will be renamed."""
    kind = sample.kind
    for unit in units:
        path = folder / unit.include
        path.parent.mkdir()
        path.write_text(text_of(unit.module, sample))
    (folder / "glue.cpp").write_text(kind.glue(units))
    include = [f"-I{path}" for path in kind.include]
    run_compiler([kind.compiler, *kind.text_flags(sample.checked), "-I.", *include, "-c", "glue.cpp", "-o", "glue.o"], folder)
    link(kind, folder)
    (folder / "glue.o").unlink()


def text_of(module: Module, sample: Order) -> str:
    """The text as it is compiled: with what fills open variables, and what counts statements, where that is wanted."""
    if not sample.checked:
        return module.device.text
    return filled(module.device.text, sample.kind.marks(module).insertions if sample.counted else ())


def link(kind: TwinKind, folder: Path) -> None:
    """`twin` from `glue.o` and the runtime. A runtime that was damaged since it was built is built anew."""
    quick = ("-fuse-ld=gold",) if shutil.which("ld.gold") else ()  # a sixth of the time of GNU ld
    command = [kind.compiler, *kind.link_flags, *quick, "-o", "twin", "glue.o"]
    objects = runtime_objects(kind)
    try:
        run_compiler([*command, *map(str, objects)], folder)
    except CompileError:
        if cache.intact(objects[0].parent):
            raise
        cache.drop(objects[0].parent)
        run_compiler([*command, *map(str, runtime_objects(kind))], folder)


def runtime_objects(kind: TwinKind) -> list[Path]:
    """A kind's runtime as objects in the order of its sources, compiled once and cached."""
    place = cache.cache_folder() / "objects" / fingerprint(kind)
    include = [f"-I{path}" for path in kind.include]

    def compile_one(source: Path, folder: Path) -> None:
        try:
            run_compiler([kind.compiler, *kind.runtime_flags, *include, "-c", str(source), "-o", f"{source.stem}.o"], folder)
        except CompileError as error:
            raise ToolchainError(f"{kind.compiler} cannot build the twin's runtime:\n{error}") from error

    def fill(folder: Path) -> None:
        with ThreadPoolExecutor(processors()) as pool:
            list(pool.map(lambda source: compile_one(source, folder), kind.runtime))

    cache.publish(place, fill)
    return [place / f"{source.stem}.o" for source in kind.runtime]


def run_compiler(command: list[str], folder: Path) -> None:
    try:
        result = run_tool(command[0], command, folder, timeout_s=None)
    except FileNotFoundError as error:
        raise ToolchainError(
            f"the twin needs a C++ compiler, and {command[0]!r} is not there", hint="install g++ (Debian: apt install g++)"
        ) from error
    if result.returncode == 0:
        return
    full = next((line for line in result.stderr.splitlines() if NO_SPACE in line), None)
    if full is not None:
        raise no_room(f"{command[0]} cannot build the twin in {cache.cache_folder()}: {full.strip()}")
    raise CompileError(result.stderr)


def finding_of(error: CompileError, unit: Unit) -> Finding:
    """The compiler's first error, at its line of the text: where it stands, or where a header's template was used."""
    text, file = str(error), re.escape(unit.include)
    patterns = (
        rf"^{file}:(\d+):(?:\d+:)? (?:fatal )?error: (.*)$",
        rf"^{file}:(\d+):(?:\d+:)? +required from here$(?:.|\n)*? error: (.*)$",
    )
    matches = [match for match in (re.search(pattern, text, re.MULTILINE) for pattern in patterns) if match]
    if matches:
        first = min(matches, key=lambda match: match.start())
        return Finding("compile-error", first[2], "", int(first[1]))
    return Finding("compile-error", text.strip()[:2000] or "the compiler failed without a word", "", 0)


@functools.cache
def fingerprint(kind: TwinKind) -> str:
    """Everything but the texts that decides what an executable does: sources, flags, compiler, processor."""
    flags = (*kind.text_flags(True), "|", *kind.text_flags(False), "|", *kind.runtime_flags, "|", *kind.link_flags)
    files = [path.name + "\n" + path.read_text() for path in (*kind.runtime, *kind.headers)]
    here = Path(__file__).parent
    driver = [(here / name).read_text() for name in ("build.py", "locals.py", "../c_text/source_tokens.py")]
    return digest((kind.name, *flags, *files, *driver, kind.glue(()), compiler_version(kind.compiler), processor()))


@functools.cache
def compiler_version(compiler: str) -> str:
    try:
        return said_of_version(compiler)
    except FileNotFoundError as error:
        raise ToolchainError(
            f"the twin needs a C++ compiler, and {compiler!r} is not there", hint="install g++ (Debian: apt install g++)"
        ) from error


@functools.cache
def processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(line for line in lines[:40] if line.startswith(("model name", "flags")))


def digest(parts: Iterable[str]) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part.encode())
        sha.update(b"\0")
    return sha.hexdigest()[:40]
