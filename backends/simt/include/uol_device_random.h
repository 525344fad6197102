// `random_bits(seed, counter)`: Threefry-2x32-20, bit-equal on all machines. Source: Salmon et al., "Parallel random numbers:
// as easy as 1, 2, 3" (SC 2011). Key and block are 64 bits, low word first; the value is word counter % 2 of block counter / 2.
// A kernel that has neighbours at hand may make their block once; none does yet.
#pragma once

namespace uol {

template <int bits> UOL_DEVICE void threefry_round(unsigned& first, unsigned& second) {
  first += second;
  second = ((second << bits) | (second >> (32 - bits))) ^ first;
}
template <int a, int b, int c, int d> UOL_DEVICE void threefry_rounds(unsigned& first, unsigned& second) {
  threefry_round<a>(first, second);
  threefry_round<b>(first, second);
  threefry_round<c>(first, second);
  threefry_round<d>(first, second);
}

UOL_DEVICE int random_bits(long long seed, long long counter) {
  const unsigned long long key = static_cast<unsigned long long>(seed);
  const unsigned long long block = static_cast<unsigned long long>(counter >> 1);
  const unsigned k0 = static_cast<unsigned>(key), k1 = static_cast<unsigned>(key >> 32), k2 = k0 ^ k1 ^ 0x1bd11bdau;
  unsigned first = static_cast<unsigned>(block) + k0, second = static_cast<unsigned>(block >> 32) + k1;
  threefry_rounds<13, 15, 26, 6>(first, second);
  first += k1, second += k2 + 1u;
  threefry_rounds<17, 29, 16, 24>(first, second);
  first += k2, second += k0 + 2u;
  threefry_rounds<13, 15, 26, 6>(first, second);
  first += k0, second += k1 + 3u;
  threefry_rounds<17, 29, 16, 24>(first, second);
  first += k1, second += k2 + 4u;
  threefry_rounds<13, 15, 26, 6>(first, second);
  first += k2, second += k0 + 5u;
  return static_cast<int>(counter & 1 ? second : first);
}

}  // namespace uol
