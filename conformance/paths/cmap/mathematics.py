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
        """The operations of one of its three products: forward, by the input, by the weight."""
        return self.z.operations


def mathematics(dims: Mapping[str, int], width: float) -> Graph:
    """Forward, and backward from y to every parameter; the video and the words need none."""
    graph = Graph(width)
    alignment = _Alignment(graph, dims)
    pooling = _Pooling(graph, dims, alignment.a)
    alignment.differentiate(*pooling.differentiate())
    return graph


class _Alignment:
    """The tokens of the video, what they read from the words, and the norm: `a`."""

    def __init__(self, graph: Graph, dims: Mapping[str, int]) -> None:
        self.graph, self.dims = graph, dims
        n, d, length, e = dims["N"], dims["D"], tokens_of(dims), dims["E"]
        self.tokens, self.words, self.one = axes(N=n, Q=length, D=d), axes(N=n, L=dims["L"], D=d), axes(D=d)
        self.square, self.wide, self.of_token = axes(O=d, D=d), axes(O=d, E=e), axes(N=n, Q=length)
        self.dense, self.of_words = 2 * n * length * d * d, 2 * n * dims["L"] * d * e
        self.scores = 2 * n * length * dims["L"] * d
        self.norm = graph.given("norm", self.one, 2 * graph.width)  # scale and shift
        self.text = graph.given("text", axes(N=n, L=dims["L"], E=e))
        self.there = graph.given("words that are there", axes(N=n, L=dims["L"]), BIT)
        video = graph.given("video", axes(N=n, T=dims["T"], Y=dims["Y"], X=dims["X"], C=dims["C"]))
        self.first = _convolved(graph, "convolution 1", dims, video, dims["S"], (2, 2, 2))
        self.second = _convolved(graph, "convolution 2", dims, self.first.y, d, (1, 2, 2))
        self._read()

    def _read(self) -> None:
        graph, tokens, words = self.graph, self.tokens, self.words
        self.project, self.query, self.out = (graph.given(name, self.square) for name in ("project", "query", "out"))
        key, value = graph.given("key", self.wide), graph.given("value", self.wide)
        b_project, b_query, b_value = (graph.given(f"bias of {name}", self.one) for name in ("project", "query", "value"))
        graph.at("forward", "projections of tokens")
        product = graph.product("t product", tokens, (self.second.y, self.project), ("D",), self.dense)
        self.t = graph.elements("t", tokens, product, b_project)
        product = graph.product("q product", tokens, (self.t, self.query), ("D",), self.dense)
        self.q = graph.elements("q", tokens, product, b_query)
        graph.at("forward", "projections of words")
        self.k = graph.product("k", words, (self.text, key), ("E",), self.of_words)
        product = graph.product("v product", words, (self.text, value), ("E",), self.of_words)
        self.v = graph.elements("v", words, product, b_value)
        graph.at("forward", "attention")
        self.o = graph.product("o", tokens, (self.q, self.k, self.v, self.there), ("L",), 2 * self.scores)
        graph.at("forward", "projections of tokens")
        product = graph.product("out product", tokens, (self.o, self.out), ("D",), self.dense)
        self.s = graph.elements("residual", tokens, product, self.t)
        self.of_s = graph.rows("statistics of the residual", self.of_token, self.s, width=2 * F32)
        self.a = graph.elements("a", tokens, self.s, self.of_s, self.norm)

    def differentiate(self, dks: Tensor, dvs: Tensor, key: Tensor, value: Tensor) -> None:
        """Adds the gradients, from those of the pooling's keys and values, which these weights made of `a`."""
        graph, tokens = self.graph, self.tokens
        graph.at("backward", "projections of tokens: gradient")
        by_keys = graph.product("gradient of a by keys", tokens, (dks, key), ("O",), self.dense)
        by_values = graph.product("gradient of a by values", tokens, (dvs, value), ("O",), self.dense)
        da = graph.elements("gradient of a", tokens, by_keys, by_values)
        sums = graph.rows("sums of the norm's gradient", self.of_token, da, self.s, self.of_s, self.norm, width=2 * F32)
        ds = graph.elements("gradient of the residual", tokens, da, self.s, self.of_s, sums, self.norm)
        graph.result(graph.total("gradient of norm", self.one, da, self.s, self.of_s, width=2 * graph.width))
        graph.result(graph.product("gradient of out", self.square, (self.o, ds), ("N", "Q"), self.dense))
        do = graph.product("gradient of o", tokens, (ds, self.out), ("O",), self.dense)
        dq = self._attention_gradient(do)
        graph.at("backward", "projections of tokens: gradient")
        graph.result(graph.product("gradient of query", self.square, (self.t, dq), ("N", "Q"), self.dense))
        by_queries = graph.product("gradient of t by queries", tokens, (dq, self.query), ("O",), self.dense)
        dt = graph.elements("gradient of t", tokens, by_queries, ds)
        graph.result(graph.total("gradient of the bias of project", self.one, dt, width=graph.width))
        graph.result(graph.product("gradient of project", self.square, (self.second.y, dt), ("N", "Q"), self.dense))
        dy = graph.product("gradient of features", self.second.z.axes, (dt, self.project), ("O",), self.dense)
        self._stem_gradient(dy)

    def _attention_gradient(self, do: Tensor) -> Tensor:
        """The scores are made again, and with them all that is a function of a row of them: five products."""
        graph, unit = self.graph, "attention: gradient"
        graph.at("backward", unit)
        given = (self.q, self.k, self.v, self.there, do)
        dq = graph.product("gradient of q", self.tokens, given, ("L",), 3 * self.scores, unit)
        dk = graph.product("gradient of k", self.words, given, ("L",), self.scores, unit)
        dv = graph.product("gradient of v", self.words, given, ("L",), self.scores, unit)
        for name, of in (("query", dq), ("value", dv)):
            graph.result(graph.total(f"gradient of the bias of {name}", self.one, of, width=graph.width))
        graph.at("backward", "projections of words: gradient")
        for name, of in (("key", dk), ("value", dv)):
            graph.result(graph.product(f"gradient of {name}", self.wide, (self.text, of), ("N", "L"), self.of_words))
        return dq

    def _stem_gradient(self, dy: Tensor) -> None:
        graph, first, second = self.graph, self.first, self.second
        dz = _gradient(graph, second, dy)
        graph.at("backward", "convolution 2: gradient")
        operands = (dz, second.weight)
        by_first = graph.product("gradient of the first features", first.z.axes, operands, ("C2", "taps"), second.operations)
        _gradient(graph, first, by_first)


class _Pooling:
    """The seed asks the tokens: `y`."""

    def __init__(self, graph: Graph, dims: Mapping[str, int], a: Tensor) -> None:
        self.graph, self.a = graph, a
        n, d, length = dims["N"], dims["D"], tokens_of(dims)
        self.tokens, self.vectors, self.one, self.square = a.axes, axes(N=n, D=d), axes(D=d), axes(O=d, D=d)
        self.dense, self.of_vectors, self.scores = 2 * n * length * d * d, 2 * n * d * d, 2 * n * length * d
        self.of_seed = 2 * d * d
        self.key, self.value, self.out, self.query = (
            graph.given(f"pooling {name}", self.square) for name in ("key", "value", "out", "query")
        )
        b_value, b_query = (graph.given(f"bias of pooling {name}", self.one) for name in ("value", "query"))
        self.seed = graph.given("seed", self.one)
        self.norm = graph.given("pooling norm", self.one, 2 * graph.width)
        graph.at("forward", "projections of tokens")
        self.ks = graph.product("pooling keys", self.tokens, (a, self.key), ("D",), self.dense)
        product = graph.product("pooling values product", self.tokens, (a, self.value), ("D",), self.dense)
        self.vs = graph.elements("pooling values", self.tokens, product, b_value)
        graph.at("forward", "pooling")
        product = graph.product("seed's query product", self.one, (self.seed, self.query), ("D",), self.of_seed)
        self.q = graph.elements("seed's query", self.one, product, b_query)
        self.o = graph.product("pooled", self.vectors, (self.q, self.ks, self.vs), ("Q",), 2 * self.scores)
        product = graph.product("pooling out product", self.vectors, (self.o, self.out), ("D",), self.of_vectors)
        self.s = graph.elements("pooling residual", self.vectors, product, self.seed)
        self.of_s = graph.rows("statistics of the pooling residual", axes(N=n), self.s, width=2 * F32)
        graph.result(graph.elements("y", self.vectors, self.s, self.of_s, self.norm))

    def differentiate(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The gradients of keys and values, and the weights that made them of `a`."""
        graph, unit = self.graph, "pooling: gradient"
        graph.at("backward", unit)
        dy = graph.given("dy", self.vectors)
        ds = graph.elements("gradient of the pooling residual", self.vectors, dy, self.s, self.of_s, self.norm)
        graph.result(graph.total("gradient of pooling norm", self.one, dy, self.s, self.of_s, width=2 * graph.width))
        graph.result(graph.product("gradient of pooling out", self.square, (self.o, ds), ("N",), self.of_vectors))
        do = graph.product("gradient of pooled", self.vectors, (ds, self.out), ("D",), self.of_vectors)
        given = (self.q, self.ks, self.vs, do)
        dks = graph.product("gradient of pooling keys", self.tokens, given, ("Q",), 2 * self.scores, unit)
        dvs = graph.product("gradient of pooling values", self.tokens, given, ("Q",), 2 * self.scores, unit)
        dq = graph.product("gradient of the seed's query", self.one, given, ("Q",), self.scores, unit)
        graph.result(dq, graph.total("gradient of the bias of pooling value", self.one, dvs, width=graph.width))
        graph.result(graph.product("gradient of pooling query", self.square, (self.seed, dq), (), self.of_seed))
        by_query = graph.product("gradient of the seed by its query", self.one, (dq, self.query), ("O",), self.of_seed)
        by_sum = graph.total("gradient of the seed by the residual", self.one, ds, width=graph.width)
        graph.result(graph.elements("gradient of the seed", self.one, by_query, by_sum))
        graph.at("backward", "projections of tokens: gradient")
        for name, of in (("key", dks), ("value", dvs)):
            graph.result(graph.product(f"gradient of pooling {name}", self.square, (self.a, of), ("N", "Q"), self.dense))
        return dks, dvs, self.key, self.value


def tokens_of(dims: Mapping[str, int]) -> int:
    """The number of tokens of a clip."""
    return dims["T"] // 2 * (dims["Y"] // 4) * (dims["X"] // 4)


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


def _gradient(graph: Graph, of: Convolved, dy: Tensor) -> Tensor:
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
