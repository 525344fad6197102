// Reductions. Sums add pairs, then pairs of pairs, rounded to the element type each time; max and min pass over NaN and
// give the lowest index of equal values.
#include <cmath>
#include <vector>

#include "kinds.h"
#include "numbers.h"
#include "vector.h"

namespace twin {
namespace {

using AscendC::HardEvent;
using AscendC::ReduceOrder;

float load(const std::uint8_t* at, Type type) { return type == Type::f16 ? F16::load(at) : Plain<float>::load(at); }
void store(std::uint8_t* at, Type type, float value) {
  type == Type::f16 ? F16::store(at, value) : Plain<float>::store(at, value);
}
float rounded(float value, Type type) { return type == Type::f16 ? half_to_float(float_to_half(value)) : value; }

struct Best {
  float value;
  std::int64_t index;
};

Best best_of(Reduction kind, const std::vector<float>& values, const std::vector<std::int64_t>& indices) {
  Best best{values[0], indices[0]};
  for (std::size_t i = 1; i < values.size(); ++i) {
    const bool better = kind == Reduction::max ? values[i] > best.value : values[i] < best.value;
    if (better || (std::isnan(best.value) && !std::isnan(values[i]))) best = {values[i], indices[i]};
  }
  return best;
}

float sum_of(std::vector<float> values, Type type) {
  for (std::size_t n = values.size(); n > 1; n = (n + 1) / 2) {
    for (std::size_t i = 0; i < n / 2; ++i) values[i] = rounded(values[2 * i] + values[2 * i + 1], type);
    if (n % 2) values[n / 2] = values[n - 1];
  }
  return values.empty() ? 0.0f : values[0];
}

float fold(Reduction kind, const std::vector<float>& values, Type type) {
  if (kind == Reduction::sum) return sum_of(values, type);
  return best_of(kind, values, std::vector<std::int64_t>(values.size())).value;
}

const char* name_of(Reduction kind, const char* sum, const char* max, const char* min) {
  return kind == Reduction::sum ? sum : kind == Reduction::max ? max : min;
}

std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

// Elements of sharedTmpBuffer that ReduceMax and ReduceMin use (ReduceMax.md, "sharedTmpBuffer").
std::int64_t tmp_elements(std::int64_t count, int size, bool index) {
  const std::int64_t per_repeat = 256 / size, per_block = 32 / size;
  const std::int64_t repeats = std::max<std::int64_t>(1, count / per_repeat), first = round_up(repeats * 2, per_block);
  if (!index) return first;
  if (repeats == 1) return 0;
  const std::int64_t second = (repeats * 2 + per_repeat - 1) / per_repeat * 2;
  const std::int64_t second_end = round_up(second, per_block);
  if (second <= 2) return first + second_end;
  const std::int64_t third = (second + per_repeat - 1) / per_repeat * 2;
  return first + second_end + round_up(third, per_block);
}

bool check_tmp(Instruction& instruction, const Local& tmp, std::int64_t elements, int size) {
  if (elements == 0) return true;
  if (!instruction.in(tmp, Memory::ub, "sharedTmpBuffer") || !instruction.aligned(tmp, 32, "sharedTmpBuffer")) return false;
  const std::int64_t bytes = elements * size;
  if (tmp.end - tmp.offset < bytes) {
    report(kind::tmp_size, instruction.site(), "%s: sharedTmpBuffer has %lld bytes, %lld are needed", instruction.name(),
           static_cast<long long>(tmp.end - tmp.offset), static_cast<long long>(bytes));
    return false;
  }
  return instruction.writes(tmp, 0, bytes);
}

std::vector<float> lanes_of(const Instruction& instruction, const Local& src, std::int64_t from, std::int64_t count,
                            Type type) {
  const int size = bytes_of(type);
  std::vector<float> values(count);
  for (std::int64_t i = 0; i < count; ++i) values[i] = load(instruction.data(src, (from + i) * size), type);
  return values;
}

// Repeat by repeat, then over the repeats, as the library does.
float whole_sum(const Instruction& instruction, const Local& src, std::int64_t count, Type type) {
  const std::int64_t per_repeat = 256 / bytes_of(type);
  std::vector<float> parts;
  for (std::int64_t from = 0; from < count; from += per_repeat)
    parts.push_back(sum_of(lanes_of(instruction, src, from, std::min(per_repeat, count - from), type), type));
  return sum_of(parts, type);
}

void write_result(const Local& dst, Type type, float value, std::int64_t index, bool with_index, const char* name, Site site) {
  Instruction scalar(PIPE_S, name, site, true);
  const int size = bytes_of(type);
  ++state.counts.scalar_writes;
  if (!scalar.in(dst, Memory::ub, "dst") || !scalar.writes(dst, 0, size * (with_index ? 2 : 1))) return;
  store(scalar.data(dst, 0), type, value);
  if (with_index) std::memcpy(scalar.data(dst, size), &index, size);
}

// The enabled lanes of one repeat, and their places in it.
struct Repeat {
  std::vector<float> values;
  std::vector<std::int64_t> lanes;
};

bool read_repeat(Instruction& instruction, const Local& src, const Mask& mask, std::int64_t repeat, ReduceStride stride,
                 Type type, Repeat& out) {
  const int size = bytes_of(type);
  const Stride place{static_cast<std::uint32_t>(stride.src_block), static_cast<std::uint32_t>(stride.src_repeat)};
  out = {};
  for (std::int64_t lane = 0; lane < 256 / size; ++lane) {
    if (!enabled(mask, lane)) continue;
    const std::int64_t at = offset_of(place, size, repeat, lane);
    if (!instruction.reads(src, at, size)) return false;
    out.values.push_back(load(instruction.data(src, at), type));
    out.lanes.push_back(lane);
  }
  return true;
}

bool check_repeats(const Instruction& instruction, std::int64_t repeats, const Mask& mask, ReduceStride stride, Type type,
                   const Local& src) {
  if (repeats < 0 || repeats > 255)
    report(kind::repeat_limit, instruction.site(), "%s: repeatTime %lld is outside 0..255", instruction.name(),
           static_cast<long long>(repeats));
  for (const std::int64_t step : {stride.dst_repeat, stride.src_block, stride.src_repeat}) {
    if (step < 0 || step > 65535)
      report(kind::overflow, instruction.site(), "%s: a stride of %lld: the instruction takes 16 bits of it", instruction.name(),
             static_cast<long long>(step));
  }
  const std::uint64_t most = 256 / bytes_of(type);
  if (mask.count && (mask.bits[0] == 0 || mask.bits[0] > most))
    report(kind::mask, instruction.site(), "%s: mask must be 1..%llu lanes", instruction.name(),
           static_cast<unsigned long long>(most));
  return instruction.in(src, Memory::ub, "src") && instruction.aligned(src, 32, "src") && repeats >= 0 && repeats <= 255;
}

}  // namespace

void reduce(Reduction kind, Type type, Local dst, Local src, Local tmp, int64_t count, bool index, Site site) {
  const char* name = name_of(kind, "ReduceSum", "ReduceMax", "ReduceMin");
  const int size = bytes_of(type);
  float value = 0;
  std::int64_t at = 0;
  {
    Instruction instruction(PIPE_V, name, site);
    if (count < 1) return instruction.report_at(kind::mask, "count must be at least 1");
    if (!instruction.in(src, Memory::ub, "src") || !instruction.aligned(src, 32, "src") ||
        !instruction.aligned(dst, size, "dst"))
      return;
    if (!instruction.reads(src, 0, count * size)) return;
    if (kind == Reduction::sum) {
      value = whole_sum(instruction, src, count, type);
    } else {
      std::vector<std::int64_t> places(count);
      for (std::int64_t i = 0; i < count; ++i) places[i] = i;
      const Best best = best_of(kind, lanes_of(instruction, src, 0, count, type), places);
      value = best.value;
      at = best.index;
      if (index && type == Type::f16 && count > 65536) instruction.report_at(kind::mask, "half keeps indices up to 65535 only");
      if (!check_tmp(instruction, tmp, tmp_elements(count, size, index), size)) return;
    }
    ++state.counts.vector_instructions;
    state.counts.reduce += count;
    instruction.count(count);
  }
  // The library waits for V on the scalar unit, writes dst[0] from there, and hands it to V and MTE3.
  state.pipes.hand_over(HardEvent::V_S, name, site);
  write_result(dst, type, value, at, index, name, site);
  state.pipes.hand_over(HardEvent::S_V, name, site);
  state.pipes.hand_over(HardEvent::S_MTE3, name, site);
}

void reduce_repeat(Reduction kind, Type type, Local dst, Local src, Mask mask, int64_t repeats, ReduceStride stride,
                   ReduceOrder order, Site site) {
  Instruction instruction(PIPE_V, name_of(kind, "WholeReduceSum", "WholeReduceMax", "WholeReduceMin"), site);
  const int size = bytes_of(type);
  const bool pair = order == ReduceOrder::ORDER_VALUE_INDEX || order == ReduceOrder::ORDER_INDEX_VALUE;
  const int unit = pair ? 2 * size : order == ReduceOrder::ORDER_ONLY_INDEX ? 4 : size;
  if (!check_repeats(instruction, repeats, mask, stride, type, src) || !instruction.in(dst, Memory::ub, "dst") ||
      !instruction.aligned(dst, unit, "dst"))
    return;
  ++state.counts.vector_instructions;
  Repeat lanes;
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
    const std::int64_t to = repeat * stride.dst_repeat * unit;
    if (!read_repeat(instruction, src, mask, repeat, stride, type, lanes) || lanes.values.empty() ||
        !instruction.writes(dst, to, unit))
      return;
    state.counts.reduce += static_cast<std::int64_t>(lanes.values.size());
    instruction.count(static_cast<std::int64_t>(lanes.values.size()));
    if (kind == Reduction::sum) {
      store(instruction.data(dst, to), type, sum_of(lanes.values, type));
      continue;
    }
    const Best best = best_of(kind, lanes.values, lanes.lanes);
    const bool value_first = order == ReduceOrder::ORDER_VALUE_INDEX || order == ReduceOrder::ORDER_ONLY_VALUE;
    if (order != ReduceOrder::ORDER_ONLY_INDEX) store(instruction.data(dst, to + (value_first ? 0 : size)), type, best.value);
    if (pair) std::memcpy(instruction.data(dst, to + (value_first ? size : 0)), &best.index, size);
    if (order == ReduceOrder::ORDER_ONLY_INDEX) std::memcpy(instruction.data(dst, to), &best.index, 4);
  }
}

void reduce_block(Reduction kind, Type type, Local dst, Local src, Mask mask, int64_t repeats, ReduceStride stride, Site site) {
  Instruction instruction(PIPE_V, name_of(kind, "BlockReduceSum", "BlockReduceMax", "BlockReduceMin"), site);
  const int size = bytes_of(type);
  const std::int64_t per_block = 32 / size;
  if (!check_repeats(instruction, repeats, mask, stride, type, src) || !instruction.in(dst, Memory::ub, "dst") ||
      !instruction.aligned(dst, 8 * size, "dst"))
    return;
  ++state.counts.vector_instructions;
  const Stride place{static_cast<std::uint32_t>(stride.src_block), static_cast<std::uint32_t>(stride.src_repeat)};
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
    for (std::int64_t block = 0; block < 8; ++block) {
      std::vector<float> values;
      for (std::int64_t lane = block * per_block; lane < (block + 1) * per_block; ++lane) {
        if (!enabled(mask, lane)) continue;
        const std::int64_t at = offset_of(place, size, repeat, lane);
        if (!instruction.reads(src, at, size)) return;
        values.push_back(load(instruction.data(src, at), type));
      }
      const std::int64_t to = (repeat * stride.dst_repeat * 8 + block) * size;
      if (values.empty()) continue;
      if (!instruction.writes(dst, to, size)) return;
      store(instruction.data(dst, to), type, fold(kind, values, type));
      state.counts.reduce += static_cast<std::int64_t>(values.size());
      instruction.count(static_cast<std::int64_t>(values.size()));
    }
  }
}

void reduce_pair(Type type, Local dst, Local src, Mask mask, int64_t repeats, ReduceStride stride, Site site) {
  Instruction instruction(PIPE_V, "PairReduceSum", site);
  const int size = bytes_of(type);
  if (!check_repeats(instruction, repeats, mask, stride, type, src) || !instruction.in(dst, Memory::ub, "dst") ||
      !instruction.aligned(dst, 32, "dst"))
    return;
  ++state.counts.vector_instructions;
  Repeat lanes;
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
    if (!read_repeat(instruction, src, mask, repeat, stride, type, lanes)) return;
    for (std::size_t i = 0; i + 1 < lanes.values.size(); i += 2) {
      const std::int64_t to = repeat * stride.dst_repeat * 128 + lanes.lanes[i] / 2 * size;
      if (!instruction.writes(dst, to, size)) return;
      store(instruction.data(dst, to), type, rounded(lanes.values[i] + lanes.values[i + 1], type));
    }
    state.counts.reduce += static_cast<std::int64_t>(lanes.values.size());
    instruction.count(static_cast<std::int64_t>(lanes.values.size()));
  }
}

}  // namespace twin
