// Cast between element types: exactly the pairs that the 910B has (dav_c220/kernel_operator_vec_vconv_impl.h).
#pragma once
#include "machine.h"
#include "tensor.h"

namespace AscendC {

template <class To, class From>
constexpr bool is_cast = (twin::same<From, half> && twin::one_of<To, float, int32_t, int16_t, int8_t, uint8_t>) ||
                         (twin::same<From, float> && twin::one_of<To, float, half, bfloat16_t, int16_t, int32_t, int64_t>) ||
                         (twin::same<From, bfloat16_t> && twin::one_of<To, float, int32_t>) ||
                         (twin::same<From, int16_t> && twin::one_of<To, half, float>) ||
                         (twin::same<From, int32_t> && twin::one_of<To, float, int16_t, int64_t>) ||
                         (twin::same<From, int64_t> && twin::one_of<To, int32_t, float>) ||
                         (twin::one_of<From, int8_t, uint8_t> && twin::same<To, half>);

template <class T, class U>
void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src, const RoundMode& roundMode, const uint32_t count,
          Site site = Site::here()) {
  static_assert(is_cast<T, U>,
                "Cast: the 910B has no such pair; chain two casts (bf16 and half meet in float, int8_t in half)");
  twin::vector_cast(twin::type_of<T>(), twin::type_of<U>(), dst.view(), src.view(), roundMode, twin::first(count), site);
}
template <class T, class U, bool isSetMask = true>
void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src, const RoundMode& roundMode, twin::Mask mask,
          twin::Narrow<uint8_t> repeatTime, const UnaryRepeatParams& params, Site site = Site::here()) {
  static_assert(is_cast<T, U>,
                "Cast: the 910B has no such pair; chain two casts (bf16 and half meet in float, int8_t in half)");
  twin::vector_cast(twin::type_of<T>(), twin::type_of<U>(), dst.view(), src.view(), roundMode,
                    twin::repeated(mask, repeatTime, params), site);
}

}  // namespace AscendC
