// What a local variable holds that a text declares without a value: garbage, of one kind or another. A run with the one and a
// run with the other give the same where no such value is used. The driver adds the fills to the text, see locals.py.
// It includes nothing, for every compiled text would pay for it.
#pragma once

namespace uol_locals {

// Which variables of the running module hold the second kind of garbage: the number of one, or `all`, or `none`.
constexpr long long all = -1, none = -2;
extern long long poisoned;

template <class A, class B> inline constexpr bool alike = false;
template <class A> inline constexpr bool alike<A, A> = true;
template <class T> struct Element { using Type = T; };
template <class T, decltype(sizeof(0)) n> struct Element<T[n]> : Element<T> {};

// The byte that fills a variable. A NaN shows in any sum or maximum; integers are far below or far above all that is
// computed, so that neither a maximum nor a minimum hides both.
template <class T> inline constexpr int first = alike<T, float> || alike<T, double> || alike<T, bool> ? 0 : 0xaa;
template <class T> inline constexpr int second = alike<T, float> || alike<T, double> ? 0xff : alike<T, bool> ? 1 : 0x55;

// Of an array of registers, which may hold floats of any width: NaN, which no product with a zero hides.
template <class T, class Type> inline constexpr int garbage = !alike<T, Type> && alike<Type, unsigned> ? 0xff : second<Type>;

template <class T> inline __attribute__((always_inline)) void fill(T& place, int number) {
  using Type = typename Element<T>::Type;
  const int byte = poisoned == all || poisoned == number ? garbage<T, Type> : first<Type>;
  __builtin_memset(static_cast<void*>(&place), byte, sizeof place);
}

// The value of a variable in a loop's header.
struct Open {
  int number;
  template <class T> inline __attribute__((always_inline)) operator T() const {
    T value;
    fill(value, number);
    return value;
  }
};

}  // namespace uol_locals
