"""What `instantiate` makes: simplified indices, guards for what is not proven, masks, names, lines, scalars, checks."""

import re
from pathlib import Path

import pytest

from uol.ir import Library, Program, ShapeError, TypeCheckError, instantiate, parse
from uol.ir.program.nodes import Call, Const, Load, Reduce, Scalar, Var
from uol.ir.program.render import show
from uol.ir.program.walk import walk
from uol.ir.syntax.printer import print_op

CORE = Path(__file__).parent / "texts" / "core.uol"
LIBRARY = Library(parse(CORE.read_text(), CORE.name))


def program(text: str, **given) -> Program:
    ops = parse(text)
    return instantiate(ops[-1], Library([*LIBRARY, *ops]), **{"types": {}, **given})


def core(name: str, **given) -> Program:
    return instantiate(LIBRARY.get(name), LIBRARY, **{"types": {"T": "f32"}, **given})


def loads(p: Program) -> list[Load]:
    return [n for s in p.stages for n in walk(s.value) if isinstance(n, Load)]


def guards(p: Program) -> list[str]:
    return [show(g) for load in loads(p) for g in load.guard]


def stage(p: Program, name: str):
    return next(s for s in p.stages if s.name == name)


CONV = dict(N=1, C=8, H=9, W=9, O=4, D=8, R=3, S=3)


def test_constant_shapes_give_plain_indices() -> None:
    p = core("conv2d", dims={**CONV, "R": 1, "S": 1})
    assert [show(i) for i in loads(p)[0].index] == ["n", "c", "p + r", "q + s"]
    assert guards(p) == []
    assert loads(p)[0].fill is None
    assert [show(d) for d in p.tensors["y"].shape] == ["1", "4", "9", "9"]


def test_only_the_sides_that_are_not_proven_are_guards() -> None:
    assert guards(core("conv2d", dims=CONV)) == []
    p = core("conv2d", dims=CONV, attrs=dict(pad=1))
    assert guards(p) == ["p + r - 1 >= 0", "p + r - 1 < 9", "q + s - 1 >= 0", "q + s - 1 < 9"]
    assert loads(p)[0].fill == Const(0.0, "f32")
    p = core("conv2d", dims={**CONV, "H": 10, "W": 10}, attrs=dict(pad=1, stride=2))  # the last row is never padded
    assert guards(p) == ["p * 2 + r - 1 >= 0", "q * 2 + s - 1 >= 0"]


def test_guards_have_one_form() -> None:
    p = core("conv2d", dims=CONV, attrs=dict(pad=1))
    index = loads(p)[0].index[2]
    assert loads(p)[0].guard[:2] == (Call(">=", (index, Const(0)), "bool"), Call("<", (index, Const(9)), "bool"))


def test_groups() -> None:
    p = core("conv2d", dims={**CONV, "D": 2}, attrs=dict(groups=4))
    assert [show(i) for i in loads(p)[0].index] == ["n", "o * 2 + c", "p + r", "q + s"]
    assert guards(p) == []


def test_symbolic_dims_stay() -> None:
    p = core("softmax", ranks={"S": 1}, dims={"C": 5})
    assert p.dims == ("S",)
    assert [show(f) for f in p.facts] == ["S >= 0"]
    assert [show(a.extent) for a in stage(p, "y").axes] == ["S", "5"]
    p = core("conv2d", defaults=False)
    assert set(p.dims) == {"N", "C", "H", "W", "O", "D", "R", "S", "stride", "pad", "dilation", "groups"}
    assert "C == D * groups" in [show(f) for f in p.facts]
    assert p.checks == ()
    assert len(guards(p)) == 4


@pytest.mark.parametrize(("rank", "axes"), [(0, []), (1, ["s"]), (3, ["s_0", "s_1", "s_2"])])
def test_packs(rank: int, axes: list[str]) -> None:
    p = core("softmax", ranks={"S": rank})
    assert [a.name for a in stage(p, "hi").axes] == axes
    assert [show(d) for d in p.tensors["x"].shape] == [*(a.upper() for a in axes), "C"]


def test_count_and_flat() -> None:
    p = core("mean", ranks={"S": 2}, dims={"S_0": 3, "S_1": 4})
    assert show(stage(p, "m").value) == "sum[s_0, s_1](x[s_0, s_1]) / 12.0"
    assert show(stage(core("mean", ranks={"S": 2}), "m").value) == "sum[s_0, s_1](x[s_0, s_1]) / (f32(S_0) * f32(S_1))"
    assert show(stage(core("mean", ranks={"S": 0}), "m").value) == "x[] / 1.0"
    p = core("positions", ranks={"S": 3}, dims={"S_0": 2, "S_1": 3, "S_2": 4})
    assert show(stage(p, "y").value) == "i32(s_0 * 12 + s_1 * 4 + s_2)"


def test_a_pack_and_its_members_are_not_confused() -> None:
    text = "op f(x: f32[*S], z: f32[S_1]) -> (y: f32[*S]) { y[*s] = x[*s] }"
    assert program(text, ranks={"S": 1}).dims == ("S", "S_1")
    with pytest.raises(TypeCheckError, match="`\\*S` stands for `S_1`, which is another name of the text"):
        program(text, ranks={"S": 2})


def test_masked_reductions() -> None:
    p = program("op f(x: f32[N]) -> (y: f32[N]) { y[i] = sum[j <= i](x[j]) }")
    reduce = stage(p, "y").value
    assert isinstance(reduce, Reduce)
    assert [(a.name, show(a.extent)) for a in reduce.axes] == [("j", "N")]
    assert [show(w) for w in reduce.where] == ["j <= i"]
    p = program("op f(x: f32[N]; w: int) -> (y: f32[N]) where w > 0 { y[i] = sum[j > i - w, j <= i](x[j]) }", dims={"N": 7})
    assert [show(w) for w in stage(p, "y").value.where] == ["j > i - w", "j <= i"]


def test_a_bound_on_an_outer_index_is_widened() -> None:
    p = program("op f(x: f32[N]) -> (y: f32[N]) { y[i] = sum[j <= i](x[i - j]) }", dims={"N": 6})
    reduce = stage(p, "y").value
    assert [show(a.extent) for a in reduce.axes] == ["6"]
    assert [show(w) for w in reduce.where] == ["j <= i"]
    assert guards(p) == ["i - j >= 0"]  # holds under the mask only
    p = program("op f(x: f32[N]) -> (y: f32[N]) { y[i] = sum[j < i / 2 + 1](x[i - j]) }", dims={"N": 6})
    assert [show(a.extent) for a in stage(p, "y").value.axes] == ["3"]


@pytest.mark.parametrize(
    ("value", "extent"),
    [
        ("sum[j <= i](x[j])", "N"),
        ("max[j > i](x[j])", "N"),
        ("sum[j > i - 2, j <= i](x[j])", "N"),
        ("sum[j <= i](x[j] * prod[k > j, k <= i](x[k]))", "N"),
        ("sum[j <= i](w[j])", "M"),
        ("sum[j <= i](w[j]) + x[i]", "N"),
        ("sum[j <= i](w[j]) + (x[i] else 0)", "N"),
        ("sum[j <= i](x[j + 1] else 0) + sum[j <= i](x[j])", "N"),
    ],
)
def test_an_index_that_stands_alone_nowhere_runs_as_far_as_what_it_bounds(value: str, extent: str) -> None:
    """As a local, and in another reduction."""
    head = "op f(x: f32[N], w: f32[M]) -> (y: f32[])"
    p = program(f"{head} {{ a[i] = {value}  y[] = sum[i](a[i]) }}")
    assert [show(a.extent) for a in stage(p, "a").axes] == [extent]
    p = program(f"{head} {{ y[] = max[i]({value}) }}")
    assert [show(a.extent) for a in stage(p, "y").value.axes] == [extent]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("sum[j <= i](x[j]) + sum[j <= i](w[j])", "the index `i` runs over M here and over N at line 1"),
        ("sum[j <= i](x[j + 1] else 0)", "nothing says how far `i` runs"),
        ("sum[j < i + 1](x[j])", "nothing says how far `i` runs"),
        ("sum[j <= i](sum[i](x[i]) + x[0])", "nothing says how far `i` runs"),
    ],
)
def test_bounds_that_say_nothing_or_two_things(value: str, message: str) -> None:
    with pytest.raises(TypeCheckError, match=re.escape(message)):
        program(f"op f(x: f32[N], w: f32[M]) -> (y: f32[]) where N > 0 {{ a[i] = {value}  y[] = sum[i](a[i]) }}")


def test_constant_bounds_are_extents() -> None:
    p = core("max_pool2d", dims=dict(N=1, C=1, H=4, W=4), attrs=dict(k=2))
    assert [show(a.extent) for a in stage(p, "y").value.axes] == ["2", "2"]
    assert stage(p, "y").value.where == ()
    text = "op f(x: f32[N]; k: int) -> (y: f32[]) { y[] = sum[i < k](x[i]) }"
    assert show(stage(program(text, dims={"N": 5}, attrs={"k": 3}), "y").value.axes[0].extent) == "3"
    p = program(text, dims={"N": 5}, attrs={"k": 9})  # the dim where it stands alone, cut by the bound where that is less
    assert show(stage(p, "y").value.axes[0].extent) == "5"
    assert stage(p, "y").value.where == ()


def test_select_arms_are_proven_under_their_condition() -> None:
    p = program("op f(x: f32[N]) -> (y: f32[N]) { y[i] = select(i > 0, x[i - 1], x[i]) }", dims={"N": 4})
    assert guards(p) == ["i - 1 >= 0"]
    p = program("op f(x: f32[N]) -> (y: f32[N]) { y[i] = select(i == 0, x[i], x[i - 1]) }", dims={"N": 4})
    assert guards(p) == ["i - 1 >= 0"]
    p = program("op f(x: f32[N], a: i32[M]) -> (y: f32[M]) { y[m] = select(a[m] >= 0 and i64(a[m]) < N, x[a[m]], 0) }")
    assert guards(p) == ["a[m] >= 0", "a[m] < N"]


def test_a_condition_known_at_compile_time_leaves_one_arm() -> None:
    text = "op f(x: f32[N]; k: int) -> (y: f32[N]) { y[i] = select(k > 0, x[i] * 2, x[i]) }"
    assert show(stage(program(text, attrs={"k": 1}), "y").value) == "x[i] * 2.0"
    assert show(stage(program(text, attrs={"k": 0}), "y").value) == "x[i]"


def test_literals_take_the_type_of_their_place() -> None:
    p = program("""op f(x: f16[N], a: i32[N]) -> (y: f16[N], b: i32[N], c: f32[N]) {
      y[i] = x[i] * 0.1; b[i] = a[i] * 2 + N / 2
      c[i] = f32(x[i]) / (N / 2) + f32(1/4) + f32(i / 2) }""", dims={"N": 5})  # fmt: skip
    assert show(stage(p, "y").value) == "x[i] * 0.0999755859375"
    assert show(stage(p, "b").value) == "a[i] * 2 + 2"
    assert show(stage(p, "c").value) == "f32(x[i]) / 2.5 + 0.25 + f32(i / 2)"


def test_an_index_as_a_value_is_i64() -> None:
    p = program("op f(x: f32[N]) -> (y: i64[N]) { y[i] = i + 1 }", dims={"N": 3})
    one = Const(1, "i64")
    assert stage(p, "y").value == Call("+", (Call("cast", (Var("i"),), "i64"), one), "i64")


@pytest.mark.parametrize(
    ("source", "accumulator"),
    [("f64", "f64"), ("f32", "f32"), ("f16", "f32"), ("bf16", "f32"), ("f8e4m3", "f32"), ("i8", "i32"), ("u8", "i32"),
     ("i16", "i32"), ("i32", "i32"), ("i64", "i64")],
)  # fmt: skip
def test_acc(source: str, accumulator: str) -> None:
    p = program(f"op f(x: {source}[N]) -> (y: {accumulator}[N]) {{ y[i] = acc(x[i]) }}")
    assert stage(p, "y").value.type == accumulator
    assert isinstance(stage(p, "y").value, Load) == (source == accumulator)


def test_lines_are_those_of_the_printed_op() -> None:
    p = core("conv2d", dims=CONV)
    assert p.text == print_op(LIBRARY.get("conv2d"))
    assert p.text.splitlines()[stage(p, "y").line - 1].startswith("  y[n, o, p, q] = ")
    p = core("attention")
    assert [s.line for s in p.stages] == [4, 5, 6, 7, 8]  # the header takes three lines
    assert str(stage(p, "o").span).startswith("core.uol:")


def test_run_time_attributes_are_scalars() -> None:
    p = core("rms_norm", ranks={"S": 0}, attrs={"eps": 1e-3})
    assert p.scalars == (Scalar("eps", "f32"),)
    assert core("rms_norm", types={"T": "f64"}, ranks={"S": 0}).scalars == (Scalar("eps", "f64"),)
    p = program(
        "op f(x: f32[N]; k: int, s: int, e: float) -> (y: f32[N]) where e > 0 { y[i] = x[i] * k + f32(i / 1) * e + x[s] }"
    )
    assert p.scalars == (Scalar("k", "i64"), Scalar("e", "f32"))
    assert p.dims == ("N", "s")
    assert [show(c) for c in p.checks] == ["s >= 0", "s < N", "e > 0.0"]


def test_the_default_of_an_attribute_and_its_absence() -> None:
    text = "op f(x: f32[N]; k: int = 1, m: int = 2*k) -> (y: f32[N + k + m]) { y[i] = x[i] else 0 }"
    assert show(program(text).tensors["y"].shape[0]) == "N + 3"
    assert show(program(text, attrs={"k": 2}).tensors["y"].shape[0]) == "N + 6"
    p = program(text, defaults=False)
    assert p.dims == ("N", "k", "m")
    assert [show(c) for c in p.checks] == ["N + k + m >= 0"]


def test_input_dims_may_be_expressions() -> None:
    p = program("op glu(x: f32[2*C]) -> (y: f32[C]) { y[c] = x[c + 0] * x[c + C] }")
    assert p.dims == ("C",)
    assert guards(p) == []
    assert [show(d) for d in p.tensors["x"].shape] == ["C * 2"]


def test_results_may_be_read_and_tensors_have_an_order() -> None:
    p = program("op f(x: f32[N]) -> (a: f32[N], b: f32[N]) { t[i] = x[i]; b[i] = t[i] + 1; a[i] = b[i] * t[i] }")
    assert list(p.tensors) == ["x", "a", "b", "t"]
    assert [t.name for t in p.by_role("out")] == ["a", "b"]
    assert [s.name for s in p.stages] == ["t", "b", "a"]


# --- calls -------------------------------------------------------------------------------------------------------------


def test_calls_are_inlined() -> None:
    p = program("op f(x: f16[A, B]) -> (y: f16[A, B]) { y[i, j] = relu(softmax(x))[i, j] * 2 }", dims={"A": 2, "B": 3})
    assert [s.name for s in p.stages] == ["softmax_hi", "softmax_e", "softmax_z", "softmax_y", "relu_y", "y"]
    assert {s.line for s in p.stages} == {2}
    assert p.tensors["softmax_hi"].dtype == "f32"
    assert all(p.tensors[n].role == "local" for n in ("softmax_y", "relu_y"))


def test_the_same_call_is_made_once_and_others_get_names_of_their_own() -> None:
    text = "op f(x: f32[N], z: f32[N]) -> (y: f32[N]) { a[i] = relu(x)[i] + relu(x)[i]; y[i] = relu(z)[i] + a[i] * relu(x)[i] }"
    assert [s.name for s in program(text).stages] == ["relu_y", "a", "relu_y_2", "y"]


def test_what_a_callee_needs_is_proven_or_checked() -> None:
    callee = "op mid(x: f32[N]; k: int = 1) -> (y: f32[N - 2*k]) where k > 0, N > 2*k { y[i] = x[i + k] }\n"
    p = program(callee + "op f(x: f32[M]) -> (y: f32[M]) where M > 4 { y[m] = mid(x)[m] else 0 }")
    assert p.checks == ()
    p = program(callee + "op f(x: f32[M]; k: int) -> (y: f32[M]) { y[m] = mid(x; k=k + 1)[m] else 0 }")
    assert [show(c) for c in p.checks] == ["k + 1 > 0", "M > k * 2 + 2"]
    assert guards(p) == ["m < M - k * 2 - 2"]
    with pytest.raises(ShapeError, match=r"`mid` needs `N > 2 \* k`, but N = 2, k = 1\n"):
        program(callee + "op f(x: f32[M]) -> (y: f32[M]) { y[m] = mid(x)[m] else 0 }", dims={"M": 2})


def test_attributes_are_passed_on() -> None:
    text = "op f(x: f32[R, C], w: f32[C]; e: float) -> (y: f32[R, C]) { y[r, c] = rms_norm(x, w; eps=e * 2)[r, c] }"
    p = program(text)
    assert p.scalars == (Scalar("e", "f32"),)
    assert "ms" not in p.tensors
    assert show(stage(p, "rms_norm_y").value) == "x[s, c] * rsqrt(rms_norm_ms[s] + e * 2.0) * w[c]"
    p = program("op f(x: f32[R, C], w: f32[C]) -> (y: f32[R, C]) { y[r, c] = rms_norm(x, w)[r, c] }")
    assert "1e-06" in show(stage(p, "rms_norm_y").value)


def test_an_axis_does_not_take_the_name_of_a_symbol() -> None:
    callee = "op last(x: f32[N]) -> (y: f32[N]) { y[k] = x[k] }\n"
    p = program(callee + "op f(x: f32[N]; k: int) -> (y: f32[N]) where k >= 0, k < N { y[i] = last(x)[i] * x[k] }")
    assert p.dims == ("N", "k")
    assert [a.name for a in stage(p, "last_y").axes] == ["k_i"]


def test_operators_nest_and_do_not_recurse() -> None:
    a = "op a(x: f32[N]) -> (y: f32[N]) { y[i] = b(x)[i] }\nop b(x: f32[N]) -> (y: f32[N]) { y[i] = a(x)[i] }"
    with pytest.raises(TypeCheckError, match="operators do not call themselves: b -> a -> b"):
        program(a)
    chain = "op c0(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }\n"
    chain += "\n".join(f"op c{n}(x: f32[N]) -> (y: f32[N]) {{ y[i] = c{n - 1}(x)[i] }}" for n in range(1, 19))
    ops = {o.name: o for o in parse(chain)}
    assert len(instantiate(ops["c16"], Library(ops.values()), types={}).stages) == 17
    with pytest.raises(TypeCheckError, match="calls are nested more than 16 deep"):
        instantiate(ops["c17"], Library(ops.values()), types={})


def test_a_library_keeps_names_apart() -> None:
    (op,) = parse("op f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }")
    (other,) = parse("op f(x: f32[N]) -> (y: f32[N]) { y[i] = -x[i] }")
    library = Library([op, op])
    assert len(library) == 1
    assert "f" in library
    assert library.get("g") is None
    with pytest.raises(TypeCheckError, match="the library has another operator `f`"):
        library.add(other)
