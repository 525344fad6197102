"""Rewrites of `pad`: two numbers for each of the last dims."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.families import TEXTS

PADDINGS = {"constant": "pad", "reflect": "reflection_pad", "replicate": "replication_pad", "circular": "circular_pad"}
EDGES = ("left", "right", "top", "bottom", "front", "back")


@rewrite
def sides(call: Call) -> None:
    """Each mode is a text for each number of dims, or one for one dim, which is padded after the other. Negative padding takes
    away: first, but behind the mirror, which shows what goes; an edge is the text's own matter."""
    given, mode = [int(n) for n in call.args["pad"]], call.args["mode"]
    pad = given if mode == "replicate" else [max(n, 0) for n in given]
    count = len(pad) // 2
    family = PADDINGS.get(mode)
    if family is None or len(pad) % 2 or count > call.args["input"].dim() or f"{family}1d" not in TEXTS:
        raise call.refuse(f"mode={mode!r} of {len(pad)} numbers", "two numbers for each of the last dims")
    if mode != "constant" and call.args["value"] not in (None, 0, 0.0):
        raise call.refuse(f"value={call.args['value']!r} with mode={mode!r}", "it without a value")
    if mode == "reflect":
        call.finishes.append(lambda r: _cut(r, given))
    elif mode != "replicate":
        call.args["input"] = _cut(call.args["input"], given)
    if mode == "constant" and not call.args["input"].is_floating_point():
        _between(call, pad)
        return
    own = {"value": float(call.args["value"] or 0.0)} if mode == "constant" else {}
    if f"{family}{count}d" in TEXTS:
        call.text = f"{family}{count}d"
        _give(call, dict(zip(EDGES, pad, strict=False)) | own)
        return
    steps = [dict(zip(EDGES, two, strict=False)) | own for two in zip(pad[::2], pad[1::2], strict=True)]
    call.text, call.attributes = "cast", {"dtype": "mode"}
    call.args["mode"] = call.args["input"].dtype
    for dim, options in reversed(list(enumerate(steps, 1))):
        if options["left"] or options["right"]:
            call.finishes.append(_along(f"{family}1d", -dim, options))


def _between(call: Call, pad: list[int]) -> None:
    """A number beside whole ones is one of them: it is joined to each dim."""
    x, value = call.args["input"], call.args["value"] or 0

    def joined(r: Tensor) -> Any:
        for dim, (low, high) in enumerate(zip(pad[::2], pad[1::2], strict=True), 1):
            ends = [r.new_full((*r.shape[:-dim], n, *r.shape[r.dim() - dim + 1 :]), value) for n in (low, high)]
            r = texts.concat([ends[0], r, ends[1]], dim=-dim) if low or high else r
        return r

    call.text, call.attributes = "cast", {"dtype": "mode"}
    call.args["mode"] = x.dtype
    call.finishes.append(joined)


def _give(call: Call, options: dict[str, Any]) -> None:
    call.args |= options
    call.attributes = {name: name for name in options}


def _along(text: str, dim: int, options: dict[str, Any]) -> Any:
    return lambda r: getattr(texts, text)(r.movedim(dim, -1), **options).movedim(-1, dim)


def _cut(x: Tensor, pad: list[int]) -> Tensor:
    """What is left of a tensor when it has lost what negative padding takes."""
    for number, (low, high) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        dim = x.dim() - 1 - number
        if low < 0 or high < 0:
            x = x.narrow(dim, max(-low, 0), x.shape[dim] - max(-low, 0) - max(-high, 0))
    return x
