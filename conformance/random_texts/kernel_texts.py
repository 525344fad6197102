"""Random texts for kernels: of every kind of construct, at types, sizes and inputs of a kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from uol.conformance.random_texts.families.calls import call
from uol.conformance.random_texts.families.orders import order
from uol.conformance.random_texts.families.packs import pack
from uol.conformance.random_texts.families.products import product
from uol.conformance.random_texts.families.recurrences import recurrence
from uol.conformance.random_texts.families.running import running
from uol.conformance.random_texts.families.searches import search
from uol.conformance.random_texts.families.segments import segments
from uol.conformance.random_texts.families.sketch import FINITE, Sketch
from uol.conformance.random_texts.families.types import types
from uol.conformance.random_texts.texts import random_texts
from uol.ops.inputs import Kind
from uol.ops.workloads import Extent

Family = Callable[[Sketch], None]

FAMILIES: Mapping[str, Family] = {
    "recurrence": recurrence,
    "search": search,
    "segments": segments,
    "order": order,
    "types": types,
    "call": call,
    "pack": pack,
    "product": product,
    "running": running,
}
EXPRESSION = "expression"
"""What gradients are tried on, `random_texts`: statements of any form, one on another."""
KINDS = (*FAMILIES, EXPRESSION)

DTYPES = {"f32": 9, "f16": 4, "bf16": 3, "f64": 3}
"""Weights of the types of floats."""


@dataclass(frozen=True, slots=True)
class KernelText:
    """The operator is the last one of the `text`; `dtype` says what its type variables stand for; `inputs` what kind of values
    it is given."""

    number: int
    kind: str
    text: str
    name: str
    dtype: str
    dims: Mapping[str, Extent]
    attrs: Mapping[str, int | float]
    inputs: Kind


def kind_of(number: int) -> str:
    """The kind of the texts of a number: all of them in turn."""
    return KINDS[number % len(KINDS)]


def kernel_texts(number: int) -> Iterator[KernelText]:
    """Texts of that number, one after the other: the first that passes the checker is the one that is meant."""
    for attempt in count():
        rng = random.Random(f"kernel {number} {attempt}")
        kind = kind_of(number)
        yield _of_family(number, kind, rng) if kind in FAMILIES else _expression(number, rng)


def _of_family(number: int, kind: str, rng: random.Random) -> KernelText:
    sketch = Sketch(rng)
    FAMILIES[kind](sketch)
    chosen = {variable: _type(rng, types) for variable, types in sketch.domains.items()}
    dtype = ",".join(f"{variable}={type}" for variable, type in chosen.items())
    name = f"random_{kind}_{number}"
    return KernelText(number, kind, sketch.text(name), name, dtype, sketch.sizes, sketch.attributes, rng.choice(sketch.data))


def _type(rng: random.Random, types: tuple[str, ...]) -> str:
    weights = [DTYPES.get(t, 3) for t in types]
    return rng.choices(types, weights)[0]


def _expression(number: int, rng: random.Random) -> KernelText:
    whole = next(random_texts(rng.getrandbits(40)))
    name = f"random_{whole.number}"
    return KernelText(number, EXPRESSION, whole.text, name, "T=f32", whole.dims, {}, rng.choice(FINITE))

