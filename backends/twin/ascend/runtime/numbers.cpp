#include "numbers.h"

namespace twin {
namespace {

template <class E>
void add(std::uint8_t* to, const std::uint8_t* from, std::int64_t bytes) {
  for (std::int64_t i = 0; i + E::bytes <= bytes; i += E::bytes) E::store(to + i, E::load(to + i) + E::load(from + i));
}

}  // namespace

void add_elements(std::uint8_t* to, const std::uint8_t* from, std::int64_t bytes, Type type) {
  switch (type) {
    case Type::f16:
      return add<F16>(to, from, bytes);
    case Type::bf16:
      return add<BF16>(to, from, bytes);
    case Type::f32:
      return add<Plain<float>>(to, from, bytes);
    case Type::s8:
      return add<Plain<std::uint8_t>>(to, from, bytes);
    case Type::s16:
      return add<Plain<std::uint16_t>>(to, from, bytes);
    default:
      return add<Plain<std::uint32_t>>(to, from, bytes);
  }
}

}  // namespace twin
