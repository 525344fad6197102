// Duplicate, Copy, Gather, Brcb, CreateVecIndex.
#include <algorithm>
#include <cstring>

#include "kinds.h"
#include "numbers.h"
#include "vector.h"

namespace twin {
namespace {

using Bytes = std::uint8_t*;

void store_index(std::uint8_t* at, Type type, Scalar start, std::int64_t i) {
  switch (type) {
    case Type::f16:
      return F16::store(at, start.real + static_cast<float>(i));
    case Type::f32:
      return Plain<float>::store(at, start.real + static_cast<float>(i));
    case Type::s16:
      return Plain<std::int16_t>::store(at, static_cast<std::int16_t>(start.whole + i));
    default:
      return Plain<std::int32_t>::store(at, static_cast<std::int32_t>(start.whole + i));
  }
}

}  // namespace

void vector_duplicate(Type type, Local dst, uint64_t bits, const Lanes& lanes, Site site) {
  Vector vector("Duplicate", site);
  const Sizes sizes{bytes_of(type), 0, 0};
  if (!vector.ready(lanes, sizes, dst, nullptr, nullptr)) return;
  vector.run(lanes, sizes, dst, nullptr, nullptr, false, state.counts.move, [&](Bytes d, Bytes, Bytes, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) std::memcpy(d + i * sizes.dst, &bits, sizes.dst);
  });
}

void vector_copy(Type type, Local dst, Local src, const Lanes& lanes, Site site) {
  Vector vector("Copy", site);
  const Sizes sizes{bytes_of(type), bytes_of(type), 0};
  if (!vector.ready(lanes, sizes, dst, &src, nullptr)) return;
  vector.run(lanes, sizes, dst, &src, nullptr, false, state.counts.move,
             [&](Bytes d, Bytes s, Bytes, std::int64_t n) { std::memmove(d, s, n * sizes.dst); });
}

void vector_gather(Type type, Local dst, Local src, Local offsets, uint32_t base, const Lanes& lanes, Site site) {
  Vector vector("Gather", site);
  const int size = bytes_of(type);
  const Sizes sizes{size, 4, 0};
  if (!vector.ready(lanes, sizes, dst, &offsets, nullptr)) return;
  Instruction& instruction = vector.instruction;
  if (!instruction.in(src, Memory::ub, "src") || !instruction.aligned(src, 32, "src")) return;
  ++state.counts.vector_instructions;
  if (!instruction.reads(offsets, 0, lanes.count * 4)) return;
  for (std::int64_t i = 0; i < lanes.count; ++i) {
    const std::int64_t at = std::int64_t{base} + Plain<std::uint32_t>::load(instruction.data(offsets, i * 4));
    if (at % size != 0)
      return instruction.report_at(kind::gather_offset, "offsets are in bytes and must be multiples of the element size");
    if (!instruction.reads(src, at, size)) return;
  }
  if (!instruction.writes(dst, 0, lanes.count * size)) return;
  if (src.offset < dst.offset + lanes.count * size && dst.offset < src.end && dst.offset >= src.offset)
    instruction.report_at(kind::overlap, "dst lies within src");
  for (std::int64_t i = 0; i < lanes.count; ++i) {
    const std::int64_t at = std::int64_t{base} + Plain<std::uint32_t>::load(instruction.data(offsets, i * 4));
    std::memcpy(instruction.data(dst, i * size), instruction.data(src, at), size);
  }
  state.counts.move += lanes.count;
  instruction.count(lanes.count);
}

void vector_brcb(Type type, Local dst, Local src, int repeats, Stride stride, Site site) {
  Instruction instruction(PIPE_V, "Brcb", site);
  if (!instruction.in(dst, Memory::ub, "dst") || !instruction.in(src, Memory::ub, "src")) return;
  if (!instruction.aligned(dst, 32, "dst") || !instruction.aligned(src, 32, "src")) return;
  ++state.counts.vector_instructions;
  const int size = bytes_of(type);
  if (stride.block == 0) instruction.report_at(kind::stride, "a block stride of 0 for dst is undefined");
  if (!instruction.reads(src, 0, repeats * 8 * size)) return;
  for (std::int64_t i = 0; i < repeats * 8; ++i) {
    const std::int64_t to = (i / 8 * stride.repeat + i % 8 * stride.block) * 32;
    if (!instruction.writes(dst, to, 32)) return;
    for (int at = 0; at < 32; at += size) std::memcpy(instruction.data(dst, to + at), instruction.data(src, i * size), size);
  }
  state.counts.move += repeats * 256 / size;
  instruction.count(repeats * 256 / size);
}

// The library writes the first block from the scalar unit, hands over with S_V id 0, and adds up the rest on V, with a barrier
// after each instruction but the one for what is left of the last repeat
// (asc-devkit, dav_c220/kernel_operator_vec_createvecindex_impl.h).
void vector_index(Type type, Local dst, Scalar start, int64_t count, Site site) {
  const int size = bytes_of(type);
  const std::int64_t first = std::min<std::int64_t>(count, 32 / size);
  {
    Instruction scalar(PIPE_S, "CreateVecIndex", site, true);
    if (!scalar.in(dst, Memory::ub, "dst") || !scalar.aligned(dst, 32, "dst") || !scalar.writes(dst, 0, first * size)) return;
    for (std::int64_t i = 0; i < first; ++i) store_index(scalar.data(dst, i * size), type, start, i);
    state.counts.scalar_writes += first;
  }
  state.pipes.hand_over(AscendC::HardEvent::S_V, "CreateVecIndex", site);
  const std::int64_t per_repeat = 256 / size, whole = count <= per_repeat ? count : count / per_repeat * per_repeat;
  const auto add_up = [&](std::int64_t from, std::int64_t end, bool rest) {
    Instruction vector(PIPE_V, "CreateVecIndex", site, rest);
    vector.count(count);
    if (from == end || !vector.writes(dst, from * size, (end - from) * size)) return;
    for (std::int64_t i = from; i < end; ++i) store_index(vector.data(dst, i * size), type, start, i);
  };
  add_up(first, whole, false);
  if (count > first) state.pipes.barrier(PIPE_V, site);
  add_up(whole, count, true);
  ++state.counts.vector_instructions;
  state.counts.move += count;
}

}  // namespace twin
