// Accesses of whole words of floats, and of integers, by those of registers of 32 bits (`uol_matrix.h`).
#pragma once

namespace uol {

template <int bytes> UOL_DEVICE void load_words(float* to, const void* from) {
  unsigned words[bytes / 4];
  load_words<bytes>(words, from);
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word) to[word] = from_bits(words[word]);
}
template <int bytes> UOL_DEVICE void load_words(int* to, const void* from) {
  unsigned words[bytes / 4];
  load_words<bytes>(words, from);
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word) to[word] = static_cast<int>(words[word]);
}
template <int bytes> UOL_DEVICE void store_words(void* to, const float* from) {
  unsigned words[bytes / 4];
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word) words[word] = to_bits(from[word]);
  store_words<bytes>(to, words);
}
template <int bytes> UOL_DEVICE void store_words(void* to, const int* from) {
  unsigned words[bytes / 4];
#pragma unroll
  for (int word = 0; word < bytes / 4; ++word) words[word] = static_cast<unsigned>(from[word]);
  store_words<bytes>(to, words);
}

}  // namespace uol
