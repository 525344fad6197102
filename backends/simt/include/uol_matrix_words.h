// Accesses of whole words of floats, and of integers, by those of registers of 32 bits (`uol_matrix.h`); floats of 16 bits made wider;
// products of floats of 32 bits by those of 19 (tf32).
#pragma once

// Where a text is run on the host, it is asked here whether registers are as many as are read or written, of one array, or of all
// that lie one behind the other in an array of arrays.
#ifndef UOL_REQUIRE_ROOM
#define UOL_REQUIRE_ROOM(bytes, registers)
#define UOL_REQUIRE_ROOM_IN_ALL(bytes, registers)
#endif

namespace uol {

// Bits of a word, each of which stands for a place.
template <class... Place> UOL_DEVICE unsigned bits(Place... places) { return (0u + ... + (1u << places)); }
UOL_DEVICE unsigned bit(int place, bool is_set) { return static_cast<unsigned>(is_set) << place; }
UOL_DEVICE bool has_none(unsigned word, unsigned bits) { return (word & bits) == 0; }

template <int bytes> UOL_DEVICE void load_words(float* to, const void* from) {
  UOL_REQUIRE_ROOM(bytes, to);
  unsigned words[bytes / 4];
  load_words<bytes>(words, from);
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word) to[word] = from_bits(words[word]);
}
template <int bytes> UOL_DEVICE void load_words(int* to, const void* from) {
  UOL_REQUIRE_ROOM(bytes, to);
  unsigned words[bytes / 4];
  load_words<bytes>(words, from);
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word) to[word] = static_cast<int>(words[word]);
}
template <int bytes> UOL_DEVICE void store_words(void* to, const float* from) {
  UOL_REQUIRE_ROOM(bytes, from);
  unsigned words[bytes / 4];
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word) words[word] = to_bits(from[word]);
  store_words<bytes>(to, words);
}
template <int bytes> UOL_DEVICE void store_words(void* to, const int* from) {
  UOL_REQUIRE_ROOM(bytes, from);
  unsigned words[bytes / 4];
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word) words[word] = static_cast<unsigned>(from[word]);
  store_words<bytes>(to, words);
}

// Elements of 16 bits, two in a register, as floats.
template <int count> UOL_DEVICE void widen_f16(float* to, const unsigned* from) {
  UOL_REQUIRE_ROOM(count * 4, to);
  UOL_REQUIRE_ROOM(count * 2, from);
#pragma unroll
  for (int i = 0; i < count; ++i) to[i] = f16_value(static_cast<unsigned short>(from[i / 2] >> i % 2 * 16));
}
template <int count> UOL_DEVICE void widen_bf16(float* to, const unsigned* from) {
  UOL_REQUIRE_ROOM(count * 4, to);
  UOL_REQUIRE_ROOM(count * 2, from);
#pragma unroll
  for (int i = 0; i < count; ++i) to[i] = from_bits(i % 2 ? from[i / 2] & 0xffff0000u : from[i / 2] << 16);
}
template <int count> UOL_DEVICE void widen_f16(unsigned* to, const unsigned* from) {
  UOL_REQUIRE_ROOM(count * 4, to);
  UOL_REQUIRE_ROOM(count * 2, from);
  float values[count];
  widen_f16<count>(values, from);
#pragma unroll
  for (int i = 0; i < count; ++i) to[i] = to_bits(values[i]);
}
template <int count> UOL_DEVICE void widen_bf16(unsigned* to, const unsigned* from) {
  UOL_REQUIRE_ROOM(count * 4, to);
  UOL_REQUIRE_ROOM(count * 2, from);
  float values[count];
  widen_bf16<count>(values, from);
#pragma unroll
  for (int i = 0; i < count; ++i) to[i] = to_bits(values[i]);
}

// Floats in two parts of 11 bits each: what is nearest with ten bits behind the leading one; and 2^12 times the rest, of which a
// product in tf32 reads as many. 2^12, so that the rest of a small number is no subnormal one. What is infinite has NaN as its rest.
constexpr float tf32_rest = 4096.0f;
template <int count> UOL_DEVICE void tf32_parts(unsigned* parts, const unsigned* from) {
  UOL_REQUIRE_ROOM(count * 8, parts);
  UOL_REQUIRE_ROOM(count * 4, from);
#pragma unroll
  for (int i = 0; i < count; ++i) {
    parts[i] = (from[i] + 0x1000u) & 0xffffe000u;
    parts[count + i] = to_bits((from_bits(from[i]) - from_bits(parts[i])) * tf32_rest);
  }
}
// d += a b, m16n8k16, of factors in `a_parts` and `b_parts` parts, by `multiply`, d += a b on tf32 of m16n8k8. The sums of 16 products
// begin at 0, for matrix units cut them off; they are added as floats are.
template <int a_parts, int b_parts, class Multiply>
UOL_DEVICE void add_tf32_products(float* d, const unsigned* a, const unsigned* b, Multiply multiply) {
  float sums[4] = {}, rests[4] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const unsigned* left = a + 4 * half;
    const unsigned* right = b + 2 * half;
    const unsigned a_part[4] = {left[0], left[2], left[1], left[3]}, b_part[2] = {right[0], right[1]};
    if constexpr (b_parts == 2) {
      const unsigned b_rest[2] = {right[4], right[5]};
      multiply(rests, a_part, b_rest);
    }
    if constexpr (a_parts == 2) {
      const unsigned a_rest[4] = {left[8], left[10], left[9], left[11]};
      multiply(rests, a_rest, b_part);
    }
    multiply(a_parts + b_parts > 2 ? sums : d, a_part, b_part);
  }
  if constexpr (a_parts + b_parts > 2)
#pragma unroll
    for (int i = 0; i < 4; ++i) d[i] += sums[i] + rests[i] * (1 / tf32_rest);
}

// The same as an asynchronous copy, of elements of 16 bits one by one, from anywhere: they are there at once.
template <int bytes> UOL_DEVICE void copy_elements(void* shared, const void* global, bool valid = true) {
  static_assert(bytes % 2 == 0, "elements of two bytes");
#pragma unroll
  for (int i = 0; i < bytes / 2; ++i)
    static_cast<unsigned short*>(shared)[i] = valid ? static_cast<const unsigned short*>(global)[i] : static_cast<unsigned short>(0);
}

// The same as an access of whole words, of elements of 16 bits one by one, from anywhere.
template <int bytes> UOL_DEVICE void load_elements(unsigned* to, const void* from, bool valid = true) {
  static_assert(bytes % 4 == 0, "words");
  UOL_REQUIRE_ROOM(bytes, to);
  const unsigned short* halves = static_cast<const unsigned short*>(from);
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word)
    to[word] = valid ? halves[2 * word] | static_cast<unsigned>(halves[2 * word + 1]) << 16 : 0u;
}

// a b + c, rounded once.
UOL_DEVICE float fused(float a, float b, float c) { return ::fmaf(a, b, c); }
struct Greatest { UOL_DEVICE float operator()(float a, float b) const { return greatest(a, b); } };

// Is none of them infinite or NaN?
template <int count> UOL_DEVICE bool are_finite(const float* of) {
  UOL_REQUIRE_ROOM_IN_ALL(count * 4, of);
  float zero = 0;
#pragma unroll
  for (int i = 0; i < count; ++i) zero += of[i] * 0;
  return zero == 0;
}

}  // namespace uol
