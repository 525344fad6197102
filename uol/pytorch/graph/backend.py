"""`torch.compile(model, backend="uol")`: graphs that dynamo has captured, forward and backward, as kernels of `uol`.

PyTorch finds `backend` by the entry point `uol` of `torch_dynamo_backends`, so that neither `import uol` nor `import torch` has
to load anything for it. A graph with open sizes becomes one of fixed sizes for each that it is called with (`ByShape`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch.fx.experimental.proxy_tensor import make_fx

from uol.ir.errors import TypeCheckError
from uol.pytorch.graph.attentions import put_pairs_in
from uol.pytorch.graph.decompositions import decompositions
from uol.pytorch.graph.matching import match
from uol.pytorch.graph.program import Program
from uol.pytorch.graph.rest import RESTS

SHAPES = 32
"""Sizes of an open graph for which a program is made; what comes after them runs as PyTorch runs the graph."""


class ByShape:
    """A graph with open sizes."""

    def __init__(self, module: fx.GraphModule, role: str, rest: str) -> None:
        self.module, self.role, self.rest = module, role, rest
        self.programs: dict[object, Program] = {}

    def __call__(self, *inputs: Any) -> Any:
        key = tuple([(x.shape, x.stride()) if isinstance(x, torch.Tensor) else x for x in inputs])
        program = self.programs.get(key)
        if program is None:
            if len(self.programs) >= SHAPES:
                return self.module(*inputs)
            fixed = make_fx(self.module, tracing_mode="fake")(*inputs)
            program = self.programs[key] = Program(fixed, self.role, self.rest)
        return program(*inputs)


def _is_open(module: fx.GraphModule) -> bool:
    """Has the graph sizes that are no numbers?"""
    for n in module.graph.nodes:
        for value in _leaves(n.meta.get("val")):
            if isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool):
                return True
            if isinstance(value, torch.Tensor) and any(isinstance(d, torch.SymInt) for d in (*value.shape, *value.stride())):
                return True
    return False


def _leaves(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _compiler(role: str, rest: str) -> Callable[[fx.GraphModule, list[Any]], Any]:
    def compile_graph(module: fx.GraphModule, example: list[Any]) -> Any:
        return make_boxed_func(ByShape(module, role, rest) if _is_open(module) else Program(module, role, rest))

    return compile_graph


def _divided(joint: fx.GraphModule, inputs: Sequence[Any], **options: Any) -> tuple[fx.GraphModule, fx.GraphModule]:
    """A graph that has forward and gradient, as a graph of each."""
    if not _is_open(joint):
        put_pairs_in(joint.graph)
    forward, backward = min_cut_rematerialization_partition(joint, inputs, **options)
    return forward, backward


def backend(module: fx.GraphModule, example: list[Any], *, options: Mapping[str, Any] | None = None) -> Any:
    """What dynamo calls with a captured graph. `options`: those of `torch.compile`; "rest" is who runs what has no operator."""
    rest = _rest(options or {})
    match(module)
    compiled = aot_autograd(
        fw_compiler=_compiler("forward", rest),
        bw_compiler=_compiler("backward", rest),
        inference_compiler=_compiler("inference", rest),
        decompositions=decompositions(),
        partition_fn=_divided,
    )
    return compiled(module, example)


def _rest(options: Mapping[str, Any]) -> str:
    """Raises TypeCheckError for an option that there is not."""
    if unknown := sorted(set(options) - {"rest"}):
        raise TypeCheckError(f"no option {unknown[0]!r} of the backend uol", hint='there is {"rest": "inductor"}')
    rest = options.get("rest", RESTS[0])
    if rest not in RESTS:
        raise TypeCheckError(f"rest={rest!r} of the backend uol", hint=f"it is one of {', '.join(map(repr, RESTS))}")
    return str(rest)
