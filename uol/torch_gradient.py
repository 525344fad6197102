"""Gradients of `uol.ops` in PyTorch: backward calls the operator that was derived from the text.

The gradient is an operator of PyTorch too, `torch.ops.uol.conv2d_grad`, so that it is traced, compiled and differentiated
again. An input that was broadcast gets the sum over what it was broadcast to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch.autograd import forward_ad

from uol.gradient_ops import GradientOp, float_inputs, gradient_op
from uol.ir.errors import UolError
from uol.ir.syntax import Op
from uol.torch_schema import type_options

Tensor = torch.Tensor
Define = Callable[[Op], Callable[..., Any]]
"""Makes an operator known to PyTorch, where it is not yet, and gives it as a function."""


def wants_derivative(tensors: Sequence[Tensor]) -> bool:
    """Would a derivative, backward or forward, go through an operator on these tensors?"""
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return True
    return forward_ad._current_level >= 0 and any(forward_ad.unpack_dual(x).tangent is not None for x in tensors)


class Gradient:
    """What PyTorch's autograd asks of one operator."""

    def __init__(self, op: Op, define: Define) -> None:
        self.op = op
        self.overload = getattr(torch.ops.uol, op.name).default
        self.define = define
        self.names = tuple(p.name for p in op.params)
        self.results = tuple(r.name for r in op.results)
        self.differentiable = float_inputs(op)

    def save(self, ctx: Any, inputs: Sequence[Any], output: Any, options: Mapping[str, Any]) -> None:
        """Keeps what the gradient with respect to the inputs that need one reads, and no more."""
        outputs = (output,) if isinstance(output, Tensor) else tuple(output)
        ctx.options = options
        ctx.shapes = [tuple(x.shape) for x in inputs]
        ctx.types = {p.type: x.dtype for p, x in zip(self.op.params, inputs, strict=True)}
        ctx.gradient = self.derived(inputs)
        present = {**dict(zip(self.names, inputs, strict=True)), **dict(zip(self.results, outputs, strict=True))}
        kept = [name for kind, name in ctx.gradient.sources if kind != "cotangent"] if ctx.gradient else []
        ctx.save_for_backward(*(present[name] for name in kept))
        ctx.mark_non_differentiable(*(y for y in outputs if not y.is_floating_point()))

    def derived(self, inputs: Sequence[Tensor]) -> GradientOp | None:
        """The gradient operator for the inputs that need one; None where none of them does."""
        # What `vmap` has wrapped does not say whether it needs a gradient.
        of_all = torch._C._are_functorch_transforms_active()
        floats = [(n, x) for n, x in zip(self.names, inputs, strict=True) if n in self.differentiable and x.is_floating_point()]
        wrt = tuple(n for n, x in floats if of_all or x.requires_grad)
        return gradient_op(self.op, wrt) if wrt else None

    def backward(self, ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """One cotangent for each input, None where none is needed."""
        gradient: GradientOp | None = ctx.gradient
        if gradient is None:
            return (None,) * len(self.names)
        saved = iter(ctx.saved_tensors)
        given = dict(zip(self.results, cotangents, strict=True))
        arguments = [given[name] if kind == "cotangent" else next(saved) for kind, name in gradient.sources]
        known = {a.name for a in gradient.op.attributes}
        options = {name: value for name, value in ctx.options.items() if name in known}
        options |= {key: ctx.types[variable] for key, variable in type_options(gradient.op).items()}
        found = self.define(gradient.op)(*arguments, **options)  # through `call`: it may be differentiated again
        each = dict(zip(gradient.wrt, (found,) if isinstance(found, Tensor) else found, strict=True))
        return tuple(self.reduced(each.get(name), shape) for name, shape in zip(self.names, ctx.shapes, strict=True))

    @staticmethod
    def reduced(found: Tensor | None, shape: tuple[int, ...]) -> Tensor | None:
        """The cotangent of an input that was broadcast."""
        return None if found is None else found if tuple(found.shape) == shape else found.sum_to_size(shape)


class _Function(torch.autograd.Function):
    """An operator with its gradient; in the form that `torch.func` takes, too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Gradient, options: Mapping[str, Any], *inputs: Tensor) -> Any:
        return call(gradient, inputs, options)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.of = inputs[0]
        ctx.of.save(ctx, inputs[2:], output, inputs[1])

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> NoReturn:
        raise _no_forward_mode(ctx.of.op.name)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> Any:
        return None, None, *ctx.of.backward(ctx, *cotangents)


def call(gradient: Gradient, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Any:
    """The operator on tensors. The transforms of `torch.func` have to be met before PyTorch's dispatcher is: below it
    they do not see the gradient."""
    if not torch.compiler.is_compiling() and _is_transformed():
        return _Function.apply(gradient, options, *inputs)  # type: ignore[no-untyped-call]  # as PyTorch declares it
    return gradient.overload(*inputs, **options)


def _is_transformed() -> bool:
    """Is a derivative of `torch.func` being taken? `vmap` alone needs nothing of us: PyTorch calls us for each element."""
    if not torch._C._are_functorch_transforms_active():
        return False
    stack = torch._C._functorch.get_interpreter_stack() or []
    return any(level.key() != torch._C._functorch.TransformType.Vmap for level in stack)


def register(gradient: Gradient, library: torch.library.Library) -> None:
    """Tells PyTorch's autograd of an operator's gradient. (`torch.library.register_autograd` would do, but for
    `torch.func`.)"""
    overload = gradient.overload

    def recorded(keyset: Any, *inputs: Tensor, **options: Any) -> Any:
        if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
            return _Function.apply(gradient, options, *inputs)  # type: ignore[no-untyped-call]  # as PyTorch declares it
        with torch._C._AutoDispatchBelowAutograd():
            return overload.redispatch(keyset & torch._C._after_autograd_keyset, *inputs, **options)

    library.impl(gradient.op.name, recorded, "Autograd", with_keyset=True)


def require_backward(op: str, tensors: Sequence[Tensor]) -> None:
    """Raises UolError where a derivative is asked for that goes forward: only cotangents have texts."""
    if forward_ad._current_level >= 0 and any(forward_ad.unpack_dual(x).tangent is not None for x in tensors):
        raise _no_forward_mode(op)


def _no_forward_mode(op: str) -> UolError:
    hint = "use reverse mode: .backward(), torch.autograd.grad, torch.func.grad, vjp or jacrev"
    return UolError(f"{op} has no forward-mode derivative", hint=hint)
