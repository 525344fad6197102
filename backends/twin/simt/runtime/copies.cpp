// A copy reads its source at once and arrives when its thread waits for its group; until then its bytes are poison, and what touches
// them is a finding. From then on they are as if the thread had written them: others may read them behind a barrier.
// Groups and waits: PTX ISA, cp.async.commit_group, cp.async.wait_group.
#include "copies.h"

#include <cstring>
#include <vector>

#include "check.h"
#include "main.h"
#include "memory.h"
#include "state.h"
#include "uol_report.h"
#include "uol_twin_matrix.h"

namespace uol_twin {
namespace {

struct Copy {
  void* to;
  unsigned bytes;
  long long group;
  unsigned char from[16];
};

// Of a thread: those on their way, the oldest first, and the number of its next group.
struct Queue {
  std::vector<Copy> copies;
  long long group;
};
Queue queues[max_threads];

Queue& own() { return queues[running->number]; }

bool is_shared(const void* at) { return reinterpret_cast<std::uintptr_t>(at) - shared_begin < shared_bytes; }

}  // namespace

void copy_async(void* to, const void* from, int bytes, bool valid) {
  const void* pc = __builtin_return_address(0);
  if (!is_shared(to) || (valid && is_shared(from))) {
    uol_report::add("wild-access", {0, pc}, "thread %u copies from %s to %s memory in the background; it can from global to shared",
                    running->number, is_shared(from) ? "shared" : "global", is_shared(to) ? "shared" : "global");
    finish();
  }
  if (checked) {
    if (valid) check_read(from, bytes, pc);
    check_write(to, bytes, pc);
  }
  Copy copy{to, static_cast<unsigned>(bytes), own().group, {}};
  if (valid) std::memcpy(copy.from, from, bytes);
  if (checked) mark_in_flight(to, bytes);
  std::memset(to, 0xff, bytes);
  own().copies.push_back(copy);
}

void commit_copies() { ++own().group; }

void wait_copies(int pending) {
  Queue& queue = own();
  auto copy = queue.copies.begin();
  for (; copy != queue.copies.end() && copy->group < queue.group - pending; ++copy) {
    std::memcpy(copy->to, copy->from, copy->bytes);
    if (checked) mark_arrived(copy->to, copy->bytes, false);
  }
  queue.copies.erase(queue.copies.begin(), copy);
}

void forget_copies() {
  for (Queue& queue : queues) {
    queue.group = 0;
    if (checked)
      for (const Copy& copy : queue.copies) mark_arrived(copy.to, copy.bytes, true);
    queue.copies.clear();
  }
}

}  // namespace uol_twin
