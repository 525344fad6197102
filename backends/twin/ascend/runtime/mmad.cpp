// Mmad: C[m, n] (+)= A[m, k] * B[k, n]. K is rounded up to a fractal and its padding lanes take part; rows from m and
// columns from n on are computed from whatever is there and stay undefined.
#include <cstring>

#include "instruction.h"
#include "kinds.h"
#include "layout.h"
#include "numbers.h"
#include "product.h"

namespace twin {
namespace {

// A lane that counts: rows below m of A, columns below n of B. `block(i, k1)` is the element where 32 B of k start.
template <class Block>
void check_written(const Instruction& instruction, const Local& view, const char* operand, std::int64_t count,
                   const CubeShape& s, int element, const Block& block) {
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k1 = 0; k1 < s.k1; ++k1) {
      const std::uint8_t* written = instruction.written(view, block(i, k1) * element);
      const void* hole = std::memchr(written, 0, 32);
      if (!hole) continue;
      const std::int64_t lane = (static_cast<const std::uint8_t*>(hole) - written) / element;
      report(kind::uninit_local, instruction.site(),
             "Mmad multiplies %s[%lld] at k = %lld, which nothing has written (K padding counts: zero it)", operand,
             static_cast<long long>(i), static_cast<long long>(k1 * s.c0 + lane));
      return;
    }
  }
}

// Stale values in the padding are harmless only while they are finite and the other side is zero: both must be zero.
template <class Block>
void check_padding(const Instruction& instruction, const Local& view, const char* operand, std::int64_t count,
                   const CubeShape& s, int element, const Block& block) {
  constexpr std::uint8_t zero[4] = {};
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = s.k; k < s.depth(); ++k) {
      const std::int64_t at = (block(i, k / s.c0) + k % s.c0) * element;
      if (!*instruction.written(view, at) || std::memcmp(instruction.data(view, at), zero, element) == 0) continue;
      report(kind::k_padding, instruction.site(), "Mmad: the K padding of %s[%lld] at k = %lld is not zero", operand,
             static_cast<long long>(i), static_cast<long long>(k));
      return;
    }
  }
}

void check_operands(const Instruction& instruction, const CubeShape& s, const Local& a, const Local& b, int element,
                    bool gemv) {
  const auto in_a = [&](std::int64_t m, std::int64_t k1) { return gemv ? k1 * s.c0 : layout::zz(m, k1 * s.c0, s.k1, s.c0); };
  const auto in_b = [&](std::int64_t n, std::int64_t k1) { return layout::zn(k1 * s.c0, n, s.n1, s.c0); };
  check_written(instruction, a, "a", s.m, s, element, in_a);
  check_written(instruction, b, "b", s.n, s, element, in_b);
  check_padding(instruction, a, "a", s.m, s, element, in_a);
  check_padding(instruction, b, "b", s.n, s, element, in_b);
}

// Calls f(byte offset in C, bytes) for the lanes of the result that count, up to 16 at a time.
template <class F>
void each_result(const CubeShape& s, const F& f) {
  for (std::int64_t m = 0; m < s.m; ++m) {
    for (std::int64_t n = 0; n < s.n; n += 16) f(layout::l0c(m, n, s.m1) * 4, (s.n - n < 16 ? s.n - n : 16) * 4);
  }
}

bool accumulator_written(const Instruction& instruction, const CubeShape& s, const Local& c) {
  bool written = true;
  each_result(
      s, [&](std::int64_t at, std::int64_t bytes) { written = written && !std::memchr(instruction.written(c, at), 0, bytes); });
  return written;
}

// Zero, or the bias of each column.
void start(const Instruction& instruction, const CubeShape& s, const Local& c, const Local* bias) {
  std::memset(instruction.data(c, 0), 0, s.m1 * s.n1 * 1024);
  if (!bias) return;
  for (std::int64_t m = 0; m < s.m; ++m) {
    for (std::int64_t n = 0; n < s.n; ++n)
      std::memcpy(instruction.data(c, layout::l0c(m, n, s.m1) * 4), instruction.data(*bias, n * 4), 4);
  }
}

void mark_result(const Instruction& instruction, const CubeShape& s, const Local& c) {
  std::memset(instruction.written(c, 0), 0, s.m1 * s.n1 * 1024);
  each_result(s, [&](std::int64_t at, std::int64_t bytes) { std::memset(instruction.written(c, at), 1, bytes); });
}

bool operands(const Instruction& instruction, const Local& c, const Local& a, const Local& b, const Local* bias) {
  if (!instruction.in(a, Memory::l0a, "fm") || !instruction.in(b, Memory::l0b, "filter") ||
      !instruction.in(c, Memory::l0c, "dst"))
    return false;
  if (!instruction.aligned(a, 512, "fm") || !instruction.aligned(b, 512, "filter") || !instruction.aligned(c, 1024, "dst"))
    return false;
  return !bias || (instruction.in(*bias, Memory::bt, "bias") && instruction.aligned(*bias, 64, "bias"));
}

bool check_params(const Instruction& instruction, const CubeShape& s, const AscendC::MmadParams& p, bool bias) {
  if (s.m > 4095 || s.n > 4095 || s.k > 4095) instruction.report_at(kind::mmad_limit, "m, n and k are at most 4095");
  if (s.m == 1) instruction.report_at(kind::gemv, "m == 1 reads L0A as a plain row of k, not as fractals: use m = 16");
  if (p.cmatrixSource && !bias)
    instruction.report_at(kind::mmad_limit, "cmatrixSource asks for the bias table: pass the bias tensor");
  if (uint8_t{p.unitFlag} != 0) instruction.report_at(kind::mmad_limit, "the twin runs unitFlag 0 only");
  if (s.m > 0 && s.n > 0 && s.k > 0) return true;
  instruction.report_at(kind::mmad_limit, "m, n or k is 0: nothing is computed");
  return false;
}

}  // namespace

void mmad(Local c, Local a, Local b, const Local* bias, Type type, const AscendC::MmadParams& p, Site site) {
  Instruction instruction(PIPE_M, "Mmad", site);
  const CubeShape s = cube_shape(type, p);
  if (!check_params(instruction, s, p, bias) || !operands(instruction, c, a, b, bias)) return;
  const int element = bytes_of(type);
  const std::int64_t c_bytes = s.m1 * s.n1 * 1024;
  const bool gemv = s.m == 1, accumulate = !p.cmatrixInitVal && !bias;
  if (s.m1 * s.n1 >= 10) instruction.trust_own_pipe();
  if (!instruction.reads(a, 0, s.rows() * s.depth() * element, true)) return;
  if (!instruction.reads(b, 0, s.cols() * s.depth() * element, true)) return;
  if (bias && !instruction.reads(*bias, 0, s.n * 4)) return;
  if (accumulate && !instruction.reads(c, 0, c_bytes, true)) return;
  if (state.checked) {
    check_operands(instruction, s, a, b, element, gemv);
    if (accumulate && !accumulator_written(instruction, s, c))
      instruction.report_at(kind::uninit_local, "adds to L0C, which nothing has written (cmatrixInitVal is false)");
  }
  if (!instruction.writes(c, 0, c_bytes)) return;
  if (!accumulate) start(instruction, s, c, bias);
  cube_product(s, type, instruction.data(a, 0), instruction.data(b, 0), instruction.data(c, 0), gemv);
  if (state.checked) mark_result(instruction, s, c);
  ++state.counts.mmads;
  state.counts.cube_macs += s.rows() * s.cols() * s.depth();
  instruction.count(s.rows() * s.cols() * s.depth());
}

}  // namespace twin
