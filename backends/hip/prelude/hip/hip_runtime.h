// What kernels emitted by uol take of HIP's device headers, for a clang that compiles without them: in their place, it is
// read in a fifth of the time. Every function is what HIP 5.7 makes of it (amd_hip_runtime.h, amd_device_functions.h,
// amd_warp_functions.h), and mathematics comes from clang's own headers, so the machine code is the same.
#pragma once

#include <__clang_hip_runtime_wrapper.h>

#define __launch_bounds__(threads, ...) \
  __attribute__((amdgpu_flat_work_group_size(1, threads) __VA_OPT__(, amdgpu_waves_per_eu(__VA_ARGS__))))

extern "C" {
__device__ __attribute__((const)) __SIZE_TYPE__ __ockl_get_local_id(unsigned);
__device__ __attribute__((const)) __SIZE_TYPE__ __ockl_get_group_id(unsigned);
__device__ __attribute__((const)) __SIZE_TYPE__ __ockl_get_local_size(unsigned);
__device__ __attribute__((const)) __SIZE_TYPE__ __ockl_get_num_groups(unsigned);
}

// A coordinate is read from the machine wherever it is used.
template <class From> struct uol_coordinates {
  struct X { __device__ operator unsigned() const { return From::of(0); } };
  struct Y { __device__ operator unsigned() const { return From::of(1); } };
  struct Z { __device__ operator unsigned() const { return From::of(2); } };
  static constexpr X x{};
  static constexpr Y y{};
  static constexpr Z z{};
};
struct uol_local_id { __device__ static unsigned of(unsigned axis) { return __ockl_get_local_id(axis); } };
struct uol_group_id { __device__ static unsigned of(unsigned axis) { return __ockl_get_group_id(axis); } };
struct uol_local_size { __device__ static unsigned of(unsigned axis) { return __ockl_get_local_size(axis); } };
struct uol_num_groups { __device__ static unsigned of(unsigned axis) { return __ockl_get_num_groups(axis); } };
static constexpr uol_coordinates<uol_local_id> threadIdx;
static constexpr uol_coordinates<uol_group_id> blockIdx;
static constexpr uol_coordinates<uol_local_size> blockDim;
static constexpr uol_coordinates<uol_num_groups> gridDim;

__device__ inline unsigned __float_as_uint(float value) { return __builtin_bit_cast(unsigned, value); }
__device__ inline float __uint_as_float(unsigned bits) { return __builtin_bit_cast(float, bits); }
__device__ inline double __longlong_as_double(long long bits) { return __builtin_bit_cast(double, bits); }

__device__ inline __attribute__((convergent)) void __syncthreads() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}

constexpr int uol_wave = 64;

// `value` of the lane whose number is `other`.
__device__ inline int uol_of_lane(int value, int other) { return __builtin_amdgcn_ds_bpermute(other << 2, value); }
__device__ inline int uol_lane() { return __builtin_amdgcn_mbcnt_hi(-1, __builtin_amdgcn_mbcnt_lo(-1, 0)); }

__device__ inline int __shfl_xor(int value, int mask) {
  const int self = uol_lane(), other = self ^ mask;
  return uol_of_lane(value, other >= ((self + uol_wave) & ~(uol_wave - 1)) ? self : other);
}
__device__ inline int __shfl_up(int value, unsigned distance) {
  const int self = uol_lane(), other = self - distance;
  return uol_of_lane(value, other < (self & ~(uol_wave - 1)) ? self : other);
}

// A value of another type in words of four bytes.
template <class T, class Move> __device__ inline T uol_by_words(T value, Move move) {
  if constexpr (sizeof(T) == 4) return __builtin_bit_cast(T, move(__builtin_bit_cast(int, value)));
  else {
    const auto bits = __builtin_bit_cast(unsigned long long, value);
    const unsigned low = move(static_cast<int>(bits)), high = move(static_cast<int>(bits >> 32));
    return __builtin_bit_cast(T, static_cast<unsigned long long>(high) << 32 | low);
  }
}
template <class T> __device__ inline T __shfl_xor(T value, int mask) {
  return uol_by_words(value, [mask](int word) { return __shfl_xor(word, mask); });
}
template <class T> __device__ inline T __shfl_up(T value, unsigned distance) {
  return uol_by_words(value, [distance](int word) { return __shfl_up(word, distance); });
}
