#include "cache.h"

#include <algorithm>
#include <cstring>

#include "instruction.h"
#include "kinds.h"

namespace twin {
namespace {

constexpr std::int64_t line_bytes = 64;
constexpr std::size_t most_lines = 32 * 1024 / line_bytes;

std::int64_t line_of(std::int64_t offset) { return offset / line_bytes * line_bytes; }

}  // namespace

// The latest lines first: scalar loops walk along one.
Cache::Line* Cache::find(const Buffer* buffer, std::int64_t offset) {
  const std::int64_t start = line_of(offset);
  const auto at = std::find_if(lines_.rbegin(), lines_.rend(),
                               [&](const Line& line) { return line.buffer == buffer && line.offset == start; });
  return at == lines_.rend() ? nullptr : &*at;
}

// A full cache forgets its oldest clean line. Dirty ones stay: when the card writes them back by itself is not known.
void Cache::make_room() {
  if (lines_.size() < most_lines) return;
  const auto oldest = std::find_if(lines_.begin(), lines_.end(), [](const Line& line) { return !line.dirty; });
  if (oldest != lines_.end()) lines_.erase(oldest);
}

Cache::Line& Cache::load(const Span& span) {
  if (Line* line = find(span.buffer, span.offset)) return *line;
  make_room();
  Line line{};
  line.buffer = span.buffer;
  line.offset = line_of(span.offset);
  line.bytes = std::min(line_bytes, span.buffer->bytes - line.offset);
  std::memcpy(line.copy, span.buffer->data + line.offset, line.bytes);
  std::memcpy(line.seen, line.copy, line.bytes);
  lines_.push_back(line);
  return lines_.back();
}

bool Cache::owns(const Span& span) {
  const Line* line = find(span.buffer, span.offset);
  return line && ((line->dirty >> (span.offset - line->offset)) & 1);
}

void Cache::read(const Span& span, void* value, int bytes, Site site) {
  Line& line = load(span);
  const std::int64_t at = span.offset - line.offset;
  if (!owns(span) && std::memcmp(line.seen + at, line.buffer->data + span.offset, bytes) != 0)
    report(kind::dcache_stale, site,
           "GetValue of %s+%lld gives what the data cache holds; memory has changed since: DataCacheCleanAndInvalid first",
           line.buffer->name, static_cast<long long>(span.offset));
  std::memcpy(value, line.copy + at, bytes);
}

void Cache::write(const Span& span, const void* value, int bytes, Site site) {
  Line& line = load(span);
  const std::int64_t at = span.offset - line.offset;
  std::memcpy(line.copy + at, value, bytes);
  for (int i = 0; i < bytes; ++i) line.dirty |= std::uint64_t{1} << (at + i);
  line.line = site.line;
}

// The whole line goes back, bytes that other cores may own included; only the bytes that were set become defined.
void Cache::write_back(Line& line, Site site) {
  Instruction instruction(PIPE_S, "DataCacheCleanAndInvalid", site);
  std::vector<std::uint8_t>& written = line.buffer->written;
  const std::int64_t element = line.buffer->element, first = line.offset / element;
  const std::vector<std::uint8_t> before(written.begin() + first,
                                         written.begin() + (line.offset + line.bytes - 1) / element + 1);
  const Span span = instruction.writes(state.global.view_of(*line.buffer), line.offset, line.bytes);
  if (!span.data) return;
  std::copy(before.begin(), before.end(), written.begin() + first);
  for (std::int64_t i = 0; i < line.bytes; ++i) {
    if ((line.dirty >> i) & 1) written[(line.offset + i) / element] = 1;
  }
  std::memcpy(span.data, line.copy, line.bytes);
}

void Cache::clean(const Buffer* buffer, std::int64_t offset, bool everything, bool to_memory, Site site) {
  const auto chosen = [&](const Line& line) { return everything || (line.buffer == buffer && line.offset == line_of(offset)); };
  for (Line& line : lines_) {
    if (chosen(line) && line.dirty && to_memory) write_back(line, site);
  }
  lines_.erase(std::remove_if(lines_.begin(), lines_.end(), chosen), lines_.end());
}

void Cache::finish() {
  for (const Line& line : lines_) {
    if (line.dirty)
      report(kind::dcache_dirty, Site(line.line),
             "SetValue on %s stays in the data cache: DataCacheCleanAndInvalid never follows", line.buffer->name);
  }
  lines_.clear();
}

}  // namespace twin
