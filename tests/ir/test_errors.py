"""Bad input: every error by kind, line, column, message and hint.

The tables are data: a changed message is changed here too, after reading it as a user would.
"""

from dataclasses import dataclass

import pytest

from uol.ir import BoundsError, Library, ParseError, ShapeError, TypeCheckError, UolError, check, instantiate, parse
from uol.ir.render import show

HEAD = "op f(x: f32[N]) -> (y: f32[N]) "

LIBRARY = """
op relu(x: T[*S]) -> (y: T[*S]) for T in (f32, f16) { y[*s] = max(x[*s], 0) }
op pool(x: f32[N]; k: int) -> (y: f32[N - k]) where k >= 0 { y[i] = x[i + k] }
op two(x: f32[N]) -> (a: f32[N], b: f32[N]) { a[i] = x[i]; b[i] = x[i] }
"""


@dataclass(frozen=True)
class Case:
    text: str
    kind: type[UolError]
    line: int
    column: int
    message: str
    hint: str | None


SYNTAX = [
    Case(
        "",
        ParseError,
        1,
        1,
        "the text ends, expected `op` or `uol`",
        "an operator starts with `op`, its name and its inputs: `op relu(x: T[*S]) -> (y: T[*S]) { ... }`",
    ),
    Case(
        "relu(x: f32[N]) -> (y: f32[N]) {}",
        ParseError,
        1,
        1,
        "found `relu`, expected `op` or `uol`",
        "an operator starts with `op`, its name and its inputs: `op relu(x: T[*S]) -> (y: T[*S]) { ... }`",
    ),
    Case(
        "op f(x: f32[N]) -> y: f32[N] { y[i] = x[i] }",
        ParseError,
        1,
        20,
        "found `y`, expected `(`",
        "results stand in parentheses: `-> (y: T[N])`",
    ),
    Case(
        "op f(x: f32[N]) { y[i] = x[i] }",
        ParseError,
        1,
        17,
        "found `{`, expected `->`",
        "an operator names its results: `-> (y: T[N])`",
    ),
    Case(
        "op f(x: f32) -> (y: f32[]) { y[] = x }",
        ParseError,
        1,
        12,
        "found `)`, expected `[`",
        "a parameter is `name: type[dims]`, a single value `name: type[]`",
    ),
    Case(
        "op f(x: f32[N], k: int = 1) -> (y: f32[N]) { y[i] = x[i] }",
        ParseError,
        1,
        24,
        "found `=`, expected `[`",
        "attributes stand after a `;`: `(x: T[N]; stride: int = 1)`",
    ),
    Case(
        "op f(x: T[N]) -> (y: T[N]) for T in f32 { y[i] = x[i] }",
        ParseError,
        1,
        37,
        "found `f32`, expected `(`",
        "a type set is `for T in (f32, f16)`",
    ),
    Case(
        HEAD + "where N = 3 { y[i] = x[i] }",
        ParseError,
        1,
        40,
        "found `=`, expected `(`, `,`, `[`, `{` or an operator",
        "`==` compares; `=` stands once in a statement, after its target",
    ),
    Case(
        HEAD + "{\n  y[i] = select(0 <= i < N, x[i], 0)\n}",
        ParseError,
        2,
        24,
        "found `<`, expected `)`, `,`, `;` or an operator",
        "comparisons do not chain: write `0 <= i and i < N`",
    ),
    Case(
        HEAD + "{\n  y = x\n}",
        ParseError,
        2,
        5,
        "found `=`, expected `[`",
        "a statement is `target[indices] = value`",
    ),
    Case(
        HEAD + "{\n  y[i] -= x[i]\n}",
        ParseError,
        2,
        8,
        "found `-`, expected `+=` or `=`",
        "a scatter uses `+=`; other compound assignments do not exist",
    ),
    Case(
        HEAD + "{\n  y[i] = x[i] if x[i] > 0 else 0\n}",
        ParseError,
        2,
        18,
        "found `x`, expected `[`",
        "write the branches as `select(condition, a, b)`",
    ),
    Case(
        HEAD + "{\n  y[i] = sum[k] x[k]\n}",
        ParseError,
        2,
        17,
        "found `x`, expected `(`",
        "the body of a reduction stands in parentheses: `sum[k](x[k])`",
    ),
    Case(
        HEAD + "{\n  y[i] = sum[](x[i])\n}",
        ParseError,
        2,
        14,
        "found `]`, expected a name or an operator",
        "a reduction names its indices: `sum[k](x[k])`",
    ),
    Case(
        HEAD + "{\n  y[i] = x[i] +\n}",
        ParseError,
        3,
        1,
        "found `}`, expected a value",
        "an operand is missing",
    ),
    Case(
        HEAD + "y[i] = x[i]",
        ParseError,
        1,
        32,
        "found `y`, expected `for`, `where` or `{`",
        "the body of an operator stands in braces: `{ y[i] = x[i] }`",
    ),
    Case(
        HEAD + "{\n  y[i] = x[i]\n",
        ParseError,
        2,
        14,
        "the text ends, expected `(`, `;`, `else`, `}`, a name or an operator",
        "a `{` or `(` is not closed",
    ),
    Case(
        HEAD + "{\n  y[i] = f(x, stride=2)[i]\n}",
        ParseError,
        2,
        21,
        "found `=`, expected `(`, `)`, `,`, `;`, `[` or an operator",
        "a call's attributes follow its tensors after a `;`: `conv2d(x, w; stride=2)`",
    ),
    Case(
        HEAD + "{\n  y[i] = 2x[i]\n}",
        ParseError,
        2,
        10,
        "a number runs into a name",
        "a name starts with a letter; write `2*x`, `1e-5`, `1.0`",
    ),
    Case(
        HEAD + "{\n  y[i] = x[i] && x[i]\n}",
        ParseError,
        2,
        15,
        "the character '&' has no meaning here",
        "use `and`",
    ),
    Case(
        HEAD + "{\n  y[i] = .5 * x[i]\n}",
        ParseError,
        2,
        10,
        "the character '.' has no meaning here",
        "a number needs a digit before its point: `0.5`",
    ),
    Case(
        HEAD + "{\n  y[i] = 'a'\n}",
        ParseError,
        2,
        10,
        'the character "\'" has no meaning here',
        "the language has no strings",
    ),
    Case(
        "uol 2\nop f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }",
        ParseError,
        1,
        5,
        "this text is of language version 2; this compiler knows version 1",
        "write `uol 1`, or use a newer compiler",
    ),
    Case(
        HEAD + "{ y[i] = x[i] }\nop f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }",
        ParseError,
        2,
        4,
        "the text defines `f` twice",
        "rename one of them",
    ),
    Case(
        HEAD + "{\n  y[i] = x[i] else\n}",
        ParseError,
        3,
        1,
        "found `}`, expected a value",
        "`else` needs a value: `x[i - 1] else 0`",
    ),
    Case(
        HEAD + "{\n  y[for] = x[for]\n}",
        ParseError,
        2,
        5,
        "found `for`, expected a value",
        None,
    ),
    Case(
        "op f(x: f32[N) -> (y: f32[N]) {}",
        ParseError,
        1,
        14,
        "found `)`, expected `]`",
        "a `[` is not closed",
    ),
    Case(
        HEAD + "{ y[i] = x[i]] }",
        ParseError,
        1,
        45,
        "found `]`, expected `(`, `;`, `}`, a name or an operator",
        None,
    ),
    Case(
        HEAD + "{ y[i] = (x[i] }",
        ParseError,
        1,
        47,
        "found `}`, expected `)` or an operator",
        "a `(` is not closed",
    ),
    Case(
        HEAD + "{ y(i) = x[i] }",
        ParseError,
        1,
        35,
        "found `(`, expected `[`",
        "a statement is `target[indices] = value`",
    ),
    Case(
        "op f(x: f32[N]; int k) -> (y: f32[N]) {}",
        ParseError,
        1,
        21,
        "found `k`, expected `:`",
        "an attribute is `name: int` or `name: float = 1.0`",
    ),
    Case(
        HEAD + "{ y[i] = x[i] ** 2 }",
        ParseError,
        1,
        47,
        "found `*`, expected a value",
        "a power is `pow(x, y)`, a square `x * x`",
    ),
    Case(
        HEAD + "{ y[i] = x[i]; ; }",
        ParseError,
        1,
        47,
        "found `;`, expected `(`, `}` or a name",
        None,
    ),
    Case(
        HEAD + "{ y[i] == x[i] }",
        ParseError,
        1,
        40,
        "found `=`, expected a value",
        "a statement is `target[indices] = value`",
    ),
    Case(
        HEAD + "{ y[i] = max[k](x[k] }",
        ParseError,
        1,
        53,
        "found `}`, expected `)`, `,` or an operator",
        "a `(` is not closed",
    ),
    Case(
        HEAD + "{ y[i] = x[i, ] }",
        ParseError,
        1,
        46,
        "found `]`, expected a value",
        None,
    ),
    Case(
        "op f(x: f32[*]) -> (y: f32[N]) {}",
        ParseError,
        1,
        14,
        "found `]`, expected a name",
        None,
    ),
    Case(
        "op f(x: f32[N]) -> () {}",
        ParseError,
        1,
        21,
        "found `)`, expected a name",
        None,
    ),
    Case(
        "op (x: f32[N]) -> (y: f32[N]) {}",
        ParseError,
        1,
        4,
        "found `(`, expected a name",
        None,
    ),
    Case(
        HEAD + "for { y[i] = x[i] }",
        ParseError,
        1,
        36,
        "found `{`, expected a name",
        None,
    ),
    Case(
        "op f(x: f32[N]) (y: f32[N]) { y[i] = x[i] }",
        ParseError,
        1,
        17,
        "found `(`, expected `->`",
        "an operator names its results: `-> (y: T[N])`",
    ),
    Case(
        "op f(x: f32[N]) => (y: f32[N]) { y[i] = x[i] }",
        ParseError,
        1,
        17,
        "found `=`, expected `->`",
        "an operator names its results: `-> (y: T[N])`",
    ),
]

MEANING = [
    Case(
        HEAD + "{ y[i] = x[j] }",
        TypeCheckError,
        1,
        43,
        "unknown name `j`",
        "an index stands in the target, or in the brackets of a reduction",
    ),
    Case(
        HEAD + "{ y[i] = z[i] }",
        TypeCheckError,
        1,
        41,
        "unknown tensor `z`",
        None,
    ),
    Case(
        HEAD + "{ y[i] = x }",
        TypeCheckError,
        1,
        41,
        "`x` is a tensor and needs its indices",
        "write `x[...]`",
    ),
    Case(
        HEAD + "{ y[i] = foo(x[i]) }",
        TypeCheckError,
        1,
        41,
        "unknown function `foo`",
        "did you mean `floor`?",
    ),
    Case(
        HEAD + "{ y[i] = expp(x[i]) }",
        TypeCheckError,
        1,
        41,
        "unknown function `expp`",
        "did you mean `exp`?",
    ),
    Case(
        HEAD + "{ y[i] = x[i + 1] }",
        BoundsError,
        1,
        43,
        "cannot prove `i + 1 < N` for dim 0 of `x`: it ranges from 1 to N, the dim is N",
        "add `else value` to the access, or what must hold to the `where` clause",
    ),
    Case(
        HEAD + "{ y[i] = x[i, i] }",
        TypeCheckError,
        1,
        41,
        "`x` has 1 dim [N], the access has 2 indices",
        None,
    ),
    Case(
        "op f(x: f16[N]) -> (y: f32[N]) { y[i] = x[i] }",
        TypeCheckError,
        1,
        41,
        "`y` is f32, the value is f16",
        "cast it: `f32(...)`",
    ),
    Case(
        "op f(x: f16[N], z: f32[N]) -> (y: f32[N]) { y[i] = x[i] + z[i] }",
        TypeCheckError,
        1,
        52,
        "`+` of f16 and f32: both sides have one type",
        "cast one of them: `f32(...)`",
    ),
    Case(
        "op f(x: f16[N, K]) -> (y: f16[N]) { y[i] = sum[k](x[i, k]) }",
        TypeCheckError,
        1,
        44,
        "`sum` of f16 would lose digits",
        "accumulate wider: `sum[...](acc(...))`",
    ),
    Case(
        "op f(x: f32[N], z: f32[M]) -> (y: f32[N]) { y[i] = x[i] + z[i] }",
        TypeCheckError,
        1,
        61,
        "the index `i` runs over M here and over N at line 1, column 47",
        "add `where N == M`, or use two indices",
    ),
    Case(
        "op f(x: f31[N]) -> (y: f32[N]) { y[i] = x[i] }",
        TypeCheckError,
        1,
        6,
        "unknown type `f31`",
        "did you mean `f32`?",
    ),
    Case(
        "op f(x: T[N]) -> (y: T[N]) for T in (f32, f17) { y[i] = x[i] }",
        TypeCheckError,
        1,
        32,
        "unknown type `f17`",
        "did you mean `f16`?",
    ),
    Case(
        HEAD + "{ y[N] = x[N] }",
        TypeCheckError,
        1,
        36,
        "`N` is a dim and cannot be an index too",
        "choose another name",
    ),
    Case(
        HEAD + "{ y[i] = x[i]\n  y[i] = x[i] }",
        TypeCheckError,
        2,
        3,
        "`y` is defined already",
        "a tensor is defined once; give this one another name",
    ),
    Case(
        HEAD + "{ x[i] = x[i] }",
        TypeCheckError,
        1,
        34,
        "`x` is an input",
        "a tensor is defined once; give this one another name",
    ),
    Case(
        HEAD + "{ t[i] = x[i] }",
        TypeCheckError,
        1,
        21,
        "the result `y` is never defined",
        "add `y[...] = ...`",
    ),
    Case(
        HEAD + "{ y[i] = t[i]\n  t[i] = x[i] }",
        TypeCheckError,
        1,
        41,
        "`t` is read before the statement that defines it",
        "reorder the statements",
    ),
    Case(
        "op f(x: f32[N, M]) -> (y: f32[N]) { y[i] = x[i, i] }",
        TypeCheckError,
        1,
        49,
        "the index `i` runs over M here and over N at line 1, column 39",
        "add `where N == M`, or use two indices",
    ),
    Case(
        "op f(x: f32[N], n: f32[N]) -> (y: f32[n]) { y[i] = x[i] }",
        TypeCheckError,
        1,
        39,
        "`n` is a tensor and cannot be a dim too",
        "choose another name",
    ),
    Case(
        "op f(x: f32[N]; x: int) -> (y: f32[N]) { y[i] = x[i] }",
        TypeCheckError,
        1,
        17,
        "`x` is a tensor already",
        "give an attribute another name",
    ),
    Case(
        "op exp2(x: f32[N]) -> (exp: f32[N]) { exp[i] = x[i] }",
        TypeCheckError,
        1,
        24,
        "`exp` is a word of the language and cannot name a tensor",
        "choose another name",
    ),
    Case(
        "op f(x: f32[N]) -> (y: f32[M]) { y[i] = x[i] else 0 }",
        TypeCheckError,
        1,
        28,
        "unknown name `M`",
        "a dim is named by an input; add it there, or as an attribute",
    ),
    Case(
        "op f(x: f32[N]; s: int) -> (y: f32[N / s]) { y[i] = x[i] else 0 }",
        BoundsError,
        1,
        40,
        "the divisor `s` is not known to be positive",
        "add `where s > 0`",
    ),
    Case(
        "op f(x: f32[N]; s: int) -> (y: f32[N]) { y[i] = x[i / s] }",
        BoundsError,
        1,
        55,
        "the divisor `s` is not known to be positive",
        "add `where s > 0`",
    ),
    Case(
        "op f(x: f32[N], at: i32[M]) -> (y: f32[M]) { y[m] = x[at[m]] }",
        BoundsError,
        1,
        55,
        "cannot prove `at[m] >= 0` for dim 0 of `x`: it ranges from -2147483648 to 2147483647, the dim is N",
        "add `else value` to the access, or what must hold to the `where` clause",
    ),
    Case(
        "op f(x: f32[N], at: f32[M]) -> (y: f32[M]) { y[m] = x[at[m]] else 0 }",
        TypeCheckError,
        1,
        55,
        "an index is an integer, not f32",
        "cast it: `i64(...)`",
    ),
    Case(
        HEAD + "{ y[i] = x[i] else i }",
        TypeCheckError,
        1,
        51,
        "the `else` of `x` is f32, the value is i64",
        "cast it: `f32(...)`",
    ),
    Case(
        HEAD + "{ y[i] = f32(i) + i }",
        TypeCheckError,
        1,
        41,
        "`+` of f32 and i64: both sides have one type",
        "cast one of them: `f32(...)`",
    ),
    Case(
        HEAD + "{ y[i] = select(x[i], 1, 0) }",
        TypeCheckError,
        1,
        48,
        "a condition is needed here, the value is f32",
        "compare it: `... != 0`",
    ),
    Case(
        HEAD + "{ y[i] = not x[i] }",
        TypeCheckError,
        1,
        41,
        "`not` is for bool, not f32",
        "compare the value: `... != 0`",
    ),
    Case(
        HEAD + "{ y[i] = x[i] and x[i] }",
        TypeCheckError,
        1,
        41,
        "a condition is needed here, the value is f32",
        "compare it: `... != 0`",
    ),
    Case(
        HEAD + "{ y[i] = x[i] % 2 }",
        TypeCheckError,
        1,
        41,
        "`%` is for integers, not f32",
        None,
    ),
    Case(
        "op f(x: i32[N]) -> (y: i32[N]) { y[i] = exp(x[i]) }",
        TypeCheckError,
        1,
        41,
        "`exp` is not for i32",
        "cast its argument: `f32(...)`",
    ),
    Case(
        "op f(x: i32[N]) -> (y: i32[N]) { y[i] = x[i] + 0.5 }",
        TypeCheckError,
        1,
        48,
        "`0.5` stands where an i32 is needed",
        "write a whole number, or cast",
    ),
    Case(
        "op f(x: i8[N]) -> (y: i8[N]) { y[i] = x[i] + 300 }",
        TypeCheckError,
        1,
        46,
        "300 does not fit in i8",
        None,
    ),
    Case(
        HEAD + "{ y[i] = sum[i](x[i]) }",
        TypeCheckError,
        1,
        45,
        "`i` is an index of the statement already",
        "reduce over another name",
    ),
    Case(
        HEAD + "{ y[i] = sum[k](1) }",
        TypeCheckError,
        1,
        45,
        "nothing says how far `k` runs",
        "let it stand alone in an index, or bound it: `k < K`",
    ),
    Case(
        HEAD + "{ y[i] = sum[k < 3, k](x[k] else 0) * exp(1, 2) }",
        TypeCheckError,
        1,
        70,
        "`exp` takes 1 argument, not 2",
        None,
    ),
    Case(
        HEAD + "{ y[i] = any[k](x[k]) }",
        TypeCheckError,
        1,
        41,
        "`any` is for bool, not f32",
        "compare the value: `... != 0`",
    ),
    Case(
        HEAD + "{ y[i] = sum[k == i](x[k]) }",
        TypeCheckError,
        1,
        45,
        "`==` does not bind an index",
        "use `select` in the body",
    ),
    Case(
        HEAD + "{ y[i] = f32(argmax[k > i](x[k])) }",
        BoundsError,
        1,
        45,
        "`argmax` over a window that may be empty",
        "choose bounds that always hold one index",
    ),
    Case(
        HEAD + "{ a[i] = 1\n  y[i] = a[i] }",
        TypeCheckError,
        1,
        36,
        "nothing says how far `i` runs",
        "let it stand alone in an index of the right side",
    ),
    Case(
        HEAD + "{ a[k] = f32(k)\n  y[i] = x[i] }",
        TypeCheckError,
        1,
        36,
        "nothing says how far `k` runs",
        "let it stand alone in an index of the right side",
    ),
    Case(
        HEAD + "{ y[i] = x[i] * k }",
        TypeCheckError,
        1,
        48,
        "unknown name `k`",
        "an index stands in the target, or in the brackets of a reduction",
    ),
    Case(
        HEAD + "{ y[0] = x[0] }",
        TypeCheckError,
        1,
        36,
        "the target of `=` is indexed by plain indices",
        "compute the index where it is read",
    ),
    Case(
        "op f(x: f32[N, N]) -> (y: f32[N, N]) { y[i, i] = x[i, i] }",
        TypeCheckError,
        1,
        45,
        "the index `i` stands twice in the target",
        "use two indices and `select`",
    ),
    Case(
        "op f(x: f32[*S], z: f32[N]) -> (y: f32[*S]) { y[*s] = z[*s] }",
        TypeCheckError,
        1,
        57,
        "`z` has no pack of dims",
        None,
    ),
    Case(
        "op f(x: f32[*S]) -> (y: f32[*S]) { y[i] = x[i] }",
        TypeCheckError,
        1,
        36,
        "`y` has the dims `*S`, which take a pack of indices",
        None,
    ),
    Case(
        "op f(x: f32[*S, *R]) -> (y: f32[*S]) { y[*s] = x[*s, *r] }",
        TypeCheckError,
        1,
        17,
        "a tensor has at most one pack of dims",
        None,
    ),
    Case(
        "op f(x: f32[*S]) -> (y: f32[*R]) { y[*s] = x[*s] }",
        TypeCheckError,
        1,
        29,
        "no input has the dims `*R`",
        None,
    ),
    Case(
        "op f(x: f32[*S]) -> (y: f32[]) { y[] = f32(count(*R)) }",
        TypeCheckError,
        1,
        50,
        "no input has the dims `*R`",
        None,
    ),
    Case(
        "op f(x: f32[*S]) -> (y: f32[*S]) { y[*s] = exp(*s) }",
        TypeCheckError,
        1,
        48,
        "`exp` takes no pack",
        "only `count(*S)` and `flat(*s)` do",
    ),
    Case(
        "op f(x: f32[N]; k: bool) -> (y: f32[N]) { y[i] = x[i] }",
        TypeCheckError,
        1,
        17,
        "an attribute is `int` or `float`, not `bool`",
        None,
    ),
    Case(
        "op f(x: f32[N]; k: int = 1.5) -> (y: f32[N - k]) { y[i] = x[i] }",
        TypeCheckError,
        1,
        26,
        "`1.5` stands where an integer is needed",
        "write a whole number, or cast",
    ),
    Case(
        "op f(x: f32[N]) -> (y: f32[N], z: f32[N]) { y[i] = x[i] }",
        TypeCheckError,
        1,
        32,
        "the result `z` is never defined",
        "add `z[...] = ...`",
    ),
    Case(
        HEAD + "{ y[i] = random_bits(1, i) }",
        TypeCheckError,
        1,
        41,
        "`random_bits`: not in this version yet",
        None,
    ),
    Case(
        HEAD + "{ y[i] += x[i] }",
        TypeCheckError,
        1,
        34,
        "a scatter (`+=`): not in this version yet",
        None,
    ),
    Case(
        HEAD + "{ (y[i], z[i]) = topk[k](x[k], 2) }",
        TypeCheckError,
        1,
        34,
        "several results of a call: not in this version yet",
        None,
    ),
    Case(
        HEAD + "{ y[i] = topk[k](x[k], 2) }",
        TypeCheckError,
        1,
        41,
        "`topk`: not in this version yet",
        None,
    ),
    Case(
        "op f(x: f32[N], i: i32[N]) -> (y: f32[N]) where sorted(i) { y[n] = x[n] }",
        TypeCheckError,
        1,
        49,
        "`sorted`: not in this version yet",
        None,
    ),
    Case(
        HEAD + "{ y[i] = g(x)[i] }",
        TypeCheckError,
        1,
        41,
        "unknown operator `g`",
        None,
    ),
    Case(
        HEAD + "{ y[i] = relu(x[i])[i] }",
        TypeCheckError,
        1,
        46,
        "an operator takes whole tensors",
        "name the tensor without its indices; attributes follow a `;`",
    ),
    Case(
        HEAD + "{ y[i] = relu(x)[i, i] }",
        TypeCheckError,
        1,
        41,
        "`relu(...)` has 1 dim [N], the access has 2 indices",
        None,
    ),
    Case(
        HEAD + "{ y[i] = relu(x; k=1)[i] }",
        TypeCheckError,
        1,
        49,
        "`relu` has no attribute `k`",
        None,
    ),
    Case(
        HEAD + "{ y[i] = relu(x) }",
        TypeCheckError,
        1,
        41,
        "the result of the operator `relu` needs its indices",
        "write `relu(...)[...]`",
    ),
    Case(
        HEAD + "{ y[i] = f(x)[i] }",
        TypeCheckError,
        1,
        41,
        "operators do not call themselves: f -> f",
        None,
    ),
    Case(
        HEAD + "{ y[i] = relu(x, x)[i] }",
        TypeCheckError,
        1,
        41,
        "`relu` takes 1 tensor, not 2",
        "its inputs are x",
    ),
    Case(
        "op f(x: i32[N]) -> (y: i32[N]) { y[i] = relu(x)[i] }",
        TypeCheckError,
        1,
        41,
        "`relu` is not for i32",
        "it is for f32, f16",
    ),
    Case(
        HEAD + "{ y[i] = pool(x)[i] }",
        TypeCheckError,
        1,
        41,
        "the attribute `k` of `pool` is not given",
        "add `; k=...`",
    ),
    Case(
        HEAD + "{ y[i] = pool(x; k=i)[i] }",
        TypeCheckError,
        1,
        51,
        "an attribute is made of literals, dims and attributes",
        None,
    ),
    Case(
        HEAD + "{ y[i] = two(x)[i] }",
        TypeCheckError,
        1,
        41,
        "a call of `two`, which has several results: not in this version yet",
        None,
    ),
    Case(
        "op f(x: f32[N]; k: int) -> (y: f32[N]) where N { y[i] = x[i] }",
        TypeCheckError,
        1,
        46,
        "a condition is needed here",
        "compare with `==`, `<`, ...; or write `true`, `false`",
    ),
    Case(
        HEAD + "{ y[i] = 3 < 4 }",
        TypeCheckError,
        1,
        41,
        "a condition stands where an f32 is needed",
        "use `select(condition, a, b)`",
    ),
    Case(
        HEAD + "{ y[i] = acc(3) }",
        TypeCheckError,
        1,
        41,
        "`acc` needs a value that has a type",
        "write the type: `f32(...)`",
    ),
    Case(
        HEAD + "{ y[i] = max(x[i]) }",
        TypeCheckError,
        1,
        41,
        "`max` takes 2 arguments, not 1",
        None,
    ),
    Case(
        HEAD + "{ y[i] = bool(x[i]) }",
        TypeCheckError,
        1,
        41,
        "no cast from f32 to bool",
        "compare the value: `... != 0`",
    ),
    Case(
        HEAD + "{ y[i] = x[99999999999] }",
        TypeCheckError,
        1,
        43,
        "99999999999 does not fit in an index",
        None,
    ),
    Case(
        HEAD + "{ y[i] = x[2.5] }",
        TypeCheckError,
        1,
        43,
        "`2.5` stands where an integer is needed",
        "write a whole number, or cast",
    ),
    Case(
        HEAD + "{ y[i] = x(i) }",
        TypeCheckError,
        1,
        41,
        "`x` is a tensor",
        "index it with brackets: `x[...]`",
    ),
    Case(
        HEAD + "{ y[i] = sum(x[i]) }",
        TypeCheckError,
        1,
        41,
        "`sum` reduces over named indices",
        "write `sum[k](...)`",
    ),
    Case(
        HEAD + "{ y[i] = N[i] }",
        TypeCheckError,
        1,
        41,
        "`N` is a dim and cannot be a tensor too",
        "choose another name",
    ),
    Case(
        "op f(x: f32[N]; e: float) -> (y: f32[N + e]) { y[i] = x[i] }",
        TypeCheckError,
        1,
        42,
        "the attribute `e` is a float; an integer is needed here",
        None,
    ),
    Case(
        "op f(x: f32[N]; e: float) -> (y: f32[N]) { y[i] = x[i + e] }",
        TypeCheckError,
        1,
        57,
        "the attribute `e` is a float; an integer is needed here",
        None,
    ),
]


def assert_reported(error: UolError, case: Case) -> None:
    assert type(error) is case.kind
    assert error.span is not None
    assert (error.span.line, error.span.column) == (case.line, case.column)
    assert error.message == case.message
    assert error.hint == case.hint
    report = str(error).splitlines()
    assert report[0] == f"<text>:{case.line}:{case.column}: {case.kind.__name__}: {case.message}"
    if case.text:
        assert report[1] == "  " + case.text.splitlines()[case.line - 1]
        assert report[2].index("^") == case.column + 1


@pytest.mark.parametrize("case", SYNTAX, ids=lambda c: c.text[:60])
def test_syntax(case: Case) -> None:
    with pytest.raises(ParseError) as caught:
        parse(case.text)
    assert_reported(caught.value, case)


@pytest.mark.parametrize("case", MEANING, ids=lambda c: c.text[:60])
def test_meaning(case: Case) -> None:
    op = parse(case.text)[0]
    library = Library(parse(LIBRARY))
    library.add(op)
    with pytest.raises(UolError) as caught:
        check(op, library)
    assert_reported(caught.value, case)


def test_deep_nesting_is_an_error_and_not_a_crash() -> None:
    with pytest.raises(ParseError, match="expressions are nested more than 64 deep here"):
        parse(HEAD + "{ y[i] = " + "-" * 5000 + "x[i] }")
    with pytest.raises(ParseError, match="expressions are nested more than 64 deep here"):
        parse(HEAD + "{ y[i] = " + " + ".join(["x[i]"] * 3000) + " }")
    flat = parse(HEAD + "{ y[i] = " + "(" * 3000 + "x[i]" + ")" * 3000 + " }")  # parentheses leave no trace
    assert flat == parse(HEAD + "{ y[i] = x[i] }")


def test_an_error_names_its_file() -> None:
    with pytest.raises(ParseError, match=r"^ops/f.uol:1:1: ParseError: found `f`"):
        parse("f", "ops/f.uol")


CALLS = [
    (dict(types={}), TypeCheckError, "the type `T` of `op1` is not given"),
    (dict(types={"T": "i32"}), TypeCheckError, "`op1` is not for i32"),
    (dict(types={"T": "f32", "U": "f32"}), TypeCheckError, "`op1` has no type variable `U`"),
    (dict(types={"T": "f32"}, ranks={}), TypeCheckError, "the rank of `*S` is not given"),
    (dict(types={"T": "f32"}, dims={"Q": 3}), ShapeError, "`op1` has no dim `Q`"),
    (dict(types={"T": "f32"}, dims={"C": -3}), ShapeError, "the dim `C` of `op1` is -3, below zero"),
    (dict(types={"T": "f32"}, attrs={"z": 3}), ShapeError, "`op1` has no attribute `z`"),
    (dict(types={"T": "f32"}, attrs={"k": 1.5}), ShapeError, "the attribute `k` of `op1` is an integer, not 1.5"),
    (dict(types={"T": "f32"}, attrs={"k": 0}), ShapeError, "the `where` clause of `op1` does not hold: k = 0"),
    (dict(types={"T": "f32"}, dims={"C": 2}, attrs={"k": 5}), ShapeError, "this dim is -3, below zero"),
]


@pytest.mark.parametrize(("given", "kind", "message"), CALLS, ids=[m for _, _, m in CALLS])
def test_what_a_call_gives(given: dict, kind: type[UolError], message: str) -> None:
    text = "op op1(x: T[*S, C]; k: int) -> (y: T[*S, C - k]) for T in (f32, f16) where k > 0 { y[*s, c] = x[*s, c + k] }"
    op = parse(text)[0]
    with pytest.raises(kind) as caught:
        instantiate(op, Library([op]), **{"ranks": {"S": 1}, **given})
    assert caught.value.message == message


def test_a_constant_index_outside_is_a_shape_error() -> None:
    op = parse(HEAD + "{ y[i] = x[3] }")[0]
    assert [show(c) for c in instantiate(op, Library(), types={}).checks] == ["3 < N"]
    with pytest.raises(ShapeError, match="`x` is read at 3 in dim 0, of size 2"):
        instantiate(op, Library(), types={}, dims={"N": 2})
    instantiate(op, Library(), types={}, dims={"N": 4})
