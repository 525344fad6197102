// Vector instructions of two tensor operands, in their count form and their repeat form.
#pragma once
#include "machine.h"
#include "tensor.h"
#include "vector_unary.h"

namespace AscendC {

#define TWIN_BINARY_COUNT(Name, op, ...)                                                                             \
  template <class T>                                                                                                 \
  void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, const int32_t& count, \
            Site site = Site::here()) {                                                                              \
    static_assert(twin::one_of<T, __VA_ARGS__>, #Name ": only " #__VA_ARGS__ " on the 910B");                        \
    twin::vector_binary(twin::Op::op, twin::type_of<T>(), twin::type_of<T>(), dst.view(), src0.view(), src1.view(),  \
                        twin::first(count), site);                                                                   \
  }
#define TWIN_BINARY_REPEAT(Name, op, ...)                                                                           \
  template <class T, bool isSetMask = true>                                                                         \
  void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, twin::Mask mask,     \
            twin::Narrow<uint8_t> repeatTime, const BinaryRepeatParams& params, Site site = Site::here()) {         \
    static_assert(twin::one_of<T, __VA_ARGS__>, #Name ": only " #__VA_ARGS__ " on the 910B");                       \
    twin::vector_binary(twin::Op::op, twin::type_of<T>(), twin::type_of<T>(), dst.view(), src0.view(), src1.view(), \
                        twin::repeated(mask, repeatTime, params), site);                                            \
  }
#define TWIN_BINARY(Name, op, ...)         \
  TWIN_BINARY_COUNT(Name, op, __VA_ARGS__) \
  TWIN_BINARY_REPEAT(Name, op, __VA_ARGS__)

TWIN_BINARY(Add, add, half, float, int16_t, int32_t)
TWIN_BINARY(Sub, sub, half, float, int16_t, int32_t)
TWIN_BINARY(Mul, mul, half, float, int16_t, int32_t)
TWIN_BINARY(Div, div, half, float)
TWIN_BINARY(Max, max, half, float, int16_t, int32_t)
TWIN_BINARY(Min, min, half, float, int16_t, int32_t)
// The count forms reinterpret b32 as twice as many b16; the repeat forms do not.
TWIN_BINARY_COUNT(And, bit_and, int16_t, uint16_t, int32_t, uint32_t)
TWIN_BINARY_COUNT(Or, bit_or, int16_t, uint16_t, int32_t, uint32_t)
TWIN_BINARY_REPEAT(And, bit_and, int16_t, uint16_t)
TWIN_BINARY_REPEAT(Or, bit_or, int16_t, uint16_t)
#undef TWIN_BINARY
#undef TWIN_BINARY_COUNT
#undef TWIN_BINARY_REPEAT

// dst += src0 * src1
template <class T, class U>
void MulAddDst(const LocalTensor<T>& dst, const LocalTensor<U>& src0, const LocalTensor<U>& src1, const int32_t& count,
               Site site = Site::here()) {
  static_assert(is_widening_product<T, U>, "MulAddDst: half to half, half to float, float to float on the 910B");
  twin::vector_binary(twin::Op::mul_add_dst, twin::type_of<T>(), twin::type_of<U>(), dst.view(), src0.view(), src1.view(),
                      twin::first(count), site);
}
template <class T, class U, bool isSetMask = true>
void MulAddDst(const LocalTensor<T>& dst, const LocalTensor<U>& src0, const LocalTensor<U>& src1, twin::Mask mask,
               twin::Narrow<uint8_t> repeatTime, const BinaryRepeatParams& params, Site site = Site::here()) {
  static_assert(is_widening_product<T, U>, "MulAddDst: half to half, half to float, float to float on the 910B");
  twin::vector_binary(twin::Op::mul_add_dst, twin::type_of<T>(), twin::type_of<U>(), dst.view(), src0.view(), src1.view(),
                      twin::repeated(mask, repeatTime, params), site);
}

}  // namespace AscendC
