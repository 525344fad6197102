// What a CUDA or HIP text needs to be C++ for the host: qualifiers, built-in variables, barriers and shuffles.
// Lean on purpose: it includes no header, for every compiled text would pay for it.
#pragma once

#ifndef UOL_TWIN_WARP
#error "UOL_TWIN_WARP, the lanes of a warp, comes from the command line"
#endif

// Kernels stand in a section of their own, so that a signal handler can tell their code from the runtime's, and are
// never inlined: their callers are not checked. Shared memory is thread-local: the one storage class that a block-scope
// declaration may have with and without `extern`, and one range of addresses. (`constinit`: no guard variables.)
// Arrays begin at multiples of 128 KiB, more than a text may declare: what runs over an end does not meet the next array.
#define __global__ __attribute__((noinline, section("uol_text")))
#define __device__
#define __host__
#define __constant__ const
#define __shared__ __attribute__((aligned(131072))) constinit thread_local
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

namespace uol_twin {

struct Index3 {
  unsigned x, y, z;
};

// Where the running thread is. The runtime writes it, texts read it through `hidden`.
struct View {
  const Index3* thread;
  Index3 block, block_size, grid_size;
};
extern View view;

// A read that the checks do not see, for it is not one of the kernel's: the sanitizer does not look into asm.
inline __attribute__((always_inline)) unsigned hidden(const unsigned& place) {
  unsigned value;
  asm("movl %1, %0" : "=r"(value) : "m"(place));
  return value;
}
inline __attribute__((always_inline)) Index3 hidden(const Index3& index) {
  return {hidden(index.x), hidden(index.y), hidden(index.z)};
}
inline __attribute__((always_inline)) Index3 thread_index() {
  const Index3* thread;
  asm("movq %1, %0" : "=r"(thread) : "m"(view.thread));
  return hidden(*thread);
}

// All threads of a block wait for each other. A barrier is known by its line: compilers duplicate and merge calls.
// `part` tells the barriers of one library call apart.
void barrier(int line, int part);
// All lanes of a warp wait for each other, and their memory accesses are ordered.
void warp_barrier(int line);
// The `value` of the lane whose number differs by `mask`.
unsigned long long shuffle_xor(unsigned long long value, int mask, int line);
unsigned long long shuffle_up(unsigned long long value, int distance, int line);

// Where the running lane is in a text whose statements are counted: the driver adds the calls, see simt_marks.py. A statement has
// a number, and a unit that it is for, or -1 where only what it accesses counts; a loop's turns have numbers within it.
void at_statement(int site, int unit);
void enter_loop();
void next_turn();
void leave_loop();

// One access of 2, 4, 8 or 16 bytes, checked (in checked runs) with that alignment.
typedef unsigned long long Pair __attribute__((vector_size(16)));
unsigned short load2(const void* from);
unsigned load4(const void* from);
unsigned long long load8(const void* from);
Pair load16(const void* from);
void store2(void* to, unsigned short value);
void store4(void* to, unsigned value);
void store8(void* to, unsigned long long value);
void store16(void* to, Pair value);

// Elements that a thread has side by side. An index beyond them is a finding, and reads or writes the first.
void beyond(long long index, int count);
template <class T, int count> struct Array {
  T all[count];
  inline __attribute__((always_inline)) int place(long long index) const {
    if (index >= 0 && index < count) return static_cast<int>(index);
    beyond(index, count);
    return 0;
  }
  inline __attribute__((always_inline)) T& operator[](long long index) { return all[place(index)]; }
  inline __attribute__((always_inline)) const T& operator[](long long index) const { return all[place(index)]; }
};

// Addition to an element of memory that nobody else sees half done.
void add_at_once(float* to, float value);
void add_at_once(double* to, double value);
void add_at_once(int* to, int value);
void add_at_once(long long* to, long long value);

}  // namespace uol_twin

#define threadIdx (::uol_twin::thread_index())
#define blockIdx (::uol_twin::hidden(::uol_twin::view.block))
#define blockDim (::uol_twin::hidden(::uol_twin::view.block_size))
#define gridDim (::uol_twin::hidden(::uol_twin::view.grid_size))

inline __attribute__((always_inline)) void __syncthreads(int line = __builtin_LINE()) { uol_twin::barrier(line, 0); }
inline __attribute__((always_inline)) void __syncwarp(unsigned = ~0u, int line = __builtin_LINE()) {
  uol_twin::warp_barrier(line);
}

extern "C" {
float expf(float), logf(float), sqrtf(float), tanhf(float), erff(float), powf(float, float);
float exp2f(float), expm1f(float), log2f(float), log1pf(float);
float floorf(float), ceilf(float), rintf(float), fabsf(float), fmaf(float, float, float);
double exp(double), log(double), sqrt(double), tanh(double), erf(double), sin(double), cos(double), pow(double, double);
double exp2(double), expm1(double), log2(double), log1p(double);
double floor(double), ceil(double), rint(double), fabs(double), fma(double, double, double);
}
// CUDA and HIP have these, the C library does not.
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
