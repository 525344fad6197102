"""The kernels of `planted_bugs/`, with one bug each.

A section `== name | setup` is a kernel on x (512 f32, input), h (512 f16, input), y (512 f32, result) and w (512 f32,
workspace). `setup` is what its statements find: "vector" (tensors a, b, c in UB), "cube" (a1, a2, b2, acc), "bare" (nothing).
`@load`, `@store`, `@cube_load`, `@cube_store` stand for the right statements below. A line that ends in `// ! kind` is
where a finding of that kind must be; no other finding may be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ascend_modules import HEAD

COMMON = """\
TPipe pipe;
GlobalTensor<float> xg, yg, wg;
GlobalTensor<half> hg;
xg.SetGlobalBuffer((__gm__ float*)x, 512);
hg.SetGlobalBuffer((__gm__ half*)h, 512);
yg.SetGlobalBuffer((__gm__ float*)y, 512);
wg.SetGlobalBuffer((__gm__ float*)w, 512);
"""

SETUPS = {
    "bare": "",
    "vector": COMMON
    + """\
TBuf<TPosition::VECCALC> a_buffer, b_buffer, c_buffer;
pipe.InitBuffer(a_buffer, 2048);
pipe.InitBuffer(b_buffer, 2048);
pipe.InitBuffer(c_buffer, 2048);
LocalTensor<float> a = a_buffer.Get<float>(), b = b_buffer.Get<float>(), c = c_buffer.Get<float>();
""",
    "cube": COMMON
    + """\
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
""",
}

PHRASES = {
    "@load": """\
DataCopy(a, xg, 512);
SetFlag<HardEvent::MTE2_V>(0);
WaitFlag<HardEvent::MTE2_V>(0);
""",
    "@store": """\
SetFlag<HardEvent::V_MTE3>(0);
WaitFlag<HardEvent::V_MTE3>(0);
DataCopy(yg, a, 512);
""",
    # h as a 16 x 16 matrix, in L0A, and as it lies in L0B
    "@cube_load": """\
DataCopy(a1, hg, Nd2NzParams(1, 16, 16, 0, 16, 16, 1, 0));
SetFlag<HardEvent::MTE2_MTE1>(0);
WaitFlag<HardEvent::MTE2_MTE1>(0);
LoadData(a2, a1, LoadData2DParams(0, 1, 1, 0, 0, false, 0));
LoadData(b2, a1, LoadData2DParams(0, 1, 1, 0, 0, false, 0));
SetFlag<HardEvent::MTE1_M>(0);
WaitFlag<HardEvent::MTE1_M>(0);
""",
    "@cube_store": """\
SetFlag<HardEvent::M_FIX>(0);
WaitFlag<HardEvent::M_FIX>(0);
Fixpipe(yg, acc, FixpipeParamsV220(16, 16, 16, 16, false));
""",
}


@dataclass(frozen=True)
class Planted:
    name: str
    text: str
    core: str
    blocks: int


def read(path: Path) -> list[Planted]:
    """The kernels of a file."""
    sections = re.split(r"^== ", path.read_text(), flags=re.MULTILINE)[1:]
    return [planted(*section.split("\n", 1)) for section in sections]


def marks(text: str) -> set[tuple[str, int]]:
    """Kinds and lines of the findings that a text's marks promise."""
    found = ((number, re.search(r"// ! (.*)$", line)) for number, line in enumerate(text.splitlines(), 1))
    return {(kind, number) for number, mark in found if mark for kind in mark[1].split(", ")}


def planted(head: str, body: str) -> Planted:
    name, setup, *blocks = (part.strip() for part in head.split("|"))
    for phrase in sorted(PHRASES, key=len, reverse=True):
        body = body.replace(phrase + "\n", PHRASES[phrase])
    lines = (SETUPS[setup] + body).strip().splitlines()
    signature = 'extern "C" __global__ __aicore__ void bug(GM_ADDR x, GM_ADDR h, GM_ADDR y, GM_ADDR w) {'
    text = "\n".join([HEAD + signature, *(f"  {line}" for line in lines), "}", ""])
    return Planted(name, text, "aic" if setup == "cube" else "aiv", int(blocks[0].split()[0]) if blocks else 1)


PLANTED = [bug for path in sorted((Path(__file__).parent / "planted_bugs").glob("*.txt")) for bug in read(path)]
