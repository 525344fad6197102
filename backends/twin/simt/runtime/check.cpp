// The checker: every load and store of a checked text comes here, through the entry points that
// -fsanitize=thread calls. libtsan is never linked; these are the entry points.
#include "check.h"

#include <sys/mman.h>

#include "banks.h"
#include "memory.h"
#include "state.h"
#include "statements.h"
#include "uol_report.h"
#include "uol_twin_matrix.h"

extern "C" char __executable_start, end;

namespace uol_twin {

Traffic traffic;

namespace {

struct Access {
  std::uintptr_t address;
  unsigned bytes;
  bool write;
  const void* pc;
  bool addition = false;  // no race with others of its kind
  bool for_warp = false;  // what a lane reads goes to all lanes of its warp

  uol_report::Place place() const { return {0, pc}; }
};

unsigned lane_of(std::uint64_t stamp) { return stamp & lane_mask; }
bool same_warp(std::uint64_t a, std::uint64_t b) { return lane_of(a) / warp_width == lane_of(b) / warp_width; }
bool same_epoch(std::uint64_t a, std::uint64_t b) { return ((a ^ b) & epoch_mask) == 0; }

// Two accesses of one interval by different lanes are ordered only by a warp barrier between them.
bool unordered_with_write(std::uint64_t write, bool for_warp = false) {
  if (lane_of(write) == lane_of(now.stamp) && !for_warp) return false;
  return !same_warp(write, now.stamp) || same_epoch(write, now.stamp);
}
bool unordered_with_reads(std::uint64_t read) {
  if (read & other_warp_read || !same_warp(read, now.stamp)) return true;
  return same_epoch(read, now.stamp) && (read & other_lane_read || lane_of(read) != lane_of(now.stamp));
}

[[gnu::cold, gnu::noinline]] void report_race(const Access& access, const char* kind, std::uint64_t other) {
  uol_report::add(kind, access.place(), "thread %u %s what thread %u %s, with no barrier between", running->number,
                  access.write ? "writes" : "reads", lane_of(other), kind[5] == 'w' ? "wrote" : "read");
}

// Notes a read in this interval beside earlier ones of the same interval.
void merge_read(Cell& cell) {
  const std::uint64_t read = cell.read;
  if (read & other_warp_read || read == now.stamp) return;
  std::uint64_t flags = read & other_block_read;
  if (!same_warp(read, now.stamp)) flags |= other_warp_read;
  else if (same_epoch(read, now.stamp)) flags |= (read & other_lane_read) | (lane_of(read) != lane_of(now.stamp) ? other_lane_read : 0);
  cell.read = now.stamp | flags;
}

void check_interval(Cell& cell, const Access& access) {
  if (cell.write >= now.interval && unordered_with_write(cell.write, access.for_warp)) report_race(access, access.write ? "race-ww" : "race-wr", cell.write);
  if (access.write && cell.read >= now.interval && unordered_with_reads(cell.read)) report_race(access, "race-rw", cell.read);
}

// Any other access to an element that has been added to.
void check_adds(std::uint64_t add, const Access& access) {
  if (add < now.interval) return;
  const bool other_lanes = add & other_lane_added && same_epoch(add, now.stamp);
  if (unordered_with_write(add) || add & other_warp_added || other_lanes) report_race(access, access.write ? "race-ww" : "race-wr", add);
}

// The stamp of an addition, with what is known of those before it.
std::uint64_t added(std::uint64_t before) {
  const std::uint64_t stamp = now.stamp;
  if (before < now.launch_first) return stamp;
  if (before < now.block_first) return stamp | other_block_added;
  std::uint64_t flags = before & other_block_added;
  if (before < now.interval) return stamp | flags;
  flags |= before & other_warp_added;
  if (!same_warp(before, stamp)) flags |= other_warp_added;
  else if (same_epoch(before, stamp)) flags |= (before & other_lane_added) | (lane_of(before) != lane_of(stamp) ? other_lane_added : 0);
  return stamp | flags;
}

// ---- shared memory

[[gnu::cold, gnu::noinline]] void report_foreign(const Access& access) {
  const SharedArray* array = shared_array_near(access.address);
  const char* what = access.write ? "writes" : "reads";
  if (!array) {
    uol_report::add("out-of-bounds-shared", access.place(), "thread %u %s before all shared arrays", running->number, what);
    return;
  }
  const unsigned long long offset = access.address - array->begin;
  if (array->dynamic && access.address < array->begin + array->bytes)
    uol_report::add("shared-too-small", access.place(), "thread %u %s byte %llu of `%s`, beyond the dynamic bytes of the launch",
                    running->number, what, offset, array->name);
  else
    uol_report::add("out-of-bounds-shared", access.place(), "thread %u %s byte %llu of `%s`, which has %zu", running->number, what, offset,
                    array->name, array->bytes);
}

[[gnu::cold, gnu::noinline]] void report_unwritten(const Access& access) {
  const SharedArray* array = shared_array_near(access.address);
  uol_report::add("uninitialised-shared", access.place(), "thread %u reads byte %llu of `%s`, which no thread of the block wrote",
                  running->number, static_cast<unsigned long long>(access.address - array->begin), array->name);
}

[[gnu::cold, gnu::noinline]] void report_in_flight(const Cell& cell, const Access& access) {
  uol_report::add("copy-in-flight", access.place(), "thread %u %s what a copy of thread %llu is on its way to", running->number,
                  access.write ? "writes" : "reads", static_cast<unsigned long long>(cell.read));
}

void shared_write(Cell& cell, const Access& access) {
  if (cell.write - 1 < now.interval - 1 && cell.read < now.interval) [[likely]] {
    cell.write = now.stamp;
    return;
  }
  if (cell.write == foreign) return report_foreign(access);
  if (cell.write == in_flight) return report_in_flight(cell, access);
  check_interval(cell, access);
  cell.write = now.stamp;
}

void shared_read(Cell& cell, const Access& access) {
  if (cell.write - now.block_first >= now.interval - now.block_first) [[unlikely]] {
    if (cell.write == foreign) return report_foreign(access);
    if (cell.write == in_flight) return report_in_flight(cell, access);
    if (cell.write < now.block_first) return report_unwritten(access);
    check_interval(cell, access);
  }
  if (cell.read < now.interval) cell.read = now.stamp;
  else merge_read(cell);
}

// The stamp of the addition is the word's; here is what else has been done to a cell.
void shared_addition(Cell& cell, const Access& access) {
  if (cell.write == foreign) return report_foreign(access);
  if (cell.write == in_flight) return report_in_flight(cell, access);
  if (cell.write < now.block_first) report_unwritten(access);
  check_interval(cell, access);
}

void shared_cell(Cell& cell, const Access& access) {
  if (access.addition) shared_addition(cell, access);
  else if (access.write) shared_write(cell, access);
  else shared_read(cell, access);
}

// From now on the four bytes of a word have a cell each.
void split_word(std::size_t word) {
  for (std::size_t piece = word * 4; piece < word * 4 + 4; ++piece) shared_pieces[piece] = shared_words[word];
  shared_words[word].write = split;
}

void shared_small(std::size_t offset, unsigned bytes, const Access& access) {
  const std::size_t last = offset + bytes;
  if (shared_words[offset >> 2].write != split) split_word(offset >> 2);
  for (; offset < last; ++offset) {
    if (offset % 4 == 0 && shared_words[offset >> 2].write != split) split_word(offset >> 2);
    shared_cell(shared_pieces[offset], access);
  }
}

[[gnu::noinline]] void shared_adds_of(std::size_t offset, const Access& access) {
  if (!shared_adds) shared_adds = static_cast<std::uint64_t*>(reserve(shared_bytes / 4 * sizeof(std::uint64_t), PROT_READ | PROT_WRITE));
  for (std::size_t word = offset >> 2; word <= (offset + access.bytes - 1) >> 2; ++word) {
    if (access.addition) shared_adds[word] = added(shared_adds[word]);
    else check_adds(shared_adds[word], access);
  }
}

template <unsigned bytes> inline void shared_access(std::size_t offset, const Access& access) {
  if (access.addition || shared_adds) [[unlikely]] shared_adds_of(offset, access);
  if (bytes < 4 || offset % 4) return shared_small(offset, bytes, access);
  for (std::size_t word = offset >> 2; word < (offset + bytes) >> 2; ++word) {
    Cell& cell = shared_words[word];
    if (cell.write == split) shared_small(word * 4, 4, access);
    else shared_cell(cell, access);
  }
}

// ---- global memory

[[gnu::cold, gnu::noinline]] void report_global(const Access& access, const char* kind, const Buffer& buffer) {
  const long long offset = static_cast<long long>(access.address - buffer.begin);
  const long long element = offset >> buffer.element_shift;
  const char* what = access.write ? "writes" : "reads";
  if (!buffer.name)
    uol_report::add("wild-access", access.place(), "thread %u %s an address of no buffer", running->number, what);
  else if (kind[0] == 'o')
    uol_report::add(kind, access.place(), "block (%u, %u, %u), thread %u %s element %lld of `%s`, which has %zu", view.block.x, view.block.y,
                    view.block.z, running->number, what, element, buffer.name, buffer.elements);
  else
    uol_report::add(kind, access.place(), "block (%u, %u, %u), thread %u %s element %lld of `%s`", view.block.x, view.block.y, view.block.z,
                    running->number, what, element, buffer.name);
}

void global_write(Cell& cell, const Access& access, const Buffer& buffer) {
  if (cell.write >= now.launch_first || cell.read >= now.launch_first) [[unlikely]] {
    const bool written = cell.write >= now.launch_first && cell.write < now.block_first;
    const bool read = cell.read >= now.launch_first && (cell.read < now.block_first || cell.read & other_block_read);
    if (written || read) report_global(access, "race-blocks", buffer);
    check_interval(cell, access);
  }
  cell.write = now.stamp;
}

void global_read(Cell& cell, const Access& access, const Buffer& buffer) {
  if (cell.write == never_written) report_global(access, "uninitialised-global", buffer);
  else if (cell.write >= now.launch_first) {
    if (cell.write < now.block_first) report_global(access, "race-blocks", buffer);
    check_interval(cell, access);
  }
  if (cell.read >= now.interval) return merge_read(cell);
  const bool others = cell.read >= now.launch_first && (cell.read < now.block_first || cell.read & other_block_read);
  cell.read = now.stamp | (others ? other_block_read : 0);
}

void global_addition(Cell& cell, const Access& access, const Buffer& buffer) {
  if (cell.write == never_written) report_global(access, "uninitialised-global", buffer);
  const bool written = cell.write >= now.launch_first && cell.write < now.block_first;
  const bool read = cell.read >= now.launch_first && (cell.read < now.block_first || cell.read & other_block_read);
  if (written || read) report_global(access, "race-blocks", buffer);
  check_interval(cell, access);
}

[[gnu::noinline]] void global_adds_of(Buffer& buffer, std::size_t first, std::size_t last, const Access& access) {
  if (!buffer.adds) buffer.adds = static_cast<std::uint64_t*>(reserve(buffer.elements * sizeof(std::uint64_t), PROT_READ | PROT_WRITE));
  for (std::size_t element = first; element <= last; ++element) {
    std::uint64_t& add = buffer.adds[element];
    if (access.addition) {
      add = added(add);
      continue;
    }
    if (add >= now.launch_first && (add < now.block_first || add & other_block_added)) report_global(access, "race-blocks", buffer);
    check_adds(add, access);
  }
}

void global_access(const Access& access) {
  const std::size_t slot = (access.address - arena_begin) >> slot_shift;
  Buffer& buffer = buffers[slot];
  const std::size_t offset = access.address - buffer.begin;
  if (offset >= buffer.bytes || buffer.bytes - offset < access.bytes) [[unlikely]]
    return report_global(access, "out-of-bounds-global", buffer);
  if (counted) note_sector(slot, offset, access.write);
  if (buffer.role == uol_job::INPUT) {
    if (access.write) report_global(access, "input-write", buffer);
    return;
  }
  const std::size_t first = offset >> buffer.element_shift, last = (offset + access.bytes - 1) >> buffer.element_shift;
  if (access.addition || buffer.adds) [[unlikely]] global_adds_of(buffer, first, last, access);
  for (std::size_t element = first; element <= last; ++element) {
    if (access.addition) global_addition(buffer.cells[element], access, buffer);
    else if (access.write) global_write(buffer.cells[element], access, buffer);
    else global_read(buffer.cells[element], access, buffer);
  }
}

// ---- everything else

// A lane's own stack is its own business; tables of constants may be read; nothing else belongs to a kernel.
[[gnu::noinline]] void other_access(const Access& access) {
  const char* address = reinterpret_cast<const char*>(access.address);
  if (address >= stacks_begin && address < stacks_end) return;
  if (!access.write && address >= &__executable_start && address < &end) return;
  uol_report::add("wild-access", access.place(), "thread %u %s address %p, which is in no buffer and no shared array", running->number,
                  access.write ? "writes" : "reads", static_cast<const void*>(address));
}

[[gnu::cold, gnu::noinline]] void report_misaligned(const Access& access) {
  uol_report::add("misaligned", access.place(), "thread %u %s %u bytes at an address that is %u beyond a multiple of %u", running->number,
                  access.write ? "writes" : "reads", access.bytes, static_cast<unsigned>(access.address % access.bytes), access.bytes);
}

template <unsigned bytes, bool write, bool addition = false, bool for_warp = false> inline void check(const void* pointer, const void* pc) {
  const Access access{reinterpret_cast<std::uintptr_t>(pointer), bytes, write, pc, addition, for_warp};
  constexpr int size = __builtin_ctz(bytes);
  if (access.address - shared_begin < shared_bytes) {
    ++traffic.shared[write][size];
    note_shared(access.address - shared_begin, write, size, pc);
    if (access.address % bytes) [[unlikely]] report_misaligned(access);
    return shared_access<bytes>(access.address - shared_begin, access);
  }
  if (access.address - arena_begin < arena_bytes) {
    ++traffic.global[write][size];
    if (access.address % bytes) [[unlikely]] report_misaligned(access);
    return global_access(access);
  }
  other_access(access);
}

// A copy of a struct: no alignment is asked of it beyond that of its members.
void check_range(const void* pointer, std::size_t bytes, bool write, const void* pc) {
  const auto* at = static_cast<const char*>(pointer);
  const char* last = at + bytes;
  while (at < last) {
    const bool word = reinterpret_cast<std::uintptr_t>(at) % 4 == 0 && last - at >= 4;
    if (word && write) check<4, true>(at, pc);
    else if (word) check<4, false>(at, pc);
    else if (write) check<1, true>(at, pc);
    else check<1, false>(at, pc);
    at += word ? 4 : 1;
  }
}

}  // namespace

void check_read(const void* pointer, unsigned bytes, const void* pc) {
  if (bytes == 2) check<2, false>(pointer, pc);
  else if (bytes == 4) check<4, false>(pointer, pc);
  else if (bytes == 8) check<8, false>(pointer, pc);
  else check<16, false>(pointer, pc);
}

void check_write(const void* pointer, unsigned bytes, const void* pc) {
  if (bytes == 2) check<2, true>(pointer, pc);
  else if (bytes == 4) check<4, true>(pointer, pc);
  else if (bytes == 8) check<8, true>(pointer, pc);
  else check<16, true>(pointer, pc);
}

void check_addition(const void* pointer, unsigned bytes, const void* pc) {
  if (bytes == 4) check<4, true, true>(pointer, pc);
  else check<8, true, true>(pointer, pc);
}

void check_row(const void* pointer, const void* pc) { check<16, false, false, true>(pointer, pc); }

void mark_in_flight(const void* pointer, unsigned bytes) {
  const std::size_t offset = reinterpret_cast<std::uintptr_t>(pointer) - shared_begin;
  if (offset >= shared_bytes) return;
  for (std::size_t word = offset >> 2; word < (offset + bytes) >> 2; ++word)
    if (shared_words[word].write != foreign) shared_words[word] = {in_flight, running->number};
}

void mark_arrived(const void* pointer, unsigned bytes, bool forgotten) {
  const std::size_t offset = reinterpret_cast<std::uintptr_t>(pointer) - shared_begin;
  if (offset >= shared_bytes) return;
  for (std::size_t word = offset >> 2; word < (offset + bytes) >> 2; ++word)
    if (shared_words[word].write == in_flight) shared_words[word] = {forgotten ? unwritten : now.stamp, 0};
}

[[gnu::noinline]] void beyond(long long index, int count) {
  uol_report::add("out-of-bounds-index", {0, __builtin_return_address(0)}, "index %lld into %d elements side by side", index, count);
}
[[gnu::noinline]] void beyond_registers(unsigned long left, int bytes) {
  uol_report::add("out-of-bounds-index", {0, __builtin_return_address(0)}, "%d bytes of registers, where the array has %lu left", bytes, left);
}

}  // namespace uol_twin

#define UOL_ENTRY(bytes)                                                                                                        \
  void __tsan_read##bytes(void* p) { uol_twin::check<bytes, false>(p, __builtin_return_address(0)); }                           \
  void __tsan_write##bytes(void* p) { uol_twin::check<bytes, true>(p, __builtin_return_address(0)); }                           \
  void __tsan_unaligned_read##bytes(void* p) { uol_twin::check_range(p, bytes, false, __builtin_return_address(0)); }           \
  void __tsan_unaligned_write##bytes(void* p) { uol_twin::check_range(p, bytes, true, __builtin_return_address(0)); }

extern "C" {
UOL_ENTRY(1)
UOL_ENTRY(2)
UOL_ENTRY(4)
UOL_ENTRY(8)
UOL_ENTRY(16)
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_read_range(void* p, std::size_t bytes) { uol_twin::check_range(p, bytes, false, __builtin_return_address(0)); }
void __tsan_write_range(void* p, std::size_t bytes) { uol_twin::check_range(p, bytes, true, __builtin_return_address(0)); }

// What -fsanitize=bounds hands over: the place in the text, and the array's type.
struct BoundsType {
  std::uint16_t kind, info;
  char name[1];
};
struct BoundsData {
  const char* file;
  std::uint32_t line, column;
  BoundsType* array;
  BoundsType* index;
};
void __ubsan_handle_out_of_bounds(BoundsData* data, std::uintptr_t index) {
  uol_report::add("out-of-bounds-index", {0, __builtin_return_address(0)}, "index %lld into an array of type %s",
                  static_cast<long long>(static_cast<int>(index)), data->array->name);
}
}
