// The atomic accesses that texts call by name. Lanes run in turn: an addition is never seen half done.
#include "check.h"
#include "main.h"
#include "uol_twin.h"

namespace uol_twin {
namespace {

template <class T> void add(T* to, T value, const void* pc) {
  if (checked) check_addition(to, sizeof(T), pc);
  *to += value;
}

}  // namespace

void add_at_once(float* to, float value) { add(to, value, __builtin_return_address(0)); }
void add_at_once(double* to, double value) { add(to, value, __builtin_return_address(0)); }
void add_at_once(int* to, int value) { add(to, value, __builtin_return_address(0)); }
void add_at_once(long long* to, long long value) { add(to, value, __builtin_return_address(0)); }

}  // namespace uol_twin
