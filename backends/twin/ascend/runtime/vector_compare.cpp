// Compare: one bit a lane, lowest bit first, one repeat after the other. Select: src0 where the bit is 1.
#include "kinds.h"
#include "numbers.h"
#include "vector.h"

namespace twin {
namespace {

using AscendC::CMPMODE;
using AscendC::SELMODE;

// IEEE: every comparison with a NaN is false but NE.
template <class T>
bool holds(T a, T b, CMPMODE mode) {
  switch (mode) {
    case CMPMODE::LT:
      return a < b;
    case CMPMODE::GT:
      return a > b;
    case CMPMODE::EQ:
      return a == b;
    case CMPMODE::LE:
      return a <= b;
    case CMPMODE::GE:
      return a >= b;
    default:
      return a != b;
  }
}

bool compare_element(Type type, const std::uint8_t* a, const std::uint8_t* b, Scalar scalar, CMPMODE mode) {
  if (type == Type::f16) return holds(F16::load(a), b ? F16::load(b) : scalar.real, mode);
  if (type == Type::f32) return holds(Plain<float>::load(a), b ? Plain<float>::load(b) : scalar.real, mode);
  return holds(Plain<std::int32_t>::load(a), b ? Plain<std::int32_t>::load(b) : static_cast<std::int32_t>(scalar.whole), mode);
}

// The instruction knows whole repeats only: lanes beyond the last full one are not compared, and its mask has no effect.
Lanes whole_repeats(const Instruction& instruction, Type type, const Lanes& lanes) {
  const std::int64_t per_repeat = 256 / bytes_of(type);
  Lanes whole = lanes;
  if (lanes.counted) {
    if (lanes.count % per_repeat != 0)
      report(kind::compare_size, instruction.site(),
             "%s of %lld elements: must be a multiple of %lld (256 bytes), the rest is not compared", instruction.name(),
             static_cast<long long>(lanes.count), static_cast<long long>(per_repeat));
    whole.counted = false;
    whole.repeats = static_cast<std::uint32_t>(lanes.count / per_repeat);
  }
  whole.mask = Mask(static_cast<std::uint64_t>(per_repeat));
  return whole;
}

void compare(const char* name, Type type, Local dst, Local src0, const Local* src1, Scalar scalar, CMPMODE mode,
             const Lanes& asked, Site site) {
  Vector vector(name, site);
  Instruction& instruction = vector.instruction;
  if (type == Type::s32 && mode != CMPMODE::EQ) instruction.report_at(kind::cast_mode, "int32_t compares with EQ only");
  const Lanes lanes = whole_repeats(instruction, type, asked);
  const int size = bytes_of(type);
  const std::int64_t per_repeat = 256 / size;
  if (!vector.ready(lanes, {size, size, src1 ? size : 0}, src0, nullptr, src1)) return;
  if (!instruction.in(dst, Memory::ub, "dst") || !instruction.aligned(dst, 32, "dst")) return;
  ++state.counts.vector_instructions;
  for (std::int64_t repeat = 0; repeat < lanes.repeats; ++repeat) {
    for (std::int64_t block = 0; block < 8; ++block) {
      const std::int64_t lane = block * 32 / size;
      if (!instruction.reads(src0, offset_of(lanes.src0, size, repeat, lane), 32)) return;
      if (src1 && !instruction.reads(*src1, offset_of(lanes.src1, size, repeat, lane), 32)) return;
    }
    if (!instruction.writes(dst, repeat * per_repeat / 8, per_repeat / 8)) return;
    std::uint8_t* bits = instruction.data(dst, repeat * per_repeat / 8);
    for (std::int64_t lane = 0; lane < per_repeat; ++lane) {
      const std::uint8_t* a = instruction.data(src0, offset_of(lanes.src0, size, repeat, lane));
      const std::uint8_t* b = src1 ? instruction.data(*src1, offset_of(lanes.src1, size, repeat, lane)) : nullptr;
      const int bit = compare_element(type, a, b, scalar, mode);
      bits[lane / 8] = static_cast<std::uint8_t>((bits[lane / 8] & ~(1 << lane % 8)) | bit << lane % 8);
    }
    state.counts.compare += per_repeat;
    instruction.count(per_repeat);
  }
}

// Where Select keeps its temporaries: they are destroyed.
void clobber(const Instruction& instruction) {
  constexpr std::int64_t start = 184 * 1024;
  Scratch& ub = state.scratch(Memory::ub);
  if (ub.used <= start) return;
  instruction.report_at(kind::select_clobber, "this mode writes temporaries to UB from 184 KiB on, where a buffer lies");
  std::fill(ub.data.begin() + start, ub.data.end(), 0xff);
}

struct Selection {
  Local dst, mask, src0;
  const Local* src1;
  Scalar scalar;
  SELMODE mode;
};

void select(Type type, const Selection& s, const Lanes& lanes, Site site) {
  Vector vector("Select", site);
  Instruction& instruction = vector.instruction;
  const bool tensor = s.src1 != nullptr;
  if (tensor == (s.mode == SELMODE::VSEL_TENSOR_SCALAR_MODE))
    return instruction.report_at(kind::select_mode,
                                 "VSEL_TENSOR_SCALAR_MODE goes with a scalar, the other modes with a tensor");
  if (s.mode != SELMODE::VSEL_CMPMASK_SPR) clobber(instruction);
  const int size = bytes_of(type);
  const std::int64_t per_repeat = 256 / size;
  const Sizes sizes{size, size, tensor ? size : 0};
  if (!vector.ready(lanes, sizes, s.dst, &s.src0, s.src1)) return;
  if (!instruction.in(s.mask, Memory::ub, "selMask") || !instruction.aligned(s.mask, 32, "selMask")) return;
  const std::int64_t lanes_of_mask = s.mode == SELMODE::VSEL_CMPMASK_SPR ? per_repeat
                                     : lanes.counted                     ? lanes.count
                                                                         : lanes.repeats * per_repeat;
  if (!instruction.reads(s.mask, 0, (lanes_of_mask + 7) / 8)) return;
  const std::uint8_t* bits = instruction.data(s.mask, 0);
  each_run(lanes, sizes, [&](const Run& r) {
    const bool usable = instruction.reads(s.src0, r.src0, r.lanes * size) &&
                        (!tensor || instruction.reads(*s.src1, r.src1, r.lanes * size)) &&
                        instruction.writes(s.dst, r.dst, r.lanes * size);
    if (!usable) return;
    for (std::int64_t i = 0; i < r.lanes; ++i) {
      const std::int64_t at = s.mode == SELMODE::VSEL_CMPMASK_SPR ? (r.first + i) % per_repeat : r.first + i;
      const bool first = (bits[at / 8] >> (at % 8)) & 1;
      std::uint8_t* to = instruction.data(s.dst, r.dst + i * size);
      if (first)
        std::memcpy(to, instruction.data(s.src0, r.src0 + i * size), size);
      else if (tensor)
        std::memcpy(to, instruction.data(*s.src1, r.src1 + i * size), size);
      else if (type == Type::f16)
        F16::store(to, s.scalar.real);
      else
        Plain<float>::store(to, s.scalar.real);
    }
    state.counts.select += r.lanes;
    instruction.count(r.lanes);
  });
  ++state.counts.vector_instructions;
}

}  // namespace

void vector_compare(Type type, Local dst, Local src0, Local src1, CMPMODE mode, const Lanes& lanes, Site site) {
  compare("Compare", type, dst, src0, &src1, {0, 0}, mode, lanes, site);
}
void vector_compare_scalar(Type type, Local dst, Local src, Scalar scalar, CMPMODE mode, const Lanes& lanes, Site site) {
  compare("CompareScalar", type, dst, src, nullptr, scalar, mode, lanes, site);
}
void vector_select(Type type, Local dst, Local mask, Local src0, Local src1, SELMODE mode, const Lanes& lanes, Site site) {
  select(type, {dst, mask, src0, &src1, {0, 0}, mode}, lanes, site);
}
void vector_select_scalar(Type type, Local dst, Local mask, Local src, Scalar scalar, SELMODE mode, const Lanes& lanes,
                          Site site) {
  select(type, {dst, mask, src, nullptr, scalar, mode}, lanes, site);
}

}  // namespace twin
