"""What is asked of the compiler: an operator at fixed types and dims (some may be open), for a target, with its tensors laid
out so. The key of a request holds all of it, and what the answer depends on besides: the generator's sources, and the versions
of what it is made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from uol.backends import registry
from uol.backends.cache.files import Key
from uol.binding.argument_checks import nearest
from uol.binding.instance import Instance
from uol.codegen.backend import Backend, Device
from uol.codegen.choice import Policy
from uol.compilation.generator import backend_hash, generator_hash, tool_versions
from uol.compilation.tuning import default_policy
from uol.ir.checker.attributes import compile_time
from uol.ir.errors import UolError
from uol.ir.syntax.printer import print_op
from uol.operators.registry import callees

Strides = tuple[int, ...]
Stage = Literal["module", "binary", "foreach binary"]


@dataclass(frozen=True, slots=True)
class Target:
    """A backend and one of its devices."""

    backend: Backend
    device: Device

    @property
    def name(self) -> str:
        return f"{self.backend.name}:{self.device.name}"


def resolve_target(text: str) -> Target:
    """`"hip:mi250x"` -> the backend and the device; `"hip"` -> the backend's default device.

    Raises UolError, with what there is, for any other text.
    """
    backend_name, colon, device_name = text.strip().partition(":")
    if backend_name not in registry.names():
        there = f"the targets are {', '.join(registry.names())}; a module that registers another is named by --import"
        hint = nearest(backend_name, registry.names()) or there
        raise UolError(f"unknown target {backend_name!r}", hint=hint)
    backend = registry.get(backend_name)
    if not colon:
        return Target(backend, backend.devices[backend.default_device])
    if device_name not in backend.devices:
        known = ", ".join(f"{backend_name}:{name}" for name in backend.devices)
        raise UolError(f"target {backend_name!r} has no device {device_name!r}", hint=f"its devices are {known}")
    return Target(backend, backend.devices[device_name])


def resolve_targets(text: str) -> tuple[Target, ...]:
    """A comma-separated list of targets, in order, each once."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise UolError("no target given", hint=f"the targets are {', '.join(registry.names())}")
    return tuple(resolve_target(name) for name in names)


@dataclass(frozen=True, slots=True)
class Request:
    """`layouts` gives element strides of inputs and results by name; a tensor that is not named is row-major. Dims that are
    open in the instance are arguments of the kernels. `policy` chooses their schedules. `symbol` names functions, files and
    kernels where they do not have the operator's name. `deterministic`: the same numbers from run to run. `tf32`: products of
    f32 may be of factors shortened to TF32."""

    instance: Instance
    target: Target
    layouts: Mapping[str, Strides] = field(default_factory=dict)
    policy: Policy = field(default_factory=default_policy)
    symbol: str = ""
    deterministic: bool = False
    tf32: bool = False

    def key(self, stage: Stage) -> Key:
        """The cache key of one stage ("module": the text; "binary": what the target's compiler made of it).

        Attributes that are used as values alone are arguments of a kernel and take no part; nor does anything that a kernel
        cannot depend on.
        """
        target = self.target
        tools = {"build tools": dict(target.backend.build_tools())} if stage != "module" else {}
        return Key(
            {
                "stage": stage,
                **self.program_key.parts,
                "layouts": {name: list(strides) for name, strides in self.layouts.items()},
                "target": target.name,
                "schedule": self.policy.key,
                "symbol": self.symbol,
                "deterministic": self.deterministic and bool(target.backend.capability.unordered),
                "tf32": self.tf32 and target.backend.capability.tf32,
                "generator": generator_hash(),
                "backend": backend_hash(target.backend),
                "tools": tool_versions(),
                "machine": dict(target.backend.machine()),
                **tools,
            }
        )

    @property
    def program_key(self) -> Key:
        """What the typed program depends on, which is one for all targets and layouts."""
        instance = self.instance
        return Key(
            {
                "op": print_op(instance.op),
                "callees": [print_op(op) for op in callees(instance.op)],
                "types": dict(instance.types),
                "dims": self.dims,
                "ranks": instance.ranks,
                "attributes": self.compile_time_attributes,
            }
        )

    @property
    def dims(self) -> dict[str, int]:
        """The dims that kernels are made for."""
        return self.instance.flat_dims

    @property
    def compile_time_attributes(self) -> dict[str, int]:
        """Those that dims, indices and bounds are made of; all others are arguments of a kernel."""
        fixed = compile_time(self.instance.op)
        return {name: int(value) for name, value in self.instance.attrs.items() if name in fixed}
