/* Fills with a pattern what a kernel finds on its stack: below the frame of the caller, and of every task of a parallel loop. */
#include <stdint.h>
#include <string.h>

#define STACK_BYTES (128 << 10)

typedef struct {
  void* sync_handle;
  int32_t num_task;
} group_t;
typedef int (*task_t)(int task, group_t* group, void* data);
typedef int (*launch_t)(task_t task, void* data, int num_task);

typedef struct {
  task_t task;
  void* data;
} loop_t;

static launch_t real_launch;

void use_launch(void* launch) { *(void**)&real_launch = launch; }

/* All bits set is NaN in every type of floats, and -1 in integers. */
__attribute__((noinline)) void fill_stack(void) {
  char below[STACK_BYTES];
  memset(below, 0xff, sizeof below);
  __asm__ volatile("" : : "r"(below) : "memory");
}

static int on_filled_stack(int task, group_t* group, void* data) {
  loop_t* loop = data;
  fill_stack();
  return loop->task(task, group, loop->data);
}

int launch_on_filled_stacks(task_t task, void* data, int num_task) {
  loop_t loop = {task, data};
  return real_launch(on_filled_stack, &loop, num_task);
}
