"""One vector statement on loaded data, as a kernel: what the numeric tests of the 910B's twin run.

The kernel loads 256 elements of `p` and `q` into the views a and b, and of the result's first value into r (so that
accumulating instructions have something to add to), runs the statements, and stores r.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ascend_modules import HEAD, dense, job, module

from uol.backends.twin import execute_many
from uol.backends.twin.record import Array, Finding

C_TYPES = {
    "f32": "float",
    "f16": "half",
    "bf16": "bfloat16_t",
    "i16": "int16_t",
    "i32": "int32_t",
    "i64": "int64_t",
    "i8": "int8_t",
    "u8": "uint8_t",
}
NUMPY_TYPES = {"f32": "f4", "f16": "f2", "bf16": "u2", "i16": "i2", "i32": "i4", "i64": "i8", "i8": "i1", "u8": "u1"}
LANES = 256
FLOATS = ("f16", "f32")


def values(dtype: str, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if dtype in FLOATS:
        return (8 * rng.normal(size=LANES)).astype(NUMPY_TYPES[dtype])
    info = np.iinfo(NUMPY_TYPES[dtype])
    return rng.integers(info.min, info.max, LANES, endpoint=True).astype(NUMPY_TYPES[dtype])


TEXT = (
    HEAD
    + r"""
extern "C" __global__ __aicore__ void bench(GM_ADDR p, GM_ADDR q, GM_ADDR start, GM_ADDR y) {
  KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
  using In = @IN@;
  using Out = @OUT@;
  TPipe pipe;
  TBuf<TPosition::VECCALC> a_buffer, b_buffer, r_buffer, t_buffer, m_buffer;
  pipe.InitBuffer(a_buffer, 256 * sizeof(In));
  pipe.InitBuffer(b_buffer, 256 * sizeof(In));
  pipe.InitBuffer(r_buffer, 256 * sizeof(Out));
  pipe.InitBuffer(t_buffer, 4096);
  pipe.InitBuffer(m_buffer, 32);
  LocalTensor<In> a = a_buffer.Get<In>(), b = b_buffer.Get<In>(), t = t_buffer.Get<In>();
  LocalTensor<Out> r = r_buffer.Get<Out>();
  LocalTensor<uint8_t> m = m_buffer.Get<uint8_t>();
  GlobalTensor<In> pg, qg;
  GlobalTensor<Out> sg, yg;
  pg.SetGlobalBuffer((__gm__ In*)p, 256);
  qg.SetGlobalBuffer((__gm__ In*)q, 256);
  sg.SetGlobalBuffer((__gm__ Out*)start, 256);
  yg.SetGlobalBuffer((__gm__ Out*)y, 256);
  DataCopy(a, pg, 256);
  DataCopy(b, qg, 256);
  DataCopy(r, sg, 256);
  SetFlag<HardEvent::MTE2_V>(0);
  WaitFlag<HardEvent::MTE2_V>(0);
  SetFlag<HardEvent::MTE2_S>(0);
  WaitFlag<HardEvent::MTE2_S>(0);
@BODY@
  SetFlag<HardEvent::V_MTE3>(0);
  WaitFlag<HardEvent::V_MTE3>(0);
  SetFlag<HardEvent::S_MTE3>(0);
  WaitFlag<HardEvent::S_MTE3>(0);
  DataCopy(yg, r, 256);
}
"""
)


@dataclass(frozen=True)
class Bench:
    """Statements on a, b (of `source` type), r (of `result` type), scratch t and mask m."""

    source: str
    result: str
    body: str
    p: Array
    q: Array
    start: Array

    @property
    def text(self) -> str:
        lines = "\n".join(f"  {line}" for line in self.body.split("; ") if line)
        statements = lines.replace("\n", ";\n") + ";"
        return TEXT.replace("@IN@", C_TYPES[self.source]).replace("@OUT@", C_TYPES[self.result]).replace("@BODY@", statements)


def bench(
    source: str, body: str, p: Array, q: Array | None = None, result: str | None = None, start: Array | None = None
) -> Bench:
    result = result or source
    zeros = np.zeros(LANES, NUMPY_TYPES[result])
    return Bench(source, result, body, p, p if q is None else q, zeros if start is None else start)


def results(benches: Sequence[Bench]) -> list[Array]:
    """The 256 results of each; no finding is allowed."""
    outputs = []
    for made, (array, findings) in zip(benches, results_and_findings(benches), strict=True):
        assert not findings, (made.body, [str(f) for f in findings])
        outputs.append(array)
    return outputs


def results_and_findings(benches: Sequence[Bench]) -> list[tuple[Array, tuple[Finding, ...]]]:
    jobs = []
    for b in benches:
        args = [
            dense("p", b.source, [LANES], "in"),
            dense("q", b.source, [LANES], "in"),
            dense("start", b.result, [LANES], "in"),
        ]
        made = module(b.text, [*args, dense("y", b.result, [LANES], "out")], {"bench": ("aiv", 1)})
        jobs.append(job(made, {"p": b.p, "q": b.q, "start": b.start}))
    return [(run.outputs["y"], run.findings) for run in execute_many(jobs)]
