"""Calls of library operators."""

from __future__ import annotations

from uol.conformance.random_texts.families.sketch import FINITE, Sketch

EACH = (
    *("relu", "gelu", "silu", "tanh", "exp", "abs", "neg", "square", "hardswish", "tanhshrink", "erf", "sign", "hardsigmoid"),
    *("softplus", "elu", "leaky_relu", "sigmoid", "floor", "round"),
)
TWO = ("add", "mul", "maximum", "minimum", "sub", "hypot", "swiglu", "reglu", "mse_loss_each", "l1_loss_each")
ROWS = ("softmax", "log_softmax", "normalize", "cumsum", "cummax", "flip", "roll", "rms", "layer")
FOLDED = ("sum", "mean", "amax", "amin", "l1_norm", "l2_norm", "max_norm", "prod", "logsumexp", "var", "std")


def call(s: Sketch) -> None:
    """One operator, or one inside another, with statements around them."""
    s.data = FINITE
    match s.pick(("each", "rows", "rows", "folded", "product", "several", "nested", "chosen")):
        case "each":
            s.pack("S")
            value = _each(s, s.input("x", "*S"))
            s.line(f"y[*s] = T({s.after(f'acc({value}[*s])')})")
            s.result("y", "*S")
        case "rows":
            value = _rows(s, _argument(s))
            s.line(f"y[n, c] = T({s.after(f'acc({value}[n, c])')})")
            s.result("y", "N", "C")
        case "folded":
            value = f"{s.pick(FOLDED[:-2] if s.chance(0.8) else FOLDED)}({_argument(s)})"
            if value.startswith(("var", "std")):
                s.where[:] = ["C >= 2"]
                s.sizes["C"] = max(2, s.size("C"))
            s.line(f"y[n, c] = T(acc(x[n, c]) - acc({value}[n]))")
            s.result("y", "N", "C")
        case "product":
            s.input("x", s.dim("N"), s.dim("C"))
            s.input("w", s.dim("M"), "C")
            s.input("b", "M")
            argument = _each(s, "x") if s.chance(0.5) else "x"
            s.line(f"y[n, m] = T({s.after(f'acc(linear({argument}, w, b)[n, m])')})")
            s.result("y", "N", "M")
        case "several":
            _several(s)
        case "nested":
            value = _rows(s, f"{s.pick(TWO)}({_argument(s)}, {_each(s, s.input('z', 'N', 'C'))})")
            s.line(f"y[n, c] = {value}[n, c]")
            s.result("y", "N", "C")
        case "chosen":
            value = _rows(s, _argument(s))
            s.input("at", "N", type=s.pick(("i32", "i64")))
            s.line(f"h[n, c] = acc({value}[n, c])")
            s.line("y[n] = T(h[n, at[n]] else 0)" if s.chance(0.5) else "y[n] = T(max[c](h[n, c] * acc(x[n, c])))")
            s.result("y", "N")


def _argument(s: Sketch) -> str:
    """A tensor of two dims: an input, or a statement's."""
    s.input("x", s.dim("N"), s.dim("C", least=1))
    if s.chance(0.4):
        s.line(f"t[n, c] = T({s.after('acc(x[n, c])')})")
        return "t"
    return _each(s, "x") if s.chance(0.3) else "x"


def _each(s: Sketch, tensor: str) -> str:
    return f"{s.pick(EACH)}({tensor})"


def _rows(s: Sketch, tensor: str) -> str:
    name = s.pick(ROWS)
    if name == "rms":
        return f"rms_norm({tensor}, {s.input('g', 'C')})"
    if name == "layer":
        return f"layer_norm({tensor}, {s.input('g', 'C')}, {s.input('b', 'C')}{s.pick(('', '; eps=0.25'))})"
    if name == "roll":
        return f"roll({tensor}; shift={s.pick((1, 2, 5))})"
    return f"{name}({tensor})"


def _several(s: Sketch) -> None:
    """Operators with two results."""
    tensor = _argument(s)
    s.line(f"(hi[n], p[n]) = {s.pick(('max_with_index', 'min_with_index'))}({tensor})")
    s.line("y[n, c] = T(acc(x[n, c]) - acc(hi[n]))")
    s.line("at[n] = p[n]")
    s.result("y", "N", "C")
    s.result("at", "N", type="i64")
