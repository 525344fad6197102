"""What the second estimate counts with: groups of tensors by name, and sizes as products of dimensions.

A size is text, so that it can be read and printed: "2 N D" is 2 * N * D, "1/8 N D" is N * D / 8, and " + " adds. Of bytes the
first word is the width: 2 for the element type, 4 for f32 and i32, 1/8 for booleans. Of operations it is 2, a multiply and an
add.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Literal

Part = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True)
class Group:
    """One kernel of the reference: each tensor of `reads` and `writes` (names, separated by spaces) crosses memory once, and
    `operations` are those of its products. What is made and used up within is not named. `why` says what the group does and
    why it is not less."""

    part: Part
    name: str
    reads: str
    writes: str
    operations: str = "0"
    why: str = ""

    @property
    def tensors(self) -> list[str]:
        """All that crosses memory."""
        return [*self.reads.split(), *self.writes.split()]


@dataclass(frozen=True, slots=True)
class Step:
    """A training step of a path at one size, as groups in the order in which they run.

    `dims` are the numbers behind the names, `tensors` the bytes of each, `given` what is there before the step (parameters,
    pictures, gradients of the results), `results` what is wanted of it, `weights` the parameters.
    """

    dims: Mapping[str, int]
    tensors: Mapping[str, str]
    given: str
    results: str
    groups: tuple[Group, ...]
    weights: str

    def bytes_of(self, group: Group) -> float:
        """What crosses memory in a group."""
        return sum(self.value(self.tensors[name]) for name in group.tensors)

    def operations_of(self, group: Group) -> float:
        """Those of its products."""
        return self.value(group.operations)

    def weight_bytes(self) -> float:
        """All parameters together."""
        return sum(self.value(self.tensors[name]) for name in self.weights.split())

    def formula(self, group: Group) -> str:
        """The bytes of a group, tensor by tensor."""
        reads, writes = (" + ".join(f"{n} [{self.tensors[n]}]" for n in t.split()) for t in (group.reads, group.writes))
        return f"{reads} -> {writes}"

    def value(self, size: str) -> float:
        """The number that a size is."""
        return float(sum(prod(self._factor(word) for word in term.split()) for term in size.split(" + ")))

    def _factor(self, word: str) -> Fraction:
        return Fraction(self.dims[word]) if word in self.dims else Fraction(word)


def flaws(step: Step) -> list[str]:
    """What contradicts itself in a step: a tensor that is read before it is made, made twice, or never used; a group that
    names a tensor twice; a result that is not made."""
    there, used, found = set(step.given.split()), set(step.results.split()), list[str]()
    for group in step.groups:
        reads, writes = group.reads.split(), group.writes.split()
        found += [f"{group.name} reads {name}, which is not there yet" for name in reads if name not in there]
        found += [f"{group.name} makes {name} again" for name in writes if name in there]
        if len({*group.tensors}) < len(group.tensors):
            found.append(f"{group.name} names a tensor twice")
        there.update(writes)
        used.update(reads)
    found += [f"{name} is wanted and not made" for name in step.results.split() if name not in there]
    return found + [f"{name} is not used" for name in sorted(there - used)]
