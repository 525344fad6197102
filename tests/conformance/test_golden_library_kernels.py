"""The golden kernels beside the first six: their text is as reviewed, and what it computes in the checked twin is what the
golden value, the unscheduled specs and PyTorch in float64 say.

`pytest tests/conformance/test_golden_library_kernels.py --update-golden` writes the files anew.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import pytest
from turns import by_turns

from uol.backends import registry
from uol.conformance.cases.selection import Selection, plan
from uol.conformance.cases.twin_check import check, has_twin, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.mutation.golden import GOLDEN, cases_of_sizes, golden_cases, text_of
from uol.conformance.mutation.judge import kernel_name
from uol.ops.inputs import static_shape

FOLDER = Path(__file__).parents[1] / "golden"
FIRST = ("add", "relu", "softmax", "linear_relu", "conv2d", "max_pool2d")
"""Kept at smaller sizes, by the tests of their backends, where no golden kernel says otherwise."""
TARGETS = [n for n in registry.names() if has_twin(n)]
CASES = [c for c in golden_cases(TARGETS) if text_of(c) not in FIRST]


def test_every_kind_of_kernel_is_there() -> None:
    assert {g.op for g in GOLDEN} - set(FIRST) == {
        *("matmul", "layer_norm", "cumsum", "attention", "attention_grad"),
        *("grouped_matmul", "grouped_matmul_grad", "scatter_add", "topk", "argsort", "weighted_bincount", "cummax"),
        *("mse_loss", "moe_dispatch", "moe_swiglu_grad"),
        *("dropout", "embedding", "transpose", "avg_pool2d", "pixel_shuffle"),
        *("linear_recurrence", "searchsorted", "rms_norm_grad", "vector_norm", "argmax"),
        *("global_avg_pool2d", "max_pool1d", "concat_2", "pad1d", "silu", "batched_matmul", "causal_attention"),
        *("conv2d_grad", "conv_transpose2d", "masked_attention", "biased_attention"),
        *("linear", "linear_gelu", "matmul_add", "moe_scores_grad"),
        *("sliding_attention", "padded_attention", "paged_attention", "dropout_attention", "masked_attention_grad"),
    }


@pytest.mark.parametrize("case", CASES, ids=kernel_name)
def test_text_is_as_reviewed(case: Case, update_golden: bool) -> None:
    device = prepare(case).compiled.module.device
    file = (FOLDER / case.target / device.name).with_stem(text_of(case))
    if update_golden:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(device.text)
    assert device.text == file.read_text(), f"{file} differs; --update-golden writes it anew"


@pytest.mark.parametrize(("half", "target"), by_turns(2, [0, 1], TARGETS))
def test_it_computes_what_golden_value_oracle_and_pytorch_say(half: int, target: str) -> None:
    cases = [c for c in CASES if c.target == target]
    assert len(cases) == sum(g.on(target) is not None for g in GOLDEN) - len(FIRST)
    verdicts = check([each for case in cases[half::2] for each in cases_of_sizes(case)])
    assert len(verdicts) >= len(cases[half::2])
    for verdict in verdicts:
        assert verdict.ok, f"{verdict.case}: {verdict.reason}"
        assert verdict.golden is not None and verdict.golden.ok
        assert verdict.oracle is not None and verdict.oracle.ok
        assert verdict.reference is not None and verdict.reference.ok
        if verdict.golden.elements != verdict.reference.elements:  # each is about the result that is nearest to its bound
            whole = {prod(static_shape(t)) for t in prepare(verdict.case).program.by_role("out")}
            assert {verdict.golden.elements, verdict.reference.elements} <= whole
        assert verdict.counts.get("least_reuse", 3) >= 3, "double buffers that are hardly used again"


def test_sums_in_one_order_are_asked_for_by_case() -> None:
    chosen = Selection(("scatter_add",), ("cuda",), first=True, adversarial=False)
    (either,), (ordered,) = plan(chosen).cases, plan(replace(chosen, deterministic=True)).cases
    assert ordered == replace(either, deterministic=True)
    assert str(ordered) == f"{either}, in one order"
    texts = [prepare(case).compiled.module.device.text for case in (either, ordered)]
    assert ["atomic_add" in text for text in texts] == [True, False]
    assert all(verdict.ok for verdict in check([either, ordered]))
