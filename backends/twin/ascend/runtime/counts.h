// What a run executed, by the names that the report gives.
#pragma once
#include <cstdint>

#include "pipes.h"

namespace twin {

// Of one primitive: how often it was issued, and how much it did in all (lanes; bytes of a copy; multiply-adds of Mmad).
struct Issued {
  std::int64_t issues = 0, amount = 0;
};

struct Counts {
  std::int64_t pipes[pipe_count] = {};  // instructions
  // Of 32 B of global memory; those of the scalar unit's reads that its cache does not have.
  std::int64_t gm_ub_sectors = 0, gm_l1_sectors = 0, ub_gm_sectors = 0, l0c_gm_sectors = 0, scalar_sectors = 0;
  std::int64_t gm_ub = 0, gm_l1 = 0, ub_gm = 0, l0c_gm = 0, l1_l0a = 0, l1_l0b = 0, l1_bt = 0, fills = 0;  // bytes
  std::int64_t copies = 0, vector_instructions = 0, cube_macs = 0, mmads = 0;
  std::int64_t scalar_reads = 0, scalar_writes = 0, flags = 0, barriers = 0, blocks = 0, launches = 0;
  // elements by class of vector instruction
  std::int64_t add = 0, mul = 0, div = 0, transcendental = 0, compare = 0, select = 0, cast = 0, move = 0, reduce = 0, bit = 0;
  std::int64_t global_loads = 0, global_stores = 0;  // bytes of scalar accesses included
};

// What is counted of a primitive; it stays where it is.
Issued& issued(const char* primitive);

void write_counts(const Counts& counts);

}  // namespace twin
