// The scalar unit's data cache: 64 B lines, private to a core, not coherent with global memory.
#pragma once
#include <cstdint>
#include <vector>

#include "global.h"

namespace twin {

class Cache {
 public:
  // Was this address set by the core itself since the line was loaded?
  bool owns(const Span& span);
  void read(const Span& span, void* value, int bytes, Site site);
  void write(const Span& span, const void* value, int bytes, Site site);
  // Writes the line (or all lines) back where it is dirty, and forgets it.
  void clean(const Buffer* buffer, std::int64_t offset, bool everything, bool to_memory, Site site);
  // Findings for lines that were written and never cleaned when a block ends.
  void finish();

 private:
  struct Line {
    Buffer* buffer;
    std::int64_t offset, bytes;
    std::uint8_t copy[64], seen[64];
    std::uint64_t dirty = 0;
    int line = 0;
  };
  Line& load(const Span& span);
  void write_back(Line& line, Site site);
  void make_room();
  Line* find(const Buffer* buffer, std::int64_t offset);
  std::vector<Line> lines_;  // oldest first
};

}  // namespace twin
