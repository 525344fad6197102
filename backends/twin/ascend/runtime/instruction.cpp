#include "instruction.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kinds.h"
#include "numbers.h"

namespace twin {
namespace {

bool pipe_on_core(pipe_t pipe, bool cube) {
  switch (pipe) {
    case PIPE_V:
      return !cube;
    case PIPE_M:
    case PIPE_MTE1:
    case PIPE_FIX:
      return cube;
    default:
      return true;
  }
}

const char* core_name(bool cube) { return cube ? "AIC" : "AIV"; }

// Sectors of 32 bytes of global memory that a burst touches; buffers start at one.
std::int64_t sectors(std::int64_t offset, std::int64_t bytes) { return (offset + bytes - 1) / 32 - offset / 32 + 1; }

}  // namespace

Instruction::Instruction(pipe_t pipe, const char* name, Site site, bool part) : pipe_(pipe), name_(name), site_(site) {
  if (!part) {
    issued_ = &issued(name);
    ++issued_->issues;
    ++state.counts.pipes[pipe];
  }
  if (!pipe_on_core(pipe, state.cube))
    report(kind::core, site, "%s runs on pipe %s, which an %s core does not have", name, pipe_name(pipe),
           core_name(state.cube));
  if (!state.has_state) report(kind::no_init, site, "%s before a TPipe exists or InitSocState is called", name);
  state.line = site.line;
  clock_ = state.pipes.begin(pipe);
}

void Instruction::report_at(const char* kind, const char* message) const { report(kind, site_, "%s: %s", name_, message); }

bool Instruction::in(const Local& view, Memory memory, const char* operand) const {
  if (view.memory == memory) return true;
  report(kind::position, site_, "%s: %s lies in %s, must be in %s", name_, operand, state.scratch(view.memory).name,
         state.scratch(memory).name);
  return false;
}

bool Instruction::aligned(const Local& view, std::int64_t alignment, const char* operand) const {
  if (view.offset % alignment == 0) return true;
  report(kind::align, site_, "%s: %s at %s+%lld, must be a multiple of %lld bytes", name_, operand,
         state.scratch(view.memory).name, static_cast<long long>(view.offset), static_cast<long long>(alignment));
  return false;
}

bool Instruction::inside(const Local& view, std::int64_t offset, std::int64_t bytes) const {
  const Scratch& scratch = state.scratch(view.memory);
  const std::int64_t begin = view.offset + offset;
  if ((view.memory == Memory::ub) == state.cube)
    report(kind::core, site_, "%s: an %s core has no %s", name_, core_name(state.cube), scratch.name);
  if (bytes >= 0 && begin >= view.begin && begin + bytes <= view.end && begin >= 0 && begin + bytes <= scratch.capacity)
    return true;
  report(kind::bounds_local, site_, "%s touches %s+%lld .. +%lld, its tensor is +%lld .. +%lld of %lld bytes", name_,
         scratch.name, static_cast<long long>(begin), static_cast<long long>(begin + bytes), static_cast<long long>(view.begin),
         static_cast<long long>(view.end), static_cast<long long>(scratch.capacity));
  return false;
}

bool Instruction::conflicts(int then, Clock clock) const {
  if (clock == 0 || (then == pipe_ && (clock == clock_ || own_pipe_ordered_))) return false;
  return !state.pipes.ordered(pipe_, then, clock);
}

void Instruction::report_hazard(const char* kind, const char* verb, const char* where, std::int64_t byte, int then,
                                const char* did, int line) const {
  if (then == pipe_)
    report(kind, site_, "%s %s %s+%lld that pipe %s %s at line %d: no PipeBarrier<PIPE_%s> between", name_, verb, where,
           static_cast<long long>(byte), pipe_name(then), did, line, pipe_name(then));
  else
    report(kind, site_, "%s (pipe %s) %s %s+%lld that pipe %s %s at line %d: no %s_%s flag between", name_, pipe_name(pipe_),
           verb, where, static_cast<long long>(byte), pipe_name(then), did, line, pipe_name(then), pipe_name(pipe_));
}

void Instruction::check(const Scratch& scratch, Cell& cell, std::int64_t byte, bool write) const {
  if (conflicts(cell.writer, cell.write))
    report_hazard(write ? kind::hazard_waw : kind::hazard_raw, write ? "overwrites" : "reads", scratch.name, byte, cell.writer,
                  "wrote", cell.write_line);
  if (!write) return;
  for (int then = 0; then < pipe_count; ++then) {
    const bool in_place = then == pipe_ && cell.read[then] == clock_;
    if (conflicts(then, in_place ? cell.read_before : cell.read[then]))
      report_hazard(kind::hazard_war, "overwrites", scratch.name, byte, then, "reads", cell.read_line);
  }
}

bool Instruction::reads(const Local& view, std::int64_t offset, std::int64_t bytes, bool any) {
  if (!inside(view, offset, bytes)) return false;
  if (!state.checked || bytes == 0) return true;
  Scratch& scratch = state.scratch(view.memory);
  const std::int64_t begin = view.offset + offset, end = begin + bytes;
  scratch.touch(end);
  const void* hole = any ? nullptr : std::memchr(&scratch.written[begin], 0, bytes);
  if (hole)
    report(kind::uninit_local, site_, "%s reads %s+%lld, which nothing has written", name_, scratch.name,
           static_cast<long long>(static_cast<const std::uint8_t*>(hole) - scratch.written.data()));
  for (std::int64_t at = begin / cell_bytes; at * cell_bytes < end; ++at) {
    Cell& cell = scratch.cells[at];
    check(scratch, cell, at * cell_bytes, false);
    scratch.handovers[at].touch(static_cast<std::int8_t>(pipe_));
    if (cell.read[pipe_] != clock_) cell.read_before = std::exchange(cell.read[pipe_], clock_);
    cell.read_line = site_.line;
  }
  return true;
}

bool Instruction::writes(const Local& view, std::int64_t offset, std::int64_t bytes, bool defined) {
  if (!inside(view, offset, bytes)) return false;
  Scratch& scratch = state.scratch(view.memory);
  const std::int64_t begin = view.offset + offset, end = begin + bytes;
  scratch.touch(end);
  if (!state.checked || bytes == 0) return true;
  for (std::int64_t at = begin / cell_bytes; at * cell_bytes < end; ++at) {
    Cell& cell = scratch.cells[at];
    check(scratch, cell, at * cell_bytes, true);
    if (write_once_ && cell.writer == pipe_ && cell.write == clock_) report_at(kind::overlap, "writes a place twice");
    scratch.handovers[at].touch(static_cast<std::int8_t>(pipe_));
    cell = Cell{};
    cell.write = clock_;
    cell.writer = pipe_;
    cell.write_line = site_.line;
  }
  std::memset(&scratch.written[begin], defined, bytes);
  if (!defined) std::memset(&scratch.data[begin], 0xff, bytes);
  return true;
}

void Instruction::mark(Buffer& buffer, std::int64_t offset, std::int64_t bytes, bool write, bool atomic) {
  if (!state.checked || bytes == 0) return;
  const std::int64_t first = offset / buffer.element, last = (offset + bytes - 1) / buffer.element;
  for (std::int64_t i = first; i <= last; ++i) {
    GlobalCell& cell = buffer.cells[i];
    check_blocks(buffer, cell, i * buffer.element, write, atomic);
    check_pipes(buffer, cell, i * buffer.element, write, atomic);
    if (!write) {
      (pipe_ == PIPE_S ? cell.read_by_scalar : cell.read_by_copy) = clock_;
      cell.read_line = site_.line;
      const bool alone = cell.read_block == -1 || cell.read_block == state.block;
      cell.read_block = static_cast<std::int16_t>(alone ? state.block : -2);
      continue;
    }
    cell.write = clock_;
    cell.writer = pipe_;
    cell.write_line = site_.line;
    cell.write_block = static_cast<std::int16_t>(state.block);
    cell.atomic = atomic;
    buffer.written[i] = 1;
  }
}

// Two blocks of a launch run at the same time, whatever the order here.
void Instruction::check_blocks(const Buffer& buffer, const GlobalCell& cell, std::int64_t byte, bool write, bool atomic) const {
  const bool foreign_write = cell.write_block >= 0 && cell.write_block != state.block && !(atomic && cell.atomic);
  const bool foreign_read = write && cell.read_block != -1 && cell.read_block != state.block;
  if (!foreign_write && !foreign_read) return;
  report(kind::race_blocks, site_, "%s: block %d %s byte %lld of %s, which another block %s in the same launch", name_,
         state.block, write ? "writes" : "reads", static_cast<long long>(byte), buffer.name,
         foreign_write ? "writes" : "reads");
}

void Instruction::check_pipes(const Buffer& buffer, const GlobalCell& cell, std::int64_t byte, bool write, bool atomic) const {
  if (cell.write_block == state.block && conflicts(cell.writer, cell.write) && !(atomic && cell.atomic))
    report_hazard(write ? kind::hazard_waw : kind::hazard_raw, write ? "overwrites" : "reads", buffer.name, byte, cell.writer,
                  "wrote", cell.write_line);
  if (!write || cell.read_block != state.block) return;
  for (const auto& [pipe, clock] : {std::pair(PIPE_MTE2, cell.read_by_copy), std::pair(PIPE_S, cell.read_by_scalar)}) {
    if (conflicts(pipe, clock)) report_hazard(kind::hazard_war, "overwrites", buffer.name, byte, pipe, "reads", cell.read_line);
  }
}

Span Instruction::reads(const Global& view, std::int64_t offset, std::int64_t bytes) {
  const Span span = state.global.locate(view, offset, bytes, name_, site_);
  if (!span.data || bytes == 0) return span;
  state.counts.global_loads += bytes;
  if (pipe_ == PIPE_MTE2) (state.cube ? state.counts.gm_l1_sectors : state.counts.gm_ub_sectors) += sectors(span.offset, bytes);
  if (pipe_ == PIPE_S) state.counts.scalar_sectors += sectors(span.offset, bytes);
  if (!state.checked) return span;
  Buffer& buffer = *span.buffer;
  const std::int64_t first = span.offset / buffer.element, last = (span.offset + bytes - 1) / buffer.element;
  const void* hole = std::memchr(&buffer.written[first], 0, last - first + 1);
  if (hole)
    report(kind::uninit_global, site_, "%s reads %s+%lld bytes, which no kernel has written", name_, buffer.name,
           static_cast<long long>((static_cast<const std::uint8_t*>(hole) - buffer.written.data()) * buffer.element));
  mark(buffer, span.offset, bytes, false, false);
  return span;
}

Span Instruction::writes(const Global& view, std::int64_t offset, std::int64_t bytes) {
  Span span = state.global.locate(view, offset, bytes, name_, site_);
  if (!span.data || bytes == 0) return span;
  state.counts.global_stores += bytes;
  if (pipe_ == PIPE_MTE3) state.counts.ub_gm_sectors += sectors(span.offset, bytes);
  if (pipe_ == PIPE_FIX) state.counts.l0c_gm_sectors += sectors(span.offset, bytes);
  if (span.buffer->input) {
    report(kind::input_write, site_, "%s writes to the input %s", name_, span.buffer->name);
    return Span{};
  }
  mark(*span.buffer, span.offset, bytes, true, state.atomic && pipe_ != PIPE_S);
  return span;
}

void Instruction::store(const Global& view, std::int64_t offset, const std::uint8_t* from, std::int64_t bytes, Type type) {
  if (!state.atomic) {
    const Span span = writes(view, offset, bytes);
    if (span.data) std::memcpy(span.data, from, bytes);
    return;
  }
  if (type != state.atomic_type) report_at(kind::atomic, "SetAtomicAdd was given another type than the copy's");
  const Span before = state.global.locate(view, offset, bytes, name_, site_);
  if (!before.data || bytes == 0) return;
  const std::int64_t first = before.offset / before.buffer->element,
                     last = (before.offset + bytes - 1) / before.buffer->element;
  if (state.checked && std::memchr(&before.buffer->written[first], 0, last - first + 1))
    report(kind::uninit_global, site_, "%s adds to %s, which no kernel has written", name_, before.buffer->name);
  const Span span = writes(view, offset, bytes);
  if (span.data) add_elements(span.data, from, bytes, type);
}

}  // namespace twin
