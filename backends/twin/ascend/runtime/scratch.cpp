#include "scratch.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kinds.h"
#include "state.h"

namespace twin {
namespace {

// Uninitialised memory reads as this: NaN in f16, bf16 and f32, -1 in integers.
constexpr int poison = 0xff;

}  // namespace

Scratch::Scratch(const char* name, std::int64_t capacity, std::int64_t budget, std::int64_t alignment)
    : name(name),
      capacity(capacity),
      budget(budget),
      alignment(alignment),
      high(capacity),
      data(capacity),
      written(capacity),
      cells(capacity / cell_bytes),
      handovers(capacity / cell_bytes),
      most_refills(capacity / cell_bytes) {
  reset();
}

void Scratch::begin_launch() {
  reset();
  std::fill(most_refills.begin(), most_refills.end(), 0);
}

void Scratch::reset() {
  for (std::int64_t cell = 0; cell * cell_bytes < high; ++cell)
    most_refills[cell] = std::max(most_refills[cell], std::exchange(handovers[cell], {}).refills());
  std::memset(data.data(), poison, high);
  std::memset(written.data(), 0, high);
  std::fill(cells.begin(), cells.begin() + (high + cell_bytes - 1) / cell_bytes, Cell{});
  used = high = 0;
}

std::int64_t allocate(Memory memory, std::int64_t bytes, Site site) {
  Scratch& scratch = state.scratch(memory);
  const std::int64_t start = scratch.used;
  scratch.used += bytes;
  if (++state.buffers > 64) report(kind::capacity, site, "a TPipe has 64 buffers, this is number %d", state.buffers);
  if (bytes == 0) report(kind::capacity, site, "InitBuffer of 0 bytes");
  if (scratch.used > scratch.budget)
    report(kind::capacity, site, "%s: %lld bytes are allocated, kernels may use %lld of %lld", scratch.name,
           static_cast<long long>(scratch.used), static_cast<long long>(scratch.budget),
           static_cast<long long>(scratch.capacity));
  return start;
}

}  // namespace twin
