// What the lanes of a warp do together: rows of matrices from shared memory, and products.
#pragma GCC optimize("O3", "no-trapping-math")  // a product is thousands of additions side by side

#include "check.h"
#include "fragments.h"
#include "main.h"
#include "matrix_sums.h"
#include "memory.h"
#include "state.h"
#include "uol_report.h"
#include "uol_twin_matrix.h"

namespace uol_twin {

std::uint64_t matrix_operations[matrix_units];

namespace {

constexpr int product_part = 1, load_part = 2;

// ---- products

struct Operands {
  void* d;
  const void* a;
  const void* b;
};
Operands& given_by(const Warp& warp, int lane) { return *static_cast<Operands*>(warp.lanes[lane].part); }

// Gathers the fragments of all lanes, multiplies, and hands the sums back.
template <class Form, class Element, class Sum, auto add_products> void carry_out(Warp& warp) {
  static Element a[Form::m][Form::k], b[Form::k][Form::n];
  static Sum d[Form::m][Form::n];
  for (int lane = 0; lane < warp_width; ++lane) {
    const Operands& given = given_by(warp, lane);
    for (int i = 0; i < Form::a_elements; ++i) a[Form::a(lane, i).row][Form::a(lane, i).col] = static_cast<const Element*>(given.a)[i];
    for (int i = 0; i < Form::b_elements; ++i) b[Form::b(lane, i).row][Form::b(lane, i).col] = static_cast<const Element*>(given.b)[i];
    for (int i = 0; i < Form::d_elements; ++i) d[Form::d(lane, i).row][Form::d(lane, i).col] = static_cast<const Sum*>(given.d)[i];
  }
  add_products(d, a, b);
  for (int lane = 0; lane < warp_width; ++lane)
    for (int i = 0; i < Form::d_elements; ++i) static_cast<Sum*>(given_by(warp, lane).d)[i] = d[Form::d(lane, i).row][Form::d(lane, i).col];
  matrix_operations[unit_of<Element>] += 2 * Form::m * Form::n * Form::k;
}

#if UOL_TWIN_WARP == 32
template <class Form, class Element> constexpr Operation truncated = carry_out<Form, Element, float, add_truncated<Form::m, Form::n, Form::k, Element>>;
#else
template <class Form, class Element> constexpr Operation flushed = carry_out<Form, Element, float, add_flushed<Form::m, Form::n, Form::k, Element>>;
#endif
template <class Form> constexpr Operation whole = carry_out<Form, signed char, int, add_whole<Form::m, Form::n, Form::k>>;

// By Product.
constexpr Operation operations[] = {
#if UOL_TWIN_WARP == 32
    truncated<Mma16x8x16, F16>, truncated<Mma16x8x16, Bf16>, truncated<Mma16x8x8, Tf32>, whole<Mma16x8x32>,
#else
    nullptr, nullptr, nullptr, nullptr,  // another machine's
    flushed<Mfma<32, 8, 4>, F16>, flushed<Mfma<16, 16, 4>, F16>, flushed<Mfma<32, 8, 4>, Bf16>, flushed<Mfma<16, 16, 4>, Bf16>,
    flushed<Mfma<32, 2, 1>, F32>, flushed<Mfma<16, 4, 1>, F32>, whole<Mfma<32, 8, 4>>, whole<Mfma<16, 16, 4>>,
#endif
};

// ---- rows of matrices

struct Row {
  unsigned* to;
  const void* from;
};

// PTX ISA, ldmatrix: lane 8 i + r gives row r of matrix i, whose elements 2 (l % 4) and the next of row l / 4 go to register i of
// lane l; transposed, those of column l / 4.
template <bool transposed> void hand_out(Warp& warp) {
  static unsigned short matrices[4][8][8];
  for (int lane = 0; lane < 32; ++lane) __builtin_memcpy(matrices[lane / 8][lane % 8], static_cast<Row*>(warp.lanes[lane].part)->from, 16);
  for (int lane = 0; lane < 32; ++lane) {
    unsigned* to = static_cast<Row*>(warp.lanes[lane].part)->to;
    for (int i = 0; i < 4; ++i) {
      const auto& matrix = matrices[i];
      const int line = lane / 4, first = lane % 4 * 2;
      const unsigned low = transposed ? matrix[first][line] : matrix[line][first];
      const unsigned high = transposed ? matrix[first + 1][line] : matrix[line][first + 1];
      to[i] = low | high << 16;
    }
  }
}

}  // namespace

void multiply(Product product, void* d, const void* a, const void* b, int line) {
  Operands given{d, a, b};
  together(operations[static_cast<int>(product)], &given, line, product_part);
}

void load_matrices(unsigned* to, const void* row, bool transposed, int line) {
  if (checked) check_row(row, __builtin_return_address(0));
  Row given{to, row};
  together(transposed ? hand_out<true> : hand_out<false>, &given, line, load_part);
}

// A load of words at any word: one access where it lies at a multiple of its size.
static void check_words(const unsigned char* from, unsigned bytes, const void* pc) {
  if (reinterpret_cast<std::uintptr_t>(from) % bytes == 0) return check_read(from, bytes, pc);
  for (unsigned word = 0; word < bytes / 4; ++word) check_read(from + 4 * word, 4, pc);
}

void load_buffer(unsigned* to, const void* from, unsigned range, unsigned lane, unsigned wave, int bytes) {
  const void* pc = __builtin_return_address(0);
  const auto* at = static_cast<const unsigned char*>(from) + lane + wave;
  if ((lane | wave) % 4)
    uol_report::add("misaligned", {0, pc}, "thread %u reads at byte %u + %u of a range, no multiple of 4", running->number, lane, wave);
  if (lane < range && range - lane >= static_cast<unsigned>(bytes)) {
    if (range - lane - bytes < wave)
      uol_report::add("out-of-bounds-global", {0, pc}, "thread %u reads byte %u + %u of a range of %u: only the first counts for the range",
                      running->number, lane, wave, range);
    if (checked) check_words(at, bytes, pc);
    __builtin_memcpy(to, at, bytes);
    return;
  }
  for (unsigned word = 0; word < static_cast<unsigned>(bytes) / 4; ++word) {
    to[word] = 0;
    if (lane >= range || range - lane <= 4 * word) continue;
    if (checked) check_read(at + 4 * word, 4, pc);
    __builtin_memcpy(to + word, at + 4 * word, 4);
  }
}

}  // namespace uol_twin
