"""A random operator: its text, sizes, and inputs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from uol.conformance.random_texts.draft import STEP, Draft, Tensor
from uol.conformance.random_texts.statements import over, statement
from uol.ir import Op, parse
from uol.ir.syntax.surface import Name

DIMS = ("N", "M", "K")
LARGEST = 6


@dataclass(frozen=True, slots=True)
class RandomText:
    """The operator is the last one of the `text`; its type variable is T."""

    number: int
    text: str
    dims: Mapping[str, int]
    inputs: Mapping[str, NDArray[np.generic]]


def random_texts(number: int) -> Iterator[RandomText]:
    """Texts of that number, one after the other: the first that passes the checker is the one that is meant."""
    for attempt in count():
        yield _random_text(number, random.Random(f"{number} {attempt}"))


def random_inputs(op: Op, dims: Mapping[str, int], seed: int) -> dict[str, NDArray[np.generic]]:
    """Inputs for an operator like those of this module. Half of all seeds give values on a grid of halves, which are equal
    to each other and to the literals of conditions; integers are places, some of which lie outside of any dim."""
    rng = np.random.default_rng(seed)
    on_grid = rng.random() < 0.5
    found: dict[str, NDArray[np.generic]] = {}
    for param in op.params:
        shape = tuple(dims[d.id] for d in param.dims if isinstance(d, Name))
        if param.type == "i32":
            found[param.name] = rng.integers(-1, LARGEST + 1, shape)
            continue
        values = rng.uniform(-2, 2, shape)
        found[param.name] = np.round(values * 2) / 2 if on_grid else values
    return found


def _random_text(number: int, rng: random.Random) -> RandomText:
    dims = DIMS[: rng.choice((1, 2, 2, 3))]
    sizes = {d: rng.randint(1, LARGEST) for d in dims}
    draft = Draft(rng, sizes, rng.random() < 0.2, rng.choice((1, 2, 3, -1, -2)) if rng.random() < 0.3 else 0)
    inputs = _inputs(draft, dims)
    draft.tensors += inputs
    made = [_target(draft, f"t{n}", dims) for n in range(rng.choice((0, 1, 1, 2)))]
    made.append(_target(draft, "y", dims))
    results = [t for t in made[:-1] if not draft.wide and rng.random() < 0.3]
    lines, last = list(draft.lines), made[-1]
    declared = [f"{t.name}: T[{', '.join(t.dims)}]" for t in results]
    if draft.wide:
        lines.append(f"z[{over(last.dims)}] = T(y[{over(last.dims)}])")
    declared.append(f"{'z' if draft.wide else 'y'}: T[{', '.join(last.dims)}]")
    head = ", ".join(f"{t.name}: {'i32' if t.kind == 'index' else 'T'}[{', '.join(t.dims)}]" for t in inputs)
    types = "f64, f32, f16" if draft.wide and not draft.callees else "f64, f32"
    where = [f"{d} >= {n}" for d, n in draft.least.items()]
    if draft.step:
        head += f"; {STEP}: int = {draft.step}"
        where.append(f"{STEP} > 0" if draft.step > 0 else f"{STEP} < 0")
    text = f"op random_{number}({head}) -> ({', '.join(declared)}) for T in ({types})"
    text += (f" where {', '.join(where)}" if where else "") + " {\n" + "".join(f"  {line}\n" for line in lines) + "}"
    text = "\n".join((*draft.callees.values(), text))
    return RandomText(number, text, draft.sizes, random_inputs(parse(text)[-1], draft.sizes, rng.getrandbits(32)))


def _inputs(draft: Draft, dims: tuple[str, ...]) -> list[Tensor]:
    """One to three tensors of floats, further ones for the dims that those leave out, and integers in half of all texts."""
    made: list[Tensor] = []
    for name in ("x", "a", "b")[: draft.rng.randint(1, 3)]:
        chosen = tuple(d for d in dims if draft.chance(0.5)) or (draft.pick(dims),)
        made.append(Tensor(name, chosen if draft.chance(0.8) else chosen[::-1], "float"))
    missing = [d for d in dims if not any(d in t.dims for t in made)]
    made += [Tensor(f"e{number}", (dim,), "float") for number, dim in enumerate(missing)]
    if draft.chance(0.5):
        made.append(Tensor("at", (draft.pick(dims),), "index"))
    return made


def _target(draft: Draft, name: str, dims: tuple[str, ...]) -> Tensor:
    chosen = tuple(d for d in dims if draft.chance(0.6)) or (draft.pick(dims),)
    return statement(draft, name, chosen)
