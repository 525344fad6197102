#include "vector.h"

#include <bitset>

#include "kinds.h"

namespace twin {
namespace {

// The 32 B blocks of UB that an operand touches.
using Blocks = std::bitset<192 * 1024 / 32>;

void add_blocks(Blocks& blocks, const Local& view, std::int64_t offset, std::int64_t bytes) {
  for (std::int64_t at = (view.offset + offset) / 32; at <= (view.offset + offset + bytes - 1) / 32; ++at) {
    if (at >= 0 && at < static_cast<std::int64_t>(blocks.size())) blocks.set(at);
  }
}

std::int64_t reach(Stride stride, const Lanes& lanes, int size) {
  if (lanes.counted) return lanes.count * size;
  return (lanes.repeats ? lanes.repeats - 1 : 0) * stride.repeat * 32 + 7 * stride.block * 32 + 32;
}

bool same_place(const Local& a, Stride sa, int na, const Local& b, Stride sb, int nb, bool counted) {
  return a.offset == b.offset && na == nb && (counted || (sa.block == sb.block && sa.repeat == sb.repeat));
}

}  // namespace

bool Vector::operand(const Local& view, const char* which) const {
  return instruction.in(view, Memory::ub, which) && instruction.aligned(view, 32, which);
}

void Vector::check_mask(const Lanes& lanes, int widest) const {
  if (lanes.counted) {
    if (lanes.count < 0)
      report(kind::mask, instruction.site(), "%s: count %lld is negative", instruction.name(),
             static_cast<long long>(lanes.count));
    return;
  }
  const std::uint64_t per_repeat = 256 / widest;
  const Mask& mask = lanes.mask;
  if (mask.count && (mask.bits[0] == 0 || mask.bits[0] > per_repeat))
    report(kind::mask, instruction.site(), "%s: mask %llu, must be 1..%llu lanes", instruction.name(),
           static_cast<unsigned long long>(mask.bits[0]), static_cast<unsigned long long>(per_repeat));
  if (!mask.count && widest == 4 && mask.bits[1] != 0)
    instruction.report_at(kind::mask, "the second word of the mask must be 0 for 32-bit types");
}

// A source may be read over and over, a result may not be written over and over.
void Vector::check_stride(const Lanes& lanes, int widest) const {
  if (lanes.counted || lanes.dst.block != 0 || lanes.repeats == 0) return;
  for (std::int64_t lane = 32 / widest; lane < 256 / widest; ++lane) {
    if (enabled(lanes.mask, lane)) return instruction.report_at(kind::stride, "a block stride of 0 for dst is undefined");
  }
}

void Vector::check_overlap(const Lanes& lanes, Sizes sizes, const Local& dst, const Local& src, bool second) const {
  const Stride stride = second ? lanes.src1 : lanes.src0;
  const int size = second ? sizes.src1 : sizes.src0;
  if (dst.offset + reach(lanes.dst, lanes, sizes.dst) <= src.offset || src.offset + reach(stride, lanes, size) <= dst.offset)
    return;
  if (chained_ && second && !lanes.counted && (lanes.src1.repeat == 0 || lanes.dst.repeat == 0)) return;
  const bool same = same_place(dst, lanes.dst, sizes.dst, src, stride, size, lanes.counted);
  if (same && (lanes.counted || lanes.repeats < 2)) return;
  // In place over several repeats: sound only where no repeat writes what another one reads.
  Blocks to, from;
  bool repeats_meet = false;
  std::int64_t repeat_start = 0;
  each_run(lanes, sizes, [&](const Run& r) {
    const std::int64_t at = (dst.offset + r.dst) / 32;
    repeats_meet = repeats_meet || (at >= 0 && at < static_cast<std::int64_t>(to.size()) && to.test(at) && at != repeat_start);
    repeat_start = at;
    add_blocks(to, dst, r.dst, r.lanes * sizes.dst);
    add_blocks(from, src, second ? r.src1 : r.src0, r.lanes * size);
  });
  if (same ? repeats_meet : (to & from).any())
    instruction.report_at(kind::overlap, "dst overlaps a source and is not the very same range");
}

bool Vector::ready(const Lanes& lanes, Sizes sizes, const Local& dst, const Local* src0, const Local* src1) {
  check_mask(lanes, sizes.widest());
  check_stride(lanes, sizes.widest());
  if (!operand(dst, "dst") || (src0 && !operand(*src0, "src0")) || (src1 && !operand(*src1, "src1"))) return false;
  if (lanes.counted && lanes.count < 0) return false;
  if (src0) check_overlap(lanes, sizes, dst, *src0, false);
  if (src1) check_overlap(lanes, sizes, dst, *src1, true);
  return true;
}

}  // namespace twin
