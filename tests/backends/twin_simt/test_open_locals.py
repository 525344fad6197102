"""Which local variables a text leaves without a value, and the text that fills them."""

from __future__ import annotations

import pytest

from uol.backends.twin.locals import filled, open_locals

FILLED = (
    "float v = 0;",
    "const float v = x[0];",
    "float v; v = x[0];",
    "float v, w; w = 1; v = w;",
    "float v[2] = {};",
    "float v[2]; for (int a = 0; a < 2; ++a) v[a] = x[a];",
    "float v[2][3]; for (int a = 0; a < 2; ++a) for (int b = 0; b < 3; ++b) v[a][b] = 0;",
    "float v[2][3]; for (int b = 0; b < 3; ++b) { for (int a = 0; a < 2; ++a) { v[a][b] = 0; } }",
    "bool v[4]; for (int a = 0; a < 4; ++a) { const int row = a * 8; v[a] = row < 5; }",
    "float v; if (n > 3) return; v = 1;",
    "__shared__ float v[2];",
    "__shared__ __align__(16) float v[2];",
    "for (int v = 0; v < 2; ++v) x[v] = 0;",
    "for (float v : x) use(v);",
    "float v(3);",
    "float v{3};",
    "Tensor v;",
)
OPEN = (
    "float v; use(v);",
    "float v; v += 1;",
    "float v; v = v + 1;",
    "float v; if (n > 3) v = 1;",
    "float v; if (n > 3) { v = 1; }",
    "float v; while (n > 3) v = 1;",
    "float v; for (int a = 0; a < n; ++a) v = 1;",
    "float v; use(&v); v = 1;",
    "alignas(16) float v[2]; use(v);",
    "unsigned long long v; use(v);",
    "uol::f16 v; use(v);",
    "uol::Pick<float, int> v; use(v);",
    "float w = 1, v; use(v);",
    "if (n) { float v; use(v); }",
    "for (int a = 0; a < 2; ++a) { float v; use(v); }",
    "for (int v; v < 2; ++v) x[v] = 0;",
    "float v[2]; v[0] = 1;",
    "float v[2]; for (int a = 0; a < 1; ++a) v[a] = 1;",
    "float v[2]; for (int a = 1; a < 2; ++a) v[a] = 1;",
    "float v[2]; for (int a = 0; a < 2; a += 2) v[a] = 1;",
    "float v[2]; for (int a = 0; a < 2; ++a) v[a] += 1;",
    "float v[2]; for (int a = 0; a < 2; ++a) if (n) v[a] = 1;",
    "float v[2]; for (int a = 0; a < 2; ++a) { if (a == n) continue; v[a] = 1; }",
    "float v[2]; for (int a = 0; a < 2; ++a) { if (a == n) { v[a] = 1; } }",
    "float v[2][3]; for (int a = 0; a < 2; ++a) v[a][0] = 1;",
    "float v[2][3]; for (int a = 0; a < 3; ++a) for (int b = 0; b < 2; ++b) v[a][b] = 1;",
    "float v[2]; for (int a = 0; a < 2; ++a) v[1 - a] = 1;",
)


def text(body: str) -> str:
    return f"__global__ void __launch_bounds__(32) k(float* x, int n)\n{{\n  {body}\n  x[0] = 1;\n}}\n"


@pytest.mark.parametrize("body", FILLED)
def test_a_variable_with_a_value_is_not_open(body: str) -> None:
    assert not open_locals(text(body))
    assert filled(text(body)) == text(body)


@pytest.mark.parametrize("body", OPEN)
def test_a_variable_without_one_is(body: str) -> None:
    (found,) = open_locals(text(body))
    assert (found.name, found.function, found.line) == ("v", "k", 3)


def test_parameters_and_members_are_no_variables() -> None:
    assert not open_locals("struct A {\n  float v;\n};\nvoid k(float v, int n)\n{\n}\nfloat v;\n")


def test_the_fill_stands_behind_the_declaration_in_its_line() -> None:
    assert filled(text("float v[2]; use(v);")).splitlines()[2] == "  float v[2]; ::uol_locals::fill(v, 0); use(v);"
    two = filled(text("float v, w;\n  for (int a; a < 2; ++a) use(v, w);")).splitlines()
    assert two[2] == "  float v, w; ::uol_locals::fill(v, 0); ::uol_locals::fill(w, 1);"
    assert two[3] == "  for (int a = ::uol_locals::Open{2}; a < 2; ++a) use(v, w);"
