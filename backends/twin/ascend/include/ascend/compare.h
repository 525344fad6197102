// Compare writes one bit a lane; Select takes src0 where the bit is 1.
#pragma once
#include "machine.h"
#include "tensor.h"

namespace AscendC {

template <class T, class U>
void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, CMPMODE cmpMode, uint32_t count,
             Site site = Site::here()) {
  static_assert(twin::one_of<T, half, float, int32_t> && twin::one_of<U, int8_t, uint8_t>,
                "Compare: half, float (int32_t with EQ) into int8_t or uint8_t");
  twin::vector_compare(twin::type_of<T>(), dst.view(), src0.view(), src1.view(), cmpMode, twin::first(count), site);
}
template <class T, class U, bool isSetMask = true>
void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, CMPMODE cmpMode,
             twin::Mask mask, twin::Narrow<uint8_t> repeatTime, const BinaryRepeatParams& params, Site site = Site::here()) {
  static_assert(twin::one_of<T, half, float, int32_t> && twin::one_of<U, int8_t, uint8_t>,
                "Compare: half, float (int32_t with EQ) into int8_t or uint8_t");
  twin::vector_compare(twin::type_of<T>(), dst.view(), src0.view(), src1.view(), cmpMode,
                       twin::repeated(mask, repeatTime, params), site);
}

template <class T, class U>
void CompareScalar(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const T src1Scalar, CMPMODE cmpMode, uint32_t count,
                   Site site = Site::here()) {
  static_assert(twin::one_of<T, half, float, int32_t> && twin::same<U, uint8_t>,
                "CompareScalar: half, float (int32_t with EQ) into uint8_t");
  twin::vector_compare_scalar(twin::type_of<T>(), dst.view(), src0.view(), twin::scalar(src1Scalar), cmpMode,
                              twin::first(count), site);
}
template <class T, class U, bool isSetMask = true>
void CompareScalar(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const T src1Scalar, CMPMODE cmpMode, twin::Mask mask,
                   twin::Narrow<uint8_t> repeatTime, const UnaryRepeatParams& params, Site site = Site::here()) {
  static_assert(twin::one_of<T, half, float, int32_t> && twin::same<U, uint8_t>,
                "CompareScalar: half, float (int32_t with EQ) into uint8_t");
  twin::vector_compare_scalar(twin::type_of<T>(), dst.view(), src0.view(), twin::scalar(src1Scalar), cmpMode,
                              twin::repeated(mask, repeatTime, params), site);
}
template <class T, class U>
void Compares(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const T src1Scalar, CMPMODE cmpMode, uint32_t count,
              Site site = Site::here()) {
  CompareScalar(dst, src0, src1Scalar, cmpMode, count, site);
}
template <class T, class U, bool isSetMask = true>
void Compares(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const T src1Scalar, CMPMODE cmpMode, twin::Mask mask,
              twin::Narrow<uint8_t> repeatTime, const UnaryRepeatParams& params, Site site = Site::here()) {
  CompareScalar(dst, src0, src1Scalar, cmpMode, mask, repeatTime, params, site);
}

#define TWIN_SELECT_TYPES                                                                               \
  static_assert(twin::one_of<T, half, float> && twin::one_of<U, uint8_t, uint16_t, uint32_t, uint64_t>, \
                "Select: half or float, with a mask of unsigned integers")

template <class T, class U>
void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0, const LocalTensor<T>& src1,
            SELMODE selMode, uint32_t count, Site site = Site::here()) {
  TWIN_SELECT_TYPES;
  twin::vector_select(twin::type_of<T>(), dst.view(), selMask.view(), src0.view(), src1.view(), selMode, twin::first(count),
                      site);
}
template <class T, class U, bool isSetMask = true>
void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0, const LocalTensor<T>& src1,
            SELMODE selMode, twin::Mask mask, twin::Narrow<uint8_t> repeatTime, const BinaryRepeatParams& params,
            Site site = Site::here()) {
  TWIN_SELECT_TYPES;
  twin::vector_select(twin::type_of<T>(), dst.view(), selMask.view(), src0.view(), src1.view(), selMode,
                      twin::repeated(mask, repeatTime, params), site);
}
template <class T, class U>
void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0, T src1, SELMODE selMode,
            uint32_t count, Site site = Site::here()) {
  TWIN_SELECT_TYPES;
  twin::vector_select_scalar(twin::type_of<T>(), dst.view(), selMask.view(), src0.view(), twin::scalar(src1), selMode,
                             twin::first(count), site);
}
template <class T, class U, bool isSetMask = true>
void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0, T src1, SELMODE selMode,
            twin::Mask mask, twin::Narrow<uint8_t> repeatTime, const BinaryRepeatParams& params, Site site = Site::here()) {
  TWIN_SELECT_TYPES;
  twin::vector_select_scalar(twin::type_of<T>(), dst.view(), selMask.view(), src0.view(), twin::scalar(src1), selMode,
                             twin::repeated(mask, repeatTime, params), site);
}
#undef TWIN_SELECT_TYPES

}  // namespace AscendC
