"""Right kernels, written by hand in the way that generators are to write: static buffers, explicit flags, tails."""

from __future__ import annotations

from ascend_modules import HEAD

ADD = (
    HEAD
    + r"""
// z = x + y over n elements, tiles of 1024 dealt to the blocks, two buffers a tensor
extern "C" __global__ __aicore__ void add(GM_ADDR x, GM_ADDR y, GM_ADDR z, int n) {
  KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
  constexpr int tile = 1024;
  TPipe pipe;
  TBuf<TPosition::VECCALC> ub;
  pipe.InitBuffer(ub, 6 * tile * sizeof(float));
  GlobalTensor<float> xg, yg, zg;
  xg.SetGlobalBuffer((__gm__ float*)x, n);
  yg.SetGlobalBuffer((__gm__ float*)y, n);
  zg.SetGlobalBuffer((__gm__ float*)z, n);
  for (int slot = 0; slot < 2; ++slot) {
    SetFlag<HardEvent::V_MTE2>(slot);
    SetFlag<HardEvent::MTE3_V>(slot);
  }
  int slot = 0;
  for (int64_t start = GetBlockIdx() * tile; start < n; start += GetBlockNum() * tile) {
    const int lanes = n - start < tile ? n - start : tile;
    LocalTensor<float> a = ub.GetWithOffset<float>(tile, (slot * 3 + 0) * tile * sizeof(float));
    LocalTensor<float> b = ub.GetWithOffset<float>(tile, (slot * 3 + 1) * tile * sizeof(float));
    LocalTensor<float> c = ub.GetWithOffset<float>(tile, (slot * 3 + 2) * tile * sizeof(float));
    const DataCopyExtParams row(1, lanes * sizeof(float), 0, 0, 0);
    const DataCopyPadExtParams<float> none(false, 0, 0, 0.0f);
    WaitFlag<HardEvent::V_MTE2>(slot);
    DataCopyPad(a, xg[start], row, none);
    DataCopyPad(b, yg[start], row, none);
    SetFlag<HardEvent::MTE2_V>(slot);
    WaitFlag<HardEvent::MTE2_V>(slot);
    WaitFlag<HardEvent::MTE3_V>(slot);
    Add(c, a, b, lanes);
    SetFlag<HardEvent::V_MTE2>(slot);
    SetFlag<HardEvent::V_MTE3>(slot);
    WaitFlag<HardEvent::V_MTE3>(slot);
    DataCopyPad(zg[start], c, row);
    SetFlag<HardEvent::MTE3_V>(slot);
    slot = 1 - slot;
  }
  for (int slot = 0; slot < 2; ++slot) {
    WaitFlag<HardEvent::V_MTE2>(slot);
    WaitFlag<HardEvent::MTE3_V>(slot);
  }
}
"""
)

SOFTMAX = (
    HEAD
    + r"""
// y[r, :] = softmax(x[r, :]) in half, rows dealt to the blocks; computes in float
extern "C" __global__ __aicore__ void softmax(GM_ADDR x, GM_ADDR y, int rows, int cols) {
  KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
  constexpr int most = 2048;
  TPipe pipe;
  TBuf<TPosition::VECCALC> half_buffer, float_buffer, work_buffer, value_buffer;
  pipe.InitBuffer(half_buffer, most * sizeof(half));
  pipe.InitBuffer(float_buffer, most * sizeof(float));
  pipe.InitBuffer(work_buffer, most / 64 * 2 * sizeof(float));
  pipe.InitBuffer(value_buffer, 32);
  LocalTensor<half> h = half_buffer.Get<half>();
  LocalTensor<float> v = float_buffer.Get<float>();
  LocalTensor<float> work = work_buffer.Get<float>();
  LocalTensor<float> value = value_buffer.Get<float>();
  GlobalTensor<half> xg, yg;
  xg.SetGlobalBuffer((__gm__ half*)x, (uint64_t)rows * cols);
  yg.SetGlobalBuffer((__gm__ half*)y, (uint64_t)rows * cols);
  const DataCopyExtParams row(1, cols * sizeof(half), 0, 0, 0);
  SetFlag<HardEvent::MTE3_MTE2>(0);
  for (int r = GetBlockIdx(); r < rows; r += GetBlockNum()) {
    WaitFlag<HardEvent::MTE3_MTE2>(0);
    DataCopyPad(h, xg[(uint64_t)r * cols], row, DataCopyPadExtParams<half>(false, 0, 0, half(0)));
    SetFlag<HardEvent::MTE2_V>(0);
    WaitFlag<HardEvent::MTE2_V>(0);
    Cast(v, h, RoundMode::CAST_NONE, cols);
    PipeBarrier<PIPE_V>();
    ReduceMax(value, v, work, cols);
    const float high = value.GetValue(0);
    Adds(v, v, -high, cols);
    PipeBarrier<PIPE_V>();
    Exp(v, v, cols);
    PipeBarrier<PIPE_V>();
    ReduceSum(value, v, work, cols);
    const float scale = 1.0f / value.GetValue(0);
    Muls(v, v, scale, cols);
    PipeBarrier<PIPE_V>();
    Cast(h, v, RoundMode::CAST_RINT, cols);
    SetFlag<HardEvent::V_MTE3>(0);
    WaitFlag<HardEvent::V_MTE3>(0);
    DataCopyPad(yg[(uint64_t)r * cols], h, row);
    SetFlag<HardEvent::MTE3_MTE2>(0);
  }
  WaitFlag<HardEvent::MTE3_MTE2>(0);
}
"""
)

COLUMNS = (
    HEAD
    + r"""
// y[r, c] = relu(x[r, c + skip]) for c < take: a window of columns, padded rows on chip, NaN kept by Compare and Select
extern "C" __global__ __aicore__ void columns(GM_ADDR x, GM_ADDR y, int rows, int cols, int skip, int take) {
  KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
  const int pitch = (take + 7) / 8 * 8;
  const int lanes = (rows * pitch + 63) / 64 * 64;
  TPipe pipe;
  TBuf<TPosition::VECCALC> x_buffer, y_buffer, mask_buffer;
  pipe.InitBuffer(x_buffer, lanes * sizeof(float));
  pipe.InitBuffer(y_buffer, lanes * sizeof(float));
  pipe.InitBuffer(mask_buffer, lanes / 8);
  LocalTensor<float> v = x_buffer.Get<float>();
  LocalTensor<float> r = y_buffer.Get<float>();
  LocalTensor<uint8_t> number = mask_buffer.Get<uint8_t>();
  GlobalTensor<float> xg, yg;
  xg.SetGlobalBuffer((__gm__ float*)x, (uint64_t)rows * cols);
  yg.SetGlobalBuffer((__gm__ float*)y, (uint64_t)rows * take);
  Duplicate(v, 0.0f, lanes);
  SetFlag<HardEvent::V_MTE2>(0);
  WaitFlag<HardEvent::V_MTE2>(0);
  DataCopyExtParams window;
  window.blockCount = rows;
  window.blockLen = take * sizeof(float);
  window.srcStride = (cols - take) * sizeof(float);
  window.dstStride = 0;
  DataCopyPad(v, xg[skip], window, DataCopyPadExtParams<float>(true, 0, pitch - take, 0.0f));
  SetFlag<HardEvent::MTE2_V>(0);
  WaitFlag<HardEvent::MTE2_V>(0);
  Relu(r, v, lanes);
  Compare(number, v, v, CMPMODE::EQ, lanes);
  PipeBarrier<PIPE_V>();
  Select(r, number, r, v, SELMODE::VSEL_TENSOR_TENSOR_MODE, lanes);
  SetFlag<HardEvent::V_MTE3>(0);
  WaitFlag<HardEvent::V_MTE3>(0);
  DataCopyExtParams out;
  out.blockCount = rows;
  out.blockLen = take * sizeof(float);
  DataCopyPad(yg, r, out);
}
"""
)

MATMUL_HALF = (
    HEAD
    + r"""
// c[m, n] = a[m, k] * b[k, n], half in, float accumulator, half out; K in steps of 32, K padding zeroed in L1
extern "C" __global__ __aicore__ void matmul(GM_ADDR a, GM_ADDR b, GM_ADDR c, int M, int N, int K) {
  KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
  constexpr int k_tile = 32;
  const int m1 = (M + 15) / 16, n1 = (N + 15) / 16;
  TPipe pipe;
  TBuf<TPosition::A1> a1_buffer;
  TBuf<TPosition::B1> b1_buffer;
  TBuf<TPosition::A2> a2_buffer;
  TBuf<TPosition::B2> b2_buffer;
  TBuf<TPosition::CO1> c_buffer;
  pipe.InitBuffer(a1_buffer, m1 * 16 * k_tile * sizeof(half));
  pipe.InitBuffer(b1_buffer, n1 * 16 * k_tile * sizeof(half));
  pipe.InitBuffer(a2_buffer, m1 * 16 * k_tile * sizeof(half));
  pipe.InitBuffer(b2_buffer, n1 * 16 * k_tile * sizeof(half));
  pipe.InitBuffer(c_buffer, m1 * n1 * 1024);
  LocalTensor<half> a1 = a1_buffer.Get<half>(), b1 = b1_buffer.Get<half>();
  LocalTensor<half> a2 = a2_buffer.Get<half>(), b2 = b2_buffer.Get<half>();
  LocalTensor<float> acc = c_buffer.Get<float>();
  GlobalTensor<half> ag, bg, cg;
  ag.SetGlobalBuffer((__gm__ half*)a, (uint64_t)M * K);
  bg.SetGlobalBuffer((__gm__ half*)b, (uint64_t)K * N);
  cg.SetGlobalBuffer((__gm__ half*)c, (uint64_t)M * N);
  SetFlag<HardEvent::MTE1_MTE2>(0);
  SetFlag<HardEvent::M_MTE1>(3);
  for (int k0 = 0; k0 < K; k0 += k_tile) {
    const int k = K - k0 < k_tile ? K - k0 : k_tile, k1 = (k + 15) / 16;
    WaitFlag<HardEvent::MTE1_MTE2>(0);
    DataCopy(a1, ag[k0], Nd2NzParams(1, M, k, 0, K, m1 * 16, 1, 0));
    Fill(b1, InitConstValueParams<half>(1, n1 * k1 * 16, 0, half(0)));
    PipeBarrier<PIPE_MTE2>();
    DataCopy(b1, bg[(uint64_t)k0 * N], Nd2NzParams(1, k, N, 0, N, k1 * 16, 1, 0));
    SetFlag<HardEvent::MTE2_MTE1>(0);
    WaitFlag<HardEvent::MTE2_MTE1>(0);
    WaitFlag<HardEvent::M_MTE1>(3);
    for (int m = 0; m < m1; ++m) {
      LoadData2DParams load;
      load.startIndex = m;
      load.repeatTimes = k1;
      load.srcStride = m1;
      LoadData(a2[m * k1 * 256], a1, load);
    }
    for (int kk = 0; kk < k1; ++kk) {
      LoadData2DParams load;
      load.startIndex = kk;
      load.repeatTimes = n1;
      load.srcStride = k1;
      load.ifTranspose = true;
      LoadData(b2[kk * n1 * 256], b1, load);
    }
    SetFlag<HardEvent::MTE1_MTE2>(0);
    SetFlag<HardEvent::MTE1_M>(0);
    WaitFlag<HardEvent::MTE1_M>(0);
    MmadParams mmad;
    mmad.m = M;
    mmad.n = N;
    mmad.k = k;
    mmad.cmatrixInitVal = k0 == 0;
    Mmad(acc, a2, b2, mmad);  // M has waited for MTE1, and MTE1 for the Mmad before: no PipeBarrier<PIPE_M>
    SetFlag<HardEvent::M_MTE1>(3);
  }
  WaitFlag<HardEvent::MTE1_MTE2>(0);
  WaitFlag<HardEvent::M_MTE1>(3);
  SetFlag<HardEvent::M_FIX>(0);
  WaitFlag<HardEvent::M_FIX>(0);
  FixpipeParamsV220 fix;
  fix.nSize = N;
  fix.mSize = M;
  fix.srcStride = m1 * 16;
  fix.dstStride = N;
  fix.quantPre = QuantMode_t::F322F16;
  Fixpipe<half, float, CFG_ROW_MAJOR>(cg, acc, fix);
}
"""
)

MATMUL_FLOAT = (
    HEAD
    + r"""
// c[m, n] = relu(a[m, k] * b[k, n] + bias[n]) in float, one tile; B is transposed by squares of 16 x 16 on its way to L0B
extern "C" __global__ __aicore__ void matmul(GM_ADDR a, GM_ADDR b, GM_ADDR bias, GM_ADDR c, int M, int N, int K) {
  KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
  const int m1 = (M + 15) / 16, n1 = (N + 15) / 16, k1 = (K + 7) / 8, k2 = (K + 15) / 16, whole = K / 16, tail = K % 16;
  TPipe pipe;
  TBuf<TPosition::A1> a1_buffer;
  TBuf<TPosition::B1> b1_buffer;
  TBuf<TPosition::C1> bias1_buffer;
  TBuf<TPosition::C2> bias2_buffer;
  TBuf<TPosition::A2> a2_buffer;
  TBuf<TPosition::B2> b2_buffer;
  TBuf<TPosition::CO1> c_buffer;
  pipe.InitBuffer(a1_buffer, m1 * k1 * 512);
  pipe.InitBuffer(b1_buffer, k2 * n1 * 1024);
  pipe.InitBuffer(bias1_buffer, n1 * 64);
  pipe.InitBuffer(bias2_buffer, n1 * 64);
  pipe.InitBuffer(a2_buffer, m1 * k1 * 512);
  pipe.InitBuffer(b2_buffer, k2 * n1 * 1024);
  pipe.InitBuffer(c_buffer, m1 * n1 * 1024);
  LocalTensor<float> a1 = a1_buffer.Get<float>(), b1 = b1_buffer.Get<float>();
  LocalTensor<float> a2 = a2_buffer.Get<float>(), b2 = b2_buffer.Get<float>();
  LocalTensor<float> bias1 = bias1_buffer.Get<float>(), bias2 = bias2_buffer.Get<float>(), acc = c_buffer.Get<float>();
  GlobalTensor<float> ag, bg, bias_g, cg;
  ag.SetGlobalBuffer((__gm__ float*)a, (uint64_t)M * K);
  bg.SetGlobalBuffer((__gm__ float*)b, (uint64_t)K * N);
  bias_g.SetGlobalBuffer((__gm__ float*)bias, N);
  cg.SetGlobalBuffer((__gm__ float*)c, (uint64_t)M * N);
  DataCopy(a1, ag, Nd2NzParams(1, M, K, 0, K, m1 * 16, 1, 0));
  Fill(b1, InitConstValueParams<float>(1, k2 * n1 * 32, 0, 0.0f));
  PipeBarrier<PIPE_MTE2>();
  if (whole > 0) DataCopy(b1, bg, Nd2NzParams(whole, 16, N, 16 * N, N, 16, 1, n1 * 256));
  if (tail > 0) DataCopy(b1[whole * n1 * 256], bg[(uint64_t)whole * 16 * N], Nd2NzParams(1, tail, N, 0, N, 16, 1, 0));
  DataCopy(bias1, bias_g, Nd2NzParams(1, 1, N, 0, N, 1, 1, 0));
  SetFlag<HardEvent::MTE2_MTE1>(0);
  WaitFlag<HardEvent::MTE2_MTE1>(0);
  DataCopy(bias2, bias1, n1 * 16);
  for (int m = 0; m < m1; ++m) {
    LoadData2DParams load;
    load.startIndex = m;
    load.repeatTimes = k1;
    load.srcStride = m1;
    LoadData(a2[m * k1 * 128], a1, load);
  }
  for (int k = 0; k < k2; ++k) {
    LoadData2dTransposeParams load;
    load.startIndex = k * n1;
    load.repeatTimes = n1;
    load.srcStride = 1;
    load.dstFracGap = n1 - 1;
    LoadDataWithTranspose(b2[k * n1 * 256], b1, load);
  }
  SetFlag<HardEvent::MTE1_M>(0);
  WaitFlag<HardEvent::MTE1_M>(0);
  MmadParams mmad;
  mmad.m = M;
  mmad.n = N;
  mmad.k = K;
  Mmad(acc, a2, b2, bias2, mmad);
  SetFlag<HardEvent::M_FIX>(0);
  WaitFlag<HardEvent::M_FIX>(0);
  FixpipeParamsV220 fix(N, M, m1 * 16, N, true);
  Fixpipe(cg, acc, fix);
}
"""
)
