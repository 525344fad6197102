// What texts on matrix units call beside uol_twin.h: asynchronous copies, and what the lanes of a warp do together.
#pragma once

namespace uol_twin {

// 4, 8 or 16 bytes from global to shared memory, zeros where not `valid`; they arrive when the thread waits for their group.
void copy_async(void* to, const void* from, int bytes, bool valid);
void commit_copies();
void wait_copies(int pending);

// Four 8 x 8 matrices of 16-bit elements, of which every lane gives a row.
void load_matrices(unsigned* to, const void* row, bool transposed, int line);

// 4, 8 or 16 bytes at `lane + wave` bytes from `from`; words that lie beyond `range` bytes by `lane` alone are zeros.
void load_buffer(unsigned* to, const void* from, unsigned range, unsigned lane, unsigned wave, int bytes);

// d += a b over the lanes of a warp. m x n x k: a is m x k, b k x n.
enum class Product {
  mma_16x8x16_f16, mma_16x8x16_bf16, mma_16x8x8_tf32, mma_16x8x32_i8,
  mfma_32x32x8_f16, mfma_16x16x16_f16, mfma_32x32x8_bf16, mfma_16x16x16_bf16,
  mfma_32x32x2_f32, mfma_16x16x4_f32, mfma_32x32x8_i8, mfma_16x16x16_i8,
};
void multiply(Product product, void* d, const void* a, const void* b, int line);

// So many bytes of registers are read or written where fewer are left of an array.
void beyond_registers(unsigned long left, int bytes);

}  // namespace uol_twin
