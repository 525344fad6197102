/* Runs the parallel loops of kernels on a pool of threads.

   A kernel built by LLVM hands every parallel loop to `uol_parallel_launch` as a function of a task number. The tasks are
   dealt out in contiguous runs, one a thread, so that neighbouring tasks share a cache; a thread that has finished its run
   takes tasks from the far end of another's. The caller works too, and waits for tasks, never for threads: one that sleeps,
   or whose core is taken, costs nothing but its help. A launch from within a task, or while another caller holds the pool,
   runs in the calling thread alone. Nothing is allocated by a launch.

   Where the process has an OpenMP runtime (`uol_share_openmp`), its threads do the work instead of ours: after a parallel
   region they spin for a while, and a second pool would find their cores taken. */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_THREADS 256
#define STACK_BYTES (4 << 20)
#define TASKS_PER_THREAD 32
#define SPINS_BEFORE_YIELD 256
#define YIELDS_BEFORE_SLEEP 400

typedef struct {
  void* sync_handle;
  int32_t num_task;
} uol_group;
typedef int (*uol_task)(int task, uol_group* group, void* data);

/* The tasks that a thread still has: first in the low half, one past the last in the high half. Whoever takes one may read
   `pool.task` and `pool.data`: they stay as they are until every task that was dealt out is done. */
typedef struct {
  _Alignas(64) _Atomic uint64_t tasks;
} uol_run;

static struct {
  uol_task task;
  void* data;
  uol_group group;
  uol_run runs[MAX_THREADS];
  _Alignas(64) _Atomic uint32_t generation;
  _Alignas(64) _Atomic int32_t pending;
  _Atomic int32_t failed;
  _Atomic int32_t sleepers;
  pthread_mutex_t owner, sleep_lock;
  pthread_cond_t wake;
  int threads;
  int started;
} pool = {.owner = PTHREAD_MUTEX_INITIALIZER, .sleep_lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local int inside_task;

/* Of the OpenMP runtime, by the interface that compilers use; null where there is none. In a forked child `parallel` is null. */
static struct {
  void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags); /* GOMP_parallel */
  int (*thread)(void);                                                                 /* omp_get_thread_num */
  int (*most)(void);                                                                   /* omp_get_max_threads */
} openmp;

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int take_first(uol_run* run) {
  uint64_t now = atomic_load_explicit(&run->tasks, memory_order_relaxed);
  for (;;) {
    const uint32_t first = (uint32_t)now, last = (uint32_t)(now >> 32);
    if (first >= last) return -1;
    if (atomic_compare_exchange_weak(&run->tasks, &now, ((uint64_t)last << 32) | (first + 1))) return (int)first;
  }
}

static int take_last(uol_run* run) {
  uint64_t now = atomic_load_explicit(&run->tasks, memory_order_relaxed);
  for (;;) {
    const uint32_t first = (uint32_t)now, last = (uint32_t)(now >> 32);
    if (first >= last) return -1;
    if (atomic_compare_exchange_weak(&run->tasks, &now, ((uint64_t)(last - 1) << 32) | first)) return (int)(last - 1);
  }
}

static void work(int thread) {
  int task, done = 0;
  inside_task = 1;
  for (int i = 0; i < pool.threads; ++i) {
    uol_run* run = &pool.runs[(thread + i) % pool.threads];
    for (; (task = i ? take_last(run) : take_first(run)) >= 0; ++done)
      if (pool.task(task, &pool.group, pool.data)) atomic_store(&pool.failed, 1);
  }
  inside_task = 0;
  if (done) atomic_fetch_sub_explicit(&pool.pending, done, memory_order_release);
}

/* Waits a little while in case the next launch is near, then sleeps. Yielding leaves the core to whoever needs it. */
static uint32_t next_generation(uint32_t seen) {
  uint32_t now;
  for (int i = 0; i < SPINS_BEFORE_YIELD + YIELDS_BEFORE_SLEEP; ++i) {
    if ((now = atomic_load_explicit(&pool.generation, memory_order_acquire)) != seen) return now;
    if (i < SPINS_BEFORE_YIELD)
      relax();
    else
      sched_yield();
  }
  pthread_mutex_lock(&pool.sleep_lock);
  atomic_fetch_add(&pool.sleepers, 1);
  while ((now = atomic_load(&pool.generation)) == seen) pthread_cond_wait(&pool.wake, &pool.sleep_lock);
  atomic_fetch_sub(&pool.sleepers, 1);
  pthread_mutex_unlock(&pool.sleep_lock);
  return now;
}

static void* worker(void* argument) {
  const int thread = (int)(intptr_t)argument;
  uint32_t seen = 0;
  for (;;) {
    seen = next_generation(seen);
    work(thread);
  }
  return NULL;
}

static void team_member(void* unused) {
  (void)unused;
  work(openmp.thread());
}

/* In a forked child the workers are gone, OpenMP's too, which would be waited for, and the locks are as they were. Workers of
   its own start with its first launch. */
static void after_fork(void) {
  openmp.parallel = NULL;
  pthread_mutex_init(&pool.owner, NULL);
  pthread_mutex_init(&pool.sleep_lock, NULL);
  pthread_cond_init(&pool.wake, NULL);
  atomic_store(&pool.generation, 0);
  atomic_store(&pool.pending, 0);
  atomic_store(&pool.sleepers, 0);
  pool.started = 0;
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, after_fork); }

static int default_threads(void) {
  const char* wanted = getenv("UOL_NUM_THREADS");
  if (wanted && atoi(wanted) > 0) return atoi(wanted);
#ifdef __linux__
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
  return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void start_workers(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  for (int thread = 1; thread < pool.threads; ++thread) {
    pthread_t handle;
    if (pthread_create(&handle, &attributes, worker, (void*)(intptr_t)thread)) {
      pool.threads = thread;
      break;
    }
  }
  pthread_attr_destroy(&attributes);
}

static void start(void) {
  if (pool.threads <= 0) pool.threads = default_threads();
  if (pool.threads < 1) pool.threads = 1;
  if (pool.threads > MAX_THREADS) pool.threads = MAX_THREADS;
  if (!openmp.parallel && openmp.most) { /* a child beside PyTorch: no more than it is given, one in a worker of a DataLoader */
    const int most = openmp.most();
    if (most >= 1 && most < pool.threads) pool.threads = most;
  }
  if (!openmp.parallel) start_workers();
  pool.started = 1;
}

/* Before the first launch: how many threads there are, the calling one included. Later calls change nothing. */
void uol_set_threads(int threads) {
  pthread_mutex_lock(&pool.owner);
  if (!pool.started) pool.threads = threads;
  pthread_mutex_unlock(&pool.owner);
}

/* From now on the tasks run on the threads of an OpenMP runtime: the addresses of its GOMP_parallel (null in a forked child,
   which has none of them), omp_get_thread_num and omp_get_max_threads. Workers that were started before go on sleeping. */
void uol_share_openmp(void* parallel, void* thread, void* most) {
  pthread_mutex_lock(&pool.owner);
  *(void**)&openmp.thread = thread;
  *(void**)&openmp.most = most;
  *(void**)&openmp.parallel = parallel;
  pthread_mutex_unlock(&pool.owner);
}

static void wake_workers(void) {
  atomic_fetch_add(&pool.generation, 1);
  if (atomic_load(&pool.sleepers) > 0) {
    pthread_mutex_lock(&pool.sleep_lock);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.sleep_lock);
  }
}

static int alone(uol_task task, void* data) {
  uol_group group = {NULL, 1};
  return task(0, &group, data);
}

int uol_parallel_launch(uol_task task, void* data, int num_task) {
  (void)num_task;
  if (inside_task || pthread_mutex_trylock(&pool.owner)) return alone(task, data);
  if (!pool.started) start();
  if (pool.threads == 1) {
    pthread_mutex_unlock(&pool.owner);
    return alone(task, data);
  }
  pool.task = task;
  pool.data = data;
  pool.group.num_task = pool.threads * TASKS_PER_THREAD;
  atomic_store(&pool.failed, 0);
  atomic_store(&pool.pending, pool.group.num_task);
  for (int i = 0; i < pool.threads; ++i)
    atomic_store_explicit(&pool.runs[i].tasks,
        ((uint64_t)((i + 1) * TASKS_PER_THREAD) << 32) | (uint64_t)(i * TASKS_PER_THREAD), memory_order_release);
  if (openmp.parallel) {
    openmp.parallel(team_member, NULL, (unsigned)pool.threads, 0);
  } else {
    wake_workers();
    work(0);
  }
  for (int i = 0; atomic_load_explicit(&pool.pending, memory_order_acquire) > 0; ++i) {
    if (i < SPINS_BEFORE_YIELD)
      relax();
    else
      sched_yield();
  }
  const int failed = atomic_load(&pool.failed);
  pthread_mutex_unlock(&pool.owner);
  return failed ? -1 : 0;
}
