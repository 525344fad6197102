// The run as a whole.
#pragma once

namespace uol_twin {

extern bool checked;

// Turns crashes and the end of the time limit into findings.
void catch_signals(long timeout_ms);

}  // namespace uol_twin
