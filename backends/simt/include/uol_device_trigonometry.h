// sin and cos of floats, the same operations on all machines, off by less than 1.6 ulp:
//
//   |x| = pi/2 * quarters + rest, |rest| <= pi/4
//
// and by `quarters` a polynomial in rest**2 for the sine or the cosine of `rest`. The compilers' own functions are held to 2 ulp,
// and NVRTC 13.0 keeps words of 2/pi for them in a thread's memory, beside its registers.
#pragma once

namespace uol {

struct Reduced {
  float rest;
  unsigned quarters;  // the two low bits count
};

// 32 bits of 2/pi, the first of which has the weight 2**(31 - 32 * word).
UOL_DEVICE unsigned two_over_pi(int word) {
  const unsigned early = word == 0 ? 0 : word == 1 ? 0xa2f9836e : word == 2 ? 0x4e441529 : 0xfc2757d1;
  const unsigned late = word == 4 ? 0xf534ddc0 : word == 5 ? 0xdb629599 : word == 6 ? 0x3c439041 : 0xfe5163ab;
  return word < 4 ? early : late;
}

// By Payne and Hanek ("Radian reduction for trigonometric functions", SIGNUM Newsletter 18, 1983): of 2/pi, the 96 bits that
// matter for x = digits * 2**exponent. What stands before them makes whole turns, what comes after less than 2**-70 of a quarter.
UOL_DEVICE Reduced reduced_far(float x) {
  const unsigned bits = to_bits(x), digits = (bits & 0x7fffff) | 0x800000;
  const int exponent = static_cast<int>(bits >> 23) - 150, first = exponent + 30, shift = first % 32;
  unsigned words[3];
#pragma unroll
  for (int k = 0; k < 3; ++k) {
    const unsigned long long pair = static_cast<unsigned long long>(two_over_pi(first / 32 + k)) << 32;
    words[k] = static_cast<unsigned>(((pair | two_over_pi(first / 32 + k + 1)) << shift) >> 32);
  }
  const unsigned long long last = static_cast<unsigned long long>(digits) * words[2];
  const unsigned long long middle = static_cast<unsigned long long>(digits) * words[1] + (last >> 32);
  const unsigned long long product = (static_cast<unsigned long long>(digits * words[0]) << 32) + middle;  // a turn is 2**64
  const unsigned quarters = static_cast<unsigned>(product >> 62) + static_cast<unsigned>(product >> 61 & 1);
  const double quarter = static_cast<double>(static_cast<long long>(product << 2)) * 0x1p-64;  // half a quarter at most
  return {static_cast<float>(quarter * 1.5707963267948966), quarters};
}

// By Cody and Waite, with pi/2 in three parts: the first step is exact, what the others lose is relative to `rest`. Of what is
// no number, NaN.
UOL_DEVICE Reduced reduced(float x) {
  if (!(x < from_bits(0x7f800000u))) return {x - x, 0};
  if (x >= 65536.0f) return reduced_far(x);
  const float quarters = ::rintf(x * 0.63661975f);
  float rest = ::fmaf(quarters, -1.5707964f, x);
  rest = ::fmaf(quarters, 4.371139e-8f, rest);
  rest = ::fmaf(quarters, 1.7151245e-15f, rest);
  return {rest, static_cast<unsigned>(static_cast<int>(quarters))};
}

// The polynomials have the least maximum of the relative error, 2**-28, of the sine, and of the absolute one, 2**-33, of the
// cosine.
UOL_DEVICE float sine_of(Reduced at) {
  const float r = at.rest, s = r * r;
  const float sine = ::fmaf(r * s, ::fmaf(::fmaf(-1.9517234e-4f, s, 8.332178e-3f), s, -0.16666655f), r);
  const float cosine = ::fmaf(::fmaf(::fmaf(::fmaf(2.443838e-5f, s, -1.3887367e-3f), s, 0.041666646f), s, -0.5f), s, 1.0f);
  const float value = at.quarters & 1 ? cosine : sine;
  return at.quarters & 2 ? -value : value;
}

UOL_DEVICE float sin(float x) {
  const float value = sine_of(reduced(::fabsf(x)));
  return from_bits(to_bits(value) ^ (to_bits(x) & 0x80000000u));  // of -0, too
}
UOL_DEVICE float cos(float x) {
  const Reduced at = reduced(::fabsf(x));
  return sine_of({at.rest, at.quarters + 1});
}

}  // namespace uol
