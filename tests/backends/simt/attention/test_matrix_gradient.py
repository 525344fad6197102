"""Gradients of attentions on matrix units in the twin: beside PyTorch's autograd in float64, within what roundings lose.

Probabilities and their gradients are rounded once to the type of what they multiply, by u of themselves or half the least
subnormal number, and so was y, of which delta is made; a result once more. Beside that f32 is exact enough: the bound is the
sum of these, with one part in 2^17 of sums of absolute values for what is computed in f32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
import torch
from simt_cases import widened

from uol.backends import registry
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Module
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Attention
from uol.ir import instantiate
from uol.ir.program.dtype_encoding import decode, encode
from uol.operators.registry import catalogue, find_operator

Arrays = dict[str, Array]
UNIT = {"f16": 2.0**-11, "bf16": 2.0**-8}
"""The most that rounding to nearest loses, relative to a normal number."""
LEAST = {"f16": 2.0**-24, "bf16": 2.0**-133}
"""The least number of the type that is not 0."""
FLUSHED = {"f16": 2.0**-14, "bf16": 2.0**-126}
"""The least normal number: matrix units of gfx90a take what is less for 0 (conformance/contracts.toml)."""
REST = 2.0**-17
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
