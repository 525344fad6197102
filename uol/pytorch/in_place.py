"""Aliasing operators in PyTorch: `uol.ops.<name>_` overwrites inputs with results.

    sgd_(Tensor(a0!) p, Tensor g, *, float lr, float weight_decay=0.0) -> ()
    batch_norm_training_(Tensor x, ..., Tensor(a3!) running_mean, Tensor(a4!) running_var, ...) -> Tensor

PyTorch sees which inputs are mutated; what is given back are the other results. The kernel writes in place where its graph
shows that each element is read before it is written and by nobody afterwards; else new tensors are made and copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any, cast

import torch

from uol.binding.layouts import Sizes, canonical, is_dense, result_strides, row_major
from uol.checking import MODE as CHECKED
from uol.checking import Checks
from uol.codegen.specs.in_place import writes_in_place
from uol.compilation.pipeline import module_of
from uol.compilation.request import Request
from uol.compiler import Compiled
from uol.ir.errors import ShapeError, UolError
from uol.ir.forking import unforked
from uol.ir.syntax.surface import Op
from uol.operators.registry import find_operator
from uol.ops.aliasing import aliases_of
from uol.pytorch import bridge
from uol.pytorch.arguments import exactly, options_of, remember, require_strided, tensors_of
from uol.pytorch.call import TorchOperator
from uol.pytorch.devices import launch_of, require_one_device, target_of
from uol.pytorch.fallback import MODE, NO_KERNEL, advised, or_pytorch
from uol.pytorch.fast_path import is_eager
from uol.pytorch.namespace import underway
from uol.pytorch.out import writable_in_place
from uol.pytorch.schema import TORCH_TYPES, schemas

Tensor = torch.Tensor
Result = Tensor | tuple[Tensor, ...] | None


@dataclass(frozen=True, slots=True)
class PreparedInPlace:
    """A kernel for tensors of given shapes, types and strides. `sources`: for each result the input that it overwrites, or
    None; `fresh`: size, strides and type of the others. `call`, with checks of the values in checked mode, is None where the
    results must be copied."""

    call: Callable[..., None] | None
    checks: Checks | None = None
    scalars: tuple[int | float, ...] = ()
    sources: tuple[int | None, ...] = ()
    fresh: tuple[tuple[Sizes, Sizes, torch.dtype], ...] = ()


@dataclass
class InPlaceOperator:
    """What PyTorch's dispatcher calls for `<name>_`."""

    op: Op
    aliases: Mapping[str, str]
    prepared: dict[object, PreparedInPlace] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.op.name + "_"

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.op.params)

    @cached_property
    def mutated(self) -> tuple[int, ...]:
        """The places of the inputs that are overwritten."""
        return tuple(n for n, name in enumerate(self.names) if name in self.aliases)

    @cached_property
    def sources(self) -> tuple[int | None, ...]:
        """For each result the place of the input that it overwrites; None for one that is new."""
        place = {result: self.names.index(name) for name, result in self.aliases.items()}
        return tuple(place.get(r.name) for r in self.op.results)

    def schema(self) -> str:
        """The functional schema of the operator, its overwritten inputs marked, the results that they take left out."""
        text, _ = schemas(self.op)
        head, _, tail = text.partition("(")
        arguments = tail.rpartition(" -> ")[0].removesuffix(")")
        for number in self.mutated:
            plain = f"Tensor {self.names[number]}"
            items = [f"Tensor(a{number}!) {self.names[number]}" if a == plain else a for a in arguments.split(", ")]
            arguments = ", ".join(items)
        new = ", ".join("Tensor" for source in self.sources if source is None)
        return f"{head}_({arguments}) -> {new if new == 'Tensor' else f'({new})'}"

    def compute(self, /, *inputs: Tensor, **options: Any) -> Result:
        """`overwrite` as PyTorch's dispatcher calls it."""
        require_one_device(self.name, dict(zip(self.names, inputs, strict=True)))
        return self.overwrite(inputs, options)

    def overwrite(self, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Result:
        """The new results; the others lie where their inputs lay."""
        key = (inputs[0].device, *[(x.dtype, x.shape, x.stride()) for x in inputs], exactly(options))
        prepared = self.prepared.get(key)
        if prepared is None:
            try:
                with unforked():
                    prepared = self._prepare(inputs, options)
            except NO_KERNEL as error:
                raise advised(self.op, error) from error.__cause__
            remember(self.prepared, key, prepared)
        if prepared.call is None or not self._apart(inputs):
            return self._copied(getattr(torch.ops.uol, self.op.name)(*inputs, **options), inputs)
        fresh = [inputs[0].new_empty_strided(size, stride, dtype=dtype) for size, stride, dtype in prepared.fresh]
        new = iter(fresh)
        outs = [next(new) if source is None else inputs[source] for source in prepared.sources]
        values = (*inputs, *outs, *prepared.scalars)
        if CHECKED.depth and prepared.checks is not None:
            prepared.checks.require(values)
        prepared.call(*values)
        torch.autograd.graph.increment_version([inputs[n] for n in self.mutated])
        return _given(fresh)

    def fake(self, /, *inputs: Tensor, **options: Any) -> Result:
        """Empty new results, without a kernel."""
        found = bridge.defined()[self.op.name].fake(*inputs, **options)
        results = (found,) if isinstance(found, Tensor) else found
        return _given([r for r, source in zip(results, self.sources, strict=True) if source is None])

    def call_eagerly(self, inputs: Sequence[Tensor], options: dict[str, Any]) -> Result:
        """The operator on plain tensors (`is_eager`), past PyTorch's dispatcher."""
        if torch.is_grad_enabled() and any([x.requires_grad for x in inputs]):
            return self.differentiably(inputs, options, self.pure.call_eagerly)
        return self.overwrite(inputs, options_of(self.op, options))

    @cached_property
    def pure(self) -> TorchOperator:
        """The operator that overwrites nothing."""
        return bridge.defined()[self.op.name]

    def differentiably(
        self, inputs: Sequence[Tensor], options: dict[str, Any], pure: Callable[[Sequence[Tensor], dict[str, Any]], Any]
    ) -> Result:
        """The new results with their gradient: by the pure operator, whose other results are copied."""
        for n in self.mutated:
            if inputs[n].requires_grad:
                hint = "call it within torch.no_grad(), as optimisers do, or on a tensor that needs no gradient"
                raise UolError(f"{self.name}: {self.names[n]} needs a gradient and cannot be overwritten", hint=hint)
        results = pure(inputs, options)
        with torch.no_grad():
            return self._copied(results, inputs)

    def function(self) -> Callable[..., Result]:
        """`uol.ops.<name>_`."""

        def call(*inputs: Tensor, **options: object) -> Result:
            if MODE.depth:
                return cast(Result, MODE.untraced(self._or_pytorch, inputs, options))
            return self._kernel(inputs, options)

        call.__name__ = call.__qualname__ = self.name
        call.__module__ = "uol.ops"  # where pickle finds it
        call.__doc__ = f"The operator {self.op.name}, overwriting {', '.join(self.aliases)}; `uol show {self.op.name}`."
        return call

    def _kernel(self, inputs: Sequence[Tensor], options: dict[str, Any]) -> Result:
        """The operator on whatever it may be given."""
        if len(inputs) == len(self.names) and is_eager(inputs) and not any([x.is_inference() for x in inputs]):
            return self.call_eagerly(inputs, options)
        tensors = self._tensors(inputs)
        packet = getattr(torch.ops.uol, self.name)
        if not torch.compiler.is_compiling() and any([tensors[n].is_neg() for n in self.mutated]):
            plain = [x.resolve_neg() for x in tensors]  # PyTorch negates such a view as it is read
            found = packet(*plain, **options_of(self.op, options))
            for n in self.mutated:
                tensors[n].copy_(plain[n])
            return cast(Result, found)
        return cast(Result, packet(*tensors, **options_of(self.op, options)))

    def _or_pytorch(self, inputs: Sequence[Tensor], options: dict[str, Any]) -> Result:
        """The operator, by PyTorch where no kernel of it can be had."""
        kernel, counterpart = partial(self._kernel, inputs, options), partial(self._by_pytorch, inputs, options)
        return cast(Result, or_pytorch(self.op, kernel, counterpart))

    def _by_pytorch(self, inputs: Sequence[Tensor], options: dict[str, Any]) -> Result:
        """PyTorch's counterpart, whose results are copied to where they belong."""
        tensors = self._tensors(inputs)

        def counterpart(given: Sequence[Tensor], chosen: dict[str, Any]) -> Any:
            return self.pure.by_pytorch(given, None, chosen)

        if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
            return self.differentiably(tensors, options, counterpart)
        return self._copied(counterpart(tensors, options), tensors)

    def _tensors(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The inputs. Raises UolError for a number that would be overwritten, and for tensors on several devices."""
        tensors = tensors_of(self.op, inputs)
        for n in self.mutated:
            if tensors[n] is not inputs[n]:
                raise UolError(f"{self.name}: {self.names[n]} is overwritten, and {inputs[n]!r} is no tensor")
        require_one_device(self.name, dict(zip(self.names, tensors, strict=True)))
        return tensors

    def _apart(self, inputs: Sequence[Tensor]) -> bool:
        """Does no overwritten tensor share memory with another one, and does each fill its own?"""
        return all(writable_in_place(inputs[n], (*inputs[:n], *inputs[n + 1 :])) for n in self.mutated)

    def _copied(self, found: Tensor | Sequence[Tensor], inputs: Sequence[Tensor]) -> Result:
        results = (found,) if isinstance(found, Tensor) else tuple(found)
        for result, source in zip(results, self.sources, strict=True):
            if source is not None:
                inputs[source].copy_(result)
        return _given([r for r, source in zip(results, self.sources, strict=True) if source is None])

    def _prepare(self, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> PreparedInPlace:
        for name, x in zip(self.names, inputs, strict=True):
            require_strided(self.op.name, name, x)
        shapes = {name: tuple(x.shape) for name, x in zip(self.names, inputs, strict=True)}
        instance = self.pure.instance(inputs, options)
        full = {p.name: instance.shape(p) for p in (*self.op.params, *self.op.results)}
        for n in self.mutated:
            name = self.names[n]
            if full[name] != shapes[name]:
                message = f"{self.name}: {name} is {list(shapes[name])} and would become {list(full[name])}"
                raise ShapeError(message, hint="what is overwritten is not broadcast")
        if any(full[name] != shape for name, shape in shapes.items()) or not all(
            is_dense(inputs[n].shape, inputs[n].stride()) for n in self.mutated
        ):
            return PreparedInPlace(None)
        strides = {n: canonical(x.shape, x.stride()) for n, x in zip(self.names, inputs, strict=True)}
        laid_out = {n: (shapes[n], strides[n]) for n in self.names}
        taken = {result: name for name, result in self.aliases.items()}
        for r in self.op.results:
            own = taken.get(r.name)
            strides[r.name] = result_strides(r.name, full[r.name], laid_out) if own is None else strides[own]
        layouts = {n: s for n, s in strides.items() if s != row_major(full[n])}
        request = Request(instance, target_of(self.name, inputs[0].device), layouts)
        compiled = Compiled(request, module_of(request))
        if not all(writes_in_place(compiled.module.graph, name, result) for name, result in self.aliases.items()):
            return PreparedInPlace(None)
        new = [r for r in self.op.results if r.name not in taken]
        fresh = tuple((full[r.name], strides[r.name], TORCH_TYPES[instance.dtype(r)]) for r in new)
        launch, checks = launch_of(compiled, inputs[0].device), Checks(request, compiled.module.graph)
        return PreparedInPlace(launch, checks, compiled.scalars({}), self.sources, fresh)


@cache
def in_place_operator(name: str) -> InPlaceOperator:
    """The aliasing operator behind `<name>_`, made known to PyTorch. Raises UolError where `name` overwrites nothing."""
    op = find_operator(name)
    aliases = aliases_of(name)
    if not aliases:
        raise UolError(f"{name} overwrites nothing", hint="register it with uol.op(text, aliases={input: result})")
    bridge.operator(name)
    with unforked(firmly=True), bridge.DEFINING:
        return _made.get(name) or _define(name, op, aliases)


def _define(name: str, op: Op, aliases: Mapping[str, str]) -> InPlaceOperator:
    own = InPlaceOperator(op, aliases)
    with underway(own.name):
        _library.define(own.schema())
    for key in ("CPU", "CompositeExplicitAutograd"):
        _library.impl(own.name, own.compute, key)
    torch.library.register_fake(f"uol::{own.name}", own.fake, lib=_library)
    overload, pure = getattr(torch.ops.uol, own.name).default, getattr(torch.ops.uol, name)

    def recorded(keyset: Any, /, *inputs: Tensor, **options: Any) -> Result:
        if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
            return own.differentiably(inputs, options, lambda given, chosen: pure(*given, **chosen))
        with torch._C._AutoDispatchBelowAutograd():
            return cast(Result, overload.redispatch(keyset & torch._C._after_autograd_keyset, *inputs, **options))

    _library.impl(own.name, recorded, "Autograd", with_keyset=True)
    _made[name] = own
    return own


@cache
def in_place_function(name: str) -> Callable[..., Result]:
    """The function behind `uol.ops.<name>_`."""
    return in_place_operator(name).function()


_library = torch.library.Library("uol", "FRAGMENT")
_made: dict[str, InPlaceOperator] = {}


def _given(results: Sequence[Tensor]) -> Result:
    return None if not results else results[0] if len(results) == 1 else tuple(results)
