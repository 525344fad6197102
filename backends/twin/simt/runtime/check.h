// What the checker offers the rest of the runtime.
#pragma once

#include <cstdint>

namespace uol_twin {

// Accesses by [is a store][log2 of bytes].
struct Traffic {
  std::uint64_t global[2][5], shared[2][5];
};
extern Traffic traffic;

// One access of 2, 4, 8 or 16 bytes, made by the code at `pc`.
void check_read(const void* pointer, unsigned bytes, const void* pc);
void check_write(const void* pointer, unsigned bytes, const void* pc);
// A read of 16 bytes for all lanes of a warp.
void check_row(const void* pointer, const void* pc);
// Bytes of shared memory, whole words, that a copy of the running lane is on its way to: nothing may touch them.
void mark_in_flight(const void* pointer, unsigned bytes);
// The copy has arrived, as far as the running lane can tell; with `forgotten` nobody has waited for it.
void mark_arrived(const void* pointer, unsigned bytes, bool forgotten);
// A read and a write in one, of 4 or 8 bytes, which others of its kind may be at at the same time.
void check_addition(const void* pointer, unsigned bytes, const void* pc);
// A read and a write in one, of 4 or 8 bytes, which others of its kind may be at at the same time.
void check_atomic(const void* pointer, unsigned bytes, const void* pc);

}  // namespace uol_twin
