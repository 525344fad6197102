// Where an element of a matrix lies in the cube's memories. c0 = 32 B / element size; sizes in fractals are rounded up.
#pragma once
#include <cstdint>

namespace twin::layout {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// L1, NZ: column blocks of c0, each `rows` rows long.
constexpr std::int64_t nz(std::int64_t row, std::int64_t col, std::int64_t rows, std::int64_t c0) {
  return (col / c0) * rows * c0 + row * c0 + col % c0;
}
// L0A, Zz: A[m, k] in fractals of 16 x c0, `k1` of them side by side.
constexpr std::int64_t zz(std::int64_t m, std::int64_t k, std::int64_t k1, std::int64_t c0) {
  return ((m / 16) * k1 + k / c0) * 16 * c0 + (m % 16) * c0 + k % c0;
}
// L0B, Zn: B[k, n] in fractals of 16 n x c0 k, `n1` of them a row of fractals.
constexpr std::int64_t zn(std::int64_t k, std::int64_t n, std::int64_t n1, std::int64_t c0) {
  return ((k / c0) * n1 + n / 16) * 16 * c0 + (n % 16) * c0 + k % c0;
}
// L0C, Nz: C[m, n] in fractals of 16 x 16, `m1` of them a column.
constexpr std::int64_t l0c(std::int64_t m, std::int64_t n, std::int64_t m1) {
  return ((n / 16) * m1 + m / 16) * 256 + (m % 16) * 16 + n % 16;
}

// A square of LoadDataWithTranspose, in bytes: 16 x 16 of b32 (two fractals side by side) or 32 x 32 of b8 (two, one above
// the other); `second` is where the second fractal starts.
constexpr std::int64_t square(std::int64_t row, std::int64_t col, std::int64_t element, std::int64_t second) {
  const std::int64_t c0 = 32 / element;
  if (element == 4) return (col >= c0 ? second : 0) + (row * c0 + col % c0) * element;
  return (row >= 16 ? second : 0) + (row % 16 * c0 + col) * element;
}

}  // namespace twin::layout
