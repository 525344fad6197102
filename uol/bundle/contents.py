"""What a bundle holds beside its manifest: texts, which uol writes, and binaries, which the target's compiler makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uol.backends.abi.interface import ABI_HEADER, TORCH_EXTENSION
from uol.bundle import selftest
from uol.codegen.backend import Module
from uol.ir.errors import MissingToolError

if TYPE_CHECKING:
    from uol.compiler import Compiled

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Binaries:
    """Files that a compiler made, and which one; nothing where it is missing."""

    files: Mapping[str, bytes]
    compiler: str = ""


def texts_of(compiled: Compiled) -> dict[str, bytes]:
    """Every text of a bundle: that of the kernels, the module's further files, the build line, the self-test, what
    makes it an operator of PyTorch."""
    module = compiled.module
    texts = {file.name: file.text for file in (module.device, *module.host)}
    what = f"{module.graph.name} for {module.backend}:{module.device_name}"
    texts["build.sh"] = f"#!/bin/sh\n# Builds {what}: {request_text(compiled)}.\nset -eu\n{module.build}\n"
    texts["selftest.py"] = Path(selftest.__file__).read_text(encoding="utf-8")
    if ABI_HEADER in texts:
        texts[TORCH_EXTENSION.name] = TORCH_EXTENSION.read_text(encoding="utf-8")
    return {name: text.encode() for name, text in texts.items()}


def request_text(compiled: Compiled) -> str:
    """`"T=f32; C=70, S=50x2; eps=1e-05"`: the types, sizes and attributes that a bundle is made for; `_` is an open size."""
    request = compiled.request
    instance = request.instance
    strides = [f"{name} at strides {'x'.join(map(str, each)) or '()'}" for name, each in request.layouts.items()]
    groups = ([f"{name}={dtype}" for name, dtype in instance.types.items()], size_texts(compiled))
    attributes = [f"{name}={value!r}" for name, value in instance.attrs.items()]
    return "; ".join(", ".join(group) for group in (*groups, attributes, strides) if group) or "no sizes"


def size_texts(compiled: Compiled) -> list[str]:
    """`["C=70", "S=50x2"]`."""
    instance = compiled.request.instance
    packs: Mapping[str, Sequence[int | None] | None] = instance.packs
    return [
        *(f"{name}={_size(size)}" for name, size in instance.dims.items()),
        *(f"{name}={'_' if sizes is None else 'x'.join(map(_size, sizes))}" for name, sizes in packs.items()),
    ]


def binaries_of(compiled: Compiled, module: Module | None = None) -> Binaries:
    """What the target's compiler makes of the texts and a bundle carries. It is built here and now: what the cache holds may
    be of another compiler. `module` stands in place of the operator's own.

    Raises ToolchainError where the compiler refuses the text.
    """
    module = module or compiled.module
    if not module.products:
        return Binaries({})
    try:
        artifact = compiled.request.target.backend.build(module)
    except MissingToolError:
        return Binaries({})
    return Binaries({name: artifact.files[name] for name in module.products}, artifact.compiler)


def _size(size: int | None) -> str:
    return "_" if size is None else str(size)
