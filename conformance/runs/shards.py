"""Shards: a run of many cases cut into parts that machines take at once, `--shard 2/3`.

A case's name alone decides which shard it is in, so that a case stays where it was when others come or go, and a journal of
a shard serves the shard of the next commit.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from uol.ir.errors import UolError


@dataclass(frozen=True, slots=True)
class Shard:
    """The part `number`, from 1 on, of `of`.

    >>> sum(Shard(i, 3).takes("softmax f32") for i in (1, 2, 3))
    1
    """

    number: int = 1
    of: int = 1

    def takes(self, name: str) -> bool:
        """Is a case of this name in this shard? It is in one of them."""
        return int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) % self.of == self.number - 1

    @property
    def is_whole(self) -> bool:
        """Are all cases in it?"""
        return self.of == 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Shard()


def read_shard(text: str, option: str = "--shard") -> Shard:
    """`"2/3"`, the second of three. Raises UolError for anything else."""
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text.strip())
    if found is None or int(found[1]) > int(found[2]):
        what = option.lstrip("-")
        raise UolError(f"no {what} {text!r}", hint=f"{option} 1/3 is the first of three, {option} 3/3 the last")
    return Shard(int(found[1]), int(found[2]))
