"""One operator on PyTorch tensors: kernels by shape, results in the right layout, `out=`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, cast

import torch
from torch import is_grad_enabled, is_inference_mode_enabled
from torch._C import _get_deterministic_algorithms as is_deterministic
from torch.autograd.graph import increment_version

from uol.binding.instance import Instance
from uol.binding.layouts import Sizes, canonical, is_dense, result_strides, row_major
from uol.binding.tensor_binding import bind_tensors
from uol.checking import Checks
from uol.codegen.specs.in_place import writes_in_place
from uol.compilation.pipeline import module_of
from uol.compilation.recompile import KernelsOfAnySize, RecompileWatch, takes_any_size
from uol.compilation.request import Request, Target
from uol.compiler import Compiled
from uol.ir.forking import unforked
from uol.ir.syntax.surface import Op, Pack
from uol.pytorch.arguments import exactly, in_order, options_of, remember, require_strided, tensors_of, type_name
from uol.pytorch.devices import launch_of, require_one_device, target_of
from uol.pytorch.dim_argument import along, row_form
from uol.pytorch.fallback import MODE, NO_KERNEL, advised, by_pytorch, or_pytorch
from uol.pytorch.fast_path import is_eager
from uol.pytorch.gradient import Define, Gradient, record_eagerly, record_in_place, require_backward
from uol.pytorch.large_pages import is_large
from uol.pytorch.launch_plan import Forms, Prepared, Result, forms_of
from uol.pytorch.out import given_outs, require_apart, require_fit, require_no_gradient, writable_in_place
from uol.pytorch.precision import is_tf32_allowed
from uol.pytorch.schema import TORCH_TYPES, type_options

Tensor = torch.Tensor
Options = Mapping[str, int | float | torch.dtype | None]
Out = Tensor | Sequence[Tensor] | None


class TorchOperator:
    """What PyTorch's dispatcher calls. Kernels are kept by the exact shapes, strides and types of the inputs."""

    def __init__(self, op: Op, define_gradient: Define) -> None:
        self.op = op
        self.gradient = Gradient(op, self.find, define_gradient)
        self.names = tuple(p.name for p in op.params)
        self.options = type_options(op)
        self.prepared: dict[object, Prepared] = {}
        self.known: dict[object, dict[str, object]] = {}  # the options of calls that were found right, as PyTorch takes them
        self.fixed: dict[object, Compiled] = {}  # kernels of fixed sizes; attributes that are their arguments take no part
        self.watch = RecompileWatch(op.name)
        self.any_size = KernelsOfAnySize()

    def compute(self, /, *inputs: Tensor, **options: int | float | torch.dtype | None) -> Result:
        """New tensors with the results."""
        require_one_device(self.op.name, dict(zip(self.names, inputs, strict=True)))
        return self.find(inputs, options).new(inputs)

    def compute_into(self, /, *inputs: Tensor, **options: object) -> None:
        """The results in given tensors. What a kernel cannot write in place (overlap, gaps) is copied there."""
        outs = [cast(Tensor, options.pop(name)) for name in self._out_names()]
        require_one_device(self.op.name, dict(zip((*self.names, *self._out_names()), (*inputs, *outs), strict=True)))
        plain = cast(Options, options)
        expected = self.find(inputs, plain).forms.results
        for out, (size, dtype) in zip(outs, expected, strict=True):
            require_fit(self.op.name, out, size, dtype)
        require_apart(self.op.name, outs)
        direct = [writable_in_place(out, (*inputs, *outs[:n], *outs[n + 1 :])) for n, out in enumerate(outs)]
        targets = [o if d else torch.empty(o.shape, dtype=o.dtype, device=o.device) for o, d in zip(outs, direct, strict=True)]
        self.find(inputs, plain, tuple(t.stride() for t in targets)).run(inputs, targets)
        for out, target, is_direct in zip(outs, targets, direct, strict=True):
            if is_direct:
                increment_version(out)  # so that autograd knows where it was saved
            else:
                out.copy_(target)

    def fake(self, /, *inputs: Tensor, **options: int | float | torch.dtype | None) -> Result:
        """Empty results of the right shape, type and layout, without a kernel."""
        instance = self.instance(inputs, options)
        laid_out = {n: (tuple(x.shape), tuple(x.stride())) for n, x in zip(self.names, inputs, strict=True)}
        outs = []
        for result in self.op.results:
            size, dtype = instance.shape(result), TORCH_TYPES[instance.dtype(result)]
            outs.append(inputs[0].new_empty_strided(size, result_strides(result.name, size, laid_out), dtype=dtype))
        return outs[0] if len(outs) == 1 else tuple(outs)

    def fake_into(self, /, *inputs: Tensor, **options: object) -> None:
        """Nothing: the results are there already."""

    def call_eagerly(self, inputs: Sequence[Any], options: dict[str, Any]) -> object:
        """The operator on plain tensors (`is_eager`), past PyTorch's dispatcher."""
        known = self.known.get(()) if not options else None
        chosen: Any = self._options(options) if known is None else known
        if is_grad_enabled():
            for x in inputs:
                if x.requires_grad:
                    return record_eagerly(self.gradient, inputs, chosen)
        return self.find(inputs, chosen).new(inputs)

    def overwrite(self, x: Tensor, options: dict[str, Any]) -> Tensor | None:
        """x, with the result where its values were, in one pass; autograd sees a write to x, as of `torch.relu_`. None, and x
        as it was, where PyTorch's dispatcher has something to add or to refuse, and where a gradient reads x or a kernel
        cannot write there."""
        if MODE.depth or not is_eager((x,)) or not is_dense(x.shape, x.stride()) or not self._may_be_written(x):
            return None
        chosen: Any = self._options(options)
        prepared = self.find((x,), chosen, (x.stride(),))
        if not prepared.in_place:
            return None
        if is_grad_enabled() and x.requires_grad:
            return record_in_place(self.gradient, prepared, x, chosen)
        prepared.run((x,), (x,))
        increment_version(x)
        return x

    def _may_be_written(self, x: Tensor) -> bool:
        """Is this neither a leaf that needs a gradient, a view, which autograd may refuse to have written, nor a tensor of
        inference mode outside of it; and can its gradient do without it?"""
        if not is_grad_enabled():
            return is_inference_mode_enabled() or not x.is_inference()
        if x._is_view() or x.is_inference():
            return False
        return not x.requires_grad or (not x.is_leaf and self.gradient.reads_result_alone)

    def function(self) -> Callable[..., object]:
        """`uol.ops.<name>`: the PyTorch operator with numbers taken as tensors, `dim=` for operators of rows, and `out=`."""
        arity, rows = len(self.names), row_form(self.op)

        def call(*inputs: Tensor | int | float, out: Out = None, **options: object) -> object:
            if options and rows is not None and ("dim" in options or "keepdim" in options):
                return along(rows, call, inputs, options if out is None else {**options, "out": out})
            if MODE.depth:
                return MODE.untraced(self._or_pytorch, inputs, out, options)
            if out is None and len(inputs) == arity and is_eager(inputs):
                return self.call_eagerly(inputs, options)
            return self.call_in_full(inputs, out, options)

        call.__name__ = call.__qualname__ = self.op.name
        call.__module__ = "uol.ops.text"  # where pickle finds it
        call.__doc__ = f"The operator {self.op.name} on PyTorch tensors; its text: `uol show {self.op.name}`."
        return call

    def call_in_full(self, inputs: Sequence[Any], out: Out, options: dict[str, Any]) -> object:
        """The operator on whatever it may be given, through PyTorch's dispatcher."""
        tensors, outs, chosen = self._arguments(inputs, out, options)
        if not outs:
            require_backward(self.op.name, tensors)
            return self.gradient.call(tensors, chosen)
        require_no_gradient(self.op.name, (*tensors, *outs))
        plain = [torch.empty_like(o) if _is_negated(o) else o for o in outs]
        getattr(torch.ops.uol, self.op.name).out(*tensors, **chosen, **dict(zip(self._out_names(), plain, strict=True)))
        for given_out, made in zip(outs, plain, strict=True):
            if made is not given_out:
                given_out.copy_(made)
        return out

    def by_pytorch(self, inputs: Sequence[Any], out: Out, options: dict[str, Any]) -> object:
        """PyTorch's counterpart of the operator, with PyTorch's gradient, in the operator's types."""
        tensors, outs, chosen = self._arguments(inputs, out, options)
        device_type = tensors[0].device.type
        if torch.is_autocast_enabled(device_type):
            tensors = self.gradient.autocast(tensors)
        instance = self.instance(tensors, chosen)
        results = [(instance.shape(r), TORCH_TYPES[instance.dtype(r)]) for r in self.op.results]
        attributes = {name: value for name, value in chosen.items() if name not in self.options}
        with torch.autocast(device_type, enabled=False):
            found = by_pytorch(self.op, tensors, attributes, results)
        if not outs:
            return found
        require_no_gradient(self.op.name, (*tensors, *outs))
        for given_out, made, form in zip(outs, (found,) if isinstance(found, Tensor) else found, results, strict=True):
            require_fit(self.op.name, given_out, *form)
            given_out.copy_(made)
        return out

    def _or_pytorch(self, inputs: Sequence[Any], out: Out, options: dict[str, Any]) -> object:
        """The operator, by PyTorch where no kernel of it can be had."""
        is_plain = out is None and len(inputs) == len(self.names) and is_eager(inputs)
        kernel = partial(self.call_eagerly, inputs) if is_plain else partial(self.call_in_full, inputs, out)
        return or_pytorch(self.op, partial(kernel, dict(options)), partial(self.by_pytorch, inputs, out, options))

    def _arguments(
        self, inputs: Sequence[Any], out: Out, options: dict[str, Any]
    ) -> tuple[Sequence[Tensor], tuple[Tensor, ...], dict[str, Any]]:
        """Inputs, what `out` gives, attributes and types. Raises ShapeError or TypeCheckError for what is none of them."""
        tensors = tensors_of(self.op, in_order(self.op, inputs, options))
        chosen: dict[str, Any] = options_of(self.op, options)
        outs = given_outs(self.op, out)
        require_one_device(self.op.name, dict(zip((*self.names, *self._out_names()), (*tensors, *outs), strict=False)))
        return tensors, outs, chosen

    def find(self, inputs: Sequence[Tensor], options: Options, outs: tuple[Sizes, ...] | None = None) -> Prepared:
        """The kernel for these inputs, and for results that lie so."""
        first, chosen = inputs[0], exactly(options) if options else ()
        place = first.is_cpu or (first.device, is_deterministic(), is_tf32_allowed(first.device.type))
        try:
            if len(inputs) == 1:  # in as few steps as can be
                key: object = (place, first.dtype, first.shape, first.stride(), chosen, outs)
            elif len(inputs) == 2:
                x, z = inputs
                key = (place, x.dtype, x.shape, x.stride(), z.dtype, z.shape, z.stride(), chosen, outs)
            else:
                key = (place, *[(x.dtype, x.shape, x.stride()) for x in inputs], chosen, outs)
        except RuntimeError:  # PyTorch's, for a layout without strides
            self._require_strided(inputs)
            raise
        prepared = self.prepared.get(key)
        if prepared is None:
            try:
                with unforked():
                    prepared = self._prepare(inputs, options, outs)
            except NO_KERNEL as error:
                raise advised(self.op, error) from error.__cause__
            remember(self.prepared, key, prepared)
        return prepared

    def forget_sizes(self) -> None:
        """The next call gets a kernel that is made for its sizes, as the first one does."""
        self.prepared.clear()
        self.fixed.clear()
        self.watch = RecompileWatch(self.op.name)
        self.any_size = KernelsOfAnySize()

    def _options(self, options: Mapping[str, object]) -> dict[str, object]:
        """`options_of`, once for equal ones."""
        try:
            key = (exactly(options), *map(type, options.values())) if options else ()
            known = self.known.get(key)
        except (TypeError, ValueError, RuntimeError):  # it has no hash or no truth, and is no number
            return options_of(self.op, options)
        if known is None:
            known = options_of(self.op, options)
            remember(self.known, key, known)
        return known

    def request(
        self, inputs: Sequence[Tensor], options: Options, target: Target, outs: tuple[Sizes, ...] | None = None
    ) -> Request:
        """What has to be compiled for these inputs, and for results that lie so. An input that broadcasts has its full size."""
        return self._request(self.instance(inputs, options), inputs, target, outs)

    def _request(self, instance: Instance, inputs: Sequence[Tensor], target: Target, outs: tuple[Sizes, ...] | None) -> Request:
        full = [_full_size(instance, name, x) for name, x in zip(self.names, inputs, strict=True)]
        wide = [x if size is None else x.expand(size) for x, size in zip(inputs, full, strict=True)]
        shapes = {n: tuple(x.shape) for n, x in zip(self.names, wide, strict=True)}
        strides = {n: canonical(x.shape, x.stride()) for n, x in zip(self.names, wide, strict=True)}
        laid_out = {n: (shapes[n], strides[n]) for n in self.names}
        for number, result in enumerate(self.op.results):
            size = shapes[result.name] = instance.shape(result)
            chosen = result_strides(result.name, size, laid_out) if outs is None else canonical(size, outs[number])
            strides[result.name] = chosen
        layouts = {n: s for n, s in strides.items() if s != row_major(shapes[n])}
        tf32 = any(map(is_tf32_allowed, target.backend.torch_devices()))
        return Request(instance, target, layouts, deterministic=is_deterministic(), tf32=tf32)

    def _prepare(self, inputs: Sequence[Tensor], options: Options, outs: tuple[Sizes, ...] | None) -> Prepared:
        self._require_strided(inputs)
        instance = self.instance(inputs, options)  # what is wrong with a call is said before what is missing for it
        request = self._request(instance, inputs, target_of(self.op.name, inputs[0].device), outs)
        full = [_full_size(instance, name, x) for name, x in zip(self.names, inputs, strict=True)]
        results = [(instance.shape(r), TORCH_TYPES[instance.dtype(r)]) for r in self.op.results]
        compiled = self._compiled(request, _layer_dims(instance, inputs))
        launch = launch_of(compiled, inputs[0].device)
        sizes = tuple(instance.flat_dims[d] for d in compiled.module.graph.dims)
        expand = tuple(full) if any(size is not None for size in full) else None
        scalars = tuple(instance.attrs[s.name] for s in compiled.module.graph.scalars)  # the kernel may be another call's
        forms = forms_of([(tuple(x.shape), x.dtype) for x in inputs], results)
        sizes_of = {r.name: size for r, (size, _) in zip(self.op.results, results, strict=True)}
        laid = tuple(request.layouts.get(name, row_major(size)) for name, size in sizes_of.items())
        first = inputs[0]  # itself, not what it is broadcast to
        alike = forms.results == forms.inputs[:1] and laid == (row_major(first.shape),) and first.is_contiguous()
        over_it = outs is not None and canonical(first.shape, first.stride()) == laid[0]
        is_over = over_it and self._is_over_its_input(compiled, forms)
        large = tuple(n for n, (size, dtype) in enumerate(results) if first.is_cpu and is_large(prod(size), dtype))
        checks = Checks(compiled.request, compiled.module.graph)
        only = (forms.results[0], laid[0]) if len(laid) == 1 else None
        return Prepared(launch, checks, forms, expand, laid, only, alike, (*scalars, *sizes), is_over, large, request)

    def _is_over_its_input(self, compiled: Compiled, forms: Forms) -> bool:
        """Is there one input and one result, of the same form, and may the kernel write the one over the other?"""
        if len(forms.inputs) != 1 or forms.results != forms.inputs:
            return False
        return writes_in_place(compiled.module.graph, self.names[0], self.op.results[0].name)

    def _compiled(self, request: Request, layer: frozenset[str]) -> Compiled:
        """The kernel for these sizes, or one for any: see `uol.compilation.recompile`. `layer`: the dims that stay numbers."""
        instance = request.instance
        whole = request.compile_time_attributes
        own = sorted((name, size) for name, size in instance.flat_dims.items() if name in layer)
        how = (request.target.name, request.deterministic, request.tf32, tuple(request.layouts))
        all_else = (*how, *sorted(instance.types.items()), *sorted(whole.items()), *own)
        fixed = (all_else, tuple(request.layouts.values()), tuple(instance.flat_dims.items()))
        if fixed in self.fixed:
            return self.fixed[fixed]
        if takes_any_size(request) and not self.watch.has(instance.flat_dims, all_else):
            found = self.any_size.fitting(request, layer)
            if found is None and (varying := self.watch.varying(instance.flat_dims, all_else)):
                found = self.any_size.find(request, varying)
            if found is not None:
                return found
        self.watch.note(instance.flat_dims, all_else)
        compiled = Compiled(request, module_of(request))
        remember(self.fixed, fixed, compiled)
        return compiled

    def instance(self, inputs: Sequence[Tensor], options: Options) -> Instance:
        """The operator at these inputs. Raises TypeCheckError or ShapeError where they do not fit it."""
        shapes = {name: tuple(x.shape) for name, x in zip(self.names, inputs, strict=True)}
        dtypes = {name: type_name(self.op, name, x.dtype) for name, x in zip(self.names, inputs, strict=True)}
        named = {k: cast(torch.dtype, options[k]) for k in self.options if options.get(k) is not None}
        chosen = {self.options[k]: type_name(self.op, k, dtype) for k, dtype in named.items()}
        attributes = {k: cast(float, v) for k, v in options.items() if v is not None and k not in self.options}
        return bind_tensors(self.op, shapes, dtypes, attributes, chosen)

    def _require_strided(self, inputs: Sequence[Tensor]) -> None:
        for name, x in zip(self.names, inputs, strict=True):
            require_strided(self.op.name, name, x)

    def _out_names(self) -> list[str]:
        return [f"out{i or ''}" for i in range(len(self.op.results))]


def _layer_dims(instance: Instance, inputs: Sequence[Tensor]) -> frozenset[str]:
    """The dims that a module's parameters have: other sizes of them are another layer's, and each layer is called again and
    again."""
    params = zip(instance.op.params, inputs, strict=True)
    return frozenset().union(*(instance.names(param) for param, x in params if isinstance(x, torch.nn.Parameter)))


def _full_size(instance: Instance, name: str, x: Tensor) -> Sizes | None:
    """The size to which an input broadcasts; None where it has it already."""
    param = next(p for p in instance.op.params if p.name == name)
    if not any(isinstance(d, Pack) for d in param.dims):
        return None
    size = instance.shape(param)
    return None if size == tuple(x.shape) else size


def _is_negated(x: Tensor) -> bool:
    """Is this a view that PyTorch negates as it is read? (A trace sees none, and may not ask.)"""
    return not torch.compiler.is_compiling() and x.is_neg()
