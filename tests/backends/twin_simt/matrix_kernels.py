"""Small products on matrix units, written by hand: a pipeline of three stages on CUDA, registers and two stages on HIP."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hand_written import dense, module
from numpy.typing import NDArray

from uol.codegen.backend import Launch, Module
from uol.ir.program.nodes import Scalar

CUDA = """#include "uol_device.h"
#include "uol_matrix.h"

extern "C" __global__ void __launch_bounds__(64) product(
    const uol::f16* __restrict__ a, const uol::f16* __restrict__ b, float* __restrict__ y, int M, int N, int K)
{
  unsigned char* shared = uol::dynamic_shared();
  const int t = threadIdx.x;
  const int lane = t % 32;
  const int m0 = blockIdx.y * 32;
  const int n0 = blockIdx.x * 32;
  const int row = t / 4;
  const int chunk = t % 4;
  const int n = n0 + chunk * 8;
  const int to = row * 64 + (chunk ^ row / 2 % 4) * 16;
  const int at = lane % 16 * 64 + (lane / 16 ^ lane / 2 % 4) * 16;
  const int tiles = (K + 31) / 32;
  float acc[4][4] = {};
  for (int tile = 0; tile < 2; ++tile) {
    for (int i = 0; i < 2; ++i) {
      const int k = tile * 32 + chunk * 8;
      const int kb = tile * 32 + row + i * 16;
      const uol::f16* a_from = a + uol::min(m0 + row + i * 16, M - 1) * K + k;
      uol::copy_async<16>(shared + to + i * 1024 + tile * 4096, a_from, k < K);
      uol::copy_async<16>(shared + to + i * 1024 + 2048 + tile * 4096, b + kb * N + n, kb < K && n < N);
    }
    uol::commit_copies();
  }
  for (int tile = 0; tile < tiles; ++tile) {
    const int read = tile % 3 * 4096;
    const int write = (tile + 2) % 3 * 4096;
    uol::wait_copies<1>();
    __syncthreads();
    for (int i = 0; i < 2; ++i) {
      const int k = (tile + 2) * 32 + chunk * 8;
      const int kb = (tile + 2) * 32 + row + i * 16;
      const uol::f16* a_from = a + uol::min(m0 + row + i * 16, M - 1) * K + k;
      uol::copy_async<16>(shared + to + i * 1024 + write, a_from, k < K);
      uol::copy_async<16>(shared + to + i * 1024 + write + 2048, b + kb * N + n, kb < K && n < N);
    }
    uol::commit_copies();
    for (int kk = 0; kk < 2; ++kk) {
      unsigned a_part[4];
      unsigned b_part[2][4];
      uol::load_matrices(a_part, shared + (at ^ kk * 32) + t / 32 * 1024 + read);
      for (int pair = 0; pair < 2; ++pair)
        uol::load_matrices_transposed(b_part[pair], shared + (at ^ pair * 32) + kk * 1024 + read + 2048);
      for (int j = 0; j < 4; ++j)
        uol::mma_16x8x16_f16(acc[j], a_part, b_part[j / 2] + j % 2 * 2);
    }
  }
  for (int j = 0; j < 4; ++j) {
    for (int half = 0; half < 2; ++half) {
      const int m = m0 + t / 32 * 16 + lane / 4 + half * 8;
      const int col = n0 + j * 8 + lane % 4 * 2;
      if (m < M && col < N) {
        y[m * N + col] = acc[j][half * 2];
        y[m * N + col + 1] = acc[j][half * 2 + 1];
      }
    }
  }
}
"""

HIP = """#include "uol_device.h"
#include "uol_matrix.h"

extern "C" __global__ void __launch_bounds__(64) product(
    const uol::f16* __restrict__ a, const uol::f16* __restrict__ b, float* __restrict__ y, int M, int N, int K)
{
  unsigned char* shared = uol::dynamic_shared();
  const int t = threadIdx.x;
  const int m0 = blockIdx.y * 32;
  const int n0 = blockIdx.x * 32;
  const int a_row = t / 2;
  const int group = t / 8;
  const int tiles = (K + 15) / 16;
  const uol::BufferRange a_range = uol::buffer_range(a, M * K * 2);
  const uol::BufferRange b_range = uol::buffer_range(b, K * N * 2);
  const int a_from = (uol::min(m0 + a_row, M - 1) * K + t % 2 * 8) * 2;
  const int a_to = a_row * 32 + (t % 2 ^ a_row / 4 % 2) * 16;
  const int a_at = t % 32 * 32 + t / 32 * 8;
  float acc[16] = {};
  for (int tile = 0; tile < tiles; ++tile) {
    unsigned a_in[4];
    unsigned b_in[4][2];
    const int write = tile % 2 * 2048;
    uol::load_buffer<16>(a_in, a_range, a_from, tile * 32, tile * 16 + t % 2 * 8 < K);
    if (t < 32)
      for (int r = 0; r < 4; ++r)
        uol::load_buffer<8>(b_in[r], b_range, ((tile * 16 + group * 4 + r) * N + n0 + t % 8 * 4) * 2, 0, n0 + t % 8 * 4 < N);
    uol::store_words<16>(shared + a_to + write, a_in);
    if (t < 32) {
      uol::transpose_4x4(b_in);
      for (int r = 0; r < 4; ++r)
        uol::store_words<8>(shared + (t % 8 * 4 + r) * 32 + (group ^ r % 4) * 8 + write + 1024, b_in[r]);
    }
    __syncthreads();
    for (int kk = 0; kk < 2; ++kk) {
      unsigned a_part[2];
      unsigned b_part[2];
      uol::load_words<8>(a_part, shared + (a_at ^ (kk ^ t % 32 / 4 % 2) * 16) + write);
      uol::load_words<8>(b_part, shared + t % 32 * 32 + (kk * 2 + t / 32 ^ t % 4) * 8 + write + 1024);
      uol::mfma_32x32x8_f16(acc, b_part, a_part);
    }
  }
  const int m = m0 + t % 32;
  for (int q = 0; q < 4; ++q) {
    const int n = n0 + q * 8 + t / 32 * 4;
    if (m < M && n < N)
      for (int r = 0; r < 4; ++r)
        y[m * N + n + r] = acc[q * 4 + r];
  }
}
"""

TEXTS: Mapping[str, str] = {"cuda": CUDA, "hip": HIP}
SHARED_BYTES: Mapping[str, int] = {"cuda": 3 * 4096, "hip": 2 * 2048}


def product(backend: str, text: str, m: int, n: int, k: int, launch: Launch | None = None) -> Module:
    """A kernel of this file, or a change of it, at sizes of which n and k are multiples of 8."""
    sizes = [Scalar(name, "i32") for name in ("M", "N", "K")]
    buffers = [dense("a", "f16", (m, k), "in"), dense("b", "f16", (k, n), "in"), dense("y", "f32", (m, n), "out")]
    usual = Launch((-(-n // 32), -(-m // 32), 1), (64, 1, 1), SHARED_BYTES[backend])
    return module(backend, text, buffers, {"product": launch or usual}, scalars=sizes)


def operands(m: int, n: int, k: int) -> tuple[dict[str, NDArray[np.float16]], dict[str, int]]:
    """Inputs of both signs, and the sizes."""
    random = np.random.default_rng(m * n + k)
    a, b = (random.standard_normal(shape).astype(np.float16) for shape in ((m, k), (k, n)))
    return {"a": a, "b": b}, {"M": m, "N": n, "K": k}
