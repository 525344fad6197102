// A sector is 32 bytes of a buffer: what an access of a warp moves at least, CUDA C++ Best Practices Guide, "Coalesced Access to
// Global Memory". The n-th accesses of a warp's lanes at one place of the text since the last barrier are one access of the warp.
#include "sectors.h"

#include <sys/mman.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "memory.h"

namespace uol_twin {

bool counted;
std::uint64_t touched_sectors[2], missed_accesses;

namespace {

constexpr unsigned sector_shift = 5, buffer_shift = 40;
Touch* touches;              // [warp][access][lane]
unsigned noted[max_threads];  // by lane of the block

Touch* row_of(unsigned warp, unsigned access) { return touches + (std::size_t{warp} * most_touches + access) * warp_width; }

unsigned different(std::uint64_t* first, std::uint64_t* last) {
  std::sort(first, last);
  return static_cast<unsigned>(std::unique(first, last) - first);
}

// The lanes that have an n-th access have it at one place, as all earlier ones: it is one access of the warp.
bool tally_row(const Touch* row, const unsigned* of_lane, unsigned lanes, unsigned n) {
  std::uint64_t sectors[warp_width];
  unsigned count = 0;
  const Touch* first = nullptr;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if (of_lane[lane] <= n) continue;
    if (!first) first = row + lane;
    else if (row[lane].pc != first->pc) return false;
    sectors[count++] = row[lane].sector;
  }
  touched_sectors[first->store] += different(sectors, sectors + count);
  return true;
}

// Lanes that went different ways.
void tally_apart(unsigned warp, const unsigned* of_lane, unsigned lanes, unsigned from) {
  struct Apart {
    std::uint64_t access, sector;
    std::uint32_t store;
  };
  std::vector<Apart> all;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    std::unordered_map<std::uint32_t, std::uint32_t> times;
    for (unsigned n = from; n < of_lane[lane]; ++n) {
      const Touch& touch = row_of(warp, n)[lane];
      all.push_back({std::uint64_t{touch.pc} << 32 | times[touch.pc]++, touch.sector, touch.store});
    }
  }
  std::sort(all.begin(), all.end(), [](const Apart& a, const Apart& b) {
    return a.access != b.access ? a.access < b.access : a.sector < b.sector;
  });
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!i || all[i].access != all[i - 1].access || all[i].sector != all[i - 1].sector) ++touched_sectors[all[i].store];
}

void tally_warp(unsigned warp) {
  unsigned* of_lane = noted + warp * warp_width;
  const unsigned lanes = std::min<unsigned>(warp_width, block.threads - warp * warp_width);
  const unsigned most = *std::max_element(of_lane, of_lane + lanes);
  unsigned n = 0;
  while (n < most && tally_row(row_of(warp, n), of_lane, lanes, n)) ++n;
  if (n < most) tally_apart(warp, of_lane, lanes, n);
  std::fill(of_lane, of_lane + lanes, 0u);
}

}  // namespace

void make_touches() {
  constexpr std::size_t warps = max_threads / warp_width;
  touches = static_cast<Touch*>(reserve(warps * most_touches * warp_width * sizeof(Touch), PROT_READ | PROT_WRITE));
}

void note_sector(std::uint64_t buffer, std::uint64_t offset, bool write, const void* pc) {
  const Lane& lane = *running;
  unsigned& own = noted[lane.number];
  if (own == most_touches) {
    ++missed_accesses;
    return;
  }
  row_of(lane.warp->number, own++)[lane.lane] = {static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(pc)), write,
                                                 buffer << buffer_shift | offset >> sector_shift};
}

void tally_sectors() {
  for (unsigned w = 0; w < block.warps; ++w) tally_warp(w);
}

}  // namespace uol_twin
