"""One Python function for a graph: kernels whose results' layouts are known, views, what stayed PyTorch's.

The first call with inputs that lie in some way runs the graph step by step, and notes each kernel and each layout; that becomes
the source of a function, which later calls run.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import RLock
from typing import Any
from weakref import WeakSet

import torch
from torch import fx

from uol.codegen.specs.verify import BrokenSpec
from uol.ir.errors import UolError
from uol.pytorch.devices import HOST
from uol.pytorch.graph.arena import Arena
from uol.pytorch.graph.groups import readers
from uol.pytorch.graph.library import put_in
from uol.pytorch.graph.plan import Step, plan, prepare, without_ones
from uol.pytorch.graph.reports import note
from uol.pytorch.graph.rest import compiled_by_inductor, gathered
from uol.pytorch.graph.tidying import tidy
from uol.pytorch.graph.views import FLATTENING
from uol.pytorch.graph.words import value_of
from uol.pytorch.large_pages import ask_for_large_pages

Run = Callable[..., list[Any]]


class Program:
    """A graph of fixed shapes, called with its inputs. `role` is "forward", "backward" or "inference"; `rest`: who runs what
    has no operator."""

    def __init__(self, module: fx.GraphModule, role: str, rest: str = "pytorch") -> None:
        self.module, self.role = module, role
        graph = module.graph
        tidy(graph)
        left = put_in(graph)
        graph.eliminate_dead_code()
        self.steps = plan(graph, left)
        if rest == "inductor":
            self.steps = gathered(self.steps)
        self.holders = [n for n in graph.nodes if n.op == "placeholder"]
        self.runs: dict[object, Writer] = {}
        self._lock = RLock()  # the arena is one call's at a time
        note(role, self.steps)

    def __call__(self, *inputs: Any) -> list[Any]:
        key = tuple([(x.shape, x.stride(), x.is_neg()) if isinstance(x, torch.Tensor) else x for x in inputs])
        with self._lock:
            written = self.runs.get(key)
            if written is not None:
                return written.run(*inputs)
            written = Writer(self)
            results = written.record(inputs)
            self.runs[key] = written
            return results


_WRITTEN: WeakSet[Writer] = WeakSet()


def written() -> list[Writer]:
    """The functions of all programs that are there."""
    return list(_WRITTEN)


class _Name(str):
    """A name in the source, beside text that is a value."""


class Writer:
    """Runs a program once, and writes it down: `source`, `run`."""

    def __init__(self, program: Program) -> None:
        self.program, self.steps = program, program.steps
        graph = program.module.graph
        self.name = {n: f"v{k}" for k, n in enumerate(graph.nodes)}
        result = next(n for n in graph.nodes if n.op == "output")
        self.result: Any = result.args[0]
        self.leaving = set(result.all_input_nodes)
        self.value: dict[fx.Node, Any] = {}
        self.lines: list[str] = []
        self.owner: list[Step | None] = []  # whose line it is, for a profile
        self.env: dict[str, Any] = {"empty": torch.empty_strided, "as_strided": torch.as_strided, "large": ask_for_large_pages}
        self.arena = Arena(self.steps, self.leaving) if _is_on_host(self.steps) else None
        self.kept: set[str] = set()  # names of the environment
        self.fresh: set[fx.Node] = set()  # whose memory begins where the program made it; an input's begins anywhere
        self.last = {i: k for k, step in enumerate(self.steps) for i in step.inputs}
        self.source = ""
        self.run: Run = lambda *inputs: []

    def record(self, inputs: Sequence[Any]) -> list[Any]:
        """The results of a first call."""
        self.value.update((n, self._plain(n, x)) for n, x in zip(self.program.holders, inputs, strict=True))
        for n in self.program.module.graph.nodes:
            if n.op == "get_attr":
                self.value[n] = self.env[self.name[n]] = getattr(self.program.module, str(n.target))
                self.kept.add(self.name[n])
                self.fresh.add(n)
        for k, step in enumerate(self.steps):
            if step.kind == "text" and (reason := self._refusal(step)):
                step.kind, step.operator, step.reason = "pytorch", None, reason
            if step.operator is not None:
                self._kernel(k, step)
            elif step.kind == "inductor":
                self._by_inductor(k, step)
            elif step.text:
                self._group_by_pytorch(k, step)
            elif not self._view(k, step):
                self._by_pytorch(k, step)
            self._drop(k, step)
        shown = self._literal(fx.map_arg(self.result, lambda a: _Name(self.name[a])), "r")
        head = f"def run({', '.join(self.name[h] for h in self.program.holders)}):"
        self.source = "\n  ".join([head, *self.lines, f"return {shown}"])
        exec(self.source, self.env)
        self.run = self.env["run"]
        results = fx.map_arg(list(self.result), lambda a: self.value[a])
        self.value.clear()
        found: list[Any] = list(results)
        _WRITTEN.add(self)
        return found

    def clocked(self) -> list[float]:
        """From here on each line's seconds are added up, in what is returned, by place; `run` is to be put back."""
        seconds = [0.0] * len(self.lines)
        head, *_, last = self.source.split("\n  ")
        body = [f"{line}\n  now = clock(); seconds[{k}] += now - t; t = now" for k, line in enumerate(self.lines)]
        env = {**self.env, "clock": time.perf_counter, "seconds": seconds}
        exec("\n  ".join([head, "t = clock()", *body, last]), env)
        self.run = env["run"]
        return seconds

    def _line(self, text: str, step: Step | None = None) -> None:
        self.lines.append(text)
        self.owner.append(step)

    def _refusal(self, step: Step) -> str:
        """Why a text has no kernel here; "" where it has one."""
        try:
            prepare(step, [self.value[i] for i in step.inputs])
        except (UolError, BrokenSpec) as error:
            return str(error).splitlines()[0]
        return ""

    def _by_inductor(self, k: int, step: Step) -> None:
        inputs = [self.value[i] for i in step.inputs]
        try:
            run = compiled_by_inductor(step, inputs)
            found = run(*inputs)
        except Exception as error:  # whatever a compiler of another's may raise
            step.kind, step.reason = "pytorch", f"Inductor: {type(error).__name__}: {error}".splitlines()[0][:150]
            self._group_by_pytorch(k, step)
            return
        self.value.update(zip(step.outputs, found, strict=True))
        self._function(k, step, run)

    def _group_by_pytorch(self, k: int, step: Step) -> None:
        """The nodes of a group, one after the other."""
        run = partial(_node_by_node, step)
        found = run(*(self.value[i] for i in step.inputs))
        self.value.update(zip(step.outputs, found, strict=True))
        self._function(k, step, run)

    def _function(self, k: int, step: Step, run: Callable[..., Any]) -> None:
        """The line of a function that gives all outputs of a step."""
        self.env[f"f{k}"] = run
        names = "".join(f"{self.name[o]}, " for o in step.outputs)
        self._line(f"({names}) = f{k}({', '.join(self.name[i] for i in step.inputs)})", step)

    def _kernel(self, k: int, step: Step) -> None:
        inputs = [self.value[i] for i in step.inputs]
        if step.kind == "text":
            targets, said = step.outputs, [value_of(o) for o in step.outputs]
            asked: Any = tuple(map(without_ones, said))
        else:
            whole = step.nodes[0].meta["val"]
            targets, said = [], list(whole) if isinstance(whole, list | tuple) else [whole]
            forms = step.operator.find(inputs, step.options).forms.results
            is_alike = [tuple(t.shape) for t in said] == [size for size, _ in forms]
            asked = (
                tuple(tuple(t.stride()) for t in said) if is_alike else None
            )  # as readers expect it, so that views stay views
        prepared = step.operator.find(inputs, step.options, asked)
        made, names = [], []
        for j, ((sizes, dtype), strides) in enumerate(zip(prepared.forms.results, prepared.strides, strict=True)):
            form = (sizes, strides, dtype)
            own = step.nodes[0] if step.kind == "library" else targets[j]
            name = self.name[own] + (f"_{j}" if step.kind == "library" and len(said) > 1 else "")
            held = self.arena is not None and (step.kind == "text" or len(said) == 1) and self.arena.holds(own)
            if held:
                assert self.arena is not None
                made.append(self.arena.take(own, k, *form))
                view = made[-1].as_strided(tuple(said[j].shape), tuple(said[j].stride())) if step.kind == "text" else made[-1]
                self.env[name], self.env[f"{name}_flat"] = view, made[-1]
                self.kept.add(name)
                names.append(f"{name}_flat")
            else:
                made.append(torch.empty_strided(sizes, strides, dtype=dtype, device=inputs[0].device))
                self._new(name, form, inputs[0].device, j in prepared.large)
                names.append(name)
        prepared.run(inputs, made)
        self.env[f"k{k}"] = prepared.call
        arguments = [*(self.name[i] for i in step.inputs), *names, *map(repr, prepared.scalars)]
        self._line(f"k{k}({', '.join(arguments)})", step)
        self._results(step, made, names, said)

    def _results(self, step: Step, made: list[torch.Tensor], names: list[str], said: list[torch.Tensor]) -> None:
        """Results with their dims of 1, under the names by which they are read."""
        self.fresh.update(step.outputs)
        if step.kind == "library":
            n = step.nodes[0]
            if len(said) > 1:
                self._line(f"{self.name[n]} = ({', '.join(names)},)")
            self.value[n] = tuple(made) if len(said) > 1 else made[0]
            return
        for o, x, name, t in zip(step.outputs, made, names, said, strict=True):
            sizes, strides = tuple(t.shape), tuple(t.stride())
            self.value[o] = x if tuple(x.shape) == sizes else x.as_strided(sizes, strides)
            if tuple(x.shape) != sizes and not name.endswith("_flat"):
                self._line(f"{name} = as_strided({name}, {sizes}, {strides})")

    def _new(self, name: str, form: tuple[Any, Any, torch.dtype], device: torch.device, is_large: bool) -> None:
        sizes, strides, dtype = form
        kind_of = str(dtype).split(".")[1]
        self.env[kind_of] = dtype
        where = "" if device.type == HOST else f", device={device.type + str(device.index or 0)}"
        if where:
            self.env[device.type + str(device.index or 0)] = device
        self._line(f"{name} = empty({tuple(sizes)}, {tuple(strides)}, dtype={kind_of}{where})")
        if is_large:
            self._line(f"large({name})")

    def _view(self, k: int, step: Step) -> bool:
        """A view, by the sizes and strides that it has; False where it must copy."""
        if step.kind != "view":
            return False
        n = step.nodes[0]
        if n.target is operator.getitem:
            source: Any = n.args[0]
            self.fresh.update({n} if source in self.fresh else ())
            self.value[n] = self.value[source][n.args[1]]
            self._line(f"{self.name[n]} = {self.name[source]}[{n.args[1]}]")
            return True
        if step.inputs[0] not in self.fresh:
            return False
        x = self.value[step.inputs[0]]
        target: Any = torch.reshape if n.target in FLATTENING else n.target
        found = target(x, *n.args[1:], **n.kwargs)
        if found.untyped_storage().data_ptr() != x.untyped_storage().data_ptr():
            return False
        self.value[n] = found
        self.fresh.add(n)
        form = f"{tuple(found.shape)}, {tuple(found.stride())}, {found.storage_offset()}"
        self._line(f"{self.name[n]} = as_strided({self.name[step.inputs[0]]}, {form})")
        return True

    def _by_pytorch(self, k: int, step: Step) -> None:
        n = step.nodes[0]
        run: Any = torch.reshape if n.target in FLATTENING else n.target
        arguments: Any = fx.map_arg(n.args, lambda a: self.value[a])
        named: Any = fx.map_arg(n.kwargs, lambda a: self.value[a])
        found = run(*arguments, **named)
        if step.kind == "constant" and not any(user.op == "output" for user in readers(n)):
            self.value[n] = self.env[self.name[n]] = found  # once; what the caller gets is made anew
            self.kept.add(self.name[n])
            self.fresh.add(n)
            return
        self.env[f"f{k}"] = run
        args: Any = fx.map_arg(n.args, lambda a: _Name(self.name[a]))
        kwargs: Any = fx.map_arg(n.kwargs, lambda a: _Name(self.name[a]))
        shown = [self._literal(v, f"{k}_{at}") for at, v in enumerate(args)]
        shown += [f"{q}={self._literal(v, f'{k}_{q}')}" for q, v in kwargs.items()]
        self._line(f"{self.name[n]} = f{k}({', '.join(shown)})", step)
        self.value[n] = self._plain(n, found)

    def _plain(self, n: fx.Node, value: Any) -> Any:
        """A value as kernels read it: a view that PyTorch negates as it is read is written out."""
        if not isinstance(value, torch.Tensor) or not value.is_neg():
            return value
        self._line(f"{self.name[n]} = {self.name[n]}.resolve_neg()")
        return value.resolve_neg()

    def _drop(self, k: int, step: Step) -> None:
        """Names that nobody reads any more."""
        read = [i for i in dict.fromkeys(step.inputs) if self.last[i] == k and i not in self.leaving]
        gone = [self.name[i] for i in read if self.name[i] not in self.kept]
        if gone:
            self._line(f"del {', '.join(gone)}")

    def _literal(self, v: Any, tag: str) -> str:
        """A value in the source; what has no literal gets a name."""
        if isinstance(v, _Name):
            return str(v)
        if isinstance(v, list | tuple):
            return "[" + ", ".join(self._literal(each, f"{tag}_{at}") for at, each in enumerate(v)) + "]"
        if v is None or isinstance(v, bool | int):
            return repr(v)
        self.env[f"c{tag}"] = v
        return f"c{tag}"


def _node_by_node(step: Step, *inputs: torch.Tensor) -> list[torch.Tensor]:
    """The outputs of a group, by PyTorch."""
    value: dict[fx.Node, Any] = dict(zip(step.inputs, inputs, strict=True))

    def of(n: fx.Node) -> Any:
        if n not in value:
            target: Any = torch.reshape if n.target in FLATTENING else n.target
            arguments: Any = fx.map_arg(n.args, of)
            named: Any = fx.map_arg(n.kwargs, of)
            value[n] = target(*arguments, **named)
        return value[n]

    return [of(o) for o in step.outputs]


def _is_on_host(steps: Sequence[Step]) -> bool:
    """Streams of an accelerator would each need memory of their own; there PyTorch's allocator serves."""
    outputs = [t for step in steps if step.kind == "text" for t in map(value_of, step.outputs)]
    return all(t.device.type == HOST for t in outputs)
