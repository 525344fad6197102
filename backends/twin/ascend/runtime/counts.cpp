#include "counts.h"

#include <string>
#include <unordered_map>

#include "uol_report.h"

namespace twin {
namespace {

std::unordered_map<std::string, Issued> primitives;

}  // namespace

Issued& issued(const char* primitive) { return primitives[primitive]; }

void write_counts(const Counts& c) {
  struct Row {
    const char* name;
    std::int64_t number;
  };
  const Row rows[] = {
      {"global_load_bytes", c.global_loads},
      {"global_store_bytes", c.global_stores},
      {"gm_ub_bytes", c.gm_ub},
      {"gm_l1_bytes", c.gm_l1},
      {"ub_gm_bytes", c.ub_gm},
      {"l0c_gm_bytes", c.l0c_gm},
      {"gm_ub_sectors", c.gm_ub_sectors},
      {"gm_l1_sectors", c.gm_l1_sectors},
      {"ub_gm_sectors", c.ub_gm_sectors},
      {"l0c_gm_sectors", c.l0c_gm_sectors},
      {"scalar_sectors", c.scalar_sectors},
      {"l1_l0a_bytes", c.l1_l0a},
      {"l1_l0b_bytes", c.l1_l0b},
      {"l1_bt_bytes", c.l1_bt},
      {"fill_bytes", c.fills},
      {"copies", c.copies},
      {"vector_instructions", c.vector_instructions},
      {"vector_add_elements", c.add},
      {"vector_mul_elements", c.mul},
      {"vector_div_elements", c.div},
      {"vector_transcendental_elements", c.transcendental},
      {"vector_compare_elements", c.compare},
      {"vector_select_elements", c.select},
      {"vector_cast_elements", c.cast},
      {"vector_move_elements", c.move},
      {"vector_reduce_elements", c.reduce},
      {"vector_bit_elements", c.bit},
      {"cube_macs", c.cube_macs},
      {"mmads", c.mmads},
      {"scalar_reads", c.scalar_reads},
      {"scalar_writes", c.scalar_writes},
      {"flags", c.flags},
      {"barriers", c.barriers},
      {"blocks", c.blocks},
      {"launches", c.launches},
  };
  for (const Row& row : rows) uol_report::count(row.name, row.number);
  for (int pipe = 0; pipe < pipe_count; ++pipe)
    uol_report::count((std::string("pipe_") + pipe_name(pipe) + "_instructions").c_str(), c.pipes[pipe]);
  for (const auto& [name, issued] : primitives) {
    uol_report::count(name.c_str(), issued.issues);
    uol_report::count((name + "_amount").c_str(), issued.amount);
  }
}

}  // namespace twin
