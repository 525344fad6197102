"""Cases of real size: inputs that a kernel draws on the card, results judged at a sample of places, times beside PyTorch's by
turns. Kernels run in the twin here, at small sizes, on the way that large ones take."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from on_the_stub import fields_of, packed_into
from on_the_twin import TwinCard
from torch import Tensor

from uol.backends.cuda import nvrtc
from uol.backends.twin import Job, execute_many
from uol.binding.named_binding import bind_names
from uol.compilation.pipeline import artifact_of, module_of
from uol.compilation.request import Request, resolve_target
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.verdict import Case
from uol.conformance.packs.cases import Subject, of_drawn
from uol.conformance.packs.drawn import sample as sampling
from uol.conformance.packs.drawn.generator import ALL, SIGNS, WIDE, Draw, drawing, draws_of
from uol.conformance.packs.drawn.owed import owed_of_sample
from uol.conformance.packs.drawn.sample import free_dims, places, sample_of
from uol.conformance.packs.drawn.timing import timed_operators, timing_cases
from uol.conformance.packs.drawn.whole import Whole, is_drawn, whole_of
from uol.conformance.packs.runner.case_run import Ran, run_case
from uol.conformance.packs.runner.contents import read_pack
from uol.conformance.packs.runner.judge import judged
from uol.conformance.packs.runner.timing import Stopwatch
from uol.conformance.packs.runner.torch_times import calls_beside, fastest_beside
from uol.conformance.packs.runner.turns import TURNS, Timer, by_turns
from uol.ir.errors import UolError
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.interpreter import interpret
from uol.ir.syntax.parser import parse
from uol.ops.inputs import static_shape
from uol.ops.workloads import Extent, Workload

needs_nvrtc = pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed, which builds the packs' kernels")
needs_hipcc = pytest.mark.skipif(shutil.which("hipcc") is None, reason="hipcc is not installed, which builds a pack's kernels")

MATMUL: Mapping[str, Extent] = {"S": (), "M": 40, "N": 72, "K": 96}
GROUPED: Mapping[str, Extent] = {"M": 48, "E": 5, "F": 40, "D": 64}


def case(op: str, dims: Mapping[str, Extent], dtype: str = "f16", target: str = "cuda:h100", seed: int = 3) -> Case:
    return Case(op, target, dtype, Workload(op, dims), "wide", seed=seed)


def whole(op: str, dims: Mapping[str, Extent], dtype: str = "f16", target: str = "cuda:h100") -> Whole:
    return whole_of(case(op, dims, dtype, target), "Zipf")


def test_kernels_draw_what_is_drawn_here() -> None:
    """To the bit, on both machines; the number of elements has a tail, the seed more than 32 bits."""
    signs, wide, narrow = Draw(2**40 + 7, 1, 1800), Draw(7, 11, ALL), Draw(8, 8, 3000)
    chosen = [("cuda:h100", signs, "f16"), ("cuda:h100", wide, "f16"), ("cuda:h100", narrow, "bf16")]
    chosen += [("hip:mi250x", wide, "f32"), ("hip:mi250x", signs, "f16")]
    jobs, owed = [], []
    for target, draw, dtype in chosen:
        (op,) = parse(SIGNS if draw.bits == 1 else WIDE)
        module = module_of(Request(bind_names(op, dtype, {"N": 1003}, draw.attributes), resolve_target(target)))
        jobs.append(Job(module, {"like": encode(np.zeros(1003), dtype)}, draw.attributes))
        owed.append(encode(draw.values(np.arange(1003)), dtype))
    for run, values in zip(execute_many(jobs), owed, strict=True):
        assert not run.findings and run.outputs["x"].tobytes() == values.tobytes()


def test_what_is_drawn_is_wide_or_signs_and_0_as_often_as_is_said() -> None:
    at = np.arange(100_000)
    wide, signs = Draw(1, 11, ALL).values(at), Draw(2, 1, 1024).values(at)
    assert (np.abs(wide * 2**10) % 2 == 1).all() and ((np.abs(wide) >= 1) & (np.abs(wide) < 2)).all()
    assert abs((wide > 0).mean() - 0.5) < 0.01 and len(np.unique(np.abs(wide))) == 512
    assert set(np.unique(signs)) == {-1.0, 0.0, 1.0} and abs((signs != 0).mean() - 0.25) < 0.01
    assert abs(np.corrcoef(wide, signs)[0, 1]) < 0.02 and abs(np.corrcoef(wide[1:], wide[:-1])[0, 1]) < 0.02


@pytest.mark.parametrize(
    ("op", "dims", "free"),
    [
        ("matmul", MATMUL, {"y": {"M", "N"}}),
        ("matmul_grad", MATMUL, {"da": {"M", "K"}, "db": {"K", "N"}}),
        ("linear", {"S": (3, 5), "N": 7, "K": 9}, {"y": {"S_0", "S_1", "N"}}),
        ("grouped_matmul", GROUPED, {"y": {"M", "F"}}),
        ("grouped_matmul_grad", GROUPED, {"dx": {"M", "D"}, "dw": set()}),
        ("softmax", {"S": (5,), "C": 9}, {"y": {"S"}}),
        ("cumsum", {"S": (5,), "N": 9}, {"y": {"S"}}),
        ("causal_attention", {"B": 2, "H": 2, "G": 2, "L": 5, "M": 5, "D": 4, "E": 3}, {"y": {"B", "E"}}),
        ("topk", {"S": (5,), "C": 9}, {"y": set(), "at": set()}),
        ("conv2d", {"N": 2, "C": 3, "H": 5, "W": 5, "O": 4, "R": 3, "S": 3}, {"y": {"N", "O"}}),
    ],
)
def test_a_result_is_sampled_along_dims_that_its_elements_do_not_share(
    op: str, dims: Mapping[str, Extent], free: Mapping[str, set[str]]
) -> None:
    """Not along one that is reduced, looked up by data, sorted, scanned, or that a mask compares."""
    attrs = {"topk": {"top": 3}}.get(op, {})
    symbolic = whole_of(Case(op, "cuda:h100", "f32", Workload(op, dims, attrs), "wide"), "balanced").symbolic
    found = {tensor.name: set(free_dims(symbolic, tensor.name)) for tensor in symbolic.by_role("out")}
    assert found == free


@pytest.mark.parametrize(
    ("op", "dims"),
    [
        *(("matmul", MATMUL), ("matmul_grad", MATMUL), ("grouped_matmul", GROUPED)),
        *(("linear_gelu", {"S": (6, 9), "N": 30, "K": 20}), ("layer_norm", {"S": (70,), "C": 33})),
        *(("moe_expert", {"M": 48, "N": 20, "E": 5, "F": 40, "D": 64}), ("add", {"S": (40, 50)})),
    ],
)
def test_a_sample_has_the_values_that_the_whole_has_there(
    op: str, dims: Mapping[str, Extent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "MOST_RESULTS", 100)
    every = whole(op, dims, "f32")
    program, inputs = every.prepared.program, dict(every.carried)
    for name, draw in every.draws.items():
        shape = static_shape(program.tensors[name])
        inputs[name] = draw.values(np.arange(prod(shape))).reshape(shape)
    golden = interpret(program, inputs, every.prepared.scalars)
    for tensor in program.by_role("out"):
        sample = sample_of(every.symbolic, tensor.name, every.dims, 1)
        indices = sample.of(every.symbolic.tensors[tensor.name], every.dims)
        assert prod(map(len, indices)) <= 100 < golden[tensor.name].size
        assert all(index[0] == 0 and index[-1] > 0 and (np.diff(index) > 0).all() for index in indices)
        found = owed_of_sample(every, tensor.name, sample).owed
        np.testing.assert_allclose(found.golden, golden[tensor.name][np.ix_(*indices)], rtol=1e-9)  # sums in f64


def test_places_are_those_of_numpy() -> None:
    indices = [np.array([0, 2]), np.array([1]), np.array([0, 3, 4])]
    flat = np.arange(3 * 2 * 5).reshape(3, 2, 5)
    np.testing.assert_array_equal(places(indices, flat.shape), flat[np.ix_(*indices)])


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32"])
def test_of_a_product_one_value_is_right_and_a_lost_term_of_4096_is_not(dtype: str) -> None:
    """A contract admits what rounding may do to thousands of terms, and a term is less than that."""
    every = whole("matmul", {"S": (), "M": 8, "N": 8, "K": 4096}, dtype)
    found = owed_of_sample(every, "y", sample_of(every.symbolic, "y", every.dims, 0))
    assert found.is_exact
    a, b = (every.draws[name].values(np.arange(8 * 4096)) for name in "ab")
    product = (a.reshape(8, 4096) @ b.reshape(4096, 8)).astype(np.float64)
    lost = product - a.reshape(8, 4096)[:, -1:] * b.reshape(4096, 8)[-1:]
    assert judged({"y": encode(product, dtype)}, [found.owed]).ok
    seen = judged({"y": encode(lost, dtype)}, [found.owed])
    assert not seen.ok and seen.reason.startswith("beyond the contract at y[")


@pytest.mark.parametrize(("op", "dims"), [("linear_gelu", {"S": (4,), "N": 9, "K": 64}), ("softmax", {"S": (4,), "C": 9})])
def test_what_is_more_than_sums_owes_its_contract(op: str, dims: Mapping[str, Extent]) -> None:
    every = whole(op, dims)
    assert not owed_of_sample(every, "y", sample_of(every.symbolic, "y", every.dims, 0)).is_exact


def test_sums_that_f32_does_not_hold_are_not_called_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4,096 terms none of which is 0, of 12 bits."""
    import uol.conformance.packs.drawn.whole as module

    dense = {"a": Draw(1, 12, ALL), "b": Draw(2, 1, ALL)}
    dims: Mapping[str, Extent] = {"S": (), "M": 2, "N": 2, "K": 16384}
    every = whole("matmul", dims, "f32")
    assert owed_of_sample(every, "y", sample_of(every.symbolic, "y", every.dims, 0)).is_exact
    monkeypatch.setattr(module, "draws_of", lambda program, seed: dense)
    every = whole("matmul", dims, "f32")
    assert not owed_of_sample(every, "y", sample_of(every.symbolic, "y", every.dims, 0)).is_exact


def test_a_result_that_stays_too_large_says_along_what_it_can_be_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MOST_RESULTS", 10)
    every = whole("grouped_matmul_grad", GROUPED)
    with pytest.raises(UolError, match="dw of grouped_matmul_grad is too large .* can be sampled along no dim of it"):
        sample_of(every.symbolic, "dw", every.dims, 0)


def card_for(subject: Subject, **options: Any) -> TwinCard:
    """A card that knows the kernels of one case."""
    assert subject.whole is not None
    every = subject.whole()
    compiled = every.prepared.compiled
    modules = {artifact_of(compiled.request, compiled.module).binary: compiled.module}
    for name, draw in every.draws.items():
        tensor = every.prepared.program.tensors[name]
        artifact = drawing(draw, tensor.dtype, prod(static_shape(tensor)), compiled.request.target)
        modules[artifact.binary] = artifact.module
    return TwinCard(modules, **options)


def run(folder: Path, subject: Subject, timed: bool = False, **options: Any) -> tuple[Ran, TwinCard]:
    """The one case of a pack in a folder, on the twin; `timed` with a clock of PyTorch's that runs its call and says 20 us."""
    card = card_for(subject, **options)
    pack = read_pack(folder)
    timer = None
    if timed:

        def clock(calls: list[Any], samples: int) -> list[float]:
            return [20.0 for _ in range(samples) if calls[0]() is not None]

        timer = Timer(Stopwatch(card, [(card.event(), card.event()) for _ in range(50)], card.allocate(8), 8), clock, "", "cpu")
    return run_case(card, pack, pack.cases[0], timer), card


def see(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets this process import PyTorch's calls of a pack, and of no other."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "references"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(folder)


PACKED = [
    *(("cuda:h100", "matmul", MATMUL, "f16"), ("cuda:a100", "linear", {"S": (4,), "N": 70, "K": 128}, "bf16")),
    *(("cuda:a100", "grouped_matmul", GROUPED, "f16"), ("cuda:h100", "matmul_grad", MATMUL, "f16")),
    ("cuda:h100", "linear_gelu", {"S": (33,), "N": 40, "K": 64}, "f16"),
    pytest.param("hip:mi250x", "matmul", MATMUL, "f16", marks=needs_hipcc),
]


@needs_nvrtc
@pytest.mark.parametrize(("target", "op", "dims", "dtype"), PACKED)
def test_a_case_that_draws_its_inputs_runs_and_passes(
    target: str, op: str, dims: Mapping[str, Extent], dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "MOST_RESULTS", 500)
    subject = of_drawn(case(op, dims, dtype, target), "Zipf")
    written = packed_into(tmp_path / "pack", [subject], target)
    assert (written.cases, written.left) == (1, ())
    (entry,) = fields_of(tmp_path / "pack")["cases"]
    drawn = {tensor["name"] for tensor in entry["tensors"] if tensor["role"] == "in" and tensor["dtype"] == dtype}
    assert entry["draws"].keys() == drawn and entry["prediction"]["predicted_us"] > 0
    ran, card = run(tmp_path / "pack", subject)
    assert ran.seen.ok and ran.repeatable, ran.seen.reason
    assert 0 < ran.seen.elements <= 500 and [name.startswith("draw_") for name in card.launched].count(True) == len(drawn)
    assert not card.memory


@pytest.fixture(scope="module")
def packed_matmul(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Subject]:
    folder, subject = tmp_path_factory.mktemp("packs") / "matmul", of_drawn(case("matmul", MATMUL))
    packed_into(folder, [subject], "cuda:h100")
    return folder, subject


@needs_nvrtc
def test_it_is_timed_beside_pytorch_on_what_was_drawn(
    packed_matmul: tuple[Path, Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, subject = packed_matmul
    see(folder, monkeypatch)
    ran, _ = run(folder, subject, timed=True)
    assert ran.timed is not None and ran.timed.reason == "" and ran.timed.other is not None and ran.timed.ratio is not None
    assert (ran.timed.own.median, ran.timed.other.median) == (10.0, 20.0)
    assert (ran.timed.ratio.median, ran.timed.ratio.lower, ran.timed.ratio.samples) == (2.0, 2.0, TURNS)


@needs_nvrtc
def test_a_wrong_value_at_a_place_that_is_judged_fails(packed_matmul: tuple[Path, Subject]) -> None:
    folder, subject = packed_matmul
    right = np.ones((40, 72), np.float16)
    ran, _ = run(folder, subject, spoil={"y": right})
    assert not ran.seen.ok and ran.seen.reason.startswith("beyond the contract at y[0, 0]: 1.0")


@needs_nvrtc
@pytest.mark.parametrize("other", [Draw(4000, 11, ALL), Draw(3000, 11, 4000), Draw(3001, 1, ALL)])
def test_inputs_that_are_not_drawn_as_the_pack_says_are_named(packed_matmul: tuple[Path, Subject], other: Draw) -> None:
    """Another seed, another share of zeros, the other input's kind."""
    folder, subject = packed_matmul
    ran, _ = run(folder, subject, spoil={"x": encode(other.values(np.arange(40 * 96)), "f16")})
    assert not ran.seen.ok and "was not drawn as the pack says: element" in ran.seen.reason


@needs_nvrtc
def test_a_pack_of_a_product_of_4096_is_small(tmp_path: Path) -> None:
    """100 MB of operands and result go by two seeds and a sample."""
    subject = of_drawn(case("matmul", {"S": (), "M": 4096, "N": 4096, "K": 4096}))
    written = packed_into(tmp_path / "pack", [subject], "cuda:h100")
    assert written.cases == 1 and written.bytes < 2**19 < 3 * 2 * 4096**2 / 100
    (entry,) = fields_of(tmp_path / "pack")["cases"]
    with np.load(tmp_path / "pack" / entry["arrays"]) as arrays:
        held: dict[str, Array] = dict(arrays)
    assert not [name for name in held if name.startswith("in.")]
    assert held["golden.y"].shape == (128, 128) and (np.diff(held["sample0.y"]) <= 2 * 32).all()
    assert entry["torch"]["inputs"]["a"]["shape"] == [4096, 4096]


def test_both_sides_are_timed_by_turns_and_the_ratio_is_of_a_turn() -> None:
    """Whatever the clock of the card does from turn to turn."""
    said: list[str] = []
    speed = iter([1.0, 1.0, *(factor for factor in (1, 2, 4, 1, 3, 1, 2) for _ in range(2))])

    def side(name: str, us: float) -> Any:
        def samples(count: int) -> list[float]:
            said.append(name)
            factor = next(speed)
            return [us * factor] * count

        return samples

    timed = by_turns(side("A", 30_000.0), side("B", 15_000.0))
    assert "".join(said) == "AB" * (TURNS + 1)
    assert timed.ratio is not None and (timed.ratio.lower, timed.ratio.median, timed.ratio.upper) == (0.5, 0.5, 0.5)
    assert timed.own.samples == TURNS and timed.own.median == 60_000.0


@needs_nvrtc
def test_of_pytorch_s_ways_to_write_it_the_fastest_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them compute what is owed; one that this PyTorch does not have is none."""
    subject = of_drawn(case("grouped_matmul", GROUPED), "Zipf")
    packed_into(tmp_path / "pack", [subject], "cuda:h100")
    see(tmp_path / "pack", monkeypatch)
    (entry,) = fields_of(tmp_path / "pack")["cases"]
    assert subject.whole is not None
    every = subject.whole()
    arrays: dict[str, Array] = {"in.expert": every.carried["expert"]}
    for name, draw in every.draws.items():
        arrays[f"in.{name}"] = encode(draw.values(np.arange(every.prepared.buffers[name].size)), "f16")
    assert entry["torch"]["forms"] == ["loop", "padded batches", "grouped_mm"]
    loop, padded = (cast(Tensor, calls_beside(entry, arrays, "cpu", form)[0]()) for form in ("loop", "padded batches"))
    assert torch.equal(loop, padded)
    assert loop.shape == (48, 40)
    x, w = (torch.from_numpy(arrays[name].astype(np.float32)) for name in ("in.x", "in.w"))
    rows = [x.reshape(48, 64)[m] @ w.reshape(5, 40, 64)[e].T for m, e in enumerate(arrays["in.expert"])]
    torch.testing.assert_close(loop, torch.stack(rows).half())
    times = iter([3.0, 2.0])

    def clock(calls: list[Any], count: int) -> list[float]:
        return [next(times)] * count

    forms = {**entry["torch"], "forms": ["loop", "no such", "padded batches"]}
    assert fastest_beside({"torch": forms}, arrays, "cpu", clock).form == "padded batches"


def test_pytorch_that_refuses_leaves_a_time_and_a_reason() -> None:
    card = TwinCard({})
    stopwatch = Stopwatch(card, [(card.event(), card.event()) for _ in range(50)], card.allocate(8), 8)
    timer = Timer(stopwatch, lambda calls, count: [1.0] * count, "", "cpu")
    entry = {"torch": {"module": "nowhere", "table": "T", "name": "n", "inputs": {}, "attributes": {}, "cotangents": {}}}
    for form, said in ((entry, "PyTorch: No module named 'nowhere'"), ({"torch": {"reason": "none"}}, "none")):
        timed = timer(form, dict, [lambda: None])
        assert timed.own.median == 10.0 and (timed.other, timed.ratio, timed.reason) == (None, None, said)


def test_timing_cases_are_of_real_size_and_can_be_drawn() -> None:
    assert {"matmul", "linear", "grouped_matmul"} <= set(timed_operators())
    for op in timed_operators():
        cases = list(timing_cases(op, "hip:mi250x", ("f16",), 0))
        assert all(is_drawn(found) for found, _ in cases)
        assert {routing for _, routing in cases} == ({"balanced", "Zipf"} if op == "grouped_matmul" else {"balanced"})
    with pytest.raises(UolError, match="relu has no timing cases"):
        next(iter(timing_cases("relu", "cuda:h100", ("f16",), 0)))


def test_what_is_small_or_cannot_be_sampled_is_not_drawn() -> None:
    assert not is_drawn(case("matmul", MATMUL))
    assert not is_drawn(Case("topk", "cuda:h100", "f32", Workload("topk", {"S": (2**16,), "C": 64}, {"top": 3}), "wide"))
    assert is_drawn(case("softmax", {"S": (4096,), "C": 1024}))


def test_one_factor_is_wide_and_the_other_thin_enough_for_its_sums() -> None:
    program = whole("linear", {"S": (2,), "N": 3, "K": 8192}).prepared.program
    draws = draws_of(program, 0)
    assert [(draws[name].bits, draws[name].keep) for name in "xwb"] == [(11, ALL), (1, 1800), (11, ALL)]
    assert len({draw.seed for draw in draws.values()}) == 3
    assert json.dumps(draws["w"].attributes) == '{"seed": 1, "keep": 1800}'
