"""uol_device.h of each machine, and the part that they share: accepted by the compilers they are for."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from importlib import util
from pathlib import Path

import pytest

import uol.backends
from uol.ir.functions import FUNCTIONS

BACKENDS = Path(next(iter(uol.backends.__path__)))
HEADERS = {
    "cuda": BACKENDS / "cuda" / "include" / "uol_device.h",
    "hip": BACKENDS / "hip" / "include" / "uol_device.h",
    "twin": BACKENDS / "twin" / "simt" / "include" / "uol_device.h",
}
SHARED = {p.stem: p for p in sorted((BACKENDS / "simt" / "include").glob("uol_device*.h"))}
COMMON = SHARED["uol_device_common"]

EVERYTHING = """#include "uol_device.h"

extern "C" __global__ void __launch_bounds__(256) everything(
    const float* x, uol::f16* h, uol::bf16* b, double* d, int* i, long long* l, short* s, signed char* c, unsigned char* u,
    bool* f, uol::f8e4m3* e, uol::f8e5m2* g)
{
  __shared__ float sums[256 / uol::warp_width];
  __shared__ double wide[256 / uol::warp_width];
  __shared__ long long longs[256 / uol::warp_width];
  __shared__ bool flags[256 / uol::warp_width];
  __shared__ uol::Pick<float, int> picks[256 / uol::warp_width];
  __shared__ uol::Pick<double, long long> wide_picks[256 / uol::warp_width];
  __shared__ uol::Affine<float> maps[256 / uol::warp_width];
  __shared__ uol::Affine<double> wide_maps[256 / uol::warp_width];
  __shared__ int places[256];
  __shared__ __align__(16) uol::f16 tile[16][24];
  extern __shared__ __align__(16) float more[];
  const int t = threadIdx.x + 256 * (blockIdx.x + gridDim.x * blockIdx.y) % blockDim.x;
  float v = x[t];
  const double w = v;
  tile[t / 16][t % 16] = uol::f16(v);
  more[t] = v;
  places[t] = t;
  __syncthreads();
  v += uol::block_sum<256>(v, sums) + uol::block_prod<256>(v, sums) + uol::block_max<256>(v, sums);
  v += uol::group_fold<16>(v, uol::Sum{}) + uol::shuffle_xor(v, 1) + float(tile[t % 16][t / 16]) + more[255 - t];
  d[t] = uol::block_min<256>(w, wide) + uol::exp(w) + uol::pow(w, 2.0) + uol::rsqrt(w);
  d[t] += uol::infinity<double>() + uol::nan<double>();
  l[t] = uol::block_sum<256>(uol::cast<long long>(w), longs) + uol::highest<long long>();
  f[t] = uol::block_any<256>(v > 0, flags) && uol::block_all<256>(v < 9, flags) && uol::cast<bool>(v);
  const auto best = uol::block_argmax<256>(v, t, picks);
  const auto least = uol::block_argmin<256>(w, l[t], wide_picks);
  i[t] = best.index + uol::floor_div(t, 7) + uol::floor_mod(t, -7) + uol::max(t, 5) + uol::min(t, 9) + uol::abs(t);
  i[t] += uol::take_place<32>(places, t, v > 0) + uol::lowest<int>() + uol::precedes<true>(v, t, v, 3);
  l[t] += uol::lower_bound<long long>(l, 1, 256, least.index) + uol::upper_bound<int>(h, 1, 256, v);
  l[t] += least.index + uol::floor_div(l[t], 3LL) + uol::floor_mod(l[t], 3LL);
  v = uol::exp(v) + uol::log(v) + uol::sqrt(v) + uol::rsqrt(v) + uol::tanh(v) + uol::erf(v) + uol::sin(v) + uol::cos(v);
  v += uol::group_fold<8>(v, uol::Max{}) + uol::exp2(v) + uol::expm1(v) + uol::log2(v) + uol::log1p(v);
  v += uol::pow(v, 0.5f) + uol::floor(v) + uol::ceil(v) + uol::round(v) + uol::abs(v) + uol::sigmoid(v) + uol::nan<float>();
  h[t] = uol::cast<uol::f16>(v);
  h[t] = uol::f16(w);
  b[t] = uol::cast<uol::bf16>(l[t]);
  e[t] = uol::f8e4m3(v);
  e[t] = uol::cast<uol::f8e4m3>(uol::f8e5m2(w));
  g[t] = uol::f8e5m2(float(e[t]) + float(g[t]));
  i[t] += uol::bit_and(t, 6) + uol::bit_or(t, 6) + uol::bit_xor(t, 6) + uol::shift_left(t, 3) + uol::shift_right(i[t], t);
  l[t] += uol::bit_not(l[t]) + uol::bit_xor(l[t], 6LL) + uol::shift_left(l[t], 40LL) + uol::shift_right(l[t], 3LL);
  i[t] += uol::random_bits(l[t], t) + uol::random_words<4>(l[t], 4 * t).at[3];
  float carry = 0.0f;
  uol::Pick<float, int> best_carry = best;
  v += uol::block_scan<256>(v, carry, sums, uol::Prod{}) + uol::block_scan_before<256>(v, carry, sums, uol::Sum{}) + carry;
  v += uol::block_scan<256>(v, carry, sums, uol::Min{}) + uol::block_scan<256>(best, best_carry, picks, uol::ArgMax{}).value;
  v += uol::block_scan<256>(best, best_carry, picks, uol::ArgMin{}).value + uol::shuffle_up(v, 1);
  f[t] = uol::block_scan<256>(v > 0, f[0], flags, uol::Any{}) || uol::block_scan<256>(v > 0, f[0], flags, uol::All{});
  const uol::Affine<float> map = uol::composed(uol::Affine<float>{v, 1.0f}, uol::Affine<float>{0.5f, v}, t == 0);
  v += uol::block_recurrence<256>(map, carry, t == 0, maps);
  d[t] += uol::block_recurrence<256>(uol::Affine<double>{w, w}, d[0], false, wide_maps);
  uol::atomic_add(d, t, w);
  uol::atomic_add(i, t, 1);
  uol::atomic_add(l, t, 1);
  uol::atomic_add(more, t, v);
  if (uol::sorts_before<false>(sums[t % 128], sums[0])) i[t % 128] = t;
  uol::block_merge<256, true>(d, i, 0LL, 256LL, 2, 128, 256, 200);
  s[t] = uol::cast<short>(v);
  c[t] = uol::cast<signed char>(b[t]);
  u[t] = uol::cast<unsigned char>(w);
  auto four = uol::load_vector<4>(x + 4 * t);
  four.at[0] = uol::lowest<float>();
  uol::store_vector<4>(more + 4 * (t % 64), four);
  uol::store_vector<8>(h + 8 * t, uol::load_vector<8>(&tile[t % 16][8]));
  uol::store_vector<16>(e + 16 * t, uol::load_vector<16>(e));
  uol::store_vector<2>(g + 2 * t, uol::load_vector<2>(g));
  const bool aligned = uol::is_aligned(x, h);
  const uol::Vector<float, 4> whole = t > 3 ? uol::load_vector<4>(x, 4 * t, aligned) : uol::filled_vector<4>(v);
  uol::store_vector(more, 4 * (t % 64), whole, aligned);
  v += whole.at[3];
  uol::warp_barrier();
}
"""


def included(header: Path) -> list[str]:
    return re.findall(r"^#include (\S+)$", header.read_text(), re.MULTILINE)


def definitions(header: Path) -> set[str]:
    """The functions and types that a header defines."""
    return set(re.findall(r"(?m)^(?:template .*)?(?:UOL_DEVICE [^(=]*?|struct )(\w+)(?= [{]|[(])", header.read_text()))


def test_every_device_header_ends_with_the_common_one() -> None:
    assert all(header.read_text().endswith('\n#include "uol_device_common.h"\n') for header in HEADERS.values())


def test_the_cuda_header_needs_none_of_a_toolkit() -> None:
    assert included(HEADERS["cuda"]) == ['"uol_device_common.h"']
    ours = {f'"{file.name}"' for file in SHARED.values()}
    assert ours == {'"uol_device_common.h"', *included(COMMON)}
    assert all(included(file) == [] for file in SHARED.values() if file != COMMON)


def test_what_is_common_is_defined_once() -> None:
    """No function or type of the common header has a definition in a machine's own."""
    each = [definitions(file) for file in SHARED.values()]
    defined = set().union(*each)
    assert len(defined) == sum(map(len, each))
    assert {"cast", "sigmoid", "Pick", "f16", "f8e5m2", "random_bits", "block_fold", "load_vector", "Sum"} <= defined
    for header in HEADERS.values():
        # shuffles have an overload for picks, and a machine may convert bf16 itself
        assert definitions(header) & defined <= {"shuffle_xor", "shuffle_up", "bf16_bits"}


def test_what_kernels_call_is_compiled_here_and_explained() -> None:
    """The functions of the language, and those that templates name: each is in `EVERYTHING`, and in the table of the README."""
    texts = [file for kind in ("*.py", "*.j2") for file in (BACKENDS / "simt").rglob(kind)]
    called = {name for file in texts for name in re.findall(r"uol::(\w+)", file.read_text())} | FUNCTIONS.keys()
    defined = set().union(*(definitions(file) for file in (*SHARED.values(), *HEADERS.values())))
    _, _, rest = (BACKENDS / "twin" / "README.md").read_text().partition("| `uol_device.h` | meaning |")
    for listed in (EVERYTHING, rest.partition("## Findings")[0]):
        assert len(called & defined) > 30
        assert not (called & defined) - set(re.findall(r"\w+", listed))


def test_the_warp_width_is_the_machine_s() -> None:
    assert "constexpr int warp_width = 32;" in HEADERS["cuda"].read_text()
    assert "constexpr int warp_width = 64;" in HEADERS["hip"].read_text()


def compile_with(command: list[str], tmp_path: Path, suffix: str, environment: dict[str, str] | None = None) -> None:
    (tmp_path / f"everything.{suffix}").write_text(EVERYTHING)
    result = subprocess.run(
        [*command, f"everything.{suffix}", "-o", "everything.out"],
        cwd=tmp_path,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "everything.out").stat().st_size > 0


def include(target: str) -> list[str]:
    return [f"-I{HEADERS[target].parent}", f"-I{COMMON.parent}"]


def test_nvcc_accepts_the_cuda_header(tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not installed")
    compile_with([nvcc, "-arch=sm_80", "-cubin", "-Werror=all-warnings", *include("cuda")], tmp_path, "cu")


def test_hipcc_accepts_the_hip_header(tmp_path: Path) -> None:
    hipcc = shutil.which("hipcc")
    if hipcc is None:
        pytest.skip("hipcc is not installed")
    command = [hipcc, "--offload-arch=gfx90a", "--cuda-device-only", "-c", "-Wall", *include("hip")]
    compile_with(command, tmp_path, "hip", {"HIP_PLATFORM": "amd"})


def nvrtc() -> ctypes.CDLL | None:
    """NVIDIA's run-time compiler, from its Python package; it needs no driver."""
    spec = util.find_spec("nvidia")
    if spec is None or not spec.submodule_search_locations:
        return None
    found = [p for root in spec.submodule_search_locations for p in Path(root).rglob("libnvrtc.so.*")]
    return ctypes.CDLL(str(found[0])) if found else None


def test_nvrtc_accepts_the_cuda_header() -> None:
    library = nvrtc()
    if library is None:
        pytest.skip("the package nvidia-cuda-nvrtc is not installed")
    program = ctypes.c_void_p()
    source = EVERYTHING.encode()
    files = (HEADERS["cuda"], *SHARED.values())
    texts = (ctypes.c_char_p * len(files))(*(file.read_bytes() for file in files))
    names = (ctypes.c_char_p * len(files))(*(file.name.encode() for file in files))
    created = library.nvrtcCreateProgram(ctypes.byref(program), source, b"everything.cu", len(files), texts, names)
    assert created == 0
    status = library.nvrtcCompileProgram(program, 1, (ctypes.c_char_p * 1)(b"--gpu-architecture=sm_80"))
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    assert status == 0, log.value.decode()
    library.nvrtcGetCUBINSize(program, ctypes.byref(size))
    assert size.value > 0
