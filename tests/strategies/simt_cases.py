"""The six first operators at awkward shapes, with references in numpy float64 and bounds on the error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import uol.backends
from uol.backends import registry
from uol.backends.simt.machine.matrix_primitives import HEADER, WORDS_HEADER
from uol.backends.twin.record import Job
from uol.codegen.backend import Backend, Module, SourceFile
from uol.codegen.choice import compile_graph
from uol.codegen.indexing.arithmetic import static
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg
from uol.ir import Library, instantiate, parse

Array = NDArray[np.generic]
BACKENDS = Path(next(iter(uol.backends.__path__)))

TEXTS = {
    "relu": "op relu(x: T[*S]) -> (y: T[*S]) for T in (f64, f32, f16, bf16) { y[*s] = max(x[*s], 0) }",
    "add": "op add(a: T[*S], b: T[*S]) -> (y: T[*S]) for T in (f64, f32, f16, bf16) { y[*s] = a[*s] + b[*s] }",
    "softmax": """op softmax(x: T[*S, C]) -> (y: T[*S, C]) for T in (f64, f32, f16, bf16) {
  hi[*s]   = max[c](acc(x[*s, c]))
  e[*s, c] = exp(acc(x[*s, c]) - hi[*s])
  z[*s]    = sum[c](e[*s, c])
  y[*s, c] = T(e[*s, c] / z[*s])
}""",
    "linear": """op linear(x: T[*S, K], w: T[N, K], b: T[N]) -> (y: T[*S, N]) for T in (f64, f32, f16, bf16) {
  a[*s, n] = sum[k](acc(x[*s, k]) * acc(w[n, k]))
  y[*s, n] = T(max(a[*s, n] + acc(b[n]), 0))
}""",
    "conv2d": """op conv2d(x: T[N, C, H, W], w: T[O, C, R, S]; stride: int = 1, pad: int = 0)
    -> (y: T[N, O, (H + 2*pad - R) / stride + 1, (W + 2*pad - S) / stride + 1])
    for T in (f64, f32, f16, bf16)
    where stride > 0, pad >= 0, H + 2*pad >= R, W + 2*pad >= S {
  y[n, o, p, q] = T(sum[c, r, s](
      acc(x[n, c, p*stride + r - pad, q*stride + s - pad] else 0) * acc(w[o, c, r, s])))
}""",
    "max_pool2d": """op max_pool2d(x: T[N, C, H, W]; size: int = 3, stride: int = 2, pad: int = 1)
    -> (y: T[N, C, (H + 2*pad - size) / stride + 1, (W + 2*pad - size) / stride + 1])
    for T in (f64, f32, f16, bf16)
    where size > 0, stride > 0, pad >= 0, H + 2*pad >= size, W + 2*pad >= size {
  y[n, c, p, q] = max[r < size, s < size](x[n, c, p*stride + r - pad, q*stride + s - pad] else -inf)
}""",
}

HALF_ULP = {"f64": 2.0**-53, "f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}
SMALLEST = {"f64": 0.0, "f32": 2.0**-149, "f16": 2.0**-24, "bf16": 2.0**-133}
ACCUMULATOR = {"f64": 2.0**-53, "f32": 2.0**-24, "f16": 2.0**-24, "bf16": 2.0**-24}


@dataclass(frozen=True)
class Case:
    """One operator at fixed dims. `channels_last` lays 4-dimensional tensors out so; `strides` names tensors that lie
    in another way."""

    op: str
    dims: Mapping[str, int]
    dtype: str = "f32"
    attrs: Mapping[str, int] = field(default_factory=dict)
    rank: int | None = None
    channels_last: bool = False
    strides: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        sizes = "x".join(map(str, self.dims.values()))
        odd = "".join(f"-{name}:{'.'.join(map(str, s))}" for name, s in self.strides.items())
        return f"{self.op}-{sizes}-{self.dtype}{'-last' if self.channels_last else ''}{odd}"


def kernel_graph(case: Case, backend: Backend) -> KernelGraph:
    ops = parse(TEXTS[case.op])
    ranks = {} if case.rank is None else {"S": case.rank}
    program = instantiate(ops[0], Library(ops), types={"T": case.dtype}, ranks=ranks, dims=case.dims, attrs=case.attrs)
    layouts = {}
    if case.channels_last:
        for tensor in program.tensors.values():
            if len(tensor.shape) == 4 and tensor.role in ("in", "out"):
                _, c, h, w = (static(d) or 0 for d in tensor.shape)
                layouts[tensor.name] = (c * h * w, 1, w * c, c)
    return lower(program, backend, {**layouts, **case.strides})


def module_of(case: Case, target: str) -> Module:
    backend = registry.get(target)
    return compile_graph(kernel_graph(case, backend), backend, backend.devices[backend.default_device])


def on_matrix_units(target: str, text: str) -> Module:
    """A module whose device text is replaced by one that calls primitives of matrix units; its kernel is named `KERNEL`."""
    module = module_of(Case("relu", {"S": 4096}, rank=1), target)
    (kernel,) = module.kernels
    folders = {HEADER: BACKENDS / target / "include", WORDS_HEADER: BACKENDS / "simt" / "include"}
    headers = (SourceFile(name, (folder / name).read_text()) for name, folder in folders.items())
    device = replace(module.device, text=text.replace("KERNEL", kernel.name))
    return replace(module, device=device, host=(*module.host, *headers))


def inputs_of(module: Module, seed: int = 0) -> dict[str, Array]:
    """Normal values, with zeros of both signs among them."""
    rng = np.random.default_rng(seed)
    return {a.name: stored(broadcast(sprinkled(rng, extents(a)), a), a.dtype) for a in module.graph.args if a.role == "in"}


def broadcast(values: NDArray[np.float64], arg: Arg) -> NDArray[np.float64]:
    """One value along every dim of stride 0."""
    for dim, stride in enumerate(arg.strides):
        if static(stride) == 0:
            values = np.repeat(values.take([0], dim), values.shape[dim], dim)
    return values


def sprinkled(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = rng.standard_normal(shape)
    values.reshape(-1)[:: max(values.size // 5, 1)] = -0.0
    return values


def extents(arg: Arg) -> tuple[int, ...]:
    return tuple(static(d) or 0 for d in arg.shape)


def stored(values: NDArray[np.float64], dtype: str) -> Array:
    """The array as a buffer of that type holds it."""
    if dtype == "bf16":
        bits = values.astype(np.float32).view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return values.astype({"f64": np.float64, "f32": np.float32, "f16": np.float16}[dtype])


def widened(buffer: Array, dtype: str) -> NDArray[np.float64]:
    if dtype == "bf16":
        return (buffer.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return buffer.astype(np.float64)


def job_of(case: Case, target: str, seed: int = 0) -> Job:
    module = module_of(case, target)
    return Job(module, inputs_of(module, seed))


def violation(case: Case, inputs: Mapping[str, Array], output: Array) -> str:
    """What is wrong with a result; empty where it is within its bound. NaN is wrong."""
    wide = {name: widened(value, case.dtype) for name, value in inputs.items()}
    expected, error = REFERENCES[case.op](case, wide)
    found = widened(output, case.dtype)
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    bound = error * ACCUMULATOR[case.dtype] + np.abs(expected) * HALF_ULP[case.dtype] + SMALLEST[case.dtype]
    bad = ~(np.abs(found - expected) <= bound) & ~((found == expected) & np.isinf(expected))
    if not bad.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{int(bad.sum())} of {bad.size} wrong, first at {at}: {found[at]}, expected {expected[at]} within {bound[at]}"


def relu(case: Case, i: dict[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.maximum(i["x"], 0), np.zeros_like(i["x"])


def add(case: Case, i: dict[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return i["a"] + i["b"], np.zeros_like(i["a"])


def softmax(case: Case, i: dict[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = i["x"]
    if x.size == 0:
        return x, x
    e = np.exp(x - x.max(-1, keepdims=True))
    y = e / e.sum(-1, keepdims=True)
    # the difference is rounded (relative to the largest difference), exp has 2 ulp, the sum one a term
    return y, y * (2 * np.abs(x - x.max(-1, keepdims=True)).max(initial=0) + 8 + x.shape[-1])


def linear(case: Case, i: dict[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y = np.maximum(i["x"] @ i["w"].T + i["b"], 0)
    return y, (np.abs(i["x"]) @ np.abs(i["w"]).T + np.abs(i["b"])) * (i["x"].shape[-1] + 2)


def conv2d(case: Case, i: dict[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    columns = windows(i["x"], i["w"].shape[2:], case.attrs.get("stride", 1), case.attrs.get("pad", 0), 0.0)
    y = np.einsum("ncpqrs,ocrs->nopq", columns, i["w"])
    terms = i["w"][0].size if i["w"].size else 0
    return y, np.einsum("ncpqrs,ocrs->nopq", np.abs(columns), np.abs(i["w"])) * (terms + 1)


def max_pool2d(case: Case, i: dict[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    size = case.attrs.get("size", 3)
    y = windows(i["x"], (size, size), case.attrs.get("stride", 2), case.attrs.get("pad", 1), -np.inf).max((-1, -2))
    return y, np.zeros_like(y)


def windows(x: NDArray[np.float64], size: tuple[int, ...], stride: int, pad: int, fill: float) -> NDArray[np.float64]:
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(padded, size, (2, 3))[:, :, ::stride, ::stride]


REFERENCES = {"relu": relu, "add": add, "softmax": softmax, "linear": linear, "conv2d": conv2d, "max_pool2d": max_pool2d}


def conv(n: int, c: int, h: int, w: int, o: int, r: int, s: int) -> dict[str, int]:
    return {"N": n, "C": c, "H": h, "W": w, "O": o, "R": r, "S": s}


def image(n: int, c: int, h: int, w: int) -> dict[str, int]:
    return {"N": n, "C": c, "H": h, "W": w}


STRIDED = (
    Case("add", {"S_0": 7, "S_1": 33}, "f16", rank=2, strides={"a": (0, 1), "b": (1, 7)}),
    Case("relu", {"S_0": 5, "S_1": 6, "S_2": 7}, "f32", rank=3, strides={"x": (100, 1, 9), "y": (1, 35, 5)}),
    Case("softmax", {"S": 70, "C": 40}, "f32", rank=1, strides={"x": (1, 70)}),
    Case("softmax", {"S": 5, "C": 300}, "f16", rank=1, strides={"x": (1000, 3), "y": (1, 5)}),
    Case("linear", {"S": 33, "N": 20, "K": 17}, "f32", rank=1, strides={"x": (1, 40), "w": (1, 20), "b": (0,), "y": (1, 33)}),
    Case("conv2d", conv(2, 5, 7, 6, 9, 3, 3), "f16", {"pad": 1}, strides={"x": (210, 1, 30, 5)}),
    Case("conv2d", conv(2, 5, 7, 6, 9, 3, 3), "f32", {"pad": 1}, strides={"y": (378, 1, 54, 9)}),
    Case("max_pool2d", image(2, 3, 7, 9), "f16", strides={"x": (189, 1, 27, 3)}),
)
CASES = (
    *(Case("relu", {"S": n}, t, rank=1) for n in (0, 1, 7, 256, 257) for t in ("f32", "f16")),
    Case("relu", {"S_0": 7, "S_1": 33, "S_2": 1}, "bf16", rank=3),
    Case("relu", {}, "f64", rank=0),
    *(Case("add", {"S": n}, t, rank=1) for n in (0, 1, 33, 255, 512) for t in ("f32", "f16")),
    Case("add", {"S": 100}, "bf16", rank=1),
    *(Case("softmax", {"S": s, "C": c}, t, rank=1) for s, c in ((3, 7), (1, 1), (0, 8), (5, 64)) for t in ("f32", "f16")),
    *(Case("softmax", {"S": s, "C": c}, "f32", rank=1) for s, c in ((7, 33), (2, 257), (1, 1000), (300, 15), (2, 32), (1, 31))),
    Case("softmax", {"S_0": 3, "S_1": 2, "C": 65}, "f16", rank=2),
    Case("softmax", {"S": 4, "C": 0}, "f32", rank=1),
    Case("softmax", {"S": 4, "C": 63}, "f64", rank=1),
    *(
        Case("linear", {"S": m, "N": n, "K": k}, t, rank=1)
        for m, n, k in ((33, 65, 17), (7, 33, 64), (64, 64, 32))
        for t in ("f32", "f16")
    ),
    *(
        Case("linear", {"S": m, "N": n, "K": k}, "f32", rank=1)
        for m, n, k in ((1, 1, 1), (1, 257, 100), (16, 15, 31), (0, 8, 8), (8, 0, 8), (5, 5, 0), (130, 129, 16))
    ),
    Case("linear", {"S_0": 3, "S_1": 7, "N": 17, "K": 33}, "bf16", rank=2),
    Case("linear", {"S": 17, "N": 16, "K": 15}, "f64", rank=1),
    *(
        Case("conv2d", conv(2, 3, 9, 7, 5, 3, 3), t, {"pad": 1}, channels_last=last)
        for t in ("f32", "f16")
        for last in (False, True)
    ),
    *(Case("conv2d", conv(1, 8, 8, 8, 16, 1, 1), t, {"stride": 2}) for t in ("f32", "f16")),
    Case("conv2d", conv(2, 16, 7, 7, 33, 3, 3), "f32", {"stride": 2, "pad": 1}, channels_last=True),
    Case("conv2d", conv(1, 3, 20, 20, 8, 7, 7), "f32", {"stride": 2, "pad": 3}),
    Case("conv2d", conv(1, 1, 5, 5, 1, 5, 5), "f32"),
    Case("conv2d", conv(0, 3, 5, 5, 4, 3, 3), "f32"),
    Case("conv2d", conv(1, 0, 5, 5, 4, 3, 3), "f32"),
    *(Case("max_pool2d", image(2, 3, 7, 9), t, channels_last=last) for t in ("f32", "f16") for last in (False, True)),
    Case("max_pool2d", image(1, 5, 8, 8), "f32", {"size": 2, "pad": 0}),
    Case("max_pool2d", image(1, 1, 12, 12), "bf16", {"size": 7, "stride": 1, "pad": 3}),
    Case("max_pool2d", image(0, 1, 12, 12), "f32"),
    *STRIDED,
)
