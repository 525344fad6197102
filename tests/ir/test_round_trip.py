"""parse(print(op)) == op, for the texts and for random operators of any form."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from random_ops import surface_ops, typed_ops

from uol.ir import parse, print_op, print_ops
from uol.ir.syntax.printer import print_expr, statement_lines
from uol.ir.syntax.surface import Op

TEXTS = sorted((Path(__file__).parent / "texts").glob("*.uol"))
OPS = [op for path in TEXTS for op in parse(path.read_text(), path.name)]


def test_there_are_texts() -> None:
    assert len(OPS) >= 28


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_texts(op: Op) -> None:
    text = print_op(op)
    assert parse(text)[0] == op
    assert print_op(parse(text)[0]) == text


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_a_statement_begins_its_line(op: Op) -> None:
    lines = print_op(op).splitlines()
    assert lines[0].startswith(f"op {op.name}(")
    assert lines[-1] == "}"
    for statement, line in zip(op.body, statement_lines(op), strict=True):
        bracket = "(" if len(statement.targets) > 1 else ""
        assert lines[line - 1].startswith(f"  {bracket}{statement.targets[0].tensor}[")
    continued = lines[statement_lines(op)[-1] : -1]
    assert all(line.startswith("      ") for line in continued)


@settings(max_examples=100, deadline=None)
@given(surface_ops())
def test_random_forms(op: Op) -> None:
    assert parse(print_op(op))[0] == op


@settings(max_examples=50, deadline=None)
@given(typed_ops())
def test_random_typed_ops(case) -> None:
    op = parse(case.text)[0]
    assert parse(print_op(op))[0] == op


def test_a_whole_file() -> None:
    text = print_ops(OPS)
    assert text.startswith("uol 1\n")
    assert list(parse(text)) == OPS


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("(a + b) + c", "a + b + c"),
        ("a + (b + c)", "a + (b + c)"),
        ("(a * b) / c", "a * b / c"),
        ("a - (b - c)", "a - (b - c)"),
        ("-(a * b)", "-(a * b)"),
        ("(-a) * b", "-a * b"),
        ("not (a < b)", "not a < b"),
        ("(not a) and b", "not a and b"),
        ("not (a and b)", "not (a and b)"),
        ("(a and b) or c", "a and b or c"),
        ("a and (b or c)", "a and (b or c)"),
        ("(a < b) == c", "(a < b) == c"),
        ("x[i] else (a + b)", "x[i] else (a + b)"),
        ("(x[i] else 0) * b", "x[i] else 0 * b"),
        ("x[i] else -inf", "x[i] else -inf"),
        ("sum[k < (n + 1)](x[k])", "sum[k < n + 1](x[k])"),
        ("1e-6 + 1.0 + 10", "1e-06 + 1.0 + 10"),
        ("f(x; k=(1 + 2))[*s]", "f(x; k=1 + 2)[*s]"),
    ],
)
def test_parentheses_are_minimal(written: str, printed: str) -> None:
    op = parse(f"op t(x: f32[N]) -> (y: f32[N]) {{ y[i] = {written} }}")[0]
    assert print_expr(op.body[0].value) == printed


def test_a_name_before_several_targets_keeps_its_semicolon() -> None:
    text = "op t(x: f32[N]) -> (y: f32[N]) { y[i] = N; (a[i], b[i]) = topk[k](x[k], 2) }"
    printed = print_op(parse(text)[0])
    assert "y[i] = N;\n" in printed
    assert parse(printed)[0] == parse(text)[0]


def test_a_long_header_is_broken() -> None:
    text = "op t(" + ", ".join(f"input_{n}: f32[N, M]" for n in range(8)) + ") -> (y: f32[N]) where N > 0 { y[i] = x[i] }"
    op = parse(text)[0]
    lines = print_op(op).splitlines()
    assert [line.split()[0] for line in lines] == ["op", "input_4:", "->", "where", "y[i]", "}"]
    assert lines[1].startswith("     input_4")
    assert statement_lines(op) == (5,)
    assert op == parse(print_op(op))[0]


def test_a_long_statement_is_broken_where_little_stands_open() -> None:
    terms = " + ".join(f"max(a_{n}[i], b_{n}[i])" for n in range(6))
    op = parse(f"op t(x: f32[N]) -> (y: f32[N]) {{ y[i] = {terms} z[i] = y[i] }}")[0]
    lines = print_op(op).splitlines()
    assert [line.strip().split("(")[0] for line in lines] == ["op t", "y[i] = max", "+ max", "z[i] = y[i]", "}"]
    assert statement_lines(op) == (2, 4)
    assert op == parse(print_op(op))[0]


def test_spans_do_not_compare() -> None:
    text = "op t(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }"
    assert parse(text)[0] == parse("\n\n  " + text.replace(" ", "  "))[0]
    assert parse("\n" + text, "file.uol")[0].span.line == 2
    assert str(parse("\n" + text, "file.uol")[0].body[0].span) == "file.uol:2:34"
