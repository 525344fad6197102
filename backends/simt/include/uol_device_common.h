// The device primitives of kernels emitted by uol that are the same on every machine with threads. `uol_device.h` includes
// it, having defined for its own machine:
//
//   UOL_DEVICE                                              the qualifiers of a function of the device
//   warp_width                                              lanes
//   to_bits from_bits f16_bits f16_value                    bit patterns, rounded to nearest even
//   UOL_CONVERTS_BF16 bf16_bits                             the same, where the machine has the instruction
//   block_barrier(line, part) warp_barrier()                `line` and `part` tell barriers apart in the checked twin
//   shuffle_xor(value, mask, line)                          the value of the lane whose number differs by `mask`
//   shuffle_up(value, distance, line)                       the value of the lane `distance` below; the own where there is none
//   add_at_once(to, value)                                  an addition to memory that others add to: float double int long long
//   UOL_ARRAY(type, name, count)                            `type name[count]`, where the machine looks at indices
//   load_whole<V>(from) store_whole(to, value)              one access of up to 16 bytes, at a multiple of its size
//
// It needs no header of a compiler: nvcc, NVRTC, hipcc and g++ know every name in it.
#pragma once

#include "uol_device_random.h"
#include "uol_device_storage.h"
#include "uol_device_trigonometry.h"

namespace uol {

UOL_DEVICE int thread_index() { return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z); }

// `n` elements in one access; the address is a multiple of n * sizeof(T), at most 16 bytes.
#ifndef UOL_ARRAY
#define UOL_ARRAY(type, name, count) type name[count]
#endif
template <class T, int n> struct alignas(sizeof(T) * n) Vector { UOL_ARRAY(T, at, n); };
template <int n, class T> UOL_DEVICE Vector<T, n> load_vector(const T* from) {
  static_assert(sizeof(T) * n <= 16, "at most 16 bytes");
  return load_whole<Vector<T, n>>(from);
}
template <int n, class T> UOL_DEVICE void store_vector(T* to, const Vector<T, n>& value) {
  static_assert(sizeof(T) * n <= 16, "at most 16 bytes");
  store_whole(to, value);
}

template <int n, class T> UOL_DEVICE Vector<T, n> filled_vector(T value) {
  Vector<T, n> all;
  for (int k = 0; k < n; ++k) all.at[k] = value;
  return all;
}
// `random_bits` of `counter`, which is even, and of those that follow: two of a block.
template <int n> UOL_DEVICE Vector<int, n> random_words(long long seed, long long counter) {
  Vector<int, n> words;
#pragma unroll
  for (int k = 0; k < n; k += 2) {
    const RandomBlock block = random_block(seed, (counter + k) >> 1);
    words.at[k] = block.first, words.at[k + 1] = block.second;
  }
  return words;
}
// Do all of these lie at multiples of 16 bytes?
template <class... T> UOL_DEVICE bool is_aligned(const T*... tensors) {
  return (... && (reinterpret_cast<unsigned long long>(tensors) % 16 == 0));
}
// Elements from element `at` on, in one access where `aligned`, which is so for all threads or none; else one by one.
template <int n, class T, class Index> UOL_DEVICE Vector<T, n> load_vector(const T* tensor, Index at, bool aligned) {
  if (aligned) return load_vector<n>(tensor + at);
  Vector<T, n> value;
  for (int k = 0; k < n; ++k) value.at[k] = tensor[at + k];
  return value;
}
template <int n, class T, class Index> UOL_DEVICE void store_vector(T* tensor, Index at, const Vector<T, n>& value, bool aligned) {
  if (aligned) return store_vector<n>(tensor + at, value);
  for (int k = 0; k < n; ++k) tensor[at + k] = value.at[k];
}

template <class A, class B> inline constexpr bool same = false;
template <class A> inline constexpr bool same<A, A> = true;
template <class T> inline constexpr bool is_real = same<T, float> || same<T, double>;
template <class T> inline constexpr bool is_narrow = same<T, f16> || same<T, bf16> || same<T, f8e4m3> || same<T, f8e5m2>;

template <class T> struct Limits;
template <> struct Limits<signed char> { static constexpr signed char low = -128, high = 127; };
template <> struct Limits<unsigned char> { static constexpr unsigned char low = 0, high = 255; };
template <> struct Limits<short> { static constexpr short low = -32768, high = 32767; };
template <> struct Limits<int> { static constexpr int low = -2147483647 - 1, high = 2147483647; };
template <> struct Limits<long long> {
  static constexpr long long low = -9223372036854775807LL - 1, high = 9223372036854775807LL;
};

template <class T> UOL_DEVICE T infinity() {
  if constexpr (same<T, double>) return from_bits(0x7ff0000000000000ULL);
  else return from_bits(0x7f800000u);
}
template <class T> UOL_DEVICE T nan() {
  if constexpr (same<T, double>) return from_bits(0x7ff8000000000000ULL);
  else return from_bits(0x7fc00000u);
}
// The least and greatest value of a type: what max and min start from.
template <class T> UOL_DEVICE T lowest() {
  if constexpr (is_real<T>) return -infinity<T>();
  else return Limits<T>::low;
}
template <class T> UOL_DEVICE T highest() {
  if constexpr (is_real<T>) return infinity<T>();
  else return Limits<T>::high;
}

// What keys are compared as: integers of any two types in 64 bits, narrow floats in float.
template <class T> UOL_DEVICE auto comparable(T key) {
  if constexpr (is_narrow<T>) return static_cast<float>(key);
  else if constexpr (is_real<T>) return key;
  else return (long long)key;
}

// How many of `count` keys in ascending order are less than `key`, with `or_equal` no more than it. Keys that are NaN come last,
// and none compares with NaN.
template <bool or_equal, class Index, class Key, class Value>
UOL_DEVICE Index keys_before(const Key* keys, Index stride, Index count, Value key) {
  const auto sought = comparable(key);
  Index low = 0, high = count;
  while (low < high) {
    const Index middle = low + (high - low) / 2;
    const auto found = comparable(keys[middle * stride]);
    if (or_equal ? found <= sought : found < sought) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Where the first key stands that is `key` or more; where the first that is more.
template <class Index, class Key, class Value>
UOL_DEVICE Index lower_bound(const Key* keys, Index stride, Index count, Value key) {
  return keys_before<false>(keys, stride, count, key);
}
template <class Index, class Key, class Value>
UOL_DEVICE Index upper_bound(const Key* keys, Index stride, Index count, Value key) {
  return keys_before<true>(keys, stride, count, key);
}

// tensor[at] += value, where other threads may add to the same element.
template <class T, class Index, class Value> UOL_DEVICE void atomic_add(T* tensor, Index at, Value value) {
  add_at_once(tensor + at, static_cast<T>(value));
}

// Float to integer: truncates, saturates, NaN gives 0.
template <class To, class From> UOL_DEVICE To saturate(From value) {
  constexpr To low = Limits<To>::low, high = Limits<To>::high;
  if (value != value) return 0;
  if (value <= static_cast<From>(low)) return low;
  if (value >= static_cast<From>(high)) return high;
  return static_cast<To>(value);
}

// The casts of the language: to a shorter float rounds to nearest even, float to integer saturates, integers wrap.
template <class To, class From> UOL_DEVICE To cast(From value) {
  if constexpr (same<To, From>) return value;
  else if constexpr (is_narrow<From>) return cast<To>(static_cast<float>(value));
  else if constexpr (same<To, bool>) return value != 0;
  else if constexpr (is_narrow<To> && is_real<From>) return To(value);
  else if constexpr (is_narrow<To>) return To(odd_float(static_cast<long long>(value)));
  else if constexpr (is_real<From> && !is_real<To>) return saturate<To>(value);
  else return static_cast<To>(value);
}

// NaN-propagating for floats: a comparison with NaN is false, so a NaN `b` falls through and a NaN `a` is asked for.
template <class T> UOL_DEVICE T max(T a, T b) { return (a > b || a != a) ? a : b; }
template <class T> UOL_DEVICE T min(T a, T b) { return (a < b || a != a) ? a : b; }

// Floored division; by zero gives 0; the one overflow (lowest / -1) wraps.
template <class T> UOL_DEVICE T floor_div(T a, T b) {
  static_assert(same<T, int> || same<T, long long>, "int or long long");
  if (b == 0) return 0;
  if (b == -1) return static_cast<T>(0ULL - static_cast<unsigned long long>(a));
  const T quotient = a / b;
  return quotient - ((a % b != 0) && ((a < 0) != (b < 0)));
}
template <class T> UOL_DEVICE T floor_mod(T a, T b) {
  static_assert(same<T, int> || same<T, long long>, "int or long long");
  if (b == 0 || b == -1) return 0;
  const T rest = a % b;
  return rest != 0 && ((rest < 0) != (b < 0)) ? rest + b : rest;
}

UOL_DEVICE float exp(float x) { return ::expf(x); }
UOL_DEVICE double exp(double x) { return ::exp(x); }
UOL_DEVICE float log(float x) { return ::logf(x); }
UOL_DEVICE double log(double x) { return ::log(x); }
UOL_DEVICE float exp2(float x) { return ::exp2f(x); }
UOL_DEVICE double exp2(double x) { return ::exp2(x); }
UOL_DEVICE float expm1(float x) { return ::expm1f(x); }
UOL_DEVICE double expm1(double x) { return ::expm1(x); }
UOL_DEVICE float log2(float x) { return ::log2f(x); }
UOL_DEVICE double log2(double x) { return ::log2(x); }
UOL_DEVICE float log1p(float x) { return ::log1pf(x); }
UOL_DEVICE double log1p(double x) { return ::log1p(x); }
UOL_DEVICE float sqrt(float x) { return ::sqrtf(x); }
UOL_DEVICE double sqrt(double x) { return ::sqrt(x); }
UOL_DEVICE float rsqrt(float x) { return ::rsqrtf(x); }
UOL_DEVICE double rsqrt(double x) { return ::rsqrt(x); }
UOL_DEVICE float tanh(float x) { return ::tanhf(x); }
UOL_DEVICE double tanh(double x) { return ::tanh(x); }
UOL_DEVICE float erf(float x) { return ::erff(x); }
UOL_DEVICE double erf(double x) { return ::erf(x); }
UOL_DEVICE double sin(double x) { return ::sin(x); }
UOL_DEVICE double cos(double x) { return ::cos(x); }
UOL_DEVICE float pow(float x, float y) { return ::powf(x, y); }
UOL_DEVICE double pow(double x, double y) { return ::pow(x, y); }
UOL_DEVICE float floor(float x) { return ::floorf(x); }
UOL_DEVICE double floor(double x) { return ::floor(x); }
UOL_DEVICE float ceil(float x) { return ::ceilf(x); }
UOL_DEVICE double ceil(double x) { return ::ceil(x); }
UOL_DEVICE float round(float x) { return ::rintf(x); }
UOL_DEVICE double round(double x) { return ::rint(x); }
UOL_DEVICE float abs(float x) { return ::fabsf(x); }
UOL_DEVICE double abs(double x) { return ::fabs(x); }
UOL_DEVICE int abs(int x) { return x < 0 ? static_cast<int>(0u - static_cast<unsigned>(x)) : x; }
UOL_DEVICE long long abs(long long x) { return x < 0 ? static_cast<long long>(0ULL - static_cast<unsigned long long>(x)) : x; }
// 1 / (1 + e^-x), without overflow on either side.
template <class T> UOL_DEVICE T sigmoid(T x) {
  const T e = exp(-abs(x));
  return (x >= 0 ? T(1) : e) / (T(1) + e);
}

// A candidate of argmax or argmin.
template <class T, class I = long long> struct Pick {
  T value;
  I index;
};
// The first NaN, else the extremum with the smallest index. Field by field: of two whole candidates some compilers choose an
// address, and put both into memory.
template <class T, class I> UOL_DEVICE Pick<T, I> pick_max(Pick<T, I> a, Pick<T, I> b) {
  const bool nan_a = a.value != a.value, nan_b = b.value != b.value, level = nan_a ? nan_b : a.value == b.value;
  const bool takes_b = level ? b.index < a.index : !nan_a && (nan_b || !(a.value > b.value));
  return {takes_b ? b.value : a.value, takes_b ? b.index : a.index};
}
template <class T, class I> UOL_DEVICE Pick<T, I> pick_min(Pick<T, I> a, Pick<T, I> b) {
  const bool nan_a = a.value != a.value, nan_b = b.value != b.value, level = nan_a ? nan_b : a.value == b.value;
  const bool takes_b = level ? b.index < a.index : !nan_a && (nan_b || !(a.value < b.value));
  return {takes_b ? b.value : a.value, takes_b ? b.index : a.index};
}
template <class T, class I> UOL_DEVICE Pick<T, I> shuffle_xor(Pick<T, I> v, int mask, int line = __builtin_LINE()) {
  return {shuffle_xor(v.value, mask, line), shuffle_xor(v.index, mask, line)};
}
template <class T, class I> UOL_DEVICE Pick<T, I> shuffle_up(Pick<T, I> v, int distance, int line = __builtin_LINE()) {
  return {shuffle_up(v.value, distance, line), shuffle_up(v.index, distance, line)};
}

struct Sum { template <class T> UOL_DEVICE T operator()(T a, T b) const { return a + b; } };
struct Prod { template <class T> UOL_DEVICE T operator()(T a, T b) const { return a * b; } };
struct Max { template <class T> UOL_DEVICE T operator()(T a, T b) const { return uol::max(a, b); } };
struct Min { template <class T> UOL_DEVICE T operator()(T a, T b) const { return uol::min(a, b); } };
struct Any { UOL_DEVICE bool operator()(bool a, bool b) const { return a || b; } };
struct All { UOL_DEVICE bool operator()(bool a, bool b) const { return a && b; } };
struct ArgMax { template <class P> UOL_DEVICE P operator()(P a, P b) const { return pick_max(a, b); } };
struct ArgMin { template <class P> UOL_DEVICE P operator()(P a, P b) const { return pick_min(a, b); } };

// Fold over groups of `width` neighbouring lanes (a power of two within a warp); every lane gets its group's value.
template <int width, class T, class Step> UOL_DEVICE T group_fold(T value, Step step, int line = __builtin_LINE()) {
  static_assert(width > 0 && width <= warp_width && (width & (width - 1)) == 0, "a power of two within a warp");
  for (int mask = width / 2; mask > 0; mask /= 2) value = step(value, shuffle_xor(value, mask, line));
  return value;
}
// Fold over a block of `threads`; every thread gets the value. `scratch`: shared, one element a warp; free afterwards.
template <int threads, class T, class Step>
UOL_DEVICE T block_fold(T value, T* scratch, Step step, int line = __builtin_LINE()) {
  static_assert(threads % warp_width == 0, "whole warps");
  value = group_fold<warp_width>(value, step, line);
  if constexpr (threads == warp_width) return value;
  const int thread = thread_index();
  if (thread % warp_width == 0) scratch[thread / warp_width] = value;
  block_barrier(line, 1);
  value = scratch[0];
  for (int warp = 1; warp < threads / warp_width; ++warp) value = step(value, scratch[warp]);
  block_barrier(line, 2);
  return value;
}

template <int threads, class T> UOL_DEVICE T block_sum(T value, T* scratch, int line = __builtin_LINE()) {
  return block_fold<threads>(value, scratch, Sum{}, line);
}
template <int threads, class T> UOL_DEVICE T block_prod(T value, T* scratch, int line = __builtin_LINE()) {
  return block_fold<threads>(value, scratch, Prod{}, line);
}
template <int threads, class T> UOL_DEVICE T block_max(T value, T* scratch, int line = __builtin_LINE()) {
  return block_fold<threads>(value, scratch, Max{}, line);
}
template <int threads, class T> UOL_DEVICE T block_min(T value, T* scratch, int line = __builtin_LINE()) {
  return block_fold<threads>(value, scratch, Min{}, line);
}
template <int threads> UOL_DEVICE bool block_any(bool value, bool* scratch, int line = __builtin_LINE()) {
  return block_fold<threads>(value, scratch, Any{}, line);
}
template <int threads> UOL_DEVICE bool block_all(bool value, bool* scratch, int line = __builtin_LINE()) {
  return block_fold<threads>(value, scratch, All{}, line);
}
template <int threads, class T, class I>
UOL_DEVICE Pick<T, I> block_argmax(T value, I index, Pick<T, I>* scratch, int line = __builtin_LINE()) {
  return block_fold<threads>(Pick<T, I>{value, index}, scratch, ArgMax{}, line);
}
template <int threads, class T, class I>
UOL_DEVICE Pick<T, I> block_argmin(T value, I index, Pick<T, I>* scratch, int line = __builtin_LINE()) {
  return block_fold<threads>(Pick<T, I>{value, index}, scratch, ArgMin{}, line);
}

// Scan over a warp: a lane gets the fold over the lanes up to its own, in their order.
template <class T, class Step> UOL_DEVICE T warp_scan(T value, Step step, int line) {
  const int lane = thread_index() % warp_width;
  for (int distance = 1; distance < warp_width; distance *= 2) {
    const T below = shuffle_up(value, distance, line);
    if (lane >= distance) value = step(below, value);
  }
  return value;
}
// What lies before a warp's values: `carry`, and what the warps before it have folded, which is `own` here. `carry` goes on
// over the whole block. `scratch`: shared, one element a warp; free afterwards.
template <int threads, class T, class Step>
UOL_DEVICE T before_warp(T own, T& carry, T* scratch, Step step, int line) {
  static_assert(threads % warp_width == 0, "whole warps");
  const int thread = thread_index();
  if (thread % warp_width == warp_width - 1) scratch[thread / warp_width] = own;
  block_barrier(line, 1);
  T before = carry;
  for (int warp = 0; warp < threads / warp_width; ++warp) {
    if (warp == thread / warp_width) before = carry;
    carry = step(carry, scratch[warp]);
  }
  block_barrier(line, 2);
  return before;
}
// Scan over a block: a thread gets the fold of `carry` and the values of the threads up to its own, in their order; `carry`
// becomes the fold over all of them. `scratch` as above.
template <int threads, class T, class Step>
UOL_DEVICE T block_scan(T value, T& carry, T* scratch, Step step, int line = __builtin_LINE()) {
  value = warp_scan(value, step, line);
  return step(before_warp<threads>(value, carry, scratch, step, line), value);
}
// The same without the thread's own value.
template <int threads, class T, class Step>
UOL_DEVICE T block_scan_before(T value, T& carry, T* scratch, Step step, int line = __builtin_LINE()) {
  value = warp_scan(value, step, line);
  const T before = before_warp<threads>(value, carry, scratch, step, line), below = shuffle_up(value, 1, line);
  return thread_index() % warp_width == 0 ? before : step(before, below);
}

// A step of a recurrence, a map of what stands before it: t -> by * t + plus.
template <class T> struct Affine {
  T by;
  T plus;
};
// One map behind another, or alone where it is the first: no map is neutral to one that multiplies by infinity or NaN.
template <class T> UOL_DEVICE Affine<T> composed(Affine<T> map, Affine<T> then, bool is_first) {
  return {is_first ? then.by : then.by * map.by, is_first ? then.plus : then.by * map.plus + then.plus};
}
template <class T> UOL_DEVICE Affine<T> shuffle_up(Affine<T> v, int distance, int line = __builtin_LINE()) {
  return {shuffle_up(v.by, distance, line), shuffle_up(v.plus, distance, line)};
}
struct Compose {
  template <class T> UOL_DEVICE Affine<T> operator()(Affine<T> a, Affine<T> b) const { return composed(a, b, false); }
};
// What stands before a thread's map, where `state` stands before the block's, and behind them from then on. With `is_first`
// nothing does but 0, which no map multiplies. `scratch`: shared, one map a warp; free afterwards.
template <int threads, class T>
UOL_DEVICE T block_recurrence(Affine<T> map, T& state, bool is_first, Affine<T>* scratch, int line = __builtin_LINE()) {
  static_assert(threads % warp_width == 0, "whole warps");
  const int thread = thread_index(), own = thread / warp_width;
  map = warp_scan(map, Compose{}, line);
  if (thread % warp_width == warp_width - 1) scratch[own] = map;
  block_barrier(line, 1);
  T before = state;
  for (int warp = 0; warp < threads / warp_width; ++warp) {
    if (warp == own) before = state;
    const Affine<T> whole = scratch[warp];
    state = is_first && warp == 0 ? whole.plus : whole.by * state + whole.plus;
  }
  block_barrier(line, 2);
  const Affine<T> below = shuffle_up(map, 1, line);
  if (thread % warp_width == 0) return before;
  return is_first && own == 0 ? below.plus : below.by * before + below.plus;
}

// The order of sorts: NaN is greater than every number.
template <bool descending, class T> UOL_DEVICE bool sorts_before(T a, T b) {
  const T low = descending ? b : a, high = descending ? a : b;
  return low == low && (high != high || low < high);
}
// Of elements that are alike the one that stood first.
template <bool descending, class T> UOL_DEVICE bool precedes(T key, int place, T other, int other_place) {
  if (sorts_before<descending>(key, other)) return true;
  return place < other_place && !sorts_before<descending>(other, key);
}
// What has the place `end` is no element, and stands last.
template <bool descending, class T> UOL_DEVICE bool precedes(T key, int place, T other, int other_place, int end) {
  if (place == end || other_place == end) return place < other_place;
  return precedes<descending>(key, place, other, other_place);
}
// Merges `runs` sorted runs of `length` from `first` on, two by two, and keeps the first `kept` of each two, from `to` on. An
// element goes as far behind its own offset as elements of the other run precede it.
template <int threads, bool descending, class T, class Index>
UOL_DEVICE void block_merge(T* keys, int* places, Index first, Index to, int runs, int length, int kept, int end,
                            int line = __builtin_LINE()) {
  static_assert(threads % warp_width == 0, "whole warps");
  const int whole = (runs + 1) / 2 * 2 * length;
  for (int element = thread_index(); element < whole; element += threads) {
    const int run = element / length, offset = element % length;
    T key = T();
    int place = end, before = length;
    if (run < runs) {
      key = keys[first + element], place = places[first + element];
      int low = 0, high = (run ^ 1) < runs ? length : 0;
      while (low < high) {
        const int middle = (low + high) / 2, at = (run ^ 1) * length + middle;
        const T other = keys[first + at];
        const int other_place = places[first + at];
        const bool is_before = run % 2 == 0 ? precedes<descending>(other, other_place, key, place, end)
                                            : !precedes<descending>(key, place, other, other_place, end);
        if (is_before) low = middle + 1;
        else high = middle;
      }
      before = low;
    }
    if (offset + before >= kept) continue;
    const int rank = run / 2 * kept + offset + before;
    keys[to + rank] = key, places[to + rank] = place;
  }
  block_barrier(line, 1);
}

}  // namespace uol
