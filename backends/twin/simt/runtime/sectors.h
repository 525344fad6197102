// Global memory's sectors: how many of a buffer a warp touches in a statement.
#pragma once

#include <cstdint>

#include "state.h"

namespace uol_twin {

// One global access of a lane: by which statement in which turns of its loops, and which sector of which buffer.
struct Touch {
  std::uint64_t statement, sector;
  bool operator<(const Touch& other) const { return statement != other.statement ? statement < other.statement : sector < other.sector; }
  bool operator==(const Touch& other) const { return statement == other.statement && sector == other.sector; }
};

// Accesses that a lane notes between two barriers; what comes later is counted as missed.
constexpr unsigned most_touches = 1 << 16;

// Is anything noted?
extern bool counted;
void make_touches();

// An access at a byte of a buffer, by the running lane.
void note_sector(std::uint64_t buffer, std::uint64_t offset, bool write);

// At a barrier, and when a block is done: counts the sectors of what was noted, and forgets it.
void tally_sectors();

// When a block begins.
void forget_statements();

// By [is a store]; and accesses that were too many to be noted.
extern std::uint64_t touched_sectors[2], missed_accesses;

}  // namespace uol_twin
