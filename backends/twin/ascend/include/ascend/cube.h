// The cube's path: L1 to L0A and L0B, Mmad into L0C, Fixpipe to global memory.
#pragma once
#include "machine.h"
#include "tensor.h"

namespace AscendC {

template <class T>
void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LoadData2DParams& params, Site site = Site::here()) {
  static_assert(twin::one_of<T, half, bfloat16_t, float, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t>,
                "LoadData: b8, b16, b32 only");
  twin::load_data(dst.view(), src.view(), twin::type_of<T>(), params, site);
}

template <class T>
void LoadDataWithTranspose(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LoadData2dTransposeParams& params,
                           Site site = Site::here()) {
  static_assert(twin::one_of<T, float, int32_t, uint32_t, int8_t, uint8_t>,
                "LoadDataWithTranspose: b8 and b32 here; b16 uses LoadData's ifTranspose");
  twin::load_data_transposed(dst.view(), src.view(), twin::type_of<T>(), params, site);
}

template <class T, class U, class S>
constexpr bool is_mmad = twin::same<U, S> && ((twin::same<T, float> && twin::one_of<U, half, bfloat16_t, float>) ||
                                              (twin::same<T, int32_t> && twin::same<U, int8_t>));

template <class T, class U, class S>
void Mmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm, const LocalTensor<S>& filter, const MmadParams& params,
          Site site = Site::here()) {
  static_assert(is_mmad<T, U, S>,
                "Mmad: half, bfloat16_t or float into float, int8_t into int32_t; there is no half accumulator");
  twin::mmad(dst.view(), fm.view(), filter.view(), nullptr, twin::type_of<U>(), params, site);
}
template <class T, class U, class S, class V>
void Mmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm, const LocalTensor<S>& filter, const LocalTensor<V>& bias,
          const MmadParams& params, Site site = Site::here()) {
  static_assert(is_mmad<T, U, S> && twin::same<T, V>, "Mmad: the bias has the accumulator's type");
  const twin::Local view = bias.view();
  twin::mmad(dst.view(), fm.view(), filter.view(), &view, twin::type_of<U>(), params, site);
}

template <class T, class U, const FixpipeConfig& config = CFG_ROW_MAJOR>
void Fixpipe(const GlobalTensor<T>& dst, const LocalTensor<U>& src, const FixpipeParamsV220& params, Site site = Site::here()) {
  static_assert(twin::one_of<U, float, int32_t> && twin::one_of<T, float, half, bfloat16_t, int32_t>,
                "Fixpipe: float or int32_t to float, half, bfloat16_t or int32_t");
  twin::fixpipe(dst.view(), twin::type_of<T>(), src.view(), twin::type_of<U>(), config.format == CO2Layout::ROW_MAJOR, params,
                site);
}

}  // namespace AscendC
