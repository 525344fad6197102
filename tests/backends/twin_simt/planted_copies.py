"""Bodies of kernels with asynchronous copies and rows of matrices, right ones and others. A line that ends in `// ! kind`, or
`// ! kind, kind`, is where the twin must find that, and nowhere else. x and y: i32[256]; 64 threads; 4096 bytes.
"""

from __future__ import annotations

HEAD = """#include "uol_device.h"
#include "uol_matrix.h"

extern "C" __global__ void __launch_bounds__(64) kernel(const int* __restrict__ x, int* __restrict__ y)
{
  unsigned char* shared = uol::dynamic_shared();
  int* const words = reinterpret_cast<int*>(shared);
  const int t = threadIdx.x;
"""

CASES = {
    "own bytes behind the wait": """
  uol::copy_async<4>(words + t, x + t);
  uol::commit_copies();
  uol::wait_copies<0>();
  y[t] = words[t];
""",
    "own bytes before the wait": """
  uol::copy_async<4>(words + t, x + t);
  uol::commit_copies();
  y[t] = words[t];  // ! copy-in-flight
  uol::wait_copies<0>();
""",
    "a group that is not committed is not waited for": """
  uol::copy_async<4>(words + t, x + t);
  uol::wait_copies<0>();
  y[t] = words[t];  // ! copy-in-flight
""",
    "another's bytes behind wait and barrier": """
  uol::copy_async<4>(words + t, x + t);
  uol::commit_copies();
  uol::wait_copies<0>();
  __syncthreads();
  y[t] = words[63 - t];
""",
    "another's bytes behind the wait alone": """
  uol::copy_async<4>(words + t, x + t);
  uol::commit_copies();
  uol::wait_copies<0>();
  y[t] = words[t / 32 * 32 + 31 - t % 32];  // ! race-wr, uninitialised-shared
""",
    "another's bytes behind a warp barrier": """
  uol::copy_async<4>(words + t, x + t);
  uol::commit_copies();
  uol::wait_copies<0>();
  uol::warp_barrier();
  y[t] = words[t / 32 * 32 + 31 - t % 32];
""",
    "the last group is pending": """
  uol::copy_async<4>(words + t, x + t);
  uol::commit_copies();
  uol::copy_async<4>(words + 64 + t, x + t);
  uol::commit_copies();
  uol::wait_copies<1>();
  y[t] = words[t];
  y[64 + t] = words[64 + t];  // ! copy-in-flight
""",
    "a copy where another still reads": """
  words[t] = x[t];
  __syncthreads();
  y[t] = words[63 - t];  // ! copy-in-flight
  uol::copy_async<4>(words + t, x + t);  // ! race-rw
""",
    "a store where a copy goes": """
  uol::copy_async<4>(words + t, x + t);
  words[t] = 1;  // ! copy-in-flight
  y[t] = x[t];
""",
    "two copies to one place": """
  uol::copy_async<4>(words + t, x + t);
  uol::copy_async<4>(words + t, x + t);  // ! copy-in-flight
  y[t] = x[t];
""",
    "elements of two bytes under a copy": """
  short* const halves = reinterpret_cast<short*>(shared);
  halves[t] = 1;
  __syncthreads();
  uol::copy_async<4>(words + t, x + t);
  uol::commit_copies();
  uol::wait_copies<0>();
  __syncthreads();
  y[t] = halves[127 - t];
""",
    "nothing is read where it is not valid": """
  uol::copy_async<16>(shared + t * 16, x + t * 16, t < 16);
  uol::commit_copies();
  uol::wait_copies<0>();
  y[t] = words[t * 4];
""",
    "what is read must be there": """
  uol::copy_async<16>(shared + t * 16, x + t * 16);  // ! out-of-bounds-global
  y[t] = 1;
""",
    "a copy beyond the launch's bytes": """
  uol::copy_async<8>(shared + 4032 + t * 8, x + t * 2);  // ! shared-too-small
  y[t] = 1;
""",
    "eight bytes at a multiple of four": """
  uol::copy_async<8>(shared + t * 8, x + t * 2 + 1);  // ! misaligned
  y[t] = 1;
""",
    "a copy from shared memory": """
  words[t] = 1;
  uol::copy_async<4>(words + 64 + t, words + t);  // ! wild-access
  y[t] = 1;
""",
    "rows that nobody wrote": """
  unsigned part[4];
  words[t] = x[t];
  __syncthreads();
  uol::load_matrices(part, shared + t % 32 * 16);  // ! uninitialised-shared
  y[t] = 1;
""",
    "a row that its own lane wrote": """
  unsigned part[4];
  for (int i = 0; i < 4; ++i) words[t * 4 + i] = t;
  uol::load_matrices(part, shared + t * 16);  // ! race-wr
  y[t] = 1;
""",
    "lanes that have left": """
  unsigned part[4];
  for (int i = 0; i < 4; ++i) words[t * 4 + i] = t;
  __syncthreads();
  y[t] = 1;
  if (t % 32 == 7) return;
  uol::load_matrices(part, shared + t * 16);  // ! divergent-matrix
""",
    "lanes at different operations": """
  unsigned part[4] = {};
  float sums[4] = {};
  for (int i = 0; i < 4; ++i) words[t * 4 + i] = t;
  __syncthreads();
  y[t] = 1;
  if (t % 2) uol::load_matrices(part, shared + t * 16);
  else uol::mma_16x8x16_f16(sums, part, part);  // ! divergent-matrix
""",
    "words where they are valid": """
  unsigned four[4];
  uol::load_words<16>(four, x + t * 16, t < 16);
  uol::store_words<16>(shared + t * 16, four);
  uol::load_words<8>(four, shared + t * 16 + 8);
  uol::store_words<4>(y + t * 4, four + 1, t < 16);
  y[t * 4 + 1] = four[0];
  if (t >= 16) y[t * 4] = 0;
""",
    "words at no multiple of their size": """
  unsigned four[4];
  uol::load_words<16>(four, x + t + 1);  // ! misaligned
  y[t] = 1;
""",
}
