// The device primitives of kernels emitted by uol, on CUDA. Needs no header of a toolkit: nvcc and NVRTC know
// every name in it.
#pragma once

#define UOL_DEVICE __device__ __forceinline__

namespace uol {

constexpr int warp_width = 32;

UOL_DEVICE unsigned to_bits(float value) { return __float_as_uint(value); }
UOL_DEVICE float from_bits(unsigned bits) { return __uint_as_float(bits); }
UOL_DEVICE double from_bits(unsigned long long bits) { return __longlong_as_double(static_cast<long long>(bits)); }

UOL_DEVICE unsigned short f16_bits(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
UOL_DEVICE float f16_value(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
#define UOL_CONVERTS_BF16  // cvt.rn.bf16.f32: sm_80 and later
UOL_DEVICE unsigned short bf16_bits(float value) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

// `line` and `part` tell barriers apart in the checked twin; on a device they vanish.
UOL_DEVICE void block_barrier(int, int) { __syncthreads(); }
// Orders the memory accesses of a warp's lanes.
UOL_DEVICE void warp_barrier() { __syncwarp(); }

// The value of the lane whose number differs by `mask`. All lanes of the warp take part.
template <class T> UOL_DEVICE T shuffle_xor(T value, int mask, int = 0) {
  static_assert(sizeof(T) <= 8, "at most 8 bytes");
  if constexpr (sizeof(T) < 4) return static_cast<T>(__shfl_xor_sync(0xffffffffu, static_cast<int>(value), mask));
  else return __shfl_xor_sync(0xffffffffu, value, mask);
}

// The value of the lane that lies `distance` below; a lane that has none below keeps its own. All lanes take part.
template <class T> UOL_DEVICE T shuffle_up(T value, int distance, int = 0) {
  static_assert(sizeof(T) <= 8, "at most 8 bytes");
  if constexpr (sizeof(T) < 4) return static_cast<T>(__shfl_up_sync(0xffffffffu, static_cast<int>(value), distance));
  else return __shfl_up_sync(0xffffffffu, value, distance);
}

// One access of up to 16 bytes; the address is a multiple of its size.
template <class V> UOL_DEVICE V load_whole(const void* from) { return *static_cast<const V*>(from); }
template <class V> UOL_DEVICE void store_whole(void* to, const V& value) { *static_cast<V*>(to) = value; }

}  // namespace uol

#include "uol_device_common.h"
