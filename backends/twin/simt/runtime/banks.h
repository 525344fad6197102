// Shared memory's banks: how many transactions the accesses of a warp take.
#pragma once

#include <cstdint>

#include "state.h"

namespace uol_twin {

// One shared access of a lane: where in the text (the executable lies below 4 GiB), and what, as `place_of_access`.
struct Note {
  std::uint32_t pc, place;
};

// Accesses that a lane notes between two barriers; later ones count no transactions.
constexpr unsigned most_notes = 8192;

// [warp][access][lane]: what the lanes of a warp do together lies together.
extern Note* notes;
void make_notes();

constexpr std::uint32_t place_of_access(std::size_t offset, bool write, unsigned size) {
  return static_cast<std::uint32_t>(offset << 4 | (write ? 8 : 0) | size);
}

// An access of 1 << size bytes at an offset in shared memory, by the running lane.
inline void note_shared(std::size_t offset, bool write, unsigned size, const void* pc) {
  Lane& lane = *running;
  if (lane.noted == most_notes) [[unlikely]] return;
  const std::size_t access = std::size_t{lane.warp->number} * most_notes + lane.noted++;
  notes[access * warp_width + lane.lane] = {static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(pc)),
                                            place_of_access(offset, write, size)};
}

// At a barrier, and when a block is done: counts the transactions of what was noted, and forgets it.
void tally_shared();

// By [is a store].
extern std::uint64_t shared_transactions[2], shared_conflicts[2];

}  // namespace uol_twin
