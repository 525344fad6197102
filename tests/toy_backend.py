"""A fifth target, for tests: kernels are numpy text. It shows that adding a target takes a folder and nothing else.

It accepts what is one Map or one Reduce, and has no contractions of its own: it runs those as reductions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from uol.codegen.backend import (
    Artifact,
    Capability,
    Device,
    Footprint,
    GroupSummary,
    Kernel,
    Launch,
    Module,
    Param,
    Refusal,
    Schedule,
    SourceFile,
    ToolState,
)
from uol.codegen.indexing.arithmetic import NO_DIMS
from uol.codegen.loaded import Loaded
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Contract, Fold, Guard, KernelSpec, Let, Read, Reduce, Step, Store, Within
from uol.codegen.specs.rewrites import as_reduce
from uol.codegen.work import Issued, compulsory
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var

NUMPY = {"f64": "float64", "f32": "float32", "f16": "float16", "i64": "int64", "i32": "int32", "bool": "bool_", "idx": "int64"}
INFIX = {"+", "-", "*", "<", "<=", ">", ">=", "==", "!="}
FUNCTIONS = {"max": "np.maximum", "min": "np.minimum", "and": "np.logical_and", "or": "np.logical_or", "not": "np.logical_not"}
FOLDS = {"sum": ("np.sum", 0), "prod": ("np.prod", 1), "max": ("np.max", -math.inf), "min": ("np.min", math.inf)}
MAX_ELEMENTS = 1 << 24
PRELUDE = """import numpy as np


def store(tensor, offset, value):
    offset, value = np.broadcast_arrays(offset, value)
    tensor[offset] = value


"""


@dataclass(frozen=True, slots=True)
class Whole:
    """The only schedule: all elements at once."""

    def describe(self) -> str:
        return "all elements at once"


@dataclass(frozen=True, slots=True)
class ToyBackend:
    name: str = "toy"
    capability: Capability = Capability(
        lanes=1,
        scratch_bytes={},
        max_grid=(1, 1, 1),
        max_threads=1,
        dtypes=frozenset({"f64", "f32", "f16", "i64", "i32", "bool"}),
    )
    devices: Mapping[str, Device] = field(default_factory=lambda: {"host": Device("host", "python", 1, 1 << 30)})
    default_device: str = "host"
    schedule_kinds: tuple[type, ...] = (Whole,)

    def accepts(self, group: GroupSummary) -> bool:
        return group.kind is not Contract

    def legalise(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        return (as_reduce(spec) if isinstance(spec, Contract) else spec,)

    def schedules(self, spec: KernelSpec, device: Device) -> Iterable[Schedule]:
        return (Whole(),)

    def check(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Footprint | Refusal:
        if unknown := {a.dtype for a in spec.args} - self.capability.dtypes:
            return Refusal(f"no {min(unknown)} on this machine")
        elements = math.prod(extent(a) for a in spec.axes)
        if elements > MAX_ELEMENTS:
            return Refusal(f"{elements} elements at once", f"at most {MAX_ELEMENTS}")
        return Footprint()

    def issued(self, spec: KernelSpec, schedule: Schedule, device: Device, dims: Mapping[str, int] = NO_DIMS) -> Issued:
        return compulsory(spec, dims)

    def render(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Kernel:
        writes = {s.tensor for s in spec.steps if isinstance(s, Store)}  # type: ignore[attr-defined]
        params = tuple(Param(a.name, "buffer", a.dtype, a.name in writes) for a in spec.args)
        params += tuple(Param(s.name, "scalar", s.dtype) for s in spec.scalars)
        head = [f"# {line}" for line in spec.source.splitlines()]
        body = [f"    {line}" for line in (*axis_lines(spec.axes), *(line for s in spec.steps for line in step_lines(spec, s)))]  # type: ignore[attr-defined]
        text = "\n".join([*head, f"def {spec.name}({', '.join(p.name for p in params)}):", *body, ""])
        return Kernel(spec.name, text, params, Launch((1, 1, 1), (1, 1, 1)), Footprint(), schedule, spec)

    def assemble(self, graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
        text = PRELUDE + "\n\n".join(k.text for k in kernels)
        return Module("toy", device.name, graph, kernels, SourceFile(f"{graph.name}.py", text), (), f"python {graph.name}.py")

    def build(self, module: Module) -> Artifact:
        return Artifact(module, module.device.text.encode(), None, "")

    def load(self, artifact: Artifact, index: int = 0) -> Loaded:
        return ToyOperator(artifact.module)

    def torch_devices(self) -> frozenset[str]:
        return frozenset()

    def machine(self) -> Mapping[str, str]:
        return {}

    def build_tools(self) -> Mapping[str, str]:
        return {"numpy": np.__version__}

    def doctor(self) -> tuple[ToolState, ...]:
        return (ToolState("numpy", True, np.__version__, "nothing runs", "pip install numpy"),)


class ToyOperator:
    """Runs the kernels of a module on flat views of its arrays."""

    workspace_bytes = 0

    def __init__(self, module: Module) -> None:
        self.module = module
        self.names: dict[str, Callable[..., None]] = {"erf": np.vectorize(math.erf, otypes=[np.float64])}
        exec(module.device.text, self.names)

    def __call__(self, *values: object, stream: int = 0, workspace: object = None) -> None:
        graph = self.module.graph
        arrays = {a.name: flat(np.asarray(v)) for a, v in zip(graph.args, values, strict=False)}
        arrays |= {w.name: np.zeros(math.prod(number(d) for d in w.shape), NUMPY[w.dtype]) for w in graph.workspaces}
        scalars = dict(zip((s.name for s in graph.scalars), values[len(graph.args) :], strict=True))
        for kernel in self.module.kernels:
            self.names[kernel.name](*(arrays[p.name] if p.kind == "buffer" else scalars[p.name] for p in kernel.params))


def flat(array: np.ndarray) -> np.ndarray:
    """The elements between the first and the last, as they lie in memory."""
    span = 1 + sum((d - 1) * s // array.itemsize for d, s in zip(array.shape, array.strides, strict=True)) if array.size else 0
    return np.lib.stride_tricks.as_strided(array, (span,), (array.itemsize,))


def axis_lines(axes: tuple[Axis, ...]) -> list[str]:
    """`n = np.arange(4).reshape(-1, 1)`: an index is an array along its own dim."""
    shapes = [", ".join("-1" if i == j else "1" for j in range(len(axes))) for i in range(len(axes))]
    return [f"{a.name} = np.arange({extent(a)}).reshape({shape})" for a, shape in zip(axes, shapes, strict=True)]


def step_lines(spec: KernelSpec, step: Step) -> list[str]:
    match step:
        case Let(name=name, value=value):
            return [f"{name} = {text(value)}  # line {step.line}"]
        case Store(tensor=tensor, offset=offset, value=value):
            return [f"store({tensor}, {text(offset)}, {text(value)})  # line {step.line}"]
        case Fold():
            assert isinstance(spec, Reduce)
            return fold_lines(spec, step)


def fold_lines(spec: Reduce, fold: Fold) -> list[str]:
    """The whole iteration space, then the reduction over the cols' dims."""
    shape = tuple(extent(a) for a in spec.axes)
    dims = tuple(range(len(spec.rows), len(shape)))
    terms = f"np.broadcast_to({text(fold.value)}, {shape})"
    if fold.op in ("argmax", "argmin"):
        kept = (*shape[: len(spec.rows)], *(1 for _ in dims))
        return [f"{fold.name} = np.{fold.op}({terms}.reshape({(*shape[: len(spec.rows)], -1)}), axis=-1).reshape({kept})"]
    function, identity = FOLDS[fold.op]
    where = f"np.broadcast_to({' & '.join(f'({text(w)})' for w in fold.where)}, {shape})" if fold.where else "True"
    options = f"axis={dims}, keepdims=True, initial={literal(identity)}, where={where}"
    return [f"{fold.name} = {function}({terms}, {options})  # line {fold.line}"]


def text(expr: Expr) -> str:
    """An expression as numpy text."""
    match expr:
        case Const(value=value, dtype=dtype):
            return literal(value) if dtype == "idx" else f"np.{NUMPY[dtype]}({literal(value)})"
        case Var(name=name):
            return name
        case Call():
            return call(expr)
        case Read(tensor=tensor, offset=offset, guard=(), fill=None):
            return f"{tensor}[{text(offset)}]"
        case Read(tensor=tensor, offset=offset, guard=guards, fill=fill):
            assert fill is not None
            inside = " & ".join(condition(g) for g in guards)
            return f"np.where({inside}, {tensor}[np.where({inside}, {text(offset)}, 0)], {text(fill)})"
    raise NotImplementedError(expr)


def call(expr: Call) -> str:
    """Operators and functions as numpy text."""
    match expr:
        case Call(fn=fn, args=(left, right)) if fn in INFIX:
            return f"({text(left)} {fn} {text(right)})"
        case Call(fn="/" | "%" as fn, args=(left, right), dtype=dtype):
            exact = dtype in ("idx", "i64", "i32")
            return f"({text(left)} {fn}{fn if exact and fn == '/' else ''} {text(right)})"
        case Call(fn="neg", args=(arg,)):
            return f"(-{text(arg)})"
        case Call(fn="select", args=args):
            return f"np.where({', '.join(map(text, args))})"
        case Call(fn="cast", args=(arg,), dtype=dtype):
            return f"np.asarray({text(arg)}).astype(np.{NUMPY[dtype]})"
        case Call(fn="rsqrt", args=(arg,)):
            return f"(1 / np.sqrt({text(arg)}))"
        case Call(fn="erf", args=(arg,), dtype=dtype):
            return f"erf({text(arg)}).astype(np.{NUMPY[dtype]})"
        case Call(fn=fn, args=args):
            return f"{FUNCTIONS.get(fn, f'np.{fn}')}({', '.join(map(text, args))})"


def literal(value: float) -> str:
    return repr(value).replace("inf", "np.inf").replace("nan", "np.nan")


def condition(guard: Guard) -> str:
    if not isinstance(guard, Within):
        return f"({text(guard.condition)})"
    sides = [f"({text(guard.low)} <= {text(guard.value)})"] if guard.low is not None else []
    sides += [f"({text(guard.value)} < {text(guard.high)})"] if guard.high is not None else []
    return " & ".join(sides)


def extent(axis: Axis) -> int:
    return number(axis.extent)


def number(expr: Expr) -> int:
    assert isinstance(expr, Const)
    return int(expr.value)
