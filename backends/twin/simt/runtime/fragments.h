// Which lane and register owns which element of a fragment, as the vendors' documents say it.
#pragma once

namespace uol_twin {

struct Place {
  int row, col;
};

// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type" (.f16, .bf16), "mma.m16n8k8" (.tf32), "mma.m16n8k32" (.s8).
// groupID is lane / 4, threadID_in_group lane % 4; `i` counts the elements of a lane, the lower bits of a register first.
struct Mma16x8x16 {
  static constexpr int m = 16, n = 8, k = 16, a_elements = 8, b_elements = 4, d_elements = 4;
  static constexpr Place a(int lane, int i) { return {lane / 4 + (i % 4 < 2 ? 0 : 8), lane % 4 * 2 + i % 2 + (i < 4 ? 0 : 8)}; }
  static constexpr Place b(int lane, int i) { return {lane % 4 * 2 + i % 2 + (i < 2 ? 0 : 8), lane / 4}; }
  static constexpr Place d(int lane, int i) { return {lane / 4 + (i < 2 ? 0 : 8), lane % 4 * 2 + i % 2}; }
};
struct Mma16x8x8 {
  static constexpr int m = 16, n = 8, k = 8, a_elements = 4, b_elements = 2, d_elements = 4;
  static constexpr Place a(int lane, int i) { return {lane / 4 + (i % 2 ? 8 : 0), lane % 4 + (i < 2 ? 0 : 4)}; }
  static constexpr Place b(int lane, int i) { return {lane % 4 + (i ? 4 : 0), lane / 4}; }
  static constexpr Place d(int lane, int i) { return Mma16x8x16::d(lane, i); }
};
struct Mma16x8x32 {
  static constexpr int m = 16, n = 8, k = 32, a_elements = 16, b_elements = 8, d_elements = 4;
  static constexpr Place a(int lane, int i) { return {lane / 4 + (i % 8 < 4 ? 0 : 8), lane % 4 * 4 + i % 4 + (i < 8 ? 0 : 16)}; }
  static constexpr Place b(int lane, int i) { return {lane % 4 * 4 + i % 4 + (i < 4 ? 0 : 16), lane / 4}; }
  static constexpr Place d(int lane, int i) { return Mma16x8x16::d(lane, i); }
};

// CDNA2 instruction set architecture, "Matrix Arithmetic Instructions": of a, the lanes of a group of m hold a row each and
// neighbours along k; of b, those of a group of n a column; of d, four rows of a column in a row of registers, then the lanes of the
// next group.
template <int rows, int depth, int neighbours> struct Mfma {
  static constexpr int m = rows, n = rows, k = depth, a_elements = neighbours, b_elements = neighbours, d_elements = rows * rows / 64;
  static constexpr Place a(int lane, int i) { return {lane % rows, lane / rows * neighbours + i}; }
  static constexpr Place b(int lane, int i) { return {lane / rows * neighbours + i, lane % rows}; }
  static constexpr Place d(int lane, int i) { return {i / 4 * (64 / rows * 4) + lane / rows * 4 + i % 4, lane % rows}; }
};

}  // namespace uol_twin
