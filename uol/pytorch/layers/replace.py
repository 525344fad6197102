"""`uol.replace`: the layers of an existing module compute with uol's operators, on the same parameters.

A layer is not made anew: its class becomes one that differs in `forward` alone, so that `state_dict`, hooks, optimisers and
references stay what they were. A module of one's own that is a norm written out is found by its pattern; of the functions that
the `forward` of any other calls, attention, activations, norms, softmax and rotary embeddings are taken (`own_forward`). What
it computes by operators, methods and other functions (`x + y`, `torch.flatten`) stays PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from torch import nn

from uol.binding.argument_checks import shown
from uol.ir.errors import TypeCheckError
from uol.pytorch.layers.elementwise_layers import LOSSES, MADE, layer_for
from uol.pytorch.layers.image_layers import why_not_upsampled
from uol.pytorch.layers.own_forward import PATTERN, changed_forward, left_functions, parent_of, with_functions, with_pattern
from uol.pytorch.layers.patterns import pattern_of

Reason = str | None
"""Why a layer is left alone; None where it is not."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What `uol.replace` did to `module`: the layers that were swapped, by path, with the operators' layer, or the function
    that a module of one's own was found to be; those that were left alone, with the reason. Of modules with a `forward` of
    their own, which of the functions that it calls are `uol`'s, and which stay PyTorch's."""

    module: nn.Module
    swapped: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    functions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    left_functions: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{len(self.swapped)} layers compute with uol, {len(self.left)} were left alone"]
        lines += [f"  {_shown(path)}: {reason}" for path, reason in self.left.items()]
        lines += [f"  {_shown(path)}: its forward calls {', '.join(names)} of uol" for path, names in self.functions.items()]
        lines += [f"  {_shown(path)}: {', '.join(names)}: {NOT_TAKEN}" for path, names in self.left_functions.items()]
        return "\n".join(lines)


def _shown(path: str) -> str:
    return path or "(the module itself)"


NOT_TAKEN = "no pattern that has a kernel worth a call of its own, and so PyTorch's, as operators and methods of tensors are"
"""Why a function in a module's own `forward` is left."""


CLASS_LOSSES = ("NLLLoss", "CrossEntropyLoss")


def replace(module: nn.Module) -> Replacement:
    """Swaps the operators of a module, in place. Raises TypeCheckError for what is no module. An activation that is `inplace`
    still writes over its input; what an operator does not take, the layer's parent computes or refuses.

    >>> print(replace(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout1d())))
    2 layers compute with uol, 1 were left alone
      2: draws from PyTorch's random numbers
    """
    if not isinstance(module, nn.Module):
        raise TypeCheckError(f"uol.replace takes a torch.nn.Module, not {shown(module)}")
    done = Replacement(module)
    _descend(module, "", done)
    return done


def restore(module: nn.Module) -> None:
    """The layers that `replace` swapped as they were."""
    for layer in module.modules():
        layer.__class__ = _parent_of(type(layer)) or parent_of(type(layer)) or type(layer)
        layer.__dict__.pop(PATTERN, None)


def _descend(module: nn.Module, path: str, done: Replacement) -> None:
    if getattr(type(module), "computes_with_uol", False):
        return
    found = _layer_of(type(module))
    if found is None:
        if type(module) in ENCODERS:
            module.__class__ = _at_home(type(module), ENCODERS)
        for name, child in module.named_children():
            _descend(child, f"{path}.{name}" if path else name, done)
        if _is_of_ones_own(type(module)) and _take_forward(module, path, done):
            return
        if not list(module.children()) and not isinstance(module, HARMLESS):
            done.left[path] = _unknown(module)
        return
    reason = _reason(module)
    if reason is not None:
        done.left[path] = reason
        return
    module.__class__ = found
    done.swapped[path] = found.__name__


def _is_of_ones_own(own: type[nn.Module]) -> bool:
    """Is `forward` neither PyTorch's, nor swapped, nor made of a graph?"""
    home = getattr(own.forward, "__module__", None)
    return parent_of(own) is None and home is not None and not home.startswith(("torch.nn.", "torch.fx.", "uol.pytorch."))


def _take_forward(module: nn.Module, path: str, done: Replacement) -> bool:
    """Swaps what is taken of a module's own `forward`; is anything?"""
    own: Any = type(module)
    pattern = None if list(module.children()) else pattern_of(module)
    if pattern is not None:
        module.__class__ = with_pattern(own)
        module.__dict__[PATTERN] = pattern
        done.swapped[path] = pattern.function.__name__
        return True
    if left := left_functions(own):
        done.left_functions[path] = tuple(left)
    changed, found = changed_forward(own), with_functions(own)
    if changed is None or found is None:
        return False
    module.__class__ = found
    done.functions[path] = tuple(changed[1])
    return True


HARMLESS = (nn.Identity, nn.Flatten, nn.Unflatten, nn.Sequential, nn.ModuleList, nn.ModuleDict)
"""Modules that compute nothing."""


def _unknown(module: nn.Module) -> str:
    own = type(module)
    if _parent_of(own) is not None:
        return "computes with uol already"
    parent = next((t for t in own.__mro__[1:] if _layer_of(t) is not None), None)
    if parent is not None:
        return f"{own.__name__} is a subclass of {parent.__name__} and may compute something else"
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return "draws from PyTorch's random numbers"
    return f"uol has no layer in the place of {own.__name__}"


def _parent_of(own: type[nn.Module]) -> type[nn.Module] | None:
    """PyTorch's layer whose place a class takes, which has the same name; None for any other class."""
    homes = {_home(name) for name in (*LAYERS.values(), *ENCODERS.values())}
    return getattr(nn, own.__name__, None) if own in MADE.values() or own.__module__ in homes else None


def _layer_of(parent: type[nn.Module]) -> type[nn.Module] | None:
    return _at_home(parent, LAYERS) if parent in LAYERS else layer_for(parent)


def _at_home(parent: type[nn.Module], homes: Mapping[type[nn.Module], str]) -> type[nn.Module]:
    own: type[nn.Module] = getattr(import_module(_home(homes[parent])), parent.__name__)
    return own


def _home(name: str) -> str:
    return f"uol.pytorch.layers.{name}"


HOMES = {
    "parameter_layers": ("Linear", "Embedding", "PReLU"),
    "convolution_layers": tuple(f"Conv{kind}{n}d" for kind in ("", "Transpose") for n in (1, 2, 3)),
    "channel_norm_layers": ("GroupNorm", *(f"{kind}Norm{n}d" for kind in ("Batch", "Instance") for n in (1, 2, 3))),
    "row_norm_layers": ("LayerNorm", "RMSNorm"),
    "class_losses": CLASS_LOSSES,
    "attention_layers": ("MultiheadAttention",),
}
LAYERS: dict[type[nn.Module], str] = {getattr(nn, name): home for home, names in HOMES.items() for name in names}
"""By PyTorch's layer, the module with the class that takes its place. It defines operators, which take memory and time, and so
is imported for the layers that are replaced alone."""

ENCODERS = dict.fromkeys((nn.TransformerEncoder, nn.TransformerEncoderLayer), "attention_layers")
"""What is made of layers, and would go past them: PyTorch's fused inference is left out."""


def _reason(module: Any) -> Reason:
    rules: list[tuple[tuple[str, ...], Callable[[Any], Reason]]] = [
        (("Conv",), _conv),
        (("MaxPool", "AvgPool"), _pool),
        (("AdaptiveMax",), lambda m: "gives indices" if m.return_indices else None),
        (("BatchNorm",), lambda m: None),
        (("InstanceNorm",), lambda m: "uses running statistics" if m.track_running_stats else None),
        (("Embedding",), _embedding),
        (("Softmax", "LogSoftmax", "Softmin"), lambda m: "names no dim" if m.dim is None else None),
        (("MultiheadAttention",), _attention),
        (("Upsampl",), why_not_upsampled),
        (("Dropout",), lambda m: "writes over its input" if m.inplace else None),
        ((*LOSSES, *CLASS_LOSSES), _loss),
    ]
    name = type(module).__name__
    return next((rule(module) for names, rule in rules if name.startswith(names)), None)


def _conv(layer: Any) -> Reason:
    return f"pads with {layer.padding_mode!r}" if layer.padding_mode != "zeros" else None


def _pool(layer: Any) -> Reason:
    if getattr(layer, "return_indices", False):
        return "gives indices"
    return "has a divisor of its own" if getattr(layer, "divisor_override", None) is not None else None


def _embedding(layer: Any) -> Reason:
    for option in ("padding_idx", "max_norm"):
        if getattr(layer, option) is not None:
            return f"has {option}"
    return next((f"has {o}" for o in ("scale_grad_by_freq", "sparse") if getattr(layer, o)), None)


def _attention(layer: Any) -> Reason:
    if not layer._qkv_same_embed_dim:
        return "has keys or values of another width"
    return "adds rows to its keys" if layer.bias_k is not None or layer.add_zero_attn else None


def _loss(layer: Any) -> Reason:
    if getattr(layer, "log_target", False):
        return "has a target in logarithms"
    weighted = getattr(layer, "weight", None) is not None and type(layer).__name__ not in CLASS_LOSSES
    return "has weights" if weighted or getattr(layer, "pos_weight", None) is not None else None
