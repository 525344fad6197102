// How the texts of an executable are listed for the runtime. Generated code includes it; see simt_kind.py.
#pragma once

namespace uol_twin {

// A buffer's address, or a value as both a real and an integer: the kernel's parameter type says which is meant.
struct Arg {
  void* pointer;
  double real;
  long long integer;
};

struct Kernel {
  const char* symbol;
  void (*call)(const Arg*);
};

struct Module {
  const char* space;  // the namespace around its text
  const Kernel* kernels;
};
extern const Module modules[];

// The most dynamic shared memory that a launch can ask for: 227 KiB on sm_90, rounded up to leave room behind it, in
// which a kernel's overrun is still its own array's.
constexpr unsigned long dynamic_capacity = 256 * 1024;

template <class T> inline constexpr bool is_pointer = false;
template <class T> inline constexpr bool is_pointer<T*> = true;
template <class T> inline constexpr bool is_real = false;
template <> inline constexpr bool is_real<float> = true;
template <> inline constexpr bool is_real<double> = true;

template <class T> inline __attribute__((always_inline)) T value_of(const Arg& arg) {
  if constexpr (is_pointer<T>) return static_cast<T>(arg.pointer);
  else if constexpr (is_real<T>) return static_cast<T>(arg.real);
  else return static_cast<T>(arg.integer);
}

template <int... i> struct Places {};

template <class... P, int... i>
inline __attribute__((always_inline)) void spread(void (*kernel)(P...), const Arg* args, Places<i...>) {
  kernel(value_of<P>(args[i])...);
}

template <class... P> inline __attribute__((always_inline)) void spread(void (*kernel)(P...), const Arg* args) {
  spread(kernel, args, Places<__integer_pack(sizeof...(P))...>{});
}

// Calls a kernel of any signature. What it reads itself is not the kernel's, and not checked.
template <auto kernel> __attribute__((no_sanitize("thread"))) void call(const Arg* args) { spread(kernel, args); }

}  // namespace uol_twin
