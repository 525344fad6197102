"""Operators of any number of inputs: each number, or equation, is a text of its own.

    concat_3                 op concat_3(x0: T[N0, *S], x1: T[N1, *S], x2: T[N2, *S]) -> (y: T[N0 + N1 + N2, *S]) ...
    concat_2_at_1            op concat_2_at_1(x0: T[D0, N0, *S], x1: T[D0, N1, *S]) -> (y: T[D0, N0 + N1, *S]) ...
    stack_2                  op stack_2(x0: T[*S], x1: T[*S]) -> (y: T[2, *S]) ...
    einsum_bij_bjk_bik       op einsum_bij_bjk_bik(left: T[B, I, J], right: T[B, J, K]) -> (y: T[B, I, K]) ...

The name says all that the text depends on, so that `generated(name)` gives the operator wherever a name is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from uol.ir.errors import ParseError, ShapeError
from uol.ir.syntax.printer import print_op
from uol.ir.syntax.surface import Op
from uol.ops.trees import trees_of

if TYPE_CHECKING:
    import torch

MOST_INPUTS = 8
"""The most tensors that one text joins: its selects are nested as deep, and have to be read. More are joined in groups."""

_ANY_TYPE = "T in (f64, f32, f16, bf16, i64, i32, i16, i8, u8, bool)"
_NUMBERED = re.compile(r"(concat|stack)_([1-9]\d?)(?:_at_([1-9]\d?))?")
_EINSUM = re.compile(r"einsum_((?:[A-Za-z]+|0)(?:_(?:[A-Za-z]+|0)){1,2})")


@dataclass(frozen=True, slots=True)
class Variadic:
    """A family of generated operators: how their names look, and what they compute."""

    name: str
    pattern: str
    meaning: str


VARIADIC: Mapping[str, Variadic] = {
    each.name: each
    for each in (
        Variadic("concat", f"concat_2 ... concat_{MOST_INPUTS}_at_9", "tensors one after the other along a dim"),
        Variadic("stack", f"stack_2 ... stack_{MOST_INPUTS}_at_9", "tensors along a new dim"),
        Variadic("einsum", "einsum_ij_jk_ik, ...", "a sum of products of tensors, by letters, two at a time"),
    )
}


@dataclass(frozen=True, slots=True)
class Equation:
    """`"bij,bjk->bik"`: the letters of each operand, and of the result. One of at most two operands has a text."""

    operands: tuple[str, ...]
    result: str

    @property
    def name(self) -> str:
        """The operator's name; 0 stands for no letters."""
        return "_".join(("einsum", *(part or "0" for part in (*self.operands, self.result))))

    @property
    def summed(self) -> str:
        """The letters that the result lacks, each once."""
        return "".join(letter for letter in dict.fromkeys("".join(self.operands)) if letter not in self.result)

    def by_torch(self, *operands: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.einsum(f"{','.join(self.operands)}->{self.result}", *operands)


@dataclass(frozen=True, slots=True)
class Joining:
    """`concat_3_at_1`: so many tensors, joined along the dim of that place, an own one (concat) or a new one (stack)."""

    family: str
    number: int
    dim: int

    @property
    def name(self) -> str:
        """The operator's name."""
        return f"{self.family}_{self.number}" + (f"_at_{self.dim}" if self.dim else "")

    def by_torch(self, *tensors: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.cat(tensors, self.dim) if self.family == "concat" else torch.stack(tensors, self.dim)


@cache
def generated(name: str) -> Op | None:
    """The operator of that name, made from its text; None for a name of no family."""
    named = _named(name)
    if named is None:
        return None
    op = trees_of(_einsum_text(named) if isinstance(named, Equation) else _joining_text(named))[name]
    return trees_of(print_op(op), f"<{name}>")[name]  # so that positions are those of the text that is shown


def torch_function(name: str) -> Callable[..., object] | None:
    """What the operator of that name computes, by PyTorch's own function; None for a name of no family."""
    named = _named(name)
    return None if named is None else named.by_torch


def _named(name: str) -> Joining | Equation | None:
    """What a name says."""
    numbered, letters = _NUMBERED.fullmatch(name), _EINSUM.fullmatch(name)
    if numbered is not None and int(numbered[2]) <= MOST_INPUTS:
        return Joining(numbered[1], int(numbered[2]), int(numbered[3] or 0))
    if letters is not None:
        *operands, result = ("" if part == "0" else part for part in letters[1].split("_"))
        is_sum = all(letter in "".join(operands) and result.count(letter) == 1 for letter in result)
        return Equation(tuple(operands), result) if is_sum else None
    return None


def equation_of(text: str) -> Equation:
    """The parts of an equation as `torch.einsum` takes it; without `->` the result has the letters that stand once, in
    alphabetical order. Raises ParseError where it is none.

    >>> equation_of("ij,jk").result
    'ik'
    """
    left, arrow, result = text.replace(" ", "").partition("->")
    operands = tuple(left.split(","))
    strange = "".join(dict.fromkeys(c for c in "".join((*operands, result)) if not (c.isascii() and c.isalpha())))
    if strange:
        hint = "an equation is letters, an operand or more, and a result: bij,bjk->bik"
        raise ParseError(f"einsum {text!r} has {strange!r} among its letters", hint=hint)
    letters = "".join(operands)
    if not arrow:
        result = "".join(sorted(letter for letter in dict.fromkeys(letters) if letters.count(letter) == 1))
    for letter in result:
        if letter not in letters:
            raise ParseError(
                f"einsum {text!r}: the result has {letter!r}, no operand does", hint="every letter is some operand's"
            )
        if result.count(letter) > 1:
            raise ParseError(f"einsum {text!r}: the result has {letter!r} twice", hint="a result has each letter once")
    return Equation(operands, result)


@dataclass(frozen=True, slots=True)
class SpeltOut:
    """An equation whose dims all have letters. `unnamed`: for each operand where `...` stood, and for how many dims; empty
    where it stood nowhere."""

    equation: str
    unnamed: tuple[tuple[int, int], ...] = ()


def spelt_out(text: str, ranks: Sequence[int]) -> SpeltOut:
    """`"...ij,...jk->...ik"` for operands of so many dims: letters that nobody uses in the place of `...`, from the last one
    on, so that dims that meet have one. Without `->` they come first. Raises ParseError where a `...` is one too many, stands
    in the result alone, or has no dims to stand for.

    >>> spelt_out("...i->...", [3]).equation
    'ABi->AB'
    """
    if "..." not in text:
        return SpeltOut(text)
    left, arrow, result = text.replace(" ", "").partition("->")
    operands = left.split(",")
    if any(part.count("...") > 1 for part in (*operands, result)):
        raise ParseError(f"einsum {text!r} has `...` twice in one place", hint="once in an operand, once in the result")
    if "..." not in left:
        raise ParseError(f"einsum {text!r} has `...` in the result alone", hint="it stands for dims of operands")
    named = [len(part.replace("...", "")) for part in operands]
    counts = [rank - own if "..." in part else 0 for part, rank, own in zip(operands, ranks, named, strict=False)]
    short = next((n for n, count in enumerate(counts) if count < 0), None)
    if short is not None:
        message = f"einsum {text!r}: operand {short} has {ranks[short]} dims, and {named[short]} letters"
        raise ParseError(message, hint="`...` stands for the dims that have no letter")
    free = [letter for letter in ascii_uppercase + ascii_lowercase if letter not in text]
    most = max(counts)
    if most > len(free):
        raise ParseError(f"einsum {text!r} has more dims than there are letters", hint="flatten some of them")
    letters = free[:most]
    parts = [part.replace("...", "".join(letters[most - n :])) for part, n in zip(operands, counts, strict=False)]
    if not arrow:
        own = "".join(operands).replace(".", "")
        result = "..." + "".join(sorted(letter for letter in dict.fromkeys(own) if own.count(letter) == 1))
    equation = f"{','.join(parts)}->{result.replace('...', ''.join(letters))}"
    places = [max(part.find("..."), 0) for part in operands]
    return SpeltOut(equation, tuple(zip(places, counts, strict=False)) if most else ())


def require_number(family: str, number: int) -> None:
    """Raises ShapeError for no tensors at all."""
    if number < 1:
        raise ShapeError(f"{family} of no tensors", hint="give one or more: nothing else says type and shape")


def _joining_text(joining: Joining) -> str:
    text_of = _concat_text if joining.family == "concat" else _stack_text
    return text_of(joining.name, joining.number, joining.dim)


def _concat_text(name: str, number: int, dim: int) -> str:
    before, at = "".join(f"D{k}, " for k in range(dim)), "".join(f"d{k}, " for k in range(dim))
    inputs = ", ".join(f"x{k}: T[{before}N{k}, *S]" for k in range(number))
    ends = [" + ".join(f"N{j}" for j in range(k + 1)) for k in range(number)]
    # a bare n would have to run over N0 alone
    starts = ["n" if number == 1 else "n - 0", *(" - ".join(["n", *(f"N{j}" for j in range(k))]) for k in range(1, number))]
    parts = [f"x{k}[{at}{start}, *s]" for k, start in enumerate(starts)]
    value = _choice([f"n < {end}" for end in ends], parts)
    return f"op {name}({inputs}) -> (y: T[{before}{ends[-1]}, *S]) for {_ANY_TYPE} {{ y[{at}n, *s] = {value} }}"


def _stack_text(name: str, number: int, dim: int) -> str:
    before, at = "".join(f"D{k}, " for k in range(dim)), "".join(f"d{k}, " for k in range(dim))
    inputs = ", ".join(f"x{k}: T[{before}*S]" for k in range(number))
    value = _choice([f"k == {k}" for k in range(number)], [f"x{k}[{at}*s]" for k in range(number)])
    return f"op {name}({inputs}) -> (y: T[{before}{number}, *S]) for {_ANY_TYPE} {{ y[{at}k, *s] = {value} }}"


def _choice(conditions: Sequence[str], values: Sequence[str]) -> str:
    """The value of the first condition that holds; the last one has none left to ask."""
    text = values[-1]
    for condition, value in zip(reversed(conditions[:-1]), reversed(values[:-1]), strict=True):
        text = f"select({condition}, {value}, {text})"
    return text


def _einsum_text(equation: Equation) -> str:
    letters = "".join(equation.operands)
    names = ("left", "right") if len(equation.operands) == 2 else ("x",) if "x" not in letters else ("operand",)
    variable = "T" if "t" not in letters else "Real"
    result = "y" if "y" not in letters else "result"
    inputs = ", ".join(
        f"{name}: {variable}[{', '.join(map(_dim, part))}]" for name, part in zip(names, equation.operands, strict=True)
    )
    reads = [f"{name}[{', '.join(map(_index, part))}]" for name, part in zip(names, equation.operands, strict=True)]
    value = reads[0]
    if equation.summed or len(reads) > 1:
        product = " * ".join(f"acc({read})" for read in reads)
        total = f"sum[{', '.join(map(_index, equation.summed))}]({product})" if equation.summed else product
        value = f"{variable}({total})"
    shape, at = (", ".join(map(each, equation.result)) for each in (_dim, _index))
    head = f"op {equation.name}({inputs}) -> ({result}: {variable}[{shape}]) for {variable} in (f64, f32, f16, bf16, i64, i32)"
    return f"{head} {{ {result}[{at}] = {value} }}"


def _dim(letter: str) -> str:
    """The dim of a letter: `J` of j, `JJ` of J."""
    return letter.upper() if letter.islower() else letter * 2


def _index(letter: str) -> str:
    """The index of a letter: `j` of j, `jj` of J."""
    return letter if letter.islower() else letter.lower() * 2
