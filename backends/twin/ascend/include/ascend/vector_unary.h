// Vector instructions of one tensor operand, with or without a scalar. Each in its count form and its repeat form.
#pragma once
#include "machine.h"
#include "tensor.h"

namespace AscendC {

#define TWIN_UNARY(Name, op, ...)                                                                                    \
  template <class T>                                                                                                 \
  void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src, const int32_t& count, Site site = Site::here()) {  \
    static_assert(twin::one_of<T, __VA_ARGS__>, #Name ": only " #__VA_ARGS__ " on the 910B");                        \
    twin::vector_unary(twin::Op::op, twin::type_of<T>(), dst.view(), src.view(), {0, 0}, twin::first(count), site);  \
  }                                                                                                                  \
  template <class T, bool isSetMask = true>                                                                          \
  void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src, twin::Mask mask, twin::Narrow<uint8_t> repeatTime, \
            const UnaryRepeatParams& params, Site site = Site::here()) {                                             \
    static_assert(twin::one_of<T, __VA_ARGS__>, #Name ": only " #__VA_ARGS__ " on the 910B");                        \
    twin::vector_unary(twin::Op::op, twin::type_of<T>(), dst.view(), src.view(), {0, 0},                             \
                       twin::repeated(mask, repeatTime, params), site);                                              \
  }

TWIN_UNARY(Exp, exp, half, float)
TWIN_UNARY(Ln, ln, half, float)
TWIN_UNARY(Sqrt, sqrt, half, float)
TWIN_UNARY(Rsqrt, rsqrt, half, float)
TWIN_UNARY(Reciprocal, reciprocal, half, float)
TWIN_UNARY(Abs, abs, half, float)
TWIN_UNARY(Relu, relu, half, float, int32_t)
TWIN_UNARY(Not, bit_not, int16_t, uint16_t)
#undef TWIN_UNARY

// The scalar has the tensor's type: a literal of another type does not compile, as in the vendor's header.
#define TWIN_SCALAR(Name, op, ...)                                                                            \
  template <class T, bool isSetMask = true>                                                                   \
  void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalarValue, const int32_t& count, \
            Site site = Site::here()) {                                                                       \
    static_assert(twin::one_of<T, __VA_ARGS__>, #Name ": only " #__VA_ARGS__ " on the 910B");                 \
    twin::vector_unary(twin::Op::op, twin::type_of<T>(), dst.view(), src.view(), twin::scalar(scalarValue),   \
                       twin::first(count), site);                                                             \
  }                                                                                                           \
  template <class T, bool isSetMask = true>                                                                   \
  void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalarValue, twin::Mask mask,      \
            twin::Narrow<uint8_t> repeatTime, const UnaryRepeatParams& params, Site site = Site::here()) {    \
    static_assert(twin::one_of<T, __VA_ARGS__>, #Name ": only " #__VA_ARGS__ " on the 910B");                 \
    twin::vector_unary(twin::Op::op, twin::type_of<T>(), dst.view(), src.view(), twin::scalar(scalarValue),   \
                       twin::repeated(mask, repeatTime, params), site);                                       \
  }

TWIN_SCALAR(Adds, adds, half, float, int16_t, int32_t)
TWIN_SCALAR(Muls, muls, half, float, int16_t, int32_t)
TWIN_SCALAR(Maxs, maxs, half, float, int16_t, int32_t)
TWIN_SCALAR(Mins, mins, half, float, int16_t, int32_t)
TWIN_SCALAR(LeakyRelu, leaky_relu, half, float)
TWIN_SCALAR(ShiftLeft, shift_left, int16_t, uint16_t, int32_t, uint32_t)
TWIN_SCALAR(ShiftRight, shift_right, int16_t, uint16_t, int32_t, uint32_t)
#undef TWIN_SCALAR

template <class T, class U>
constexpr bool is_widening_product = (twin::same<T, U> && twin::one_of<T, half, float>) ||
                                     (twin::same<T, float> && twin::same<U, half>);

// dst += src * scalar
template <class T, class U>
void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const U& scalarValue, const int32_t& count,
          Site site = Site::here()) {
  static_assert(is_widening_product<T, U>, "Axpy: half to half, half to float, float to float on the 910B");
  twin::vector_axpy(twin::type_of<T>(), twin::type_of<U>(), dst.view(), src.view(), twin::scalar(scalarValue),
                    twin::first(count), site);
}
template <class T, class U, bool isSetMask = true>
void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const U& scalarValue, twin::Mask mask,
          twin::Narrow<uint8_t> repeatTime, const UnaryRepeatParams& params, Site site = Site::here()) {
  static_assert(is_widening_product<T, U>, "Axpy: half to half, half to float, float to float on the 910B");
  twin::vector_axpy(twin::type_of<T>(), twin::type_of<U>(), dst.view(), src.view(), twin::scalar(scalarValue),
                    twin::repeated(mask, repeatTime, params), site);
}

}  // namespace AscendC
