// The twin's process: `twin JOB REPORT` runs the launches of a job, block after block, on one simulated core.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "ascend/launch.h"
#include "kinds.h"
#include "numbers.h"
#include "state.h"
#include "uol_job.h"

namespace twin {

State state;

void report_overflow(int64_t value, int bits, Site site) {
  report(kind::overflow, site, "%lld does not fit a field of %d bits: the card takes its low bits",
         static_cast<long long>(value), bits);
}

void declare_task(KernelMetaType type, Site site) {
  if (type != (state.cube ? KERNEL_TYPE_AIC_ONLY : KERNEL_TYPE_AIV_ONLY))
    report(kind::core, site, "KERNEL_TASK_TYPE_DEFAULT does not fit the launch, which is on %s cores",
           state.cube ? "AIC" : "AIV");
}
void declare_state() { state.has_state = true; }
void declare_pipe(Site site) {
  state.has_state = true;
  if (state.cube) state.pipes.reserve(site);
}
void destroy_pipe(Site site) {
  if (state.cube) state.pipes.release(site);
}
bool is_cube() { return state.cube; }
int64_t block_index() { return state.block; }
int64_t block_count() { return state.blocks; }
int64_t sub_block_index() { return 0; }

namespace {

const char* report_path;

void die(const char* kind, const char* what) {
  uol_report::add(kind, {state.line, nullptr}, "%s in block %d, after the instruction of this line", what, state.block);
  write_counts(state.counts);
  uol_report::write(report_path);
  _exit(0);
}

void on_signal(int number) {
  if (number == SIGPROF) die(kind::timeout, "the kernel ran beyond its time");
  die(kind::crash, number == SIGFPE ? "integer division by zero" : "the kernel crashed");
}

void watch(std::int64_t timeout_ms) {
  static std::uint8_t stack[64 * 1024];
  const stack_t alternate = {stack, 0, sizeof stack};
  sigaltstack(&alternate, nullptr);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPROF}) sigaction(number, &action, nullptr);
  const itimerval limit{{0, 0}, {timeout_ms / 1000, timeout_ms % 1000 * 1000}};
  setitimer(ITIMER_PROF, &limit, nullptr);
}

void begin_block(int block) {
  state.block = block;
  state.has_state = false;
  state.buffers = 0;
  state.atomic = false;
  state.pipes.reset();
  for (Scratch& memory : state.memories) memory.reset();
}

void end_block() {
  state.pipes.finish();
  state.cache.finish();
  if (state.atomic)
    report(kind::atomic, Site(state.atomic_line), "SetAtomicAdd is still on when the kernel ends: the next kernel adds too");
  ++state.counts.blocks;
}

// Runs of cells that were filled again equally often.
void report_refills(Scratch& memory) {
  memory.reset();
  const auto& refills = memory.most_refills;
  for (std::size_t begin = 0, end; begin < refills.size(); begin = end) {
    for (end = begin + 1; end < refills.size() && refills[end] == refills[begin];) ++end;
    if (refills[begin]) uol_report::refills(memory.name, begin * cell_bytes, end * cell_bytes, refills[begin]);
  }
}

void launch(const Kernel& kernel, int blocks, const std::vector<Argument>& arguments) {
  state.cube = std::strcmp(kernel.core, "aic") == 0;
  state.blocks = blocks;
  state.global.begin_launch();
  ++state.counts.launches;
  std::int64_t used[6] = {};
  for (Scratch& memory : state.memories) memory.begin_launch();
  for (int block = 0; block < blocks; ++block) {
    begin_block(block);
    kernel.run(arguments.data());
    end_block();
    for (int m = 0; m < 6; ++m) used[m] = std::max(used[m], state.memories[m].used);
  }
  for (int m = 0; m < 6; ++m) {
    if (used[m]) uol_report::size(state.memories[m].name, used[m]);
  }
  for (Scratch& memory : state.memories) report_refills(memory);
}

void run(const uol_job::Job& job) {
  state.checked = job.header->checked != 0;
  std::vector<std::unique_ptr<std::uint8_t[]>> workspaces;
  std::vector<std::uint8_t*> addresses;
  for (std::int64_t i = 0; i < job.header->buffers; ++i) {
    const uol_job::JobBuffer& buffer = job.buffers[i];
    const bool workspace = buffer.role == uol_job::WORKSPACE, input = buffer.role == uol_job::INPUT;
    if (workspace) workspaces.push_back(std::make_unique<std::uint8_t[]>(buffer.bytes));
    std::uint8_t* data = workspace ? workspaces.back().get() : reinterpret_cast<std::uint8_t*>(job.data(buffer));
    if (!input) std::memset(data, 0xff, buffer.bytes);
    addresses.push_back(
        state.global.add(Buffer{buffer.name, data, buffer.bytes, buffer.element_bytes, input, workspace, {}, {}}));
  }
  const Module& module = modules[job.header->module];
  for (std::int64_t i = 0; i < job.header->launches; ++i) {
    const uol_job::JobLaunch& record = job.launches[i];
    std::vector<Argument> arguments;
    for (std::int64_t a = record.first_arg; a < record.first_arg + record.args; ++a) {
      const uol_job::JobArg& arg = job.args[a];
      arguments.push_back({arg.buffer >= 0 ? addresses[arg.buffer] : nullptr, {arg.real, arg.integer}});
    }
    uol_report::begin_launch(static_cast<int>(i));
    launch(module.kernels[record.kernel], static_cast<int>(record.grid[0]), arguments);
  }
  if (state.checked) state.global.check_unwritten();
}

}  // namespace
}  // namespace twin

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: %s JOB REPORT\n", words[0]);
    return 2;
  }
  const uol_job::Job job = uol_job::open_job(words[1]);
  twin::report_path = words[2];
  twin::watch(job.header->timeout_ms);
  twin::run(job);
  twin::write_counts(twin::state.counts);
  uol_report::write(words[2]);
  return 0;
}
