"""Attentions and their gradients at awkward sizes, with rows that are fully masked, and with NaN and infinities."""

from __future__ import annotations

import numpy as np
from kernel_case import KernelCase

from uol.ir import print_op
from uol.ir.program.dtype_encoding import decode, encode
from uol.operators.registry import find_operator

SIZES = {
    "odd": (2, 4, 2, 33, 37, 9, 20),
    "one": (1, 1, 1, 1, 1, 1, 1),
    "wide": (1, 2, 1, 7, 70, 16, 8),
    "tall": (1, 2, 2, 65, 7, 33, 5),
    "whole": (1, 2, 2, 64, 64, 32, 32),
    "no rows": (1, 2, 1, 0, 5, 3, 4),
    "no cols": (1, 2, 1, 5, 0, 3, 4),
    "no depth": (1, 2, 1, 5, 6, 0, 4),
    "no width": (1, 2, 1, 5, 6, 3, 0),
    "no rows, no cols": (1, 2, 2, 0, 0, 3, 4),
}
"""B, H, G, L, M, D, E"""

FORWARD = ("attention", "causal_attention", "masked_attention", "biased_attention")

HEAD = "q: T[B, H, L, D], k: T[B, G, M, D], v: T[B, G, M, E], y: T[B, H, L, E], lse: T[B, H, L], dy: T[B, H, L, E]"
GRADIENT = """op {name}_by_lse({head}{more}) -> (dq: T[B, H, L, D], dk: T[B, G, M, D], dv: T[B, G, M, E])
    for T in (f64, f32, f16, bf16) where G > 0, H % G == 0 {{
  s[b, h, i, j]  = {score}
  p[b, h, i, j]  = {weight}
  delta[b, h, i] = sum[e](acc(dy[b, h, i, e]) * acc(y[b, h, i, e]))
  dp[b, h, i, j] = sum[e](acc(dy[b, h, i, e]) * acc(v[b, h / (H/G), j, e]))
  ds[b, h, i, j] = p[b, h, i, j] * (dp[b, h, i, j] - delta[b, h, i])
  dq[b, h, i, d] = T(sum[j](ds[b, h, i, j] * acc(k[b, h / (H/G), j, d])) / sqrt(D))
  dk[b, g, j, d] = T(sum[t < H/G, i < L](ds[b, g * (H/G) + t, i, j] else 0 * acc(q[b, g * (H/G) + t, i, d] else 0)) / sqrt(D))
  dv[b, g, j, e] = T(sum[t < H/G, i < L](p[b, g * (H/G) + t, i, j] else 0 * acc(dy[b, g * (H/G) + t, i, e] else 0)))
}}"""
SCORE = "sum[d](acc(q[b, h, i, d]) * acc(k[b, h / (H/G), j, d])) / sqrt(D)"
WEIGHT = "exp(s[b, h, i, j] - acc(lse[b, h, i]))"
GRADIENTS = {
    "attention": ("", SCORE, WEIGHT),
    "causal_attention": ("", f"select(j <= i, {SCORE}, -inf)", WEIGHT),
    "masked_attention": (
        ", mask: bool[B, H, L, M]",
        f"select(mask[b, h, i, j], {SCORE}, -inf)",
        f"select(mask[b, h, i, j], {WEIGHT}, 0)",
    ),
}
"""What is an input beside the others, the score, and its weight, the log-sum-exp being known."""

BARE = """op bare(q: T[B, H, L, D], k: T[B, G, M, D], v: T[B, G, M, E]) -> (y: T[B, H, L, E], hs: T[B, H, L], zs: T[B, H, L])
    for T in (f64, f32, f16, bf16) where G > 0, H % G == 0 {{
  s[b, h, i, j] = {score}
  hi[b, h, i]   = max[j](s[b, h, i, j])
  p[b, h, i, j] = exp(s[b, h, i, j] - hi[b, h, i])
  y[b, h, i, e] = T(sum[j](p[b, h, i, j] * acc(v[b, h / (H/G), j, e])))
  hs[b, h, i]   = T(hi[b, h, i])
  zs[b, h, i]   = T(sum[j](p[b, h, i, j] * 2))
}}"""
"""Nothing is divided by the sum of the weights: what is wrong in one result alone is not hidden by another."""


def text_of(name: str) -> str:
    """The operator's text; `name_by_lse` is its gradient from the log-sum-exp."""
    if name == "bare":
        return BARE.format(score=SCORE)
    form = GRADIENTS.get(name.removesuffix("_by_lse"))
    if not name.endswith("_by_lse") or form is None:
        return print_op(find_operator(name))
    more, score, weight = form
    return GRADIENT.format(name=name.removesuffix("_by_lse"), head=HEAD, more=more, score=score, weight=weight)


def attention_case(name: str, sizes: str, dtype: str = "f32", special: str = "") -> KernelCase:
    """`special`: "nan" or "inf" puts a few into q, k and v; "low" makes all scores of a row -inf, "late" those of the first
    cols."""
    dims = dict(zip("BHGLMDE", SIZES[sizes], strict=True))
    rng = np.random.default_rng(len(name) + len(sizes))
    inputs = _inputs(dims, rng, special)
    inputs |= _forward(inputs, dims, rng)
    text = text_of(name)
    wanted = {n: v for n, v in inputs.items() if f"{n}: " in text.split("->")[0]}
    rounded = {n: v if n == "mask" else decode(encode(v, dtype), dtype) for n, v in wanted.items()}
    return KernelCase(0, text, dtype, dims, {}, rounded, {}, bool(special))


def _inputs(dims: dict[str, int], rng: np.random.Generator, special: str) -> dict[str, np.ndarray]:
    b, h, g, length, m, d, e = dims.values()
    shapes = {"q": (b, h, length, d), "k": (b, g, m, d), "v": (b, g, m, e), "bias": (b, h, length, m), "dy": (b, h, length, e)}
    made = {n: rng.standard_normal(shape) for n, shape in shapes.items()}
    made["mask"] = rng.integers(0, 4, (b, h, length, m)).astype(bool)
    made["mask"][:, :, ::3] = False  # rows that see nothing
    made["mask"][:, :, 1::3, : m // 2] = False  # rows that see nothing for long
    if special in ("nan", "inf"):
        for name in ("q", "k", "v"):
            flat = made[name].reshape(-1)
            flat[:: max(1, flat.size // 3)] = np.nan if special == "nan" else np.inf
    if special == "low" and length and d:
        made["q"][:, :, : 1 + length // 2, 0] = -np.inf
        made["k"][..., 0] = np.abs(made["k"][..., 0])
    if special == "late" and d:
        made["q"][..., 0] = np.abs(made["q"][..., 0])
        made["k"][:, :, : m // 2, 0] = -np.inf
    return made


def _forward(given: dict[str, np.ndarray], dims: dict[str, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A result of the forward operator, and the log-sum-exp of the unmasked scores: large enough for any mask."""
    share = dims["H"] // dims["G"]
    k = np.repeat(np.nan_to_num(given["k"], posinf=1, neginf=1), share, 1)
    s = np.einsum("bhid,bhjd->bhij", np.nan_to_num(given["q"], posinf=1, neginf=1), k) / max(dims["D"], 1) ** 0.5
    hi = s.max(-1, keepdims=True, initial=0)
    lse = (hi + np.log(np.exp(s - hi).sum(-1, keepdims=True) + 1))[..., 0]
    return {"lse": lse, "y": rng.standard_normal(given["dy"].shape)}
