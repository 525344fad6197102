"""A contraction as other specs, for machines that cannot do it in one."""

from __future__ import annotations

from before_after import agree
from middle import lowered
from middle_texts import LINEAR

from uol.codegen.contractions.split_terms import split_terms
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.rewrites import as_reduce, pack_operand, split_epilogue, without_terms


def linear(**sizes: int) -> Contract:
    (spec,) = lowered(LINEAR, types={"T": "f16"}, dims={"M": 3, "K": 4, "N": 5, **sizes}).specs
    assert isinstance(spec, Contract)
    return spec


def test_the_contraction() -> None:
    agree(
        linear(),
        """
        Contract linear: m m < 3; n n < 5; k k < 4
          line 2   a = sum over k < 4 of f32(x[m * 4 + k]) * f32(w[n * 4 + k])
          line 3   y_value = f16(max(a + f32(b[n]), 0))
          line 3   y[m * 5 + n] = y_value
        """,
    )


def test_split_epilogue() -> None:
    product, rest = split_epilogue(linear())
    agree(
        product,
        """
        Contract linear_product: m m < 3; n n < 5; k k < 4
          line 2   a = sum over k < 4 of f32(x[m * 4 + k]) * f32(w[n * 4 + k])
          line 2   linear_product[m * 5 + n] = a
        """,
    )
    agree(
        rest,
        """
        Map linear: m < 3, n < 5
          line 3   y_value = f16(max(linear_product[m * 5 + n] + f32(b[n]), 0))
          line 3   y[m * 5 + n] = y_value
        """,
    )


def test_pack_operand() -> None:
    pack, contract = pack_operand(linear(), "b", k_last=False, dtype="f32")
    agree(
        pack,
        """
        Pack linear_pack_b: k < 4, n < 5
          line 2   linear_packed_b[k * 5 + n] = f32(w[n * 4 + k])
        """,
    )
    agree(
        contract,
        """
        Contract linear: m m < 3; n n < 5; k k < 4
          line 2   a = sum over k < 4 of f32(x[m * 4 + k]) * linear_packed_b[k * 5 + n]
          line 3   y_value = f16(max(a + f32(b[n]), 0))
          line 3   y[m * 5 + n] = y_value
        """,
    )


def test_as_reduce() -> None:
    agree(
        as_reduce(linear()),
        """
        Reduce linear: rows m < 3, n < 5; cols k < 4
          line 2   a = sum over k of f32(x[m * 4 + k]) * f32(w[n * 4 + k])
          line 3   y_value = f16(max(a + f32(b[n]), 0))
          line 3   y[m * 5 + n] = y_value
        """,
    )


def test_split_terms() -> None:
    spec = linear(K=12)
    products, total = split_terms(spec, [(spec.k[0], 3)])
    agree(
        products,
        """
        Contract linear_parts: batch part < 3; m m < 3; n n < 5; k k < 4
          line 2   a = sum over k < 4 of f32(x[m * 12 + k + part * 4]) * f32(w[n * 12 + k + part * 4])
          line 2   linear_parts[(part * 3 + m) * 5 + n] = a
        """,
    )
    agree(
        total,
        """
        Reduce linear: rows m < 3, n < 5; cols part < 3
          line 2   a = sum over part of linear_parts[(part * 3 + m) * 5 + n]
          line 3   y_value = f16(max(a + f32(b[n]), 0))
          line 3   y[m * 5 + n] = y_value
        """,
    )


def test_without_terms() -> None:
    empty = linear(K=0)
    agree(
        empty,
        """
        Contract linear: m m < 3; n n < 5; k k < 0
          line 2   a = sum over k < 0 of f32(x[k]) * f32(w[k])
          line 3   y_value = f16(max(a + f32(b[n]), 0))
          line 3   y[m * 5 + n] = y_value
        """,
    )
    agree(
        without_terms(empty),
        """
        Map linear: m < 3, n < 5
          line 3   y_value = f16(max(0 + f32(b[n]), 0))
          line 3   y[m * 5 + n] = y_value
        """,
    )
