"""A row that is one operator, as `uol.ops` has it, beside PyTorch's call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from uol.binding.named_binding import bind_names
from uol.compilation.pipeline import program_of
from uol.compilation.request import Request, resolve_target
from uol.conformance.bench.rows import Contenders, Pass, smaller
from uol.conformance.bench.work import Work, with_backward, work_of
from uol.conformance.cases.memory_order import filter_last, filters
from uol.conformance.cases.verdict import Case
from uol.conformance.gradients.cases import fitting
from uol.operators.gradients import gradient_op
from uol.operators.registry import find_operator
from uol.ops.inputs import make_inputs
from uol.ops.references import reference_function
from uol.ops.workloads import Extent, Workload

if TYPE_CHECKING:
    import torch

SEED = 0


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """An operator at a workload.

    wrt      the inputs that a gradient is taken for; without any, forward alone is measured
    below    what the values of an input that holds indices are less than: a dim or an attribute, by name
    frozen   activations lie channels-last on both sides, and filters as each side likes them best, made so beforehand, as
             in a network for inference
    """

    workload: Workload
    dtype: str = "f32"
    wrt: tuple[str, ...] = ()
    below: Mapping[str, str] = field(default_factory=dict)
    frozen: bool = False

    @property
    def name(self) -> str:
        sizes = [f"{name}={_size(extent)}" for name, extent in self.workload.dims.items() if extent != ()]
        attrs = [f"{name}={value}" for name, value in self.workload.attrs.items()]
        kept = [self.dtype] * (self.dtype != "f32") + ["channels-last"] * self.frozen
        return " ".join([self.workload.op, *sizes, *attrs, *kept])

    @property
    def passes(self) -> tuple[Pass, ...]:
        return ("forward", "forward + backward") if self.wrt else ("forward",)

    def work(self, passed: Pass) -> Work:
        op, workload = find_operator(self.workload.op), self.workload
        forward = work_of(program_of(Request(bind_names(op, self.dtype, workload.dims, workload.attrs), resolve_target("cpu"))))
        if passed == "forward":
            return forward
        gradient = gradient_op(op, self.wrt).op
        back = fitting(gradient, Case(f"{op.name}_grad", "cpu", self.dtype, workload))
        return with_backward(forward, work_of(program_of(Request(back, resolve_target("cpu")))), len(self.wrt))

    def quick(self) -> OperatorRow:
        dims: dict[str, Extent] = {}
        for name, extent in self.workload.dims.items():
            dims[name] = smaller(extent) if isinstance(extent, int) else tuple(map(smaller, extent))
        attrs = {name: smaller(value) if isinstance(value, int) else value for name, value in self.workload.attrs.items()}
        return replace(self, workload=replace(self.workload, dims=dims, attrs=attrs))

    def contenders(self, passed: Pass) -> Contenders:
        from uol.pytorch.bridge import forget_sizes, operator

        forget_sizes()  # so that this row has kernels for its own sizes, whatever was measured before
        op, attrs = self.workload.op, self.workload.attrs
        ours, theirs = self._tensors(), self._tensors()
        if self.frozen:
            ours, theirs = _frozen(op, ours, theirs)
        function = partial(_eager_call(op), **attrs)
        call: Callable[..., Sequence[torch.Tensor]] = _forward
        if passed != "forward":
            call = partial(_both, wrt=self.wrt, cotangents=_cotangents(_forward(function, theirs)))
        uol = partial(call, partial(operator(op), **attrs), ours)
        return Contenders(uol, partial(call, function, theirs), lambda: partial(call, _compiled(function), theirs))

    def _tensors(self) -> dict[str, torch.Tensor]:
        import torch

        from uol.pytorch.schema import TORCH_TYPES

        instance = bind_names(find_operator(self.workload.op), self.dtype, self.workload.dims, self.workload.attrs)
        sizes = {**instance.flat_dims, **self.workload.attrs}
        program = program_of(Request(instance, resolve_target("cpu")))
        found: dict[str, torch.Tensor] = {}
        for name, values in make_inputs(program, "random", SEED).items():
            tensor = torch.from_numpy(values).to(TORCH_TYPES[program.tensors[name].dtype])
            if name in self.below:
                tensor = tensor % sizes[self.below[name]]
            found[name] = tensor.sort().values if name in program.sorted else tensor
        return found


def _eager_call(op: str) -> Callable[..., Any]:
    """PyTorch's call for an operator: takes its inputs in order and its attributes by name."""
    from uol.conformance.bench.eager import EAGER

    return EAGER.get(op) or reference_function(op)


def _size(extent: Extent) -> str:
    return str(extent) if isinstance(extent, int) else "x".join(map(str, extent))


def _frozen(op: str, *sides: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """uol's tensors and PyTorch's, as each side has them in a network for inference."""
    import torch

    ours, theirs = ({name: _channels_last(tensor) for name, tensor in side.items()} for side in sides)
    for name in filters(find_operator(op)):
        strides = filter_last(tuple(ours[name].shape))
        ours[name] = torch.empty_strided(ours[name].shape, strides).copy_(ours[name])
    return ours, theirs


def _channels_last(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


def _results(given: object) -> Sequence[torch.Tensor]:
    return tuple(given) if isinstance(given, tuple | list) else (cast("torch.Tensor", given),)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    import torch

    return torch.compile(function)


def _forward(function: Callable[..., Any], given: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    return _results(function(*given.values()))


def _cotangents(results: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """One for each result, the same on both sides. Not all alike: a softmax has no gradient for that."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    return [torch.randn(y.shape, generator=generator).to(y.dtype) for y in results if y.is_floating_point()]


def _both(
    function: Callable[..., Any], given: Mapping[str, torch.Tensor], wrt: Sequence[str], cotangents: Sequence[torch.Tensor]
) -> Sequence[torch.Tensor]:
    """The gradients, with the forward pass that they need."""
    import torch

    leaves = {name: given[name].detach().requires_grad_() for name in wrt}
    with torch.enable_grad():
        results = _results(function(*({**given, **leaves}.values())))
        outs = [y for y in results if y.is_floating_point()][: len(cotangents)]
    return torch.autograd.grad(outs, list(leaves.values()), cotangents)
