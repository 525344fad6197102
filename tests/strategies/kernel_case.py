"""A random operator with everything that a run of it takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random

import numpy as np

AWKWARD = (
    *("threadIdx", "lane", "row", "col", "shared", "tile", "k0", "float4", "auto", "self", "lambda", "UB", "pipe", "warp"),
    *("y0_value", "y0_sum", "t1_sum", "t0_value", "n_group", "m2", "n2", "total", "scratch", "i", "idx0", "x_value", "half"),
)
"""Names that a kernel may have for itself, or that the languages of kernels do."""


@dataclass(frozen=True)
class KernelCase:
    """An operator with one type variable T, sizes for its dims, run-time attributes, inputs (rounded to their types, equal
    along dims of stride 0) and element strides of tensors that do not lie row-major."""

    seed: int
    text: str
    dtype: str
    dims: dict[str, int]
    attrs: dict[str, int | float]
    inputs: dict[str, np.ndarray]
    strides: dict[str, tuple[int, ...]]
    special: bool

    def __repr__(self) -> str:
        special = ", special values" if self.special else ""
        return f"<seed {self.seed}: T={self.dtype}, {self.dims}, {self.attrs}, strides {self.strides}{special}>\n{self.text}"


def renamed(case: KernelCase, rng: Random) -> KernelCase:
    """The same operator with awkward names for some of its tensors, attributes and dims (and with a dim, its indices)."""
    own = re.compile(r"[xwvq]|at|on|[ty]\d?|e_\w|[NMKC]|alpha")
    words = sorted({w for w in re.findall(r"[A-Za-z_]\w*", case.text) if own.fullmatch(w)})
    old = sorted(rng.sample(words, min(len(words), rng.randint(1, 4))))  # dims first: an index is renamed with its dim
    new = dict(zip(old, rng.sample(AWKWARD, len(old)), strict=True))
    text = case.text
    for word, name in new.items():
        if len(word) == 1 and word.isupper():
            new[word] = name.capitalize()
            text = re.sub(rf"\b{word.lower()}(\d*)\b", rf"{name}\1", text)
        text = re.sub(rf"\b{word}\b", new[word], text)

    def of(given: dict) -> dict:
        return {new.get(name, name): value for name, value in given.items()}

    return replace(case, text=text, dims=of(case.dims), attrs=of(case.attrs), inputs=of(case.inputs), strides=of(case.strides))
