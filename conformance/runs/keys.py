"""What the result of a case depends on, as hashes, in two levels.

The first level is cheap: every source that may take part, the versions of what computes, the machine. Where it is what it
was, so is all else, and nothing need be generated. Where it is not, a case has the same result all the same if its judge is
what it was (`JUDGE`), and so are its emitted text and inputs (`content_of`).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from uol.backends import registry
from uol.backends.cache.files import PACKAGES, Key, hash_of, package_files
from uol.backends.cache.records import Records
from uol.backends.twin.build import compiler_version
from uol.compilation.generator import backend_hash, generator_files, tool_versions
from uol.compilation.pipeline import module_records
from uol.conformance.runs.twins import twin_kinds
from uol.ir.errors import ToolchainError
from uol.ir.program.nodes import Program
from uol.operators.sources import OperatorSources

if TYPE_CHECKING:
    from uol.conformance.cases.twin_check import Prepared

JUDGE: Mapping[str, str] = {
    "uol/conformance/accuracy/": "comparators, and what a contract admits",
    "uol/conformance/contracts.toml": "the contracts",
    "uol/conformance/cases/": "how a case is run and judged",
    "uol/conformance/gradients/cases.py": "inputs of gradients, and their comparison with autograd",
    "uol/ir/program/": "the golden interpreter, roundings and types in memory",
    "uol/ir/integers/": "the intervals of its indices",
    "uol/ir/functions.py": "the built-in functions and what they may err by",
    "uol/ir/operators.py": "the operators of expressions",
    "uol/ir/types.py": "the types",
    "uol/ir/library.py": "which names are gradients",
    "uol/ops/references/": "PyTorch's functions, as references",
    "uol/ops/accuracy.py": "contracts of operators",
    "uol/ops/inputs.py": "inputs of gradients' forwards",
    "uol/ops/row_inputs.py": "the same",
    "uol/ops/wide_inputs.py": "the same, and which results are sums",
    "uol/backends/twin/": "the twins",
    "uol/backends/loading/": "calls of kernels that run here",
    "uol/backends/cpu/oracle/": "the oracle",
    "uol/backends/cpu/expressions/": "its expressions",
    "uol/backends/cpu/statements.py": "its statements",
    "uol/backends/cpu/frame.py": "its function",
    "uol/backends/cpu/runtime/": "the linking and calls of the CPU's kernels, and the oracle's",
    "uol/backends/cpu/assembling.py": "what the CPU links",
    "uol/backends/toolchain/": "how compilers are called",
    "uol/codegen/specs/nodes.py": "what the oracle reads",
    "uol/codegen/specs/traverse.py": "the same",
    "uol/compiler.py": "the call of a compiled operator",
}
"""Files and folders of the package that decide whether a case passes, apart from what generates its text, and what they are."""

RUN = ("uol/ops/", "uol/backends/twin/", *(f"uol/conformance/{part}" for part in ("accuracy", "cases", "gradients", "runs")))
"""What may change a result of `uol conform --op` beside what generates texts."""
NO_PART = ("uol/cli/", "uol/conformance/report/", "uol/conformance/bench/")
"""What changes no result of a command beside the rooms."""
_JUDGES = ("apache-tvm", "numpy", "torch")


@cache
def sources_of_cases() -> str:
    """Hash of every source and version that a result of `uol conform --op` may depend on."""
    ours = (each for each in _files() if each[0].startswith(RUN) or each[0] == "uol/conformance/contracts.toml")
    return _hashed(*generator_files(), *ours)


@cache
def sources_of_commands() -> str:
    """The same of the commands beside the rooms: every source but a few."""
    return _hashed(*(each for each in _files() if not each[0].startswith(NO_PART)))


def judge_of_cases(sources: OperatorSources) -> str:
    """Hash of what judges a case: `JUDGE`, the versions of what computes, the twins' compiler, and a user's own modules, which
    may hold references."""
    return Key({"judge": _judge(), "own": own_sources(replace(sources, files=()))}).digest


def judge_of(*files: str) -> str:
    """Hash of the judge of a command: some files and folders of the package, by their names, and what judges a case."""
    return Key({"judge": _judge(), "own": hash_of(each for each in _files() if each[0].startswith(files))}).digest


@cache
def _judge() -> str:
    return _hashed(*(each for each in _files() if each[0].startswith(tuple(JUDGE))), compiler=_twin_compiler())


@cache
def _files() -> tuple[tuple[str, Path], ...]:
    return tuple(package_files(*PACKAGES))


def _hashed(*files: tuple[str, Path], compiler: str = "") -> str:
    versions = {**tool_versions(), **{name: metadata.version(name) for name in _JUDGES}}
    return Key({"files": hash_of(dict(files).items()), "versions": versions, "compiler": compiler}).digest


def _twin_compiler() -> str:
    """What the twins are compiled with; empty where there is none: then nothing runs that would be taken over."""
    try:
        return ", ".join(sorted({compiler_version(kind.compiler) for kind in twin_kinds()}))
    except ToolchainError:
        return ""


@cache
def machine_of(targets: tuple[str, ...]) -> str:
    """Hash of what the texts and binaries for some targets depend on of this machine, and of a user's own backends."""
    backends = [registry.get(target.partition(":")[0]) for target in targets]
    parts = [(dict(b.machine()), dict(b.build_tools()), backend_hash(b)) for b in backends]
    return Key({"machine": parts, "compiler": _twin_compiler()}).digest


def own_sources(sources: OperatorSources) -> str:
    """Hash of a user's `.uol` files and modules, and of what else was loaded from the folders of these; empty for none."""
    if not (sources.modules or sources.files):
        return ""
    loaded = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    named = {Path(file).resolve() for file in loaded if file}
    folders = {_folder(module) for module in sources.modules}
    own = sorted(file for file in named if any(file.is_relative_to(folder) for folder in folders) and file.is_file())
    files = (*own, *(Path(file).resolve() for file in sources.files))
    return Key({str(file): hash_of_bytes(file.read_bytes()) for file in files}).digest  # they may change while a process lives


def _folder(module: str) -> Path:
    """The folder that a user's module lies in."""
    if module.endswith(".py"):
        return Path(module).resolve().parent
    found = sys.modules.get(module.partition(".")[0])
    return Path(found.__file__).resolve().parent if found is not None and found.__file__ else Path.cwd()


def content_of(prepared: Prepared) -> str:
    """Hash of what is judged of a case: its emitted kernels with their schedules and launches, its program, and its inputs."""
    module = prepared.compiled.module
    sha = hashlib.sha256(module_records(registry.get(module.backend)).encode(module))
    sha.update(Records(Program).encode(prepared.program))
    sha.update(repr(sorted(prepared.scalars.items())).encode())
    for array in _arrays(prepared):
        sha.update(array)
    return sha.hexdigest()


def _arrays(prepared: Prepared) -> Iterator[bytes]:
    """Values and buffers, each with what it is an array of."""
    for arrays in (prepared.values, prepared.buffers):
        for name, array in sorted(arrays.items()):
            yield f"{name} {array.dtype} {array.shape} {array.strides}".encode()
            yield array.tobytes()


def hash_of_bytes(data: bytes) -> str:
    """sha256, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def content_of_refusal(reason: str) -> str:
    """Hash of what is known of a case that its target refuses."""
    return hashlib.sha256(f"refused: {reason}".encode()).hexdigest()


def together(contents: Sequence[str]) -> str:
    """One hash of several; empty where one is not known."""
    return Key({"contents": contents}).digest if all(contents) else ""
