"""The mutator yields every kind of fault, at the place it says, and nothing that a compiler or reader would trip over."""

from __future__ import annotations

import pytest

from uol.backends.c_text.source_tokens import tokenize
from uol.conformance.mutation.mutate import RULES, Mutant, mutants

SIMT = """\
// y = softmax(x): if (a < b) __syncthreads(); in a comment stays
#include "uol_device.h"
#pragma unroll 4
extern "C" __global__ void __launch_bounds__(256) softmax(const float* __restrict__ x, uol::f16* __restrict__ y) {
  __shared__ float tile[32][33];
  __shared__ float scratch[8];
  float hi = -uol::infinity<float>();
  for (int c = threadIdx.x; c < 1000; c += 256) {
    hi = uol::max(hi, x[blockIdx.x * 1000 + c]);
  }
  hi = uol::block_max<256>(hi, scratch);
  __syncthreads();
  float z = 0.0f;
  for (int k = 0; k < 64; k += 16) {
    const bool inside = 0 <= k - 3 && k - 3 < 60;
    z += inside ? uol::cast<float>(y[k]) : 0.0f;
  }
  if (threadIdx.x == 0) {
    y[blockIdx.x] = uol::cast<uol::f16>(z);
  }
}
"""

ASCEND = """\
#include "kernel_operator.h"
extern "C" __global__ __aicore__ void add(GM_ADDR x, int rows) {
  DataCopyPad(a, gx, DataCopyExtParams{1, rows * 4, 0, 0, 0}, DataCopyPadExtParams<float>{false, 0, 0, 0.0f});
  SetFlag<HardEvent::MTE2_V>(0);
  WaitFlag<HardEvent::MTE2_V>(0);
  Duplicate(z, 0.0f, 64);
  PipeBarrier<PIPE_V>();
  Cast(c, a, RoundMode::CAST_RINT, 64);
  SetFlag<HardEvent::V_MTE3>(1);
  WaitFlag<HardEvent::V_MTE3>(1);
  DataCopyPad(gy, c, DataCopyExtParams{16, 64, 2, 4, 0});
}
"""


def of(text: str, kind: str) -> list[Mutant]:
    return [m for m in mutants(text) if m.kind == kind]


def lines(text: str, kind: str) -> set[str]:
    """The lines that mutants of a kind have in place of the original's."""
    original = text.splitlines()
    found = set()
    for mutant in of(text, kind):
        changed = mutant.text.splitlines()
        assert len(changed) == len(original)
        differing = [i for i, (a, b) in enumerate(zip(original, changed, strict=True)) if a != b]
        assert mutant.line - 1 in differing
        found.add(changed[mutant.line - 1].strip())
    return found


def test_every_kind_is_found_in_the_samples() -> None:
    kinds = {m.kind for text in (SIMT, ASCEND) for m in mutants(text)}
    assert kinds == set(RULES)


def test_mutants_differ_from_the_original_and_from_each_other() -> None:
    for text in (SIMT, ASCEND):
        texts = [m.text for m in mutants(text)]
        assert text not in texts
        assert len(set(texts)) == len(texts)
        assert len({m.key for m in mutants(text)}) == len(texts)


def test_barriers_are_dropped() -> None:
    assert lines(SIMT, "sync") == {";"}
    assert [m.line for m in of(SIMT, "sync")] == [12]


def test_flags_are_dropped_singly_and_in_pairs() -> None:
    assert [m.description for m in of(ASCEND, "sync")] == [
        "SetFlag<HardEvent::MTE2_V>(0); dropped",
        "WaitFlag<HardEvent::MTE2_V>(0); dropped",
        "PipeBarrier<PIPE_V>(); dropped",
        "SetFlag<HardEvent::V_MTE3>(1); dropped",
        "WaitFlag<HardEvent::V_MTE3>(1); dropped",
        "SetFlag<HardEvent::MTE2_V>(0); dropped, WaitFlag<HardEvent::MTE2_V>(0); dropped",
        "SetFlag<HardEvent::V_MTE3>(1); dropped, WaitFlag<HardEvent::V_MTE3>(1); dropped",
    ]


def test_guards_become_true_one_by_one() -> None:
    assert lines(SIMT, "guard") == {
        "const bool inside = true && k - 3 < 60;",
        "const bool inside = 0 <= k - 3 && true;",
        "z += true ? uol::cast<float>(y[k]) : 0.0f;",
        "if (true) {",
    }


def test_comparisons_move_to_both_sides() -> None:
    assert lines(SIMT, "comparison") >= {
        "const bool inside = 0 < k - 3 && k - 3 < 60;",
        "const bool inside = 0 - 1 <= k - 3 && k - 3 < 60;",
        "const bool inside = 0 <= k - 3 && k - 3 <= 60;",
        "const bool inside = 0 <= k - 3 && k - 3 + 1 < 60;",
        "if (threadIdx.x != 0) {",
    }


def test_loops_lose_or_gain_a_trip() -> None:
    assert lines(SIMT, "loop") == {
        "for (int c = threadIdx.x; c < 1000 + 1; c += 256) {",
        "for (int c = threadIdx.x; c < 1000 - 1; c += 256) {",
        "for (int c = threadIdx.x; c < 1000; c += 256 + 1) {",
        "for (int c = threadIdx.x; c < 1000; c += 256 - 1) {",
        "for (int k = 0; k < 64 + (16); k += 16) {",
        "for (int k = 0; k < 64 - (16); k += 16) {",
        "for (int k = 1; k < 64; k += 16) {",
        "for (int k = 0; k < 64; k += 16 + 1) {",
        "for (int k = 0; k < 64; k += 16 - 1) {",
    }


def test_arrays_shrink() -> None:
    assert lines(SIMT, "extent") == {
        "__shared__ float tile[31][33];",
        "__shared__ float tile[32][32];",
        "__shared__ float scratch[7];",
    }


def test_constants_move_by_one() -> None:
    found = lines(SIMT, "constant")
    assert {"hi = uol::max(hi, x[blockIdx.x * 1001 + c]);", "hi = uol::max(hi, x[blockIdx.x * 999 + c]);"} <= found
    assert "hi = uol::block_max<257>(hi, scratch);" in found
    assert not any("launch_bounds" in line or "tile" in line or line.startswith("for") for line in found)


def test_casts_are_dropped_or_coarser() -> None:
    assert lines(SIMT, "cast") == {
        "z += inside ? (y[k]) : 0.0f;",
        "y[blockIdx.x] = (z);",
        "y[blockIdx.x] = uol::cast<uol::f16>(float(uol::bf16(z)));",
    }
    assert lines(ASCEND, "cast") == {"Cast(c, a, RoundMode::CAST_TRUNC, 64);"}


def test_conversions_in_functional_form_are_casts() -> None:
    text = "void k() {\n  y[i] = uol::f16(float(a[i]) + b);\n  return int(c);\n}\n"
    assert lines(text, "cast") == {
        "y[i] = (float(a[i]) + b);",
        "y[i] = uol::f16((a[i]) + b);",
        "y[i] = uol::f16(float(uol::bf16(float(a[i]) + b)));",
        "return (c);",
    }


def test_initial_values_change() -> None:
    assert lines(SIMT, "initial") == {
        "float hi = 0;",
        "float z = 1.0f;",
        "z += inside ? uol::cast<float>(y[k]) : 1.0f;",
    }
    assert "Duplicate(z, 1.0f, 64);" in lines(ASCEND, "initial")


def test_initial_values_are_dropped() -> None:
    assert lines(SIMT, "dropped") == {
        "float hi;",
        "float z;",
        "for (int c; c < 1000; c += 256) {",
        "for (int k; k < 64; k += 16) {",
    }
    assert [m.description for m in of(SIMT, "dropped")][2] == "float z = 0.0f;  =>  float z;"
    assert [m.description for m in of(ASCEND, "dropped")] == ["Duplicate(z, 0.0f, 64); dropped"]
    text = "void k() {\n  const int n = 3;\n  float sum[2][3] = {};\n  int slot = 0, other = n;\n}\n"
    assert lines(text, "dropped") == {"float sum[2][3];", "int slot, other = n;", "int slot = 0, other;"}


def test_copies_move_and_idle_fields_do_not() -> None:
    assert lines(ASCEND, "copy") == {
        "DataCopyPad(a, gx, DataCopyExtParams{1, rows * 4 + 1, 0, 0, 0}, DataCopyPadExtParams<float>{false, 0, 0, 0.0f});"
    }
    constants = lines(ASCEND, "constant")
    for field in ("{17, 64, 2, 4, 0}", "{16, 65, 2, 4, 0}", "{16, 64, 3, 4, 0}", "{16, 64, 2, 5, 0}"):
        assert f"DataCopyPad(gy, c, DataCopyExtParams{field});" in constants
    assert not any("{16, 64, 2, 4, 1}" in line or "{1, rows * 4, 1, 0, 0}" in line for line in constants)


def test_buffers_shrink_and_switches_turn() -> None:
    text = """void k() {
  gx.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x), 100);
  pipe.InitBuffer(ub, 256);
  LocalTensor<float> t = ub.GetWithOffset<float>(32, 128);
  LoadData(a, b, LoadData2DParams(0, 4, 1, 0, 0, false, 0));
  WholeReduceSum(one, t, 4, 1, 1, 1, 8);
}
"""
    assert lines(text, "extent") == {
        "gx.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x), 99);",
        "pipe.InitBuffer(ub, 224);",
        "LocalTensor<float> t = ub.GetWithOffset<float>(31, 128);",
    }
    assert lines("void k() { LocalTensor<float> t = ub.GetWithOffset<float>(384, 128); }", "extent") == {
        "void k() { LocalTensor<float> t = ub.GetWithOffset<float>(320, 128); }"
    }
    assert lines(text, "copy") == {"LoadData(a, b, LoadData2DParams(0, 4, 1, 0, 0, true, 0));"}
    constants = lines(text, "constant")
    assert "LoadData(a, b, LoadData2DParams(0, 4, 2, 0, 0, false, 0));" in constants
    assert "LoadData(a, b, LoadData2DParams(0, 4, 1, 1, 0, false, 0));" not in constants  # sid is reserved
    reductions = {line for line in constants if "WholeReduceSum" in line}
    assert reductions == {"WholeReduceSum(one, t, 5, 1, 1, 1, 8);", "WholeReduceSum(one, t, 4, 2, 1, 1, 8);"}


def test_a_minimum_is_not_moved_at_its_tie() -> None:
    text = "int lesser(int a, int b) { return a < b ? a : b; }"
    assert [m.description for m in of(text, "comparison")] == [f"{text}  =>  {text.replace('a < b', 'a + 1 < b')}"]


def test_comments_includes_and_pragmas_stay() -> None:
    for mutant in mutants(SIMT):
        assert mutant.text.splitlines()[:3] == SIMT.splitlines()[:3]


def test_a_key_does_not_change_when_other_lines_do() -> None:
    keys = {m.key for m in mutants(SIMT)}
    moved = SIMT.replace("  float z = 0.0f;\n", "  float z = 0.0f;\n  // a comment\n\n")
    assert {m.key for m in mutants(moved)} == keys
    twice = SIMT.replace("  __syncthreads();\n", "  __syncthreads();\n  __syncthreads();\n")
    assert len({m.key for m in of(twice, "sync")}) == 2


@pytest.mark.parametrize("text", ["a<b>(c)", 'x = "quoted ("; // )\n', "#define A (\nb"])
def test_tokens_leave_strings_comments_and_directives_out(text: str) -> None:
    brackets = [t.text for t in tokenize(text) if t.text in "()"]
    assert brackets.count("(") == brackets.count(")")
