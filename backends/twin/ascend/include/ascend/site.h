// Where a call stands in the emitted text, and integers that notice when a value does not fit them.
#pragma once
#include <stdint.h>

#include <initializer_list>

namespace twin {

// The line of a call: the last, defaulted parameter of every function here. Not made from an int by accident, so a call
// with one argument too many stays an error.
struct Site {
  int line;
  explicit constexpr Site(int at) : line(at) {}
  static constexpr Site here(int at = __builtin_LINE()) { return Site(at); }
};

void report_overflow(int64_t value, int bits, Site site);

// An integer field of U's width. On the card a larger value silently loses its high bits; here that is a finding.
template <class U>
struct Narrow {
  U value;
  template <class T>
  constexpr Narrow(T from, Site site = Site::here()) : value(static_cast<U>(from)) {
    if (static_cast<__int128>(value) != static_cast<__int128>(from))
      report_overflow(static_cast<int64_t>(from), sizeof(U) * 8, site);
  }
  constexpr operator U() const { return value; }
};

// The items of a parameter struct in braces. Their element type makes a run-time int a narrowing error, as for bisheng;
// in parentheses the vendor's header converts, and Narrow looks at the value.
template <class U>
const U* braces(std::initializer_list<U> items, unsigned long count) {
  if (items.size() != count) __builtin_trap();
  return items.begin();
}

}  // namespace twin
