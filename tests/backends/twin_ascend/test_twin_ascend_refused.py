"""What bisheng would refuse does not compile here either, and the finding names the line and what is allowed."""

from __future__ import annotations

import pytest
from ascend_modules import HEAD, dense, job, module

from uol.backends.twin import execute_many

TENSORS = """\
  LocalTensor<half> h;
  LocalTensor<float> f;
  LocalTensor<bfloat16_t> b;
  LocalTensor<int8_t> c;
  LocalTensor<int16_t> s;
  LocalTensor<int32_t> i;
  LocalTensor<uint32_t> u;
  LocalTensor<int64_t> l;
  LocalTensor<uint8_t> m;
  GlobalTensor<float> g;
  GlobalTensor<half> gh;
  int n = 64;
"""

REFUSED = {
    "bf16 arithmetic": ("Add(b, b, b, n);", "half, float, int16_t, int32_t"),
    "int8 arithmetic": ("Maxs(c, c, int8_t{0}, n);", "half, float, int16_t, int32_t"),
    "int64 arithmetic": ("Mul(l, l, l, n);", "half, float, int16_t, int32_t"),
    "unsigned arithmetic": ("Sub(u, u, u, n);", "half, float, int16_t, int32_t"),
    "division of integers": ("Div(i, i, i, n);", "half, float"),
    "exp of bf16": ("Exp(b, b, n);", "half, float"),
    "relu of 16-bit integers": ("Relu(s, s, n);", "half, float, int32_t"),
    "not of 32 bits": ("Not(i, i, n);", "int16_t, uint16_t"),
    "shift of a float": ("ShiftLeft(f, f, 1.0f, n);", "int16_t, uint16_t, int32_t, uint32_t"),
    "half to bf16": ("Cast(b, h, RoundMode::CAST_RINT, n);", "no such pair"),
    "int8 to float": ("Cast(f, c, RoundMode::CAST_NONE, n);", "no such pair"),
    "int32 to half": ("Cast(h, i, RoundMode::CAST_NONE, n);", "no such pair"),
    "float to bool": ("Cast(m, f, RoundMode::CAST_RINT, n);", "no such pair"),
    "comparison of bf16": ("Compare(m, b, b, CMPMODE::EQ, n);", "Compare: half, float"),
    "selection of integers": ("Select(i, m, i, i, SELMODE::VSEL_TENSOR_TENSOR_MODE, n);", "Select: half or float"),
    "sum of integers": ("ReduceSum(i, i, i, n);", "half and float only"),
    "duplicate of bytes": ("Duplicate(c, int8_t{0}, n);", "b16 and b32"),
    "axpy into a narrower type": ("Axpy(h, f, 1.0f, n);", "half to half"),
    "a half accumulator": ("Mmad(h, h, h, MmadParams());", "no half accumulator"),
    "a scalar of another type": ("Adds(h, h, 1.0f, n);", "no matching function"),
    "scalar half arithmetic": ("half x = half(1.0f) + half(2.0f);", "no match for"),
    "a half from a literal": ("half x = 1.0f;", "conversion from"),
    "a run-time int in braces": (
        "DataCopyPad(f, g, DataCopyExtParams{n, 4, 0, 0, 0}, DataCopyPadExtParams<float>());",
        "narrowing",
    ),
    "a barrier of the scalar pipe": ("PipeBarrier<PIPE_S>();", "PipeBarrier<PIPE_S> does not exist"),
    "a call that the 910B lacks": ("Subs(f, f, 1.0f, n);", "not declared"),
    "a copy of another type": ("DataCopy(h, g, n);", "no matching function"),
    "a fixpipe of bytes": (
        "Fixpipe<int8_t, float>(GlobalTensor<int8_t>(), f, FixpipeParamsV220());",
        "Fixpipe: float or int32_t",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_text_that_the_card_would_not_get(name: str) -> None:
    statement, words = REFUSED[name]
    head = HEAD + 'extern "C" __global__ __aicore__ void bug(GM_ADDR y) {\n' + TENSORS
    made = module(f"{head}  {statement}\n}}\n", [dense("y", "f32", [8], "out")], {"bug": ("aiv", 1)})
    run = execute_many([job(made, {})])[0]
    assert [f.kind for f in run.findings] == ["compile-error"]
    assert words in run.findings[0].message
    assert run.findings[0].line == head.count("\n") + 1
