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
    if constexpr (same<T, float> || same<T, double>) return static_cast<T>(real);
    else return static_cast<T>(integer);
  }
};

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

// All modules of this executable, by slot.
extern const Module modules[];

}  // namespace twin
