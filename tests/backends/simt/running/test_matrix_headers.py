"""uol_matrix.h of CUDA and HIP: every primitive becomes the vendor's instruction, in registers alone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from sass import instructions, needs_sass
from simt_cases import BACKENDS, Case, module_of, on_matrix_units

from uol.backends import registry
from uol.backends.hip import clang
from uol.backends.simt.machine.fragments import UNITS
from uol.backends.simt.machine.matrix_primitives import HEADER, MOVES, WORDS_HEADER, needs_header
from uol.backends.simt.simt_backend import SimtBackend
from uol.codegen.backend import Device, SourceFile

HEADERS = {name: BACKENDS / name / "include" / HEADER for name in ("cuda", "hip")}
WORDS = BACKENDS / "simt" / "include" / WORDS_HEADER
TWIN = BACKENDS / "twin" / "simt" / "include" / HEADER

CUDA = """
#include "uol_device.h"
#include "uol_matrix.h"
extern "C" __global__ void __launch_bounds__(32) KERNEL(const unsigned* x, unsigned* y, int n)
{
  unsigned char* shared = uol::dynamic_shared();
  const int t = threadIdx.x;
  const unsigned* from = uol::pinned(x + t * 4);
  uol::copy_async<4>(shared + t * 4, x + t);
  uol::copy_async<8>(shared + 128 + t * 8, x + t * 2);
  uol::copy_async<16>(shared + 512 + t * 16, from);
  uol::commit_copies();
  uol::copy_async<4>(shared + 1024 + t * 4, x + t, t < n);
  uol::copy_async<8>(shared + 1152 + t * 8, x + t * 2, t < n);
  uol::copy_async<16>(shared + 1536 + t * 16, from, t < n);
  uol::commit_copies();
  uol::wait_copies<1>();
  uol::wait_copies<0>();
  __syncthreads();
  unsigned a[4], b[4], words[7] = {};
  uol::load_matrices(a, shared + t * 16);
  uol::load_matrices_transposed(b, shared + 512 + t * 16);
  float d[4] = {};
  int whole[4] = {};
  uol::mma_16x8x16_f16(d, a, b);
  uol::mma_16x8x16_bf16(d, a, b + 2);
  uol::mma_16x8x8_tf32(d, a, b);
  uol::mma_16x8x32_i8(whole, a, b);
  uol::load_words<4>(words, x + t);
  uol::load_words<8>(words + 1, shared + t * 8);
  uol::load_words<16>(words + 3, x + t * 4, t < n);
  uol::store_words<4>(y + t, words);
  uol::store_words<8>(shared + t * 8, words + 1, t < n);
  uol::store_words<16>(y + 64 + t * 4, words + 3);
  words[0] = uol::pack_f16(d[0], d[1]) + whole[0];
  words[1] = uol::pack_bf16(d[2], d[3]) + uol::high_halves(a[0], uol::low_halves(whole[1], words[0]));
  uol::store_words<8>(y + 256 + t * 2, words, t < n);
  unsigned left[16], right[8];
  uol::tf32_parts<8>(left, a), uol::widen_f16<4>(right, b), uol::widen_bf16<4>(right + 4, b + 2);
  uol::mma_16x8x16_f32_f32(d, left, right);
  uol::mma_16x8x16_f32_tf32(d, left, right);
  uol::mma_16x8x16_tf32_f32(d, left, right);
  uol::mma_16x8x16_tf32_tf32(d, left, right);
  d[0] = uol::greatest(d[1], uol::exp2_flushed(uol::fused(d[2], d[3], d[0])));
  if (uol::uniform(n > t / 32) && uol::are_finite<4>(d)) uol::store_words<16>(y + 512 + t * 4, reinterpret_cast<unsigned*>(d));
}
"""

HIP = """
#include "uol_device.h"
#include "uol_matrix.h"
extern "C" __global__ void __launch_bounds__(64) KERNEL(const unsigned* x, unsigned* y, int n)
{
  unsigned char* shared = uol::dynamic_shared();
  const int t = threadIdx.x;
  const unsigned* from = uol::pinned(x + t * 4);
  const uol::BufferRange range = uol::buffer_range(x, n * 4);
  unsigned words[7] = {}, rows[4][2], a[4], b[4];
  uol::load_buffer<4>(words, range, t * 4, 0);
  uol::load_buffer<8>(words + 1, range, t * 8, n * 4, t < n);
  uol::load_buffer<16>(words + 3, range, t * 16, n);
  for (int r = 0; r < 4; ++r) uol::load_words<8>(rows[r], from + r * 2);
  uol::transpose_4x4(rows);
  for (int r = 0; r < 4; ++r) uol::store_words<8>(shared + t * 32 + r * 8, rows[r]);
  __syncthreads();
  uol::load_words<16>(a, shared + t * 16);
  uol::load_words<16>(b, shared + 1024 + t * 16, t < n);
  float wide[16] = {}, narrow[4] = {};
  int wide_whole[16] = {}, narrow_whole[4] = {};
  uol::mfma_32x32x8_f16(wide, a, b);
  uol::mfma_16x16x16_f16(narrow, a, b);
  uol::mfma_32x32x8_bf16(wide, a + 2, b + 2);
  uol::mfma_16x16x16_bf16(narrow, a + 2, b + 2);
  uol::mfma_32x32x2_f32(wide, wide + 3, narrow);
  uol::mfma_16x16x4_f32(narrow, wide + 2, narrow + 1);
  uol::mfma_32x32x8_i8(wide_whole, a, b);
  uol::mfma_16x16x16_i8(narrow_whole, a + 1, b + 3);
  if (uol::uniform(n > t / 64)) uol::store_words<4>(y + t, words);
  uol::store_words<8>(y + 64 + t * 2, words + 1, t < n);
  uol::store_words<16>(y + 192 + t * 4, words + 3);
  words[0] = uol::pack_f16(wide[0], wide[5]) + wide_whole[0];
  words[1] = uol::pack_bf16(narrow[2], narrow[3]) + uol::high_halves(a[0], uol::low_halves(narrow_whole[1], words[0]));
  uol::store_words<8>(y + 512 + t * 2, words, t < n);
  narrow[0] = uol::greatest(narrow[1], uol::exp2_flushed(narrow[0]));
  uol::store_words<16>(y + 768 + t * 4, reinterpret_cast<unsigned*>(narrow));
  unsigned turned[4][4];
  for (int r = 0; r < 4; ++r) uol::load_words<16>(turned[r], from + r * 4);
  uol::loads_before();
  uol::transpose_4x4_words(turned);
  for (int r = 0; r < 4; ++r) uol::store_words<16>(y + 1024 + t * 16 + r * 4, turned[r]);
}
"""

SASS = {
    *("LDGSTS", "LDGDEPBAR", "DEPBAR", "LDSM", "HMMA", "IMMA", "F2FP"),
    *("LDG", "STG", "LDS", "STS", "FMNMX", "FFMA", "MUFU"),
}
"""What stands for copies, groups, waits, matrices, products, two values in a register; the greater, a power of 2."""

AMD = {
    *("v_mfma_f32_32x32x8f16", "v_mfma_f32_16x16x16f16", "v_mfma_f32_32x32x8bf16_1k", "v_mfma_f32_16x16x16bf16_1k"),
    *("v_mfma_f32_32x32x2f32", "v_mfma_f32_16x16x4f32", "v_mfma_i32_32x32x8i8", "v_mfma_i32_16x16x16i8"),
    *("buffer_load_dword", "buffer_load_dwordx2", "buffer_load_dwordx4", "v_perm_b32", "ds_read_b128", "v_exp_f32_e32"),
    *("global_store_dword", "global_store_dwordx2", "global_store_dwordx4"),
}


def device_of(target: str, architecture: str) -> Device:
    devices: Mapping[str, Device] = registry.get(target).devices
    return next(device for device in devices.values() if device.architecture == architecture)


@needs_sass
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_cuda_primitives_are_instructions_on_registers(architecture: str) -> None:
    from uol.backends.cuda import resources, toolchain

    artifact = toolchain.build(on_matrix_units("cuda", CUDA), device_of("cuda", architecture))
    (found,) = resources.resources(artifact).values()
    assert found.local_bytes == 0
    (listed,) = instructions(artifact.binary).values()
    assert listed.keys() >= SASS
    assert (listed["LDGSTS"], listed["LDGDEPBAR"], listed["LDSM"], listed["IMMA"]) == (6, 2, 2, 1)
    by_parts, equal = 6 + 4 + 4 + 2, 5
    assert 3 + by_parts - equal <= listed["HMMA"] <= 3 + by_parts, "of products with equal factors ptxas may leave one"


@pytest.mark.skipif(clang.find() is None, reason="there is no clang with AMD's libraries to build a code object with")
@pytest.mark.parametrize("architecture", ["gfx90a", "gfx942"])
def test_hip_primitives_are_instructions_on_registers(architecture: str) -> None:
    from uol.backends.hip import resources, toolchain

    artifact = toolchain.build(on_matrix_units("hip", HIP), device_of("hip", architecture))
    assert artifact.compiler.startswith("clang")
    (found,) = resources.resources(artifact).values()
    assert found.local_bytes == 0
    if architecture == "gfx90a":
        assert set(re.findall(r"\t(\w+)", disassembled(artifact.binary))) >= AMD


def disassembled(binary: bytes) -> str:
    compiler = clang.find()
    assert compiler is not None
    reader = Path(compiler).resolve().with_name("llvm-objdump")
    if not reader.exists():
        pytest.skip("llvm-objdump is not installed beside clang, so there is nothing to read")
    command = [reader, "-d", "--mcpu=gfx90a", "-"]
    return subprocess.run(command, input=binary, capture_output=True, check=True).stdout.decode()


def defined(header: Path) -> set[str]:
    """The functions that a header defines for kernels."""
    text = header.read_text()
    named = re.findall(r"(?m)^(?:template <.*?> )?UOL_DEVICE [^(\n]*?(\w+)\(", text)
    return {*named, *re.findall(r"(?m)^UOL_(?:MMA|PRODUCT|BY_TF32)\((\w+)", text)} - {"name"}


def test_the_headers_define_what_texts_may_call() -> None:
    """Each primitive stands in a header, and the twin has all of them."""
    both = defined(HEADERS["cuda"]) | defined(HEADERS["hip"])
    helpers = {"shared_address", "words_of", "sums", "four_of", "two_words", "require_room", "require_operands"}
    shared = {"widen_f16", "widen_bf16", "tf32_parts", "are_finite", "bit", "bits", "has_none"}
    shared |= {"fused", "copy_elements", "load_elements"}
    assert defined(WORDS) >= shared
    assert both - helpers == set(UNITS) | MOVES - shared
    assert defined(TWIN) - helpers == set(UNITS) | MOVES - shared


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_products_of_an_architecture_stand_in_its_header(target: str) -> None:
    backend = registry.get(target)
    assert isinstance(backend, SimtBackend)
    units = [backend.target.matrix_units(device.architecture) for device in backend.devices.values()]
    names = {name for unit in units if unit for name in unit.products}
    assert names and names <= UNITS.keys() & defined(HEADERS[target])



def test_a_literal_kernel_calls_each_primitive() -> None:
    """What the compilers take above is all there is."""
    for target, text in (("cuda", CUDA), ("hip", HIP)):
        helpers = {"shared_address", "words_of", "sums", "four_of"}
        called = set(re.findall(r"uol::([a-z]\w+)", text))
        assert defined(HEADERS[target]) - helpers == called - defined(WORDS) | called & defined(HEADERS[target])


def test_the_cuda_header_needs_none_of_a_toolkit() -> None:
    for header in HEADERS.values():
        assert re.findall(r"(?m)^#include (\S+)$", header.read_text()) == ['"uol_device.h"', f'"{WORDS_HEADER}"']
    assert "#include" not in WORDS.read_text()


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_a_module_ships_the_header_where_a_kernel_calls_a_primitive(target: str) -> None:
    module = module_of(Case("relu", {"S": 4096}, rank=1), target)
    (kernel,) = module.kernels
    assert not needs_header(kernel.text)
    assert HEADER not in module.device.text
    assert not {HEADER, WORDS_HEADER} & {file.name for file in module.host}
    backend = registry.get(target)
    on_units = replace(kernel, text=kernel.text + "// as uol::load_words<16> does\n")
    with_header = backend.assemble(module.graph, (on_units,), backend.devices[module.device_name])
    assert f'#include "uol_device.h"\n#include "{HEADER}"\n' in with_header.device.text
    assert {SourceFile(HEADER, HEADERS[target].read_text()), SourceFile(WORDS_HEADER, WORDS.read_text())} <= {*with_header.host}
