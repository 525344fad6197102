// Global memory: the buffers of an operator, which elements were written, and who touched them in this launch.
#pragma once
#include <cstdint>
#include <vector>

#include "pipes.h"

namespace twin {

// The last accesses to one element in the present launch; a block of -1 is none, of -2 several. Only the copy pipe into the
// core and the scalar unit read global memory.
struct GlobalCell {
  Clock write = 0, read_by_copy = 0, read_by_scalar = 0;
  std::int32_t write_line = 0, read_line = 0;
  std::int16_t write_block = -1, read_block = -1;
  std::uint8_t writer = 0;
  bool atomic = false;
};

struct Buffer {
  const char* name;
  std::uint8_t* data;
  std::int64_t bytes;
  std::int64_t element;
  bool input, workspace;
  std::vector<std::uint8_t> written;  // by element
  std::vector<GlobalCell> cells;      // by element
};

// A checked access: where its bytes are. `data` is null when it would have left the buffer.
struct Span {
  Buffer* buffer;
  std::uint8_t* data;
  std::int64_t offset;
};

class Instruction;

// Kernels see no real address: buffer i starts at (i + 1) << 40, so a stray address never falls into another buffer.
class GlobalMemory {
 public:
  std::uint8_t* add(Buffer buffer);
  Global view_of(const Buffer& buffer) const;
  void begin_launch();
  // Bounds only; reports and gives a null span outside.
  Span locate(const Global& view, std::int64_t offset, std::int64_t bytes, const char* what, Site site);
  void check_unwritten() const;
  std::vector<Buffer>& buffers() { return buffers_; }

 private:
  std::vector<Buffer> buffers_;
};

}  // namespace twin
