// Arithmetic on lanes. Half computes in float and rounds once; integers wrap. NaN: see ../README.md.
#include <cmath>
#include <type_traits>

#include "elements.h"
#include "kinds.h"
#include "numbers.h"
#include "vector.h"

namespace twin {
namespace {

using Bytes = std::uint8_t*;

template <class E, class F>
void map1(Bytes d, Bytes s, std::int64_t n, F f) {
  for (std::int64_t i = 0; i < n; ++i) E::store(d + i * E::bytes, f(E::load(s + i * E::bytes)));
}
template <class E, class F>
void map2(Bytes d, Bytes a, Bytes b, std::int64_t n, F f) {
  for (std::int64_t i = 0; i < n; ++i) E::store(d + i * E::bytes, f(E::load(a + i * E::bytes), E::load(b + i * E::bytes)));
}

template <class E>
void unary_float(Op op, bool half, float y, Bytes d, Bytes s, std::int64_t n) {
  switch (op) {
    case Op::exp:
      return map1<E>(d, s, n, [](float x) { return std::exp(x); });
    case Op::ln:
      return map1<E>(d, s, n, [](float x) { return std::log(x); });
    case Op::sqrt:
      return map1<E>(d, s, n, [](float x) { return std::sqrt(x); });
    case Op::rsqrt:
      return map1<E>(d, s, n, [half](float x) { return coarse(1.0f / std::sqrt(x), half); });
    case Op::reciprocal:
      return map1<E>(d, s, n, [half](float x) { return coarse(1.0f / x, half); });
    case Op::abs:
      return map1<E>(d, s, n, [](float x) { return std::fabs(x); });
    case Op::leaky_relu:
      return map1<E>(d, s, n, [y](float x) { return x >= 0 ? x : x * y; });
    default:
      return;
  }
}
template <class E, class T>
void unary_any(Op op, T y, Bytes d, Bytes s, std::int64_t n) {
  switch (op) {
    case Op::relu:
      return map1<E>(d, s, n, [](T x) { return max_of(x, T(0)); });
    case Op::adds:
      return map1<E>(d, s, n, [y](T x) { return sum(x, y); });
    case Op::muls:
      return map1<E>(d, s, n, [y](T x) { return product(x, y); });
    case Op::maxs:
      return map1<E>(d, s, n, [y](T x) { return max_of(x, y); });
    case Op::mins:
      return map1<E>(d, s, n, [y](T x) { return min_of(x, y); });
    default:
      return;
  }
}
template <class T>
void unary_bits(Op op, std::int64_t y, Bytes d, Bytes s, std::int64_t n) {
  using E = Plain<T>;
  using U = std::make_unsigned_t<T>;
  constexpr int width = sizeof(T) * 8;
  switch (op) {
    case Op::bit_not:
      return map1<E>(d, s, n, [](T x) { return static_cast<T>(~x); });
    case Op::shift_left:
      return map1<E>(d, s, n, [y](T x) { return y >= width ? T(0) : static_cast<T>(static_cast<U>(x) << y); });
    case Op::shift_right:
      return map1<E>(d, s, n, [y](T x) { return static_cast<T>(x >> (y >= width ? width - 1 : y)); });
    default:
      return;
  }
}

void unary(Op op, Type type, Scalar y, Bytes d, Bytes s, std::int64_t n) {
  const bool bits = op == Op::bit_not || op == Op::shift_left || op == Op::shift_right;
  const bool any = op == Op::relu || op == Op::adds || op == Op::muls || op == Op::maxs || op == Op::mins;
  switch (type) {
    case Type::f16:
      return any ? unary_any<F16>(op, y.real, d, s, n) : unary_float<F16>(op, true, y.real, d, s, n);
    case Type::f32:
      return any ? unary_any<Plain<float>>(op, y.real, d, s, n) : unary_float<Plain<float>>(op, false, y.real, d, s, n);
    case Type::s16:
      return bits ? unary_bits<std::int16_t>(op, y.whole, d, s, n)
                  : unary_any<Plain<std::int16_t>>(op, static_cast<std::int16_t>(y.whole), d, s, n);
    case Type::s32:
      return bits ? unary_bits<std::int32_t>(op, y.whole, d, s, n)
                  : unary_any<Plain<std::int32_t>>(op, static_cast<std::int32_t>(y.whole), d, s, n);
    case Type::u16:
      return unary_bits<std::uint16_t>(op, y.whole, d, s, n);
    default:
      return unary_bits<std::uint32_t>(op, y.whole, d, s, n);
  }
}

template <class E, class T>
void binary_number(Op op, Bytes d, Bytes a, Bytes b, std::int64_t n) {
  switch (op) {
    case Op::add:
      return map2<E>(d, a, b, n, [](T x, T y) { return sum(x, y); });
    case Op::sub:
      return map2<E>(d, a, b, n, [](T x, T y) { return difference(x, y); });
    case Op::mul:
      return map2<E>(d, a, b, n, [](T x, T y) { return product(x, y); });
    case Op::max:
      return map2<E>(d, a, b, n, [](T x, T y) { return max_of(x, y); });
    case Op::min:
      return map2<E>(d, a, b, n, [](T x, T y) { return min_of(x, y); });
    case Op::div:
      if constexpr (std::is_floating_point_v<T>) return map2<E>(d, a, b, n, [](T x, T y) { return x / y; });
      return;
    default:
      return;
  }
}

void binary(Op op, Type type, Bytes d, Bytes a, Bytes b, std::int64_t n) {
  if (op == Op::bit_and || op == Op::bit_or) {
    for (std::int64_t i = 0; i < n * bytes_of(type); ++i) d[i] = op == Op::bit_and ? a[i] & b[i] : a[i] | b[i];
    return;
  }
  switch (type) {
    case Type::f16:
      return binary_number<F16, float>(op, d, a, b, n);
    case Type::f32:
      return binary_number<Plain<float>, float>(op, d, a, b, n);
    case Type::s16:
      return binary_number<Plain<std::int16_t>, std::int16_t>(op, d, a, b, n);
    default:
      return binary_number<Plain<std::int32_t>, std::int32_t>(op, d, a, b, n);
  }
}

// d += a * b, with products of half added to half or to float
void multiply_add(Type dst, Type type, Bytes d, Bytes a, Bytes b, float scalar, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float x = type == Type::f16 ? F16::load(a + i * 2) : Plain<float>::load(a + i * 4);
    const float y = !b ? scalar : type == Type::f16 ? F16::load(b + i * 2) : Plain<float>::load(b + i * 4);
    if (dst == Type::f16)
      F16::store(d + i * 2, F16::load(d + i * 2) + x * y);
    else
      Plain<float>::store(d + i * 4, Plain<float>::load(d + i * 4) + x * y);
  }
}

std::int64_t& elements_of(Op op) {
  Counts& c = state.counts;
  switch (op) {
    case Op::add:
    case Op::sub:
    case Op::max:
    case Op::min:
    case Op::adds:
    case Op::maxs:
    case Op::mins:
    case Op::abs:
    case Op::relu:
      return c.add;
    case Op::mul:
    case Op::muls:
    case Op::axpy:
    case Op::mul_add_dst:
    case Op::leaky_relu:
      return c.mul;
    case Op::div:
    case Op::reciprocal:
      return c.div;
    case Op::exp:
    case Op::ln:
    case Op::sqrt:
    case Op::rsqrt:
      return c.transcendental;
    default:
      return c.bit;
  }
}

bool chains(Op op, Type type) {
  return (op == Op::add || op == Op::sub || op == Op::mul || op == Op::max || op == Op::min) && type != Type::s16;
}

}  // namespace

const char* op_name(Op op) {
  constexpr const char* names[] = {"Add",        "Sub",  "Mul",       "Div",        "Max",       "Min",  "Adds",
                                   "Muls",       "Maxs", "Mins",      "Exp",        "Ln",        "Sqrt", "Rsqrt",
                                   "Reciprocal", "Abs",  "Relu",      "LeakyRelu",  "MulAddDst", "Axpy", "And",
                                   "Or",         "Not",  "ShiftLeft", "ShiftRight", "Duplicate"};
  return names[static_cast<int>(op)];
}

void vector_unary(Op op, Type type, Local dst, Local src, Scalar scalar, const Lanes& lanes, Site site) {
  Vector vector(op_name(op), site);
  const Sizes sizes{bytes_of(type), bytes_of(type), 0};
  if (!vector.ready(lanes, sizes, dst, &src, nullptr)) return;
  vector.run(lanes, sizes, dst, &src, nullptr, false, elements_of(op),
             [&](Bytes d, Bytes s, Bytes, std::int64_t n) { unary(op, type, scalar, d, s, n); });
}

void vector_binary(Op op, Type dst_type, Type type, Local dst, Local src0, Local src1, const Lanes& lanes, Site site) {
  Vector vector(op_name(op), site, chains(op, type));
  // kernel_operator_vec_binary_impl.h of dav_c220 casts And's and Or's operands to int16_t and takes the count as it is.
  if ((op == Op::bit_and || op == Op::bit_or) && bytes_of(type) == 4) {
    vector.instruction.report_at(kind::bit_width,
                                 "works on `count` elements of 16 bits, so that half of these of 32 stay untouched: "
                                 "ReinterpretCast<uint16_t>() and twice the count");
    dst_type = type = Type::u16;
  }
  const Sizes sizes{bytes_of(dst_type), bytes_of(type), bytes_of(type)};
  if (!vector.ready(lanes, sizes, dst, &src0, &src1)) return;
  const bool accumulates = op == Op::mul_add_dst;
  vector.run(lanes, sizes, dst, &src0, &src1, accumulates, elements_of(op), [&](Bytes d, Bytes a, Bytes b, std::int64_t n) {
    if (accumulates)
      multiply_add(dst_type, type, d, a, b, 0, n);
    else
      binary(op, type, d, a, b, n);
  });
}

void vector_axpy(Type dst_type, Type type, Local dst, Local src, Scalar scalar, const Lanes& lanes, Site site) {
  Vector vector("Axpy", site);
  const Sizes sizes{bytes_of(dst_type), bytes_of(type), 0};
  if (!vector.ready(lanes, sizes, dst, &src, nullptr)) return;
  vector.run(lanes, sizes, dst, &src, nullptr, true, state.counts.mul,
             [&](Bytes d, Bytes a, Bytes, std::int64_t n) { multiply_add(dst_type, type, d, a, nullptr, scalar.real, n); });
}

}  // namespace twin
