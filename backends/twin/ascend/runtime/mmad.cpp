// C[m, n] (+)= A[m, k] * B[k, n] on fractals. K is rounded up to c0 and its padding lanes take part; rows from m and
// columns from n on are computed from whatever is there and stay undefined.
#include <cstring>
#include <vector>

#include "instruction.h"
#include "kinds.h"
#include "layout.h"
#include "numbers.h"

namespace twin {
namespace {

using layout::ceil_div;

struct Shape {
  std::int64_t m, n, k;     // as asked
  std::int64_t m1, n1, k1;  // in fractals
  std::int64_t c0;
};

Shape shape_of(Type type, const AscendC::MmadParams& p) {
  const std::int64_t c0 = 32 / bytes_of(type), m = uint16_t{p.m}, n = uint16_t{p.n}, k = uint16_t{p.k};
  const bool wide = type == Type::f32 && p.kDirectionAlign;
  return {m, n, k, ceil_div(m, 16), ceil_div(n, 16), wide ? ceil_div(k, 16) * 2 : ceil_div(k, c0), c0};
}

// A and B as rows of k in the accumulator's type.
template <class E, class Acc>
std::vector<Acc> gather(const std::uint8_t* from, std::int64_t rows, std::int64_t depth, const auto& index) {
  std::vector<Acc> out(rows * depth);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < depth; ++k) out[r * depth + k] = static_cast<Acc>(E::load(from + index(r, k) * E::bytes));
  }
  return out;
}

template <class E, class Acc>
void multiply(const Shape& s, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* c, bool gemv) {
  const std::int64_t rows = s.m1 * 16, cols = s.n1 * 16, depth = s.k1 * s.c0;
  const auto left = gather<E, Acc>(a, rows, depth, [&](std::int64_t m, std::int64_t k) {
    return gemv ? (m == 0 ? k : depth * 15 + k) : layout::zz(m, k, s.k1, s.c0);
  });
  const auto right =
      gather<E, Acc>(b, depth, cols, [&](std::int64_t k, std::int64_t n) { return layout::zn(k, n, s.n1, s.c0); });
  std::vector<Acc> row(cols);
  for (std::int64_t m = 0; m < rows; ++m) {
    for (std::int64_t n = 0; n < cols; ++n) std::memcpy(&row[n], c + layout::l0c(m, n, s.m1) * 4, 4);
    for (std::int64_t k = 0; k < depth; ++k) {
      const Acc x = left[m * depth + k];
      const Acc* y = &right[k * cols];
      for (std::int64_t n = 0; n < cols; ++n) row[n] += x * y[n];
    }
    for (std::int64_t n = 0; n < cols; ++n) std::memcpy(c + layout::l0c(m, n, s.m1) * 4, &row[n], 4);
  }
}

// Reads of the lanes that count: rows below m of A, columns below n of B, k to its rounded end.
void check_written(const Instruction& instruction, const Local& view, const char* operand, std::int64_t count,
                   std::int64_t depth, int element, const auto& index) {
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = 0; k < depth; ++k) {
      if (*instruction.written(view, index(i, k) * element)) continue;
      report(kind::uninit_local, instruction.site(),
             "Mmad multiplies %s[%lld] at k = %lld, which nothing has written (K padding counts: zero it)", operand,
             static_cast<long long>(i), static_cast<long long>(k));
      return;
    }
  }
}

// Lanes of k beyond the asked depth take part: stale values there are harmless only while the other side is zero and they
// are finite, so both sides must be zero.
void check_padding(const Instruction& instruction, const Local& view, const char* operand, std::int64_t count, std::int64_t k,
                   std::int64_t depth, int element, const auto& index) {
  constexpr std::uint8_t zero[4] = {};
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t lane = k; lane < depth; ++lane) {
      const std::int64_t at = index(i, lane) * element;
      if (!*instruction.written(view, at) || std::memcmp(instruction.data(view, at), zero, element) == 0) continue;
      report(kind::k_padding, instruction.site(), "Mmad: the K padding of %s[%lld] at k = %lld is not zero", operand,
             static_cast<long long>(i), static_cast<long long>(lane));
      return;
    }
  }
}

void check_operands(Instruction& instruction, const Shape& s, const Local& a, const Local& b, int element, bool gemv) {
  const std::int64_t depth = s.k1 * s.c0;
  const auto in_a = [&](std::int64_t m, std::int64_t k) { return gemv ? k : layout::zz(m, k, s.k1, s.c0); };
  const auto in_b = [&](std::int64_t n, std::int64_t k) { return layout::zn(k, n, s.n1, s.c0); };
  check_written(instruction, a, "a", s.m, depth, element, in_a);
  check_written(instruction, b, "b", s.n, depth, element, in_b);
  check_padding(instruction, a, "a", s.m, s.k, depth, element, in_a);
  check_padding(instruction, b, "b", s.n, s.k, depth, element, in_b);
}

// Where the accumulator starts: zero, the bias of the column, or what is in C.
void start(Instruction& instruction, const Shape& s, const Local& c, const Local* bias, bool zero) {
  if (!zero && !bias) return;
  for (std::int64_t m = 0; m < s.m1 * 16; ++m) {
    for (std::int64_t n = 0; n < s.n1 * 16; ++n) {
      std::uint8_t* at = instruction.data(c, layout::l0c(m, n, s.m1) * 4);
      if (bias && n < s.n)
        std::memcpy(at, instruction.data(*bias, n * 4), 4);
      else
        std::memset(at, 0, 4);
    }
  }
}

void mark_result(Instruction& instruction, const Shape& s, const Local& c) {
  if (!state.checked) return;
  std::memset(instruction.written(c, 0), 0, s.m1 * s.n1 * 1024);
  for (std::int64_t m = 0; m < s.m; ++m) {
    for (std::int64_t n = 0; n < s.n; ++n) std::memset(instruction.written(c, layout::l0c(m, n, s.m1) * 4), 1, 4);
  }
}

bool accumulator_written(Instruction& instruction, const Shape& s, const Local& c) {
  for (std::int64_t m = 0; m < s.m; ++m) {
    for (std::int64_t n = 0; n < s.n; ++n) {
      if (!*instruction.written(c, layout::l0c(m, n, s.m1) * 4)) return false;
    }
  }
  return true;
}

bool operands(const Instruction& instruction, const Local& c, const Local& a, const Local& b, const Local* bias) {
  bool good =
      instruction.in(a, Memory::l0a, "fm") && instruction.in(b, Memory::l0b, "filter") && instruction.in(c, Memory::l0c, "dst");
  good =
      good && instruction.aligned(a, 512, "fm") && instruction.aligned(b, 512, "filter") && instruction.aligned(c, 1024, "dst");
  return good && (!bias || (instruction.in(*bias, Memory::bt, "bias") && instruction.aligned(*bias, 64, "bias")));
}

void run(const Shape& s, Type type, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* c, bool gemv) {
  switch (type) {
    case Type::f16:
      return multiply<F16, float>(s, a, b, c, gemv);
    case Type::bf16:
      return multiply<BF16, float>(s, a, b, c, gemv);
    case Type::f32:
      return multiply<Plain<float>, float>(s, a, b, c, gemv);
    default:
      return multiply<Plain<std::int8_t>, std::int32_t>(s, a, b, c, gemv);
  }
}

}  // namespace

void mmad(Local c, Local a, Local b, const Local* bias, Type type, const AscendC::MmadParams& p, Site site) {
  Instruction instruction(PIPE_M, "Mmad", site);
  const Shape s = shape_of(type, p);
  if (s.m > 4095 || s.n > 4095 || s.k > 4095) instruction.report_at(kind::mmad_limit, "m, n and k are at most 4095");
  if (s.m == 0 || s.n == 0 || s.k == 0) return instruction.report_at(kind::mmad_limit, "m, n or k is 0: nothing is computed");
  if (!operands(instruction, c, a, b, bias)) return;
  const bool gemv = s.m == 1;
  if (gemv) instruction.report_at(kind::gemv, "m == 1 reads L0A as a plain row of k, not as fractals: use m = 16");
  const int element = bytes_of(type);
  const std::int64_t depth = s.k1 * s.c0, c_bytes = s.m1 * s.n1 * 1024;
  if (s.m1 * s.n1 >= 10) instruction.trust_own_pipe();
  if (!instruction.reads(a, 0, s.m1 * 16 * depth * element, true) ||
      !instruction.reads(b, 0, s.n1 * 16 * depth * element, true))
    return;
  if (bias && !instruction.reads(*bias, 0, s.n * 4)) return;
  const bool accumulate = !p.cmatrixInitVal && !bias;
  if (p.cmatrixSource && !bias)
    instruction.report_at(kind::mmad_limit, "cmatrixSource asks for the bias table: pass the bias tensor");
  if (accumulate) {
    if (!instruction.reads(c, 0, c_bytes, true)) return;
    if (state.checked && !accumulator_written(instruction, s, c))
      instruction.report_at(kind::uninit_local, "adds to L0C, which nothing has written (cmatrixInitVal is false)");
  }
  if (state.checked) check_operands(instruction, s, a, b, element, gemv);
  if (!instruction.writes(c, 0, c_bytes)) return;
  start(instruction, s, c, bias, !accumulate);
  run(s, type, instruction.data(a, 0), instruction.data(b, 0), instruction.data(c, 0), gemv);
  mark_result(instruction, s, c);
  ++state.counts.mmads;
  state.counts.cube_macs += s.m1 * 16 * s.n1 * 16 * depth;
}

}  // namespace twin
