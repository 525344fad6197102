"""Gradients of `uol.ops` in PyTorch: backward calls the operator that was derived from the text.

The gradient is an operator of PyTorch too, `torch.ops.uol.conv2d_grad`, so that it is traced, compiled and differentiated
again. An input that was broadcast gets the sum over what it was broadcast to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch.autograd import forward_ad

from uol.gradient_ops import GradientOp, gradient_op
from uol.ir.errors import UolError
from uol.ir.gradients import has_gradient
from uol.ir.syntax import Op
from uol.torch_devices import require_running
from uol.torch_eager import is_eager
from uol.torch_schema import type_options

Tensor = torch.Tensor
Define = Callable[[Op], Callable[..., Any]]
"""Makes an operator known to PyTorch, where it is not yet, and gives it as a function."""
Cast = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def wants_derivative(tensors: Sequence[Tensor]) -> bool:
    """Would a derivative, backward or forward, go through an operator on these tensors?"""
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return True
    return forward_ad._current_level >= 0 and any(forward_ad.unpack_dual(x).tangent is not None for x in tensors)


class Gradient:
    """What PyTorch's autograd asks of one operator. `compute` makes its results at once, past PyTorch's dispatcher."""

    def __init__(self, op: Op, compute: Callable[..., Any], define: Define) -> None:
        self.op = op
        self.overload = getattr(torch.ops.uol, op.name).default
        self.compute = compute
        self.define = define
        self.autocast: Cast = lambda inputs: inputs  # the inputs as `torch.autocast` has them (`torch_autocast`)
        self.made: dict[tuple[bool, ...], GradientOp | None] = {}  # by which inputs need a gradient
        self.names = tuple(p.name for p in op.params)
        self.differentiable = op.float_inputs if has_gradient(op) else ()

    def save(self, ctx: Any, inputs: Sequence[Any], output: Any, options: Mapping[str, Any]) -> None:
        """Keeps what the gradient with respect to the inputs that need one reads, and no more."""
        outputs = (output,) if isinstance(output, Tensor) else output
        ctx.options = options
        ctx.shapes = [x.shape for x in inputs]
        ctx.types = [x.dtype for x in inputs]
        ctx.gradient = self.derived(inputs)
        if ctx.gradient is not None:
            present = {"input": inputs, "result": outputs}
            ctx.save_for_backward(*[present[kind][at] for kind, at in ctx.gradient.sources if kind != "cotangent"])
        if not all(y.is_floating_point() for y in outputs):
            ctx.mark_non_differentiable(*(y for y in outputs if not y.is_floating_point()))

    def derived(self, inputs: Sequence[Tensor]) -> GradientOp | None:
        """The gradient operator for the inputs that need one; None where none of them does."""
        if torch._C._are_functorch_transforms_active():  # what `vmap` has wrapped does not say whether it needs a gradient
            needed = tuple([x.is_floating_point() for x in inputs])
        else:
            needed = tuple([x.requires_grad for x in inputs])
        if needed not in self.made:
            wrt = tuple(n for n, need in zip(self.names, needed, strict=True) if need and n in self.differentiable)
            self.made[needed] = gradient_op(self.op, wrt) if wrt else None
        return self.made[needed]

    def backward(self, ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """One cotangent for each input, None where none is needed."""
        gradient: GradientOp | None = ctx.gradient
        if gradient is None:
            return (None,) * len(self.names)
        saved = iter(ctx.saved_tensors)
        arguments = [cotangents[at] if kind == "cotangent" else next(saved) for kind, at in gradient.sources]
        known = {a.name for a in gradient.op.attributes}
        options = {name: value for name, value in ctx.options.items() if name in known}
        types = {p.type: dtype for p, dtype in zip(self.op.params, ctx.types, strict=True)}
        options |= {key: types[variable] for key, variable in type_options(gradient.op).items()}
        found = self.define(gradient.op)(*arguments, **options)  # through `call`: it may be differentiated again
        each = dict(zip(gradient.wrt, (found,) if isinstance(found, Tensor) else found, strict=True))
        return tuple(self.reduced(each.get(name), shape) for name, shape in zip(self.names, ctx.shapes, strict=True))

    @staticmethod
    def reduced(found: Tensor | None, shape: torch.Size) -> Tensor | None:
        """The cotangent of an input that was broadcast."""
        return found if found is None or found.shape == shape else found.sum_to_size(shape)


class _Function(torch.autograd.Function):
    """An operator with its gradient; in the form that `torch.func` takes, too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Gradient, options: Mapping[str, Any], *inputs: Tensor) -> Any:
        return gradient.compute(*inputs, **options) if is_eager(inputs) else call(gradient, inputs, options)

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


class _EagerFunction(torch.autograd.Function):
    """The same for plain tensors, in the older form, which takes half the time."""

    @staticmethod
    def forward(ctx: Any, gradient: Gradient, options: Mapping[str, Any], *inputs: Tensor) -> Any:
        ctx.of = gradient
        output = gradient.compute(*inputs, **options)
        gradient.save(ctx, inputs, output, options)
        return output

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> Any:
        return None, None, *ctx.of.backward(ctx, *cotangents)


def call(gradient: Gradient, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Any:
    """The operator on tensors. The transforms of `torch.func` have to be met before PyTorch's dispatcher is: below it
    they do not see the gradient."""
    if not torch.compiler.is_compiling() and _is_transformed():
        if torch.is_autocast_enabled(inputs[0].device.type):
            inputs = gradient.autocast(inputs)
        return record(gradient, inputs, options)
    return gradient.overload(*inputs, **options)


def _is_transformed() -> bool:
    """Is a derivative of `torch.func` being taken? `vmap` alone needs nothing of us: PyTorch calls us for each element."""
    if not torch._C._are_functorch_transforms_active():
        return False
    stack = torch._C._functorch.get_interpreter_stack() or []
    return any(level.key() != torch._C._functorch.TransformType.Vmap for level in stack)


def record_eagerly(gradient: Gradient, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Any:
    """The operator on plain tensors (`is_eager`) of which one at least needs a gradient."""
    return _EagerFunction.apply(gradient, options, *inputs)  # type: ignore[no-untyped-call]  # as PyTorch declares it


def record(gradient: Gradient, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Any:
    """The operator on tensors of which one at least needs a gradient."""
    return _Function.apply(gradient, options, *inputs)  # type: ignore[no-untyped-call]  # as PyTorch declares it


def register(gradient: Gradient, library: torch.library.Library) -> None:
    """Tells PyTorch's autograd of an operator's gradient. (`torch.library.register_autograd` would do, but for
    `torch.func`.)"""
    overload = gradient.overload

    def recorded(keyset: Any, /, *inputs: Tensor, **options: Any) -> Any:
        if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
            require_running(gradient.op.name, inputs[0])
            return record(gradient, inputs, options)
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
