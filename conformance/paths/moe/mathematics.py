"""The mathematics of a layer of experts in training, as tensors and what each is computed from.

    s = x router'                         scores; p, e: the K largest of softmax(s), and whose they are
    g, u = gate[e] x, up[e] x             of each token and each of its experts: M = N*K rows
    y = sum of p * down[e] (silu(g) * u)  over a token's experts
    balance, z                            the router's losses: how evenly tokens are spread, and how large scores are

N tokens of D numbers, E experts of F, K of them for a token; each expert has tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

from uol.conformance.gap.reference.graph import F32, I32, Graph, axes


def mathematics(dims: Mapping[str, int], width: float) -> Graph:
    """Forward, and backward from y and both losses to the tokens and every parameter."""
    n, e, k, d, f = (dims[name] for name in "NEKDF")
    m = n * k
    graph = Graph(width)
    tokens, rows, hidden = axes(N=n, D=d), axes(M=m, D=d), axes(M=m, F=f)
    each, of_row, scalar = axes(N=n), axes(M=m), axes(one=1)
    x, router = graph.given("x", tokens), graph.given("router", axes(E=e, D=d))
    gate, up, down = (graph.given(name, axes(E=e, F=f, D=d)) for name in ("gate", "up", "down"))

    graph.at("forward", "route")
    s = graph.product("scores", axes(N=n, E=e), (x, router), ("D",), 2 * n * e * d)
    lse = graph.rows("log of the sum of exponentials", each, s, width=F32)
    expert = graph.rows("chosen experts", of_row, s, width=I32)
    p = graph.rows("weights of the chosen", of_row, s)
    load = graph.total("tokens of each expert", axes(E=e), expert)
    share = graph.total("mean probability of each expert", axes(E=e), s, lse)
    balance = graph.total("balance", scalar, s, lse, expert)
    z = graph.total("z", scalar, lse)

    graph.at("forward", "dispatch")
    source = graph.move("token of each row", of_row, expert, load, width=I32)
    place = graph.move("row of each choice", of_row, expert, load, width=I32)

    graph.at("forward", "gate and up")
    taken = graph.gather("tokens of the rows", rows, x, source)
    g = graph.product("gate product", hidden, (taken, gate), ("D",), 2 * m * f * d)
    u = graph.product("up product", hidden, (taken, up), ("D",), 2 * m * f * d)
    h = graph.elements("gated", hidden, g, u)

    graph.at("forward", "down")
    r = graph.product("down product", rows, (h, down), ("F",), 2 * m * f * d)

    graph.at("forward", "combine")
    y = graph.move("y", tokens, r, place, p)
    graph.result(y, balance, z, expert)

    graph.at("backward", "combine: gradient")
    dy = graph.given("dy", tokens)
    dp = graph.move("gradient of the weights", of_row, dy, r, source)

    graph.at("backward", "down: gradient")
    dr = graph.gather("gradient of the rows", rows, dy, source, p)
    dh = graph.product("gradient of gated", hidden, (dr, down), ("D",), 2 * m * f * d)
    d_down = graph.product("gradient of down", axes(E=e, D=d, F=f), (h, dr), ("M",), 2 * m * f * d)

    graph.at("backward", "gate and up: gradient")
    dg = graph.elements("gradient of the gate product", hidden, dh, g, u)
    du = graph.elements("gradient of the up product", hidden, dh, g, u)
    by_gate = graph.product("gradient of the rows' tokens by the gate", rows, (dg, gate), ("F",), 2 * m * f * d)
    by_up = graph.product("gradient of the rows' tokens by up", rows, (du, up), ("F",), 2 * m * f * d)
    d_taken = graph.elements("gradient of the rows' tokens", rows, by_gate, by_up)
    d_gate = graph.product("gradient of gate", axes(E=e, F=f, D=d), (taken, dg), ("M",), 2 * m * f * d)
    d_up = graph.product("gradient of up", axes(E=e, F=f, D=d), (taken, du), ("M",), 2 * m * f * d)

    graph.at("backward", "route: gradient")
    ds = graph.elements("gradient of the scores", axes(N=n, E=e), s, lse, dp, p, expert, load, share)
    d_router = graph.product("gradient of the router", axes(E=e, D=d), (x, ds), ("N",), 2 * n * e * d)
    by_router = graph.product("gradient of x by the router", tokens, (ds, router), ("E",), 2 * n * e * d)
    by_experts = graph.move("gradient of x by the experts", tokens, d_taken, place)
    dx = graph.elements("dx", tokens, by_router, by_experts)
    graph.result(dx, d_router, d_gate, d_up, d_down)
    return graph


def optimiser_bytes(dims: Mapping[str, int], width: float) -> float:
    """AdamW in the type: reads a parameter, its gradient and two moments; writes the parameter and the moments."""
    e, d, f = (dims[name] for name in "EDF")
    return 7 * width * (e * d + 3 * e * f * d)
