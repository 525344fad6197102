"""What the gradient of an operator should give: PyTorch's autograd on the operator's reference, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from uol.ir.library import GRADIENT
from uol.ir.syntax.surface import Op
from uol.ops.texts import library

if TYPE_CHECKING:
    import torch

Formula = Callable[..., Any]


_registered: dict[str, Op] = {}


def register_forward(op: Op) -> None:
    """Takes in a user's operator, so that its gradient is known as such."""
    _registered[op.name] = op


def forward_of(name: str) -> Op | None:
    """The operator whose gradient `f_grad` is; None where the name is no gradient's."""
    if name in library() or not name.endswith(GRADIENT):
        return None
    forward = name.removesuffix(GRADIENT)
    return _registered.get(forward) or library().get(forward)


def by_autograd(
    forward: Op, function: Formula, inputs: Mapping[str, torch.Tensor], attrs: Mapping[str, int | float]
) -> tuple[torch.Tensor, ...]:
    """A cotangent for each float input, in order, where `function` is what the forward computes. `inputs` holds the forward's
    inputs by name, and the cotangents of its results as `d<result>`; one that is missing is zero."""
    import torch

    tensors = [inputs[p.name].detach() for p in forward.params]
    floats = [t.requires_grad_() for t in tensors if t.is_floating_point()]
    with torch.enable_grad():
        given = function(*tensors, **attrs)
    results: Sequence[torch.Tensor] = given if isinstance(given, tuple | list) else (given,)
    pairs = [
        (y, inputs[f"d{r.name}"])
        for r, y in zip(forward.results, results, strict=True)
        if y.requires_grad and f"d{r.name}" in inputs
    ]
    if not pairs:
        return tuple(torch.zeros_like(t) for t in floats)
    found = torch.autograd.grad([y for y, _ in pairs], floats, [dy for _, dy in pairs], allow_unused=True)
    return tuple(torch.zeros_like(t) if g is None else g for t, g in zip(floats, found, strict=True))


def formula_of(name: str) -> Formula | None:
    """The formula of an operator for some of whose inputs PyTorch's function has no gradient; None for any other."""
    if name == "batch_norm" or name.startswith("conv2d_bn"):
        return partial(_normalised, name)
    return _FORMULAS.get(name)


def _weighted_nll(x: torch.Tensor, t: torch.Tensor, w: torch.Tensor, ignore_index: int = -100) -> torch.Tensor:
    """For each row. PyTorch has no gradient for the weights of classes, here and in the next."""
    kept, own = _counted(x, t, ignore_index)
    return -kept * w[own] * x.gather(1, own[:, None])[:, 0]


def _weighted_cross_entropy(
    x: torch.Tensor, t: torch.Tensor, w: torch.Tensor, ignore_index: int = -100, label_smoothing: float = 0.0
) -> torch.Tensor:
    kept, _ = _counted(x, t, ignore_index)
    rows = x.log_softmax(1)
    even = -kept * (w * rows).sum(1) / x.shape[1]
    return (1 - label_smoothing) * _weighted_nll(rows, t, w, ignore_index) + label_smoothing * even


def _counted(x: torch.Tensor, t: torch.Tensor, ignore_index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Which rows count, as 0 and 1, and the class of each."""
    kept = (t != ignore_index) & (t >= 0) & (t < x.shape[1])
    return kept.to(x.dtype), t * kept


def _by_weight(each: Formula) -> Formula:
    def mean(x: torch.Tensor, t: torch.Tensor, w: torch.Tensor, ignore_index: int = -100, **attrs: float) -> torch.Tensor:
        kept, own = _counted(x, t, ignore_index)
        found: torch.Tensor = each(x, t, w, ignore_index=ignore_index, **attrs).sum() / (kept * w[own]).sum()
        return found

    return mean


def _summed(each: Formula) -> Formula:
    return lambda *tensors, **attrs: each(*tensors, **attrs).sum()


def _soft_margin(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """For each element. PyTorch has no gradient for the target."""
    return (1 + (-target * x).exp()).log()


def _running(x: torch.Tensor, extremum: str) -> torch.Tensor:
    """A running extremum as what is read at its places: of equal values at the first one, as argmax says, where PyTorch's own
    gradient goes to the last."""
    import torch

    best = getattr(x.detach(), extremum)(-1).values
    before = best.roll(1, -1)
    is_new = ~((best == before) | (best.isnan() & before.isnan()))
    is_new[..., :1] = True
    places = torch.where(is_new, torch.arange(x.shape[-1]), 0).cummax(-1).values
    return x.gather(-1, places)


def _first_extremum(x: torch.Tensor, argument: str, with_place: bool) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """An extremum of a row as what is read at its first place, where PyTorch's own gradient splits it, or goes to another."""
    places = getattr(x.detach(), argument)(-1, keepdim=True)
    best, place = (found.squeeze(-1) for found in (x.gather(-1, places), places))
    return (best, place) if with_place else best


def _digamma(x: torch.Tensor) -> torch.Tensor:
    """NaN at the poles, where digamma is; PyTorch's gradient is what the sine leaves of a whole number times pi."""
    import torch

    from uol.ops.references.special import digamma

    pole = (x <= 0) & (x == x.round())
    return torch.where(pole, x * torch.nan, digamma(torch.where(pole, 0.5, x)))


def _pixel_shuffle(x: torch.Tensor, factor: int) -> torch.Tensor:
    """PyTorch's gradient fails of no pictures."""
    n, c, h, w = x.shape
    blocks = x.reshape(n, c // factor**2, factor, factor, h, w)
    return blocks.permute(0, 1, 4, 2, 5, 3).reshape(n, c // factor**2, h * factor, w * factor)


def _normalised(
    name: str, x: torch.Tensor, *rest: torch.Tensor, eps: float = 1e-5, stride: int = 1, pad: int = 0
) -> torch.Tensor:
    """Batch norm of inference as it is written, after a convolution, before a sum and a relu, as the name says. PyTorch has
    no gradient for its statistics."""
    import torch

    if name != "batch_norm":
        w, *rest = rest  # type: ignore[assignment]  # a list for a tuple
        x = torch.nn.functional.conv2d(x, w, stride=stride, padding=pad)
    gamma, beta, mean, var = (v.reshape(-1, *(1,) * (x.dim() - 2)) for v in rest[:4])
    y = (x - mean) / (var + eps).sqrt() * gamma + beta
    y = y + rest[4] if "add" in name else y
    return y.relu() if name.endswith("relu") else y


_FORMULAS: Mapping[str, Formula] = {
    "amax": partial(_first_extremum, argument="argmax", with_place=False),
    "amin": partial(_first_extremum, argument="argmin", with_place=False),
    "max_with_index": partial(_first_extremum, argument="argmax", with_place=True),
    "min_with_index": partial(_first_extremum, argument="argmin", with_place=True),
    # clamp gives a tie with a bound to x alone; maximum and minimum share it, as the text does
    "clamp": lambda x, low, high: x.maximum(low).minimum(high),
    "digamma": _digamma,
    "cummax": partial(_running, extremum="cummax"),
    "cummin": partial(_running, extremum="cummin"),
    "max_norm": lambda x: _first_extremum(x.abs(), argument="argmax", with_place=False),
    "pixel_shuffle": _pixel_shuffle,
    # PyTorch's has a sixth that is rounded to f32, and no second gradient; as its, this one has 0 at both kinks
    "hardsigmoid": lambda x: (6 - (6 - (x + 3).relu()).relu()) / 6,
    "soft_margin_loss": lambda x, t: _soft_margin(x, t).mean(),
    "soft_margin_loss_each": _soft_margin,
    "soft_margin_loss_sum": _summed(_soft_margin),
    "weighted_nll_loss": _by_weight(_weighted_nll),
    "weighted_nll_loss_each": _weighted_nll,
    "weighted_nll_loss_sum": _summed(_weighted_nll),
    "weighted_cross_entropy": _by_weight(_weighted_cross_entropy),
    "weighted_cross_entropy_each": _weighted_cross_entropy,
    "weighted_cross_entropy_sum": _summed(_weighted_cross_entropy),
}
