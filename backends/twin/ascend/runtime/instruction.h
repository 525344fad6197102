// One instruction in a pipe: every byte that it reads or writes goes through here and is checked on the way.
#pragma once
#include <cstdint>

#include "state.h"

namespace twin {

class Instruction {
 public:
  // `part`: of an instruction that is counted elsewhere.
  Instruction(pipe_t pipe, const char* name, Site site, bool part = false);

  // [offset, offset + bytes) from the start of a view. False: outside, a finding was made, the caller must not go on.
  bool inside(const Local& view, std::int64_t offset, std::int64_t bytes) const;
  // Marks and checks a read: hazards, and (unless `any`) that every byte was written before.
  bool reads(const Local& view, std::int64_t offset, std::int64_t bytes, bool any = false);
  // Marks and checks a write. Bytes that the card leaves undefined are written with `defined` false.
  bool writes(const Local& view, std::int64_t offset, std::int64_t bytes, bool defined = true);
  std::uint8_t* data(const Local& view, std::int64_t offset) const {
    return state.scratch(view.memory).data.data() + view.offset + offset;
  }
  std::uint8_t* written(const Local& view, std::int64_t offset) const {
    return state.scratch(view.memory).written.data() + view.offset + offset;
  }

  // Global memory; a null span is outside.
  Span reads(const Global& view, std::int64_t offset, std::int64_t bytes);
  Span writes(const Global& view, std::int64_t offset, std::int64_t bytes);
  // Writes `bytes` from `from`, or adds them as elements of the atomic type when an atomic mode is on.
  void store(const Global& view, std::int64_t offset, const std::uint8_t* from, std::int64_t bytes, Type type);

  bool aligned(const Local& view, std::int64_t alignment, const char* operand) const;
  bool in(const Local& view, Memory memory, const char* operand) const;
  void report_at(const char* kind, const char* message) const;

  // Accumulating Mmads of ten fractals and more follow each other without a barrier.
  void trust_own_pipe() { own_pipe_ordered_ = true; }
  // From now on, bytes that this very instruction wrote already may not be written again: its order within is undefined.
  void write_once() { write_once_ = true; }
  // It did so much.
  void count(std::int64_t amount) {
    if (issued_) issued_->amount += amount;
  }
  const char* name() const { return name_; }
  Site site() const { return site_; }

 private:
  void check(const Scratch& scratch, Cell& cell, std::int64_t byte, bool write) const;
  bool conflicts(int then, Clock clock) const;
  void report_hazard(const char* kind, const char* verb, const char* where, std::int64_t byte, int then, const char* did,
                     int line) const;
  void check_blocks(const Buffer& buffer, const GlobalCell& cell, std::int64_t byte, bool write, bool atomic) const;
  void check_pipes(const Buffer& buffer, const GlobalCell& cell, std::int64_t byte, bool write, bool atomic) const;
  void mark(Buffer& buffer, std::int64_t offset, std::int64_t bytes, bool write, bool atomic);

  pipe_t pipe_;
  const char* name_;
  Site site_;
  Clock clock_;
  bool own_pipe_ordered_ = false;
  bool write_once_ = false;
  Issued* issued_ = nullptr;
};

}  // namespace twin
