// What kernels on matrix units call, in the twin: the same interface as uol_matrix.h of CUDA (warps of 32) and HIP (of 64).
#pragma once

#include "uol_device.h"
#include "uol_glue.h"
#include "uol_twin_matrix.h"

extern "C" {
__shared__ unsigned char uol_dynamic_bytes[uol_twin::dynamic_capacity];
}

namespace uol {

UOL_DEVICE unsigned char* dynamic_shared() { return uol_dynamic_bytes; }
template <class T> UOL_DEVICE T* pinned(T* pointer) { return pointer; }
UOL_DEVICE bool uniform(bool value) { return value; }

[[gnu::error("the array of registers is smaller than what is loaded into it")]] void too_few_registers();
// An array that the compiler knows where it is filled or read has all of it: a thread's registers have no addresses, so that no
// access beyond them could be seen. What is too small wherever it is called does not compile; of an index, the run finds it.
#if !__has_builtin(__builtin_dynamic_object_size)  // GCC before 12
#define __builtin_dynamic_object_size __builtin_object_size
#endif
template <int bytes, int of_array = 1> UOL_DEVICE void require_room(const void* registers) {
  if (__builtin_object_size(registers, of_array) < bytes) too_few_registers();
  const unsigned long left = __builtin_dynamic_object_size(registers, of_array);
  if (left < bytes) uol_twin::beyond_registers(left, bytes);
}
#define UOL_REQUIRE_ROOM(bytes, registers) require_room<(bytes)>(registers)
#define UOL_REQUIRE_ROOM_IN_ALL(bytes, registers) require_room<(bytes), 0>(registers)

// Registers are a thread's own: what is checked is the access to memory, as one.
template <int bytes> UOL_DEVICE void load_words(unsigned* to, const void* from) {
  require_room<bytes>(to);
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  if constexpr (bytes == 4) to[0] = uol_twin::load4(from);
  if constexpr (bytes == 8) {
    const unsigned long long words = uol_twin::load8(from);
    to[0] = static_cast<unsigned>(words), to[1] = static_cast<unsigned>(words >> 32);
  }
  if constexpr (bytes == 16) {
    const uol_twin::Pair words = uol_twin::load16(from);
    to[0] = static_cast<unsigned>(words[0]), to[1] = static_cast<unsigned>(words[0] >> 32);
    to[2] = static_cast<unsigned>(words[1]), to[3] = static_cast<unsigned>(words[1] >> 32);
  }
}
template <int bytes> UOL_DEVICE void load_words(unsigned* to, const void* from, bool valid) {
  if (valid) return load_words<bytes>(to, from);
  require_room<bytes>(to);
  for (int word = 0; word < bytes / 4; ++word) to[word] = 0;
}
UOL_DEVICE unsigned long long two_words(const unsigned* from) { return from[0] | static_cast<unsigned long long>(from[1]) << 32; }
template <int bytes> UOL_DEVICE void store_words(void* to, const unsigned* from) {
  require_room<bytes>(from);
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  if constexpr (bytes == 4) uol_twin::store4(to, from[0]);
  if constexpr (bytes == 8) uol_twin::store8(to, two_words(from));
  if constexpr (bytes == 16) uol_twin::store16(to, uol_twin::Pair{two_words(from), two_words(from + 2)});
}
template <int bytes> UOL_DEVICE void store_words(void* to, const unsigned* from, bool valid) {
  if (valid) store_words<bytes>(to, from);
}

UOL_DEVICE unsigned low_halves(unsigned a, unsigned b) { return (a & 0xffffu) | b << 16; }
UOL_DEVICE unsigned high_halves(unsigned a, unsigned b) { return a >> 16 | (b & 0xffff0000u); }
UOL_DEVICE unsigned pack_f16(float low, float high) { return f16_bits(low) | static_cast<unsigned>(f16_bits(high)) << 16; }
UOL_DEVICE unsigned pack_bf16(float low, float high) { return bf16_bits(low) | static_cast<unsigned>(bf16_bits(high)) << 16; }

UOL_DEVICE float greatest(float a, float b) { return uol::max(a, b); }
UOL_DEVICE float exp2_flushed(float x) {
  const float power = ::exp2f(x);
  return power < 0x1p-126f ? 0.0f : power;
}

// Words of each operand, of a lane.
template <int d_words, int a_words, int b_words> UOL_DEVICE void require_operands(const void* d, const void* a, const void* b) {
  require_room<d_words * 4>(d);
  require_room<a_words * 4>(a);
  require_room<b_words * 4>(b);
}
#define UOL_PRODUCT(name, Sum, Part, d_words, a_words, b_words)                                  \
  UOL_DEVICE void name(Sum* d, const Part* a, const Part* b, int line = __builtin_LINE()) {      \
    require_operands<d_words, a_words, b_words>(d, a, b);                                        \
    uol_twin::multiply(uol_twin::Product::name, d, a, b, line);                                  \
  }

#if UOL_TWIN_WARP == 32

template <int bytes> UOL_DEVICE void copy_async(void* shared, const void* global) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  uol_twin::copy_async(shared, global, bytes, true);
}
template <int bytes> UOL_DEVICE void copy_async(void* shared, const void* global, bool valid) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  uol_twin::copy_async(shared, global, bytes, valid);
}
UOL_DEVICE void commit_copies() { uol_twin::commit_copies(); }
template <int pending> UOL_DEVICE void wait_copies() { uol_twin::wait_copies(pending); }

UOL_DEVICE void load_matrices(unsigned* to, const void* row, int line = __builtin_LINE()) {
  require_room<16>(to);
  uol_twin::load_matrices(to, row, false, line);
}
UOL_DEVICE void load_matrices_transposed(unsigned* to, const void* row, int line = __builtin_LINE()) {
  require_room<16>(to);
  uol_twin::load_matrices(to, row, true, line);
}

UOL_PRODUCT(mma_16x8x16_f16, float, unsigned, 4, 4, 2)
UOL_PRODUCT(mma_16x8x16_bf16, float, unsigned, 4, 4, 2)
UOL_PRODUCT(mma_16x8x8_tf32, float, unsigned, 4, 4, 2)
UOL_PRODUCT(mma_16x8x32_i8, int, unsigned, 4, 4, 2)

#else

struct BufferRange {
  const void* from;
  unsigned bytes;
};
UOL_DEVICE BufferRange buffer_range(const void* from, unsigned bytes) { return {from, bytes}; }
template <int bytes> UOL_DEVICE void load_buffer(unsigned* to, BufferRange range, int lane, int wave) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  require_room<bytes>(to);
  uol_twin::load_buffer(to, range.from, range.bytes, lane, wave, bytes);
}
template <int bytes> UOL_DEVICE void load_buffer(unsigned* to, BufferRange range, int lane, int wave, bool valid) {
  load_buffer<bytes>(to, range, valid ? lane : -16, wave);
}

UOL_DEVICE void loads_before() {}

UOL_DEVICE void transpose_4x4(unsigned (*rows)[2]) {
  require_room<32>(rows);
  unsigned columns[4][2];
  for (int col = 0; col < 4; ++col)
    for (int half = 0; half < 2; ++half) {
      const unsigned low = rows[2 * half][col / 2] >> col % 2 * 16, high = rows[2 * half + 1][col / 2] >> col % 2 * 16;
      columns[col][half] = (low & 0xffff) | high << 16;
    }
  for (int row = 0; row < 4; ++row) rows[row][0] = columns[row][0], rows[row][1] = columns[row][1];
}

UOL_DEVICE void transpose_4x4_words(unsigned (*rows)[4]) {
  require_room<64>(rows);
  for (int row = 0; row < 4; ++row)
    for (int col = 0; col < row; ++col) {
      const unsigned word = rows[row][col];
      rows[row][col] = rows[col][row], rows[col][row] = word;
    }
}

UOL_PRODUCT(mfma_32x32x8_f16, float, unsigned, 16, 2, 2)
UOL_PRODUCT(mfma_16x16x16_f16, float, unsigned, 4, 2, 2)
UOL_PRODUCT(mfma_32x32x8_bf16, float, unsigned, 16, 2, 2)
UOL_PRODUCT(mfma_16x16x16_bf16, float, unsigned, 4, 2, 2)
UOL_PRODUCT(mfma_32x32x2_f32, float, float, 16, 1, 1)
UOL_PRODUCT(mfma_16x16x4_f32, float, float, 4, 1, 1)
UOL_PRODUCT(mfma_32x32x8_i8, int, unsigned, 16, 1, 1)
UOL_PRODUCT(mfma_16x16x16_i8, int, unsigned, 4, 1, 1)

#endif
#undef UOL_PRODUCT

}  // namespace uol

#include "uol_matrix_words.h"

#if UOL_TWIN_WARP == 32
#define UOL_BY_TF32(name, a_parts, b_parts)                                                                          \
  UOL_DEVICE void name(float* d, const unsigned* a, const unsigned* b, int line = __builtin_LINE()) {                \
    require_operands<4, 8 * a_parts, 4 * b_parts>(d, a, b);                                                          \
    uol::add_tf32_products<a_parts, b_parts>(d, a, b, [line](float* sums, const unsigned* left, const unsigned* right) { \
      mma_16x8x8_tf32(sums, left, right, line);                                                                      \
    });                                                                                                              \
  }
namespace uol {
UOL_BY_TF32(mma_16x8x16_f32_f32, 2, 2)
UOL_BY_TF32(mma_16x8x16_f32_tf32, 2, 1)
UOL_BY_TF32(mma_16x8x16_tf32_f32, 1, 2)
UOL_BY_TF32(mma_16x8x16_tf32_tf32, 1, 1)
}  // namespace uol
#undef UOL_BY_TF32
#endif
