"""`uol.compile`: one operator, one target, one set of types, dims and attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from uol.binding.argument_checks import require_kind, require_names
from uol.binding.instance import Instance
from uol.binding.layouts import checked_strides
from uol.binding.memory import warn_of_demand
from uol.binding.named_binding import Size, bind_open_names, missing_sizes, typed_attribute
from uol.binding.tensor_binding import require_told
from uol.codegen.backend import Module, Schedule
from uol.codegen.choice import given
from uol.codegen.extensions import OnDemandBackend
from uol.codegen.loaded import Loaded
from uol.codegen.specs.nodes import Arg
from uol.compilation.pipeline import artifact_of, kernels_on_demand, module_of
from uol.compilation.request import Request, Strides, Target, resolve_target
from uol.compilation.symbols import symbol_of
from uol.compilation.tuning import default_policy
from uol.ir.errors import BoundsError, ResourceError, ShapeError
from uol.ir.forking import unforked
from uol.ir.syntax.surface import Op
from uol.operators.registry import find_operator

if TYPE_CHECKING:
    from uol.binding.arrays import Array
    from uol.binding.named_binding import TypeName
    from uol.compilation.explain import Explanation
    from uol.operators.registration import Operator

ScheduleOption = str | Schedule | Sequence[str | Schedule] | None


@dataclass(frozen=True)
class Compiled:
    """An operator compiled for a target. Calling it runs it; the target's compiler is needed only then."""

    request: Request
    module: Module

    def __repr__(self) -> str:
        instance = self.request.instance
        sizes = [*instance.dims.items(), *((f"*{name}", each and list(each)) for name, each in instance.packs.items())]
        known = [f"{name}={'_' if size is None else size}" for name, size in sizes]
        said = ", ".join([*(f"{name}={dtype}" for name, dtype in instance.types.items()), *known])
        return f"<{self.module.graph.name} for {self.request.target.name}: {said}>"

    @property
    def source(self) -> str:
        """The emitted text: every kernel, in launch order."""
        return self.module.device.text

    @property
    def inputs(self) -> tuple[Arg, ...]:
        """The inputs in the order of the operator's text, with dtype, shape and strides (expressions where a dim is open)."""
        return tuple(a for a in self.module.graph.args if a.role == "in")

    def explain(self, *, schedules: bool = False) -> Explanation:
        """What fused, how tensors lie, which schedule; with `schedules` every one that each kernel could have, what it takes,
        and why it was not taken. `print` it."""
        from uol.compilation.explain import Explanation

        return Explanation(self.module, self.request.target if schedules else None)

    def bundle(self, path: str | PathLike[str]) -> Path:
        """Writes the files to ship into a new folder below `path`, whole or not at all; gives that folder.

        Raises ResourceError where the place cannot be written.
        """
        from uol.bundle import write_bundles

        require_kind(path, (str, PathLike), "path", "a folder's path", 'write bundle("build")')
        return write_bundles([self], Path(path))[0]

    def run(self, buffers: Mapping[str, Array], **attributes: int | float) -> dict[str, Array]:
        """The results by name, from numpy arrays by name. Run-time attributes may be given anew; dims that were left open have
        the sizes that the arrays tell.

        Raises ShapeError for arrays that the kernel was not made for, or that do not agree, ToolchainError where the target's
        compiler or device is missing.
        """
        from uol.binding.arrays import buffers_of, by_name

        graph = self.module.graph
        require_names(buffers, "the argument of run", 'write run({"x": array, ...})')
        found = buffers_of(self.request.instance, graph, by_name(graph.name, self.inputs, buffers))
        self.loaded(*found.inputs, *found.results.values(), *self.scalars(attributes), *found.sizes)
        return dict(found.results)

    def __call__(self, *arrays: Array, **attributes: int | float) -> Array | tuple[Array, ...]:
        """The result (or results, in order) from numpy arrays in the order of the operator's text."""
        from uol.binding.arrays import by_position

        named = by_position(self.module.graph.name, self.inputs, arrays)
        results = tuple(self.run(named, **attributes).values())
        return results[0] if len(results) == 1 else results

    @cached_property
    def loaded(self) -> Loaded:
        """The callable on inputs, results, run-time attributes and the sizes of open dims, in the operator's order, with the
        device's `stream=` and `workspace=`. Nothing is checked but, in checked mode, the values."""
        from uol.checking import with_checks

        return with_checks(self.loaded_on(0), self.request, self.module.graph)

    def loaded_on(self, index: int) -> Loaded:
        """The same on the device of that index, as PyTorch counts the target's devices, without any check. Kernels of any size
        are built when the first call comes that takes them, where the target builds them one by one."""
        if index not in self._loaded:
            with unforked():
                self._loaded[index] = self._load(index)
        return self._loaded[index]

    def _load(self, index: int) -> Loaded:
        request, module = self.request, self.module
        backend = request.target.backend
        if module.graph.dims and isinstance(backend, OnDemandBackend):
            return backend.load_on_demand(module, kernels_on_demand(request, module), index)
        return backend.load(artifact_of(request, module), index)

    @cached_property
    def _loaded(self) -> dict[int, Loaded]:
        return {}

    def scalars(self, attributes: Mapping[str, int | float]) -> tuple[int | float, ...]:
        """The run-time attributes in order: those given here, else those that were compiled with."""
        names = [s.name for s in self.module.graph.scalars]
        for name in attributes:
            if name not in names:
                hint = f"its run-time attributes are {', '.join(names) or 'none'}; others are compiled in"
                raise ShapeError(f"{self.module.graph.name} has no attribute {name!r}", hint=hint)
        op = self.request.instance.op
        given = {a.name: typed_attribute(op, a, attributes[a.name]) for a in op.attributes if a.name in attributes}
        known = {**self.request.instance.attrs, **given}
        return tuple(known[name] for name in names)


def compile(
    op: str | Op | Operator,
    target: str = "cpu",
    dtype: TypeName | Mapping[str, TypeName] | None = None,
    dims: Mapping[str, Size] | None = None,
    attrs: Mapping[str, int | float] | None = None,
    *,
    strides: Mapping[str, Strides] | None = None,
    schedule: ScheduleOption = None,
    symbol: str = "",
    deterministic: bool = False,
    tf32: bool = False,
) -> Compiled:
    """An operator compiled for a target: its text, and a function of numpy arrays.

    op       a name, what `uol.op` gave, or an operator that was parsed
    target   `backend` or `backend:device`: "cpu", "cuda", "hip:mi250x"
    dtype    for every type variable ("f16"), or one by one ({"T": "f16", "U": "f32"}); f32 where nothing is said. The types and
             names of numpy and PyTorch are taken, too ("float16", torch.float16)
    dims     sizes by name; a pack `*S` takes a tuple. A dim that is left out, or None, is open: an argument of the kernels,
             which are compiled once for all its sizes, where the target has such kernels. A pack that is left out
             has any number of dims, `(None, 64)` two, the first open. D of `where C == D*groups` has that size
    attrs    attributes by name; the rest have their defaults
    strides  element strides of inputs and results by name; row-major where nothing is said, or a dim is open
    schedule the schedule of every kernel that has one with these fields, "m=128,n=64", or of one kernel, "kernel=linear,m=64";
             the rest is the target's choice. Several in a list; its own objects, too (see `Compiled.explain(schedules=True)`)
    symbol   what its C functions, files and kernels are called in place of the operator: a name, a template
             ("{op}_{types}_{sizes}"), or "auto", with types, sizes and attributes, so that two link into one program
    deterministic  sums over places that data gives keep their order from run to run; a machine with threads sorts the places
    tf32     products of f32 may be of factors shortened to TF32, where the target has such products: 11 bits of 24 are left

    Raises UolError for an unknown operator or target, TypeCheckError for a dtype, ShapeError for dims and attributes, for a dim
    that is open where it may not be, BoundsError where an access is not in range for every size, ScheduleError for a schedule
    that no kernel has. Warns (MemoryDemandWarning) where the device's memory does not hold tensors and workspace.

    >>> k = compile("softmax", "cuda", "f16", {"S": 4096, "C": 1024})
    >>> print(k.source)
    // softmax for a100 (sm_80), generated by uol from
    ...
    >>> k = compile("softmax", dims={"C": 1024})        # k(x) for an x of any shape whose last dim is 1024
    """
    resolved = resolve_target(require_kind(target, str, "target", "a name", 'write target="cpu"'))
    sizes = {} if dims is None else require_names(dims, "dims", 'write dims={"C": 64}')
    attributes = {} if attrs is None else require_names(attrs, "attrs", 'write attrs={"stride": 2}')
    layouts = {} if strides is None else require_names(strides, "strides", 'write strides={"x": (64, 1)}')
    instance = bind_open_names(_operator(op), dtype, sizes, attributes)
    _require_openable(instance, resolved, layouts)
    named = symbol_of(require_kind(symbol, str, "symbol", "a name", 'write symbol="auto"'), instance)
    layouts, policy = checked_strides(instance, layouts), given(schedule, default_policy())
    return _compiled(Request(instance, resolved, layouts, policy, named, bool(deterministic), bool(tf32)))


def _compiled(request: Request) -> Compiled:
    """Raises what the language's checker, code generation and the target raise."""
    try:
        with unforked():
            module = module_of(request)
    except (BoundsError, ShapeError, ResourceError) as error:
        error.hint = _with_advice(error.hint, request.instance.open_dims)
        raise
    warn_of_demand(module, request.target.device)
    return Compiled(request, module)


def _require_openable(instance: Instance, target: Target, layouts: Mapping[str, object]) -> None:
    """Raises ShapeError where a dim is open, and the target, or what else is asked for, needs every size, or no input tells
    one."""
    if not instance.open_dims:
        return
    if not target.backend.capability.symbolic_dims:
        raise missing_sizes(instance, f"kernels for {target.name} are made for their sizes")
    if layouts:
        raise missing_sizes(instance, "strides are numbers, so tensors that have them need every size")
    require_told(instance)


def _with_advice(hint: str | None, open_dims: tuple[str, ...]) -> str | None:
    """The next step where something does not hold for every size of open dims."""
    if not open_dims:
        return hint
    names = ", ".join(open_dims)
    advice = f"it is asked of every size of {names}; give those for which it holds, for example {open_dims[0]}=64"
    return f"{hint}; {advice}" if hint else advice


def _operator(op: object) -> Op:
    if isinstance(op, str):
        return find_operator(op)
    parsed = getattr(op, "op", op)  # what `uol.op` gave holds it
    return require_kind(parsed, Op, "op", "an operator or its name", 'give a name ("softmax"), or what uol.op(text) gave')
