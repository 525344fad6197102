// The cube's product on fractals, as numbers: C[m, n] += A[m, k] * B[k, n].
#pragma once
#include <cstdint>

#include "ascend/machine.h"

namespace twin {

struct CubeShape {
  std::int64_t m, n, k;     // as asked
  std::int64_t m1, n1, k1;  // in fractals
  std::int64_t c0;          // lanes of k in a fractal

  std::int64_t rows() const { return m1 * 16; }
  std::int64_t cols() const { return n1 * 16; }
  std::int64_t depth() const { return k1 * c0; }
};

CubeShape cube_shape(Type type, const AscendC::MmadParams& p);

// All lanes, padding too. `gemv`: A is one plain row of k.
void cube_product(const CubeShape& shape, Type type, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* c, bool gemv);

}  // namespace twin
