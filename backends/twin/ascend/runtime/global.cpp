#include "global.h"

#include <algorithm>

#include "kinds.h"
#include "state.h"

namespace twin {
namespace {

constexpr int spacing_bits = 40;

}  // namespace

std::uint8_t* GlobalMemory::add(Buffer buffer) {
  const std::int64_t elements = (buffer.bytes + buffer.element - 1) / buffer.element;
  buffer.written.assign(elements, buffer.input);
  buffer.cells.resize(state.checked ? elements : 0);
  buffers_.push_back(std::move(buffer));
  return reinterpret_cast<std::uint8_t*>(buffers_.size() << spacing_bits);
}

Global GlobalMemory::view_of(const Buffer& buffer) const {
  const std::uint64_t home = static_cast<std::uint64_t>(&buffer - buffers_.data()) + 1;
  std::uint8_t* begin = reinterpret_cast<std::uint8_t*>(home << spacing_bits);
  return {begin, begin, begin + buffer.bytes};
}

void GlobalMemory::begin_launch() {
  for (Buffer& buffer : buffers_) std::fill(buffer.cells.begin(), buffer.cells.end(), GlobalCell{});
}

Span GlobalMemory::locate(const Global& view, std::int64_t offset, std::int64_t bytes, const char* what, Site site) {
  const std::int64_t begin = reinterpret_cast<std::int64_t>(view.address) + offset;
  const std::int64_t home = reinterpret_cast<std::int64_t>(view.begin) >> spacing_bits;
  if (home < 1 || home > static_cast<std::int64_t>(buffers_.size())) {
    report(kind::bounds_global, site, "%s: no buffer there: SetGlobalBuffer was not given a kernel argument", what);
    return {};
  }
  Buffer& buffer = buffers_[home - 1];
  const std::int64_t inside = begin - (home << spacing_bits);
  if (inside < 0 || inside + bytes > buffer.bytes) {
    report(kind::bounds_global, site, "%s touches %s+%lld .. +%lld, the buffer has %lld bytes", what, buffer.name,
           static_cast<long long>(inside), static_cast<long long>(inside + bytes), static_cast<long long>(buffer.bytes));
    return {};
  }
  if (begin < reinterpret_cast<std::int64_t>(view.begin) || begin + bytes > reinterpret_cast<std::int64_t>(view.end)) {
    report(kind::bounds_global, site, "%s touches %s beyond the %lld bytes that SetGlobalBuffer was given", what, buffer.name,
           static_cast<long long>(view.end - view.begin));
    return {};
  }
  return {&buffer, buffer.data + inside, inside};
}

void GlobalMemory::check_unwritten() const {
  for (const Buffer& buffer : buffers_) {
    if (buffer.input) continue;
    const std::int64_t missing = std::count(buffer.written.begin(), buffer.written.end(), 0);
    if (missing && !buffer.workspace)
      report(kind::unwritten, Site(0), "%lld of %lld elements of %s were never written", static_cast<long long>(missing),
             static_cast<long long>(buffer.written.size()), buffer.name);
  }
}

}  // namespace twin
