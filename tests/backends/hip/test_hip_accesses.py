"""An access of 16 bytes in the text is one instruction of gfx90a, as llvm-objdump shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

import uol
from uol.backends import registry
from uol.backends.hip import accesses as code
from uol.backends.hip import clang
from uol.codegen.backend import Module, SourceFile
from uol.codegen.extensions import Accesses, DisassembledBackend
from uol.conformance import build_check

pytestmark = pytest.mark.skipif(clang.find() is None, reason="there is no clang with AMD's libraries")

STRUCTS = """
template <class V> UOL_DEVICE V load_whole(const void* from) { return *static_cast<const V*>(from); }
template <class V> UOL_DEVICE void store_whole(void* to, const V& value) { *static_cast<V*>(to) = value; }
}  // namespace uol

#include "uol_device_common.h"
"""
"""Accesses by copies of structs, which LLVM takes apart: what the header had."""


def module_of(op: str) -> Module:
    return uol.compile(op, "hip:mi250x", "f16", {"S": (4096,)}).module


def accesses_of(module: Module) -> Accesses:
    """Those of the one kernel of a module."""
    backend = registry.get("hip")
    assert isinstance(backend, DisassembledBackend)
    (found,) = backend.accesses(backend.build(module)).values()
    return found


def with_struct_copies(module: Module) -> Module:
    """The module with the header as it would be without patterns of bits."""
    (header,) = (file for file in module.host if file.name == "uol_device.h")
    before, _, _ = header.text.partition("// One access of up to 16 bytes")
    planted = SourceFile(header.name, before + STRUCTS)
    return replace(module, host=tuple(planted if file == header else file for file in module.host))


@pytest.mark.parametrize(("op", "loads"), [("relu", 1), ("relu_grad", 2)])
def test_vectors_of_halves_are_read_and_written_at_once(op: str, loads: int) -> None:
    """On both ways, for tensors that lie at multiples of 16 bytes and for others, which the machine takes as well."""
    assert accesses_of(module_of(op)) == Accesses({("load", 16): 2 * loads, ("store", 16): 2}, ())


@pytest.mark.parametrize(("op", "found"), [("relu", "store of 12 + 2 + 2 bytes"), ("relu_grad", "load of 2 + 8 + 4 + 2 bytes")])
def test_copies_of_structs_come_apart_and_are_found(op: str, found: str) -> None:
    split = accesses_of(with_struct_copies(module_of(op))).split
    assert any(each.startswith(found) for each in split), split


def test_build_check_fails_for_an_access_that_comes_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--accesses", "--dtype", "f16", "--op", "relu"]
    assert build_check.main(command) == 0
    assert "of which move 16 bytes at once" in capsys.readouterr().out
    generate = build_check.generate
    monkeypatch.setattr(build_check, "generate", lambda request: with_struct_copies(generate(request)))
    assert build_check.main(command) == 1
    assert "relu_kernel: store of 12 + 2 + 2 bytes" in capsys.readouterr().out


TYPES = {"uol::f16": 2, "uol::bf16": 2, "uol::f8e4m3": 1, "float": 4, "double": 8, "signed char": 1, "int": 4, "long long": 8}


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_is_moved_by_as_many_bytes_as_are_asked_for(dtype: str) -> None:
    """Through both forms of `load_vector`: at a pointer, and from an element on. Each element takes another's place, so that
    none can be left in memory."""
    module, size = module_of("relu"), TYPES[dtype]
    body = '#include "uol_device.h"\n'
    widths = [width for width in (4, 8, 16) if width > size]
    kernels = []
    for width in widths:
        n = width // size
        name = f"reversed_{width}_kernel"
        body += f"""extern "C" __global__ void {name}(const {dtype}* __restrict__ x, {dtype}* __restrict__ y, int last) {{
  const uol::Vector<{dtype}, {n}> given = uol::load_vector<{n}>(x + threadIdx.x * {n});
  uol::Vector<{dtype}, {n}> turned;
  for (int k = 0; k < {n}; ++k) turned.at[k] = given.at[(k ^ 1) % {n}];
  uol::store_vector(y, (last - threadIdx.x) * {n}, turned, true);
}}
"""
        kernels.append(replace(module.kernels[0], name=name))
    written = replace(module, kernels=tuple(kernels), device=SourceFile(module.device.name, body))
    found = code.accesses(registry.get("hip").build(written))
    assert [each.widths for each in found.values()] == [{("load", width): 1, ("store", width): 1} for width in widths]
