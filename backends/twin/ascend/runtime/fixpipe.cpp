// L0C to global memory, converted on the way: C[m, n] in fractals becomes rows of n, or stays in column blocks of 16.
#include <cstring>
#include <vector>

#include "instruction.h"
#include "kinds.h"
#include "layout.h"
#include "numbers.h"

namespace twin {
namespace {

QuantMode_t needed(Type dst) {
  switch (dst) {
    case Type::f16:
      return QuantMode_t::F322F16;
    case Type::bf16:
      return QuantMode_t::F322BF16;
    default:
      return QuantMode_t::NoQuant;
  }
}

bool check(const Instruction& instruction, Type dst, Type src, bool row_major, const AscendC::FixpipeParamsV220& p) {
  const int n = uint16_t{p.nSize}, m = uint16_t{p.mSize};
  if (n < 1 || m < 1) instruction.report_at(kind::fixpipe_limit, "nSize and mSize are at least 1");
  if (n > 4095) instruction.report_at(kind::fixpipe_limit, "nSize is at most 4095");
  if (row_major && m > 8192) instruction.report_at(kind::fixpipe_limit, "mSize is at most 8192 for row-major results");
  if (!row_major && n % 16 != 0) instruction.report_at(kind::fixpipe_limit, "nSize must be a multiple of 16 for NZ results");
  if (uint16_t{p.srcStride} % 16 != 0 || uint16_t{p.srcStride} < m)
    report(kind::fixpipe_limit, instruction.site(), "Fixpipe: srcStride %d must be mSize %d rounded up to 16",
           uint16_t{p.srcStride}, m);
  if (uint32_t{p.dstStride} == 0) instruction.report_at(kind::fixpipe_limit, "dstStride is at least 1");
  if (row_major && m > 1 && uint32_t{p.dstStride} < static_cast<std::uint32_t>(n))
    instruction.report_at(kind::fixpipe_limit, "dstStride is less than nSize: rows overwrite each other");
  if (uint16_t{p.ndNum} != 1 || uint8_t{p.unitFlag} != 0 || p.isChannelSplit) {
    instruction.report_at(kind::fixpipe_limit, "the twin runs ndNum 1, unitFlag 0 and no channel split");
    return false;
  }
  const bool integer = src == Type::s32;
  if (integer != (dst == Type::s32)) {
    instruction.report_at(kind::quant_mismatch, "int32_t results go to int32_t only here");
    return false;
  }
  return true;
}

// One row of results, or undefined bytes where the conversion was not asked for.
void convert(std::uint8_t* to, const std::uint8_t* from, Type dst, bool relu, bool right) {
  float value;
  std::memcpy(&value, from, 4);
  if (dst == Type::s32) {
    std::int32_t whole;
    std::memcpy(&whole, from, 4);
    whole = relu && whole < 0 ? 0 : whole;
    std::memcpy(to, &whole, 4);
    return;
  }
  if (relu) value = value > 0 ? value : 0.0f;  // NaN becomes 0
  if (!right)
    std::memset(to, 0xff, bytes_of(dst));
  else if (dst == Type::f16)
    F16::store(to, value);
  else if (dst == Type::bf16)
    BF16::store(to, value);
  else
    std::memcpy(to, &value, 4);
}

}  // namespace

void fixpipe(Global dst, Type dst_type, Local src, Type src_type, bool row_major, const AscendC::FixpipeParamsV220& p,
             Site site) {
  Instruction instruction(PIPE_FIX, "Fixpipe", site);
  if (!instruction.in(src, Memory::l0c, "src") || !instruction.aligned(src, 64, "src")) return;
  if (!check(instruction, dst_type, src_type, row_major, p)) return;
  const bool right = p.quantPre == needed(dst_type);
  if (!right)
    instruction.report_at(kind::quant_mismatch,
                          "quantPre does not fit the result's type (F322F16 for half, F322BF16 for bfloat16_t, else NoQuant): "
                          "the result is garbage");
  const std::int64_t m_size = uint16_t{p.mSize}, n_size = uint16_t{p.nSize}, column = uint16_t{p.srcStride} * 64;
  const int element = bytes_of(dst_type);
  std::vector<std::uint8_t> row(n_size * element);
  for (std::int64_t m = 0; m < m_size; ++m) {
    for (std::int64_t n = 0; n < n_size; n += 16) {
      const std::int64_t at = n / 16 * column + m * 64, lanes = n_size - n < 16 ? n_size - n : 16;
      if (!instruction.reads(src, at, lanes * 4)) return;
      for (std::int64_t lane = 0; lane < lanes; ++lane)
        convert(&row[(n + lane) * element], instruction.data(src, at + lane * 4), dst_type, p.reluEn, right);
      if (!row_major)
        instruction.store(dst, n / 16 * std::int64_t{uint32_t{p.dstStride}} * 32 + m * 16 * element, &row[n * element],
                          16 * element, dst_type);
    }
    if (row_major)
      instruction.store(dst, m * std::int64_t{uint32_t{p.dstStride}} * element, row.data(), n_size * element, dst_type);
  }
  ++state.counts.copies;
  state.counts.l0c_gm += m_size * n_size * element;
  instruction.count(m_size * n_size * element);
}

}  // namespace twin
