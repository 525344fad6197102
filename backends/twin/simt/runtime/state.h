// The machine that runs one block at a time: lanes (fibres), warps, the block, and the stamp of the running lane.
#pragma once

#include <cstdint>

#include "uol_glue.h"
#include "uol_twin.h"

namespace uol_twin {

constexpr int max_threads = 1024;
constexpr int warp_width = UOL_TWIN_WARP;

struct Warp;

// What the lanes of a warp carry out together: it is run once, when all have come, and finds what each gives in `Lane::part`.
typedef void (*Operation)(Warp& warp);

struct Lane {
  void* stack;  // where it goes on; null before its first instruction
  Index3 index;
  unsigned number;  // within the block
  unsigned lane;    // within the warp
  Warp* warp;
  std::uint64_t sent, received;  // of the shuffle that it takes part in
  int source;                    // the lane that the shuffle reads
  unsigned noted;                // shared accesses since the last barrier, see banks.h
  void* part;                    // of the operation that it takes part in
};

// Sets of lanes are bit masks.
struct Warp {
  Lane* lanes;
  std::uint64_t alive, ready, waiting;  // waiting: at a shuffle or warp barrier
  int site;                             // which one
  unsigned number, epoch;               // epoch: warp barriers passed in this block
  Operation operation;                  // that lanes wait at; null at a shuffle
};

struct Block {
  unsigned threads, warps;
  unsigned alive, arrived;    // lanes that have not left; lanes at the barrier
  int site;                   // which barrier
  std::uint64_t ready_warps;  // bit mask
  Lane lanes[max_threads];
  Warp warp[max_threads / warp_width + 1];
};
extern Block block;

// When an access happens, for the checker. A stamp is [interval:32 | warp epoch:16 | flags:6 | lane:10]; intervals
// count barriers and blocks over the whole run, so that stamps of later intervals are greater.
struct Clock {
  std::uint64_t stamp;         // of the running lane
  std::uint64_t interval;      // this interval's first stamp
  std::uint64_t block_first;   // the first stamp of this block
  std::uint64_t launch_first;  // the first stamp of this launch
};
extern Clock now;

constexpr std::uint64_t one_interval = 1ULL << 32;

extern Lane* running;  // null outside of kernels

struct Counts {
  std::uint64_t barriers, shuffles, blocks, launches;
};
extern Counts counts;

// All lanes of the running lane's warp carry out an operation together. `part` tells those of one line apart, 1 to 5.
void together(Operation operation, void* given, int line, int part);

// Runs one block of a launch: `call(args)` once in each lane.
void run_block(Index3 index, Index3 size, void (*call)(const Arg*), const Arg* args);

// The fibre stacks, guard pages included.
extern char* stacks_begin;
extern char* stacks_end;
void make_stacks();

// Writes results and report, and ends the process: after the last launch, or when a kernel cannot go on.
[[noreturn]] void finish();

}  // namespace uol_twin
