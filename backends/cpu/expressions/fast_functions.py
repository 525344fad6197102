"""The built-in functions as f32 polynomials that vectorise: no calls, no branches, no lanes that differ.

    exp     2**n * e**r,        n = round(x / ln 2), |r| <= ln 2 / 2
    exp2    2**n * 2**f,        n = round(x), |f| <= 1/2
    expm1   2**n (e**r - 1) + (2**n - 1)
    log     n ln 2 + 2 atanh(s), x = 2**n (1 + f), s = f / (2 + f), |s| <= 0.1716
    log2    n + 2 atanh(s) / ln 2
    log1p   log(u) + (x - (u - 1)) / u, u = 1 + x rounded
    tanh    -e / (2 + e), e = e**-2|x| - 1, with the sign of x
    erf     1 - e**-p,  p = x + x P(x), |x| <= 4

Coefficients are minimax fits (Remez exchange, 40 digits) on those intervals. Measured errors, in ulp, over dense samples
of all arguments: exp 1.05, exp2 0.96, expm1 1.60, log 0.85, log2 0.93, log1p 0.86, tanh 1.94, erf 1.84; the tests hold
them to the bounds of `uol.ir.functions`. Infinities and NaN come out as from the C library, and so do subnormal numbers, but
for those that exp and exp2 would give: 0 takes their place, as the contract admits. A processor takes a hundred cycles or more
for each multiplication of one, so that a product with the exponentials of a softmax or of a gelu's gradient takes five times as
long where some of its factors are subnormal. Other functions and f64 go to the C library.
"""

from __future__ import annotations

from collections.abc import Sequence

from tvm import tirx

from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.exact_functions import EXACT, Function

EXP_MIN, EXP_MAX = -87.33654022216797, 89.0
"""Below the first e**x is subnormal, at the other it overflows: arguments are clamped there."""
EXP2_MIN, EXP2_MAX = -126.0, 129.0
EXPM1_MIN = -18.0
"""Below, e**x - 1 rounds to -1."""
LOG2_E = 1.4426950408889634
LOG2_E_HIGH, LOG2_E_LOW = 1.44268798828125, 7.05260771340735e-06
"""In two parts, the first of 17 digits."""
LN2_HIGH, LN2_LOW = 0.693145751953125, 1.428606765330187e-06
"""ln 2 in two parts; the first has 16 digits, so that its product with an exponent is exact."""
ROUNDER = 12582912.0
"""1.5 * 2**23: adding it leaves the nearest integer in the low bits of the sum."""
ROUNDER_BITS = 0x4B400000

EXP_TAIL = (0.5000000100916522, 0.16666512894804142, 0.04166618751076171, 0.008369597908127477, 0.001395170310629409)
EXP2_TAIL = (
    0.6931472078252812,
    0.24022651385464752,
    0.05550324419743797,
    0.009617998868496963,
    0.0013401611623741559,
    0.0001547774590128756,
)
ATANH_TAIL = (0.6666666655238196, 0.4000012327307054, 0.2855067845804836, 0.23333973729373073)
RECIPROCAL = (2.82842287694974, -2.9393414211438476, 1.3310225303292895, -0.2218370883882149)
"""1 / d, 1 <= d <= 2, but for 0.0017 of it: 1 - d P(d) is the Chebyshev polynomial of degree 4 by its value at d = 0."""
TANH_MAX = 10.0
ERF_TAIL = (
    0.1283791716104812,
    0.6366193816817644,
    0.1027778335285417,
    -0.01915307555204828,
    -0.00016037432847068188,
    0.001667005769392093,
    -0.0006328250764858177,
    0.00011763800556974783,
    -9.255904747762458e-06,
)
ERF_MAX = 4.0


def _f(value: float) -> Term:
    return tirx.const(value, "float32")


def _i(value: int) -> Term:
    return tirx.const(value, "int32")


def _bits(x: Term) -> Term:
    return tirx.reinterpret("int32", x)


def _float(bits: Term) -> Term:
    return tirx.reinterpret("float32", bits)


def _polynomial(coefficients: Sequence[float], x: Term) -> Term:
    """Horner's scheme; each step is one fused multiply-add."""
    result = _f(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = tirx.Add(tirx.Mul(result, x), _f(c))
    return result


def _clamp(share: Share, x: Term, low: float, high: float) -> Term:
    """NaN passes: both comparisons are false."""
    x = share(x)
    x = share(tirx.Select(tirx.GT(x, _f(high)), _f(high), x))
    return tirx.Select(tirx.LT(x, _f(low)), _f(low), x)


def _below(x: Term, high: float) -> Term:
    """The lesser of both; NaN passes."""
    return tirx.Select(tirx.GT(x, _f(high)), _f(high), x)


def _scale(share: Share, mantissa: Term, exponent: Term) -> Term:
    """mantissa * 2**exponent in two steps, since 2**128 is no number."""
    exponent = share(exponent)
    half = exponent >> _i(1)
    first = _float((half + _i(127)) << _i(23))
    second = _float((exponent - half + _i(127)) << _i(23))
    return tirx.Mul(tirx.Mul(mantissa, first), second)


def _normal(x: Term, least: float, power: Term) -> Term:
    """A power of x, or 0 where x is below the least that has a normal one."""
    return tirx.Select(tirx.LT(x, _f(least)), _f(0.0), power)


def _exp(share: Share, x: Term) -> Term:
    x = share(x)
    power, exponent = _power(share, share(_clamp(share, x, EXP_MIN, EXP_MAX)))
    return _normal(x, EXP_MIN, _scale(share, power, exponent))


def _power(share: Share, x: Term) -> tuple[Term, Term]:
    """(e**r, n) with x = n ln 2 + r."""
    n, r = _reduced(share, x)
    power = tirx.Add(tirx.Add(tirx.Mul(tirx.Mul(_polynomial(EXP_TAIL, r), r), r), r), _f(1.0))
    return power, n


def _reduced(share: Share, x: Term) -> tuple[Term, Term]:
    """(n, r) with x = n ln 2 + r."""
    shifted = share(tirx.Add(tirx.Mul(x, _f(LOG2_E)), _f(ROUNDER)))
    n = share(tirx.Sub(shifted, _f(ROUNDER)))
    r = share(tirx.Sub(tirx.Sub(x, tirx.Mul(n, _f(LN2_HIGH))), tirx.Mul(n, _f(LN2_LOW))))
    return _bits(shifted) - _i(ROUNDER_BITS), r


def _expm1(share: Share, x: Term) -> Term:
    """With half of 2**n, since 2**128 is no number. Below 2**-25 the argument is the result, and keeps its sign."""
    x = share(x)
    n, r = _reduced(share, share(_clamp(share, x, EXPM1_MIN, EXP_MAX)))
    half = share(_float((n + _i(126)) << _i(23)))
    grown = tirx.Add(tirx.Mul(tirx.Mul(_polynomial(EXP_TAIL, r), r), r), r)
    result = share(tirx.Add(tirx.Mul(half, grown), tirx.Sub(half, _f(0.5))))
    return tirx.Select(tirx.LT(tirx.abs(x), _f(2.0**-25)), x, tirx.Add(result, result))


def _exp2(share: Share, x: Term) -> Term:
    x = share(x)
    within = share(_clamp(share, x, EXP2_MIN, EXP2_MAX))
    shifted = share(tirx.Add(within, _f(ROUNDER)))
    f = share(tirx.Sub(within, tirx.Sub(shifted, _f(ROUNDER))))
    power = tirx.Add(tirx.Mul(_polynomial(EXP2_TAIL, f), f), _f(1.0))
    return _normal(x, EXP2_MIN, _scale(share, power, _bits(shifted) - _i(ROUNDER_BITS)))


def _log(share: Share, x: Term) -> Term:
    x = share(x)
    n, f, tail = _mantissa_log(share, x)
    low = tirx.Add(tail, tirx.Mul(n, _f(LN2_LOW)))
    return _at_the_ends(x, tirx.Add(tirx.Add(low, f), tirx.Mul(n, _f(LN2_HIGH))))


def _log2(share: Share, x: Term) -> Term:
    x = share(x)
    n, f, tail = _mantissa_log(share, x)
    whole = share(tirx.Add(f, tail))
    rest = share(tirx.Add(tirx.Sub(f, whole), tail))  # what rounding the sum left out
    low = tirx.Add(tirx.Mul(whole, _f(LOG2_E_LOW)), tirx.Mul(rest, _f(LOG2_E)))
    return _at_the_ends(x, tirx.Add(tirx.Add(low, tirx.Mul(whole, _f(LOG2_E_HIGH))), n))


def _log1p(share: Share, x: Term) -> Term:
    """A sum that rounds to 1 is 1 + x for an x that is its own logarithm, to half an ulp."""
    x = share(x)
    u = share(tirx.Add(x, _f(1.0)))
    lost = tirx.Select(tirx.GT(x, _f(1.0)), tirx.Sub(_f(1.0), tirx.Sub(u, x)), tirx.Sub(x, tirx.Sub(u, _f(1.0))))
    n, f, tail = _mantissa_log(share, u)
    low = tirx.Add(tail, tirx.Add(tirx.Mul(n, _f(LN2_LOW)), tirx.Div(lost, u)))
    result = _at_the_ends(u, tirx.Add(tirx.Add(low, f), tirx.Mul(n, _f(LN2_HIGH))))
    return tirx.Select(tirx.EQ(u, _f(1.0)), x, result)


def _mantissa_log(share: Share, x: Term) -> tuple[Term, Term, Term]:
    """(n, f, log(1 + f) - f) with x = 2**n (1 + f): the last is small beside f."""
    tiny = tirx.LT(x, _f(2.0**-126))
    scaled = tirx.Select(tiny, tirx.Mul(x, _f(2.0**23)), x)
    root_half = 0x3F3504F3  # the bits of sqrt(1/2): mantissas go from there to sqrt(2)
    shifted = share(_bits(scaled) + _i(0x3F800000 - root_half))
    n = share(tirx.Cast("float32", (shifted >> _i(23)) - tirx.Select(tiny, _i(150), _i(127))))
    f = share(tirx.Sub(_float((shifted & _i(0x007FFFFF)) + _i(root_half)), _f(1.0)))
    s = share(tirx.Div(f, tirx.Add(f, _f(2.0))))
    z = share(tirx.Mul(s, s))
    half_square = share(tirx.Mul(tirx.Mul(f, f), _f(0.5)))
    # 2 atanh(s) = f - f**2/2 + s (f**2/2 + z P(z)): the leading terms are exact in f
    tail = tirx.Mul(s, tirx.Add(half_square, tirx.Mul(z, _polynomial(ATANH_TAIL, z))))
    return n, f, share(tirx.Sub(tail, half_square))


def _at_the_ends(x: Term, logarithm: Term) -> Term:
    """The logarithm of x, where x is infinite, NaN, 0 or negative, too."""
    infinite = tirx.EQ(x, _f(float("inf")))
    result = tirx.Select(tirx.Or(infinite, tirx.Not(tirx.EQ(x, x))), x, logarithm)
    result = tirx.Select(tirx.EQ(x, _f(0.0)), _f(float("-inf")), result)
    return tirx.Select(tirx.LT(x, _f(0.0)), _f(float("nan")), result)


def _tanh(share: Share, x: Term) -> Term:
    """With e = 2**n e**2r - 1 and d = 2 + e: e by a reciprocal of d, and once more what that leaves of e, by 2 + e before it
    is rounded. A division would take as long as all the rest."""
    x = share(x)
    magnitude = share(_below(share(tirx.abs(x)), TANH_MAX))
    shifted = share(tirx.Add(tirx.Mul(magnitude, _f(-2 * LOG2_E)), _f(ROUNDER)))
    n = share(tirx.Sub(shifted, _f(ROUNDER)))
    r = share(tirx.Sub(tirx.Sub(tirx.Mul(n, _f(-LN2_HIGH / 2)), magnitude), tirx.Mul(n, _f(LN2_LOW / 2))))
    tail = _polynomial([c * 2.0**power for power, c in enumerate(EXP_TAIL, start=2)], r)  # of 2r
    grown = tirx.Add(tirx.Mul(tirx.Mul(tail, r), r), tirx.Add(r, r))
    scale = share(_float((_bits(shifted) - _i(ROUNDER_BITS - 127)) << _i(23)))
    e = share(tirx.Add(tirx.Mul(scale, grown), tirx.Sub(scale, _f(1.0))))
    d = share(tirx.Add(e, _f(2.0)))
    near = share(_polynomial(RECIPROCAL, d))
    reciprocal = share(tirx.Add(tirx.Mul(near, tirx.Sub(_f(1.0), tirx.Mul(d, near))), near))
    quotient = share(tirx.Mul(e, reciprocal))
    left = tirx.Sub(tirx.Sub(e, tirx.Mul(quotient, _f(2.0))), tirx.Mul(quotient, e))
    return _with_sign(tirx.abs(tirx.Add(tirx.Mul(left, reciprocal), quotient)), x)


def _erf(share: Share, x: Term) -> Term:
    """1 - e**-p, as -(e**-p - 1) where that is small: with -p = n ln 2 + r it is (1 - 2**n) - 2**n (e**r - 1)."""
    magnitude = share(_below(share(tirx.abs(x)), ERF_MAX))
    p = share(tirx.Add(tirx.Mul(_polynomial(ERF_TAIL, magnitude), magnitude), magnitude))
    shifted = share(tirx.Add(tirx.Mul(p, _f(-LOG2_E)), _f(ROUNDER)))
    n = share(tirx.Sub(shifted, _f(ROUNDER)))
    r = share(tirx.Sub(tirx.Sub(tirx.Mul(p, _f(-1.0)), tirx.Mul(n, _f(LN2_HIGH))), tirx.Mul(n, _f(LN2_LOW))))
    grown = tirx.Add(tirx.Mul(tirx.Mul(_polynomial(EXP_TAIL, r), r), r), r)
    scale = share(_float((_bits(shifted) - _i(ROUNDER_BITS - 127)) << _i(23)))
    return _with_sign(tirx.Sub(tirx.Sub(_f(1.0), scale), tirx.Mul(scale, grown)), x)


def _with_sign(magnitude: Term, x: Term) -> Term:
    return _float(_bits(magnitude) | (_bits(x) & _i(-0x80000000)))


POLYNOMIALS: dict[str, Function] = {
    **{"exp": _exp, "exp2": _exp2, "expm1": _expm1, "log": _log, "log2": _log2, "log1p": _log1p},
    **{"tanh": _tanh, "erf": _erf},
}


def _for_f32(name: str, polynomial: Function) -> Function:
    return lambda share, x: polynomial(share, x) if str(x.ty) == "float32" else EXACT[name](share, x)


FAST: dict[str, Function] = {**EXACT, **{name: _for_f32(name, fn) for name, fn in POLYNOMIALS.items()}}
