// Conversions between element types, with the rounding modes that the 910B has for each pair.
#include <cmath>
#include <limits>

#include "kinds.h"
#include "numbers.h"
#include "vector.h"

namespace twin {
namespace {

using AscendC::RoundMode;

enum : unsigned {
  NONE = 1,
  RINT = 2,
  FLOOR = 4,
  CEIL = 8,
  ROUND = 16,
  TRUNC = 32,
  ODD = 64,
  INTEGER = RINT | FLOOR | CEIL | ROUND | TRUNC
};

bool is_float(Type type) { return type == Type::f16 || type == Type::bf16 || type == Type::f32; }

// From impl/basic_api/dav_c220/kernel_operator_vec_vconv_impl.h.
unsigned modes(Type to, Type from) {
  if (from == Type::f16 && (to == Type::s8 || to == Type::u8)) return INTEGER | NONE;
  if (from == Type::f32 && to == Type::f16) return INTEGER | ODD | NONE;
  if (from == Type::s16 && to == Type::f16) return INTEGER | NONE;
  if (from == Type::s32 && to == Type::f32) return INTEGER | NONE;
  if (from == Type::f32 || from == Type::s64) return from == Type::s64 && to == Type::s32 ? NONE : INTEGER;
  if (is_float(from) && !is_float(to)) return INTEGER;
  return NONE;
}

double round_to_integer(double x, RoundMode mode) {
  switch (mode) {
    case RoundMode::CAST_FLOOR:
      return std::floor(x);
    case RoundMode::CAST_CEIL:
      return std::ceil(x);
    case RoundMode::CAST_ROUND:
      return std::round(x);
    case RoundMode::CAST_TRUNC:
      return std::trunc(x);
    default:
      return std::nearbyint(x);
  }
}

// Rounds x to a 16-bit float type in any mode, from its nearest-even neighbour and the neighbour on the other side.
template <std::uint16_t nearest(float), float value(std::uint16_t)>
std::uint16_t narrow(float x, RoundMode mode) {
  const std::uint16_t bits = nearest(x);
  const float rounded = value(bits);
  if (mode == RoundMode::CAST_NONE || mode == RoundMode::CAST_RINT || std::isnan(x) || std::isinf(x) || rounded == x)
    return bits;
  const bool grew = std::fabs(rounded) > std::fabs(x);
  const std::uint16_t toward = grew ? bits - 1 : bits, away = grew ? bits : bits + 1;
  const bool negative = std::signbit(x);
  switch (mode) {
    case RoundMode::CAST_TRUNC:
      return toward;
    case RoundMode::CAST_FLOOR:
      return negative ? away : toward;
    case RoundMode::CAST_CEIL:
      return negative ? toward : away;
    case RoundMode::CAST_ODD:
      return toward & 1 ? toward : away;
    default: {
      const double below = std::fabs(double(x)) - std::fabs(double(value(toward))),
                   above = std::fabs(double(value(away))) - std::fabs(double(x));
      return below < above ? toward : away;  // halves away from zero
    }
  }
}

template <class T>
T saturate(double x) {
  if (std::isnan(x)) return 0;
  if (x <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (x >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(x);
}
template <class T>
T saturate_whole(std::int64_t x) {
  if (x < static_cast<std::int64_t>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (x > static_cast<std::int64_t>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(x);
}

std::int64_t load_whole(const std::uint8_t* at, Type type) {
  switch (type) {
    case Type::s8:
      return Plain<std::int8_t>::load(at);
    case Type::u8:
      return *at;
    case Type::s16:
      return Plain<std::int16_t>::load(at);
    case Type::s32:
      return Plain<std::int32_t>::load(at);
    default:
      return Plain<std::int64_t>::load(at);
  }
}
float load_real(const std::uint8_t* at, Type type) {
  switch (type) {
    case Type::f16:
      return F16::load(at);
    case Type::bf16:
      return BF16::load(at);
    default:
      return Plain<float>::load(at);
  }
}

template <class T>
void store_whole(std::uint8_t* to, const std::uint8_t* from, Type type, RoundMode mode) {
  if (is_float(type))
    Plain<T>::store(to, saturate<T>(round_to_integer(load_real(from, type), mode)));
  else
    Plain<T>::store(to, saturate_whole<T>(load_whole(from, type)));
}

// Integers of more than 24 bits round to float by the current mode of the host: to nearest even.
void store_real(std::uint8_t* to, Type dst, const std::uint8_t* from, Type type, RoundMode mode) {
  const float x = is_float(type) ? load_real(from, type) : static_cast<float>(load_whole(from, type));
  if (dst == Type::f16) return Plain<std::uint16_t>::store(to, narrow<float_to_half, half_to_float>(x, mode));
  if (dst == Type::bf16) return Plain<std::uint16_t>::store(to, narrow<float_to_bf16, bf16_to_float>(x, mode));
  Plain<float>::store(to, type == Type::f32 ? static_cast<float>(round_to_integer(x, mode)) : x);
}

void convert(Type dst, Type type, std::uint8_t* to, const std::uint8_t* from, RoundMode mode) {
  switch (dst) {
    case Type::s8:
      return store_whole<std::int8_t>(to, from, type, mode);
    case Type::u8:
      return store_whole<std::uint8_t>(to, from, type, mode);
    case Type::s16:
      return store_whole<std::int16_t>(to, from, type, mode);
    case Type::s32:
      return store_whole<std::int32_t>(to, from, type, mode);
    case Type::s64:
      return store_whole<std::int64_t>(to, from, type, mode);
    default:
      return store_real(to, dst, from, type, mode);
  }
}

// The pairs that nearly all kernels use, without a decision per element.
bool convert_run(Type dst, Type type, std::uint8_t* d, const std::uint8_t* s, std::int64_t n, RoundMode mode) {
  if (type == Type::f16 && dst == Type::f32) {
    for (std::int64_t i = 0; i < n; ++i) Plain<float>::store(d + i * 4, F16::load(s + i * 2));
  } else if (type == Type::bf16 && dst == Type::f32) {
    for (std::int64_t i = 0; i < n; ++i) Plain<float>::store(d + i * 4, BF16::load(s + i * 2));
  } else if (type == Type::f32 && dst == Type::f16 && mode == RoundMode::CAST_RINT) {
    for (std::int64_t i = 0; i < n; ++i) F16::store(d + i * 2, Plain<float>::load(s + i * 4));
  } else {
    return false;
  }
  return true;
}

}  // namespace

void vector_cast(Type dst_type, Type type, Local dst, Local src, RoundMode mode, const Lanes& lanes, Site site) {
  Vector vector("Cast", site);
  if (!(modes(dst_type, type) & (1u << static_cast<int>(mode))))
    vector.instruction.report_at(kind::cast_mode,
                                 "the 910B does not have this RoundMode for this pair of types (widening takes CAST_NONE)");
  const Sizes sizes{bytes_of(dst_type), bytes_of(type), 0};
  if (!vector.ready(lanes, sizes, dst, &src, nullptr)) return;
  vector.run(lanes, sizes, dst, &src, nullptr, false, state.counts.cast,
             [&](std::uint8_t* d, std::uint8_t* s, std::uint8_t*, std::int64_t n) {
               if (convert_run(dst_type, type, d, s, n, mode)) return;
               for (std::int64_t i = 0; i < n; ++i) convert(dst_type, type, d + i * sizes.dst, s + i * sizes.src0, mode);
             });
}

}  // namespace twin
