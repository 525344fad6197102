// Copies between global memory and UB or L1, from L1 to the bias table, constant fill, atomic mode.
#include <cstring>

#include "instruction.h"
#include "kinds.h"
#include "numbers.h"

namespace twin {
namespace {

constexpr std::int64_t block = 32;

std::int64_t round_up(std::int64_t bytes) { return (bytes + block - 1) / block * block; }

void count_in(const Local& dst, std::int64_t bytes) {
  ++state.counts.copies;
  (dst.memory == Memory::ub ? state.counts.gm_ub : state.counts.gm_l1) += bytes;
}

// One contiguous row from global memory to [offset, offset + bytes) of a tensor.
void row_in(Instruction& instruction, const Local& dst, std::int64_t offset, const Global& src, std::int64_t from,
            std::int64_t bytes) {
  if (!instruction.writes(dst, offset, bytes)) return;
  const Span span = instruction.reads(src, from, bytes);
  if (span.data)
    std::memcpy(instruction.data(dst, offset), span.data, bytes);
  else
    std::memset(instruction.data(dst, offset), 0xff, bytes);
  count_in(dst, bytes);
  instruction.count(bytes);
}

void row_out(Instruction& instruction, const Global& dst, std::int64_t to, const Local& src, std::int64_t offset,
             std::int64_t bytes, Type type) {
  if (!instruction.reads(src, offset, bytes)) return;
  instruction.store(dst, to, instruction.data(src, offset), bytes, type);
  ++state.counts.copies;
  state.counts.ub_gm += bytes;
  instruction.count(bytes);
}

bool destination(const Instruction& instruction, const Local& dst) {
  const bool reachable = dst.memory == Memory::ub || dst.memory == Memory::l1;
  if (!reachable) instruction.report_at(kind::position, "the destination must be in UB or L1");
  return instruction.aligned(dst, block, "dst") && reachable;
}

bool source(const Instruction& instruction, const Local& src) {
  return instruction.in(src, Memory::ub, "src") && instruction.aligned(src, block, "src");
}

std::int64_t whole_blocks(const Instruction& instruction, std::int64_t bytes) {
  if (bytes % block != 0)
    report(kind::copy_size, instruction.site(),
           "%s of %lld bytes: only whole blocks of 32 B move, %lld bytes are lost; use DataCopyPad", instruction.name(),
           static_cast<long long>(bytes), static_cast<long long>(bytes % block));
  return bytes / block * block;
}

void check_count(const Instruction& instruction, int count) {
  if (count > 4095) report(kind::copy_limit, instruction.site(), "%s: blockCount %d is above 4095", instruction.name(), count);
}

// Documented ranges of DataCopyPad. What the card does beyond them is not documented, so that nothing is copied then.
bool check_pad(const Instruction& instruction, const AscendC::DataCopyExtParams& p, std::uint32_t local_gap, int element) {
  const unsigned count = uint16_t{p.blockCount}, bytes = uint32_t{p.blockLen};
  if (bytes % element != 0)
    report(kind::copy_size, instruction.site(), "%s: blockLen %u is in bytes and must be a multiple of %d", instruction.name(),
           bytes, element);
  const auto outside = [&](const char* name, unsigned value, unsigned low, unsigned high) {
    if (value >= low && value <= high) return false;
    report(kind::copy_limit, instruction.site(), "%s: %s %u is outside of %u..%u", instruction.name(), name, value, low, high);
    return true;
  };
  const bool wrong_count = outside("blockCount", count, 1, 4095), wrong_length = outside("blockLen", bytes, 1, 2097151);
  const bool wrong_gap = outside("the gap in UB", local_gap, 0, 65535);
  return !wrong_count && !wrong_length && !wrong_gap;
}

// Rows leave UB by their bytes, but debug builds ask for a tensor of whole blocks (CheckDataCopyPadTensorSizeOverflow in
// asc-devkit's kernel_check_data_copy_overflow.h).
void check_source(const Instruction& instruction, const Local& src, std::int64_t bytes) {
  if (src.end - src.offset >= bytes) return;
  report(kind::copy_source, instruction.site(),
         "%s: the source tensor has %lld bytes from here on, its blocks of 32 B take %lld: debug builds refuse it; declare whole "
         "blocks",
         instruction.name(), static_cast<long long>(src.end - src.offset), static_cast<long long>(bytes));
}

}  // namespace

void copy_in(Local dst, Global src, int element, int64_t count, Site site) {
  Instruction instruction(PIPE_MTE2, "DataCopy", site);
  if (!destination(instruction, dst)) return;
  row_in(instruction, dst, 0, src, 0, whole_blocks(instruction, count * element));
}

void copy_out(Global dst, Local src, Type type, int64_t count, Site site) {
  Instruction instruction(PIPE_MTE3, "DataCopy", site);
  if (!source(instruction, src)) return;
  row_out(instruction, dst, 0, src, 0, whole_blocks(instruction, count * bytes_of(type)), type);
}

void copy_in(Local dst, Global src, const AscendC::DataCopyParams& p, Site site) {
  Instruction instruction(PIPE_MTE2, "DataCopy", site);
  if (!destination(instruction, dst)) return;
  check_count(instruction, uint16_t{p.blockCount});
  const std::int64_t bytes = uint16_t{p.blockLen} * block, src_gap = uint16_t{p.srcGap} * block,
                     dst_gap = uint16_t{p.dstGap} * block;
  for (std::int64_t row = 0; row < uint16_t{p.blockCount}; ++row)
    row_in(instruction, dst, row * (bytes + dst_gap), src, row * (bytes + src_gap), bytes);
}

void copy_out(Global dst, Local src, Type type, const AscendC::DataCopyParams& p, Site site) {
  Instruction instruction(PIPE_MTE3, "DataCopy", site);
  if (!source(instruction, src)) return;
  check_count(instruction, uint16_t{p.blockCount});
  const std::int64_t bytes = uint16_t{p.blockLen} * block, src_gap = uint16_t{p.srcGap} * block,
                     dst_gap = uint16_t{p.dstGap} * block;
  for (std::int64_t row = 0; row < uint16_t{p.blockCount}; ++row)
    row_out(instruction, dst, row * (bytes + dst_gap), src, row * (bytes + src_gap), bytes, type);
}

// L1 to the bias table: both sides in blocks of 32 B, the table in pieces of 64 B.
void copy_bias(Local dst, Local src, int64_t bytes, Site site) {
  Instruction instruction(PIPE_MTE1, "DataCopy", site);
  if (!instruction.in(dst, Memory::bt, "dst") || !instruction.in(src, Memory::l1, "src")) return;
  if (!instruction.aligned(dst, 64, "dst") || !instruction.aligned(src, block, "src")) return;
  if (bytes % 64 != 0)
    report(kind::copy_size, site, "DataCopy of %lld bytes to the bias table: must be a multiple of 64",
           static_cast<long long>(bytes));
  if (!instruction.reads(src, 0, bytes, true) || !instruction.writes(dst, 0, bytes)) return;
  std::memcpy(instruction.data(dst, 0), instruction.data(src, 0), bytes);
  std::memcpy(instruction.written(dst, 0), instruction.written(src, 0), bytes);
  state.counts.l1_bt += bytes;
  instruction.count(bytes);
}

void copy_pad_in(Local dst, Global src, int element, const AscendC::DataCopyExtParams& p, Padding padding, Site site) {
  Instruction instruction(PIPE_MTE2, "DataCopyPad", site);
  if (!destination(instruction, dst)) return;
  if (!check_pad(instruction, p, uint32_t{p.dstStride}, element)) return;
  const std::int64_t left = padding.left * element, right = padding.right * element, bytes = uint32_t{p.blockLen};
  if (left > block || right > block)
    instruction.report_at(kind::copy_limit, "leftPadding and rightPadding may take 32 bytes each");
  if (padding.enabled && element == 8 && padding.bits != 0)
    instruction.report_at(kind::copy_limit, "the padding value of 64-bit types must be 0");
  const std::int64_t row_bytes = round_up(left + bytes + right),
                     pitch = row_bytes + std::int64_t{uint32_t{p.dstStride}} * block;
  for (std::int64_t row = 0; row < uint16_t{p.blockCount}; ++row) {
    const std::int64_t start = row * pitch;
    if (!instruction.writes(dst, start, row_bytes, padding.enabled)) return;
    for (std::int64_t at = 0; padding.enabled && at < row_bytes; at += element)
      std::memcpy(instruction.data(dst, start + at), &padding.bits, element);
    row_in(instruction, dst, start + left, src, row * (bytes + uint32_t{p.srcStride}), bytes);
  }
}

void copy_pad_out(Global dst, Local src, Type type, const AscendC::DataCopyExtParams& p, Site site) {
  Instruction instruction(PIPE_MTE3, "DataCopyPad", site);
  if (!source(instruction, src)) return;
  if (!check_pad(instruction, p, uint32_t{p.srcStride}, bytes_of(type))) return;
  const std::int64_t bytes = uint32_t{p.blockLen};
  const std::int64_t pitch = round_up(bytes) + std::int64_t{uint32_t{p.srcStride}} * block;
  check_source(instruction, src, (uint16_t{p.blockCount} - 1) * pitch + round_up(bytes));
  for (std::int64_t row = 0; row < uint16_t{p.blockCount}; ++row)
    row_out(instruction, dst, row * (bytes + uint32_t{p.dstStride}), src, row * pitch, bytes, type);
}

void fill(Local dst, int element, int repeats, int blocks, int gap, uint64_t bits, Site site) {
  const bool l1 = dst.memory == Memory::l1;
  Instruction instruction(l1 ? PIPE_MTE2 : PIPE_MTE1, "Fill", site);
  if (!l1 && dst.memory != Memory::l0a && dst.memory != Memory::l0b)
    return instruction.report_at(kind::position, "the destination must be in L1, L0A or L0B");
  const std::int64_t unit = l1 ? block : 512;
  if (!instruction.aligned(dst, unit, "dst")) return;
  if (repeats > 32767 || blocks > 32767 || gap > 32767)
    instruction.report_at(kind::copy_limit, "repeatTimes, blockNum and dstGap are at most 32767");
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
    const std::int64_t start = repeat * (blocks + gap) * unit, bytes = blocks * unit;
    if (!instruction.writes(dst, start, bytes)) return;
    state.counts.fills += bytes;
    instruction.count(bytes);
    for (std::int64_t at = 0; at < bytes; at += element) std::memcpy(instruction.data(dst, start + at), &bits, element);
  }
}

void set_atomic_add(Type type, Site site) {
  state.atomic = true;
  state.atomic_type = type;
  state.atomic_line = site.line;
}
void set_atomic_none() { state.atomic = false; }

}  // namespace twin
