"""Gradients that only repeat a cotangent, as those of a sum of two tensors and of a sum along an axis do. They are views of it.

op sum_grad(x: T[*S, C], dy: T[*S]) -> (dx: T[*S, C]) { dx[*s, c] = dy[*s] }        dy[..., None], expanded
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from uol.ir.syntax.surface import Access, Name, Op, Pack, Statement

Entry = tuple[bool, bool]
"""Of an index of a result: is it a pack, and is it one of the cotangent's, too?"""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A result that is a cotangent along the indices that both have, and the same along the others."""

    source: str
    entries: tuple[Entry, ...]

    @property
    def is_whole(self) -> bool:
        """Is it the cotangent as it is?"""
        return all(is_shared for _, is_shared in self.entries)

    def view(self, cotangent: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """The cotangent in a shape, of which a pack takes what the other indices leave."""
        if self.is_whole:
            return cotangent
        rest = len(shape) - sum(not is_pack for is_pack, _ in self.entries)
        dims = [is_shared for is_pack, is_shared in self.entries for _ in range(rest if is_pack else 1)]
        return cotangent[tuple([slice(None) if is_shared else None for is_shared in dims])].expand(shape)


def repeated(op: Op) -> tuple[Repeated, ...] | None:
    """What each result of a gradient repeats, in order; None where one of them is computed."""
    found = [_repeated(statement) for statement in op.body]
    made = {s.targets[0].tensor: r for s, r in zip(op.body, found, strict=True) if r is not None}
    return None if None in found or made.keys() != {r.name for r in op.results} else tuple(made[r.name] for r in op.results)


def _repeated(statement: Statement) -> Repeated | None:
    match statement:
        case Statement(targets=(target,), op="=", value=Access(tensor=Name(id=source), index=index, fill=None)):
            whole, part = list(target.index), list(index)
            if not all(isinstance(i, Name | Pack) for i in (*whole, *part)) or part != [i for i in whole if i in part]:
                return None
            return Repeated(source, tuple((isinstance(i, Pack), i in part) for i in whole))
    return None
