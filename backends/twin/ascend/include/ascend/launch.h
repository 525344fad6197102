// How the runtime calls emitted kernels: tables that the glue fills.
#pragma once
#include "types.h"

namespace twin {

// A scalar argument of any type: integers take `integer`, floats `real`.
struct Value {
  double real;
  int64_t integer;
  template <class T>
  operator T() const {
    if constexpr (same<T, float> || same<T, double>)
      return static_cast<T>(real);
    else
      return static_cast<T>(integer);
  }
};

// 0, 1, ... n - 1
template <int... at>
struct Places {};
template <int n, int... at>
struct Count : Count<n - 1, n - 1, at...> {};
template <int... at>
struct Count<0, at...> {
  using Type = Places<at...>;
};
template <class... P>
constexpr int arity(void (*)(P...)) {
  return sizeof...(P);
}

struct Argument {
  uint8_t* address;  // of a buffer; null for scalars
  Value value;
};

struct Kernel {
  const char* name;
  const char* core;  // "aiv" or "aic"
  void (*run)(const Argument* arguments);
};

struct Module {
  const Kernel* kernels;
  int count;
};

// Calls a kernel of any signature: pointers are buffers, all else is a scalar.
template <class P>
P argument(const Argument& from) {
  if constexpr (same<P, GM_ADDR>)
    return from.address;
  else
    return from.value;
}
template <class... P, int... at>
void spread(void (*kernel)(P...), const Argument* arguments, Places<at...>) {
  kernel(argument<P>(arguments[at])...);
}
template <auto kernel>
void call(const Argument* arguments) {
  spread(kernel, arguments, typename Count<arity(kernel)>::Type());
}

// All modules of this executable, by slot.
extern const Module modules[];

}  // namespace twin
