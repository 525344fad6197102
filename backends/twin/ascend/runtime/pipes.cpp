#include "pipes.h"

#include <algorithm>

#include "kinds.h"
#include "state.h"

namespace twin {
namespace {

using Event = AscendC::HardEvent;

struct EventRow {
  const char* name;
  pipe_t source, destination;
  bool on_vector, on_cube;
};

// In the order of HardEvent. Which core has which event: HardEventAiv and HardEventAic in impl/basic_api/kernel_event.h.
constexpr EventRow events[] = {
    {"MTE2_MTE1", PIPE_MTE2, PIPE_MTE1, false, true},
    {"MTE1_MTE2", PIPE_MTE1, PIPE_MTE2, false, true},
    {"MTE1_M", PIPE_MTE1, PIPE_M, false, true},
    {"M_MTE1", PIPE_M, PIPE_MTE1, false, true},
    {"MTE2_V", PIPE_MTE2, PIPE_V, true, false},
    {"V_MTE2", PIPE_V, PIPE_MTE2, true, false},
    {"MTE3_V", PIPE_MTE3, PIPE_V, true, false},
    {"V_MTE3", PIPE_V, PIPE_MTE3, true, false},
    {"M_V", PIPE_M, PIPE_V, false, false},
    {"V_M", PIPE_V, PIPE_M, false, false},
    {"V_V", PIPE_V, PIPE_V, true, false},
    {"MTE3_MTE1", PIPE_MTE3, PIPE_MTE1, false, true},
    {"MTE1_MTE3", PIPE_MTE1, PIPE_MTE3, false, true},
    {"MTE1_V", PIPE_MTE1, PIPE_V, false, false},
    {"MTE2_M", PIPE_MTE2, PIPE_M, false, true},
    {"M_MTE2", PIPE_M, PIPE_MTE2, false, true},
    {"V_MTE1", PIPE_V, PIPE_MTE1, false, false},
    {"M_FIX", PIPE_M, PIPE_FIX, false, true},
    {"FIX_M", PIPE_FIX, PIPE_M, false, true},
    {"MTE3_MTE2", PIPE_MTE3, PIPE_MTE2, true, true},
    {"MTE2_MTE3", PIPE_MTE2, PIPE_MTE3, true, true},
    {"S_V", PIPE_S, PIPE_V, true, false},
    {"V_S", PIPE_V, PIPE_S, true, false},
    {"S_MTE2", PIPE_S, PIPE_MTE2, true, true},
    {"MTE2_S", PIPE_MTE2, PIPE_S, true, true},
    {"S_MTE3", PIPE_S, PIPE_MTE3, true, true},
    {"MTE3_S", PIPE_MTE3, PIPE_S, true, true},
    {"MTE2_FIX", PIPE_MTE2, PIPE_FIX, false, true},
    {"FIX_MTE2", PIPE_FIX, PIPE_MTE2, false, true},
    {"FIX_S", PIPE_FIX, PIPE_S, false, true},
    {"M_S", PIPE_M, PIPE_S, false, true},
    {"FIX_MTE3", PIPE_FIX, PIPE_MTE3, false, true},
    {"MTE1_FIX", PIPE_MTE1, PIPE_FIX, false, true},
    {"FIX_MTE1", PIPE_FIX, PIPE_MTE1, false, true},
    {"FIX_FIX", PIPE_FIX, PIPE_FIX, false, true},
};
static_assert(sizeof events / sizeof events[0] == static_cast<int>(Event::FIX_FIX) + 1);

const EventRow& row(Event event) { return events[static_cast<int>(event)]; }

constexpr int tpipe_ids = 3;
constexpr char tpipe_rule[] = "TPipe sets M_MTE1 ids 0, 1 and 2 when it is made and waits for them when it is destroyed: use ids 3 to 5";

}  // namespace

const char* pipe_name(int pipe) {
  constexpr const char* names[] = {"S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX", "ALL"};
  return names[pipe];
}
Ends ends_of(Event event) { return {row(event).source, row(event).destination}; }
const char* event_name(Event event) { return row(event).name; }

void Pipes::reset() { *this = Pipes(); }

Clock Pipes::begin(pipe_t pipe) {
  if (pipe != PIPE_S) learn(pipe, known_[PIPE_S]);
  return ++issued_[pipe];
}

// What is known to have completed once all instructions issued so far to `pipe` have.
Pipes::Known Pipes::after(pipe_t pipe) const {
  Known known = known_[pipe];
  if (pipe != PIPE_S) {
    for (int p = 0; p < pipe_count; ++p) known.at[p] = std::max(known.at[p], known_[PIPE_S].at[p]);
  }
  known.at[pipe] = issued_[pipe];
  return known;
}

void Pipes::learn(pipe_t pipe, const Known& known) {
  for (int p = 0; p < pipe_count; ++p) known_[pipe].at[p] = std::max(known_[pipe].at[p], known.at[p]);
}

bool Pipes::check_id(Event event, std::int32_t id, Site site) const {
  if (!(state.cube ? row(event).on_cube : row(event).on_vector))
    report(kind::flag_core, site, "%s does not exist on an %s core", row(event).name, state.cube ? "AIC" : "AIV");
  if (id < 0 || id > 7) {
    report(kind::flag_id, site, "%s id %d is outside 0..7", row(event).name, id);
    return false;
  }
  if (id > 5) report(kind::flag_id, site, "%s id %d is reserved for the system: use 0..5", row(event).name, id);
  return true;
}

void Pipes::set_flag(Event event, std::int32_t id, Site site) {
  if (!check_id(event, id, site)) return;
  Flag& flag = flags_[static_cast<int>(event)][id];
  if (flag.set && flag.of_tpipe)
    report(kind::flag_tpipe, site, "SetFlag<%s>(%d): %s", row(event).name, id, tpipe_rule);
  else if (flag.set)
    report(kind::flag_set_twice, site, "SetFlag<%s>(%d) while it is still set from line %d: undefined, may hang",
           row(event).name, id, flag.line);
  flag = {true, site.line, after(row(event).source), false};
  ++state.counts.flags;
}

void Pipes::wait_flag(Event event, std::int32_t id, Site site) {
  if (!check_id(event, id, site)) return;
  Flag& flag = flags_[static_cast<int>(event)][id];
  if (!flag.set) {
    report(kind::flag_wait_unset, site, "WaitFlag<%s>(%d) with no SetFlag before it: the core hangs", row(event).name, id);
    return;
  }
  if (flag.of_tpipe) report(kind::flag_tpipe, site, "WaitFlag<%s>(%d) of what it has not set: %s", row(event).name, id, tpipe_rule);
  flag.set = false;
  learn(row(event).destination, flag.known);
}

void Pipes::hand_over(Event event, const char* function, Site site) {
  Flag& flag = flags_[static_cast<int>(event)][0];
  if (flag.set)
    report(kind::flag_set_twice, site, "%s takes %s id 0 (FetchEventID), which is still set from line %d", function,
           row(event).name, flag.line);
  flag.set = false;
  learn(row(event).destination, after(row(event).source));
  ++state.counts.flags;
}

void Pipes::reserve(Site site) {
  for (int id = 0; id < tpipe_ids; ++id)
    flags_[static_cast<int>(Event::M_MTE1)][id] = {true, site.line, after(PIPE_M), true};
}

void Pipes::release(Site site) {
  for (int id = 0; id < tpipe_ids; ++id) {
    Flag& flag = flags_[static_cast<int>(Event::M_MTE1)][id];
    if (!flag.set)
      report(kind::flag_tpipe, site, "~TPipe waits for M_MTE1 id %d, which the kernel has taken: the core hangs; %s", id, tpipe_rule);
    flag.set = false;
  }
}

void Pipes::barrier(pipe_t pipe, Site site) {
  ++state.counts.barriers;
  const bool exists = pipe == PIPE_ALL || pipe == PIPE_MTE2 || pipe == PIPE_MTE3 || (pipe == PIPE_V) == !state.cube;
  if (!exists) report(kind::barrier, site, "PipeBarrier<PIPE_%s> on an %s core", pipe_name(pipe), state.cube ? "AIC" : "AIV");
  if (pipe != PIPE_ALL) {
    learn(pipe, after(pipe));
    return;
  }
  Known all;
  std::copy(issued_, issued_ + pipe_count, all.at);
  for (int p = 0; p < pipe_count; ++p) learn(static_cast<pipe_t>(p), all);
}

void Pipes::finish() {
  for (int event = 0; event < 35; ++event) {
    for (int id = 0; id < 8; ++id) {
      const Flag& flag = flags_[event][id];
      if (flag.set)
        report(kind::flag_leaked, Site(flag.line), "SetFlag<%s>(%d) is never waited for: it stays set for the next kernel",
               events[event].name, id);
    }
  }
}

void set_flag(Event event, std::int32_t id, Site site) {
  ++issued("SetFlag").issues;
  state.pipes.set_flag(event, id, site);
}

void wait_flag(Event event, std::int32_t id, Site site) {
  ++issued("WaitFlag").issues;
  state.pipes.wait_flag(event, id, site);
}

void pipe_barrier(pipe_t pipe, Site site) {
  ++issued("PipeBarrier").issues;
  state.pipes.barrier(pipe, site);
}

}  // namespace twin
