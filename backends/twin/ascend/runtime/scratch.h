// An on-chip memory: bytes, which of them were ever written, and who touched each 32 B cell last.
#pragma once
#include <cstdint>
#include <vector>

#include "pipes.h"

namespace twin {

constexpr std::int64_t cell_bytes = 32;

// The last accesses to 32 B, as instruction numbers by pipe; 0 is none.
struct Cell {
  Clock write = 0;
  Clock read[pipe_count] = {};
  Clock read_before = 0;  // by the pipe of the latest read, before the instruction that made it
  std::int32_t write_line = 0;
  std::int32_t read_line = 0;
  std::uint8_t writer = 0;
};

// How often the pipe that touches a cell changed in a block. A buffer that one pipe fills and another empties changes hands
// twice a tile; the first tile brings one change, or two where something else initialised the buffer.
struct Handovers {
  std::uint32_t count = 0;
  std::int8_t pipe = -1;
  void touch(std::int8_t now) {
    count += pipe >= 0 && pipe != now;
    pipe = now;
  }
  std::uint32_t refills() const { return count ? (count - 1) / 2 : 0; }
};

struct Scratch {
  const char* name;
  std::int64_t capacity;   // bytes of the memory
  std::int64_t budget;     // bytes that kernels may allocate; the rest is the framework's
  std::int64_t alignment;  // of operand addresses
  std::int64_t used = 0;
  std::int64_t high = 0;  // bytes below were touched since the last reset
  std::vector<std::uint8_t> data, written;
  std::vector<Cell> cells;
  std::vector<Handovers> handovers;
  std::vector<std::uint32_t> most_refills;  // of each cell, in a block of the launch

  Scratch(const char* name, std::int64_t capacity, std::int64_t budget, std::int64_t alignment);
  void reset();
  void begin_launch();
  void touch(std::int64_t end) {
    if (end > high) high = end;
  }
};

}  // namespace twin
