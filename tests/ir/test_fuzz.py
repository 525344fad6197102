"""Nonsense gives a UolError or a result, never another exception."""

import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from random_ops import surface_ops

from uol.ir import Library, UolError, check, instantiate, interpret, parse, print_op
from uol.ir.checker.variadic_dims import pack_names
from uol.ir.syntax.surface import Op

TEXTS = [Path(__file__).parent / "texts" / name for name in ("core.uol", "orders.uol")]
LIBRARY = [op for text in TEXTS for op in parse(text.read_text(), text.name)]
WORDS = (
    "op for in where else and or not uol 1 0 2 0.5 1e-6 inf true x y w N M T i j k f32 f16 i32 int float relu sum max argmax "
    "topk sort argsort sorted random_bits select exp acc count flat ( ) [ ] { } , : ; = += -> + - * / % < <= > >= == != # *S *s"
)
TOKENS = [*WORDS.split(" "), "\n"]
HEADS = (
    "",
    "op f(x: f32[N]) -> (y: f32[N]) ",
    "op f(x: T[*S, C], i: i32[N]; k: int = 1) -> (y: T[*S]) for T in (f32, f16) { y[*s] =",
)


def attempt(text: str) -> None:
    """Parses, checks and runs whatever the text holds."""
    for op in parse(text):
        assert parse(print_op(op))[0] == op
        attempt_op(op)


def attempt_op(op: Op) -> None:
    library = Library(o for o in LIBRARY if o.name != op.name)
    library.add(op)
    check(op, library)
    types = {t.variable: t.types[0] for t in op.domain}
    program = instantiate(op, library, types=types, ranks=dict.fromkeys(pack_names(op), 1), defaults=False)
    sizes = dict.fromkeys(program.dims, 2)
    from uol.ir.program.evaluation import Evaluation

    shapes = {t.name: tuple(Evaluation(sizes, {}).integer(d) for d in t.shape) for t in program.by_role("in")}
    interpret(program, {n: np.ones(s) for n, s in shapes.items()}, {s.name: 1 for s in program.scalars}, sizes)


def accepted(action: Callable[[], None]) -> bool:
    """Whether it went through; a UolError must be able to print itself, and anything else is a failure."""
    try:
        action()
    except UolError as error:
        return not str(error)
    return True


def soup(rng: random.Random) -> str:
    return rng.choice(HEADS) + " ".join(rng.choices(TOKENS, k=rng.randint(1, 25)))


def mutated(rng: random.Random) -> str:
    """One to three tokens of a good text dropped, doubled, exchanged or replaced: deeper than soup gets."""
    tokens = print_op(rng.choice(LIBRARY)).replace("[", " [ ").replace("]", " ] ").replace("(", " ( ").split(" ")
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(tokens))
        match rng.randrange(4):
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[at])
            case 2:
                tokens[at] = rng.choice(tokens)
            case 3:
                tokens[at] = rng.choice(TOKENS)
    return " ".join(tokens)


def bytes_(rng: random.Random) -> str:
    """Characters of any kind, or a good text with some of its characters exchanged."""
    if rng.randrange(2):
        return rng.randbytes(rng.randint(0, 60)).decode("latin-1")
    text = list(print_op(rng.choice(LIBRARY)))
    for _ in range(rng.randint(1, 4)):
        text[rng.randrange(len(text))] = chr(rng.randrange(0x250))
    return "".join(text)


def refused(seed: int, count: int, make: Callable[[random.Random], str]) -> int:
    """How many of `count` texts are refused."""
    rng = random.Random(seed)
    texts = [make(rng) for _ in range(count)]
    return sum(not accepted(partial(attempt, text)) for text in texts)


@pytest.mark.parametrize("block", range(4))
def test_token_soup(block: int) -> None:
    assert refused(block, 150, soup) > 140


@pytest.mark.parametrize("block", range(4))
def test_mutated_texts(block: int) -> None:
    assert refused(100 + block, 60, mutated) > 20


@pytest.mark.parametrize("block", range(2))
def test_bytes(block: int) -> None:
    assert refused(200 + block, 100, bytes_) > 60


@pytest.mark.soak
@pytest.mark.parametrize("block", range(20))
def test_soak_of_the_parser_and_the_checker(block: int) -> None:
    """100,000 texts in all."""
    base = int(os.environ.get("UOL_SOAK_SEED", "0")) + 1000 * block
    assert refused(base, 3000, soup) + refused(base + 1, 1500, bytes_) + refused(base + 2, 500, mutated) > 3500


@settings(max_examples=150, deadline=None)
@given(surface_ops())
def test_random_forms(op: Op) -> None:
    accepted(lambda: attempt_op(op))


@pytest.mark.parametrize(
    "text", ["\x00", "é", "op é(x: f32[N]) -> (y: f32[N]) {}", "\ufeffuol 1", "op\tf\r\n", "uol 1", "#", "op"]
)
def test_odd_characters(text: str) -> None:
    with pytest.raises(UolError):
        parse(text)
