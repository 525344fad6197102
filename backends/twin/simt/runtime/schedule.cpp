// Runs the lanes of a block in turn, and what they wait for: barriers, warp barriers, shuffles.
#include "banks.h"
#include "copies.h"
#include "fibre.h"
#include "main.h"
#include "state.h"
#include "statements.h"
#include "uol_report.h"

namespace uol_twin {

View view;
Block block;
Clock now{0, 2 * one_interval, 0, 0};
Lane* running;
Counts counts;

namespace {

void (*kernel_call)(const Arg*);
const Arg* kernel_args;
void* main_stack;

// A waiting place: its line, and which of the barriers and shuffles of that line.
constexpr int parts = 8;
constexpr int xor_part = 0, up_part = 6, warp_barrier_part = 7;
constexpr int site_of(int line, int part) { return line * parts + part; }
constexpr int line_of(int site) { return site / parts; }
uol_report::Place place_of(int site) { return {line_of(site), nullptr}; }

constexpr std::uint64_t all_lanes = warp_width == 64 ? ~0ULL : (1ULL << warp_width % 64) - 1;
std::uint64_t bit(unsigned lane) { return 1ULL << lane; }
unsigned lowest(std::uint64_t set) { return static_cast<unsigned>(__builtin_ctzll(set)); }

void stamp_running() { now.stamp = now.interval | (static_cast<std::uint64_t>(running->warp->epoch & 0xffff) << 16) | running->number; }

void become(Lane* lane) {
  running = lane;
  view.thread = &lane->index;
  stamp_running();
}

void make_ready(Warp& warp, std::uint64_t lanes) {
  warp.ready |= lanes;
  block.ready_warps |= bit(warp.number);
}

void make_unready(Lane* lane) {
  Warp& warp = *lane->warp;
  warp.ready &= ~bit(lane->lane);
  if (!warp.ready) block.ready_warps &= ~bit(warp.number);
}

[[noreturn]] void report_deadlock() {
  for (unsigned w = 0; w < block.warps; ++w) {
    const Warp& warp = block.warp[w];
    if (!warp.waiting) continue;
    uol_report::add("deadlock", place_of(warp.site), "%d lanes of warp %u wait here for lanes that wait at the barrier of line %d",
                    __builtin_popcountll(warp.waiting), w, line_of(block.site));
  }
  finish();
}

// The lane to run next: the following one of the same warp, so that shuffles complete soon; null when all have left.
Lane* next_ready(const Lane* after) {
  const Warp& own = *after->warp;
  if (own.ready) {
    const std::uint64_t later = after->lane == 63 ? 0 : own.ready & (~0ULL << (after->lane + 1));
    return own.lanes + lowest(later ? later : own.ready);
  }
  if (block.ready_warps) {
    const Warp& other = block.warp[lowest(block.ready_warps)];
    return other.lanes + lowest(other.ready);
  }
  if (block.alive) report_deadlock();
  return nullptr;
}

void lane_main();

void* stack_of(Lane* lane) {
  if (!lane->stack) lane->stack = fresh_stack(lane->number, lane_main);
  return lane->stack;
}

void wait() {
  Lane* me = running;
  make_unready(me);
  Lane* next = next_ready(me);
  if (next == me) return;
  void* stack = stack_of(next);
  become(next);
  uol_switch(&me->stack, stack);
}

void tally() {
  if (checked) tally_shared();
  if (counted) tally_sectors();
}

void open_barrier() {
  if (block.alive < block.threads)
    uol_report::add("exit-before-barrier", place_of(block.site), "%u of %u threads have left the kernel before this barrier",
                    block.threads - block.alive, block.threads);
  block.arrived = 0;
  ++counts.barriers;
  tally();
  now.interval += one_interval;
  for (unsigned w = 0; w < block.warps; ++w)
    if (block.warp[w].alive) make_ready(block.warp[w], block.warp[w].alive);
}

void exchange_values(Warp& warp, std::uint64_t lanes) {
  for (std::uint64_t rest = lanes; rest; rest &= rest - 1) {
    Lane& lane = warp.lanes[lowest(rest)];
    const bool present = lane.source >= 0 && lane.source < warp_width && (lanes >> lane.source & 1);
    if (!present)
      uol_report::add("divergent-shuffle", place_of(warp.site), "lane %u reads lane %d, which has left or does not exist", lane.lane,
                      lane.source);
    lane.received = present ? warp.lanes[lane.source].sent : lane.sent;
  }
}

void carry_out(Warp& warp, std::uint64_t lanes) {
  if (lanes != all_lanes) {
    uol_report::add("divergent-matrix", place_of(warp.site), "%d of %d lanes of warp %u take part, and all must",
                    __builtin_popcountll(lanes), warp_width, warp.number);
    finish();
  }
  warp.operation(warp);
}

// Every lane of the warp that is alive has come.
void complete(Warp& warp) {
  const std::uint64_t lanes = warp.waiting;
  if (warp.operation) carry_out(warp, lanes);
  else exchange_values(warp, lanes);
  if (warp.site % parts == warp_barrier_part) ++warp.epoch;
  else if (!warp.operation) ++counts.shuffles;
  warp.waiting = 0;
  make_ready(warp, lanes);
}

// Lanes that are at different operations can be carried on no further.
[[noreturn]] void report_divergence(const Warp& warp, int site) {
  uol_report::add("divergent-matrix", place_of(site), "other lanes of warp %u wait at line %d", warp.number, line_of(warp.site));
  finish();
}

void meet_in_warp(int site, Operation operation = nullptr) {
  Lane* me = running;
  Warp& warp = *me->warp;
  if (!warp.waiting) warp.site = site, warp.operation = operation;
  else if (warp.operation != operation) report_divergence(warp, site);
  else if (warp.site != site)
    uol_report::add("divergent-shuffle", place_of(site), "other lanes of the warp wait at the shuffle of line %d", line_of(warp.site));
  warp.waiting |= bit(me->lane);
  if (warp.waiting != warp.alive) return wait();
  complete(warp);
  stamp_running();
}

// Sends a value and receives that of the lane `source`.
unsigned long long exchange(unsigned long long value, int source, int site) {
  Lane* me = running;
  me->sent = value;
  me->source = source;
  meet_in_warp(site);
  return me->received;
}

// A lane that leaves may be the last that the others waited for.
void leave(Lane* lane) {
  Warp& warp = *lane->warp;
  make_unready(lane);
  warp.alive &= ~bit(lane->lane);
  --block.alive;
  if (warp.waiting && warp.waiting == warp.alive) complete(warp);
  if (block.arrived && block.arrived == block.alive) open_barrier();
}

// The life of a fibre: its lane's kernel, and then the kernels of lanes that have not begun, on the same stack.
void lane_main() {
  for (;;) {
    kernel_call(kernel_args);
    Lane* me = running;
    leave(me);
    Lane* next = next_ready(me);
    void* discarded;
    if (!next) {
      uol_switch(&discarded, main_stack);
    } else if (next->stack) {
      become(next);
      uol_switch(&discarded, next->stack);
    } else {
      become(next);
    }
  }
}

void place_lanes(Index3 size) {
  block.threads = block.alive = size.x * size.y * size.z;
  block.warps = (block.threads + warp_width - 1) / warp_width;
  block.arrived = 0;
  block.ready_warps = 0;
  Index3 index{0, 0, 0};
  for (unsigned number = 0; number < block.threads; ++number) {
    Warp& warp = block.warp[number / warp_width];
    block.lanes[number] = {nullptr, index, number, number % warp_width, &warp, 0, 0, 0, 0, nullptr};
    if (++index.x < size.x) continue;
    index.x = 0;
    if (++index.y < size.y) continue;
    index.y = 0;
    ++index.z;
  }
  for (unsigned w = 0; w < block.warps; ++w) {
    const unsigned lanes = block.threads - w * warp_width < warp_width ? block.threads - w * warp_width : warp_width;
    const std::uint64_t all = lanes == 64 ? ~0ULL : bit(lanes) - 1;
    block.warp[w] = {block.lanes + w * warp_width, all, 0, 0, 0, w, 0, nullptr};
    make_ready(block.warp[w], all);
  }
}

}  // namespace

void barrier(int line, int part) {
  const int site = site_of(line, part);
  if (!block.arrived) block.site = site;
  else if (block.site != site)
    uol_report::add("divergent-barrier", place_of(site), "other threads of the block wait at the barrier of line %d", line_of(block.site));
  if (++block.arrived < block.alive) return wait();
  open_barrier();
  stamp_running();
}

void warp_barrier(int line) {
  running->source = static_cast<int>(running->lane);
  meet_in_warp(site_of(line, warp_barrier_part));
}

unsigned long long shuffle_xor(unsigned long long value, int mask, int line) {
  return exchange(value, static_cast<int>(running->lane) ^ mask, site_of(line, xor_part));
}

unsigned long long shuffle_up(unsigned long long value, int distance, int line) {
  const int lane = static_cast<int>(running->lane);
  return exchange(value, lane < distance ? lane : lane - distance, site_of(line, up_part));
}

void together(Operation operation, void* given, int line, int part) {
  running->part = given;
  meet_in_warp(site_of(line, part), operation);
}

void run_block(Index3 index, Index3 size, void (*call)(const Arg*), const Arg* args) {
  view.block = index;
  place_lanes(size);
  kernel_call = call;
  kernel_args = args;
  now.interval += one_interval;
  now.block_first = now.interval;
  ++counts.blocks;
  if (counted) forget_statements();
  forget_copies();
  Lane* first = block.lanes;
  void* stack = stack_of(first);
  become(first);
  uol_switch(&main_stack, stack);
  running = nullptr;
  tally();
}

}  // namespace uol_twin
