"""Gradients of attentions on matrix units in the twin: beside PyTorch's autograd in float64, within what roundings lose.

Probabilities and their gradients are rounded once to the type of what they multiply, by u of themselves or half the least
subnormal number, and so was y, of which delta is made; a result once more. Beside that f32 is exact enough: the bound is the
sum of these, with one part in 2^17 of sums of absolute values for what is computed in f32.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
import torch
from attention_bounds import FLUSHED, LEAST, REST, UNIT, with_fault
from simt_cases import widened

from uol.backends import registry
from uol.backends.simt.attention.gradient.counts import gradient_counts
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.attention.schedule import RowTile
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Module, Refusal
from uol.codegen.cost import middle
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Attention
from uol.ir import instantiate
from uol.ir.program.dtype_encoding import decode, encode
from uol.operators.registry import catalogue, find_operator

Arrays = dict[str, Array]
SMALL, WIDE, BIG, EIGHT = MatrixRows(16, 32, 1), MatrixRows(64, 32, 4), MatrixRows(64, 64, 4), MatrixRows(128, 64, 8)


@dataclass(frozen=True)
class Case:
    """B, H, G, L, M, D, E of an attention, and how its gradient lies on warps. `great`: what scores are multiplied by, about;
    `shift`: of where tensors begin; `fixed`: the dims that are no arguments."""

    op: str
    sizes: tuple[int, int, int, int, int, int, int]
    tile: MatrixRows = WIDE
    dtype: str = "f16"
    great: float = 1.0
    shift: int = 0
    fixed: str = "BHGLMDE"
    target: str = field(default="cuda")

    @property
    def dims(self) -> dict[str, int]:
        return dict(zip("BHGLMDE", self.sizes, strict=True))

    @property
    def name(self) -> str:
        sizes, tile = "x".join(map(str, self.sizes)), f"{self.tile.rows}x{self.tile.cols}"
        return f"{self.target}-{self.op}-{sizes}-{tile}-{self.dtype}-{self.great:g}-{self.shift}-{self.fixed}"


CASES = (
    Case("attention", (1, 2, 2, 128, 128, 64, 64), BIG),
    Case("attention", (1, 1, 1, 33, 127, 64, 64)),
    Case("attention", (2, 4, 2, 1, 33, 64, 64)),
    Case("attention", (1, 2, 1, 40, 70, 24, 40), SMALL, "bf16"),
    Case("attention", (1, 1, 1, 64, 96, 128, 128), great=8.0),
    Case("attention", (1, 2, 1, 65, 70, 64, 64), BIG, shift=1),
    Case("attention", (1, 1, 1, 40, 200, 32, 32), EIGHT, great=40.0),
    Case("causal_attention", (1, 4, 2, 127, 127, 64, 64)),
    Case("causal_attention", (1, 1, 1, 256, 256, 64, 64), BIG),
    Case("causal_attention", (1, 2, 2, 33, 127, 64, 64)),
    Case("causal_attention", (1, 2, 2, 127, 33, 64, 64), SMALL, "bf16"),
    Case("attention", (2, 4, 2, 33, 70, 64, 64), fixed="DE"),
    Case("causal_attention", (1, 4, 2, 70, 70, 64, 64), fixed="DE", shift=1),
    Case("masked_attention", (1, 2, 1, 33, 70, 64, 64)),
    Case("masked_attention", (2, 2, 1, 40, 127, 32, 40), SMALL, "bf16"),
    *(
        Case(op, sizes, MatrixRows(*tile), dtype, great, shift, fixed, "hip")
        for op, sizes, tile, dtype, great, shift, fixed in (
            ("attention", (1, 2, 2, 128, 128, 64, 64), (64, 64, 2, 1), "f16", 1.0, 0, "BHGLMDE"),
            ("attention", (1, 2, 1, 33, 127, 64, 64), (64, 32, 2), "f16", 1.0, 0, "BHGLMDE"),
            ("attention", (1, 1, 1, 40, 70, 128, 128), (64, 32, 2, 1), "bf16", 8.0, 0, "BHGLMDE"),
            ("attention", (1, 1, 1, 40, 70, 24, 40), (32, 32, 1, 1), "f16", 1.0, 0, "BHGLMDE"),
            ("attention", (1, 2, 1, 65, 70, 64, 64), (64, 32, 2), "f16", 1.0, 1, "BHGLMDE"),
            ("causal_attention", (1, 4, 2, 127, 127, 64, 64), (64, 32, 2), "f16", 1.0, 0, "BHGLMDE"),
            ("causal_attention", (1, 4, 2, 70, 70, 64, 64), (64, 32, 2), "bf16", 1.0, 0, "DE"),
            ("masked_attention", (1, 2, 1, 33, 70, 64, 64), (64, 32, 2), "f16", 1.0, 0, "BHGLMDE"),
        )
    ),
)


def inputs_of(case: Case) -> Arrays:
    """Rounded to the type; of a mask some rows see nothing, and some nothing for long."""
    b, h, g, length, m, d, e = case.sizes
    rng = np.random.default_rng(52)
    shapes = {"q": (b, h, length, d), "k": (b, g, m, d), "v": (b, g, m, e), "dy": (b, h, length, e)}
    found = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    found["q"] *= case.great
    rounded = {name: decode(encode(array, case.dtype), case.dtype).astype(np.float64) for name, array in found.items()}
    if case.op == "masked_attention":
        mask = rng.integers(0, 4, (b, h, length, m)).astype(bool)
        mask[:, :, ::3] = False
        mask[:, :, 1::3, : m // 2] = False
        rounded["mask"] = mask
    return rounded


def seen(case: Case, inputs: Arrays) -> torch.Tensor:
    """Which cols a row sees."""
    b, h, _, length, m, _, _ = case.sizes
    if "mask" in inputs:
        return torch.from_numpy(np.asarray(inputs["mask"]))
    whole = torch.ones(b, h, length, m, dtype=torch.bool)
    return whole.tril() if case.op == "causal_attention" else whole


@dataclass(frozen=True)
class Expected:
    """What PyTorch makes of the inputs in float64, how much may be lost, and what the forward saves."""

    gradients: Arrays
    lost: Arrays
    saved: Arrays


@cache
def expected(case: Case) -> Expected:
    inputs = inputs_of(case)
    share, root = case.dims["H"] // case.dims["G"], case.dims["D"] ** 0.5
    q, k, v = (torch.from_numpy(np.asarray(inputs[name])).requires_grad_() for name in ("q", "k", "v"))
    dy, sees = torch.from_numpy(np.asarray(inputs["dy"])), seen(case, inputs)
    wide_k, wide_v = (each.repeat_interleave(share, 1) for each in (k, v))
    some = sees.any(-1, keepdim=True)
    s = (q @ wide_k.mT / root).masked_fill(~sees, -torch.inf)
    p = torch.softmax(torch.where(some, s, 0.0), -1) * some
    y = p @ wide_v
    gradients = torch.autograd.grad(y, (q, k, v), dy)
    with torch.no_grad():
        hi = s.amax(-1) if case.dims["M"] else torch.full(s.shape[:-1], -torch.inf, dtype=s.dtype)
        z = torch.exp(s - torch.where(some, hi[..., None], 0.0)).sum(-1)
        lost = lost_of(case, q, wide_k, wide_v, dy, p, y, root, share)
    u = UNIT[case.dtype]
    found = dict(zip(("dq", "dk", "dv"), (each.numpy() for each in gradients), strict=True))
    bounds = {n: lost[n].numpy() + u * (np.abs(found[n]) + lost[n].numpy()) + LEAST[case.dtype] / 2 for n in found}
    saved = {"y": y.detach().numpy(), "hi": hi.numpy(), "z_inv": 1 / np.maximum(z.numpy(), 1)}
    return Expected(found, bounds, saved)


def lost_of(
    case: Case,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    dy: torch.Tensor,
    p: torch.Tensor,
    y: torch.Tensor,
    root: float,
    share: int,
) -> dict[str, torch.Tensor]:
    """How far gradients may be from the exact ones, before they are rounded."""
    u, none = UNIT[case.dtype], FLUSHED[case.dtype] if case.target == "hip" else LEAST[case.dtype] / 2
    of_p = REST * p * (1 + q.abs() @ k.abs().mT / root / 32)
    size = dy.abs() @ v.abs().mT + (dy.abs() * y.abs()).sum(-1, keepdim=True)
    dp = dy @ v.mT - (dy * y).sum(-1, keepdim=True)
    of_ds = of_p * dp.abs() + (p + of_p) * (REST * size + u * (dy.abs() * y.abs()).sum(-1, keepdim=True))
    ds = (p * dp).abs()
    of_p, of_ds = of_p + u * (p + of_p) + none, of_ds + u * (ds + of_ds) + none

    def of_group(each: torch.Tensor) -> torch.Tensor:
        return each.unflatten(1, (-1, share)).sum(2)

    return {
        "dq": (of_ds + REST * ds) @ k.abs() / root,
        "dk": of_group((of_ds + REST * ds).mT @ q.abs() / root),
        "dv": of_group((of_p + REST * p).mT @ dy.abs()),
    }


@cache
def module_of(case: Case) -> Module:
    backend = registry.get(case.target)
    assert isinstance(backend, SimtBackend)
    device = backend.devices[backend.default_device]
    dims = {name: size for name, size in case.dims.items() if name in case.fixed}
    program = instantiate(find_operator(f"{case.op}_grad"), catalogue(), types={"T": case.dtype}, dims=dims)
    graph = lower(program, backend, {})
    kernels = [
        backend.render(spec, case.tile if isinstance(spec, Attention) else next(iter(backend.schedules(spec, device))), device)
        for spec in graph.specs
    ]
    assert sum(isinstance(spec, Attention) for spec in graph.specs) == 2
    return backend.assemble(graph, tuple(kernels), device)


def job_of(case: Case) -> Job:
    saved = expected(case).saved
    buffers = {name: array if name == "mask" else encode(array, case.dtype) for name, array in inputs_of(case).items()}
    buffers |= {"y": encode(saved["y"], case.dtype), "hi": encode(saved["hi"], "f32"), "z_inv": encode(saved["z_inv"], "f32")}
    open_dims = {name: size for name, size in case.dims.items() if name not in case.fixed}
    return Job(module_of(case), buffers, open_dims, shift=case.shift)


@cache
def results() -> dict[Case, tuple[dict[str, Array], object]]:
    runs = execute_many([job_of(case) for case in CASES])
    return {case: (dict(run.outputs), run.findings) for case, run in zip(CASES, runs, strict=True)}


def wrong(case: Case, outputs: dict[str, Array]) -> dict[str, float]:
    """The gradients that are further from the exact ones than may be, and how far of that at most."""
    found = expected(case)
    apart = {n: np.abs(widened(outputs[n], case.dtype) - found.gradients[n]) / found.lost[n] for n in found.gradients}
    return {name: float(np.max(each)) for name, each in apart.items() if not np.all(each <= 1)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gradients(case: Case) -> None:
    outputs, findings = results()[case]
    assert not findings, f"{findings}\n{module_of(case).device.text}"
    assert not wrong(case, outputs), module_of(case).device.text


def test_rows_that_see_nothing_have_no_gradient() -> None:
    """And they add nothing to those of keys and values: these are right."""
    case = next(each for each in CASES if each.op == "masked_attention")
    nothing = ~np.asarray(inputs_of(case)["mask"]).any(-1)
    assert nothing.any()
    assert np.all(widened(results()[case][0]["dq"], case.dtype)[nothing] == 0)


LOOPS = (
    (Case("causal_attention", (1, 1, 1, 128, 128, 64, 64), BIG), Case("causal_attention", (1, 1, 1, 128, 512, 64, 64), BIG)),
    (Case("attention", (1, 1, 1, 128, 128, 128, 128), EIGHT), Case("attention", (1, 1, 1, 512, 256, 128, 128), EIGHT)),
    (Case("attention", (1, 1, 1, 64, 64, 32, 32)), Case("attention", (1, 1, 1, 256, 128, 32, 32))),
)
ONE_STAGE = MatrixRows(64, 32, 2, stages=1)
TURNED = {32: MatrixRows(64, 64, 2, stages=1), 128: ONE_STAGE}
TURNED_LOOPS = tuple(
    tuple(replace(case, tile=TURNED[case.dims["D"]], target="hip") for case in pair)
    for pair in LOOPS
    if pair[0].dims["D"] in TURNED
)


@pytest.mark.parametrize("pair", [*LOOPS, *TURNED_LOOPS], ids=lambda pair: pair[1].name)
def test_lanes_meet_in_no_bank(pair: tuple[Case, Case]) -> None:
    """Neither in the loop nor beside it."""
    runs = execute_many([replace(job_of(case), counted=True) for case in pair])
    assert [run.counts["shared_load_conflicts"] + run.counts["shared_store_conflicts"] for run in runs] == [0, 0]


@pytest.mark.parametrize("op", ["attention", "causal_attention"])
def test_counts_in_closed_form_are_near_the_twin_s(op: str) -> None:
    """Products exactly, of a causal attention those of tiles that some row sees; what passes through shared memory but for rows
    and the end."""
    case = Case(op, (1, 2, 2, 512, 512, 64, 64), BIG)
    device = registry.get("cuda").devices["a100"]
    specs = [kernel.spec for kernel in module_of(case).kernels if isinstance(kernel.spec, Attention)]
    found = [gradient_counts(spec, case.tile, device) for spec in specs]
    (run,) = execute_many([replace(job_of(case), counted=True)])
    assert sum(middle(each.operations["f16-matrix"]) for each in found) == run.counts["matrix operations f16"]
    moved = run.counts["shared_load_bytes"] + run.counts["shared_store_bytes"]
    assert 0.7 * moved <= sum(middle(each.scratch_bytes) for each in found) <= 1.1 * moved
    special = sum(middle(each.operations["special"]) for each in found)
    assert special == pytest.approx(run.counts["statements special"], rel=0.25)


FAULTS = {
    "diagonal off by one": (r"j <= i_", "j < i_"),
    "diagonal off by one, the other way": (r"j <= i_", "j <= i_ + 1"),
    "delta left out": (r" - delta_(pair|value)(\[\w+\])+", ""),
    "reciprocal of the sum left out": (r" \* z_inv_(pair|value)(\[\w+\])+", ""),
    "maximum left out": (r"s - hi_(pair|value)(\[\w+\])+", "s"),
    "scale left out of scores": (r" \* 0\.125f;", ";"),
    "a tile skipped at the end": (r"const int tiles = (.*);", r"const int tiles = \1 - 1;"),
    "a tile skipped at the beginning": (r"const int begin = m0 / 64 \* 64;", "const int begin = m0 / 64 * 64 + 64;"),
    "masks a tile short": (r"col0 < full_from", "col0 + 64 < full_from"),
    "masks end a tile late": (r"col0 \+ 64 > full_to", "col0 > full_to"),
    "a head summed twice": (r"(q|dy)_from \+= next \+ 64 == end \? 12800 - ", r"\1_from += next + 64 == end ? 0 - "),
    "delta of the first head": (r"delta_from \+= next \+ 64 == end \? 200 - ", "delta_from += next + 64 == end ? 0 - "),
    "weights exchanged": (r"mma_16x8x16_f16\(dv_sum(.*), pn_part", r"mma_16x8x16_f16(dv_sum\1, dsn_part"),
    "halves of weights exchanged": (r"pack_f16\((.*), (.*)\);", r"pack_f16(\2, \1);"),
    "cols of the stage that is filled": (r"\+ read\b", "+ write"),
    "values of cols of the stage that is filled": (r"(lane % 4\) \* 8) \+ read", r"\1 + write"),
}
FAULTS_OF_TURNED = {
    **{name: FAULTS[name] for name in list(FAULTS)[:7]},
    "a tile skipped at the beginning": (r"const int begin = m0 / 32 \* 32;", "const int begin = m0 / 32 * 32 + 32;"),
    "a head summed twice": (r"(q|dy)_from \+= next \+ 32 == end \? 12800 - ", r"\1_from += next + 32 == end ? 0 - "),
    "weights exchanged": (r"(mfma_\w+)\(dv_sum(.*), pn_part", r"\1(dv_sum\2, dsn_part"),
    "halves of weights exchanged": (r"(pn_part.*) \+ half \* 2\)", r"\1 + (1 - half) * 2)"),
    "what sums read not turned": (r"uol::transpose_4x4\(.*\);", ";"),
}


@pytest.mark.parametrize(
    ("target", "name"), [*(("cuda", name) for name in FAULTS), *(("hip", name) for name in FAULTS_OF_TURNED)]
)
def test_faults_are_found(target: str, name: str) -> None:
    """Each is a finding of the twin, or a value that is not within the bound."""
    fault = (FAULTS if target == "cuda" else FAULTS_OF_TURNED)[name]
    tile = BIG if target == "cuda" else ONE_STAGE
    case = Case("causal_attention", (1, 4, 2, 200, 200, 64, 64), tile, great=2.0, target=target)
    (run,) = execute_many([with_fault(job_of(case), *fault)])
    assert run.findings or wrong(case, dict(run.outputs))


TAKEN = (("f16", 64, MatrixRows), ("bf16", 32, MatrixRows), ("f32", 64, RowTile), ("f16", 33, RowTile))


def test_the_model_takes_matrix_units_where_they_take_a_gradient() -> None:
    """And threads where not: of f32, and of rows that begin at no multiple of 4 bytes."""
    for target in ("cuda", "hip"):
        backend = registry.get(target)
        device = backend.devices[backend.default_device]
        for dtype, width, kind in TAKEN:
            dims = {"B": 2, "H": 4, "G": 2, "L": 512, "M": 512, "D": width, "E": width}
            program = instantiate(find_operator("causal_attention_grad"), catalogue(), types={"T": dtype}, dims=dims)
            specs = [spec for spec in lower(program, backend, {}).specs if isinstance(spec, Attention)]
            assert len(specs) == 2
            assert all(isinstance(next(iter(backend.schedules(spec, device))), kind) for spec in specs)


REFUSED = {
    "no matrix unit": Case("attention", (1, 1, 1, 33, 40, 16, 16), dtype="f32"),
    "4 bytes": Case("attention", (1, 1, 1, 33, 40, 9, 16)),
    "do not divide": Case("attention", (1, 1, 1, 33, 40, 16, 16), MatrixRows(64, 32, 8)),
    "registers": Case("attention", (1, 1, 1, 33, 40, 128, 128), MatrixRows(128, 64, 4)),
    "stages": Case("attention", (1, 1, 1, 33, 40, 16, 16), ONE_STAGE),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_taken_says_why(reason: str) -> None:
    case = REFUSED[reason]
    backend = registry.get("cuda")
    device = backend.devices[backend.default_device]
    program = instantiate(find_operator(f"{case.op}_grad"), catalogue(), types={"T": case.dtype}, dims=case.dims)
    spec = next(spec for spec in lower(program, backend, {}).specs if isinstance(spec, Attention))
    refused = backend.check(spec, case.tile, device)
    assert isinstance(refused, Refusal)
    assert reason in refused.reason
