// Element types as numbers: conversions, and their sizes.
#pragma once
#include <cstdint>
#include <cstring>

#include "ascend/machine.h"

namespace twin {

constexpr int bytes_of(Type type) {
  switch (type) {
    case Type::s8:
    case Type::u8:
      return 1;
    case Type::f16:
    case Type::bf16:
    case Type::s16:
    case Type::u16:
      return 2;
    case Type::f32:
    case Type::s32:
    case Type::u32:
      return 4;
    default:
      return 8;
  }
}

inline float half_to_float(std::uint16_t bits) { return static_cast<float>(__builtin_bit_cast(_Float16, bits)); }
inline std::uint16_t float_to_half(float value) { return __builtin_bit_cast(std::uint16_t, static_cast<_Float16>(value)); }
inline float bf16_to_float(std::uint16_t bits) { return AscendC::ToFloat({bits}); }
inline std::uint16_t float_to_bf16(float value) { return AscendC::ToBfloat16(value).bits; }

// Reads and writes elements of a floating type as float, rounding once.
struct F16 {
  static float load(const std::uint8_t* at) {
    std::uint16_t bits;
    std::memcpy(&bits, at, 2);
    return half_to_float(bits);
  }
  static void store(std::uint8_t* at, float value) {
    const std::uint16_t bits = float_to_half(value);
    std::memcpy(at, &bits, 2);
  }
  static constexpr int bytes = 2;
};
struct BF16 {
  static float load(const std::uint8_t* at) {
    std::uint16_t bits;
    std::memcpy(&bits, at, 2);
    return bf16_to_float(bits);
  }
  static void store(std::uint8_t* at, float value) {
    const std::uint16_t bits = float_to_bf16(value);
    std::memcpy(at, &bits, 2);
  }
  static constexpr int bytes = 2;
};
// Any type that the host has too.
template <class T>
struct Plain {
  static T load(const std::uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof(T));
    return value;
  }
  static void store(std::uint8_t* at, T value) { std::memcpy(at, &value, sizeof(T)); }
  static constexpr int bytes = sizeof(T);
};

// to[i] += from[i], rounded to the type; integers wrap.
void add_elements(std::uint8_t* to, const std::uint8_t* from, std::int64_t bytes, Type type);

}  // namespace twin
