"""PyTorch's functions, methods and operators, by the object that PyTorch hands to a mode, and the name in `uol.ops` of each.

`x - y` comes as `Tensor.sub`, `1 - x` as `Tensor.__rsub__`, `F.relu(x)` as that function, `x += y` as `Tensor.add_`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import Any

import torch
from torch.nn import functional

from uol.ops import signatures
from uol.pytorch.eager.copying import is_copy

Arguments = tuple[Sequence[Any], dict[str, Any]]
Arrange = Callable[[Sequence[Any], dict[str, Any]], Arguments]

VIEWS = ("transpose", "swapaxes", "swapdims", "diagonal")
"""What gives a view in PyTorch, and a tensor of its own here."""
DRAWN = ("dropout",)
"""What draws from PyTorch's generator, whose numbers are others than `uol`'s."""
OF_ANOTHER_ORDER = (
    *("batch_norm", "instance_norm", "embedding", "embedding_bag", "kl_div", "binary_cross_entropy_with_logits"),
    *("hinge_embedding_loss", "poisson_nll_loss", "margin_ranking_loss", "triplet_margin_loss"),
)
"""Names whose function in `torch` takes other arguments than the one in `torch.nn.functional`, whose the row is."""
JOINING = {"cat": "concat", "concat": "concat", "concatenate": "concat", "stack": "stack", "einsum": "einsum"}
"""What takes a list of tensors (`uol.pytorch.variadic`)."""
COPYING = ("clone", "contiguous", "reshape")
"""What moves values to memory of their own (`copying`)."""
OPERATORS: Mapping[str, str] = {
    **{
        f"__{name}__": name for name in ("eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "matmul", "pow", "neg", "abs")
    },
    **{"__div__": "div", "__truediv__": "div", "__floordiv__": "floor_divide", "__mod__": "remainder"},
    **{"__radd__": "add", "__rmul__": "mul"},
    **{"__and__": "bitwise_and", "__or__": "bitwise_or", "__xor__": "bitwise_xor", "__invert__": "bitwise_not"},
    **{"__lshift__": "bitwise_left_shift", "__rshift__": "bitwise_right_shift"},
}
"""Python's operators that PyTorch has under their own names."""
REFLECTED: Mapping[str, str] = {
    **{"__rsub__": "sub", "__rdiv__": "div", "__rtruediv__": "div", "__rpow__": "pow", "__rmatmul__": "matmul"},
    **{"__rfloordiv__": "floor_divide", "__rmod__": "remainder"},
    **{"__rlshift__": "bitwise_left_shift", "__rrshift__": "bitwise_right_shift"},
}
"""Those whose tensor stands on the right."""
WRITING: Mapping[str, str] = {
    **{"__iand__": "bitwise_and", "__ior__": "bitwise_or", "__ixor__": "bitwise_xor"},
    **{"__ilshift__": "bitwise_left_shift", "__irshift__": "bitwise_right_shift"},
}
"""Those that write over their first argument under a name of their own."""


@dataclass(frozen=True)
class Face:
    """One of PyTorch's functions. `name`: that of `uol.ops`; `writes`: over the first argument; `copies`: it
    is one of `copying`."""

    name: str
    arrange: Arrange | None = None
    writes: bool = False
    copies: bool = False

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function of `uol.ops`."""
        home = "uol.pytorch.eager.copying" if self.copies else "uol.ops"
        found: Callable[..., Any] = getattr(import_module(home), self.name)
        return found

    def is_asked(self, given: Sequence[Any], named: dict[str, Any]) -> bool:
        """Is something computed by such a call? What copies where it has to gives a view elsewhere."""
        return not self.copies or is_copy(self.name, given, named)

    def arguments(self, given: Sequence[Any], named: dict[str, Any]) -> Arguments:
        """Those of `uol.ops.<name>`."""
        return (given, named) if self.arrange is None else self.arrange(given, named)


@cache
def faces() -> Mapping[Any, Face]:
    """The faces, by the object that PyTorch hands to a mode."""
    found: dict[Any, Face] = {}
    for name in signatures.names():
        if name in VIEWS or name in DRAWN:
            continue
        for home in (torch, torch.special, functional, torch.Tensor):
            function = getattr(home, name, None)
            if function is not None and not (home is torch and name in OF_ANOTHER_ORDER):
                found[function] = Face(name, ARRANGED.get((home, name)))
        for written in (getattr(torch.Tensor, f"{name}_", None), getattr(torch, f"{name}_", None)):
            if written is not None:
                found[written] = Face(name, writes=True)
    for name in COPYING:
        found[getattr(torch.Tensor, name)] = Face(name, copies=True)
    found[torch.clone], found[torch.reshape] = Face("clone", copies=True), Face("reshape", copies=True)
    for name, own in JOINING.items():
        found[getattr(torch, name)] = Face(own, _spread if own == "einsum" else None)
    for operator, name in OPERATORS.items():
        found.setdefault(getattr(torch.Tensor, operator), Face(name))
    for operator, name in REFLECTED.items():
        found[getattr(torch.Tensor, operator)] = Face(name, _reflected)
    for operator, name in WRITING.items():
        found[getattr(torch.Tensor, operator)] = Face(name, writes=True)
    return found


def _typed(given: Sequence[Any], named: dict[str, Any]) -> Arguments:
    """The third argument is a type."""
    return (given[:2], {**named, "dtype": given[2]}) if len(given) > 2 else (given, named)


def _chosen(given: Sequence[Any], named: dict[str, Any]) -> Arguments:
    """`x.where(condition, other)`."""
    x, *rest = given
    return ([rest[0], x, *rest[1:]], named) if rest else ([], {**named, "input": x})


def _spread(given: Sequence[Any], named: dict[str, Any]) -> Arguments:
    """The operands of einsum may be a list."""
    if len(given) == 2 and isinstance(given[1], list | tuple):
        return [given[0], *given[1]], named
    return given, named


def _reflected(given: Sequence[Any], named: dict[str, Any]) -> Arguments:
    return given[::-1], named


ARRANGED: Mapping[tuple[Any, str], Arrange] = {
    **{(home, name): _typed for home in (torch, torch.special, torch.Tensor) for name in ("softmax", "log_softmax")},
    (torch.Tensor, "where"): _chosen,
}
"""Functions that take their arguments otherwise than the row has them."""
