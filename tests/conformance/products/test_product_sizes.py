"""Products are checked at sizes beyond those of the library's cases, and what is wrong there is said."""

from __future__ import annotations

import pytest

import uol
from uol.codegen.specs.nodes import Contract
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.verdict import Case, Verdict
from uol.conformance.products import sizes
from uol.ir.errors import UolError
from uol.ops.texts import names


def test_every_product_of_the_library_has_its_sizes() -> None:
    """Those whose representative kernel is a product, but of vectors, and attention's, which are another form."""
    of_vectors = {"dot", "outer", "bilinear", "matrix_vector", "cosine_similarity"}
    tables = {case.op for case in sizes.cases(("tiles",), (), ("cuda",), ("f16",))}
    ops = {op.removesuffix("_grad") for op in tables}
    assert tables == ops | set(differentiable(sorted(ops)))
    assert ops <= set(names()) - of_vectors


def test_terms_are_wide_and_blocks_are_many() -> None:
    long = list(sizes.cases(("terms",), ("matmul",), ("cuda", "hip"), ("f16",)))
    assert {case.inputs for case in long} == {"random", "wide"}
    assert all(18432 in case.workload.flat_dims.values() for case in long)
    for case in sizes.cases(("blocks",), (), ("cuda",), ("f16",)):
        if not case.op.endswith("_grad"):
            kernels = uol.compile(case.op, "cuda", "f16", case.workload.dims, **case.workload.attrs).module.kernels
            blocks = [kernel.launch.blocks({}) for kernel in kernels if isinstance(kernel.spec, Contract)]
            assert any(x * y * z > 65_535 for x, y, z in blocks), case


def test_a_case_beyond_its_contract_counts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def beyond(cases: list[Case]) -> list[Verdict]:
        return [Verdict(case, "breach", "golden: too far") for case in cases]

    monkeypatch.setattr(sizes, "STEPS", sizes.Steps("sizes", sizes.Records(Verdict), str, beyond))
    assert sizes.main(["--op", "grouped_matmul", "--of", "tiles", "--target", "hip", "--dtype", "f16"]) == 1
    assert "golden: too far" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--of", "bricks"], ["--op", "relu"]])
def test_bad_input_is_an_error(words: list[str]) -> None:
    with pytest.raises(UolError):
        sizes.main(words)
