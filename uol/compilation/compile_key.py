"""What is asked of the compiler: an operator at fixed types and dims (some may be open), for a target, with its tensors laid
out so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from uol.backends.cache.files import Key
from uol.binding.instance import Instance
from uol.binding.open_instance import OpenInstance
from uol.codegen.choice import FIRST_THAT_FITS, Policy
from uol.compilation import fingerprint
from uol.compilation.targets import Target
from uol.ir.checker.attributes import compile_time
from uol.ir.syntax.printer import print_op
from uol.operators.registry import callees

Strides = tuple[int, ...]
Stage = Literal["module", "binary"]
BINARY: Stage = "binary"


@dataclass(frozen=True, slots=True)
class Request:
    """`layouts` gives element strides of inputs and results by name; a tensor that is not named is row-major. Dims that are
    open in the instance are arguments of the kernels. `policy` chooses their schedules."""

    instance: Instance | OpenInstance
    target: Target
    layouts: Mapping[str, Strides] = field(default_factory=dict)
    policy: Policy = FIRST_THAT_FITS

    def key(self, stage: Stage) -> Key:
        """The cache key of one stage ("module": the text; "binary": what the target's compiler made of it).

        Attributes that are used as values alone are arguments of a kernel and take no part; nor does anything that a kernel
        cannot depend on.
        """
        instance, target = self.instance, self.target
        tools = {"build tools": dict(target.backend.build_tools())} if stage == BINARY else {}
        return Key(
            {
                "stage": stage,
                "op": print_op(instance.op),
                "callees": [print_op(op) for op in callees(instance.op)],
                "types": dict(instance.types),
                "dims": self.dims,
                "ranks": instance.ranks,
                "attributes": self.compile_time_attributes,
                "layouts": {name: list(strides) for name, strides in self.layouts.items()},
                "target": target.name,
                "schedule": self.policy.key,
                "generator": fingerprint.generator_hash(),
                "backend": fingerprint.backend_hash(target.backend),
                "tools": fingerprint.tool_versions(),
                "machine": dict(target.backend.machine()),
                **tools,
            }
        )

    @property
    def dims(self) -> dict[str, int]:
        """The dims that kernels are made for."""
        return self.instance.flat_dims

    @property
    def compile_time_attributes(self) -> dict[str, int]:
        """Those that dims, indices and bounds are made of (rule 16); all others are arguments of a kernel."""
        fixed = compile_time(self.instance.op)
        return {name: int(value) for name, value in self.instance.attrs.items() if name in fixed}
