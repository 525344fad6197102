"""The layer of experts, by hand.

N tokens of width D choose K of E experts, which gives M = N K rows; an expert is F wide. A row's token is order[m] / K, and
place[n, k] is where the k-th choice of token n stands. Every expert has rows, so that all weights are read.

    score = x Wr                      [N, E]
    expert, best = top K of score;  p = softmax(best)
    load[e] = how often e was chosen;  chance[e] = sum over n of softmax(score)[n, e]
    balance = E / (N N K) * sum of load * chance;  z = mean of logsumexp(score)^2
    g, u = x[token] Wg, x[token] Wu   [M, F]
    h = silu(g) * u;  o = h Wd        [M, D]
    y[n] = sum over k of p[n, k] o[place[n, k]]

and backwards from dy, dbalance and dz to x and to the four weights.
"""

from __future__ import annotations

from second_counting import Group, Step

TENSORS = {
    "x": "2 N D",
    "Wr": "2 E D",
    "Wg": "2 E F D",
    "Wu": "2 E F D",
    "Wd": "2 E D F",
    "score": "2 N E",
    "p": "2 N K",
    "expert": "4 N K",
    "load": "4 E",
    "chance": "4 E",
    "squares": "4",
    "order": "4 M",
    "place": "4 M",
    "balance": "4",
    "z": "4",
    "g": "2 M F",
    "u": "2 M F",
    "h": "2 M F",
    "o": "2 M D",
    "y": "2 N D",
    "dy": "2 N D",
    "dbalance": "4",
    "dz": "4",
    "dscore": "2 N E",
    "dg": "2 M F",
    "du": "2 M F",
    "drows": "2 M D",
    "dx": "2 N D",
    "dWr": "2 E D",
    "dWg": "2 E F D",
    "dWu": "2 E F D",
    "dWd": "2 E D F",
}
WEIGHTS = "Wr Wg Wu Wd"
GIVEN = "x Wr Wg Wu Wd dy dbalance dz"
RESULTS = "y balance z dx dWr dWg dWu dWd"

ROUTE = Group(
    "forward",
    "router",
    "x Wr",
    "score p expert load chance squares",
    "2 N E D",
    "The top K, their softmax and the log-sum-exp are reductions of a row, and the loads, the sums of probabilities and of"
    " squares are sums over tokens: all in the epilogue. The scores are kept, as the gradient of the losses needs the softmax"
    " over all experts and a product is never made again; the log-sum-exp is not, as a pass over rows of scores has it anew.",
)
DISPATCH = Group(
    "forward",
    "sort by expert",
    "expert load chance squares",
    "order place balance z",
    why="Where a row goes depends on the loads, sums over tokens that the router's group does not know before its end: a pass."
    " So do both losses. order and place are inverse to each other; one is read by rows, the other by tokens.",
)
EXPERTS = Group(
    "forward",
    "gate and up",
    "x order load Wg Wu",
    "g u h",
    "2 2 M F D",
    "One product: they share the tokens. These are gathered in the operand, their source counted once. h is the epilogue. g"
    " and u are kept for the gradient of h, and h for the next product, whose operand would otherwise be made of two tensors.",
)
DOWN = Group(
    "forward",
    "down",
    "h load Wd",
    "o",
    "2 M F D",
    "The sum over a token's choices leaves the index space of the rows, so o is written.",
)
COMBINE = Group("forward", "combine", "o place p", "y", why="A sum by routing is a pass; o is the source of its gather.")

ROUTE_BACK = Group(
    "backward",
    "gradient of scores",
    "dy o place p expert score load dbalance dz",
    "dscore",
    why="dp[n, k] = dy[n] . o[place[n, k]], the gradient of the softmax over the best, its scatter to their experts, and the"
    " softmax over all times what the losses give: all of this belongs to one token, so that it is one pass. It stands before"
    " two products and is made of several tensors, so dscore is written.",
)
DOWN_BACK = Group(
    "backward",
    "down, data",
    "dy order p load Wd g u",
    "dg du",
    "2 M F D",
    "The operand p dy[token] is steps of one tensor, dy, with p a vector of the rows. The epilogue makes of dh, g and u what"
    " the next products need; dh itself is used up.",
)
DOWN_WEIGHT = Group(
    "backward", "down, weight", "dy order p load h", "dWd", "2 M F D", "The same operand; the reduced index is the rows."
)
EXPERTS_BACK = Group(
    "backward",
    "gate and up, data",
    "dg du load Wg Wu",
    "drows",
    "2 2 M F D",
    "dg Wg + du Wu are only added: one product. The sum over a token's rows is routing, so the rows are written.",
)
EXPERTS_WEIGHT = Group(
    "backward", "gate and up, weight", "x order load dg du", "dWg dWu", "2 2 M F D", "They share x and the reduced rows."
)
ROUTE_WEIGHT = Group("backward", "router, weight", "x dscore", "dWr", "2 N E D", "x by tokens, not by rows: another product.")
ROUTE_DATA = Group(
    "backward",
    "router, data",
    "dscore Wr drows place",
    "dx",
    "2 N E D",
    "The sum by routing of the experts' rows is in the index space of the result, and a pass may be made again in an epilogue:"
    " so what the experts give to a token is never written apart.",
)


def dims(tokens: int) -> dict[str, int]:
    """The sizes of the path, for so many tokens."""
    return {"N": tokens, "E": 128, "K": 4, "D": 512, "F": 1024, "M": 4 * tokens}


def fused(tokens: int) -> Step:
    """The least bytes under the rule."""
    forward = (ROUTE, DISPATCH, EXPERTS, DOWN, COMBINE)
    backward = (ROUTE_BACK, DOWN_BACK, DOWN_WEIGHT, EXPERTS_BACK, EXPERTS_WEIGHT, ROUTE_WEIGHT, ROUTE_DATA)
    return Step(dims(tokens), TENSORS, GIVEN, RESULTS, forward + backward, WEIGHTS)


def unfused(tokens: int, *, strict: bool) -> Step:
    """No prologue and no epilogue. A product finds its rows by an index by itself, and scales them by p, unless `strict`: then
    the gathered (and scaled) rows are a tensor, too."""
    rows, grads = ("rows", "drow") if strict else ("x order", "dy order p")
    gathers = (
        Group("forward", "gather", "x order", "rows", why="The rows of the tokens; kept for the weights' gradient."),
        Group("backward", "gather and scale", "dy order p", "drow", why="p dy[token]"),
    )
    gather, scale = ((g,) if strict else () for g in gathers)
    forward = (
        Group("forward", "router", "x Wr", "score", "2 N E D"),
        Group("forward", "choose", "score", "p expert load chance squares"),
        DISPATCH,
        *gather,
        Group("forward", "gate and up", f"{rows} load Wg Wu", "g u", "2 2 M F D"),
        Group("forward", "swiglu", "g u", "h", why="A pass of two tensors; h is kept for the weight's gradient."),
        DOWN,
        COMBINE,
    )
    backward = (
        ROUTE_BACK,
        *scale,
        Group("backward", "down, data", f"{grads} load Wd", "dh", "2 M F D"),
        Group("backward", "swiglu, gradient", "dh g u", "dg du"),
        Group("backward", "down, weight", f"{grads} load h", "dWd", "2 M F D"),
        EXPERTS_BACK,
        Group("backward", "gate and up, weight", f"{rows} load dg du", "dWg dWu", "2 2 M F D"),
        ROUTE_WEIGHT,
        Group("backward", "router, data", "dscore Wr", "dtokens", "2 N E D"),
        Group("backward", "sum of rows", "drows place dtokens", "dx"),
    )
    own = {"dh": "2 M F", "dtokens": "2 N D"} | ({"rows": "2 M D", "drow": "2 M D"} if strict else {})
    return Step(dims(tokens), TENSORS | own, GIVEN, RESULTS, forward + backward, WEIGHTS)


READINGS = {
    "what the experts give to the tokens is summed in a pass of its own, not in an epilogue": "2 2 N D",
    "dp = h . (dy Wd), of h that the epilogue of down, data can make, instead of dy . o: products associated anew": (
        "-1 2 M D + -1 2 N D"
    ),
    "the scores are kept in f32": "2 2 N E",
    "the log-sum-exp of the scores is kept": "2 4 N",
}
"""What other readings of the rule add to the bytes of forward and backward together."""
