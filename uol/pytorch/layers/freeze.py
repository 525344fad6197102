"""`uol.freeze`: a module for inference on the same parameters, with neighbours that are one kernel put together.

    conv, batch norm                  conv2d_bn
    conv, batch norm, relu            conv2d_bn_relu
    conv, batch norm, + z, relu       conv2d_bn_add_relu
    conv, batch norm                  folded into the weights, where the convolution is none of these (groups, dilation, bias)
    linear, relu or gelu              linear_relu, linear_gelu

The graph of the module is found by `torch.fx`; the other layers compute as `uol.replace` has them. Neighbours are put together
where nobody else reads what is between them, be it written over or not, and a residual is added where nothing is written over
between the convolution and the sum. The weights' memory layout stays: the CPU's kernels pack them at each call.
"""

from __future__ import annotations

import copy
import operator as python
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from uol.binding.argument_checks import shown
from uol.ir.errors import TypeCheckError, UolError
from uol.pytorch.bridge import operator
from uol.pytorch.heap import give_back_free_memory
from uol.pytorch.layers.replace import Replacement, replace, restore

RELU: tuple[Any, ...] = (functional.relu, torch.relu, "relu", "relu_")
GELU: tuple[Any, ...] = (functional.gelu,)
ADD: tuple[Any, ...] = (python.add, python.iadd, torch.add, "add", "add_")
WRITES = ("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul", "iand", "ior", "ixor")
"""The functions of Python's `operator` that write over their first argument."""


class ConvNorm(nn.Module):
    """A convolution, its batch norm, and perhaps a residual and relu. `overwritten`: the sum takes the place of its first
    term, whose type it keeps."""

    computes_with_uol = True

    def __init__(self, conv: nn.Conv2d, norm: Any, form: str, *, overwritten: bool = False) -> None:
        super().__init__()
        self.function, self.form, self.overwritten = operator(form), form, overwritten
        self.weight = conv.weight
        size, weight = norm.num_features, conv.weight
        self.gamma = nn.Parameter(weight.new_ones(size) if norm.weight is None else norm.weight, requires_grad=False)
        self.beta = nn.Parameter(weight.new_zeros(size) if norm.bias is None else norm.bias, requires_grad=False)
        self.register_buffer("mean", norm.running_mean)
        self.register_buffer("var", norm.running_var)
        self.options = {"stride": conv.stride[0], "pad": conv.padding[0], "eps": norm.eps}

    def forward(self, x: Tensor, *residual: Tensor) -> Any:
        given = (self.weight, self.gamma, self.beta, self.mean, self.var)
        if residual and not self._takes(x, *residual):
            y: Any = operator("conv2d_bn")(x, *given, **self.options)
            total = y.add_(*residual) if self.overwritten else y + residual[0]
            return total.relu()
        return self.function(x, *given, *residual, **self.options)

    def _takes(self, x: Tensor, residual: Tensor) -> bool:
        """Is the residual as large as the result, and of its type? PyTorch's sum broadcasts and promotes."""
        stride, pad = self.options["stride"], self.options["pad"]
        windows = [(n + 2 * pad - r) // stride + 1 for n, r in zip(x.shape[2:], self.weight.shape[2:], strict=False)]
        return residual.shape == (x.shape[0], self.weight.shape[0], *windows) and residual.dtype is x.dtype

    def extra_repr(self) -> str:
        return self.form


class LinearActivated(nn.Module):
    """A linear layer and its activation."""

    computes_with_uol = True

    def __init__(self, linear: nn.Linear, form: str) -> None:
        super().__init__()
        self.function, self.form = operator(form), form
        self.weight = linear.weight
        self.bias = linear.bias
        if linear.bias is None:
            self.bias = nn.Parameter(linear.weight.new_zeros(linear.out_features), requires_grad=False)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return self.form


class Frozen(nn.Module):
    """A module for inference alone. `fused`: how many kernels of each kind were put together; `replacement`: what became of
    the other layers; `unfused`: why no graph was found, where none was."""

    def __init__(self, body: nn.Module, fused: dict[str, int], replacement: Replacement, unfused: str | None) -> None:
        super().__init__()
        self.body, self.fused, self.replacement, self.unfused = body, fused, replacement, unfused
        for tensor in self.parameters():
            tensor.requires_grad_(False)
        super().train(False)
        self.versions = self._versions()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            self._require_unchanged()
        return self.body(*args, **kwargs)

    def train(self, mode: bool = True) -> Frozen:
        if mode:
            raise UolError("a frozen module is not trained", hint="train the module that was frozen, then freeze it again")
        return super().train(mode)

    def requires_grad_(self, requires_grad: bool = True) -> Frozen:
        if requires_grad:
            self.train()
        return super().requires_grad_(requires_grad)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UolError("a frozen module's weights are settled", hint="load them into the module, then freeze it again")

    def _versions(self) -> dict[str, tuple[int, int]]:
        tensors = dict(self.named_parameters()) | dict(self.named_buffers())
        return {name: (id(tensor), tensor._version) for name, tensor in tensors.items()}

    def _require_unchanged(self) -> None:
        now = self._versions()
        if now != self.versions:
            changed = next(name for name in {**now, **self.versions} if now.get(name) != self.versions.get(name))
            hint = "freeze it again; what is to stay as it is while the module is trained on is frozen from a deepcopy"
            raise UolError(f"{changed.removeprefix('body.')} was changed after the module was frozen", hint=hint)
        for name, tensor in self.named_parameters():
            if tensor.requires_grad:
                raise UolError(
                    f"{name.removeprefix('body.')} of a frozen module wants a gradient", hint="train what was frozen"
                )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]  # PyTorch's
        self.versions = self._versions()  # which count by the tensors of a process

    def __deepcopy__(self, memo: dict[int, Any]) -> Frozen:
        return Frozen(copy.deepcopy(self.body, memo), dict(self.fused), self.replacement, self.unfused)

    def __str__(self) -> str:
        lines = [f"{count} x {form}" for form, count in sorted(self.fused.items())]
        return "\n".join([*lines, *([self.unfused] if self.unfused else []), str(self.replacement)])


def _written(name: str) -> Any:
    def write(self: Any, other: object) -> fx.Proxy:
        made: fx.Proxy = self.tracer.create_proxy("call_function", getattr(python, name), (self, other), {})
        return made

    return write


_Proxy = type("_Proxy", (fx.Proxy,), {f"__{name}__": _written(name) for name in WRITES})
"""What stands for a tensor while a module is traced. `x += y` is what it is, where torch.fx has `x = x + y` in its place."""


class _Tracer(fx.Tracer):
    def proxy(self, node: fx.Node) -> fx.Proxy:
        made: fx.Proxy = _Proxy(node, self)
        return made


@dataclass(slots=True)
class _Fusion:
    """A traced module whose nodes are put together."""

    graph: fx.GraphModule
    count: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        for node in list(self.graph.graph.nodes):
            layer = self.layer(node)
            if type(layer) is nn.BatchNorm2d or type(layer) in (nn.BatchNorm1d, nn.BatchNorm3d):
                self._norm(node, layer)
            elif type(layer) is nn.Linear:
                self._linear(node, layer)
        self.graph.graph.lint()
        self.graph.delete_all_unused_submodules()
        self.graph.recompile()

    def layer(self, node: fx.Node) -> Any:
        """The layer that a node calls."""
        return self.graph.get_submodule(str(node.target)) if node.op == "call_module" else None

    def _norm(self, node: fx.Node, norm: Any) -> None:
        before = node.args[0]
        conv: Any = self.layer(before) if isinstance(before, fx.Node) else None
        if type(conv) not in (nn.Conv1d, nn.Conv2d, nn.Conv3d) or norm.running_mean is None:
            return
        assert isinstance(before, fx.Node)
        if len(before.users) > 1 or self._is_shared(before) or self._is_shared(node):
            return
        if not _is_fused_form(conv):
            self._put(before, fuse_conv_bn_eval(conv, norm), "conv_bn in the weights")
            node.replace_all_uses_with(before)
            self.graph.graph.erase_node(node)
            return
        last, form = node, "conv2d_bn"
        residual: tuple[fx.Node, ...] = ()
        after = self._only_user(node)
        if after is not None and self._is(after, RELU, nn.ReLU):
            last, form = after, "conv2d_bn_relu"
        elif after is not None and (other := self._added(after, node)) is not None:
            relu = self._only_user(after)
            if relu is not None and self._is(relu, RELU, nn.ReLU) and not self._is_written(before, after, relu):
                last, form, residual = relu, "conv2d_bn_add_relu", (other,)
        overwritten = bool(residual) and after is not None and _writes(after)
        self._put(before, ConvNorm(conv, norm, form, overwritten=overwritten), form)
        with self.graph.graph.inserting_before(last if residual else before):
            new = self.graph.graph.call_module(str(before.target), (before.args[0], *residual))
        self._replace(last, new, [last, self._only_user(node) if last is not node else None, node, before])

    def _linear(self, node: fx.Node, linear: nn.Linear) -> None:
        after = self._only_user(node)
        if after is None or self._is_shared(node):
            return
        exact = isinstance(self.layer(after), nn.GELU) and self.layer(after).approximate == "none"
        exact = exact or (self._is(after, GELU) and "approximate" not in after.kwargs)
        form = "linear_relu" if self._is(after, RELU, nn.ReLU) else "linear_gelu" if exact else None
        if form is None:
            return
        self._put(node, LinearActivated(linear, form), form)
        after.replace_all_uses_with(node)
        self.graph.graph.erase_node(after)

    def _put(self, node: fx.Node, layer: nn.Module, form: str) -> None:
        self.graph.set_submodule(str(node.target), layer)
        self.count[form] = self.count.get(form, 0) + 1

    def _replace(self, last: fx.Node, new: fx.Node, old: list[fx.Node | None]) -> None:
        last.replace_all_uses_with(new)
        for node in dict.fromkeys(n for n in old if n is not None):
            self.graph.graph.erase_node(node)

    def _only_user(self, node: fx.Node) -> fx.Node | None:
        return next(iter(node.users)) if len(node.users) == 1 else None

    def _is_shared(self, node: fx.Node) -> bool:
        calls = [n for n in self.graph.graph.nodes if n.op == "call_module" and n.target == node.target]
        return len(calls) > 1

    def _is_written(self, first: fx.Node, *others: fx.Node) -> bool:
        """May something be written over from `first` to the last of `others`, by none of them?"""
        node = first.next
        while node is not others[-1]:
            if node not in others and (getattr(self.layer(node), "inplace", False) or _writes(node)):
                return True
            node = node.next
        return False

    def _is(self, node: fx.Node, functions: tuple[Any, ...], layer: type[nn.Module] | None = None) -> bool:
        if node.op == "call_module":
            return layer is not None and isinstance(self.layer(node), layer)
        return node.target in functions

    def _added(self, node: fx.Node, term: fx.Node) -> fx.Node | None:
        """What else a sum is of."""
        if node.op == "call_module" or node.target not in ADD or len(node.args) != 2 or node.kwargs:
            return None
        if _writes(node) and node.args[0] is not term:  # over the other
            return None
        other = next((a for a in node.args if a is not term), None)
        return other if isinstance(other, fx.Node) else None


def _writes(node: fx.Node) -> bool:
    """May a call of a function or a method write over what it is given? By its name, or by an `inplace` that is True."""
    if node.op not in ("call_function", "call_method"):
        return False
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "_")
    told = "out" in node.kwargs or bool(node.kwargs.get("inplace")) or any(a is True for a in node.args)
    return told or name.endswith("_") or node.target in [getattr(python, name) for name in WRITES]


def _is_fused_form(conv: Any) -> bool:
    if type(conv) is not nn.Conv2d or conv.bias is not None or conv.groups != 1 or conv.padding_mode != "zeros":
        return False
    plain = isinstance(conv.padding, tuple) and len({*conv.padding}) == len({*conv.stride}) == 1
    return plain and {*conv.dilation} == {1}


def _shared(parameter: nn.Parameter) -> nn.Parameter:
    """The same values in the same memory, without a gradient. A write to either is counted of both (`Frozen.versions`)."""
    return nn.Parameter(parameter.detach(), requires_grad=False)


def freeze(module: nn.Module) -> Frozen:
    """A module for inference; the given one stays as it is. Parameters are shared and take no memory anew, buffers are copied.

    Once a parameter is written to, by training the given module on or by loading into it, the frozen one refuses to run:
    freeze again, or freeze `copy.deepcopy(module)` for one that stays. What PyTorch does not count (writes to `.data`, steps of
    its fused optimisers) goes unnoticed. Memory that loading and converting left free goes back to the system. Raises
    TypeCheckError for what is no module.
    """
    if not isinstance(module, nn.Module):
        raise TypeCheckError(f"uol.freeze takes a torch.nn.Module, not {shown(module)}")
    shared: dict[int, Any] = {id(p): _shared(p) for p in module.parameters() if type(p) is nn.Parameter}
    body = copy.deepcopy(module, shared).eval()
    restore(body)  # where `uol.replace` was here before
    for tensor in body.parameters():
        tensor.requires_grad_(False)
    count: dict[str, int] = {}
    unfused = None
    try:
        fusion = _Fusion(fx.GraphModule(body, _Tracer().trace(body)))
    except Exception as error:  # what a tracer cannot follow differs from module to module
        unfused = f"nothing is fused: torch.fx does not trace the module ({type(error).__name__}: {error})"
    else:
        fusion.run()
        body, count = fusion.graph, fusion.count
    replacement = replace(body)
    give_back_free_memory()
    return Frozen(body, count, replacement, unfused)
