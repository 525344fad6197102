"""What takes the place of PyTorch's losses of classes. Each class differs from its parent in `forward` alone,
and leaves to it what the operator does not take."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from uol.pytorch.bridge import operator
from uol.pytorch.layers.layer_support import are_classes

_nll_loss, _weighted_nll_loss = operator("nll_loss"), operator("weighted_nll_loss")
_cross_entropy, _weighted_cross_entropy = operator("cross_entropy"), operator("weighted_cross_entropy")


def _rows(x: Tensor) -> Tensor:
    """The scores of classes, dim 1 of x, as rows; a tensor of one dim is one row."""
    return x[None] if x.dim() == 1 else x.movedim(1, -1).reshape(-1, x.shape[1])


class NLLLoss(nn.NLLLoss):
    def forward(self, x: Tensor, target: Tensor) -> Any:
        if not are_classes(x, target, self.weight, self.ignore_index):
            return super().forward(x, target)
        options: dict[str, Any] = {"ignore_index": self.ignore_index, "reduction": self.reduction}
        if self.weight is not None:
            return _each(_weighted_nll_loss(_rows(x), target.reshape(-1), self.weight, **options), target)
        return _each(_nll_loss(_rows(x), target.reshape(-1), **options), target)


def _each(loss: Any, target: Tensor) -> Any:
    """The losses of rows, where they were not reduced, in the target's shape."""
    return loss.reshape(target.shape) if loss.dim() else loss


class CrossEntropyLoss(nn.CrossEntropyLoss):
    def forward(self, x: Tensor, target: Tensor) -> Any:
        if not are_classes(x, target, self.weight, self.ignore_index):  # probabilities, above all
            return super().forward(x, target)
        options: dict[str, Any] = {"ignore_index": self.ignore_index, "reduction": self.reduction}
        options["label_smoothing"] = self.label_smoothing
        if self.weight is not None:
            return _each(_weighted_cross_entropy(_rows(x), target.reshape(-1), self.weight, **options), target)
        return _each(_cross_entropy(_rows(x), target.reshape(-1), **options), target)
