// 32 banks, each four bytes wide; the words of a bank are served one after another, and lanes that want the same word
// are served together: CUDA C++ Best Practices Guide, "Shared Memory"; AMD APP SDK OpenCL Programming Guide, 6.2 (the
// LDS; a wave of 64 lanes goes in halves). 32 lanes go at once, fewer where each wants more than a word.
#include "banks.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "memory.h"

namespace uol_twin {

Note* notes;
std::uint64_t shared_transactions[2], shared_conflicts[2];

namespace {

constexpr unsigned banks = 32, bank_bytes = 4, lanes_at_once = 32;

// One lane's part of what a warp does at once.
struct Request {
  unsigned lane;
  std::uint32_t place;
};

unsigned bytes_of(std::uint32_t place) { return 1u << (place & 7); }
bool is_store(std::uint32_t place) { return place & 8; }
std::uint32_t offset_of(std::uint32_t place) { return place >> 4; }

// The most words that one bank has to give to lanes that are served at once.
unsigned passes(const Request* first, const Request* last) {
  std::uint32_t words[banks][lanes_at_once];
  unsigned depth[banks] = {}, most = 0;
  for (; first < last; ++first) {
    const std::uint32_t end = (offset_of(first->place) + bytes_of(first->place) - 1) / bank_bytes;
    for (std::uint32_t word = offset_of(first->place) / bank_bytes; word <= end; ++word) {
      const unsigned bank = word % banks;
      const auto* known = words[bank] + depth[bank];
      if (std::find(static_cast<const std::uint32_t*>(words[bank]), known, word) != known) continue;
      words[bank][depth[bank]++] = word;
      most = std::max(most, depth[bank]);
    }
  }
  return most;
}

// What a warp takes: transactions, and of these such as lanes that are served at once have beyond their first.
struct Taken {
  unsigned transactions, conflicts;
};

// Of the requests that a warp makes at one place, in the order of its lanes.
Taken taken_by(const Request* first, const Request* last) {
  const unsigned bytes = bytes_of(first->place), together = bytes > bank_bytes ? lanes_at_once * bank_bytes / bytes : lanes_at_once;
  Taken taken = {};
  while (first < last) {
    const Request* end = first;
    while (end < last && end->lane / together == first->lane / together) ++end;
    const unsigned needed = passes(first, end);
    taken.transactions += needed;
    taken.conflicts += needed - 1;
    first = end;
  }
  return taken;
}

void tally(bool store, Taken taken) {
  shared_transactions[store] += taken.transactions;
  shared_conflicts[store] += taken.conflicts;
}

// The last pattern of a place of the text: a loop moves it about as a whole, and its conflicts stay.
struct Pattern {
  std::uint32_t pc, head;
  unsigned lanes;
  Taken taken;
  std::uint32_t distance[warp_width];
};
Pattern patterns[512];

bool all_at_one_place(const Note* row, unsigned lanes) {
  std::uint32_t other = 0;
  for (unsigned lane = 0; lane < lanes; ++lane) other |= row[lane].pc ^ row[0].pc;
  return !other;
}

Taken taken_by_row(const Note* row, unsigned lanes) {
  std::uint32_t distance[warp_width] = {};
  for (unsigned lane = 0; lane < lanes; ++lane) distance[lane] = row[lane].place - row[0].place;
  const std::uint32_t head = row[0].place % 64;  // kind, size, and the byte within the word
  Pattern& known = patterns[(row[0].pc ^ row[0].pc >> 9) % 512];
  if (known.pc == row[0].pc && known.head == head && known.lanes == lanes && !std::memcmp(known.distance, distance, sizeof distance))
    return known.taken;
  Request requests[warp_width];
  for (unsigned lane = 0; lane < lanes; ++lane) requests[lane] = {lane, row[lane].place};
  known = {row[0].pc, head, lanes, taken_by(requests, requests + lanes), {}};
  std::memcpy(known.distance, distance, sizeof distance);
  return known.taken;
}

// Lanes that went different ways: the n-th accesses at a place of the text belong together.
void tally_apart(const Warp& warp, const Note* rows, unsigned lanes, unsigned from) {
  struct Apart {
    std::uint64_t access;
    Request request;
  };
  std::vector<Apart> all;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    std::unordered_map<std::uint32_t, std::uint32_t> times;
    for (unsigned n = from; n < warp.lanes[lane].noted; ++n) {
      const Note& note = rows[std::size_t{n} * warp_width + lane];
      all.push_back({std::uint64_t{note.pc} << 32 | times[note.pc]++, {lane, note.place}});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Apart& a, const Apart& b) { return a.access < b.access; });
  std::vector<Request> together;
  for (std::size_t i = 0; i < all.size(); ++i) {
    together.push_back(all[i].request);
    if (i + 1 < all.size() && all[i + 1].access == all[i].access) continue;
    tally(is_store(together[0].place), taken_by(together.data(), together.data() + together.size()));
    together.clear();
  }
}

void tally_warp(Warp& warp) {
  const unsigned lanes = std::min<unsigned>(warp_width, block.threads - warp.number * warp_width);
  unsigned least = most_notes, most = 0;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    least = std::min(least, warp.lanes[lane].noted);
    most = std::max(most, warp.lanes[lane].noted);
  }
  if (!most) return;
  const Note* rows = notes + std::size_t{warp.number} * most_notes * warp_width;
  unsigned n = 0;
  for (; n < least; ++n) {
    const Note* row = rows + std::size_t{n} * warp_width;
    if (!all_at_one_place(row, lanes)) break;
    tally(is_store(row[0].place), taken_by_row(row, lanes));
  }
  if (n < most) tally_apart(warp, rows, lanes, n);
  for (unsigned lane = 0; lane < lanes; ++lane) warp.lanes[lane].noted = 0;
}

}  // namespace

void make_notes() {
  constexpr std::size_t warps = max_threads / warp_width;
  notes = static_cast<Note*>(reserve(warps * most_notes * warp_width * sizeof(Note), PROT_READ | PROT_WRITE));
}

void tally_shared() {
  for (unsigned w = 0; w < block.warps; ++w) tally_warp(block.warp[w]);
}

}  // namespace uol_twin
