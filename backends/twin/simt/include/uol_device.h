// The device primitives of kernels emitted by uol, in the twin: the same interface as on CUDA and HIP, on the CPU.
#pragma once

#include "uol_twin.h"

#define UOL_DEVICE inline __attribute__((always_inline))
#define UOL_LINE __builtin_LINE()
#define UOL_ARRAY(type, name, count) uol_twin::Array<type, count> name

namespace uol {

constexpr int warp_width = UOL_TWIN_WARP;

UOL_DEVICE unsigned to_bits(float value) { return __builtin_bit_cast(unsigned, value); }
UOL_DEVICE float from_bits(unsigned bits) { return __builtin_bit_cast(float, bits); }
UOL_DEVICE double from_bits(unsigned long long bits) { return __builtin_bit_cast(double, bits); }

UOL_DEVICE unsigned short f16_bits(float value) { return __builtin_bit_cast(unsigned short, static_cast<_Float16>(value)); }
UOL_DEVICE float f16_value(unsigned short bits) { return static_cast<float>(__builtin_bit_cast(_Float16, bits)); }

UOL_DEVICE void block_barrier(int line, int part) { uol_twin::barrier(line, part); }
UOL_DEVICE void warp_barrier(int line = __builtin_LINE()) { uol_twin::warp_barrier(line); }

template <class T> UOL_DEVICE unsigned long long as_word(T value) {
  static_assert(sizeof(T) <= 8, "at most 8 bytes");
  unsigned long long word = 0;
  __builtin_memcpy(&word, &value, sizeof(T));
  return word;
}
template <class T> UOL_DEVICE T from_word(unsigned long long word) {
  T value;
  __builtin_memcpy(&value, &word, sizeof(T));
  return value;
}
template <class T> UOL_DEVICE T shuffle_xor(T value, int mask, int line = __builtin_LINE()) {
  return from_word<T>(uol_twin::shuffle_xor(as_word(value), mask, line));
}
template <class T> UOL_DEVICE T shuffle_up(T value, int distance, int line = __builtin_LINE()) {
  return from_word<T>(uol_twin::shuffle_up(as_word(value), distance, line));
}

// One access of up to 16 bytes. It is checked as one, so that alignment is that of the whole.
template <class V> UOL_DEVICE V load_whole(const void* from) {
  if constexpr (sizeof(V) == 2) return __builtin_bit_cast(V, uol_twin::load2(from));
  else if constexpr (sizeof(V) == 4) return __builtin_bit_cast(V, uol_twin::load4(from));
  else if constexpr (sizeof(V) == 8) return __builtin_bit_cast(V, uol_twin::load8(from));
  else if constexpr (sizeof(V) == 16) return __builtin_bit_cast(V, uol_twin::load16(from));
  else return *static_cast<const V*>(from);
}
template <class V> UOL_DEVICE void store_whole(void* to, const V& value) {
  if constexpr (sizeof(V) == 2) uol_twin::store2(to, __builtin_bit_cast(unsigned short, value));
  else if constexpr (sizeof(V) == 4) uol_twin::store4(to, __builtin_bit_cast(unsigned, value));
  else if constexpr (sizeof(V) == 8) uol_twin::store8(to, __builtin_bit_cast(unsigned long long, value));
  else if constexpr (sizeof(V) == 16) uol_twin::store16(to, __builtin_bit_cast(uol_twin::Pair, value));
  else *static_cast<V*>(to) = value;
}

template <class T> UOL_DEVICE void add_at_once(T* to, T value) { uol_twin::add_at_once(to, value); }

}  // namespace uol

#include "uol_device_common.h"
