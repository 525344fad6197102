// What every vector instruction checks before it computes: operands in UB, aligned, masks, overlap; and how it computes.
#pragma once
#include <cstdint>

#include "lanes.h"

namespace twin {

class Vector {
 public:
  // `chained`: a later repeat may read as src1 what an earlier one wrote, where one of the two repeat strides is 0 (Add, Sub,
  // Mul, Max, Min of half, float and int32_t accumulate that way; "general notes and constraints", address overlap).
  Vector(const char* name, Site site, bool chained = false) : instruction(PIPE_V, name, site), chained_(chained) {}

  // Checks dst and sources (null where there is none). False: do not compute.
  bool ready(const Lanes& lanes, Sizes sizes, const Local& dst, const Local* src0, const Local* src1);

  // Calls compute(dst bytes, src0 bytes, src1 bytes, lanes) for each run, once its bytes are checked and marked.
  // `accumulates`: dst is read too. Adds the lanes to `elements`.
  template <class F>
  void run(const Lanes& lanes, Sizes sizes, const Local& dst, const Local* src0, const Local* src1, bool accumulates,
           std::int64_t& elements, F&& compute) {
    ++state.counts.vector_instructions;
    each_run(lanes, sizes, [&](const Run& r) {
      if (stopped_) return;
      stopped_ = (src0 && !instruction.reads(*src0, r.src0, r.lanes * sizes.src0)) ||
                 (src1 && !instruction.reads(*src1, r.src1, r.lanes * sizes.src1)) ||
                 (accumulates && !instruction.reads(dst, r.dst, r.lanes * sizes.dst)) ||
                 !instruction.writes(dst, r.dst, r.lanes * sizes.dst);
      if (stopped_) return;
      elements += r.lanes;
      instruction.count(r.lanes);
      compute(instruction.data(dst, r.dst), src0 ? instruction.data(*src0, r.src0) : nullptr,
              src1 ? instruction.data(*src1, r.src1) : nullptr, r.lanes);
    });
  }

  Instruction instruction;

 private:
  bool operand(const Local& view, const char* which) const;
  void check_mask(const Lanes& lanes, int widest) const;
  void check_stride(const Lanes& lanes, int widest) const;
  void check_overlap(const Lanes& lanes, Sizes sizes, const Local& dst, const Local& src, bool second) const;
  bool chained_;
  bool stopped_ = false;
};

}  // namespace twin
