#include "product.h"

#include <cstring>
#include <vector>

#include "layout.h"
#include "numbers.h"

namespace twin {
namespace {

using layout::ceil_div;

// A as rows of k, in the accumulator's type. A gemv reads its one row from the start of L0A; the other rows stay zero.
template <class E, class Acc>
std::vector<Acc> rows_of_a(const CubeShape& s, const std::uint8_t* a, bool gemv) {
  std::vector<Acc> out(s.rows() * s.depth());
  for (std::int64_t m = 0; m < (gemv ? 1 : s.rows()); ++m) {
    for (std::int64_t k1 = 0; k1 < s.k1; ++k1) {
      const std::uint8_t* from = a + (gemv ? k1 * s.c0 : layout::zz(m, k1 * s.c0, s.k1, s.c0)) * E::bytes;
      for (std::int64_t lane = 0; lane < s.c0; ++lane) out[m * s.depth() + k1 * s.c0 + lane] = E::load(from + lane * E::bytes);
    }
  }
  return out;
}

// B as rows of n, one for each k.
template <class E, class Acc>
std::vector<Acc> rows_of_b(const CubeShape& s, const std::uint8_t* b) {
  std::vector<Acc> out(s.depth() * s.cols());
  for (std::int64_t k1 = 0; k1 < s.k1; ++k1) {
    for (std::int64_t n = 0; n < s.cols(); ++n) {
      const std::uint8_t* from = b + layout::zn(k1 * s.c0, n, s.n1, s.c0) * E::bytes;
      for (std::int64_t lane = 0; lane < s.c0; ++lane) out[(k1 * s.c0 + lane) * s.cols() + n] = E::load(from + lane * E::bytes);
    }
  }
  return out;
}

template <class E, class Acc>
void product(const CubeShape& s, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* c, bool gemv) {
  const std::vector<Acc> left = rows_of_a<E, Acc>(s, a, gemv), right = rows_of_b<E, Acc>(s, b);
  std::vector<Acc> row(s.cols());
  for (std::int64_t m = 0; m < s.rows(); ++m) {
    for (std::int64_t n1 = 0; n1 < s.n1; ++n1) std::memcpy(&row[n1 * 16], c + layout::l0c(m, n1 * 16, s.m1) * 4, 64);
    for (std::int64_t k = 0; k < s.depth(); ++k) {
      const Acc x = left[m * s.depth() + k];
      const Acc* y = &right[k * s.cols()];
      for (std::int64_t n = 0; n < s.cols(); ++n) row[n] += x * y[n];
    }
    for (std::int64_t n1 = 0; n1 < s.n1; ++n1) std::memcpy(c + layout::l0c(m, n1 * 16, s.m1) * 4, &row[n1 * 16], 64);
  }
}

}  // namespace

CubeShape cube_shape(Type type, const AscendC::MmadParams& p) {
  const std::int64_t c0 = 32 / bytes_of(type), m = uint16_t{p.m}, n = uint16_t{p.n}, k = uint16_t{p.k};
  const bool wide = type == Type::f32 && p.kDirectionAlign;
  return {m, n, k, ceil_div(m, 16), ceil_div(n, 16), wide ? ceil_div(k, 16) * 2 : ceil_div(k, c0), c0};
}

void cube_product(const CubeShape& s, Type type, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* c, bool gemv) {
  switch (type) {
    case Type::f16:
      return product<F16, float>(s, a, b, c, gemv);
    case Type::bf16:
      return product<BF16, float>(s, a, b, c, gemv);
    case Type::f32:
      return product<Plain<float>, float>(s, a, b, c, gemv);
    default:
      return product<Plain<std::int8_t>, std::int32_t>(s, a, b, c, gemv);
  }
}

}  // namespace twin
