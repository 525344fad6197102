// Asynchronous copies to shared memory.
#pragma once

namespace uol_twin {

// When a block begins: what the one before has not waited for never arrives.
void forget_copies();

}  // namespace uol_twin
