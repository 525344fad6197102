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
    layer = _Layer(Graph(width), dims)
    layer.forward()
    layer.backward()
    return layer.graph


class _Layer:
    def __init__(self, graph: Graph, dims: Mapping[str, int]) -> None:
        n, e, k, d, f = (dims[name] for name in "NEKDF")
        m = n * k
        self.graph = graph
        self.tokens, self.rows, self.hidden, self.scores = axes(N=n, D=d), axes(M=m, D=d), axes(M=m, F=f), axes(N=n, E=e)
        self.of_token, self.of_row, self.of_expert, self.one = axes(N=n), axes(M=m), axes(E=e), axes(one=1)
        self.routed, self.dense = 2 * n * e * d, 2 * m * f * d
        self.x, self.router = graph.given("x", self.tokens), graph.given("router", axes(E=e, D=d))
        self.gate, self.up, self.down = (graph.given(name, axes(E=e, F=f, D=d)) for name in ("gate", "up", "down"))

    def forward(self) -> None:
        graph, of_row = self.graph, self.of_row
        graph.at("forward", "route")
        self.s = graph.product("scores", self.scores, (self.x, self.router), ("D",), self.routed)
        self.lse = graph.rows("log of the sum of exponentials", self.of_token, self.s, width=F32)
        self.expert = graph.rows("chosen experts", of_row, self.s, width=I32)
        self.p = graph.rows("weights of the chosen", of_row, self.s)
        self.load = graph.total("tokens of each expert", self.of_expert, self.expert)
        self.share = graph.total("mean probability of each expert", self.of_expert, self.s, self.lse)
        balance = graph.total("balance", self.one, self.s, self.lse, self.expert)
        z = graph.total("z", self.one, self.lse)

        graph.at("forward", "dispatch")
        self.source = graph.move("token of each row", of_row, self.expert, self.load, width=I32)
        self.place = graph.move("row of each choice", of_row, self.expert, self.load, width=I32)

        graph.at("forward", "gate and up")
        self.taken = graph.gather("tokens of the rows", self.rows, self.x, self.source)
        self.g = graph.product("gate product", self.hidden, (self.taken, self.gate), ("D",), self.dense)
        self.u = graph.product("up product", self.hidden, (self.taken, self.up), ("D",), self.dense)
        self.h = graph.elements("gated", self.hidden, self.g, self.u)

        graph.at("forward", "down")
        self.r = graph.product("down product", self.rows, (self.h, self.down), ("F",), self.dense)

        graph.at("forward", "combine")
        y = graph.move("y", self.tokens, self.r, self.place, self.p)
        graph.result(y, balance, z, self.expert)

    def backward(self) -> None:
        graph, rows, hidden, dense = self.graph, self.rows, self.hidden, self.dense
        graph.at("backward", "combine: gradient")
        dy = graph.given("dy", self.tokens)
        dp = graph.move("gradient of the weights", self.of_row, dy, self.r, self.source)

        graph.at("backward", "down: gradient")
        dr = graph.gather("gradient of the rows", rows, dy, self.source, self.p)
        dh = graph.product("gradient of gated", hidden, (dr, self.down), ("D",), dense)
        graph.result(graph.product("gradient of down", self.down.axes, (self.h, dr), ("M",), dense))

        graph.at("backward", "gate and up: gradient")
        dg = graph.elements("gradient of the gate product", hidden, dh, self.g, self.u)
        du = graph.elements("gradient of the up product", hidden, dh, self.g, self.u)
        by_gate = graph.product("gradient of the rows' tokens by the gate", rows, (dg, self.gate), ("F",), dense)
        by_up = graph.product("gradient of the rows' tokens by up", rows, (du, self.up), ("F",), dense)
        d_taken = graph.elements("gradient of the rows' tokens", rows, by_gate, by_up)
        graph.result(graph.product("gradient of gate", self.gate.axes, (self.taken, dg), ("M",), dense))
        graph.result(graph.product("gradient of up", self.up.axes, (self.taken, du), ("M",), dense))

        graph.at("backward", "route: gradient")
        vectors = (self.lse, dp, self.p, self.expert, self.load, self.share)
        ds = graph.elements("gradient of the scores", self.scores, self.s, *vectors)
        graph.result(graph.product("gradient of the router", self.router.axes, (self.x, ds), ("N",), self.routed))
        by_router = graph.product("gradient of x by the router", self.tokens, (ds, self.router), ("E",), self.routed)
        by_experts = graph.move("gradient of x by the experts", self.tokens, d_taken, self.place)
        graph.result(graph.elements("dx", self.tokens, by_router, by_experts))


def optimiser_bytes(dims: Mapping[str, int], width: float) -> float:
    """AdamW in the type: reads a parameter, its gradient and two moments; writes the parameter and the moments."""
    e, d, f = (dims[name] for name in "EDF")
    return 7 * width * (e * d + 3 * e * f * d)
