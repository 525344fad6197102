// Global memory's sectors: how many the accesses of a warp touch.
#pragma once

#include <cstdint>

#include "state.h"

namespace uol_twin {

// One global access of a lane: where in the text (the executable lies below 4 GiB), is it a store, and which sector of all.
struct Touch {
  std::uint32_t pc;
  std::uint32_t store;
  std::uint64_t sector;
};

// Accesses that a lane notes between two barriers; what comes later is counted as missed.
constexpr unsigned most_touches = 1 << 16;

// Is anything noted?
extern bool counted;
void make_touches();

// An access at a byte of a buffer, by the running lane.
void note_sector(std::uint64_t buffer, std::uint64_t offset, bool write, const void* pc);

// At a barrier, and when a block is done: counts the sectors of what was noted, and forgets it.
void tally_sectors();

// By [is a store]; and accesses that were too many to be noted.
extern std::uint64_t touched_sectors[2], missed_accesses;

}  // namespace uol_twin
