"""A random operator: its text, sizes, and inputs."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uol.conformance.random_texts.draft import Draft, Tensor
from uol.conformance.random_texts.statements import over, statement

DIMS = ("N", "M", "K")
LARGEST = 6


@dataclass(frozen=True, slots=True)
class RandomText:
    """The operator is the last one of the `text`; its type variable is T. `seed` makes it again."""

    seed: int
    text: str
    dims: dict[str, int]
    inputs: dict[str, NDArray[np.generic]]


def random_text(seed: int) -> RandomText:
    """The text of that number. Sizes are small; half of all texts have inputs on a grid of halves, where values are equal
    to each other and to the literals of conditions."""
    rng = random.Random(seed)
    dims = DIMS[: rng.choice((1, 2, 2, 3))]
    draft = Draft(rng, {d: rng.randint(1, LARGEST) for d in dims}, rng.random() < 0.2)
    for name in ("x", "a", "b")[: rng.randint(1, 3)]:
        chosen = tuple(d for d in dims if rng.random() < 0.5) or (rng.choice(dims),)
        draft.tensors.append(Tensor(name, chosen if rng.random() < 0.8 else chosen[::-1], "float"))
    for number, dim in enumerate(d for d in dims if not any(d in t.dims for t in draft.tensors)):
        draft.tensors.append(Tensor(f"e{number}", (dim,), "float"))
    if rng.random() < 0.5:
        draft.tensors.append(Tensor("at", (rng.choice(dims),), "index"))
    inputs = list(draft.tensors)
    made = [_target(draft, f"t{n}", dims) for n in range(rng.choice((0, 1, 1, 2)))]
    made.append(_target(draft, "y", dims))
    results = [t for t in made[:-1] if not draft.wide and rng.random() < 0.3]
    lines, declared = list(draft.lines), [f"{t.name}: T[{', '.join(t.dims)}]" for t in results]
    last = made[-1]
    if draft.wide:
        lines.append(f"z[{over(last.dims)}] = T(y[{over(last.dims)}])")
    declared.append(f"{'z' if draft.wide else 'y'}: T[{', '.join(last.dims)}]")
    head = ", ".join(f"{t.name}: {'i32' if t.kind == 'index' else 'T'}[{', '.join(t.dims)}]" for t in inputs)
    types = "f64, f32, f16" if draft.wide and not draft.callees else "f64, f32"
    where = ", ".join(f"{d} >= {n}" for d, n in draft.least.items())
    text = f"op random({head}) -> ({', '.join(declared)}) for T in ({types})" + (f" where {where}" if where else "")
    text += " {\n" + "".join(f"  {line}\n" for line in lines) + "}"
    values = np.random.default_rng(seed)
    on_grid = values.random() < 0.5
    made_inputs = {t.name: _input(values, t, draft.sizes, on_grid) for t in inputs}
    return RandomText(seed, "\n".join((*draft.callees.values(), text)), draft.sizes, made_inputs)


def _target(draft: Draft, name: str, dims: tuple[str, ...]) -> Tensor:
    chosen = tuple(d for d in dims if draft.chance(0.6)) or (draft.pick(dims),)
    return statement(draft, name, chosen)


def _input(rng: np.random.Generator, tensor: Tensor, sizes: dict[str, int], on_grid: bool) -> NDArray[np.generic]:
    shape = tuple(sizes[d] for d in tensor.dims)
    if tensor.kind == "index":
        return rng.integers(-1, LARGEST + 1, shape)
    values = rng.uniform(-2, 2, shape)
    return np.round(values * 2) / 2 if on_grid else values
