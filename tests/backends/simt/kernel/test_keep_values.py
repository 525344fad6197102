"""Values that loops compute again are kept, where that is the same value: before and after, and what must stay as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kernels_as_values import SOFTMAX, changed, kernel_of

from uol.backends.simt.c_text.terms import Known, Local, Scalar
from uol.backends.simt.kernel.keep_values import sites_of, with_kept_values
from uol.backends.simt.kernel.nodes import Assign, Declare, If, Kernel, Leave, Loop, Statement, statements_of, values_of
from uol.backends.simt.kernel.printing import printed_kernel
from uol.backends.simt.kernel.verify import verify
from uol.backends.simt.rows import reduce_kernel
from uol.backends.simt.rows.schedule import BlockPerRow
from uol.ir.program.nodes import Call, Const
from uol.ir.program.walk import walk

ROOM = 1 << 10


def plain(schedule: BlockPerRow, columns: int, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Softmax as it is built, before the pass."""
    monkeypatch.setattr(reduce_kernel, "with_kept_values", lambda kernel, most_bytes: kernel)
    return kernel_of(SOFTMAX, schedule, {"R": 8, "C": columns})


def exponentials(kernel: Kernel) -> int:
    nodes = (node for s in statements_of(kernel.body) for value in values_of(s) for node in walk(value))
    return sum(isinstance(node, Call) and node.fn == "exp" for node in nodes)


CASES = {
    "in turns": (BlockPerRow(256), 257, "float e_row[2];", "e_row[turn]"),
    "in one turn": (BlockPerRow(256), 200, "float e_row;", "e_row"),
    "in turns of vectors": (BlockPerRow(256, 1, 8), 4096, "float e_row[16];", "e_row[turn * 8 + v]"),
    "in one vector": (BlockPerRow(256, 8, 8), 256, "float e_row[8];", "e_row[v]"),
}


@pytest.mark.parametrize("case", CASES)
def test_exponentials_are_computed_once(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule, columns, array, element = CASES[case]
    before = plain(schedule, columns, monkeypatch)
    after = with_kept_values(before, ROOM)
    verify(after, 32, ROOM)
    assert (exponentials(before), exponentials(after)) == (2, 1)
    text = "\n".join(line.strip() for line in printed_kernel(after))
    assert text.count(array) == 1
    assert f"{element} = e;" in text
    assert f"const float e = {element};" in text


def test_what_needs_more_registers_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = plain(BlockPerRow(256, 1, 8), 4096, monkeypatch)
    assert with_kept_values(kernel, 16 * 4 - 1) == kernel
    assert with_kept_values(kernel, 16 * 4) != kernel


def again(kernel: Kernel) -> int:
    """Of the loops, the one that computes exponentials for the second time."""
    return [site.place for site in sites_of(kernel)][1]


def set_between(name: str) -> Assign:
    return Assign(Local(name, Scalar("f32")), Const(0.0, "f32"))


@pytest.mark.parametrize("name", ["hi", "x_row"])
def test_a_value_whose_parts_change_is_computed_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = plain(BlockPerRow(256), 257, monkeypatch)
    at = again(kernel)
    faulty = replace(kernel, body=(*kernel.body[:at], set_between(name), *kernel.body[at:]))
    assert with_kept_values(faulty, ROOM) == faulty


def test_what_changes_in_the_loop_itself_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = plain(BlockPerRow(256), 257, monkeypatch)
    first = kernel.body[at := [site.place for site in sites_of(kernel)][0]]
    assert isinstance(first, Loop)
    sets_too = replace(first, body=(*first.body, set_between("hi")))
    faulty = replace(kernel, body=(*kernel.body[:at], sets_too, *kernel.body[at + 1 :]))
    assert with_kept_values(faulty, ROOM) == faulty


def other_turns(statement: Statement) -> tuple[Statement, ...]:
    return (replace(statement, extent=Const(1)),) if isinstance(statement, Loop) else (statement,)


def rolled(statement: Statement) -> tuple[Statement, ...]:
    return (replace(statement, unrolled=False),) if isinstance(statement, Loop) else (statement,)


def other_condition(statement: Statement) -> tuple[Statement, ...]:
    if not (isinstance(statement, If) and isinstance(statement.condition, Known)):
        return (statement,)
    (column, _) = statement.condition.expr.children
    fewer = replace(statement.condition, expr=Call("<", (column, Const(7)), "bool"))
    return (replace(statement, condition=fewer),)


@pytest.mark.parametrize("change", [other_turns, rolled, other_condition])
def test_loops_that_are_not_alike_compute_for_themselves(change: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(change)
    kernel = plain(BlockPerRow(256), 257, monkeypatch)
    at = again(kernel)
    last = changed(replace(kernel, body=(kernel.body[at],)), change).body
    unlike = replace(kernel, body=(*kernel.body[:at], *last, *kernel.body[at + 1 :]))
    assert unlike != kernel
    assert with_kept_values(unlike, ROOM) == unlike


def leaving(statement: Statement) -> tuple[Statement, ...]:
    leaves = Leave("break", Call(">=", (Local("turn"), Const(1)), "bool"))
    return (replace(statement, body=(leaves, *statement.body)),) if isinstance(statement, Loop) else (statement,)


@pytest.mark.parametrize("both", [False, True])
def test_turns_that_one_loop_leaves_out_are_none_of_the_others(both: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = plain(BlockPerRow(256), 257, monkeypatch)
    at = [site.place for site in sites_of(kernel)][0]
    body = changed(kernel, leaving).body if both else (*kernel.body[:at], *leaving(kernel.body[at]), *kernel.body[at + 1 :])
    left = replace(kernel, body=body)
    assert (with_kept_values(left, ROOM) != left) == both


MASKED = """op f(x: f32[R, C], mask: bool[R, C]) -> (y: f32[R, C]) where C > 0 {
  v[r, c] = select(mask[r, c], x[r, c], -3)
  hi[r]   = max[c](v[r, c])
  e[r, c] = select(mask[r, c], exp(v[r, c] - hi[r]), 0)
  z[r]    = sum[c](e[r, c])
  y[r, c] = select(z[r] == 0, 0, e[r, c] / z[r])
}"""


def test_constants_of_the_loop_are_parts_of_a_value() -> None:
    """They go where nothing needs them any more; a loop in which one is another value computes for itself."""
    kernel = kernel_of(MASKED, BlockPerRow(256), {"R": 8, "C": 257})
    verify(kernel, 32, ROOM)
    assert exponentials(kernel) == 1
    named = [s.name for s in statements_of(kernel.body[-1:]) if isinstance(s, Declare)]
    assert named == ["c", "e"]


def test_a_constant_that_is_another_is_another_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduce_kernel, "with_kept_values", lambda kernel, most_bytes: kernel)
    kernel = kernel_of(MASKED, BlockPerRow(256), {"R": 8, "C": 257})
    assert with_kept_values(kernel, ROOM) != kernel

    def other(statement: Statement) -> tuple[Statement, ...]:
        is_part = isinstance(statement, Declare) and statement.name == "v"
        return (replace(statement, value=Const(1.0, "f32")),) if is_part else (statement,)

    last = changed(replace(kernel, body=kernel.body[-1:]), other).body
    unlike = replace(kernel, body=(*kernel.body[:-1], *last))
    assert with_kept_values(unlike, ROOM) == unlike


def test_several_values_are_kept_each_in_its_own_array() -> None:
    text = """op f(x: f32[R, C]) -> (y: f32[R, C]) where C > 0 {
  hi[r]   = max[c](x[r, c])
  e[r, c] = exp(x[r, c] - hi[r])
  z[r]    = sum[c](e[r, c])
  l[r, c] = log(x[r, c] * x[r, c] + 1)
  m[r]    = sum[c](l[r, c] / z[r])
  y[r, c] = e[r, c] / z[r] + l[r, c] * m[r]
}"""
    kernel = kernel_of(text, BlockPerRow(256), {"R": 8, "C": 257})
    verify(kernel, 32, ROOM)
    printed = "\n".join(printed_kernel(kernel))
    for name in ("e", "l"):
        assert printed.count(f"float {name}_row[2];") == printed.count(f"{name}_row[turn] = {name};") == 1
        assert printed.count(f"const float {name} = {name}_row[turn];") == 1
    assert (printed.count("uol::exp("), printed.count("uol::log(")) == (1, 1)


def test_the_array_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = plain(BlockPerRow(256), 257, monkeypatch)
    taken = replace(kernel, body=(Declare("e_row", Scalar("f32"), Const(0.0, "f32")), *kernel.body))
    kept = with_kept_values(taken, ROOM)
    verify(kept, 32, ROOM)
    assert any(isinstance(s, Declare) and s.name == "e_row2" for s in kept.body)


def test_what_memory_says_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a tensor that is in no register: another thread may have written it."""
    text = SOFTMAX.replace("acc(x[r, c]) - hi[r]", "acc(x[r, c]) - hi[r] * acc(x[r, 0])")
    assert exponentials(kernel_of(text, BlockPerRow(256), {"R": 8, "C": 257})) == 2
