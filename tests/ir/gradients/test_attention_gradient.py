"""Causal, grouped-query attention: the derived gradient is autograd's, and keeps no more than it needs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from uol.ir import Library, check, instantiate, interpret, parse, print_op
from uol.ir.gradients import gradient

(ATTENTION,) = parse(
    """
    op attention(q: T[B, H, M, D], k: T[B, G, N, D], v: T[B, G, N, E]; scale: float = 1.0) -> (y: T[B, H, M, E])
        for T in (f64, f32, f16, bf16) where G > 0, H % G == 0, H >= G, N >= M {
      s[b, h, m, n] = sum[d](acc(q[b, h, m, d]) * acc(k[b, h / (H/G), n, d] else 0)) * scale
      hi[b, h, m]   = max[n <= m + (N - M)](s[b, h, m, n])
      p[b, h, m, n] = select(n <= m + (N - M), exp(s[b, h, m, n] - hi[b, h, m]), 0)
      z[b, h, m]    = sum[n](p[b, h, m, n])
      y[b, h, m, e] = T(sum[n](p[b, h, m, n] * acc(v[b, h / (H/G), n, e] else 0)) / z[b, h, m])
    }
    """
)
DIMS = dict(B=2, H=4, G=2, M=3, N=5, D=6, E=7)


def by_autograd(given: dict[str, np.ndarray], scale: float) -> dict[str, np.ndarray]:
    q, k, v, dy = (torch.from_numpy(given[n]).requires_grad_() for n in ("q", "k", "v", "dy"))
    wide = (t.repeat_interleave(DIMS["H"] // DIMS["G"], 1) for t in (k, v))
    mask = torch.ones(DIMS["M"], DIMS["N"], dtype=torch.bool).tril(DIMS["N"] - DIMS["M"])
    y = torch.nn.functional.scaled_dot_product_attention(q, *wide, attn_mask=mask, scale=scale)
    found = torch.autograd.grad(y, (q, k, v), dy)
    return {"y": y.detach().numpy(), **{n: g.numpy() for n, g in zip(("dq", "dk", "dv"), found, strict=True)}}


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_attention(scale: float) -> None:
    text = gradient(ATTENTION, Library())
    rng = np.random.default_rng(4)
    shapes = {"q": "BHMD", "k": "BGND", "v": "BGNE", "dy": "BHME"}
    given = {name: rng.standard_normal([DIMS[d] for d in dims]) for name, dims in shapes.items()}
    expected = by_autograd(given, scale)
    given["y"] = expected["y"]
    program = instantiate(text, Library(), types={"T": "f64"}, dims=DIMS)
    found = interpret(program, {t.name: given[t.name] for t in program.by_role("in")}, {"scale": scale})
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], 1e-10, 1e-10, err_msg=name)


def test_attention_needs_no_cotangent_of_its_row_maximum() -> None:
    text = gradient(ATTENTION, Library())
    check(text, Library())
    assert "argmax" not in print_op(text)
