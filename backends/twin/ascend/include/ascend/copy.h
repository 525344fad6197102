// Copies between global memory and UB or L1, constant fill of L1 and L0, atomic stores.
#pragma once
#include "machine.h"
#include "tensor.h"

namespace twin {

template <class T>
uint64_t bits_of(T value) {
  uint64_t bits = 0;
  __builtin_memcpy(&bits, &value, sizeof(T));
  return bits;
}

}  // namespace twin

namespace AscendC {

template <class T>
void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const uint32_t count, Site site = Site::here()) {
  twin::copy_in(dst.view(), src.view(), sizeof(T), count, site);
}
template <class T>
void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src, const uint32_t count, Site site = Site::here()) {
  twin::copy_out(dst.view(), src.view(), twin::type_of<T>(), count, site);
}
// From L1 (C1) to the bias table (C2): the only copy between on-chip tensors that the 910B does by itself.
template <class T>
void DataCopy(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint32_t count, Site site = Site::here()) {
  static_assert(twin::one_of<T, float, int32_t>, "DataCopy to the bias table: float and int32_t");
  twin::copy_bias(dst.view(), src.view(), int64_t{count} * int64_t{sizeof(T)}, site);
}
template <class T>
void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const DataCopyParams& params, Site site = Site::here()) {
  twin::copy_in(dst.view(), src.view(), params, site);
}
template <class T>
void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src, const DataCopyParams& params, Site site = Site::here()) {
  twin::copy_out(dst.view(), src.view(), twin::type_of<T>(), params, site);
}
template <class T>
void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const Nd2NzParams& params, Site site = Site::here()) {
  twin::copy_nz(dst.view(), src.view(), sizeof(T), params, site);
}

template <class T>
void DataCopyPad(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const DataCopyExtParams& params,
                 const DataCopyPadExtParams<T>& padding, Site site = Site::here()) {
  const twin::Padding pad{padding.isPad, uint8_t{padding.leftPadding}, uint8_t{padding.rightPadding},
                          twin::bits_of(padding.paddingValue)};
  twin::copy_pad_in(dst.view(), src.view(), sizeof(T), params, pad, site);
}
template <class T>
void DataCopyPad(const GlobalTensor<T>& dst, const LocalTensor<T>& src, const DataCopyExtParams& params,
                 Site site = Site::here()) {
  twin::copy_pad_out(dst.view(), src.view(), twin::type_of<T>(), params, site);
}

template <class T>
void Fill(const LocalTensor<T>& dst, const InitConstValueParams<T>& params, Site site = Site::here()) {
  static_assert(twin::one_of<T, half, bfloat16_t, int16_t, uint16_t, int32_t, uint32_t, float>, "Fill: b16 and b32 types only");
  twin::fill(dst.view(), sizeof(T), uint16_t{params.repeatTimes}, uint16_t{params.blockNum}, uint16_t{params.dstGap},
             twin::bits_of(params.initValue), site);
}
template <class T>
void InitConstValue(const LocalTensor<T>& dst, const InitConstValueParams<T>& params, Site site = Site::here()) {
  Fill(dst, params, site);
}

template <class T>
void SetAtomicAdd(Site site = Site::here()) {
  static_assert(twin::one_of<T, half, bfloat16_t, float, int8_t, int16_t, int32_t>,
                "SetAtomicAdd: half, bfloat16_t, float, s8, s16, s32 only");
  twin::set_atomic_add(twin::type_of<T>(), site);
}
inline void SetAtomicNone() { twin::set_atomic_none(); }
inline void DisableDmaAtomic() { twin::set_atomic_none(); }

template <class T, CacheLine entireType, DcciDst dcciDst>
void DataCacheCleanAndInvalid(const GlobalTensor<T>& dst, Site site = Site::here()) {
  twin::clean_cache(dst.view(), entireType == CacheLine::ENTIRE_DATA_CACHE, dcciDst != DcciDst::CACHELINE_UB, site);
}

}  // namespace AscendC
