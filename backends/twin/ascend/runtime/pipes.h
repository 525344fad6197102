// The order of instructions: seven pipes that run on their own, vector clocks, flags and barriers.
#pragma once
#include <cstdint>

#include "ascend/machine.h"

namespace twin {

constexpr int pipe_count = 7;
using Clock = std::uint32_t;

const char* pipe_name(int pipe);

// Source and destination pipe of an event.
struct Ends {
  pipe_t source, destination;
};
Ends ends_of(AscendC::HardEvent event);
const char* event_name(AscendC::HardEvent event);

// known_[p].at[q]: the instructions of q, numbered from 1, that have completed before p starts its next one.
// A pipe starts its instructions in order but does not wait for them: known_[p].at[p] grows by barriers and flags only.
class Pipes {
 public:
  void reset();

  // Starts an instruction and gives its number. Scalar waits hold back all that is issued later, hence all pipes.
  Clock begin(pipe_t pipe);

  // Has instruction `clock` of pipe `then` completed before the present instruction of pipe `now` started?
  bool ordered(pipe_t now, int then, Clock clock) const {
    if (then == now && now == PIPE_S) return true;
    return known_[now].at[then] >= clock;
  }

  void set_flag(AscendC::HardEvent event, std::int32_t id, Site site);
  void wait_flag(AscendC::HardEvent event, std::int32_t id, Site site);
  void barrier(pipe_t pipe, Site site);

  // What a library function does inside: set and wait, with id 0, the first that FetchEventID finds free.
  void hand_over(AscendC::HardEvent event, const char* function, Site site);

  // TPipe's flags on an AIC core: M_MTE1 ids 0, 1 and 2 are set by TPipe::Init and waited for by TPipe::Destroy
  // (asc-devkit, impl/basic_api/kernel_tpipe_impl.h).
  void reserve(Site site);
  void release(Site site);

  // Findings for flags that are still set when a block ends.
  void finish();

 private:
  struct Known {
    Clock at[pipe_count] = {};
  };
  struct Flag {
    bool set = false;
    int line = 0;
    Known known;
    bool of_tpipe = false;
  };
  Known after(pipe_t pipe) const;
  void learn(pipe_t pipe, const Known& known);
  bool check_id(AscendC::HardEvent event, std::int32_t id, Site site) const;

  Clock issued_[pipe_count] = {};
  Known known_[pipe_count];
  Flag flags_[35][8];
};

}  // namespace twin
