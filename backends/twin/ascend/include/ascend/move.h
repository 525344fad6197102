// Vector instructions that move or make data: Duplicate, Copy, Gather, Brcb, CreateVecIndex.
#pragma once
#include "copy.h"
#include "machine.h"
#include "tensor.h"

namespace AscendC {

template <class T>
constexpr bool is_b16_b32 = twin::one_of<T, half, bfloat16_t, int16_t, uint16_t, float, int32_t, uint32_t>;

template <class T>
void Duplicate(const LocalTensor<T>& dst, const T& scalarValue, const int32_t& count, Site site = Site::here()) {
  static_assert(is_b16_b32<T>, "Duplicate: b16 and b32 types only on the 910B");
  twin::vector_duplicate(twin::type_of<T>(), dst.view(), twin::bits_of(scalarValue), twin::first(count), site);
}
template <class T, bool isSetMask = true>
void Duplicate(const LocalTensor<T>& dst, const T& scalarValue, twin::Mask mask, twin::Narrow<uint8_t> repeatTime,
               twin::Narrow<uint16_t> dstBlockStride, twin::Narrow<uint8_t> dstRepeatStride, Site site = Site::here()) {
  static_assert(is_b16_b32<T>, "Duplicate: b16 and b32 types only on the 910B");
  const twin::Lanes lanes{false, 0, mask, uint8_t{repeatTime}, {uint16_t{dstBlockStride}, uint8_t{dstRepeatStride}}, {}, {}};
  twin::vector_duplicate(twin::type_of<T>(), dst.view(), twin::bits_of(scalarValue), lanes, site);
}

template <class T, bool isSetMask = true>
void Copy(const LocalTensor<T>& dst, const LocalTensor<T>& src, twin::Mask mask, twin::Narrow<uint8_t> repeatTime,
          const CopyRepeatParams& params, Site site = Site::here()) {
  static_assert(is_b16_b32<T>, "Copy: b16 and b32 types only on the 910B");
  const twin::Lanes lanes{false,
                          0,
                          mask,
                          uint8_t{repeatTime},
                          {uint16_t{params.dstStride}, uint16_t{params.dstRepeatSize}},
                          {uint16_t{params.srcStride}, uint16_t{params.srcRepeatSize}},
                          {}};
  twin::vector_copy(twin::type_of<T>(), dst.view(), src.view(), lanes, site);
}

// dst[i] = src at byte srcBaseOffset + srcOffset[i]
template <class T>
void Gather(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<uint32_t>& srcOffset,
            const uint32_t srcBaseOffset, const uint32_t count, Site site = Site::here()) {
  static_assert(is_b16_b32<T>, "Gather: b16 and b32 types only on the 910B");
  twin::vector_gather(twin::type_of<T>(), dst.view(), src.view(), srcOffset.view(), srcBaseOffset, twin::first(count), site);
}

// dst block i = 32 B full of src[i]; eight a repeat
template <class T>
void Brcb(const LocalTensor<T>& dst, const LocalTensor<T>& src, twin::Narrow<uint8_t> repeatTime,
          const BrcbRepeatParams& params, Site site = Site::here()) {
  static_assert(is_b16_b32<T>, "Brcb: b16 and b32 types only on the 910B");
  twin::vector_brcb(twin::type_of<T>(), dst.view(), src.view(), uint8_t{repeatTime},
                    {uint16_t{params.dstBlkStride}, uint16_t{params.dstRepStride}}, site);
}

// dst[i] = firstValue + i
template <class T>
void CreateVecIndex(LocalTensor<T> dst, const T& firstValue, uint32_t count, Site site = Site::here()) {
  static_assert(twin::one_of<T, half, float, int16_t, int32_t>, "CreateVecIndex: half, float, int16_t, int32_t on the 910B");
  twin::vector_index(twin::type_of<T>(), dst.view(), twin::scalar(firstValue), count, site);
}

}  // namespace AscendC
