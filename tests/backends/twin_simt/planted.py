"""Kernels with one planted defect each. A line that ends in `// ! kind` (several: `// ! kind, kind`) is where the twin
must find that kind, and nowhere else.

Every kernel takes x: f32[512] (in), y: f32[512] (out), w: f32[512] (workspace) and runs in 2 blocks of 256 threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from uol.codegen.backend import Launch

LAUNCH = Launch((2, 1, 1), (256, 1, 1))
ONE = Launch((1, 1, 1), (256, 1, 1))
HEAD = """#include "uol_device.h"

extern "C" __global__ void __launch_bounds__(1024) bug(const float* x, float* y, float* w)
{
  const int t = threadIdx.x, i = blockIdx.x * 256 + t;
"""


@dataclass(frozen=True)
class Planted:
    """`body` stands in the kernel after HEAD; `before` replaces HEAD's lines where a text needs more than a body."""

    name: str
    body: str
    launch: Launch = LAUNCH
    text: str = ""
    launches: dict[str, Launch] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return self.text or HEAD + self.body.strip("\n") + "\n}\n"


PLANTED = [
    Planted(
        "missing barrier",
        """
  __shared__ float s[256];
  s[t] = x[i];
  y[i] = s[255 - t];  // ! race-wr, uninitialised-shared
""",
    ),
    Planted(
        "missing second barrier",
        """
  __shared__ float s[256];
  s[t] = x[i];
  __syncthreads();
  const float v = s[255 - t];  // ! race-wr
  s[t] = 2 * v;  // ! race-rw
  __syncthreads();
  y[i] = s[t];
""",
    ),
    Planted(
        "all threads write one shared element",
        """
  __shared__ float s[1];
  s[0] = x[i];  // ! race-ww
  __syncthreads();
  y[i] = s[0];
""",
    ),
    Planted(
        "all threads write one global element",
        """
  y[i] = 0;
  __syncthreads();
  y[blockIdx.x * 256] = x[i];  // ! race-ww
""",
    ),
    Planted(
        "a race on bytes",
        """
  __shared__ unsigned char s[256];
  s[t] = t;
  y[i] = s[t ^ 1];  // ! race-wr, uninitialised-shared
""",
    ),
    Planted(
        "a race between halves and words",
        """
  __shared__ uol::f16 s[512];
  s[t] = uol::f16(x[i]);
  y[i] = *reinterpret_cast<unsigned*>(s + (t & ~1));  // ! race-wr, uninitialised-shared
""",
    ),
    Planted(
        "missing warp barrier",
        """
  __shared__ float s[256];
  s[t] = x[i];
  __syncthreads();
  if (t < 16) {
    const float v = s[t] + s[t + 16];
    s[t] = v;
    uol::warp_barrier();
    s[t] = s[(t + 8) % 16];  // ! race-rw, race-wr
  }
  y[i] = x[i];
""",
    ),
    Planted(
        "a vector load races",
        """
  __shared__ __align__(16) float s[256];
  s[t] = x[i];
  const auto v = uol::load_vector<4>(s + (t & ~3));  // ! race-wr, uninitialised-shared
  y[i] = v.at[t % 4];
""",
    ),
    Planted(
        "blocks write one element",
        """
  y[i] = x[i];
  w[t] = x[i];  // ! race-blocks
""",
    ),
    Planted(
        "a block reads what another wrote",
        """
  w[i] = x[i];
  __syncthreads();
  y[i] = i >= 256 ? w[i - 256] : 0;  // ! race-blocks
""",
    ),
    Planted(
        "a block writes what another read",
        """
  y[i] = x[i];
  if (blockIdx.x == 0) y[i] += y[t];
  else y[t] = 0;  // ! race-blocks
""",
    ),
    Planted(
        "two barriers",
        """
  if (t < 100) {
    __syncthreads();
  } else {
    __syncthreads();  // ! divergent-barrier
  }
  y[i] = x[i];
""",
    ),
    Planted(
        "two block sums",
        """
  __shared__ float s[256 / uol::warp_width];
  float v = x[i];
  if (t < 128) v = uol::block_sum<256>(v, s);  // ! divergent-barrier
  else v = uol::block_sum<256>(v + 1, s);  // ! divergent-barrier
  y[i] = v;
""",
    ),
    Planted(
        "threads leave before a barrier",
        """
  y[i] = x[i];
  if (t >= 250) return;
  __syncthreads();  // ! exit-before-barrier
""",
    ),
    Planted(
        "some lanes do not come to a shuffle",
        """
  float v = x[i];
  if (t % uol::warp_width < 20) v += uol::shuffle_xor(v, 4);  // ! divergent-shuffle
  y[i] = v;
""",
    ),
    Planted(
        "lanes at two shuffles",
        """
  float v = x[i];
  if (t % 2 == 0) v += uol::shuffle_xor(v, 2);
  else v -= uol::shuffle_xor(v, 2);  // ! divergent-shuffle
  y[i] = v;
""",
    ),
    Planted(
        "a half-empty warp shuffles",
        """
  y[i] = uol::shuffle_xor(x[i], uol::warp_width / 2);  // ! divergent-shuffle
  if (t < 32) y[t + 224] = y[t + 480] = 0, y[t + 256 + 224 * blockIdx.x] = 0;
""",
        Launch((1, 1, 1), (16, 1, 1)),
        """#include "uol_device.h"
extern "C" __global__ void bug(const float* x, float* y, float* w)
{
  const int t = threadIdx.x;
  const float v = uol::shuffle_xor(x[t], uol::warp_width / 2);  // ! divergent-shuffle
  for (int j = t; j < 512; j += 16) y[j] = v;
}
""",
    ),
    Planted(
        "a shuffle and a barrier wait for each other",
        """
  y[i] = x[i];
  if (t % uol::warp_width < 20) y[i] += uol::shuffle_xor(1.0f, 1);  // ! deadlock
  else __syncthreads();
""",
    ),
    Planted(
        "shared elements that nobody wrote",
        """
  __shared__ float s[256];
  if (t < 200) s[t] = x[i];
  __syncthreads();
  y[i] = s[255 - t];  // ! uninitialised-shared
""",
    ),
    Planted(
        "a result is read before it is written",
        """
  y[i] += x[i];  // ! uninitialised-global
""",
    ),
    Planted(
        "a workspace that the first kernel fills by half",
        "",
        text="""#include "uol_device.h"
extern "C" __global__ void first(const float* x, float* y, float* w)
{
  if (blockIdx.x == 0) w[threadIdx.x] = x[threadIdx.x];
}
extern "C" __global__ void second(const float* x, float* y, float* w)
{
  const int i = blockIdx.x * 256 + threadIdx.x;
  y[i] = w[i];  // ! uninitialised-global
}
""",
        launches={"first": LAUNCH, "second": LAUNCH},
    ),
    Planted("past the end of an input", "  y[i] = x[i + 1];  // ! out-of-bounds-global"),
    Planted("before the start of an input", "  y[i] = x[i - 1];  // ! out-of-bounds-global"),
    Planted(
        "before the start of a result",
        """
  y[i - 1] = x[i];  // ! out-of-bounds-global
  if (i == 511) y[i] = 0;
""",
    ),
    Planted(
        "a vector over the end",
        """
  y[i] = x[i];
  if (i % 4 == 2) y[i] = uol::load_vector<2>(x + i + 2).at[0];  // ! out-of-bounds-global
""",
    ),
    Planted("far out of every buffer", "  y[i] = x[i + (1LL << 28)];  // ! out-of-bounds-global", ONE),
    Planted(
        "past a shared array by a pointer",
        """
  __shared__ float s[256];
  float* p = s;
  p[t + 1] = x[i];  // ! out-of-bounds-shared
  __syncthreads();
  y[i] = t ? s[t] : 0;
""",
    ),
    *(
        Planted(
            f"past the {which} of two shared arrays",
            f"""
  __shared__ float s[256];
  __shared__ float u[256];
  s[t] = u[t] = x[i];
  __syncthreads();
  float* p = {array};
  if (t == 0) p[256] = x[i];  // ! out-of-bounds-shared
  y[i] = s[t] + u[t];
""",
        )
        for which, array in (("first", "s"), ("second", "u"))
    ),
    Planted(
        "a scratch that is too small",
        """
  __shared__ float s[256 / uol::warp_width - 1];
  y[i] = uol::block_sum<256>(x[i], s);  // ! out-of-bounds-shared
""",
    ),
    Planted(
        "past a row",
        """
  __shared__ float s[16][17];
  s[t / 16][t % 16] = x[i];
  __syncthreads();
  y[i] = t == 0 ? s[0][t + 17] : s[t / 16][t % 16];  // ! out-of-bounds-index
""",
    ),
    Planted(
        "past an array of a thread",
        """
  float a[4] = {1, 2, 3, 4};
  y[i] = a[t % 5];  // ! out-of-bounds-index
""",
    ),
    Planted(
        "past a vector of records",
        """
  uol::Vector<uol::f16, 8> v;
  for (int k = 0; k < 9; ++k) v.at[k] = uol::f16(x[i]);  // ! out-of-bounds-index
  y[i] = float(v.at[t % 8]);
""",
    ),
    Planted(
        "a read past a vector of records",
        """
  uol::Vector<uol::f16, 8> v = uol::filled_vector<8>(uol::f16(x[i]));
  float sum = 0;
  for (int k = 0; k < 9; ++k) sum += float(v.at[k]);  // ! out-of-bounds-index
  y[i] = sum;
""",
    ),
    Planted(
        "less dynamic shared memory than used",
        """
  extern __shared__ float s[];
  s[t] = x[i];  // ! shared-too-small
  y[i] = t < 192 ? s[t] : 0;
""",
        Launch((2, 1, 1), (256, 1, 1), 192 * 4),
    ),
    Planted(
        "a vector at an odd place",
        """
  y[i] = x[i];
  if (t < 64) y[i] = uol::load_vector<4>(x + 4 * t + 1).at[0];  // ! misaligned
""",
    ),
    Planted(
        "a vector at an odd shared place",
        """
  __shared__ __align__(16) float s[260];
  if (t < 64) uol::store_vector<2>(s + 2 * t + 1, uol::Vector<float, 2>{{1, 2}});  // ! misaligned
  y[i] = x[i];
""",
    ),
    Planted(
        "a write to an input",
        """
  y[i] = x[i];
  const_cast<float*>(x)[i] = 0;  // ! input-write
""",
    ),
    Planted(
        "a variable that is no buffer",
        "",
        text="""#include "uol_device.h"
static int counter[256];
extern "C" __global__ void bug(const float* x, float* y, float* w)
{
  const int i = blockIdx.x * 256 + threadIdx.x;
  counter[threadIdx.x] += 1;  // ! wild-access
  y[i] = x[i] + counter[255 - threadIdx.x];
}
""",
    ),
    Planted(
        "an address from nowhere",
        """
  y[i] = x[i];
  *reinterpret_cast<float*>(static_cast<unsigned long long>(t) * 4096 + 64) = 1;  // ! wild-access, crash
""",
    ),
    Planted(
        "an integer divided by zero",
        """
  y[i] = x[i];
  y[i] = 7 / static_cast<int>(x[i]);  // ! crash
""",
    ),
    Planted(
        "endless recursion",
        "",
        text="""#include "uol_device.h"
static float deep(const float* x, int n)
{
  volatile float a[64] = {x[0]}; return n < 0 ? 0 : a[n % 64] + deep(x, n + 1);
}
extern "C" __global__ void bug(const float* x, float* y, float* w)
{
  const int i = blockIdx.x * 256 + threadIdx.x;
  y[i] = deep(x, 1);  // ! crash
}
""",
    ),
    Planted(
        "an endless loop",
        """
  y[i] = x[i];
  for (unsigned n = 1; n != 0; n += 2) asm volatile("");  // ! timeout
""",
    ),
    Planted(
        "a wait for another block",
        """
  y[i] = x[i];
  while (w[511] != 1) w[i - i % 2] = 1;  // ! timeout, uninitialised-global
""",
    ),
    Planted(
        "elements that nobody writes",
        """
  if (t < 200) y[i] = x[i];
""",
    ),
    Planted(
        "a block of too many threads",
        "  y[i] = x[i];",
        Launch((1, 1, 1), (32, 64, 1)),
        """#include "uol_device.h"
extern "C" __global__ void bug(const float* x, float* y, float* w)  // ! limit-threads
{
}
""",
    ),
    Planted(
        "more threads than the launch bound",
        "",
        LAUNCH,
        """#include "uol_device.h"
extern "C" __global__ void __launch_bounds__(128) bug(const float* x, float* y, float* w)  // ! limit-threads
{
}
""",
    ),
    Planted(
        "too many blocks",
        "",
        Launch((1, 65536, 1), (256, 1, 1)),
        """#include "uol_device.h"
extern "C" __global__ void bug(const float* x, float* y, float* w)  // ! limit-grid
{
}
""",
    ),
    Planted(
        "more shared memory than a block may have",
        "",
        LAUNCH,
        """#include "uol_device.h"
extern "C" __global__ void bug(const float* x, float* y, float* w)  // ! limit-shared
{
  __shared__ float s[256][170];
  const int t = threadIdx.x;
  s[t][0] = x[t];
  __syncthreads();
  y[blockIdx.x * 256 + t] = s[255 - t][0];
}
""",
    ),
    Planted(
        "80 KB in arrays of a size that is known to the compiler",
        "",
        LAUNCH,
        """#include "uol_device.h"
extern "C" __global__ void bug(const float* x, float* y, float* w)  // ! limit-shared
{
  __shared__ float s[256][80];
  const int t = threadIdx.x;
  s[t][0] = x[t];
  __syncthreads();
  y[blockIdx.x * 256 + t] = s[255 - t][0];
}
""",
    ),
    Planted(
        "an accumulator without a value",
        """
  float sum;  // ! uninitialised-local
  for (int k = 0; k < 3; ++k) sum += x[i] * k;
  y[i] = sum;
""",
    ),
    Planted(
        "accumulators without a value",
        """
  float part[2];
  float sum[2][3];  // ! uninitialised-local
  for (int k = 0; k < 4; ++k) {
    for (int a = 0; a < 2; ++a)
      part[a] = x[i] + a;
    for (int a = 0; a < 2; ++a)
      for (int b = 0; b < 3; ++b)
        sum[a][b] += part[a] * b;
  }
  y[i] = sum[0][1] + sum[1][2];
""",
    ),
    Planted(
        "an array that is filled but for its last element",
        """
  float part[3];  // ! uninitialised-local
  for (int a = 0; a < 2; ++a)
    part[a] = x[i] + a;
  y[i] = part[0] + part[2];
""",
    ),
    Planted(
        "a maximum and a minimum of integers without a value",
        """
  int least, most;  // ! uninitialised-local
  for (int k = 0; k < 3; ++k) {
    const int v = int(x[i]) * k - 600;
    least = uol::min(least, v);
    most = uol::max(most, v);
  }
  y[i] = float(most - least);
""",
    ),
    Planted(
        "a register of two halves without a value, times zero",
        """
  unsigned part[2];  // ! uninitialised-local
  part[0] = 0;
  y[i] = x[i] + 0.0f * uol::f16_value(static_cast<unsigned short>(part[t % 2]));
""",
    ),
    Planted(
        "a pick without a value",
        """
  uol::Pick<float, int> best;  // ! uninitialised-local
  for (int k = 0; k < 3; ++k) best = uol::pick_max(best, uol::Pick<float, int>{x[i] * k, k});
  y[i] = best.value + best.index;
""",
    ),
    Planted(
        "a value on one path only",
        """
  float v;  // ! uninitialised-local
  if (t < 255) v = x[i];
  y[i] = v;
""",
    ),
    Planted(
        "a loop without a start",
        """
  float sum = 0;
  for (int k; k < 3; ++k) sum += k;  // ! uninitialised-local
  y[i] = sum;
""",
    ),
    Planted(
        "values that are used only where they are set",
        """
  float v;
  bool odd;
  double wide[4];
  if (t % 2) v = x[i], odd = true;
  else odd = false;
  for (int k = 3; k >= 0; --k) wide[k] = k;
  y[i] = odd ? v + wide[t % 4] : 0;
""",
    ),
    Planted(
        "no C linkage",
        "",
        LAUNCH,
        """#include "uol_device.h"
__global__ void bug(const float* x, float* y, float* w)  // ! not-a-kernel
{
  y[blockIdx.x * 256 + threadIdx.x] = 1;
}
""",
    ),
    Planted(
        "no kernel",
        "",
        LAUNCH,
        """#include "uol_device.h"
extern "C" void bug(const float* x, float* y, float* w)  // ! not-a-kernel
{
  y[blockIdx.x * 256 + threadIdx.x] = 1;
}
""",
    ),
    Planted(
        "kernels of one block of C linkage",
        "",
        LAUNCH,
        """#include "uol_device.h"
extern "C" {
__global__ void bug(const float* x, float* y, float* w)
{
  y[blockIdx.x * 256 + threadIdx.x] = 1;
}
}
""",
    ),
    Planted("a text that is no C++", "  y[i] = x[i] +;  // ! compile-error"),
]
