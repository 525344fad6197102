// Fibres: stacks of their own and a context switch that saves what a call must preserve.
#pragma once

#include <cstdint>

extern "C" void uol_switch(void** save, void* to);

namespace uol_twin {

// Makes a stack on which `uol_switch` starts `entry`; slot < max_threads.
void* fresh_stack(unsigned slot, void (*entry)());

// The accessible part of a fibre's stack from the stack pointer `top` upwards; empty for an address in no fibre's stack.
struct StackRange {
  std::uintptr_t low, high;
};
StackRange stack_around(std::uintptr_t top);

}  // namespace uol_twin
