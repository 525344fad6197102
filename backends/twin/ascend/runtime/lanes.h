// Which elements a vector instruction touches: runs of lanes that are contiguous in every operand.
#pragma once
#include <algorithm>
#include <cstdint>

#include "instruction.h"

namespace twin {

// Element sizes in bytes of dst, src0, src1; 0 where there is no operand.
struct Sizes {
  int dst, src0, src1;
  int widest() const { return std::max({dst, src0, src1}); }
};

// Byte offsets of a run in dst, src0 and src1, its length in lanes, and its first lane counted over all repeats.
struct Run {
  std::int64_t dst, src0, src1, lanes, first;
};

inline std::int64_t offset_of(Stride stride, int size, std::int64_t repeat, std::int64_t lane) {
  const std::int64_t per_block = size ? 32 / size : 1;
  return repeat * stride.repeat * 32 + lane / per_block * stride.block * 32 + lane % per_block * size;
}

inline bool enabled(const Mask& mask, std::int64_t lane) {
  if (mask.count) return static_cast<std::uint64_t>(lane) < mask.bits[0];
  return (mask.bits[lane / 64] >> (lane % 64)) & 1;
}

// Calls f(Run) for all lanes, in the order of the hardware: repeat by repeat.
template <class F>
void each_run(const Lanes& lanes, Sizes sizes, F&& f) {
  if (lanes.counted) {
    if (lanes.count > 0) f(Run{0, 0, 0, lanes.count, 0});
    return;
  }
  const std::int64_t per_block = 32 / sizes.widest(), per_repeat = 256 / sizes.widest();
  for (std::int64_t repeat = 0; repeat < lanes.repeats; ++repeat) {
    for (std::int64_t lane = 0; lane < per_repeat;) {
      if (!enabled(lanes.mask, lane)) {
        ++lane;
        continue;
      }
      std::int64_t end = lane + 1;
      while (end % per_block != 0 && enabled(lanes.mask, end)) ++end;
      f(Run{offset_of(lanes.dst, sizes.dst, repeat, lane), offset_of(lanes.src0, sizes.src0, repeat, lane),
            offset_of(lanes.src1, sizes.src1, repeat, lane), end - lane, repeat * per_repeat + lane});
      lane = end;
    }
  }
}

}  // namespace twin
