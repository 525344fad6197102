// Parameter structs, field for field the vendor's (kernel_struct_*.h). Fields notice values that do not fit them.
#pragma once
#include "site.h"
#include "types.h"

namespace AscendC {

using twin::Narrow;

// Blocks of 32 B; srcGap and dstGap from the end of one run to the start of the next.
struct DataCopyParams {
  DataCopyParams() {}
  DataCopyParams(Narrow<uint16_t> count, Narrow<uint16_t> len, Narrow<uint16_t> src, Narrow<uint16_t> dst)
      : blockCount(count), blockLen(len), srcStride(src), dstStride(dst) {}
  DataCopyParams(std::initializer_list<uint16_t> items) : DataCopyParams(twin::braces(items, 4)) {}
  Narrow<uint16_t> blockCount = 1;
  Narrow<uint16_t> blockLen = 0;
  union {
    Narrow<uint16_t> srcGap = 0;
    Narrow<uint16_t> srcStride;
  };
  union {
    Narrow<uint16_t> dstGap = 0;
    Narrow<uint16_t> dstStride;
  };

 private:
  explicit DataCopyParams(const uint16_t* list) : DataCopyParams(list[0], list[1], list[2], list[3]) {}
};

// blockLen in bytes; gaps in bytes on the GM side, in 32 B on the UB side.
struct DataCopyExtParams {
  DataCopyExtParams() {}
  DataCopyExtParams(Narrow<uint16_t> count, Narrow<uint32_t> len, Narrow<uint32_t> src, Narrow<uint32_t> dst,
                    Narrow<uint32_t> reserved)
      : blockCount(count), blockLen(len), srcStride(src), dstStride(dst), rsv(reserved) {}
  DataCopyExtParams(std::initializer_list<uint32_t> items) : DataCopyExtParams(twin::braces(items, 5)) {}
  Narrow<uint16_t> blockCount = 1;
  Narrow<uint32_t> blockLen = 0;
  Narrow<uint32_t> srcStride = 0;
  Narrow<uint32_t> dstStride = 0;
  Narrow<uint32_t> rsv = 0;

 private:
  explicit DataCopyExtParams(const uint32_t* list) : DataCopyExtParams(list[0], list[1], list[2], list[3], list[4]) {}
};

template <class T>
struct DataCopyPadExtParams {
  DataCopyPadExtParams() {}
  DataCopyPadExtParams(bool pad, Narrow<uint8_t> left, Narrow<uint8_t> right, T value)
      : isPad(pad), leftPadding(left), rightPadding(right), paddingValue(value) {}
  bool isPad = false;
  Narrow<uint8_t> leftPadding = 0;
  Narrow<uint8_t> rightPadding = 0;
  T paddingValue = {};
};

struct Nd2NzParams {
  Nd2NzParams() {}
  Nd2NzParams(Narrow<uint16_t> matrices, Narrow<uint16_t> n, Narrow<uint16_t> d, Narrow<uint16_t> srcMatrix,
              Narrow<uint16_t> srcD, Narrow<uint16_t> dstC0, Narrow<uint16_t> dstN, Narrow<uint16_t> dstMatrix)
      : ndNum(matrices),
        nValue(n),
        dValue(d),
        srcNdMatrixStride(srcMatrix),
        srcDValue(srcD),
        dstNzC0Stride(dstC0),
        dstNzNStride(dstN),
        dstNzMatrixStride(dstMatrix) {}
  Nd2NzParams(std::initializer_list<uint16_t> items) : Nd2NzParams(twin::braces(items, 8)) {}
  Narrow<uint16_t> ndNum = 0;
  Narrow<uint16_t> nValue = 0;
  Narrow<uint16_t> dValue = 0;
  Narrow<uint16_t> srcNdMatrixStride = 0;
  Narrow<uint16_t> srcDValue = 0;
  Narrow<uint16_t> dstNzC0Stride = 0;
  Narrow<uint16_t> dstNzNStride = 0;
  Narrow<uint16_t> dstNzMatrixStride = 0;

 private:
  explicit Nd2NzParams(const uint16_t* list)
      : Nd2NzParams(list[0], list[1], list[2], list[3], list[4], list[5], list[6], list[7]) {}
};

struct CopyRepeatParams {
  CopyRepeatParams() {}
  CopyRepeatParams(Narrow<uint16_t> dst, Narrow<uint16_t> src, Narrow<uint16_t> dstRepeat, Narrow<uint16_t> srcRepeat)
      : dstStride(dst), srcStride(src), dstRepeatSize(dstRepeat), srcRepeatSize(srcRepeat) {}
  CopyRepeatParams(std::initializer_list<uint16_t> items) : CopyRepeatParams(twin::braces(items, 4)) {}
  Narrow<uint16_t> dstStride = 0;
  Narrow<uint16_t> srcStride = 0;
  Narrow<uint16_t> dstRepeatSize = 8;
  Narrow<uint16_t> srcRepeatSize = 8;

 private:
  explicit CopyRepeatParams(const uint16_t* list) : CopyRepeatParams(list[0], list[1], list[2], list[3]) {}
};

// Strides in 32 B: between the 8 blocks of a repeat, and between repeats.
struct UnaryRepeatParams {
  UnaryRepeatParams() {}
  UnaryRepeatParams(Narrow<uint16_t> dstBlk, Narrow<uint16_t> srcBlk, Narrow<uint8_t> dstRep, Narrow<uint8_t> srcRep)
      : dstBlkStride(dstBlk), srcBlkStride(srcBlk), dstRepStride(dstRep), srcRepStride(srcRep) {}
  UnaryRepeatParams(std::initializer_list<uint16_t> items) : UnaryRepeatParams(twin::braces(items, 4)) {}
  Narrow<uint16_t> dstBlkStride = 1;
  Narrow<uint16_t> srcBlkStride = 1;
  Narrow<uint8_t> dstRepStride = 8;
  Narrow<uint8_t> srcRepStride = 8;

 private:
  explicit UnaryRepeatParams(const uint16_t* list) : UnaryRepeatParams(list[0], list[1], list[2], list[3]) {}
};

struct BinaryRepeatParams {
  BinaryRepeatParams() {}
  BinaryRepeatParams(Narrow<uint8_t> dstBlk, Narrow<uint8_t> src0Blk, Narrow<uint8_t> src1Blk, Narrow<uint8_t> dstRep,
                     Narrow<uint8_t> src0Rep, Narrow<uint8_t> src1Rep)
      : dstBlkStride(dstBlk),
        src0BlkStride(src0Blk),
        src1BlkStride(src1Blk),
        dstRepStride(dstRep),
        src0RepStride(src0Rep),
        src1RepStride(src1Rep) {}
  BinaryRepeatParams(std::initializer_list<uint8_t> items) : BinaryRepeatParams(twin::braces(items, 6)) {}
  Narrow<uint8_t> dstBlkStride = 1;
  Narrow<uint8_t> src0BlkStride = 1;
  Narrow<uint8_t> src1BlkStride = 1;
  Narrow<uint8_t> dstRepStride = 8;
  Narrow<uint8_t> src0RepStride = 8;
  Narrow<uint8_t> src1RepStride = 8;

 private:
  explicit BinaryRepeatParams(const uint8_t* list) : BinaryRepeatParams(list[0], list[1], list[2], list[3], list[4], list[5]) {}
};

struct BrcbRepeatParams {
  BrcbRepeatParams() {}
  BrcbRepeatParams(Narrow<uint16_t> dstBlk, Narrow<uint16_t> dstRep) : dstRepStride(dstRep), dstBlkStride(dstBlk) {}
  BrcbRepeatParams(std::initializer_list<uint16_t> items) : BrcbRepeatParams(twin::braces(items, 2)) {}
  Narrow<uint16_t> dstRepStride = 8;
  Narrow<uint16_t> dstBlkStride = 1;

 private:
  explicit BrcbRepeatParams(const uint16_t* list) : BrcbRepeatParams(list[0], list[1]) {}
};

// Fractals of 512 B. srcStride from start to start, dstGap from end to start.
struct LoadData2DParams {
  LoadData2DParams() {}
  LoadData2DParams(Narrow<uint16_t> start, Narrow<uint8_t> repeats, Narrow<uint16_t> stride, Narrow<uint8_t> sidIn,
                   Narrow<uint16_t> gap, bool transpose, Narrow<uint8_t> mode)
      : startIndex(start),
        dstGap(gap),
        srcStride(stride),
        ifTranspose(transpose),
        repeatTimes(repeats),
        sid(sidIn),
        addrMode(mode) {}
  LoadData2DParams(std::initializer_list<uint16_t> items) : LoadData2DParams(twin::braces(items, 7)) {}
  Narrow<uint16_t> startIndex = 0;
  Narrow<uint16_t> dstGap = 0;
  Narrow<uint16_t> srcStride = 0;
  bool ifTranspose = false;
  Narrow<uint8_t> repeatTimes = 0;
  Narrow<uint8_t> sid = 0;
  Narrow<uint8_t> addrMode = 0;

 private:
  explicit LoadData2DParams(const uint16_t* list)
      : LoadData2DParams(list[0], list[1], list[2], list[3], list[4], list[5], list[6]) {}
};
using LoadData2dParams = LoadData2DParams;

// Squares of 16x16 (b32) or 32x32 (b8) elements: two fractals each.
struct LoadData2dTransposeParams {
  LoadData2dTransposeParams() {}
  LoadData2dTransposeParams(Narrow<uint16_t> start, Narrow<uint8_t> repeats, Narrow<uint16_t> stride, Narrow<uint16_t> gap,
                            Narrow<uint16_t> fracGap, Narrow<uint8_t> mode = 0)
      : startIndex(start), repeatTimes(repeats), srcStride(stride), dstGap(gap), dstFracGap(fracGap), addrMode(mode) {}
  LoadData2dTransposeParams(std::initializer_list<uint16_t> items) : LoadData2dTransposeParams(twin::braces(items, 5)) {}
  Narrow<uint16_t> startIndex = 0;
  Narrow<uint8_t> repeatTimes = 0;
  Narrow<uint16_t> srcStride = 0;
  Narrow<uint16_t> dstGap = 0;
  Narrow<uint16_t> dstFracGap = 0;
  Narrow<uint8_t> addrMode = 0;

 private:
  explicit LoadData2dTransposeParams(const uint16_t* list)
      : LoadData2dTransposeParams(list[0], list[1], list[2], list[3], list[4]) {}
};

struct MmadParams {
  MmadParams() {}
  MmadParams(Narrow<uint16_t> rows, Narrow<uint16_t> cols, Narrow<uint16_t> depth, Narrow<uint8_t> unit, bool source, bool init)
      : m(rows), n(cols), k(depth), unitFlag(unit), cmatrixSource(source), cmatrixInitVal(init) {}
  MmadParams(std::initializer_list<uint16_t> items) : MmadParams(twin::braces(items, 6)) {}
  Narrow<uint16_t> m = 0;
  Narrow<uint16_t> n = 0;
  Narrow<uint16_t> k = 0;
  bool isBias = false;
  Narrow<uint8_t> unitFlag = 0;
  bool kDirectionAlign = false;
  bool cmatrixSource = false;
  bool cmatrixInitVal = true;

 private:
  explicit MmadParams(const uint16_t* list) : MmadParams(list[0], list[1], list[2], list[3], list[4], list[5]) {}
};

template <class T>
struct InitConstValueParams {
  InitConstValueParams() {}
  InitConstValueParams(Narrow<uint16_t> repeats, Narrow<uint16_t> blocks, Narrow<uint16_t> gap, T value)
      : repeatTimes(repeats), blockNum(blocks), dstGap(gap), initValue(value) {}
  Narrow<uint16_t> repeatTimes = 0;
  Narrow<uint16_t> blockNum = 0;
  Narrow<uint16_t> dstGap = 0;
  T initValue = {};
};

// srcStride in rows of 16; dstStride in elements for row-major results.
struct FixpipeParamsV220 {
  FixpipeParamsV220() {}
  FixpipeParamsV220(Narrow<uint16_t> n, Narrow<uint16_t> m, Narrow<uint16_t> src, Narrow<uint32_t> dst, bool relu)
      : nSize(n), mSize(m), srcStride(src), dstStride(dst), reluEn(relu) {}
  FixpipeParamsV220(std::initializer_list<uint32_t> items) : FixpipeParamsV220(twin::braces(items, 5)) {}
  Narrow<uint16_t> nSize = 0;
  Narrow<uint16_t> mSize = 0;
  Narrow<uint16_t> srcStride = 0;
  Narrow<uint32_t> dstStride = 0;
  QuantMode_t quantPre = QuantMode_t::NoQuant;
  uint64_t deqScalar = 0;
  Narrow<uint16_t> ndNum = 1;
  Narrow<uint16_t> srcNdStride = 0;
  Narrow<uint16_t> dstNdStride = 0;
  bool reluEn = false;
  Narrow<uint8_t> unitFlag = 0;
  bool isChannelSplit = false;

 private:
  explicit FixpipeParamsV220(const uint32_t* list) : FixpipeParamsV220(list[0], list[1], list[2], list[3], list[4]) {}
};

}  // namespace AscendC
