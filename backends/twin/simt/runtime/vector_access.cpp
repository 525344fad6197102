// The vector accesses that texts call by name.
#include "check.h"
#include "main.h"
#include "uol_twin.h"

namespace uol_twin {
namespace {

template <class T> T load(const void* from, const void* pc) {
  if (checked) check_read(from, sizeof(T), pc);
  T value;
  __builtin_memcpy(&value, from, sizeof(T));
  return value;
}

template <class T> void store(void* to, T value, const void* pc) {
  if (checked) check_write(to, sizeof(T), pc);
  __builtin_memcpy(to, &value, sizeof(T));
}

}  // namespace

unsigned short load2(const void* from) { return load<unsigned short>(from, __builtin_return_address(0)); }
unsigned load4(const void* from) { return load<unsigned>(from, __builtin_return_address(0)); }
unsigned long long load8(const void* from) { return load<unsigned long long>(from, __builtin_return_address(0)); }
Pair load16(const void* from) { return load<Pair>(from, __builtin_return_address(0)); }
void store2(void* to, unsigned short value) { store(to, value, __builtin_return_address(0)); }
void store4(void* to, unsigned value) { store(to, value, __builtin_return_address(0)); }
void store8(void* to, unsigned long long value) { store(to, value, __builtin_return_address(0)); }
void store16(void* to, Pair value) { store(to, value, __builtin_return_address(0)); }

}  // namespace uol_twin
