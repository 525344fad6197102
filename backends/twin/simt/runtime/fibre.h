// Fibres: stacks of their own and a context switch that saves what a call must preserve.
#pragma once

extern "C" void uol_switch(void** save, void* to);

namespace uol_twin {

// Makes a stack on which `uol_switch` starts `entry`; slot < max_threads.
void* fresh_stack(unsigned slot, void (*entry)());

}  // namespace uol_twin
