// A sector is 32 bytes of a buffer: what an access of a warp moves at least, CUDA C++ Best Practices Guide, "Coalesced Access to
// Global Memory". The lanes of a warp carry out a statement together where they are in the same turns of the loops around it, and what
// they touch of a buffer in it counts once: compilers split and merge the accesses of a statement.
#include "sectors.h"

#include <sys/mman.h>

#include <algorithm>
#include <vector>

#include "memory.h"
#include "uol_statements.h"

namespace uol_twin {

bool counted;
std::uint64_t touched_sectors[2], missed_accesses;

namespace {

constexpr unsigned sector_shift = 5, buffer_shift = 40, most_loops = 16;
constexpr std::uint64_t is_store = 1ULL << 63;

// Where a lane is in the text.
struct Position {
  std::uint32_t site, loops;
  std::uint32_t turns[most_loops];
};
Position positions[max_threads];
Touch* touches;               // [warp][lane][access]
unsigned noted[max_threads];  // by lane of the block

Position& own() { return positions[running->number]; }
Touch* touches_of(unsigned lane) { return touches + std::size_t{lane} * most_touches; }

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) { return (hash ^ value) * 0x9e3779b97f4a7c15ULL + (hash >> 29); }

std::uint64_t statement_of(const Position& at) {
  std::uint64_t hash = mixed(at.loops, at.site);
  for (unsigned i = 0; i < at.loops && i < most_loops; ++i) hash = mixed(hash, at.turns[i]);
  return hash;
}

void tally_warp(unsigned warp) {
  static std::vector<Touch> all;
  all.clear();
  const unsigned first = warp * warp_width, last = std::min(first + warp_width, block.threads);
  for (unsigned lane = first; lane < last; ++lane) {
    all.insert(all.end(), touches_of(lane), touches_of(lane) + noted[lane]);
    noted[lane] = 0;
  }
  std::sort(all.begin(), all.end());
  const auto end = std::unique(all.begin(), all.end());
  for (auto touch = all.begin(); touch != end; ++touch) ++touched_sectors[(touch->sector & is_store) != 0];
}

}  // namespace

void make_touches() {
  if (counted) touches = static_cast<Touch*>(reserve(std::size_t{max_threads} * most_touches * sizeof(Touch), PROT_READ | PROT_WRITE));
}

void note_sector(std::uint64_t buffer, std::uint64_t offset, bool write) {
  const unsigned lane = running->number;
  if (noted[lane] == most_touches) {
    ++missed_accesses;
    return;
  }
  touches_of(lane)[noted[lane]++] = {statement_of(own()), buffer << buffer_shift | offset >> sector_shift | (write ? is_store : 0)};
}

void tally_sectors() {
  for (unsigned w = 0; w < block.warps; ++w) tally_warp(w);
}

void forget_statements() { std::fill(positions, positions + block.threads, Position{}); }

void at_statement(int site, int unit) {
  own().site = static_cast<std::uint32_t>(site);
  if (unit >= 0) ++uol_statements::executed[unit];
}

void enter_loop() {
  Position& at = own();
  if (at.loops < most_loops) at.turns[at.loops] = 0;
  ++at.loops;
}

void next_turn() {
  Position& at = own();
  if (at.loops <= most_loops) ++at.turns[at.loops - 1];
}

void leave_loop() { --own().loops; }

}  // namespace uol_twin
