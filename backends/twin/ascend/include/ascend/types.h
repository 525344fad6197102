// Element types, positions, pipes, events and modes, with the vendor's names.
#pragma once
#include <stdint.h>

#define __NPU_ARCH__ 2201
#define __aicore__
#define __global__
#define __gm__
#define GM_ADDR uint8_t*

// Storage of an f16. Scalar arithmetic on it does not exist in device code: convert to float.
struct half {
  uint16_t bits;
  half() = default;
  template <class T>
  explicit constexpr half(T value) : bits(__builtin_bit_cast(uint16_t, static_cast<_Float16>(value))) {}
  explicit constexpr operator float() const { return static_cast<float>(__builtin_bit_cast(_Float16, bits)); }
};

// Storage of a bf16: a constant is made by AscendC::ToBfloat16, read by AscendC::ToFloat.
struct bfloat16_t {
  uint16_t bits;
};

enum pipe_t : uint8_t { PIPE_S = 0, PIPE_V, PIPE_M, PIPE_MTE1, PIPE_MTE2, PIPE_MTE3, PIPE_FIX, PIPE_ALL };
enum event_t : uint8_t { EVENT_ID0 = 0, EVENT_ID1, EVENT_ID2, EVENT_ID3, EVENT_ID4, EVENT_ID5, EVENT_ID6, EVENT_ID7 };
enum class QuantMode_t : uint8_t { NoQuant, F322F16, F322BF16, DEQF16, VDEQF16, QF322B8_PRE, VQF322B8_PRE, REQ8, VREQ8 };

enum KernelMetaType : uint8_t {
  KERNEL_TYPE_AIV_ONLY,
  KERNEL_TYPE_AIC_ONLY,
  KERNEL_TYPE_MIX_AIV_1_0,
  KERNEL_TYPE_MIX_AIC_1_0,
  KERNEL_TYPE_MIX_AIC_1_1,
  KERNEL_TYPE_MIX_AIC_1_2,
};

namespace AscendC {

enum class TPosition : uint8_t { GM, A1, A2, B1, B2, C1, C2, CO1, CO2, VECIN, VECOUT, VECCALC, LCM = VECCALC };
using QuePosition = TPosition;

// Values after the underscore are (source pipe, destination pipe): WaitFlag holds the destination back.
enum class HardEvent : uint8_t {
  MTE2_MTE1,
  MTE1_MTE2,
  MTE1_M,
  M_MTE1,
  MTE2_V,
  V_MTE2,
  MTE3_V,
  V_MTE3,
  M_V,
  V_M,
  V_V,
  MTE3_MTE1,
  MTE1_MTE3,
  MTE1_V,
  MTE2_M,
  M_MTE2,
  V_MTE1,
  M_FIX,
  FIX_M,
  MTE3_MTE2,
  MTE2_MTE3,
  S_V,
  V_S,
  S_MTE2,
  MTE2_S,
  S_MTE3,
  MTE3_S,
  MTE2_FIX,
  FIX_MTE2,
  FIX_S,
  M_S,
  FIX_MTE3,
  MTE1_FIX,
  FIX_MTE1,
  FIX_FIX,
};

enum class RoundMode : uint8_t { CAST_NONE, CAST_RINT, CAST_FLOOR, CAST_CEIL, CAST_ROUND, CAST_TRUNC, CAST_ODD };
enum class CMPMODE : uint8_t { LT, GT, EQ, LE, GE, NE };
enum class SELMODE : uint8_t { VSEL_CMPMASK_SPR, VSEL_TENSOR_SCALAR_MODE, VSEL_TENSOR_TENSOR_MODE };
enum class ReduceOrder : uint8_t { ORDER_VALUE_INDEX, ORDER_INDEX_VALUE, ORDER_ONLY_VALUE, ORDER_ONLY_INDEX };
enum class CacheLine : uint64_t { SINGLE_CACHE_LINE, ENTIRE_DATA_CACHE };
enum class DcciDst : uint64_t { CACHELINE_ALL, CACHELINE_UB, CACHELINE_OUT, CACHELINE_ATOMIC };
enum class CO2Layout : uint8_t { NZ, ROW_MAJOR, COLUMN_MAJOR };

struct FixpipeConfig {
  CO2Layout format;
};
constexpr FixpipeConfig CFG_NZ = {CO2Layout::NZ};
constexpr FixpipeConfig CFG_ROW_MAJOR = {CO2Layout::ROW_MAJOR};

// Round to nearest even, as the card's conversion does; NaN stays NaN.
constexpr bfloat16_t ToBfloat16(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return bfloat16_t{static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return bfloat16_t{static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}
constexpr float ToFloat(bfloat16_t value) { return __builtin_bit_cast(float, static_cast<uint32_t>(value.bits) << 16); }

}  // namespace AscendC

namespace twin {

enum class Type : uint8_t { f16, bf16, f32, s8, u8, s16, u16, s32, u32, s64, u64 };

template <class A, class B>
constexpr bool same = false;
template <class A>
constexpr bool same<A, A> = true;
template <class T, class... Of>
constexpr bool one_of = (same<T, Of> || ...);

template <class T>
constexpr Type type_of() {
  if constexpr (same<T, half>) return Type::f16;
  if constexpr (same<T, bfloat16_t>) return Type::bf16;
  if constexpr (same<T, float>) return Type::f32;
  if constexpr (same<T, int8_t>) return Type::s8;
  if constexpr (same<T, uint8_t>) return Type::u8;
  if constexpr (same<T, int16_t>) return Type::s16;
  if constexpr (same<T, uint16_t>) return Type::u16;
  if constexpr (same<T, int32_t>) return Type::s32;
  if constexpr (same<T, uint32_t>) return Type::u32;
  if constexpr (same<T, int64_t>) return Type::s64;
  if constexpr (same<T, uint64_t>) return Type::u64;
  static_assert(one_of<T, half, bfloat16_t, float, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>,
                "no such element type on the 910B");
}

}  // namespace twin
