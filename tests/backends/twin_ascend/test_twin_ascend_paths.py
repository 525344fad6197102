"""Further right kernels of the 910B's twin: atomics over blocks, scalars through the data cache, bf16 and int8 products."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_modules import HEAD, dense, job, module

from uol.backends.twin import execute_many

ATOMIC = (
    HEAD
    + r"""
extern "C" __global__ __aicore__ void clear(GM_ADDR x, GM_ADDR y) {
  TPipe pipe;
  TBuf<TPosition::VECCALC> ub;
  pipe.InitBuffer(ub, 1024);
  LocalTensor<float> v = ub.Get<float>();
  GlobalTensor<float> yg;
  yg.SetGlobalBuffer((__gm__ float*)y, 250);
  Duplicate(v, 0.0f, 256);
  SetFlag<HardEvent::V_MTE3>(0);
  WaitFlag<HardEvent::V_MTE3>(0);
  DataCopyPad(yg, v, DataCopyExtParams(1, 1000, 0, 0, 0));
}
extern "C" __global__ __aicore__ void sum_rows(GM_ADDR x, GM_ADDR y) {
  TPipe pipe;
  TBuf<TPosition::VECCALC> ub;
  pipe.InitBuffer(ub, 1024);
  LocalTensor<float> v = ub.Get<float>();
  GlobalTensor<float> xg, yg;
  xg.SetGlobalBuffer((__gm__ float*)x, 1000);
  yg.SetGlobalBuffer((__gm__ float*)y, 250);
  DataCopyPad(v, xg[GetBlockIdx() * 250], DataCopyExtParams(1, 1000, 0, 0, 0), DataCopyPadExtParams<float>());
  SetFlag<HardEvent::MTE2_MTE3>(0);
  WaitFlag<HardEvent::MTE2_MTE3>(0);
  SetAtomicAdd<float>();
  DataCopyPad(yg, v, DataCopyExtParams(1, 1000, 0, 0, 0));
  SetAtomicNone();
}
"""
)

SCALARS = (
    HEAD
    + r"""
// y[i] = 2 * x[i] + i by the scalar unit; a block owns whole cache lines
extern "C" __global__ __aicore__ void scalars(GM_ADDR x, GM_ADDR y) {
  InitSocState();
  GlobalTensor<float> xg, yg;
  xg.SetGlobalBuffer((__gm__ float*)x, 64);
  yg.SetGlobalBuffer((__gm__ float*)y, 64);
  for (int i = GetBlockIdx() * 16; i < GetBlockIdx() * 16 + 16; ++i) yg.SetValue(i, 2 * xg.GetValue(i) + i);
  DataCacheCleanAndInvalid<float, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(yg[GetBlockIdx() * 16]);
}
"""
)

TRANSPOSED = (
    HEAD
    + r"""
// c[m, n] = a[m, k] * b[n, k]: B given by rows of k lies in L1 as L0B wants it
extern "C" __global__ __aicore__ void product(GM_ADDR a, GM_ADDR b, GM_ADDR c) {
  constexpr int M = 20, N = 40, K = 70, m1 = 2, n1 = 3, k1 = (K + @C0@ - 1) / @C0@;
  TPipe pipe;
  TBuf<TPosition::A1> l1;
  TBuf<TPosition::A2> a2_buffer;
  TBuf<TPosition::B2> b2_buffer;
  TBuf<TPosition::CO1> c_buffer;
  pipe.InitBuffer(l1, (m1 + n1) * k1 * 512);
  pipe.InitBuffer(a2_buffer, m1 * k1 * 512);
  pipe.InitBuffer(b2_buffer, n1 * k1 * 512);
  pipe.InitBuffer(c_buffer, m1 * n1 * 1024);
  LocalTensor<@T@> a1 = l1.GetWithOffset<@T@>(m1 * k1 * 16 * @C0@, 0);
  LocalTensor<@T@> b1 = l1.GetWithOffset<@T@>(n1 * k1 * 16 * @C0@, m1 * k1 * 512);
  LocalTensor<@T@> a2 = a2_buffer.Get<@T@>(), b2 = b2_buffer.Get<@T@>();
  LocalTensor<@ACC@> acc = c_buffer.Get<@ACC@>();
  GlobalTensor<@T@> ag, bg;
  GlobalTensor<@OUT@> cg;
  ag.SetGlobalBuffer((__gm__ @T@*)a, M * K);
  bg.SetGlobalBuffer((__gm__ @T@*)b, N * K);
  cg.SetGlobalBuffer((__gm__ @OUT@*)c, M * N);
  DataCopy(a1, ag, Nd2NzParams(1, M, K, 0, K, m1 * 16, 1, 0));
  DataCopy(b1, bg, Nd2NzParams(1, N, K, 0, K, n1 * 16, 1, 0));
  SetFlag<HardEvent::MTE2_MTE1>(0);
  WaitFlag<HardEvent::MTE2_MTE1>(0);
  for (int m = 0; m < m1; ++m) LoadData(a2[m * k1 * 16 * @C0@], a1, LoadData2DParams(m, k1, m1, 0, 0, false, 0));
  LoadData(b2, b1, LoadData2DParams(0, k1 * n1, 1, 0, 0, false, 0));
  SetFlag<HardEvent::MTE1_M>(0);
  WaitFlag<HardEvent::MTE1_M>(0);
  Mmad(acc, a2, b2, MmadParams(M, N, K, 0, false, true));
  SetFlag<HardEvent::M_FIX>(0);
  WaitFlag<HardEvent::M_FIX>(0);
  FixpipeParamsV220 fix(N, M, m1 * 16, N, false);
  fix.quantPre = QuantMode_t::@QUANT@;
  Fixpipe<@OUT@, @ACC@, CFG_ROW_MAJOR>(cg, acc, fix);
}
"""
)


def filled(text: str, **names: str) -> str:
    for name, value in names.items():
        text = text.replace(f"@{name}@", value)
    return text


def test_blocks_add_up_atomically() -> None:
    args = [dense("x", "f32", [4, 250], "in"), dense("y", "f32", [250], "out")]
    x = np.random.default_rng(1).integers(-50, 50, (4, 250)).astype("f4")
    run = execute_many([job(module(ATOMIC, args, {"clear": ("aiv", 1), "sum_rows": ("aiv", 4)}), {"x": x})])[0]
    assert not run.findings, [str(f) for f in run.findings]
    np.testing.assert_array_equal(run.outputs["y"], x.sum(axis=0))


def test_scalars_go_through_the_cache() -> None:
    args = [dense("x", "f32", [64], "in"), dense("y", "f32", [64], "out")]
    x = np.random.default_rng(2).normal(size=64).astype("f4")
    run = execute_many([job(module(SCALARS, args, {"scalars": ("aiv", 4)}), {"x": x})])[0]
    assert not run.findings, [str(f) for f in run.findings]
    np.testing.assert_array_equal(run.outputs["y"], 2 * x + np.arange(64, dtype="f4"))
    assert (run.counts["scalar_reads"], run.counts["scalar_writes"]) == (64, 64)


@pytest.mark.parametrize("dtype", ["i8", "bf16"])
def test_products_of_bytes_and_bf16(dtype: str) -> None:
    rng = np.random.default_rng(3)
    whole_a, whole_b = rng.integers(-9, 10, (20, 70)), rng.integers(-9, 10, (40, 70))
    if dtype == "i8":
        text = filled(TRANSPOSED, T="int8_t", ACC="int32_t", OUT="int32_t", C0="32", QUANT="NoQuant")
        a, b, out = whole_a.astype("i1"), whole_b.astype("i1"), "i32"
    else:  # small integers are exact in bf16: the upper half of their f32
        text = filled(TRANSPOSED, T="bfloat16_t", ACC="float", OUT="float", C0="16", QUANT="NoQuant")
        a, b = ((v.astype("f4").view("u4") >> 16).astype("u2") for v in (whole_a, whole_b))
        out = "f32"
    args = [dense("a", dtype, [20, 70], "in"), dense("b", dtype, [40, 70], "in"), dense("c", out, [20, 40], "out")]
    run = execute_many([job(module(text, args, {"product": ("aic", 1)}), {"a": a, "b": b})])[0]
    assert not run.findings, [str(f) for f in run.findings]
    np.testing.assert_array_equal(run.outputs["c"], whole_a @ whole_b.T)
