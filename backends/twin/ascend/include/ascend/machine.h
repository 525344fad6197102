// What the headers ask of the precompiled runtime: every operation without its element type as a template parameter.
#pragma once
#include "params.h"

namespace twin {

enum class Memory : uint8_t { ub, l1, l0a, l0b, l0c, bt };

// Bytes [begin, end) of an on-chip memory that a tensor may touch, and where it starts. `offset` may lie outside: then
// every access is a finding.
struct Local {
  Memory memory;
  AscendC::TPosition position;
  int64_t offset, begin, end;
};

// The same for global memory; `begin` and `end` are what SetGlobalBuffer was given.
struct Global {
  uint8_t* address;
  uint8_t* begin;
  uint8_t* end;
};

// A scalar operand: `real` for half and float, `whole` for integers.
struct Scalar {
  float real;
  int64_t whole;
};
template <class T>
Scalar scalar(T value) {
  if constexpr (one_of<T, half, float>)
    return {static_cast<float>(value), 0};
  else
    return {0.0f, static_cast<int64_t>(value)};
}

// "First n lanes", or one bit a lane (two words; b32 uses the first).
struct Mask {
  uint64_t bits[2];
  bool count;
  Mask(uint64_t lanes) : bits{lanes, 0}, count(true) {}
  template <unsigned long N>
  Mask(uint64_t (&words)[N]) : bits{words[0], N > 1 ? words[N - 1] : 0}, count(false) {}
};

// Block stride and repeat stride of an operand, in 32 B.
struct Stride {
  uint32_t block = 1, repeat = 8;
};

// Which lanes an instruction works on: the first `count` elements, or `repeats` masked repeats of 256 B.
struct Lanes {
  bool counted;
  int64_t count;
  Mask mask;
  uint32_t repeats;
  Stride dst, src0, src1;
};
inline Lanes first(int64_t count) { return {true, count, Mask(uint64_t{0}), 0, {}, {}, {}}; }
inline Lanes repeated(Mask mask, uint32_t repeats, const AscendC::UnaryRepeatParams& p) {
  return {false, 0, mask, repeats, {p.dstBlkStride, p.dstRepStride}, {p.srcBlkStride, p.srcRepStride}, {}};
}
inline Lanes repeated(Mask mask, uint32_t repeats, const AscendC::BinaryRepeatParams& p) {
  return {false,
          0,
          mask,
          repeats,
          {p.dstBlkStride, p.dstRepStride},
          {p.src0BlkStride, p.src0RepStride},
          {p.src1BlkStride, p.src1RepStride}};
}

// Setup and identity.
void declare_task(KernelMetaType type, Site site);
void declare_state();
void declare_pipe(Site site);
void destroy_pipe(Site site);
int64_t allocate(Memory memory, int64_t bytes, Site site);
bool is_cube();
int64_t block_index();
int64_t block_count();
int64_t sub_block_index();

// Order.
void set_flag(AscendC::HardEvent event, int32_t id, Site site);
void wait_flag(AscendC::HardEvent event, int32_t id, Site site);
void pipe_barrier(pipe_t pipe, Site site);

// Scalar access: `bytes` of one element are moved between memory and `value`.
void scalar_read(Local from, void* value, int bytes, Site site);
void scalar_write(Local to, const void* value, int bytes, Site site);
void scalar_read(Global from, void* value, int bytes, Site site);
void scalar_write(Global to, const void* value, int bytes, Site site);
void clean_cache(Global line, bool whole_cache, bool to_memory, Site site);

// Copies. `element` is the size of an element in bytes.
void copy_in(Local dst, Global src, int element, int64_t count, Site site);
void copy_out(Global dst, Local src, Type type, int64_t count, Site site);
void copy_in(Local dst, Global src, const AscendC::DataCopyParams& p, Site site);
void copy_out(Global dst, Local src, Type type, const AscendC::DataCopyParams& p, Site site);
void copy_bias(Local dst, Local src, int64_t bytes, Site site);
struct Padding {
  bool enabled;
  int left, right;
  uint64_t bits;
};
void copy_pad_in(Local dst, Global src, int element, const AscendC::DataCopyExtParams& p, Padding padding, Site site);
void copy_pad_out(Global dst, Local src, Type type, const AscendC::DataCopyExtParams& p, Site site);
void copy_nz(Local dst, Global src, int element, const AscendC::Nd2NzParams& p, Site site);
void fill(Local dst, int element, int repeats, int blocks, int gap, uint64_t bits, Site site);
void set_atomic_add(Type type, Site site);
void set_atomic_none();

// Cube.
void load_data(Local dst, Local src, Type type, const AscendC::LoadData2DParams& p, Site site);
void load_data_transposed(Local dst, Local src, Type type, const AscendC::LoadData2dTransposeParams& p, Site site);
void mmad(Local c, Local a, Local b, const Local* bias, Type type, const AscendC::MmadParams& p, Site site);
void fixpipe(Global dst, Type dst_type, Local src, Type src_type, bool row_major, const AscendC::FixpipeParamsV220& p,
             Site site);

// Vector.
enum class Op : uint8_t {
  add,
  sub,
  mul,
  div,
  max,
  min,
  adds,
  muls,
  maxs,
  mins,
  exp,
  ln,
  sqrt,
  rsqrt,
  reciprocal,
  abs,
  relu,
  leaky_relu,
  mul_add_dst,
  axpy,
  bit_and,
  bit_or,
  bit_not,
  shift_left,
  shift_right,
  duplicate,
};
const char* op_name(Op op);
void vector_unary(Op op, Type type, Local dst, Local src, Scalar scalar, const Lanes& lanes, Site site);
void vector_binary(Op op, Type dst_type, Type type, Local dst, Local src0, Local src1, const Lanes& lanes, Site site);
void vector_axpy(Type dst_type, Type type, Local dst, Local src, Scalar scalar, const Lanes& lanes, Site site);
void vector_duplicate(Type type, Local dst, uint64_t bits, const Lanes& lanes, Site site);
void vector_cast(Type dst_type, Type type, Local dst, Local src, AscendC::RoundMode mode, const Lanes& lanes, Site site);
void vector_copy(Type type, Local dst, Local src, const Lanes& lanes, Site site);
void vector_gather(Type type, Local dst, Local src, Local offsets, uint32_t base, const Lanes& lanes, Site site);
void vector_brcb(Type type, Local dst, Local src, int repeats, Stride stride, Site site);
void vector_index(Type type, Local dst, Scalar start, int64_t count, Site site);
void vector_compare(Type type, Local dst, Local src0, Local src1, AscendC::CMPMODE mode, const Lanes& lanes, Site site);
void vector_compare_scalar(Type type, Local dst, Local src, Scalar scalar, AscendC::CMPMODE mode, const Lanes& lanes,
                           Site site);
void vector_select(Type type, Local dst, Local mask, Local src0, Local src1, AscendC::SELMODE mode, const Lanes& lanes,
                   Site site);
void vector_select_scalar(Type type, Local dst, Local mask, Local src, Scalar scalar, AscendC::SELMODE mode, const Lanes& lanes,
                          Site site);

enum class Reduction : uint8_t { sum, max, min };
void reduce(Reduction kind, Type type, Local dst, Local src, Local tmp, int64_t count, bool index, Site site);
struct ReduceStride {
  int64_t dst_repeat, src_block, src_repeat;
};
void reduce_repeat(Reduction kind, Type type, Local dst, Local src, Mask mask, int64_t repeats, ReduceStride stride,
                   AscendC::ReduceOrder order, Site site);
void reduce_block(Reduction kind, Type type, Local dst, Local src, Mask mask, int64_t repeats, ReduceStride stride, Site site);
void reduce_pair(Type type, Local dst, Local src, Mask mask, int64_t repeats, ReduceStride stride, Site site);

}  // namespace twin
