"""The mathematics of cross-modal attention pooling in training, as tensors and what each is computed from.

    t = relu(norm(conv(relu(norm(conv(video)))))) projected        tokens of the video
    a = norm(t + attention(t, words))                              each token asks the words that are there
    y = norm(seed + attention(seed, a))                            one learned query asks the tokens

N clips of C channels, T frames, Y lines, X columns, and L words of E numbers; the stem has S and D channels, in K groups; D is
the width of the tokens, too, which G heads share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.conformance.gap.reference.graph import BIT, F32, Graph, Tensor, axes


@dataclass(frozen=True, slots=True)
class Convolved:
    """A convolution of 3 x 3 x 3 with the norm over groups of channels behind it, and relu: `y` is their result."""

    name: str
    x: Tensor
    weight: Tensor
    affine: Tensor
    z: Tensor
    statistics: Tensor
    y: Tensor

    @property
    def operations(self) -> int:
        """Of one of its three products: forward, by the input, by the weight."""
        return self.z.operations


def mathematics(dims: Mapping[str, int], width: float) -> Graph:
    """Forward, and backward from y to every parameter; the video and the words need none."""
    graph = Graph(width)
    n, d = dims["N"], dims["D"]
    length = dims["T"] // 2 * (dims["Y"] // 4) * (dims["X"] // 4)
    tokens, vectors, of_token, one = axes(N=n, Q=length, D=d), axes(N=n, D=d), axes(N=n, Q=length), axes(D=d)
    words, read, there = axes(N=n, L=dims["L"], E=dims["E"]), axes(N=n, L=dims["L"], D=d), axes(N=n, L=dims["L"])
    r, w = n * length, n * dims["L"]
    square, wide = axes(O=d, D=d), axes(O=d, E=dims["E"])
    scores = 2 * r * dims["L"] * d

    video = graph.given("video", axes(N=n, T=dims["T"], Y=dims["Y"], X=dims["X"], C=dims["C"]))
    text, mask = graph.given("text", words), graph.given("there", there, BIT)
    project, query, out, p_key, p_value, p_out, p_query = (
        graph.given(name, square)
        for name in ("project", "query", "out", "pooling key", "pooling value", "pooling out", "pooling query")
    )
    key, value = graph.given("key", wide), graph.given("value", wide)
    b_project, b_query, b_value, bp_value, bp_query, seed = (
        graph.given(name, one) for name in ("b project", "b query", "b value", "b pooling value", "b pooling query", "seed")
    )
    norm, p_norm = (graph.given(name, one, 2 * width) for name in ("norm", "pooling norm"))  # scale and shift

    first = _convolved(graph, "convolution 1", dims, video, dims["S"], (2, 2, 2))
    second = _convolved(graph, "convolution 2", dims, first.y, d, (1, 2, 2))

    graph.at("forward", "projections of tokens")
    tp = graph.product("projected", tokens, (second.y, project), ("D",), 2 * r * d * d)
    t = graph.elements("t", tokens, tp, b_project)
    qp = graph.product("q product", tokens, (t, query), ("D",), 2 * r * d * d)
    q = graph.elements("q", tokens, qp, b_query)

    graph.at("forward", "projections of words")
    k = graph.product("k", read, (text, key), ("E",), 2 * w * d * dims["E"])
    vp = graph.product("v product", read, (text, value), ("E",), 2 * w * d * dims["E"])
    v = graph.elements("v", read, vp, b_value)

    graph.at("forward", "attention")
    o = graph.product("o", tokens, (q, k, v, mask), ("L",), 2 * scores, "attention")

    graph.at("forward", "projections of tokens")
    ou = graph.product("out product", tokens, (o, out), ("D",), 2 * r * d * d)
    s = graph.elements("residual", tokens, ou, t)
    of_s = graph.rows("statistics of the residual", of_token, s, width=2 * F32)
    a = graph.elements("a", tokens, s, of_s, norm)
    pk = graph.product("pooling keys", tokens, (a, p_key), ("D",), 2 * r * d * d)
    pvp = graph.product("pooling values product", tokens, (a, p_value), ("D",), 2 * r * d * d)
    pv = graph.elements("pooling values", tokens, pvp, bp_value)

    graph.at("forward", "pooling")
    q0p = graph.product("seed's query product", one, (seed, p_query), ("D",), 2 * d * d)
    q0 = graph.elements("seed's query", one, q0p, bp_query)
    po = graph.product("pooled", vectors, (q0, pk, pv), ("Q",), 4 * r * d, "pooling attention")
    pu = graph.product("pooling out product", vectors, (po, p_out), ("D",), 2 * n * d * d)
    ps = graph.elements("pooling residual", vectors, pu, seed)
    of_ps = graph.rows("statistics of the pooling residual", axes(N=n), ps, width=2 * F32)
    y = graph.elements("y", vectors, ps, of_ps, p_norm)
    graph.result(y)

    graph.at("backward", "pooling: gradient")
    dy = graph.given("dy", vectors)
    dps = graph.elements("gradient of the pooling residual", vectors, dy, ps, of_ps, p_norm)
    d_p_norm = graph.total("gradient of the pooling norm", one, dy, ps, of_ps, width=2 * width)
    d_p_out = graph.product("gradient of pooling out", square, (po, dps), ("N",), 2 * n * d * d)
    dpo = graph.product("gradient of pooled", vectors, (dps, p_out), ("D",), 2 * n * d * d)
    asked = (q0, pk, pv, dpo)
    dpk = graph.product("gradient of pooling keys", tokens, asked, ("Q",), 4 * r * d, "pooling attention: gradient")
    dpv = graph.product("gradient of pooling values", tokens, asked, ("Q",), 4 * r * d, "pooling attention: gradient")
    dq0 = graph.product("gradient of the seed's query", one, asked, ("Q",), 2 * r * d, "pooling attention: gradient")
    d_bp_value = graph.total("gradient of b pooling value", one, dpv, width=width)
    d_p_query = graph.product("gradient of pooling query", square, (seed, dq0), (), 2 * d * d)
    by_query = graph.product("gradient of the seed by its query", one, (dq0, p_query), ("O",), 2 * d * d)
    by_sum = graph.total("gradient of the seed by the residual", one, dps, width=width)
    d_seed = graph.elements("gradient of the seed", one, by_query, by_sum)

    graph.at("backward", "projections of tokens: gradient")
    d_p_key = graph.product("gradient of pooling key", square, (a, dpk), ("N", "Q"), 2 * r * d * d)
    d_p_value = graph.product("gradient of pooling value", square, (a, dpv), ("N", "Q"), 2 * r * d * d)
    by_k = graph.product("gradient of a by keys", tokens, (dpk, p_key), ("O",), 2 * r * d * d)
    by_v = graph.product("gradient of a by values", tokens, (dpv, p_value), ("O",), 2 * r * d * d)
    da = graph.elements("gradient of a", tokens, by_k, by_v)
    of_da = graph.rows("sums of the norm's gradient", of_token, da, s, of_s, norm, width=2 * F32)
    ds = graph.elements("gradient of the residual", tokens, da, s, of_s, of_da, norm)
    d_norm = graph.total("gradient of the norm", one, da, s, of_s, width=2 * width)
    d_out = graph.product("gradient of out", square, (o, ds), ("N", "Q"), 2 * r * d * d)
    do = graph.product("gradient of o", tokens, (ds, out), ("O",), 2 * r * d * d)

    graph.at("backward", "attention: gradient")
    given = (q, k, v, mask, do)  # the scores are made again, and with them all that is a function of a row of them
    dq = graph.product("gradient of q", tokens, given, ("L",), 3 * scores, "attention: gradient")
    dk = graph.product("gradient of k", read, given, ("L",), scores, "attention: gradient")
    dv = graph.product("gradient of v", read, given, ("L",), scores, "attention: gradient")
    d_b_query = graph.total("gradient of b query", one, dq, width=width)
    d_b_value = graph.total("gradient of b value", one, dv, width=width)

    graph.at("backward", "projections of words: gradient")
    d_key = graph.product("gradient of key", wide, (text, dk), ("N", "L"), 2 * w * d * dims["E"])
    d_value = graph.product("gradient of value", wide, (text, dv), ("N", "L"), 2 * w * d * dims["E"])

    graph.at("backward", "projections of tokens: gradient")
    d_query = graph.product("gradient of query", square, (t, dq), ("N", "Q"), 2 * r * d * d)
    by_q = graph.product("gradient of t by queries", tokens, (dq, query), ("O",), 2 * r * d * d)
    dt = graph.elements("gradient of t", tokens, by_q, ds)
    d_b_project = graph.total("gradient of b project", one, dt, width=width)
    d_project = graph.product("gradient of project", square, (second.y, dt), ("N", "Q"), 2 * r * d * d)
    df = graph.product("gradient of features", second.z.axes, (dt, project), ("O",), 2 * r * d * d)
    graph.result(d_p_norm, d_p_out, d_bp_value, dq0, d_p_query, d_seed, d_p_key, d_p_value, d_norm, d_out, d_b_query, d_b_value)
    graph.result(d_key, d_value, d_query, d_b_project, d_project)

    d_first = _gradient(graph, second, df, dims)
    graph.at("backward", "convolution 2: gradient")
    by_first = graph.product(
        "gradient of the first features", first.z.axes, (d_first, second.weight), ("C2", "taps"), second.operations
    )
    _gradient(graph, first, by_first, dims)
    return graph


def _convolved(
    graph: Graph, name: str, dims: Mapping[str, int], x: Tensor, channels: int, stride: tuple[int, int, int]
) -> Convolved:
    graph.at("forward", name)
    n, *lengths, taken = (extent for _, extent in x.axes)
    frames, lines, columns = (-(-length // step) for length, step in zip(lengths, stride, strict=True))
    out = axes(N=n, T=frames, Y=lines, X=columns, C=channels)
    weight = graph.given(f"{name}: weight", axes(O=channels, taps=27, C=taken))
    affine = graph.given(f"{name}: scale and shift", axes(two=2, C=channels))
    operations = 2 * 27 * taken * channels * n * frames * lines * columns
    z = graph.product(f"{name}: product", out, (x, weight), ("C", "taps"), operations)
    statistics = graph.total(f"{name}: statistics", axes(N=n, K=dims["K"], two=2), z)
    y = graph.elements(f"{name}: normed", out, z, statistics, affine)
    return Convolved(name, x, weight, affine, z, statistics, y)


def _gradient(graph: Graph, of: Convolved, dy: Tensor, dims: Mapping[str, int]) -> Tensor:
    """The gradient of a convolution's result from that of what follows it, and its parameters'."""
    graph.at("backward", f"{of.name}: gradient")
    z, statistics, affine = of.z, of.statistics, of.affine
    kept = graph.elements(f"{of.name}: gradient before relu", z.axes, dy, z, statistics, affine)
    sums = graph.total(f"{of.name}: sums of the norm's gradient", statistics.axes, kept, z, statistics, affine)
    d_affine = graph.total(f"{of.name}: gradient of scale and shift", affine.axes, kept, z, statistics, width=graph.width)
    dz = graph.elements(f"{of.name}: gradient of the product", z.axes, kept, z, statistics, sums, affine)
    d_weight = graph.product(
        f"{of.name}: gradient of the weight", of.weight.axes, (of.x, dz), ("N", "T", "Y", "X"), of.operations
    )
    graph.result(d_affine, d_weight)
    return dz


def optimiser_bytes(dims: Mapping[str, int], width: float) -> float:
    """AdamW in the type: reads a parameter, its gradient and two moments; writes the parameter and the moments."""
    c, s, d, e = (dims[name] for name in "CSDE")
    return 7 * width * (27 * c * s + 27 * s * d + 2 * s + 7 * d * d + 2 * d * e + 12 * d)
