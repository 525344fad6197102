"""Right kernels, with what they compute in numpy. `W` stands for the lanes of a warp."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from hand_written import dense
from numpy.typing import NDArray

from uol.codegen.backend import Launch
from uol.codegen.specs.nodes import Arg

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Clean:
    name: str
    text: str
    args: tuple[Arg, ...]
    launches: Callable[[int], dict[str, Launch]]
    expected: Callable[[Arrays], Arrays]


def launch(grid: int, block: int, shared_bytes: int = 0) -> Callable[[int], dict[str, Launch]]:
    return lambda _: {"kernel": Launch((grid, 1, 1), (block, 1, 1), shared_bytes)}


MAP = Clean(
    "map with a tail",
    """#include "uol_device.h"
extern "C" __global__ void __launch_bounds__(128) kernel(const float* a, const float* b, float* y)
{
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= 1001) return;
  y[i] = uol::max(a[i] + b[i], 0.0f);
}
""",
    (dense("a", "f32", (7, 11, 13), "in"), dense("b", "f32", (7, 11, 13), "in"), dense("y", "f32", (7, 11, 13), "out")),
    launch(8, 128),
    lambda x: {"y": np.maximum(x["a"] + x["b"], 0)},
)

SOFTMAX = Clean(
    "block softmax",
    """#include "uol_device.h"
extern "C" __global__ void __launch_bounds__(128) kernel(const float* x, float* y)
{
  __shared__ float scratch[128 / uol::warp_width];
  const float* row = x + blockIdx.x * 777;
  float top = -uol::infinity<float>();
  for (int c = threadIdx.x; c < 777; c += 128) top = uol::max(top, row[c]);
  top = uol::block_max<128>(top, scratch);
  float total = 0.0f;
  for (int c = threadIdx.x; c < 777; c += 128) total += uol::exp(row[c] - top);
  total = uol::block_sum<128>(total, scratch);
  for (int c = threadIdx.x; c < 777; c += 128) y[blockIdx.x * 777 + c] = uol::exp(row[c] - top) / total;
}
""",
    (dense("x", "f32", (5, 777), "in"), dense("y", "f32", (5, 777), "out")),
    launch(5, 128),
    lambda x: {"y": softmax(x["x"])},
)


def softmax(x: NDArray[np.generic]) -> NDArray[np.generic]:
    e = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    result: NDArray[np.generic] = e / e.sum(-1, keepdims=True)
    return result


TILED = """#include "uol_device.h"
extern "C" __global__ void __launch_bounds__(256) kernel(const {T}* a, const {T}* b, {T}* c)
{{
  __shared__ {T} a_tile[16][17];
  __shared__ {T} b_tile[16][17];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int m = blockIdx.y * 16 + ty, n = blockIdx.x * 16 + tx;
  float acc = 0.0f;
  for (int k0 = 0; k0 < 45; k0 += 16) {{
    a_tile[ty][tx] = m < 33 && k0 + tx < 45 ? a[m * 45 + k0 + tx] : {T}(0.0f);
    b_tile[ty][tx] = k0 + ty < 45 && n < 50 ? b[(k0 + ty) * 50 + n] : {T}(0.0f);
    __syncthreads();
    for (int k = 0; k < 16; ++k) acc += float(a_tile[ty][k]) * float(b_tile[k][tx]);
    __syncthreads();
  }}
  if (m < 33 && n < 50) c[m * 50 + n] = {T}(acc);
}}
"""


def matmul(name: str, dtype: str, c_type: str) -> Clean:
    return Clean(
        name,
        TILED.format(T=c_type),
        (dense("a", dtype, (33, 45), "in"), dense("b", dtype, (45, 50), "in"), dense("c", dtype, (33, 50), "out")),
        lambda _: {"kernel": Launch((4, 3, 1), (16, 16, 1))},
        lambda x: {"c": x["a"].astype(np.float64) @ x["b"].astype(np.float64)},
    )


ARGMAX = Clean(
    "argmax and argmin with ties and NaN",
    """#include "uol_device.h"
extern "C" __global__ void __launch_bounds__(64) kernel(const float* x, long long* hi, int* lo)
{
  __shared__ uol::Pick<float, long long> high_scratch[64 / uol::warp_width];
  __shared__ uol::Pick<float, int> low_scratch[64 / uol::warp_width];
  uol::Pick<float, long long> high{-uol::infinity<float>(), 1LL << 60};
  uol::Pick<float, int> low{uol::infinity<float>(), 1 << 30};
  for (int c = threadIdx.x; c < 333; c += 64) {
    const float v = x[blockIdx.x * 333 + c];
    high = uol::pick_max(high, {v, c});
    low = uol::pick_min(low, {v, c});
  }
  high = uol::block_argmax<64>(high.value, high.index, high_scratch);
  low = uol::block_argmin<64>(low.value, low.index, low_scratch);
  if (threadIdx.x != 0) return;
  hi[blockIdx.x] = high.index;
  lo[blockIdx.x] = low.index;
}
""",
    (dense("x", "f32", (6, 333), "in"), dense("hi", "i64", (6,), "out"), dense("lo", "i32", (6,), "out")),
    launch(6, 64),
    lambda x: {"hi": x["x"].argmax(-1), "lo": x["x"].argmin(-1).astype(np.int32)},
)

WARP_ROWS = Clean(
    "a row a warp, and the lanes' own exchange",
    """#include "uol_device.h"
extern "C" __global__ void __launch_bounds__(128) kernel(const float* x, float* total, float* turned)
{
  __shared__ float s[128];
  const int warp = threadIdx.x / uol::warp_width, lane = threadIdx.x % uol::warp_width;
  const int row = blockIdx.x * (128 / uol::warp_width) + warp;
  s[threadIdx.x] = x[row * uol::warp_width + lane];
  uol::warp_barrier();
  const float v = s[warp * uol::warp_width + (lane + 1) % uol::warp_width];
  uol::warp_barrier();
  s[threadIdx.x] = 2 * v;
  turned[row * uol::warp_width + lane] = s[threadIdx.x];
  const float sum = uol::group_fold<8>(v, uol::Sum{});
  if (lane % 8 == 0) total[(row * uol::warp_width + lane) / 8] = sum;
}
""",
    (dense("x", "f32", (2048,), "in"), dense("total", "f32", (256,), "out"), dense("turned", "f32", (2048,), "out")),
    launch(16, 128),
    lambda x: {},
)

VECTORS = Clean(
    "vector copies of halves, through dynamic shared memory",
    """#include "uol_device.h"
extern "C" __global__ void __launch_bounds__(64) kernel(const uol::f16* x, uol::f16* y)
{
  extern __shared__ __align__(16) uol::f16 tile[];
  const int t = threadIdx.x, base = blockIdx.x * 512;
  uol::store_vector<8>(tile + 8 * t, uol::load_vector<8>(x + base + 8 * t));
  __syncthreads();
  for (int i = t; i < 512; i += 64) y[base + i] = tile[511 - i];
}
""",
    (dense("x", "f16", (3, 512), "in"), dense("y", "f16", (3, 512), "out")),
    launch(3, 64, 1024),
    lambda x: {"y": x["x"][:, ::-1]},
)

BYTES = Clean(
    "bytes and booleans side by side",
    """#include "uol_device.h"
extern "C" __global__ void __launch_bounds__(256) kernel(
    const signed char* x, const bool* on, signed char* y, bool* any, bool* all)
{
  __shared__ signed char s[256];
  __shared__ bool scratch[256 / uol::warp_width];
  const int t = threadIdx.x;
  s[t] = x[t];
  const bool some = uol::block_any<256>(on[t], scratch);
  const bool every = uol::block_all<256>(on[t], scratch);
  y[t] = s[255 - t];
  if (t == 0) any[0] = some;
  if (t == 1) all[0] = every;
}
""",
    (
        dense("x", "i8", (256,), "in"),
        dense("on", "bool", (256,), "in"),
        dense("y", "i8", (256,), "out"),
        dense("any", "bool", (), "out"),
        dense("all", "bool", (), "out"),
    ),
    launch(1, 256),
    lambda x: {"y": x["x"][::-1], "any": x["on"].any(), "all": x["on"].all()},
)

TWO_KERNELS = Clean(
    "two kernels and a workspace",
    """#include "uol_device.h"
static __device__ __forceinline__ float square(float v) { return v * v; }
extern "C" __global__ void first(const double* x, double* y, float* w)
{
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (i < 100) w[i] = square(uol::cast<float>(x[i]));
}
extern "C" __global__ void second(const double* x, double* y, float* w)
{
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (i < 100) y[i] = w[99 - i];
}
""",
    (dense("x", "f64", (100,), "in"), dense("y", "f64", (100,), "out"), dense("w", "f32", (100,), "workspace")),
    lambda _: {"first": Launch((2, 1, 1), (64, 1, 1)), "second": Launch((2, 1, 1), (64, 1, 1))},
    lambda x: {"y": x["x"][::-1] ** 2},
)

CLEAN = [
    MAP,
    SOFTMAX,
    matmul("tiled f32 matmul", "f32", "float"),
    matmul("tiled f16 matmul", "f16", "uol::f16"),
    ARGMAX,
    WARP_ROWS,
    VECTORS,
    BYTES,
    TWO_KERNELS,
]
