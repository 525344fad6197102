"""Operators on PyTorch tensors: shapes, layouts, `out=`, tracing and errors, whatever the target (here: the toy one)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch

import uol
from uol.compilation.recompile import STORM, RecompileWarning, RecompileWatch
from uol.pytorch import bridge, devices
from uol.pytorch.out import writable_in_place

F = torch.nn.functional
bridge.define_all()


@pytest.fixture(autouse=True)
def on_the_toy_target(toy: str, own_cache: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(devices, "backend_for", lambda device_type: toy)
    operators = bridge.defined().values()
    kept = [dict(o.prepared) for o in operators]
    for operator in operators:
        operator.prepared.clear()
    yield
    for operator, prepared in zip(operators, kept, strict=False):
        operator.prepared.clear()
        operator.prepared.update(prepared)


def seeded(*size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(sum(size)), dtype=torch.float64).to(dtype)


SIZES = [((4, 5), (4, 5)), ((2, 3, 4), (3, 1)), ((5,), (2, 1)), ((), (3,)), ((0, 4), (1, 4)), ((1,), (7, 1, 1))]


@pytest.mark.parametrize(("a", "b"), SIZES)
def test_packs_broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = seeded(*a), seeded(*b)
    assert torch.equal(uol.ops.add(x, y), x + y)


def test_a_number_is_a_tensor_of_no_dims() -> None:
    x = seeded(3, 4)
    assert torch.equal(uol.ops.mul(x, 2), x * 2)
    assert torch.equal(uol.ops.sub(1.5, x), 1.5 - x)


STRIDED = {
    "transposed": lambda: seeded(5, 4).t(),
    "stepped": lambda: seeded(8, 10)[::2, ::3],
    "offset": lambda: seeded(5, 9)[1:, 2:6],
    "expanded": lambda: seeded(1, 4).expand(5, 4),
    "channels last": lambda: seeded(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "overlapping": lambda: seeded(12).as_strided((5, 4), (2, 1)),
}


@pytest.mark.parametrize("name", STRIDED)
def test_inputs_may_have_any_strides(name: str) -> None:
    x = STRIDED[name]()
    assert torch.allclose(uol.ops.text.softmax(x), x.softmax(-1), atol=1e-6)
    assert torch.equal(uol.ops.relu(x), x.relu())


def test_channels_last_is_kept() -> None:
    x = seeded(2, 3, 4, 5).to(memory_format=torch.channels_last)
    y = uol.ops.add(x, seeded(3, 1, 1))
    assert y.is_contiguous(memory_format=torch.channels_last)
    pooled = uol.ops.text.max_pool2d(x, kernel=2)
    assert pooled.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(pooled, F.max_pool2d(x, 2))
    assert uol.ops.relu(x.contiguous()).is_contiguous()


def test_attributes_reach_the_kernel() -> None:
    x = seeded(1, 2, 9, 9)
    y = uol.ops.text.max_pool2d(x, kernel=3, stride=2, pad=1)
    assert torch.equal(y, F.max_pool2d(x, 3, 2, 1))
    z = uol.ops.text.rms_norm(seeded(3, 8), torch.ones(8), eps=0.5)
    assert torch.allclose(z, F.rms_norm(seeded(3, 8), (8,), eps=0.5), atol=1e-6)


def test_the_type_of_a_result_that_no_input_has() -> None:
    assert uol.ops.cast(seeded(3), dtype=torch.float16).dtype is torch.float16


def test_out_is_written_and_given_back() -> None:
    x, out = seeded(4, 5), torch.full((4, 5), 7.0)
    assert uol.ops.relu(x, out=out) is out
    assert torch.equal(out, x.relu())


@pytest.mark.parametrize("layout", ["dense", "transposed", "stepped"])
def test_out_may_lie_in_any_way(layout: str) -> None:
    x = seeded(4, 6)
    room = {"dense": torch.empty(4, 6), "transposed": torch.empty(6, 4).t(), "stepped": torch.zeros(8, 12)[::2, ::2]}[layout]
    uol.ops.relu(x, out=room)
    assert torch.equal(room, x.relu())


def test_out_may_be_an_input_or_overlap_one() -> None:
    x = seeded(4, 6)
    expected = x.softmax(-1)
    uol.ops.text.softmax(x, out=x)
    assert torch.allclose(x, expected, atol=1e-6)
    line = seeded(10)
    expected = line[:9].relu()
    uol.ops.relu(line[:9], out=line[1:])
    assert torch.equal(line[1:], expected)


def test_outs_that_share_no_element_are_written() -> None:
    room = torch.empty(6)
    assert not writable_in_place(room[:4], (room[2:],))
    assert writable_in_place(room[:3], (room[3:],))
    two = uol.op("op first_and_double(x: f32[N]) -> (a: f32[N], b: f32[N]) { a[n] = x[n] b[n] = x[n] + x[n] }")
    x = seeded(4)
    with pytest.raises(uol.TypeCheckError, match="tensors of out share memory"):
        two(x, out=(room[:4], room[2:]))
    room = torch.empty(8)
    two(x, out=(room[::2], room[1::2]))
    assert torch.equal(room, torch.stack((x, 2 * x), 1).flatten())


def test_the_registered_operator_is_well_formed() -> None:
    x = seeded(4, 6)
    for overload, arguments, options in (
        (torch.ops.uol.softmax.default, (x,), {}),
        (torch.ops.uol.add.default, (x, seeded(6)), {}),
        (torch.ops.uol.max_pool2d.default, (seeded(1, 2, 6, 6),), {"kernel": 2}),
        (torch.ops.uol.relu.out, (x,), {"out": torch.empty(4, 6)}),
    ):
        results = torch.library.opcheck(overload, arguments, options)
        assert set(results.values()) == {"SUCCESS"}


@pytest.mark.parametrize("dynamic", [False, True])
def test_torch_compile_sees_one_graph(dynamic: bool) -> None:
    def model(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return uol.ops.text.softmax(uol.ops.add(x, w)).sum(-1)

    compiled = torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=dynamic)
    for rows in (3, 5):
        x, w = seeded(rows, 8), seeded(8)
        assert torch.allclose(compiled(x, w), model(x, w))


def test_tracing_makes_no_kernel() -> None:
    x = torch.empty(3, 8, 7, 7, device="meta").to(memory_format=torch.channels_last)
    y = torch.ops.uol.max_pool2d(x, kernel=3, stride=2)
    assert (tuple(y.shape), y.device.type) == ((3, 8, 3, 3), "meta")
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert not bridge.defined()["max_pool2d"].prepared


X = seeded(3, 4)
BAD = {
    "add: *S is [3] in a, but [4] in b": lambda: uol.ops.text.add(seeded(3), seeded(4)),
    "add: a is f32, but b is f16": lambda: uol.ops.text.add(X, X.half()),
    "relu does not admit i32 for x": lambda: uol.ops.text.relu(X.int()),
    "relu: x is torch.complex64, which is no type of the language": lambda: uol.ops.text.relu(X.to(torch.complex64)),
    "relu takes 1 tensors, not 2": lambda: uol.ops.text.relu(X, X),
    "relu takes PyTorch tensors, not 3": lambda: uol.ops.text.relu(3),
    "relu has no attribute 'alpha'": lambda: uol.ops.text.relu(X, alpha=2),
    "max_pool2d needs 'kernel'": lambda: uol.ops.text.max_pool2d(seeded(1, 1, 4, 4)),
    "cast needs 'dtype'": lambda: uol.ops.cast(X),
    "cast does not admit f8e5m2 for U": lambda: uol.ops.cast(X, dtype=torch.float8_e5m2),
    "max_pool2d: x has 2 dims, the operator takes 4 dims": lambda: uol.ops.text.max_pool2d(X, kernel=2),
    "softmax: x has 0 dims, the operator takes at least 1 dims": lambda: uol.ops.text.softmax(seeded()),
    "linear: K is 4 in x, but 5 in w": lambda: uol.ops.text.linear(X, seeded(2, 5), seeded(2)),
    "linear: N is 2 in w, but 3 in b": lambda: uol.ops.text.linear(X, seeded(2, 4), seeded(3)),
    "conv2d needs C == D * groups, but C = 3, D = 2, groups = 1": (
        lambda: uol.ops.text.conv2d(seeded(1, 3, 5, 5), seeded(4, 2, 1, 1))
    ),
    "relu: out has the shape [4], the result has [3]": lambda: uol.ops.relu(seeded(3), out=torch.empty(4)),
    "relu: out is torch.float16, the result is torch.float32": lambda: uol.ops.relu(X, out=torch.empty(3, 4).half()),
    "relu: out is a PyTorch tensor": lambda: uol.ops.relu(X, out=3),
    "softmax: out is a PyTorch tensor": lambda: uol.ops.text.softmax(X, out=(torch.empty(3, 4), torch.empty(3, 4))),
    "relu: x is on cpu, but out is on meta": lambda: uol.ops.relu(X, out=torch.empty(3, 4, device="meta")),
    "add: a is on meta, but b is on cpu": lambda: uol.ops.add(X.to("meta"), X),
    "relu: no gradient goes through out=": lambda: uol.ops.relu(X.clone().requires_grad_(), out=torch.empty(3, 4)),
    "argmax needs C > 0, but C = 0": lambda: uol.ops.text.argmax(torch.empty(3, 0)),
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_said(message: str) -> None:
    with pytest.raises(uol.UolError) as caught:
        BAD[message]()
    assert caught.value.message == message


def test_a_recompile_storm_is_said_once_with_the_dim_that_changes() -> None:
    watch = RecompileWatch("softmax")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for size in range(STORM + 5):
            for _ in range(2):
                watch.note({"S": 8, "C": size})
    assert [w.category for w in seen] == [RecompileWarning]
    assert "softmax was compiled for 9 sizes of C (the last ones 5, 6, 7, 8), all else alike." in str(seen[0].message)


def test_two_dims_that_change_together_are_one_storm() -> None:
    watch = RecompileWatch("attention")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for size in range(1, STORM + 5):
            watch.note({"B": 2, "S": size, "T": 2 * size, "D": 64})
    assert "attention was compiled for 9 sizes of S x T (the last ones 6x12, 7x14, 8x16, 9x18)" in str(seen[0].message)


def test_a_storm_beside_calls_of_another_rank() -> None:
    """Dims of a pack have other names in another rank."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for n in range(9):
            if n == 8:
                uol.ops.selu(torch.randn(7))
            x = torch.randn(10 + n, 5)
            torch.testing.assert_close(uol.ops.selu(x.T), F.selu(x.T))
    (storm,) = [str(w.message) for w in seen if w.category is RecompileWarning]
    assert "uol.ops.selu was compiled for 9 sizes of S_1 (the last ones 15, 16, 17, 18), all else alike." in storm
    watch = RecompileWatch("selu")
    for n in range(8):
        watch.note({"S_0": 5, "S_1": 10 + n})
    watch.note({"S": 7})
    with pytest.warns(RecompileWarning, match=r"of S_1 \(the last ones 15, 16, 17, 18\)"):
        watch.note({"S_0": 5, "S_1": 18})


def test_many_layers_are_no_storm() -> None:
    watch = RecompileWatch("conv2d")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for layer in range(4 * STORM):
            watch.note({"C": 8 * layer, "O": 16 * layer, "H": 200 - layer})
            watch.note({"C": 8, "O": 16, "H": 32}, ("cpu", ("stride", layer)))


def test_a_dim_varies_from_its_second_size() -> None:
    watch = RecompileWatch("linear")
    watch.note({"S": 8, "K": 64, "N": 10})
    assert watch.has({"S": 8, "K": 64, "N": 10})
    assert watch.varying({"S": 9, "K": 64, "N": 10}) == {"S"}
    assert watch.varying({"S": 9, "K": 65, "N": 10}) == {"S", "K"}
    assert watch.varying({"S": 9, "K": 65, "N": 11}) == set()
    assert watch.varying({"S": 9, "K": 64, "N": 10}, "another type") == set()
    assert watch.varying({"S": 7, "K": 64, "N": 10}) == set()  # so few have a kernel of their own
    watch.note({"S": 9, "K": 65, "N": 11})
    assert watch.varying({"S": 9, "K": 64, "N": 10}) == {"S"}  # not K and N, which another kernel has


def test_the_same_shapes_are_compiled_once() -> None:
    operator = bridge.defined()["gelu"]
    for _ in range(3):
        uol.ops.text.gelu(seeded(3, 5))
    assert len(operator.prepared) == 1


def test_the_sizes_of_parameters_are_those_of_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another batch is another size of the same layer, and gets the kernel of any size; another layer has its own kernels."""
    monkeypatch.setattr(devices, "backend_for", lambda device_type: "cpu")
    uol.op("op layers(x: f32[N, K], w: f32[M, K]) -> (y: f32[N, M]) { y[n, m] = sum[k](x[n, k] * w[m, k]) }")
    own = bridge.defined()["layers"]

    def arguments(n: int, m: int, k: int, *, is_parameter: bool) -> tuple[int | float, ...]:
        """The sizes that the kernel is given."""
        x, w = torch.randn(n, k), torch.randn(m, k)
        weight = torch.nn.Parameter(w, requires_grad=False) if is_parameter else w
        torch.testing.assert_close(torch.ops.uol.layers(x, weight), x @ w.T)
        return own.find([x, weight], {}).scalars

    assert arguments(16, 32, 64, is_parameter=True) == ()
    assert arguments(16, 48, 64, is_parameter=True) == ()
    assert arguments(16, 48, 80, is_parameter=True) == ()
    assert arguments(24, 48, 80, is_parameter=True) == (24,)
    assert arguments(24, 32, 64, is_parameter=True) == (24,)
    assert arguments(40, 32, 64, is_parameter=True) == (40,)
    assert arguments(16, 56, 96, is_parameter=False) == ()
    assert arguments(16, 72, 96, is_parameter=False) == (72,)
