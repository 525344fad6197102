"""C names of one kernel. Every name of a spec is legalised here, once; templates and printer only look them up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from uol.backends.c_text.reserved import RESERVED
from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.specs.traverse import names_of

KERNEL_SUFFIX = "_kernel"
"""Ops are called exp, round, div: as bare symbols they would clash with the C library's functions."""


@dataclass(frozen=True, slots=True)
class Names:
    """`tensors` and `variables` map the spec's names to C; `text` overrides a variable with an expression (an
    accumulator of a register tile is an array element)."""

    tensors: Mapping[str, str]
    variables: Mapping[str, str]
    text: Mapping[str, str] = field(default_factory=dict)

    def tensor(self, name: str) -> str:
        return self.tensors[name]

    def variable(self, name: str) -> str:
        return self.text.get(name) or self.variables[name]

    def all(self) -> frozenset[str]:
        """Every C name in use."""
        return frozenset(self.tensors.values()) | frozenset(self.variables.values())

    def bound(self, **text: str) -> Names:
        """The same with variables printed as the given C expressions."""
        return replace(self, text={**self.text, **text})

    def with_locals(self, names: Iterable[str]) -> Names:
        """The same with further local variables, legalised against all others."""
        taken = set(self.all())
        variables = dict(self.variables)
        for name in names:
            if name not in variables:
                variables[name] = _unused(name, taken)
        return replace(self, variables=variables)


def legalise(spec: KernelSpec, template_locals: Iterable[str]) -> Names:
    """C names for all names of a spec. `template_locals` are the variables that the kernel's template declares itself;
    a name of the op that equals one of them, a reserved word or an earlier name gets a suffix."""
    taken = set(template_locals)
    tensors = {a.name: _unused(a.name, taken) for a in spec.args}
    variables: dict[str, str] = {}
    for name in _variables(spec):
        if name not in variables:
            variables[name] = _unused(name, taken)
    return Names(tensors, variables)


def kernel_symbol(spec: KernelSpec) -> str:
    """The kernel's symbol: the spec's name and a suffix, so that it is nobody else's."""
    return _identifier(spec.name) + KERNEL_SUFFIX


def _variables(spec: KernelSpec) -> list[str]:
    return [*(s.name for s in spec.scalars), *spec.dims, *(a.name for a in spec.axes), *names_of(spec)]


def _unused(name: str, taken: set[str]) -> str:
    base = _identifier(name)
    if base in RESERVED or base in taken:
        base += "_"
    candidate, number = base, 2
    while candidate in taken:
        candidate, number = f"{base}{number}", number + 1
    taken.add(candidate)
    return candidate


def _identifier(name: str) -> str:
    """Letters, digits and single underscores, no underscore in front: those are the compiler's."""
    cleaned = re.sub(r"_+", "_", re.sub(r"\W", "_", name, flags=re.ASCII)).lstrip("_")
    return cleaned if cleaned and not cleaned[0].isdigit() else f"v{cleaned}"
