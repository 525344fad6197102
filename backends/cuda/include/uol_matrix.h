// What kernels on matrix units call beside uol_device.h, on CUDA from sm_80 on: fragments in registers of 32 bits (two f16 or bf16,
// one tf32, four int8), asynchronous copies to shared memory, accesses of whole words. Which lane and register owns which element of
// a fragment: PTX ISA, "Matrix fragments for mma.m16n8k8", ".m16n8k16", ".m16n8k32", and "ldmatrix". Needs no header of a toolkit.
#pragma once

#include "uol_device.h"

namespace uol {

// The block's dynamic shared memory: as many bytes as the launch asks for, at a multiple of 128.
UOL_DEVICE unsigned char* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char uol_dynamic_bytes[];
  return uol_dynamic_bytes;
}
UOL_DEVICE unsigned shared_address(const void* at) { return static_cast<unsigned>(__cvta_generic_to_shared(at)); }

// The same pointer, of which the compiler knows nothing: what is added to it stays an addition to one register.
template <class T> UOL_DEVICE T* pinned(T* pointer) {
  asm("" : "+l"(pointer));
  return pointer;
}

// A truth value that all lanes of a warp have in common, of which the compiler knows that they do: what depends on it is one branch
// of the warp, behind which lanes need not meet again (PTX ISA, vote.sync).
UOL_DEVICE bool uniform(bool value) { return __any_sync(0xffffffffu, value); }

// 4, 8 or 16 bytes from global to shared memory, both at multiples of as many, in the background (PTX ISA, cp.async; 16 bytes pass
// by the first cache). They may be read after `wait_copies`, by other threads after a barrier behind it.
template <int bytes> UOL_DEVICE void copy_async(void* shared, const void* global) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  if constexpr (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)), "l"(global) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(shared_address(shared)), "l"(global), "n"(bytes) : "memory");
}
// Zeros where not `valid`: then nothing is read.
template <int bytes> UOL_DEVICE void copy_async(void* shared, const void* global, bool valid) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  const int read = valid ? bytes : 0;
  if constexpr (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(read) : "memory");
  else
    asm volatile(
        "cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)), "l"(global), "n"(bytes), "r"(read) : "memory");
}
// What a thread has copied since its last group is a group; `wait_copies` waits for all of its groups but the last `pending`.
UOL_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int pending> UOL_DEVICE void wait_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }

// Four 8 x 8 matrices of 16-bit elements from shared memory: lane l gives row l % 8 of matrix l / 8, 16 bytes at a multiple of 16.
// Of matrix i, register i of lane l has elements 2 (l % 4) and the next of row l / 4. All lanes of the warp take part.
UOL_DEVICE void load_matrices(unsigned* to, const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}
// The same with rows and columns exchanged.
UOL_DEVICE void load_matrices_transposed(unsigned* to, const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}

// d += a b over the lanes of a warp, all of which take part: m x n x k in the name, a is m x k, b k x n, d m x n. Of a tf32 in a
// register the upper 19 bits are read. Sums of int8 wrap.
#define UOL_MMA(name, form, Sum, in)                                                                                         \
  UOL_DEVICE void name(Sum* d, const unsigned* a, const unsigned* b) {                                                       \
    asm volatile("mma.sync.aligned." form " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                 \
                 : "+" in(d[0]), "+" in(d[1]), "+" in(d[2]), "+" in(d[3])                                                    \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                                        \
  }
UOL_MMA(mma_16x8x16_f16, "m16n8k16.row.col.f32.f16.f16.f32", float, "f")
UOL_MMA(mma_16x8x16_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32", float, "f")
UOL_MMA(mma_16x8x8_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32", float, "f")
UOL_MMA(mma_16x8x32_i8, "m16n8k32.row.col.s32.s8.s8.s32", int, "r")
#undef UOL_MMA

// The lower halves of two registers in one, the first in the lower half; and the upper halves.
UOL_DEVICE unsigned low_halves(unsigned a, unsigned b) { return __byte_perm(a, b, 0x5410); }
UOL_DEVICE unsigned high_halves(unsigned a, unsigned b) { return __byte_perm(a, b, 0x7632); }

// Two values in a register, rounded to nearest even, the first in the lower half.
UOL_DEVICE unsigned pack_f16(float low, float high) {
  unsigned both;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
}
UOL_DEVICE unsigned pack_bf16(float low, float high) {
  unsigned both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
}

// The greater of both, NaN where one is (PTX ISA, max .NaN).
UOL_DEVICE float greatest(float a, float b) {
  float found;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(found) : "f"(a), "f"(b));
  return found;
}
// 2^x within 2 ulp, of which what lies below the smallest normal number is 0 (PTX ISA, ex2.approx.ftz).
UOL_DEVICE float exp2_flushed(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}

// One access of 4, 8 or 16 bytes, of global or of shared memory, at a multiple of as many.
template <int bytes> UOL_DEVICE void load_words(unsigned* to, const void* from) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  if constexpr (bytes == 4) to[0] = *static_cast<const unsigned*>(from);
  if constexpr (bytes == 8) {
    const uint2 words = *static_cast<const uint2*>(from);
    to[0] = words.x, to[1] = words.y;
  }
  if constexpr (bytes == 16) {
    const uint4 words = *static_cast<const uint4*>(from);
    to[0] = words.x, to[1] = words.y, to[2] = words.z, to[3] = words.w;
  }
}
// Zeros where not `valid`: then nothing is read.
template <int bytes> UOL_DEVICE void load_words(unsigned* to, const void* from, bool valid) {
  if (valid) return load_words<bytes>(to, from);
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word) to[word] = 0;
}
template <int bytes> UOL_DEVICE void store_words(void* to, const unsigned* from) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "4, 8 or 16 bytes");
  if constexpr (bytes == 4) *static_cast<unsigned*>(to) = from[0];
  if constexpr (bytes == 8) *static_cast<uint2*>(to) = uint2{from[0], from[1]};
  if constexpr (bytes == 16) *static_cast<uint4*>(to) = uint4{from[0], from[1], from[2], from[3]};
}
// Nothing is written where not `valid`.
template <int bytes> UOL_DEVICE void store_words(void* to, const unsigned* from, bool valid) {
  if (valid) store_words<bytes>(to, from);
}

}  // namespace uol

#include "uol_matrix_words.h"

// d += a b, m16n8k16, of factors that are floats in two parts (f32, `tf32_parts`) or one (tf32): of a lane the elements of m16n8k16 in
// their order, a register each, of all the first parts, then the second.
#define UOL_BY_TF32(name, a_parts, b_parts)                                                                                      \
  UOL_DEVICE void name(float* d, const unsigned* a, const unsigned* b) {                                                         \
    uol::add_tf32_products<a_parts, b_parts>(d, a, b, [](float* sums, const unsigned* left, const unsigned* right) {             \
      mma_16x8x8_tf32(sums, left, right);                                                                                        \
    });                                                                                                                          \
  }
namespace uol {
UOL_BY_TF32(mma_16x8x16_f32_f32, 2, 2)
UOL_BY_TF32(mma_16x8x16_f32_tf32, 2, 1)
UOL_BY_TF32(mma_16x8x16_tf32_f32, 1, 2)
UOL_BY_TF32(mma_16x8x16_tf32_tf32, 1, 1)
}  // namespace uol
#undef UOL_BY_TF32
