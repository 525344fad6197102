// What kernels on matrix units call beside uol_device.h, on HIP for gfx90a and gfx942: fragments in registers of 32 bits (two f16 or
// bf16, one f32, four int8), loads of a tensor's bytes with zeros beyond them, accesses of whole words. Which lane and register owns
// which element of a fragment: CDNA2 instruction set architecture, "Matrix Arithmetic Instructions". Needs no header of its own.
#pragma once

#include "uol_device.h"

namespace uol {

// The block's dynamic shared memory: as many bytes as the launch asks for, at a multiple of 128.
UOL_DEVICE unsigned char* dynamic_shared() {
  extern __shared__ __attribute__((aligned(128))) unsigned char uol_dynamic_bytes[];
  return uol_dynamic_bytes;
}

// The same pointer.
template <class T> UOL_DEVICE T* pinned(T* pointer) { return pointer; }

// A truth value that all lanes of a wave have in common, of which the compiler knows that they do: it lies in a scalar register.
UOL_DEVICE bool uniform(bool value) { return __builtin_amdgcn_ballot_w64(value) != 0; }

// What an access of so many bytes moves, and the same in registers, which lie anywhere. (A copy word by word would take LLVM's
// register pairs apart.)
template <int bytes> struct Words;
template <> struct Words<4> { typedef unsigned Type __attribute__((may_alias)); };
template <> struct Words<8> { typedef unsigned Type __attribute__((ext_vector_type(2), may_alias)); };
template <> struct Words<16> { typedef unsigned Type __attribute__((ext_vector_type(4), may_alias)); };
template <int bytes> UOL_DEVICE auto& words_of(unsigned* registers) {
  typedef typename Words<bytes>::Type Type __attribute__((aligned(4)));
  return *reinterpret_cast<Type*>(registers);
}
template <int bytes> UOL_DEVICE const auto& words_of(const unsigned* registers) {
  typedef typename Words<bytes>::Type Type __attribute__((aligned(4)));
  return *reinterpret_cast<const Type*>(registers);
}

// One access of 4, 8 or 16 bytes, of global or of shared memory, at a multiple of as many.
template <int bytes> UOL_DEVICE void load_words(unsigned* to, const void* from) {
  words_of<bytes>(to) = *static_cast<const typename Words<bytes>::Type*>(from);
}
// Zeros where not `valid`: then nothing is read.
template <int bytes> UOL_DEVICE void load_words(unsigned* to, const void* from, bool valid) {
  if (valid) return load_words<bytes>(to, from);
  words_of<bytes>(to) = typename Words<bytes>::Type(0);
}
template <int bytes> UOL_DEVICE void store_words(void* to, const unsigned* from) {
  *static_cast<typename Words<bytes>::Type*>(to) = words_of<bytes>(from);
}
// Nothing is written where not `valid`.
template <int bytes> UOL_DEVICE void store_words(void* to, const unsigned* from, bool valid) {
  if (valid) store_words<bytes>(to, from);
}

// The greater of both, NaN where one is.
UOL_DEVICE float greatest(float a, float b) { return uol::max(a, b); }
// 2^x within an ulp, of which what lies below the smallest normal number is 0 (CDNA2 ISA, V_EXP_F32).
UOL_DEVICE float exp2_flushed(float x) { return __builtin_amdgcn_exp2f(x); }

// The bytes of a tensor for `load_buffer`, fewer than 2^32 of them, in a buffer resource (CDNA2 ISA, 8.1.8): address, no stride, the
// number of bytes, and elements of 32 bits. Addresses of a process have 47 bits, so that those of the stride are 0.
typedef int BufferWords __attribute__((ext_vector_type(4)));
struct BufferRange { BufferWords words; };
UOL_DEVICE BufferRange buffer_range(const void* from, unsigned bytes) {
  const unsigned long long at = reinterpret_cast<unsigned long long>(from);
  return {{static_cast<int>(at), static_cast<int>(at >> 32), static_cast<int>(bytes), 0x27000}};
}

// LLVM's intrinsics under their own names: its builtins for them came later (LLVM, "User Guide for AMDGPU Backend").
__device__ Words<4>::Type raw_buffer_load_4(BufferWords range, int lane, int wave, int how) __asm("llvm.amdgcn.raw.buffer.load.i32");
__device__ Words<8>::Type raw_buffer_load_8(BufferWords range, int lane, int wave, int how) __asm("llvm.amdgcn.raw.buffer.load.v2i32");
__device__ Words<16>::Type raw_buffer_load_16(BufferWords range, int lane, int wave, int how) __asm("llvm.amdgcn.raw.buffer.load.v4i32");

// 4, 8 or 16 bytes of a range, `lane + wave` bytes from its beginning, a multiple of 4; `wave` is the same in all lanes. A word whose
// place by `lane` alone, an unsigned number, lies beyond the range is 0, and nothing is read of it: `wave` is excluded from the
// machine's bounds checking (LLVM, raw.buffer.load: soffset), and must not lead out of the range by itself. It is issued in front
// of products that stand behind it: to spare registers, a compiler would move it behind them, and wait for memory there. (Of the
// other instructions, vector and scalar ones and those of LDS may pass: LLVM, User Guide for AMDGPU Backend, sched_barrier.)
template <int bytes> UOL_DEVICE void load_buffer(unsigned* to, BufferRange range, int lane, int wave) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  if constexpr (bytes == 4) words_of<4>(to) = raw_buffer_load_4(range.words, lane, wave, 0);
  if constexpr (bytes == 8) words_of<8>(to) = raw_buffer_load_8(range.words, lane, wave, 0);
  if constexpr (bytes == 16) words_of<16>(to) = raw_buffer_load_16(range.words, lane, wave, 0);
  __builtin_amdgcn_sched_barrier(0x0002 | 0x0004 | 0x0080);
}
// Zeros where not `valid`: no range has byte 2^32 - 16, nor one of the 15 behind it, so that no word's place wraps around.
template <int bytes> UOL_DEVICE void load_buffer(unsigned* to, BufferRange range, int lane, int wave, bool valid) {
  load_buffer<bytes>(to, range, valid ? lane : -16, wave);
}

// What is loaded in front is issued before products that stand behind, as loads of ranges are.
UOL_DEVICE void loads_before() { __builtin_amdgcn_sched_barrier(0x0002 | 0x0004 | 0x0080); }

// Four rows of four 16-bit values become four columns.
UOL_DEVICE void transpose_4x4(unsigned (*rows)[2]) {
  unsigned in[4][2];
#pragma unroll
  for (int row = 0; row < 4; ++row) in[row][0] = rows[row][0], in[row][1] = rows[row][1];
#pragma unroll
  for (int col = 0; col < 4; ++col) {
    const unsigned halves = col % 2 ? 0x07060302u : 0x05040100u;  // the upper, the lower ones of both words
    rows[col][0] = __builtin_amdgcn_perm(in[1][col / 2], in[0][col / 2], halves);
    rows[col][1] = __builtin_amdgcn_perm(in[3][col / 2], in[2][col / 2], halves);
  }
}

// Four rows of four words become four columns: none is moved, but that registers have other numbers.
UOL_DEVICE void transpose_4x4_words(unsigned (*rows)[4]) {
#pragma unroll
  for (int row = 0; row < 4; ++row)
#pragma unroll
    for (int col = 0; col < row; ++col) {
      const unsigned word = rows[row][col];
      rows[row][col] = rows[col][row], rows[col][row] = word;
    }
}

typedef _Float16 TwoHalves __attribute__((ext_vector_type(2)));
typedef _Float16 FourHalves __attribute__((ext_vector_type(4)));
typedef short FourShorts __attribute__((ext_vector_type(4)));
template <class T, int count> struct Sums;  // a fragment's sums, at any address
template <class T> struct Sums<T, 4> { typedef T Type __attribute__((ext_vector_type(4), aligned(4), may_alias)); };
template <class T> struct Sums<T, 16> { typedef T Type __attribute__((ext_vector_type(16), aligned(4), may_alias)); };
template <class T, int count> UOL_DEVICE typename Sums<T, count>::Type& sums(T* d) {
  return *reinterpret_cast<typename Sums<T, count>::Type*>(d);
}
template <class Four> UOL_DEVICE Four four_of(const unsigned* words) {
  typedef unsigned Pair __attribute__((ext_vector_type(2)));
  return __builtin_bit_cast(Four, Pair{words[0], words[1]});
}

// d += a b over the lanes of a wave, all of which take part; m x n x k in the name, a is m x k, b k x n, d m x n. f16 and bf16
// flush subnormal numbers to zero, in operands and results.
UOL_DEVICE void mfma_32x32x8_f16(float* d, const unsigned* a, const unsigned* b) {
  auto& sum = sums<float, 16>(d);
  sum = __builtin_amdgcn_mfma_f32_32x32x8f16(four_of<FourHalves>(a), four_of<FourHalves>(b), sum, 0, 0, 0);
}
UOL_DEVICE void mfma_16x16x16_f16(float* d, const unsigned* a, const unsigned* b) {
  auto& sum = sums<float, 4>(d);
  sum = __builtin_amdgcn_mfma_f32_16x16x16f16(four_of<FourHalves>(a), four_of<FourHalves>(b), sum, 0, 0, 0);
}
UOL_DEVICE void mfma_32x32x8_bf16(float* d, const unsigned* a, const unsigned* b) {
  auto& sum = sums<float, 16>(d);
  sum = __builtin_amdgcn_mfma_f32_32x32x8bf16_1k(four_of<FourShorts>(a), four_of<FourShorts>(b), sum, 0, 0, 0);
}
UOL_DEVICE void mfma_16x16x16_bf16(float* d, const unsigned* a, const unsigned* b) {
  auto& sum = sums<float, 4>(d);
  sum = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(four_of<FourShorts>(a), four_of<FourShorts>(b), sum, 0, 0, 0);
}
UOL_DEVICE void mfma_32x32x2_f32(float* d, const float* a, const float* b) {
  auto& sum = sums<float, 16>(d);
  sum = __builtin_amdgcn_mfma_f32_32x32x2f32(a[0], b[0], sum, 0, 0, 0);
}
UOL_DEVICE void mfma_16x16x4_f32(float* d, const float* a, const float* b) {
  auto& sum = sums<float, 4>(d);
  sum = __builtin_amdgcn_mfma_f32_16x16x4f32(a[0], b[0], sum, 0, 0, 0);
}
// gfx942 has int8 with twice the k alone: with zeros in the upper half of its operands it is the same sum.
UOL_DEVICE void mfma_32x32x8_i8(int* d, const unsigned* a, const unsigned* b) {
  auto& sum = sums<int, 16>(d);
#if defined(__gfx940__) || defined(__gfx941__) || defined(__gfx942__)
  sum = __builtin_amdgcn_mfma_i32_32x32x16_i8(a[0], b[0], sum, 0, 0, 0);
#else
  sum = __builtin_amdgcn_mfma_i32_32x32x8i8(static_cast<int>(a[0]), static_cast<int>(b[0]), sum, 0, 0, 0);
#endif
}
UOL_DEVICE void mfma_16x16x16_i8(int* d, const unsigned* a, const unsigned* b) {
  auto& sum = sums<int, 4>(d);
#if defined(__gfx940__) || defined(__gfx941__) || defined(__gfx942__)
  sum = __builtin_amdgcn_mfma_i32_16x16x32_i8(a[0], b[0], sum, 0, 0, 0);
#else
  sum = __builtin_amdgcn_mfma_i32_16x16x16i8(static_cast<int>(a[0]), static_cast<int>(b[0]), sum, 0, 0, 0);
#endif
}

// The lower halves of two registers in one, the first in the lower half; and the upper halves.
UOL_DEVICE unsigned low_halves(unsigned a, unsigned b) { return __builtin_amdgcn_perm(b, a, 0x05040100u); }
UOL_DEVICE unsigned high_halves(unsigned a, unsigned b) { return __builtin_amdgcn_perm(b, a, 0x07060302u); }

// Two values in a register, rounded to nearest even, the first in the lower half.
UOL_DEVICE unsigned pack_f16(float low, float high) {
  return __builtin_bit_cast(unsigned, TwoHalves{static_cast<_Float16>(low), static_cast<_Float16>(high)});
}
UOL_DEVICE unsigned pack_bf16(float low, float high) { return bf16_bits(low) | static_cast<unsigned>(bf16_bits(high)) << 16; }

}  // namespace uol

#include "uol_matrix_words.h"
