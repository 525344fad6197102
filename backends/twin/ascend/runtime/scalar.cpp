// Scalar access to UB and to global memory: pipe S.
#include <cstring>

#include "instruction.h"
#include "kinds.h"

namespace twin {
namespace {

bool reachable(const Instruction& instruction, const Local& view) {
  if (view.memory == Memory::ub) return true;
  report(kind::scalar_access, instruction.site(), "%s: the scalar unit cannot reach %s", instruction.name(),
         state.scratch(view.memory).name);
  return false;
}

}  // namespace

void scalar_read(Local from, void* value, int bytes, Site site) {
  Instruction instruction(PIPE_S, "GetValue", site);
  instruction.count(1);
  ++state.counts.scalar_reads;
  std::memset(value, 0xff, bytes);
  if (!reachable(instruction, from) || !instruction.reads(from, 0, bytes)) return;
  std::memcpy(value, instruction.data(from, 0), bytes);
}

void scalar_write(Local to, const void* value, int bytes, Site site) {
  Instruction instruction(PIPE_S, "SetValue", site);
  instruction.count(1);
  ++state.counts.scalar_writes;
  if (!reachable(instruction, to) || !instruction.writes(to, 0, bytes)) return;
  std::memcpy(instruction.data(to, 0), value, bytes);
}

void scalar_read(Global from, void* value, int bytes, Site site) {
  Instruction instruction(PIPE_S, "GetValue", site);
  instruction.count(1);
  ++state.counts.scalar_reads;
  std::memset(value, 0xff, bytes);
  const Span span = state.global.locate(from, 0, bytes, "GetValue", site);
  if (!span.data) return;
  if (!state.cache.owns(span)) instruction.reads(from, 0, bytes);
  state.cache.read(span, value, bytes, site);
}

void scalar_write(Global to, const void* value, int bytes, Site site) {
  Instruction instruction(PIPE_S, "SetValue", site);
  instruction.count(1);
  ++state.counts.scalar_writes;
  const Span span = state.global.locate(to, 0, bytes, "SetValue", site);
  if (!span.data) return;
  if (span.buffer->input) return instruction.report_at(kind::input_write, "writes to an input");
  state.cache.write(span, value, bytes, site);
}

void clean_cache(Global line, bool whole_cache, bool to_memory, Site site) {
  const Span span = state.global.locate(line, 0, 1, "DataCacheCleanAndInvalid", site);
  if (span.data || whole_cache) state.cache.clean(span.buffer, span.offset, whole_cache, to_memory, site);
}

}  // namespace twin
