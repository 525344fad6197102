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
  double value() const {
    float single = static_cast<float>(bits);  // an instruction; to double at once it would be a call
    asm("" : "+x"(single));
    return single;
  }
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
  const float nearest = static_cast<float>(value);
  const bool is_above = std::fabs(static_cast<double>(nearest)) > std::fabs(value) && std::fabs(value) < 0x1p128;
  return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, nearest) - is_above);
}

// Operands as numbers, and the powers of two that they begin with; is one infinite or no number?
template <int rows, int cols, class Element> struct Values {
  double value[rows][cols], power[rows][cols];
  bool read(const Element (&from)[rows][cols]) {
    double other = 0;
    for (int row = 0; row < rows; ++row)
      for (int col = 0; col < cols; ++col) {
        value[row][col] = from[row][col].value();
        power[row][col] = power_of(value[row][col], Element::least_normal);
        other += value[row][col] - value[row][col];
      }
    return other != 0;
  }
};

// A group of products from `first` on to the sums of a row.
template <int n, int k, int group, class Left, class Right>
void add_group(float (&d)[n], const Left& left, const Right& right, int row, int first) {
  constexpr double last_bit = 0x1p-24;
  double unit[n], step[n], total[n];
  for (int col = 0; col < n; ++col) unit[col] = power_of(d[col], 0x1p-126);
  for (int at = first; at < first + group; ++at)
    for (int col = 0; col < n; ++col) {
      const double power = left.power[row][at] * right.power[at][col];
      unit[col] = unit[col] < power ? power : unit[col];
    }
  for (int col = 0; col < n; ++col) {
    unit[col] = unit[col] > 0 ? unit[col] * last_bit : 1;
    step[col] = 1 / unit[col];
    total[col] = __builtin_trunc(d[col] * step[col]);
  }
  for (int at = first; at < first + group; ++at)
    for (int col = 0; col < n; ++col) total[col] += __builtin_trunc(left.value[row][at] * right.value[at][col] * step[col]);
  for (int col = 0; col < n; ++col) {
    const bool is_finite = d[col] - d[col] == 0;  // the group before may have left infinity
    d[col] = is_finite ? dropped_to_f32(total[col] * unit[col]) : d[col];
  }
}

template <int m, int n, int k, class Element>
void add_truncated(float (&d)[m][n], const Element (&a)[m][k], const Element (&b)[k][n]) {
  static Values<m, k, Element> left;
  static Values<k, n, Element> right;
  float other = 0;
  for (const auto& row : d)
    for (const float sum : row) other += sum - sum;
  if (left.read(a) | right.read(b) | (other != 0)) {  // infinities and what is no number go their usual ways
    for (int row = 0; row < m; ++row)
      for (int at = 0; at < k; ++at)
        for (int col = 0; col < n; ++col) d[row][col] += static_cast<float>(left.value[row][at] * right.value[at][col]);
    return;
  }
  for (int first = 0; first < k; first += Element::group)
    for (int row = 0; row < m; ++row) add_group<n, k, Element::group>(d[row], left, right, row, first);
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
