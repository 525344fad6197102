"""Kernels with one planted bug each. A line that ends in `// ! kind` is where that kind of finding must be; no other may be.

Every kernel takes x (512 f32, input), h (512 f16, input), y (512 f32, result), w (512 f32, workspace).
"""

from __future__ import annotations

from dataclasses import dataclass

from ascend_modules import HEAD

SETUP = """\
  TPipe pipe;
  GlobalTensor<float> xg, yg, wg;
  GlobalTensor<half> hg;
  xg.SetGlobalBuffer((__gm__ float*)x, 512);
  hg.SetGlobalBuffer((__gm__ half*)h, 512);
  yg.SetGlobalBuffer((__gm__ float*)y, 512);
  wg.SetGlobalBuffer((__gm__ float*)w, 512);
"""

VECTOR = """\
  TBuf<TPosition::VECCALC> a_buffer, b_buffer, c_buffer;
  pipe.InitBuffer(a_buffer, 2048);
  pipe.InitBuffer(b_buffer, 2048);
  pipe.InitBuffer(c_buffer, 2048);
  LocalTensor<float> a = a_buffer.Get<float>(), b = b_buffer.Get<float>(), c = c_buffer.Get<float>();
"""

LOAD = """\
  DataCopy(a, xg, 512);
  SetFlag<HardEvent::MTE2_V>(0);
  WaitFlag<HardEvent::MTE2_V>(0);
"""

STORE = """\
  SetFlag<HardEvent::V_MTE3>(0);
  WaitFlag<HardEvent::V_MTE3>(0);
  DataCopy(yg, a, 512);
"""

CUBE = """\
  TBuf<TPosition::A1> a1_buffer;
  TBuf<TPosition::A2> a2_buffer;
  TBuf<TPosition::B2> b2_buffer;
  TBuf<TPosition::CO1> c_buffer;
  pipe.InitBuffer(a1_buffer, 4096);
  pipe.InitBuffer(a2_buffer, 4096);
  pipe.InitBuffer(b2_buffer, 4096);
  pipe.InitBuffer(c_buffer, 4096);
  LocalTensor<half> a1 = a1_buffer.Get<half>(), a2 = a2_buffer.Get<half>(), b2 = b2_buffer.Get<half>();
  LocalTensor<float> acc = c_buffer.Get<float>();
"""

# h as a 16 x 16 matrix, in L0A and, transposed as it is, in L0B
CUBE_LOAD = """\
  DataCopy(a1, hg, Nd2NzParams(1, 16, 16, 0, 16, 16, 1, 0));
  SetFlag<HardEvent::MTE2_MTE1>(0);
  WaitFlag<HardEvent::MTE2_MTE1>(0);
  LoadData(a2, a1, LoadData2DParams(0, 1, 1, 0, 0, false, 0));
  LoadData(b2, a1, LoadData2DParams(0, 1, 1, 0, 0, false, 0));
  SetFlag<HardEvent::MTE1_M>(0);
  WaitFlag<HardEvent::MTE1_M>(0);
"""

CUBE_STORE = """\
  SetFlag<HardEvent::M_FIX>(0);
  WaitFlag<HardEvent::M_FIX>(0);
  Fixpipe(yg, acc, FixpipeParamsV220(16, 16, 16, 16, false));
"""


@dataclass(frozen=True)
class Planted:
    name: str
    body: str
    core: str = "aiv"
    blocks: int = 1

    @property
    def text(self) -> str:
        head = 'extern "C" __global__ __aicore__ void bug(GM_ADDR x, GM_ADDR h, GM_ADDR y, GM_ADDR w) {\n'
        return HEAD + head + self.body + "}\n"


def vector(name: str, body: str, blocks: int = 1) -> Planted:
    return Planted(name, SETUP + VECTOR + body, "aiv", blocks)


def cube(name: str, body: str) -> Planted:
    return Planted(name, SETUP + CUBE + body, "aic")


ORDER = (
    vector("no flag from copy to vector", "  DataCopy(a, xg, 512);\n  Muls(a, a, 2.0f, 512);  // ! hazard-raw, hazard-waw\n" + STORE),
    vector("no flag from vector to copy", LOAD + "  Muls(a, a, 2.0f, 512);\n  DataCopy(yg, a, 512);  // ! hazard-raw\n"),
    vector(
        "next tile loaded while the last one is read",
        LOAD + "  Muls(b, a, 2.0f, 512);\n  DataCopy(a, xg, 512);  // ! hazard-war, hazard-waw\n"
        "  SetFlag<HardEvent::MTE2_V>(0);\n  WaitFlag<HardEvent::MTE2_V>(0);\n  Muls(a, a, 2.0f, 512);\n" + STORE,
    ),
    vector("no barrier between dependent vector instructions", LOAD + "  Muls(b, a, 2.0f, 512);\n  Adds(a, b, 1.0f, 512);  // ! hazard-raw, hazard-war\n" + STORE),
    vector("two vector instructions onto one place", LOAD + "  Muls(b, a, 2.0f, 512);\n  Adds(b, a, 1.0f, 512);  // ! hazard-waw\n" + STORE),
    vector(
        "two loads onto one place",
        "  DataCopy(a, xg, 512);\n  DataCopy(a, xg, 256);  // ! hazard-waw\n  SetFlag<HardEvent::MTE2_V>(0);\n"
        "  WaitFlag<HardEvent::MTE2_V>(0);\n" + STORE,
    ),
    vector("two stores onto one place", LOAD + STORE + "  DataCopy(yg, a, 256);  // ! hazard-waw\n"),
    vector(
        "a workspace read before its store has finished",
        LOAD + "  SetFlag<HardEvent::V_MTE3>(0);\n  WaitFlag<HardEvent::V_MTE3>(0);\n  DataCopy(wg, a, 512);\n"
        "  DataCopy(b, wg, 512);  // ! hazard-raw\n  DataCopy(yg, a, 512);\n",
    ),
    vector("a scalar read without V_S", LOAD + "  Muls(a, a, 2.0f, 512);\n  const float v = a.GetValue(0);  // ! hazard-raw\n" + STORE),
    vector(
        "a scalar written without S_V",
        LOAD + "  Adds(b, a, 1.0f, 512);\n  SetFlag<HardEvent::V_S>(0);\n  WaitFlag<HardEvent::V_S>(0);\n  b.SetValue(3, 1.0f);\n"
        "  Adds(a, b, 1.0f, 512);  // ! hazard-raw\n" + STORE,
    ),
    vector("different bytes of one cell", LOAD + "  Duplicate(b, 1.0f, 6);\n  WholeReduceSum(b[7], a, 64, 1, 1, 1, 8);  // ! hazard-waw\n" + STORE),
    vector("waited for and never set", LOAD + "  WaitFlag<HardEvent::MTE3_V>(1);  // ! flag-wait-unset\n" + STORE),
    vector("set twice", LOAD + "  SetFlag<HardEvent::V_MTE2>(1);\n  SetFlag<HardEvent::V_MTE2>(1);  // ! flag-set-twice\n  WaitFlag<HardEvent::V_MTE2>(1);\n" + STORE),
    vector("left set", LOAD + "  SetFlag<HardEvent::V_MTE2>(2);  // ! flag-leaked\n" + STORE),
    vector("a reserved id", LOAD + "  SetFlag<HardEvent::V_MTE2>(6);  // ! flag-id\n  WaitFlag<HardEvent::V_MTE2>(6);  // ! flag-id\n" + STORE),
    vector("an id that does not exist", LOAD + "  SetFlag<HardEvent::V_MTE2>(8);  // ! flag-id\n" + STORE),
    vector("an event of the other core", LOAD + "  SetFlag<HardEvent::M_FIX>(0);  // ! flag-core\n  WaitFlag<HardEvent::M_FIX>(0);  // ! flag-core\n" + STORE),
    vector("a barrier of the other core", LOAD + "  PipeBarrier<PIPE_M>();  // ! barrier\n" + STORE),
    vector("a reduction inside a taken flag", LOAD + "  SetFlag<HardEvent::V_S>(0);\n  ReduceMax(b, a, c, 512);  // ! flag-set-twice\n" + STORE),
)

MEMORY = (
    vector("an unaligned operand", LOAD + "  Adds(b[1], a, 1.0f, 256);  // ! align\n" + STORE),
    vector("an unaligned copy", "  DataCopy(b[4], xg, 256);  // ! align\n" + LOAD + STORE),
    vector("too much UB", "  TBuf<TPosition::VECCALC> big;\n  pipe.InitBuffer(big, 184 * 1024);  // ! capacity\n" + LOAD + STORE),
    vector("beyond the buffer", LOAD + "  Adds(b[256], a, 1.0f, 512);  // ! out-of-bounds-local\n" + STORE),
    vector("a view shorter than the work", LOAD + "  Adds(b_buffer.GetWithOffset<float>(64, 0), a, 1.0f, 65);  // ! out-of-bounds-local\n" + STORE),
    vector("beyond the input", "  DataCopyPad(b, xg[500], DataCopyExtParams(1, 52, 0, 0, 0), DataCopyPadExtParams<float>());  // ! out-of-bounds-global\n" + LOAD + STORE),
    vector("beyond SetGlobalBuffer", "  xg.SetGlobalBuffer((__gm__ float*)x, 100);\n  DataCopy(b, xg, 128);  // ! out-of-bounds-global\n  xg.SetGlobalBuffer((__gm__ float*)x, 512);\n" + LOAD + STORE),
    vector("before the result", LOAD + STORE + "  DataCopy(yg[-8], a, 8);  // ! out-of-bounds-global\n"),
    vector("a write to an input", LOAD + STORE + "  DataCopy(xg, a, 512);  // ! input-write\n"),
    vector("UB that nothing wrote", LOAD + "  Add(a, a, b, 512);  // ! uninitialised-local\n" + STORE),
    vector("one byte that nothing wrote", LOAD + "  Adds(b, a, 1.0f, 511);\n  PipeBarrier<PIPE_V>();\n  Adds(a, b, 1.0f, 512);  // ! uninitialised-local\n" + STORE),
    vector(
        "filler of DataCopyPad used",
        "  DataCopyPad(b, xg, DataCopyExtParams(1, 20, 0, 0, 0), DataCopyPadExtParams<float>(false, 0, 0, 0.0f));\n" + LOAD
        + "  Adds(c, b, 1.0f, 8);  // ! uninitialised-local\n" + STORE,
    ),
    vector("a workspace that nothing wrote", "  DataCopy(b, wg, 512);  // ! uninitialised-global\n" + LOAD + STORE),
    vector("two blocks write one place", LOAD + STORE.replace("DataCopy(yg, a, 512);", "DataCopy(yg, a, 512);  // ! race-blocks"), 2),
    vector(
        "a block reads what another one wrote",
        LOAD + "  SetFlag<HardEvent::V_MTE3>(0);\n  WaitFlag<HardEvent::V_MTE3>(0);\n  DataCopy(wg[GetBlockIdx() * 256], a, 256);\n"
        "  DataCopy(yg[GetBlockIdx() * 256], a, 256);\n  SetFlag<HardEvent::MTE3_MTE2>(0);\n  WaitFlag<HardEvent::MTE3_MTE2>(0);\n"
        "  DataCopy(b, wg, 256);  // ! race-blocks\n",
        2,
    ),
    vector(
        "scalars of two blocks in one cache line",
        LOAD + STORE.replace("DataCopy(yg, a, 512);", "if (GetBlockIdx() == 0) DataCopy(yg, a, 512);")
        + "  wg.SetValue(GetBlockIdx(), 1.0f);\n"
        "  DataCacheCleanAndInvalid<float, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(wg);  // ! race-blocks\n",
        2,
    ),
    vector("a scalar left in the cache", LOAD + STORE + "  wg.SetValue(0, 1.0f);  // ! dcache-dirty\n"),
    vector(
        "a stale scalar",
        LOAD + "  wg.SetValue(0, 1.0f);\n  DataCacheCleanAndInvalid<float, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(wg);\n"
        "  const float before = wg.GetValue(0);\n  SetFlag<HardEvent::S_MTE3>(0);\n  WaitFlag<HardEvent::S_MTE3>(0);\n"
        "  SetFlag<HardEvent::V_MTE3>(0);\n  WaitFlag<HardEvent::V_MTE3>(0);\n  DataCopy(wg, a, 512);\n  DataCopy(yg, a, 512);\n"
        "  SetFlag<HardEvent::MTE3_S>(0);\n  WaitFlag<HardEvent::MTE3_S>(0);\n  const float after = wg.GetValue(0);  // ! dcache-stale\n",
    ),
    vector("atomic mode left on", LOAD + STORE + "  SetAtomicAdd<float>();  // ! atomic\n"),
    vector("an atomic onto nothing", LOAD + "  SetAtomicAdd<float>();\n" + STORE.replace("DataCopy(yg, a, 512);", "DataCopy(yg, a, 512);  // ! uninitialised-global\n  SetAtomicNone();")),
    Planted("no TPipe", "  LocalTensor<float> a(TPosition::VECCALC, 0, 64);\n  Duplicate(a, 1.0f, 64);  // ! no-init\n"),
)

ARGUMENTS = (
    vector("a copy of broken blocks", LOAD + "  DataCopy(b, xg, 13);  // ! copy-size\n" + STORE),
    vector("bytes that are no elements", LOAD + "  DataCopyPad(b, xg, DataCopyExtParams(1, 6, 0, 0, 0), DataCopyPadExtParams<float>());  // ! copy-size\n" + STORE),
    vector("too many rows", LOAD + "  DataCopyPad(b, xg, DataCopyExtParams(4096, 0, 0, 0, 0), DataCopyPadExtParams<float>());  // ! copy-limit\n" + STORE),
    vector("too wide a padding", LOAD + "  DataCopyPad(b, xg, DataCopyExtParams(1, 4, 0, 0, 0), DataCopyPadExtParams<float>(true, 9, 0, 0.0f));  // ! copy-limit\n" + STORE),
    vector("a row count beyond its field", LOAD + "  DataCopyExtParams p;\n  int rows = 65537;\n  p.blockCount = rows;  // ! overflow\n" + STORE),
    vector("a gap beyond its field", LOAD + "  DataCopyParams p;\n  int gap = -1;\n  p.srcStride = gap;  // ! overflow\n" + STORE),
    vector("more repeats than a byte holds", LOAD + "  int repeats = 257;\n  Adds(b, a, 1.0f, 64, repeats, UnaryRepeatParams(1, 1, 8, 8));  // ! overflow\n" + STORE),
    vector("more repeats than a reduction takes", LOAD + "  WholeReduceSum(b, a, 64, 256, 1, 1, 8);  // ! repeat-limit\n" + STORE),
    vector("more lanes than a repeat has", LOAD + "  Adds(b, a, 1.0f, 65, 1, UnaryRepeatParams());  // ! mask\n" + STORE),
    vector("a mask of 128 bits for 32-bit lanes", LOAD + "  uint64_t mask[2] = {~0ull, 1};\n  Adds(b, a, 1.0f, mask, 1, UnaryRepeatParams());  // ! mask\n" + STORE),
    vector("a comparison of a broken repeat", LOAD + "  Compare(b.ReinterpretCast<uint8_t>(), a, a, CMPMODE::EQ, 100);  // ! compare-size\n" + STORE),
    vector("an ordered comparison of integers", LOAD + "  CompareScalar(b.ReinterpretCast<uint8_t>(), a.ReinterpretCast<int32_t>(), int32_t{0}, CMPMODE::LT, 64);  // ! cast-mode\n" + STORE),
    vector("a select of the wrong mode", LOAD + "  Select(b, a.ReinterpretCast<uint8_t>(), a, a, SELMODE::VSEL_TENSOR_SCALAR_MODE, 64);  // ! select-mode\n" + STORE),
    vector(
        "a select over its own temporaries",
        "  TBuf<TPosition::VECCALC> big;\n  pipe.InitBuffer(big, 183 * 1024);  // ! capacity\n" + LOAD
        + "  Select(b, a.ReinterpretCast<uint8_t>(), a, 0.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, 64);  // ! select-clobber\n" + STORE,
    ),
    vector("a partial overlap", LOAD + "  Adds(a[8], a, 1.0f, 64);  // ! overlap\n" + STORE),
    vector("a cast in place", LOAD + "  Cast(a.ReinterpretCast<half>(), a, RoundMode::CAST_RINT, 64);  // ! overlap\n" + STORE),
    vector("a gather within its source", LOAD + "  Duplicate(b.ReinterpretCast<uint32_t>(), 0u, 8);\n  PipeBarrier<PIPE_V>();\n  Gather(a[8], a, b.ReinterpretCast<uint32_t>(), 0, 8);  // ! overlap\n" + STORE),
    vector("a gather by elements", LOAD + "  Duplicate(b.ReinterpretCast<uint32_t>(), 3u, 8);\n  PipeBarrier<PIPE_V>();\n  Gather(c, a, b.ReinterpretCast<uint32_t>(), 0, 8);  // ! gather-offset\n" + STORE),
    vector("too small a temporary", LOAD + "  ReduceMax(b, a, c_buffer.GetWithOffset<float>(8, 0), 512);  // ! tmp-size\n" + STORE),
    vector("a rounding mode that the pair lacks", LOAD + "  Cast(b.ReinterpretCast<int32_t>(), a, RoundMode::CAST_NONE, 64);  // ! cast-mode\n" + STORE),
    vector("a vector operand in L1", "  TBuf<TPosition::A1> far;\n  pipe.InitBuffer(far, 256);\n" + LOAD + "  Adds(b, far.Get<float>(), 1.0f, 64);  // ! position\n" + STORE),
    vector("a scalar read from L1", "  TBuf<TPosition::A1> far;\n  pipe.InitBuffer(far, 256);\n" + LOAD + STORE + "  const float v = far.Get<float>().GetValue(0);  // ! scalar-access\n"),
    vector("a task of the other core", "  KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);  // ! core\n" + LOAD + STORE),
    vector("a cube instruction on a vector core", LOAD + STORE + "  LocalTensor<half> t;\n  LoadData(t, t, LoadData2DParams());  // ! core, position\n"),
    vector("a crash", LOAD + STORE + "  int* nowhere = (int*)x;\n  *nowhere = 1;\n"),
    vector("an endless loop", LOAD + STORE + "  while (GetBlockNum() == 1) PipeBarrier<PIPE_V>();\n"),
    vector("a result left out", LOAD),
)

MATRIX = (
    cube("a vector instruction on a cube core", CUBE_LOAD + "  Mmad(acc, a2, b2, MmadParams(16, 16, 16, 0, false, true));\n" + CUBE_STORE + "  LocalTensor<float> t;\n  Duplicate(t, 0.0f, 0);  // ! core\n"),
    cube("L1 read before it is loaded", "  DataCopy(a1, hg, Nd2NzParams(1, 16, 16, 0, 16, 16, 1, 0));\n  LoadData(a2, a1, LoadData2DParams(0, 1, 1, 0, 0, false, 0));  // ! hazard-raw\n"),
    cube("L0 read before it is loaded", CUBE_LOAD.replace("  WaitFlag<HardEvent::MTE1_M>(0);\n", "") + "  Mmad(acc, a2, b2, MmadParams(16, 16, 16, 0, false, true));  // ! hazard-raw\n  WaitFlag<HardEvent::MTE1_M>(0);\n" + CUBE_STORE),
    cube("L0C stored before it is computed", CUBE_LOAD + "  Mmad(acc, a2, b2, MmadParams(16, 16, 16, 0, false, true));\n  Fixpipe(yg, acc, FixpipeParamsV220(16, 16, 16, 16, false));  // ! hazard-raw\n"),
    cube("small accumulations without a barrier", CUBE_LOAD + "  Mmad(acc, a2, b2, MmadParams(16, 16, 16, 0, false, true));\n  Mmad(acc, a2, b2, MmadParams(16, 16, 16, 0, false, false));  // ! hazard-raw, hazard-waw\n" + CUBE_STORE),
    cube("accumulation onto nothing", CUBE_LOAD + "  Mmad(acc, a2, b2, MmadParams(16, 16, 16, 0, false, false));  // ! uninitialised-local\n" + CUBE_STORE),
    cube("a row that lies as fractals", CUBE_LOAD + "  Mmad(acc, a2, b2, MmadParams(1, 16, 16, 0, false, true));  // ! gemv\n  SetFlag<HardEvent::M_FIX>(0);\n  WaitFlag<HardEvent::M_FIX>(0);\n  Fixpipe(yg, acc, FixpipeParamsV220(16, 1, 16, 16, false));\n"),
    cube(
        "K padding that nothing zeroed",
        "  DataCopy(a1, hg, Nd2NzParams(1, 16, 16, 0, 16, 16, 1, 0));\n  LocalTensor<half> b1 = a1[256];\n"
        "  DataCopy(b1, hg, Nd2NzParams(1, 9, 16, 0, 16, 16, 1, 0));\n  SetFlag<HardEvent::MTE2_MTE1>(0);\n  WaitFlag<HardEvent::MTE2_MTE1>(0);\n"
        "  LoadData(a2, a1, LoadData2DParams(0, 1, 1, 0, 0, false, 0));\n  LoadData(b2, b1, LoadData2DParams(0, 1, 1, 0, 0, true, 0));\n"
        "  SetFlag<HardEvent::MTE1_M>(0);\n  WaitFlag<HardEvent::MTE1_M>(0);\n"
        "  Mmad(acc, a2, b2, MmadParams(16, 16, 9, 0, false, true));  // ! uninitialised-local\n" + CUBE_STORE,
    ),
    cube("m beyond its field of 12 bits", CUBE_LOAD + "  Mmad(acc, a2, b2, MmadParams(4096, 16, 16, 0, false, true));  // ! mmad-limit, out-of-bounds-local\n"),
    cube("operands that changed places", CUBE_LOAD + "  Mmad(acc, b2, a2, MmadParams(16, 16, 16, 0, false, true));  // ! position\n"),
    cube("an L0A address between fractals", CUBE_LOAD + "  LoadData(a2[128], a1, LoadData2DParams(0, 1, 1, 0, 0, false, 0));  // ! align\n"),
    cube("a transposition of 32-bit fractals", CUBE_LOAD + "  LoadData(a2.ReinterpretCast<float>(), a1.ReinterpretCast<float>(), LoadData2DParams(0, 1, 1, 0, 0, true, 0));  // ! load-limit\n"),
    cube("rows that do not fit their column block", "  DataCopy(a1, hg, Nd2NzParams(1, 17, 16, 0, 16, 16, 1, 0));  // ! nd2nz-limit\n"),
    cube("a row pitch beyond its field", "  int pitch = 70000;\n  Nd2NzParams p;\n  p.srcDValue = pitch;  // ! overflow\n"),
    cube("no conversion of the result", CUBE_LOAD + "  Mmad(acc, a2, b2, MmadParams(16, 16, 16, 0, false, true));\n  SetFlag<HardEvent::M_FIX>(0);\n  WaitFlag<HardEvent::M_FIX>(0);\n  GlobalTensor<half> wh;\n  wh.SetGlobalBuffer((__gm__ half*)w, 1024);\n  Fixpipe<half, float>(wh, acc, FixpipeParamsV220(16, 16, 16, 16, false));  // ! quant-mismatch\n"),
    cube("a result in the wrong fractals", CUBE_LOAD + "  Mmad(acc, a2, b2, MmadParams(16, 16, 16, 0, false, true));\n" + CUBE_STORE.replace("FixpipeParamsV220(16, 16, 16, 16, false));", "FixpipeParamsV220(16, 16, 17, 16, false));  // ! fixpipe-limit")),
    cube("more columns than were computed", CUBE_LOAD + "  Mmad(acc, a2, b2, MmadParams(16, 10, 16, 0, false, true));\n" + CUBE_STORE.replace("Fixpipe(yg, acc, FixpipeParamsV220(16, 16, 16, 16, false));", "Fixpipe(yg, acc, FixpipeParamsV220(16, 16, 16, 16, false));  // ! uninitialised-local")),
    cube("UB on a cube core", "  TBuf<TPosition::VECCALC> near;\n  pipe.InitBuffer(near, 256);\n  DataCopy(near.Get<float>(), xg, 64);  // ! core\n"),
)

PLANTED = ORDER + MEMORY + ARGUMENTS + MATRIX
