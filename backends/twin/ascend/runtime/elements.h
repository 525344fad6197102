// Element functions of vector arithmetic.
#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace twin {

// Max and Min return the operand that is not NaN: the card's behaviour is not documented, so kernels may not rely on it.
template <class T>
T max_of(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a)) return b;
    if (std::isnan(b)) return a;
  }
  return a > b ? a : b;
}
template <class T>
T min_of(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a)) return b;
    if (std::isnan(b)) return a;
  }
  return a < b ? a : b;
}
template <class T, class Op>
T wrap(T a, T b, Op op) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(op(static_cast<std::uint64_t>(static_cast<U>(a)), static_cast<std::uint64_t>(static_cast<U>(b))));
}
template <class T>
T sum(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a + b;
  else
    return wrap(a, b, [](auto x, auto y) { return x + y; });
}
template <class T>
T difference(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a - b;
  else
    return wrap(a, b, [](auto x, auto y) { return x - y; });
}
template <class T>
T product(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a * b;
  else
    return wrap(a, b, [](auto x, auto y) { return x * y; });
}

// Rsqrt and Reciprocal are of low precision on the card: keep 12 bits of the mantissa in float, 9 in half.
inline float coarse(float value, bool half) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
  return std::isfinite(value) ? __builtin_bit_cast(float, bits&(half ? ~0x3fffu : ~0x7ffu)) : value;
}

}  // namespace twin
