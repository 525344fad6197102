// Reductions: of a whole tensor, of each repeat, of each block of 32 B, of pairs.
#pragma once
#include "machine.h"
#include "tensor.h"

namespace AscendC {

#define TWIN_REDUCE_TYPES static_assert(twin::one_of<T, half, float>, "reductions: half and float only on the 910B")

template <class T>
void ReduceMax(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<T>& sharedTmpBuffer, const int32_t count,
               bool calIndex = false, Site site = Site::here()) {
  TWIN_REDUCE_TYPES;
  twin::reduce(twin::Reduction::max, twin::type_of<T>(), dst.view(), src.view(), sharedTmpBuffer.view(), count, calIndex, site);
}
template <class T>
void ReduceMin(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<T>& sharedTmpBuffer, const int32_t count,
               bool calIndex = false, Site site = Site::here()) {
  TWIN_REDUCE_TYPES;
  twin::reduce(twin::Reduction::min, twin::type_of<T>(), dst.view(), src.view(), sharedTmpBuffer.view(), count, calIndex, site);
}
template <class T, bool isSetMask = true>
void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<T>& sharedTmpBuffer, const int32_t count,
               Site site = Site::here()) {
  TWIN_REDUCE_TYPES;
  twin::reduce(twin::Reduction::sum, twin::type_of<T>(), dst.view(), src.view(), sharedTmpBuffer.view(), count, false, site);
}

// One result a repeat. dstRepStride counts results; srcBlkStride and srcRepStride count 32 B.
template <class T, bool isSetMask = true>
void WholeReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src, twin::Mask mask, const int32_t repeatTime,
                    const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,
                    Site site = Site::here()) {
  TWIN_REDUCE_TYPES;
  twin::reduce_repeat(twin::Reduction::sum, twin::type_of<T>(), dst.view(), src.view(), mask, repeatTime,
                      {dstRepStride, srcBlkStride, srcRepStride}, ReduceOrder::ORDER_ONLY_VALUE, site);
}
template <class T, bool isSetMask = true>
void WholeReduceMax(const LocalTensor<T>& dst, const LocalTensor<T>& src, twin::Mask mask, const int32_t repeatTime,
                    const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,
                    ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, Site site = Site::here()) {
  TWIN_REDUCE_TYPES;
  twin::reduce_repeat(twin::Reduction::max, twin::type_of<T>(), dst.view(), src.view(), mask, repeatTime,
                      {dstRepStride, srcBlkStride, srcRepStride}, order, site);
}
template <class T, bool isSetMask = true>
void WholeReduceMin(const LocalTensor<T>& dst, const LocalTensor<T>& src, twin::Mask mask, const int32_t repeatTime,
                    const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,
                    ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, Site site = Site::here()) {
  TWIN_REDUCE_TYPES;
  twin::reduce_repeat(twin::Reduction::min, twin::type_of<T>(), dst.view(), src.view(), mask, repeatTime,
                      {dstRepStride, srcBlkStride, srcRepStride}, order, site);
}

// Eight results a repeat, one for each block of 32 B; dstRepStride counts eight results.
#define TWIN_BLOCK_REDUCE(Name, kind)                                                                                       \
  template <class T, bool isSetMask = true>                                                                                 \
  void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src, const int32_t repeatTime, twin::Mask mask,                \
            const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride, Site site = Site::here()) { \
    TWIN_REDUCE_TYPES;                                                                                                      \
    twin::reduce_block(twin::Reduction::kind, twin::type_of<T>(), dst.view(), src.view(), mask, repeatTime,                 \
                       {dstRepStride, srcBlkStride, srcRepStride}, site);                                                   \
  }
TWIN_BLOCK_REDUCE(BlockReduceSum, sum)
TWIN_BLOCK_REDUCE(BlockReduceMax, max)
TWIN_BLOCK_REDUCE(BlockReduceMin, min)
#undef TWIN_BLOCK_REDUCE

// Half as many results as lanes; dstRepStride counts 128 B.
template <class T, bool isSetMask = true>
void PairReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src, const int32_t repeatTime, twin::Mask mask,
                   const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,
                   Site site = Site::here()) {
  TWIN_REDUCE_TYPES;
  twin::reduce_pair(twin::type_of<T>(), dst.view(), src.view(), mask, repeatTime, {dstRepStride, srcBlkStride, srcRepStride},
                    site);
}
#undef TWIN_REDUCE_TYPES

}  // namespace AscendC
