// The memory that kernels may touch, and its shadow: global buffers, and the shared arrays of the running kernel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "uol_job.h"

namespace uol_twin {

// What the checker knows of one element: the stamps of its last write and last read (see Clock), with flags in a read.
struct Cell {
  std::uint64_t write, read;
};
constexpr std::uint64_t lane_mask = 0x3ff;
constexpr std::uint64_t epoch_mask = 0xffff0000;
constexpr std::uint64_t other_block_read = 1 << 13;  // another block of this launch has read it too
constexpr std::uint64_t other_lane_read = 1 << 14;   // so has another lane of the same warp, unordered with the last
constexpr std::uint64_t other_warp_read = 1 << 15;   // so has a lane of another warp, in this interval
constexpr std::uint64_t never_written = 0;           // by any kernel, in global memory

// The stamp of the last atomic addition to an element has flags, too. Elements that are never added to have no such stamp.
constexpr std::uint64_t other_block_added = 1 << 13;  // another block of this launch has added to it, too
constexpr std::uint64_t other_lane_added = 1 << 14;   // so has another lane of the same warp, in this epoch
constexpr std::uint64_t other_warp_added = 1 << 15;   // so has a lane of another warp, in this interval

struct Buffer {
  std::uintptr_t begin;
  std::size_t bytes;
  Cell* cells;          // one per element; none for an input, which nothing may write
  std::uint64_t* adds;  // one per element; none before the first addition
  unsigned element_shift;
  std::int64_t role;
  const char* name;
  std::size_t elements;
};

// Every buffer has a slot of address space of its own, so that an address names its buffer even when it is far outside.
// A buffer ends (but for less than 16 bytes, of a large input 64) where an inaccessible page begins, so that unchecked runs fault there.
constexpr unsigned slot_shift = 36;
extern std::uintptr_t arena_begin;
extern std::size_t arena_bytes;
extern Buffer* buffers;

// Makes the buffers of a job; inputs hold their bytes, results and workspaces poison (0xff).
void make_buffers(const uol_job::Job& job, bool checked);

// Shared memory has a cell a word of 4 bytes. A word that is accessed in smaller pieces is `split`: its four bytes then
// have a cell each. Words outside the running kernel's arrays are `foreign`.
constexpr std::uint64_t foreign = 0;
constexpr std::uint64_t unwritten = 1;  // any stamp of an earlier block
constexpr std::uint64_t split = ~0ULL;
constexpr std::uint64_t in_flight = ~1ULL;  // an asynchronous copy of the thread in `read` is on its way to it
extern std::uintptr_t shared_begin;
extern std::size_t shared_bytes;
extern Cell* shared_words;
extern Cell* shared_pieces;
extern std::uint64_t* shared_adds;  // one a word; none before the first addition

// An array in shared memory; dynamic ones have the size that the launch asks for.
struct SharedArray {
  const char* name;  // as the text has it
  std::uintptr_t begin;
  std::size_t bytes;
  bool dynamic;
};
// The array that an address is in or right behind, of all kernels; null when there is none.
const SharedArray* shared_array_near(std::uintptr_t address);

// Finds all shared arrays in the executable's symbol table.
void find_shared_arrays();
// Makes a kernel's arrays, poisoned, the accessible ones: those of the function itself and of its module's helpers.
// Gives the bytes of the static ones.
std::size_t open_shared(const char* kernel_symbol, const char* module_namespace, std::size_t dynamic_bytes);

// Zeroed pages that cost nothing until they are touched; ends the process when there are none.
void* reserve(std::size_t bytes, int access);

}  // namespace uol_twin
