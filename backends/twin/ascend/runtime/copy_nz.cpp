// Global memory to L1 with the fractal order of the cube: row-major becomes NZ.
#include <algorithm>
#include <cstring>

#include "instruction.h"
#include "kinds.h"
#include "layout.h"

namespace twin {
namespace {

void check(const Instruction& instruction, const AscendC::Nd2NzParams& p) {
  const int rows = uint16_t{p.nValue}, pitch = uint16_t{p.dstNzC0Stride}, step = uint16_t{p.dstNzNStride};
  if (uint16_t{p.ndNum} > 4095) instruction.report_at(kind::nd2nz_limit, "ndNum is above 4095");
  if (rows > 16384 || pitch > 16384 || step > 16384)
    instruction.report_at(kind::nd2nz_limit, "nValue, dstNzC0Stride and dstNzNStride are at most 16384");
  if (uint16_t{p.srcDValue} == 0) instruction.report_at(kind::nd2nz_limit, "srcDValue is at least 1");
  if (pitch == 0 || step == 0) instruction.report_at(kind::nd2nz_limit, "dstNzC0Stride and dstNzNStride are at least 1");
  if (uint16_t{p.dValue} > 0 && rows > 0 && (rows - 1) * step + 1 > pitch)
    report(kind::nd2nz_limit, instruction.site(),
           "DataCopy: %d rows do not fit dstNzC0Stride %d: column blocks overwrite each other", rows, pitch);
}

}  // namespace

void copy_nz(Local dst, Global src, int element, const AscendC::Nd2NzParams& p, Site site) {
  Instruction instruction(PIPE_MTE2, "DataCopy", site);
  if (!instruction.in(dst, Memory::l1, "dst") || !instruction.aligned(dst, 32, "dst")) return;
  check(instruction, p);
  instruction.write_once();
  const std::int64_t c0 = 32 / element, rows = uint16_t{p.nValue}, cols = uint16_t{p.dValue};
  const std::int64_t row_step = uint16_t{p.dstNzNStride}, pitch = uint16_t{p.dstNzC0Stride};
  ++state.counts.copies;
  for (std::int64_t matrix = 0; matrix < uint16_t{p.ndNum}; ++matrix) {
    const std::int64_t to = matrix * uint16_t{p.dstNzMatrixStride} * element, from = matrix * uint16_t{p.srcNdMatrixStride};
    for (std::int64_t row = 0; row < rows; ++row) {
      const Span span = instruction.reads(src, (from + row * uint16_t{p.srcDValue}) * element, cols * element);
      for (std::int64_t col = 0; col < cols; col += c0) {
        const std::int64_t at = to + layout::nz(row * row_step, col, pitch, c0) * element;
        const std::int64_t bytes = std::min(c0, cols - col) * element;
        if (!instruction.writes(dst, at, 32)) return;
        std::memset(instruction.data(dst, at), 0, 32);
        if (span.data) std::memcpy(instruction.data(dst, at), span.data + col * element, bytes);
      }
      state.counts.gm_l1 += cols * element;
      instruction.count(cols * element);
    }
  }
}

}  // namespace twin
