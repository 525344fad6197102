// How often the statements of a text are carried out, by the unit that they are for. The driver puts a mark before each of them
// where a run is counted (build.py); without marks nothing here costs anything.
// It includes nothing, for every compiled text would pay for it.
#pragma once

namespace uol_statements {

constexpr int units = 16;
// By the unit's place in the list of the kind (see `Marks` of kind.py).
extern unsigned long long executed[units];

// The sanitizer does not look into asm.
inline __attribute__((always_inline)) void at(int unit) { asm volatile("incq %0" : "+m"(executed[unit])); }

// Reports what was executed, by the unit's place.
void report();

}  // namespace uol_statements
