// The arithmetic of matrix units.
//
// NVIDIA's, of 16-bit elements and tf32: a group of products, exact, and the sum so far are brought to one exponent, that of the
// greatest; of each what lies below the last kept bit is dropped; the rest is added exactly, and dropped to an f32. On sm_80 a group
// has 8 products (of tf32 4), and 24 bits behind the leading one are kept; on sm_90 16 and 25, which is less coarse. Measured:
// Fasi, Higham, Mikaitis, Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ CS 7:e330, 2021; Khattak, Mikaitis, "Accurate
// Models of NVIDIA Tensor Cores", arXiv 2512.07004; Xie et al., "MMA-Sim", arXiv 2511.10909.
// AMD's: of f16 and bf16 subnormal operands, sums before and sums after are zero (MIOpen documentation, "MI200 matrix fused multiply-
// add behavior specifics"). In which order products are added is not said: here in that of k, each rounded to nearest.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace uol_twin {

struct F16 {
  _Float16 bits;
  static constexpr double least_normal = 0x1p-14;
  static constexpr int group = 8;
  static constexpr bool flushes = true;
  double value() const { return static_cast<double>(static_cast<float>(bits)); }
};
struct Bf16 {
  std::uint16_t bits;
  static constexpr double least_normal = 0x1p-126;
  static constexpr int group = 8;
  static constexpr bool flushes = true;
  double value() const { return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16); }
};
struct Tf32 {
  std::uint32_t bits;
  static constexpr double least_normal = 0x1p-126;
  static constexpr int group = 4;
  double value() const { return __builtin_bit_cast(float, bits & 0xffffe000u); }  // the upper 19 bits
};
struct F32 {
  float bits;
  static constexpr double least_normal = 0x1p-126;
  static constexpr bool flushes = false;
  double value() const { return bits; }
};

// Operations by the type of the elements.
constexpr int matrix_units = 5;
template <class Element> inline constexpr int unit_of = 4;  // signed char
template <> inline constexpr int unit_of<F16> = 0;
template <> inline constexpr int unit_of<Bf16> = 1;
template <> inline constexpr int unit_of<Tf32> = 2;
template <> inline constexpr int unit_of<F32> = 3;
inline constexpr const char* unit_names[matrix_units] = {"f16", "bf16", "tf32", "f32", "i8"};
extern std::uint64_t matrix_operations[matrix_units];

// The greatest power of two that is at most |value|, and at least that of normal numbers; 0 of 0.
inline double power_of(double value, double least_normal) {
  const double power = __builtin_bit_cast(double, __builtin_bit_cast(std::uint64_t, value) & 0x7ff0000000000000ULL);
  return value == 0 ? 0 : power < least_normal ? least_normal : power;
}

// The nearest f32 that is not greater in magnitude; infinity from 2^128 on.
inline float dropped_to_f32(double value) {
  if (std::fabs(value) >= 0x1p128) return value < 0 ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity();
  const float nearest = static_cast<float>(value);
  if (std::fabs(static_cast<double>(nearest)) <= std::fabs(value)) return nearest;
  return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, nearest) - 1);
}

// A group of products and a sum, whose parts may be infinite or no numbers.
template <int n> float plain_sum(float sum, const double (&products)[n]) {
  double total = sum;
  for (const double product : products) total += product;
  return static_cast<float>(total);
}

template <int m, int n, int k, class Element>
void add_truncated(float (&d)[m][n], const Element (&a)[m][k], const Element (&b)[k][n]) {
  constexpr double last_bit = 0x1p-24;
  constexpr int group = Element::group;
  static double left[m][k], left_power[m][k], right[k][n], right_power[k][n];
  for (int row = 0; row < m; ++row)
    for (int at = 0; at < k; ++at) left_power[row][at] = power_of(left[row][at] = a[row][at].value(), Element::least_normal);
  for (int at = 0; at < k; ++at)
    for (int col = 0; col < n; ++col) right_power[at][col] = power_of(right[at][col] = b[at][col].value(), Element::least_normal);
  for (int first = 0; first < k; first += group)
    for (int row = 0; row < m; ++row) {
      double greatest[n], total[n], step[n];
      for (int col = 0; col < n; ++col) greatest[col] = power_of(d[row][col], 0x1p-126);
      for (int at = first; at < first + group; ++at)
        for (int col = 0; col < n; ++col) {
          const double power = left_power[row][at] * right_power[at][col];
          greatest[col] = greatest[col] < power ? power : greatest[col];
        }
      for (int col = 0; col < n; ++col) {
        step[col] = greatest[col] > 0 ? 1 / (greatest[col] * last_bit) : 1;
        total[col] = __builtin_trunc(d[row][col] * step[col]);
      }
      for (int at = first; at < first + group; ++at)
        for (int col = 0; col < n; ++col) total[col] += __builtin_trunc(left[row][at] * right[at][col] * step[col]);
      for (int col = 0; col < n; ++col) {
        const double sum = total[col] / step[col];
        if (sum - sum == 0) {
          d[row][col] = dropped_to_f32(sum);
          continue;
        }
        double products[group];
        for (int at = 0; at < group; ++at) products[at] = left[row][first + at] * right[first + at][col];
        d[row][col] = plain_sum(d[row][col], products);
      }
    }
}

template <int m, int n, int k, class Element>
void add_flushed(float (&d)[m][n], const Element (&a)[m][k], const Element (&b)[k][n]) {
  const auto flushed = [](double value) { return Element::flushes && std::fabs(value) < Element::least_normal ? 0.0f : static_cast<float>(value); };
  const auto flushed_sum = [](float value) { return Element::flushes && std::fabs(value) < 0x1p-126f ? 0.0f : value; };
  static float left[m][k], right[k][n];
  for (int row = 0; row < m; ++row)
    for (int at = 0; at < k; ++at) left[row][at] = flushed(a[row][at].value());
  for (int at = 0; at < k; ++at)
    for (int col = 0; col < n; ++col) right[at][col] = flushed(b[at][col].value());
  for (int row = 0; row < m; ++row) {
    for (int col = 0; col < n; ++col) d[row][col] = flushed_sum(d[row][col]);
    for (int at = 0; at < k; ++at)
      for (int col = 0; col < n; ++col) d[row][col] = __builtin_fmaf(left[row][at], right[at][col], d[row][col]);
    for (int col = 0; col < n; ++col) d[row][col] = flushed_sum(d[row][col]);
  }
}

// Integers wrap.
template <int m, int n, int k> void add_whole(int (&d)[m][n], const signed char (&a)[m][k], const signed char (&b)[k][n]) {
  for (int row = 0; row < m; ++row)
    for (int at = 0; at < k; ++at)
      for (int col = 0; col < n; ++col)
        d[row][col] = static_cast<int>(static_cast<unsigned>(d[row][col]) + static_cast<unsigned>(a[row][at] * b[at][col]));
}

}  // namespace uol_twin
