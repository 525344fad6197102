"""One operator on PyTorch tensors: kernels by shape, results in the right layout, `out=`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch

from uol.compiler import Compiled
from uol.instance import Instance
from uol.ir.errors import ShapeError, TypeCheckError, UolError
from uol.ir.syntax import Op, Pack
from uol.layouts import Sizes, canonical, result_strides, row_major
from uol.pipeline import module_of
from uol.recompile import RecompileWatch
from uol.request import Request
from uol.suggest import nearest
from uol.targets import resolve_target
from uol.tensor_binding import bind_tensors
from uol.torch_out import given_outs, require_fit, require_no_gradient, require_one_device, writable_in_place
from uol.torch_schema import NAMES, TORCH_TYPES, type_options

Tensor = torch.Tensor
Result = Tensor | tuple[Tensor, ...]
Options = Mapping[str, int | float | torch.dtype | None]

TARGETS = {"cpu": "cpu"}
"""Target by the type of PyTorch's device."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A kernel for tensors of given shapes, types and strides."""

    call: Callable[..., None]
    expand: tuple[Sizes | None, ...] | None
    results: tuple[tuple[Sizes, Sizes, torch.dtype], ...]
    scalars: tuple[int | float, ...]

    def run(self, inputs: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        if self.expand is not None:
            inputs = [x if size is None else x.expand(size) for x, size in zip(inputs, self.expand, strict=True)]
        self.call(*inputs, *outs, *self.scalars)


class TorchOperator:
    """What PyTorch's dispatcher calls. Kernels are kept by the exact shapes, strides and types of the inputs."""

    def __init__(self, op: Op) -> None:
        self.op = op
        self.names = tuple(p.name for p in op.params)
        self.options = type_options(op)
        self.required = (*self.options, *(a.name for a in op.attributes if a.default is None))
        self.prepared: dict[object, Prepared] = {}
        self.watch = RecompileWatch(op.name)

    def compute(self, *inputs: Tensor, **options: int | float | torch.dtype | None) -> Result:
        """New tensors with the results."""
        prepared = self._prepared(inputs, options, None)
        outs = [torch.empty_strided(size, stride, dtype=dtype) for size, stride, dtype in prepared.results]
        prepared.run(inputs, outs)
        return outs[0] if len(outs) == 1 else tuple(outs)

    def compute_into(self, *inputs: Tensor, **options: object) -> None:
        """The results in given tensors. What a kernel cannot write in place (overlap, gaps) is copied there."""
        outs = [cast(Tensor, options.pop(name)) for name in self._out_names()]
        plain = cast(Options, options)
        expected = self._prepared(inputs, plain, None).results
        for out, (size, _, dtype) in zip(outs, expected, strict=True):
            require_fit(self.op.name, out, size, dtype)
        direct = [writable_in_place(out, (*inputs, *outs[:n], *outs[n + 1 :])) for n, out in enumerate(outs)]
        targets = [o if d else torch.empty(o.shape, dtype=o.dtype) for o, d in zip(outs, direct, strict=True)]
        self._prepared(inputs, plain, tuple(t.stride() for t in targets)).run(inputs, targets)
        for out, target, is_direct in zip(outs, targets, direct, strict=True):
            if not is_direct:
                out.copy_(target)

    def fake(self, *inputs: Tensor, **options: int | float | torch.dtype | None) -> Result:
        """Empty results of the right shape, type and layout, without a kernel."""
        instance = self._instance(inputs, options)
        laid_out = [(tuple(x.shape), tuple(x.stride())) for x in inputs]
        outs = []
        for result in self.op.results:
            size, dtype = instance.shape(result), TORCH_TYPES[instance.dtype(result)]
            outs.append(inputs[0].new_empty_strided(size, result_strides(size, laid_out), dtype=dtype))
        return outs[0] if len(outs) == 1 else tuple(outs)

    def fake_into(self, *inputs: Tensor, **options: object) -> None:
        """Nothing: the results are there already."""

    def function(self) -> Callable[..., object]:
        """`uol.ops.<name>`: the PyTorch operator with numbers taken as tensors, and `out=`."""
        packet = getattr(torch.ops.uol, self.op.name)
        plain, into = packet.default, packet.out

        def call(*inputs: Tensor | int | float, out: Tensor | Sequence[Tensor] | None = None, **options: object) -> object:
            tensors = self._tensors(inputs)
            self._require_known(options)
            outs = given_outs(self.op, out)
            require_one_device(self.op.name, dict(zip((*self.names, *self._out_names()), (*tensors, *outs), strict=False)))
            if outs:
                require_no_gradient(self.op.name, (*tensors, *outs))
                into(*tensors, **options, **dict(zip(self._out_names(), outs, strict=True)))
                return out
            if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
                with torch.no_grad():
                    result = plain(*tensors, **options)
                return _without_gradient(self.op.name, result, tensors)
            return plain(*tensors, **options)

        call.__name__ = call.__qualname__ = self.op.name
        call.__doc__ = f"The operator {self.op.name} on PyTorch tensors; its text: `uol show {self.op.name}`."
        return call

    def _prepared(self, inputs: Sequence[Tensor], options: Options, outs: tuple[Sizes, ...] | None) -> Prepared:
        key = (*[(x.dtype, x.shape, x.stride()) for x in inputs], *options.items(), outs)
        prepared = self.prepared.get(key)
        if prepared is None:
            prepared = self.prepared[key] = self._prepare(inputs, options, outs)
        return prepared

    def _prepare(self, inputs: Sequence[Tensor], options: Options, outs: tuple[Sizes, ...] | None) -> Prepared:
        instance = self._instance(inputs, options)
        self.watch.note(instance.flat_dims)
        full = [_full_size(instance, name, x) for name, x in zip(self.names, inputs, strict=True)]
        wide = [x if size is None else x.expand(size) for x, size in zip(inputs, full, strict=True)]
        strides = {n: canonical(x.shape, x.stride()) for n, x in zip(self.names, wide, strict=True)}
        laid_out = [(tuple(x.shape), strides[n]) for n, x in zip(self.names, wide, strict=True)]
        results = []
        for number, result in enumerate(self.op.results):
            size = instance.shape(result)
            strides[result.name] = result_strides(size, laid_out) if outs is None else canonical(size, outs[number])
            results.append((size, strides[result.name], TORCH_TYPES[instance.dtype(result)]))
        shapes = {n: tuple(x.shape) for n, x in zip(self.names, wide, strict=True)}
        shapes |= {r.name: size for r, (size, _, _) in zip(self.op.results, results, strict=True)}
        layouts = {n: s for n, s in strides.items() if s != row_major(shapes[n])}
        request = Request(instance, resolve_target(TARGETS["cpu"]), layouts)
        compiled = Compiled(request, module_of(request))
        expand = tuple(full) if any(size is not None for size in full) else None
        return Prepared(compiled.loaded, expand, tuple(results), compiled.scalars({}))

    def _instance(self, inputs: Sequence[Tensor], options: Options) -> Instance:
        shapes = {name: tuple(x.shape) for name, x in zip(self.names, inputs, strict=True)}
        dtypes = {name: _type_name(self.op, name, x) for name, x in zip(self.names, inputs, strict=True)}
        chosen = {v: NAMES[cast(torch.dtype, options[k])] for k, v in self.options.items() if options.get(k) is not None}
        attributes = {k: cast(float, v) for k, v in options.items() if v is not None and k not in self.options}
        return bind_tensors(self.op, shapes, dtypes, attributes, chosen)

    def _tensors(self, inputs: Sequence[Tensor | int | float]) -> list[Tensor]:
        """Numbers become tensors of no dims, of the type of the first tensor."""
        if len(inputs) != len(self.names):
            raise ShapeError(f"{self.op.name} takes {len(self.names)} tensors, not {len(inputs)}", hint=", ".join(self.names))
        like = next((x for x in inputs if isinstance(x, Tensor)), None)
        if like is None:
            raise TypeCheckError(f"{self.op.name} takes PyTorch tensors", hint="for numpy arrays there is uol.compile")
        return [x if isinstance(x, Tensor) else torch.tensor(x, dtype=like.dtype, device=like.device) for x in inputs]

    def _require_known(self, options: Mapping[str, object]) -> None:
        known = [*self.options, *(a.name for a in self.op.attributes)]
        for name in options:
            if name not in known:
                hint = nearest(name, known) or f"its attributes are {', '.join(known) or 'none'}"
                raise ShapeError(f"{self.op.name} has no attribute {name!r}", hint=hint)
        for name in self.required:
            if options.get(name) is None:
                raise ShapeError(f"{self.op.name} needs {name!r}", hint=f"write uol.ops.{self.op.name}(..., {name}=...)")

    def _out_names(self) -> list[str]:
        return [f"out{i or ''}" for i in range(len(self.op.results))]


class _NoGradient(torch.autograd.Function):
    """Stands where the gradient would be, and says that there is none."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, name: str, result: Tensor, *inputs: Tensor) -> Tensor:
        ctx.name = name  # type: ignore[attr-defined]
        return result.view_as(result)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> None:
        raise UolError(f"{ctx.name} has no gradient", hint="call it within torch.no_grad()")  # type: ignore[attr-defined]


def _without_gradient(name: str, result: Result, inputs: Sequence[Tensor]) -> Result:
    if isinstance(result, Tensor):
        return _without_gradient_one(name, result, inputs) if result.is_floating_point() else result
    return tuple(_without_gradient_one(name, r, inputs) if r.is_floating_point() else r for r in result)


def _without_gradient_one(name: str, result: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    return cast(Tensor, _NoGradient.apply(name, result, *inputs))  # type: ignore[no-untyped-call]


def _type_name(op: Op, name: str, x: Tensor) -> str:
    if x.dtype not in NAMES:
        raise TypeCheckError(f"{op.name}: {name} is {x.dtype}, which is no type of the language", hint=", ".join(TORCH_TYPES))
    return NAMES[x.dtype]


def _full_size(instance: Instance, name: str, x: Tensor) -> Sizes | None:
    """The size to which an input broadcasts; None where it has it already."""
    param = next(p for p in instance.op.params if p.name == name)
    if not any(isinstance(d, Pack) for d in param.dims):
        return None
    size = instance.shape(param)
    return None if size == tuple(x.shape) else size
