// L1 to L0A and L0B, in fractals of 512 B. Padding moves as it is, undefined where nothing wrote it.
#include <cstring>

#include "instruction.h"
#include "kinds.h"
#include "layout.h"
#include "numbers.h"

namespace twin {
namespace {

constexpr std::int64_t fractal = 512;

bool operands(const Instruction& instruction, const Local& dst, const Local& src) {
  if (dst.memory != Memory::l0a && dst.memory != Memory::l0b) {
    instruction.report_at(kind::position, "the destination must be in L0A (A2) or L0B (B2)");
    return false;
  }
  return instruction.in(src, Memory::l1, "src") && instruction.aligned(dst, 512, "dst") && instruction.aligned(src, 32, "src");
}

void count(Instruction& instruction, const Local& dst, std::int64_t bytes) {
  instruction.count(bytes);
  (dst.memory == Memory::l0a ? state.counts.l1_l0a : state.counts.l1_l0b) += bytes;
}

void move_element(const Instruction& instruction, const Local& dst, std::int64_t to, const Local& src, std::int64_t from,
                  int element) {
  std::memcpy(instruction.data(dst, to), instruction.data(src, from), element);
  std::memcpy(instruction.written(dst, to), instruction.written(src, from), element);
}

}  // namespace

void load_data(Local dst, Local src, Type type, const AscendC::LoadData2DParams& p, Site site) {
  Instruction instruction(PIPE_MTE1, "LoadData", site);
  if (!operands(instruction, dst, src)) return;
  const int element = bytes_of(type);
  if (uint8_t{p.repeatTimes} == 0) return instruction.report_at(kind::load_limit, "repeatTimes is at least 1");
  if (p.ifTranspose && element != 2)
    return instruction.report_at(kind::load_limit, "ifTranspose is for 16-bit types: use LoadDataWithTranspose");
  if (uint8_t{p.addrMode} != 0) return instruction.report_at(kind::load_limit, "the twin runs addrMode 0 only");
  for (std::int64_t i = 0; i < uint8_t{p.repeatTimes}; ++i) {
    const std::int64_t from = (uint16_t{p.startIndex} + i * uint16_t{p.srcStride}) * fractal,
                       to = i * (1 + uint16_t{p.dstGap}) * fractal;
    if (!instruction.reads(src, from, fractal, true) || !instruction.writes(dst, to, fractal)) return;
    count(instruction, dst, fractal);
    if (p.ifTranspose) {
      for (int e = 0; e < 256; ++e) move_element(instruction, dst, to + (e % 16 * 16 + e / 16) * 2, src, from + e * 2, 2);
    } else {
      move_element(instruction, dst, to, src, from, fractal);
    }
  }
}

// A square of two fractals, read as source[row][col], is written as target[col][row], its fractals apart by dstFracGap.
void load_data_transposed(Local dst, Local src, Type type, const AscendC::LoadData2dTransposeParams& p, Site site) {
  Instruction instruction(PIPE_MTE1, "LoadDataWithTranspose", site);
  if (!operands(instruction, dst, src)) return;
  if (uint8_t{p.addrMode} != 0) return instruction.report_at(kind::load_limit, "the twin runs addrMode 0 only");
  instruction.write_once();
  const int element = bytes_of(type), side = element == 4 ? 16 : 32;
  for (std::int64_t i = 0; i < uint8_t{p.repeatTimes}; ++i) {
    const std::int64_t from = (uint16_t{p.startIndex} + i * uint16_t{p.srcStride}) * 2 * fractal;
    const std::int64_t to = i * (1 + uint16_t{p.dstGap}) * fractal, second = (1 + uint16_t{p.dstFracGap}) * fractal;
    if (!instruction.reads(src, from, 2 * fractal, true)) return;
    if (!instruction.writes(dst, to, fractal) || !instruction.writes(dst, to + second, fractal)) return;
    count(instruction, dst, 2 * fractal);
    for (int row = 0; row < side; ++row) {
      for (int col = 0; col < side; ++col)
        move_element(instruction, dst, to + layout::square(col, row, element, second), src,
                     from + layout::square(row, col, element, fractal), element);
    }
  }
}

}  // namespace twin
