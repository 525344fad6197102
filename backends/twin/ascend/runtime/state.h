// The one machine that a process simulates: the core that is running, its memories, and global memory.
#pragma once
#include <cstdint>

#include "cache.h"
#include "counts.h"
#include "global.h"
#include "pipes.h"
#include "scratch.h"
#include "uol_report.h"

namespace twin {

struct State {
  bool checked = true;  // hazards, initialisation and races are watched
  bool cube = false;    // an AIC core, else an AIV core
  int block = 0;
  int blocks = 1;
  int line = 0;            // of the last instruction
  int buffers = 0;         // of the TPipe
  bool has_state = false;  // a TPipe exists or InitSocState was called

  Pipes pipes;
  // Sizes: NPU architecture 2201. 256 B at the end of UB and L1 are the framework's, and 8 KiB of UB from 184 KiB on serve
  // the library's temporaries.
  Scratch memories[6] = {
      {"UB", 192 * 1024, 184 * 1024 - 256, 32}, {"L1", 512 * 1024, 512 * 1024 - 256, 32}, {"L0A", 64 * 1024, 64 * 1024, 512},
      {"L0B", 64 * 1024, 64 * 1024, 512},       {"L0C", 128 * 1024, 128 * 1024, 64},      {"BT", 1024, 1024, 64},
  };
  GlobalMemory global;
  Cache cache;
  Counts counts;
  bool atomic = false;
  Type atomic_type = Type::f32;
  int atomic_line = 0;

  Scratch& scratch(Memory memory) { return memories[static_cast<int>(memory)]; }
};

extern State state;

// Adds a finding at a line of the emitted text.
template <class... Args>
void report(const char* kind, Site site, const char* format, Args... args) {
  uol_report::add(kind, {site.line, nullptr}, format, args...);
}

}  // namespace twin
