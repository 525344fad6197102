// Flags between pipes and barriers within one.
#pragma once
#include "machine.h"
#include "tensor.h"

namespace AscendC {

template <HardEvent event>
void SetFlag(int32_t eventID, Site site = Site::here()) {
  twin::set_flag(event, eventID, site);
}

template <HardEvent event>
void WaitFlag(int32_t eventID, Site site = Site::here()) {
  twin::wait_flag(event, eventID, site);
}

template <pipe_t pipe>
void PipeBarrier(Site site = Site::here()) {
  static_assert(pipe != PIPE_S, "the scalar pipe is in order by itself: PipeBarrier<PIPE_S> does not exist");
  twin::pipe_barrier(pipe, site);
}

}  // namespace AscendC
