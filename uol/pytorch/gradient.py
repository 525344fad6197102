"""Gradients of `uol.ops` in PyTorch: backward calls the operator that was derived from the text.

The gradient is an operator of PyTorch too, `torch.ops.uol.conv2d_grad`, so that it is traced, compiled and differentiated
again. An input that was broadcast gets the sum over what it was broadcast to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NoReturn

import torch
from torch._C import _len_torch_function_stack as function_modes
from torch.autograd import forward_ad

from uol.ir.errors import UolError
from uol.ir.forking import unforked
from uol.ir.gradients import has_gradient
from uol.ir.syntax.surface import Op
from uol.ir.types import base_type
from uol.operators.gradients import backward_of, saving_of
from uol.pytorch.backward_plan import Way
from uol.pytorch.devices import require_running
from uol.pytorch.fast_path import is_eager, outside_modes
from uol.pytorch.launch_plan import Forms, Prepared, forms_of

Tensor = torch.Tensor
Define = Callable[[Op], "Gradient"]
"""Makes an operator known to PyTorch, where it is not yet, and gives what autograd asks of it."""
Find = Callable[[Sequence[Tensor], Mapping[str, Any]], Prepared]
Cast = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def wants_derivative(tensors: Sequence[Tensor]) -> bool:
    """Would a derivative, backward or forward, go through an operator on these tensors?"""
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return True
    return forward_ad._current_level >= 0 and any(forward_ad.unpack_dual(x).tangent is not None for x in tensors)


class Gradient:
    """What PyTorch's autograd asks of one operator. `find` gives its kernel for inputs and options, past PyTorch's
    dispatcher."""

    def __init__(self, op: Op, find: Find, define: Define) -> None:
        self.op = op
        self.find = find
        self.define = define
        self.autocast: Cast = lambda inputs: inputs  # the inputs as `torch.autocast` has them (`autocast`)
        self.made: dict[tuple[bool, ...], Way | None] = {}  # by what `asked` says of the inputs
        self.names = tuple(p.name for p in op.params)
        self.differentiable = op.float_inputs if has_gradient(op) else ()
        self.mixed = _mixed(op, self.differentiable)

    @cached_property
    def overload(self) -> Any:
        """The operator as PyTorch's dispatcher knows it; operators of a graph (`graph/operators`) are none of its."""
        return getattr(torch.ops.uol, self.op.name).default

    def save(self, ctx: Any, way: Way | None, forms: Forms, options: Mapping[str, Any], tensors: Sequence[Any]) -> None:
        """Keeps what the gradient reads, and no more. `tensors`: the inputs, and the results."""
        ctx.way, ctx.call = way, (forms, options)
        if way is not None:
            ctx.save_for_backward(*way.taken(tensors))
            if way.is_saving:
                ctx.set_materialize_grads(False)  # so that what is saved has no cotangent, but where one comes to it
        if forms.whole:
            ctx.mark_non_differentiable(*[tensors[len(forms.inputs) + at] for at in forms.whole])

    @cached_property
    def saving(self) -> Gradient | None:
        """The operator that runs in the place of this one where a gradient is recorded, so that it can be saved what the
        gradient reads; None where this one gives all."""
        with unforked():
            found = saving_of(self.op)
            return None if found is None else self.define(found)

    @cached_property
    def reads_result_alone(self) -> bool:
        """Has the operator one input, which its gradient does not read, so that the result may lie there?"""
        if len(self.names) != 1 or self.saving is not None:
            return False
        way = self.way((True,))
        return way is not None and way.kept == (1,)  # the place of the result

    @property
    def is_settled(self) -> bool:
        """Has a gradient been recorded, by the text that there was for it?"""
        return any(self.made.values()) or vars(self).get("saving") is not None

    def own(self, results: Sequence[Tensor]) -> Any:
        """What `saving` has given, without what is saved."""
        count = len(self.op.results)
        return results[0] if count == 1 else tuple(results[:count])

    def asked(self, needed: tuple[bool, ...], inputs: Sequence[Tensor]) -> tuple[bool, ...]:
        """What a way back depends on: which inputs need a gradient, and which of the type variables that may be floats are
        integers at this call."""
        if not self.mixed:
            return needed
        return needed + tuple([not inputs[at].is_floating_point() for _, at in self.mixed])

    def way(self, asked: tuple[bool, ...]) -> Way | None:
        """The way back for the inputs that need a gradient; None where none of them does."""
        if asked not in self.made:
            count = len(self.names)
            wrt = tuple(n for n, need in zip(self.names, asked, strict=False) if need and n in self.differentiable)
            integers = tuple(name for (name, _), is_one in zip(self.mixed, asked[count:], strict=False) if is_one)
            with unforked():
                self.made[asked] = Way(self.op, backward_of(self.op, wrt, integers), self.define) if wrt else None
        return self.made[asked]

    def call(self, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Any:
        """The operator on tensors. The transforms of `torch.func` have to be met before PyTorch's dispatcher is: below it
        they do not see the gradient."""
        if not torch.compiler.is_compiling() and _is_transformed():
            if torch.is_autocast_enabled(inputs[0].device.type):
                inputs = self.autocast(inputs)
            return record(self, inputs, options)
        return self.overload(*inputs, **options)


def _mixed(op: Op, differentiable: Sequence[str]) -> list[tuple[str, int]]:
    """The type variables that may be floats or not while an input of another type needs a gradient, and an input of each."""
    types = [base_type(p.type) for p in op.params]
    floats = {base_type(p.type) for p in op.params if p.name in differentiable}
    return [(name, types.index(name)) for name in op.mixed_variables if name in types and floats - {name}]


def _back(ctx: Any, cotangents: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """The cotangents of the inputs, from those of the results; None where none is needed."""
    forms, options = ctx.call
    for dy in cotangents if ctx.way is not None else ():
        if dy is not None:
            kept = ctx.saved_tensors  # which may be computed only now (a checkpoint), and in the modes that there are
            found: Sequence[Tensor | None]
            if function_modes():  # a mode is for what the user calls: not for what the library does below it
                with outside_modes():
                    found = ctx.way(cotangents, kept, forms, options)
            else:
                found = ctx.way(cotangents, kept, forms, options)
            return found
    return (None,) * len(forms.inputs)


class _Function(torch.autograd.Function):
    """An operator with its gradient; in the form that `torch.func` takes, too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Gradient, options: Mapping[str, Any], *inputs: Tensor) -> Any:
        return gradient.find(inputs, options).new(inputs) if is_eager(inputs) else gradient.call(inputs, options)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        gradient, options, *tensors = inputs
        ctx.of = gradient
        outputs = (output,) if isinstance(output, Tensor) else output
        if torch._C._are_functorch_transforms_active():  # what `vmap` has wrapped does not say whether it needs a gradient
            needed = tuple([x.is_floating_point() for x in tensors])
        else:
            needed = tuple([x.requires_grad for x in tensors])
        forms = forms_of([(x.shape, x.dtype) for x in tensors], [(y.shape, y.dtype) for y in outputs])
        gradient.save(ctx, gradient.way(gradient.asked(needed, tensors)), forms, options, (*tensors, *outputs))

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> NoReturn:
        raise _no_forward_mode(ctx.of.op.name)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> Any:
        return None, None, *_back(ctx, cotangents)


class _EagerFunction(torch.autograd.Function):
    """The same for plain tensors, in the older form, which takes half the time."""

    @staticmethod
    def forward(ctx: Any, gradient: Gradient, way: Way | None, options: Mapping[str, Any], *inputs: Tensor) -> Any:
        prepared = gradient.find(inputs, options)
        output = prepared.new(inputs)
        outputs = (output,) if type(output) is Tensor else output
        gradient.save(ctx, way, prepared.forms, options, (*inputs, *outputs))
        return output

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> Any:
        return None, None, None, *_back(ctx, cotangents)


class _InPlaceFunction(torch.autograd.Function):
    """The same for an operator of one input, which its result overwrites, and whose gradient reads the result alone."""

    @staticmethod
    def forward(ctx: Any, gradient: Gradient, way: Way, prepared: Prepared, options: Mapping[str, Any], x: Tensor) -> Tensor:
        prepared.run((x,), (x,))
        ctx.mark_dirty(x)  # so that autograd counts the write, and finds a later one to what is saved
        gradient.save(ctx, way, prepared.forms, options, (x, x))
        return x

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> Any:
        return None, None, None, None, *_back(ctx, cotangents)


_apply_eagerly: Callable[..., Any] = super(torch.autograd.Function, _EagerFunction).apply
"""`_EagerFunction.apply` without what PyTorch looks for before it, which plain tensors outside transforms do not need."""
_apply_in_place: Callable[..., Any] = super(torch.autograd.Function, _InPlaceFunction).apply


def _is_transformed() -> bool:
    """Is a derivative of `torch.func` being taken? `vmap` alone needs nothing of us: PyTorch calls us for each element."""
    if not torch._C._are_functorch_transforms_active():
        return False
    stack = torch._C._functorch.get_interpreter_stack() or []
    return any(level.key() != torch._C._functorch.TransformType.Vmap for level in stack)


def record_eagerly(gradient: Gradient, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Any:
    """The operator on plain tensors (`is_eager`) of which one at least needs a gradient."""
    saving = gradient.saving
    recorded = saving or gradient
    way = recorded.way(recorded.asked(tuple([x.requires_grad for x in inputs]), inputs))
    found: Any = _apply_eagerly(recorded, way, options, *inputs)
    return found if saving is None else gradient.own(found)


def record_in_place(gradient: Gradient, prepared: Prepared, x: Tensor, options: Mapping[str, Any]) -> Tensor:
    """The operator's result where its one input lies, a plain tensor that needs a gradient, which reads the result alone."""
    found: Tensor = _apply_in_place(gradient, gradient.way((True,)), prepared, options, x)
    return found


def record(gradient: Gradient, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Any:
    """The operator on tensors of which one at least needs a gradient."""
    saving = gradient.saving
    found = _Function.apply(saving or gradient, options, *inputs)  # type: ignore[no-untyped-call]  # as PyTorch declares it
    return found if saving is None else gradient.own(found)


def register(gradient: Gradient, library: torch.library.Library) -> None:
    """Tells PyTorch's autograd of an operator's gradient. (`torch.library.register_autograd` would do, but for
    `torch.func`.)"""
    overload = gradient.overload

    def recorded(keyset: Any, /, *inputs: Tensor, **options: Any) -> Any:
        if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
            require_running(gradient.op, inputs[0])
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
