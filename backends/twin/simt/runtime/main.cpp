// `twin JOB REPORT`: runs the launches of a job file, writes the results into it, and the report beside it.
#include "main.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "banks.h"
#include "check.h"
#include "matrix_sums.h"
#include "memory.h"
#include "state.h"
#include "statements.h"
#include "uol_job.h"
#include "uol_report.h"

namespace uol_twin {

bool checked;

namespace {

uol_job::Job job;
const char* report_path;
bool complete;

void count_accesses(const char* number_name, const char* bytes_name, const std::uint64_t (&by_size)[5]) {
  std::int64_t number = 0, bytes = 0;
  for (int size = 0; size < 5; ++size) {
    number += static_cast<std::int64_t>(by_size[size]);
    bytes += static_cast<std::int64_t>(by_size[size]) << size;
  }
  uol_report::count(number_name, number);
  uol_report::count(bytes_name, bytes);
}

void report_counts() {
  if (checked) {
    count_accesses("global_loads", "global_load_bytes", traffic.global[false]);
    count_accesses("global_stores", "global_store_bytes", traffic.global[true]);
    count_accesses("shared_loads", "shared_load_bytes", traffic.shared[false]);
    count_accesses("shared_stores", "shared_store_bytes", traffic.shared[true]);
    uol_report::count("shared_load_transactions", static_cast<std::int64_t>(shared_transactions[false]));
    uol_report::count("shared_store_transactions", static_cast<std::int64_t>(shared_transactions[true]));
    uol_report::count("shared_load_conflicts", static_cast<std::int64_t>(shared_conflicts[false]));
    uol_report::count("shared_store_conflicts", static_cast<std::int64_t>(shared_conflicts[true]));
  }
  if (counted) {
    uol_report::count("global_load_sectors", static_cast<std::int64_t>(touched_sectors[false]));
    uol_report::count("global_store_sectors", static_cast<std::int64_t>(touched_sectors[true]));
    uol_report::count("missed_accesses", static_cast<std::int64_t>(missed_accesses));
    for (int unit = 0; unit < most_units; ++unit)
      uol_report::count(("statements " + std::to_string(unit)).c_str(), static_cast<std::int64_t>(executed_statements[unit]));
  }
  uol_report::count("barriers", static_cast<std::int64_t>(counts.barriers));
  for (int unit = 0; unit < matrix_units; ++unit)
    uol_report::count((std::string("matrix operations ") + unit_names[unit]).c_str(), static_cast<std::int64_t>(matrix_operations[unit]));
  uol_report::count("shuffles", static_cast<std::int64_t>(counts.shuffles));
  uol_report::count("blocks", static_cast<std::int64_t>(counts.blocks));
  uol_report::count("launches", static_cast<std::int64_t>(counts.launches));
}

bool has_arg(const uol_job::JobLaunch& launch, std::int64_t buffer) {
  for (const auto* arg = job.args + launch.first_arg; arg < job.args + launch.first_arg + launch.args; ++arg)
    if (arg->buffer == buffer) return true;
  return false;
}

void report_unwritten(const Buffer& buffer) {
  for (std::int64_t i = 0; i < job.header->launches; ++i)
    if (has_arg(job.launches[i], &buffer - buffers)) uol_report::begin_launch(static_cast<int>(i));
  std::size_t missing = 0, first = 0;
  for (std::size_t element = 0; element < buffer.elements; ++element) {
    if (buffer.cells[element].write != never_written) continue;
    if (!missing++) first = element;
  }
  if (missing)
    uol_report::add("unwritten-result", {0, nullptr}, "%zu of %zu elements of `%s` are never written, the first is %zu", missing,
                    buffer.elements, buffer.name, first);
}

void run_launch(const uol_job::JobLaunch& launch, const Module& module) {
  const Kernel& kernel = module.kernels[launch.kernel];
  std::vector<Arg> args;
  for (const auto* arg = job.args + launch.first_arg; arg < job.args + launch.first_arg + launch.args; ++arg)
    args.push_back({arg->buffer < 0 ? nullptr : reinterpret_cast<void*>(buffers[arg->buffer].begin), arg->real, arg->integer});
  const auto fixed = static_cast<std::int64_t>(open_shared(kernel.symbol, module.space, launch.shared_bytes));
  uol_report::size("static shared", fixed);
  uol_report::size("shared", fixed + launch.shared_bytes);
  const auto index = [](const std::int64_t(&from)[3]) {
    return Index3{static_cast<unsigned>(from[0]), static_cast<unsigned>(from[1]), static_cast<unsigned>(from[2])};
  };
  view.grid_size = index(launch.grid);
  view.block_size = index(launch.block);
  if (view.block_size.x * view.block_size.y * view.block_size.z > max_threads) {
    std::fprintf(stderr, "the twin runs at most %d threads a block\n", max_threads);
    std::exit(2);
  }
  if (launch.grid[0] * launch.grid[1] * launch.grid[2] > 0) ++counts.launches;  // hosts launch no empty grid
  now.launch_first = now.interval + one_interval;
  for (unsigned z = 0; z < view.grid_size.z; ++z)
    for (unsigned y = 0; y < view.grid_size.y; ++y)
      for (unsigned x = 0; x < view.grid_size.x; ++x) run_block({x, y, z}, view.block_size, kernel.call, args.data());
}

}  // namespace

void finish() {
  running = nullptr;
  for (std::int64_t i = 0; i < job.header->buffers; ++i) {
    if (job.buffers[i].role != uol_job::RESULT) continue;
    std::memcpy(job.data(job.buffers[i]), reinterpret_cast<const void*>(buffers[i].begin), buffers[i].bytes);
    if (complete && checked) report_unwritten(buffers[i]);
  }
  report_counts();
  uol_report::write(report_path);
  std::fflush(stdout);
  _exit(0);
}

}  // namespace uol_twin

int main(int argc, char** argv) {
  using namespace uol_twin;
  if (argc != 3) {
    std::fprintf(stderr, "usage: twin JOB REPORT\n");
    return 2;
  }
  job = uol_job::open_job(argv[1]);
  report_path = argv[2];
  checked = job.header->checked;
  counted = job.header->counted;
  make_buffers(job, checked);
  make_stacks();
  make_notes();
  make_touches();
  find_shared_arrays();
  catch_signals(job.header->timeout_ms);
  for (std::int64_t i = 0; i < job.header->launches; ++i) {
    uol_report::begin_launch(static_cast<int>(i));
    run_launch(job.launches[i], modules[job.header->module]);
  }
  complete = true;
  finish();
}
