// A crash or the end of the time limit: a finding at the kernel's line, then the report, then the end.
#include <csignal>
#include <cstdint>
#include <cstring>
#include <sys/time.h>
#include <ucontext.h>

#include "fibre.h"
#include "main.h"
#include "memory.h"
#include "state.h"
#include "uol_report.h"

extern "C" char __start_uol_text, __stop_uol_text;

namespace uol_twin {
namespace {

bool in_kernel(std::uintptr_t pc) {
  return pc >= reinterpret_cast<std::uintptr_t>(&__start_uol_text) && pc < reinterpret_cast<std::uintptr_t>(&__stop_uol_text);
}

// The kernel's return address: the program counter itself, else the innermost word of the stack that points into a kernel.
// (Return addresses are one instruction late; the driver takes one off.)
const void* kernel_pc(const ucontext_t* context) {
  const auto pc = static_cast<std::uintptr_t>(context->uc_mcontext.gregs[REG_RIP]);
  if (in_kernel(pc)) return reinterpret_cast<const void*>(pc + 1);
  const StackRange stack = stack_around(static_cast<std::uintptr_t>(context->uc_mcontext.gregs[REG_RSP]));
  for (std::uintptr_t word = stack.low; word < stack.high; word += 8) {
    const std::uintptr_t value = *reinterpret_cast<const std::uintptr_t*>(word);
    if (in_kernel(value)) return reinterpret_cast<const void*>(value);
  }
  return nullptr;
}

void add_crash(int signal, std::uintptr_t address, uol_report::Place place) {
  const unsigned thread = running ? running->number : 0;
  if (signal == SIGSEGV && address - reinterpret_cast<std::uintptr_t>(stacks_begin) <
                               static_cast<std::uintptr_t>(stacks_end - stacks_begin))
    return uol_report::add("crash", place, "thread %u overflows its stack", thread);
  if (signal == SIGSEGV && address - arena_begin < arena_bytes) {
    const Buffer& buffer = buffers[(address - arena_begin) >> slot_shift];
    if (!checked)  // the checker has said so already
      uol_report::add("out-of-bounds-global", place, "thread %u touches element %lld of `%s`, which has %zu", thread,
                      static_cast<long long>(address - buffer.begin) >> buffer.element_shift, buffer.name, buffer.elements);
    return;
  }
  uol_report::add("crash", place, "thread %u: %s, address %#llx", thread, strsignal(signal), static_cast<unsigned long long>(address));
}

void on_signal(int signal, siginfo_t* info, void* context) {
  const uol_report::Place place{0, kernel_pc(static_cast<const ucontext_t*>(context))};
  if (signal == SIGPROF) uol_report::add("timeout", place, "still running at the end of its time; thread %u is here", running ? running->number : 0);
  else add_crash(signal, reinterpret_cast<std::uintptr_t>(info->si_addr), place);
  finish();
}

}  // namespace

void catch_signals(long timeout_ms) {
  static char stack[64 * 1024];
  stack_t alternative{};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof stack;
  sigaltstack(&alternative, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
  constexpr int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPROF};
  for (const int signal : signals) sigaction(signal, &action, nullptr);
  // Processor time: what is endless uses it up, and a busy machine does not.
  const itimerval limit{{0, 0}, {timeout_ms / 1000, timeout_ms % 1000 * 1000}};
  setitimer(ITIMER_PROF, &limit, nullptr);
}

}  // namespace uol_twin
