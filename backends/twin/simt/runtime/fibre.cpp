#include "fibre.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#include "state.h"

#ifndef __x86_64__
#error "the twin's context switch is written for x86-64"
#endif

// System V ABI: rbx, rbp, r12 to r15 and the stack pointer survive a call; all else is the caller's to save.
asm(R"(
.text
.globl uol_switch
.type uol_switch, @function
uol_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size uol_switch, .-uol_switch
)");

namespace uol_twin {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t slot_bytes = 64 * 1024;

}  // namespace

char* stacks_begin;
char* stacks_end;

// The lowest page of every slot stays inaccessible: a stack overflow faults. Pages cost nothing until they are touched.
void make_stacks() {
  const std::size_t bytes = slot_bytes * max_threads;
  void* map = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) {
    std::perror("fibre stacks");
    std::exit(2);
  }
  stacks_begin = static_cast<char*>(map);
  stacks_end = stacks_begin + bytes;
}

void* fresh_stack(unsigned slot, void (*entry)()) {
  static bool open[max_threads];
  char* low = stacks_begin + slot * slot_bytes;
  if (!open[slot]) {
    mprotect(low + page, slot_bytes - page, PROT_READ | PROT_WRITE);
    open[slot] = true;
  }
  // Tops at different offsets within their page, or all stacks would compete for the same few cache lines.
  char* top = low + slot_bytes - (slot * 320) % page;
  auto* word = reinterpret_cast<std::uint64_t*>(reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{63});
  *--word = 0;  // the return address of `entry`, which never returns; keeps the stack aligned as after a call
  *--word = reinterpret_cast<std::uint64_t>(entry);
  for (int saved = 0; saved < 6; ++saved) *--word = 0;
  return word;
}

StackRange stack_around(std::uintptr_t top) {
  const auto begin = reinterpret_cast<std::uintptr_t>(stacks_begin);
  if (top - begin >= static_cast<std::uintptr_t>(stacks_end - stacks_begin)) return {0, 0};
  const std::uintptr_t slot = begin + (top - begin) / slot_bytes * slot_bytes;
  const std::uintptr_t low = top < slot + page ? slot + page : top;
  return {low & ~std::uintptr_t{7}, slot + slot_bytes};
}

}  // namespace uol_twin
