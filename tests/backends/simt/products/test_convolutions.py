"""Convolutions and their gradients as products on matrix units, in the twin of both targets: exact integers, against PyTorch in
float64. Pictures and filters lie with channels last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from library_programs import program_of
from simt_cases import widened
from torch.nn import grad

from uol.backends import registry
from uol.backends.simt.products.matrix.kinds import MATRIX_PRODUCTS
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.binding.layouts import channels_last
from uol.codegen.indexing.arithmetic import static
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Contract, Pack
from uol.conformance.cases.memory_order import all_laid_out
from uol.ir import Library, instantiate, parse
from uol.ops.workloads import Workload

RNG = np.random.default_rng(52)
Arrays = dict[str, Array]
AXES, WINDOW, PLACES = "hvz", "rsj", "pqk"
"""The letters of the axes of pictures, of filters, and of results."""


@dataclass(frozen=True)
class Layer:
    """A convolution of one to three dims: `size` of pictures, `kernel` of filters, pads in front and behind."""

    name: str
    images: int
    channels: int
    filters: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: int = 1
    pad: tuple[int, int] = (1, 1)
    dilation: int = 1

    @property
    def places(self) -> tuple[int, ...]:
        pads, reach = sum(self.pad), self.dilation
        return tuple((s + pads - reach * (k - 1) - 1) // self.stride + 1 for s, k in zip(self.size, self.kernel, strict=True))

    @property
    def dims(self) -> dict[str, int]:
        named = {"N": self.images, "C": self.channels, "O": self.filters}
        for letters, numbers in ((AXES, self.size), (WINDOW, self.kernel), (PLACES, self.places)):
            named |= {letter.upper(): number for letter, number in zip(letters, numbers, strict=False)}
        return named

    def declared(self, of: str, axes: str) -> str:
        """A tensor's type, of the extents of axes."""
        return f"{of}[{', '.join(str(self.dims[axis.upper()]) for axis in axes)}]"

    @property
    def at(self) -> list[str]:
        """The indices, one for each axis, at which a tap of a result's place reads the picture."""
        rank, front = len(self.size), self.pad[0]
        pairs = zip(PLACES[:rank], WINDOW[:rank], strict=True)
        return [f"{p} * {self.stride} + {r} * {self.dilation} - {front}" for p, r in pairs]


LAYERS = (
    Layer("3 x 3", 2, 40, 24, (7, 9), (3, 3)),
    Layer("stride 2, unlike pads", 3, 16, 40, (12, 10), (3, 3), stride=2, pad=(0, 1)),
    Layer("dilated, pieces of 8 channels", 1, 8, 16, (13, 14), (3, 2), pad=(2, 1), dilation=2),
    Layer("whole tiles of channels", 2, 64, 64, (5, 6), (3, 3)),
    Layer("1 x 1, stride 2", 2, 32, 24, (9, 8), (1, 1), stride=2, pad=(0, 0)),
    Layer("1 x 1, padded", 2, 32, 24, (6, 5), (1, 1)),
    Layer("one dim", 3, 24, 32, (50,), (5,), pad=(2, 2)),
    Layer("7 x 7, stride 2", 2, 8, 24, (15, 14), (7, 7), stride=2, pad=(3, 3)),
    Layer("three dims", 2, 16, 24, (4, 5, 6), (3, 3, 3)),
)


def integers(*shape: int) -> Array:
    """Whose sums of products are exact in any order."""
    return RNG.integers(-4, 5, shape).astype(np.float16)


def forward(layer: Layer) -> str:
    rank = len(layer.size)
    window, places = WINDOW[:rank], PLACES[:rank]
    return (
        f"op f(x: {layer.declared('f16', f'n{AXES[:rank]}c')}, w: {layer.declared('f16', f'o{window}c')}) "
        f"-> (y: {layer.declared('f32', f'n{places}o')}) {{ y[n, {', '.join(places)}, o] = "
        f"sum[{', '.join(window)}, c](acc(x[n, {', '.join(layer.at)}, c] else 0) * acc(w[o, {', '.join(window)}, c])) }}"
    )


def of_filters(layer: Layer) -> str:
    """The gradient of the filters."""
    rank = len(layer.size)
    window, places = WINDOW[:rank], PLACES[:rank]
    return (
        f"op f(x: {layer.declared('f16', f'n{AXES[:rank]}c')}, dy: {layer.declared('f16', f'n{places}o')}) "
        f"-> (y: {layer.declared('f32', f'o{window}c')}) {{ y[o, {', '.join(window)}, c] = "
        f"sum[n, {', '.join(places)}](acc(dy[n, {', '.join(places)}, o]) * acc(x[n, {', '.join(layer.at)}, c] else 0)) }}"
    )


def of_pictures(layer: Layer) -> str:
    """The gradient of the pictures of a layer of stride 1."""
    rank = len(layer.size)
    window, axes = WINDOW[:rank], AXES[:rank]
    at = [f"{h} + {layer.pad[0]} - {r} * {layer.dilation}" for h, r in zip(axes, window, strict=True)]
    return (
        f"op f(w: {layer.declared('f16', f'o{window}c')}, dy: {layer.declared('f16', f'n{PLACES[:rank]}o')}) "
        f"-> (y: {layer.declared('f32', f'n{axes}c')}) {{ y[n, {', '.join(axes)}, c] = "
        f"sum[{', '.join(window)}, o](acc(dy[n, {', '.join(at)}, o] else 0) * acc(w[o, {', '.join(window)}, c])) }}"
    )


def last(values: torch.Tensor) -> np.ndarray:
    """With channels last."""
    return values.movedim(1, -1).numpy()


def expected(layer: Layer, of: str, inputs: Arrays) -> np.ndarray:
    """What PyTorch makes of the inputs, in float64, of pictures that are padded before."""
    rank = len(layer.size)
    conv = (torch.conv1d, torch.conv2d, torch.conv3d)[rank - 1]
    given = {name: torch.from_numpy(array.astype(np.float64)).movedim(-1, 1) for name, array in inputs.items()}
    options = {"stride": layer.stride, "dilation": layer.dilation}
    padded = [s + sum(layer.pad) for s in layer.size]
    if of == "pictures":
        back = getattr(grad, f"conv{rank}d_input")((layer.images, layer.channels, *padded), given["w"], given["dy"], **options)
        inside = tuple(slice(layer.pad[0], layer.pad[0] + s) for s in layer.size)
        return last(back[:, :, *inside])
    x = torch.nn.functional.pad(given["x"], layer.pad * rank)
    if of == "filters":
        shape = (layer.filters, layer.channels, *layer.kernel)
        return last(getattr(grad, f"conv{rank}d_weight")(x, shape, given["dy"], **options))
    return last(conv(x, given["w"], **options))


MAKERS: dict[str, Callable[[Layer], str]] = {"forward": forward, "filters": of_filters, "pictures": of_pictures}


def cases() -> Iterator[tuple[Layer, str, str]]:
    for layer in LAYERS:
        for of in MAKERS:
            if of != "pictures" or layer.stride == 1:
                yield from ((layer, of, target) for target in ("cuda", "hip"))


CASES = tuple(cases())


def tiles_of(backend: SimtBackend, spec: Contract) -> list[MatrixTile]:
    """A large tile, a small one, one that is unrolled: of those that a product may take."""
    device = backend.devices[backend.default_device]
    found = MATRIX_PRODUCTS.candidates(spec, backend.target.on(device.architecture), device)
    few = [tile for tile in found if tile.warps <= 4]
    return [few[0], few[-1], *(tile for tile in few if tile.m == tile.n == 64 and tile.unroll == 1)][:3]


@cache
def results() -> dict[tuple[int, str], tuple[Job, Array, object]]:
    jobs = {}
    for number, (layer, of, target) in enumerate(CASES):
        backend = registry.get(target)
        assert isinstance(backend, SimtBackend)
        device = backend.devices[backend.default_device]
        ops = parse(MAKERS[of](layer))
        program = instantiate(ops[0], Library(ops), dims={}, types={})
        shapes = {tensor.name: [static(extent) for extent in tensor.shape] for tensor in program.by_role("in")}
        inputs = {name: integers(*shape) for name, shape in shapes.items()}
        graph = lower(program, backend, {})
        spec, *further = graph.specs
        assert isinstance(spec, Contract)
        behind = [backend.render(each, next(iter(backend.schedules(each, device))), device) for each in further]
        for tile in tiles_of(backend, spec):
            module = backend.assemble(graph, (backend.render(spec, tile, device), *behind), device)
            jobs[number, tile.describe()] = Job(module, inputs, {})
        if layer is LAYERS[0]:  # elements one by one, in the last of these tiles
            jobs[number, "unaligned"] = Job(module, inputs, {}, shift=1)
    done = execute_many(list(jobs.values()))
    return {at: (job, run.outputs["y"], run.findings) for (at, job), run in zip(jobs.items(), done, strict=True)}


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{t}-{layer.name}-{of}" for layer, of, t in CASES])
def test_convolutions(number: int) -> None:
    layer, of, _ = CASES[number]
    found = {tile: run for (at, tile), run in results().items() if at == number}
    assert len(found) >= 2
    for tile, (job, output, findings) in found.items():
        text = job.module.device.text
        assert not findings, f"{tile}: {findings}\n{text}"
        wanted = expected(layer, of, {name: np.asarray(array) for name, array in job.buffers.items()})
        assert np.array_equal(widened(output, "f64"), wanted, equal_nan=True), f"{tile}: {output} is not {wanted}\n{text}"


STRIDED = (
    ("conv2d_grad", {"N": 2, "C": 40, "H": 11, "W": 12, "O": 64, "D": 40, "R": 3, "S": 3}, {"stride": 2, "pad": 1}, 4),
    ("conv2d_grad", {"N": 3, "C": 64, "H": 12, "W": 13, "O": 40, "D": 64, "R": 3, "S": 3}, {"stride": 1, "pad": 1}, 1),
    ("conv2d", {"N": 2, "C": 64, "H": 6, "W": 5, "O": 40, "D": 64, "R": 3, "S": 3}, {"stride": 1, "pad": 1}, 1),
    ("conv2d_grad", {"N": 2, "C": 32, "H": 9, "W": 9, "O": 24, "D": 32, "R": 1, "S": 1}, {"stride": 2}, 1),
    ("conv_transpose2d", {"N": 2, "C": 64, "H": 7, "W": 6, "D": 24, "R": 4, "S": 4}, {"stride": 2, "pad": 1}, 4),
    ("conv_transpose2d", {"N": 2, "C": 64, "H": 7, "W": 6, "D": 32, "R": 3, "S": 3}, {"stride": 3}, 9),
    ("conv_transpose2d", {"N": 2, "C": 64, "H": 7, "W": 6, "D": 8, "R": 3, "S": 3}, {"stride": 2, "output_pad": 1}, 4),
    ("conv_transpose2d", {"N": 2, "C": 40, "H": 6, "W": 5, "D": 32, "R": 5, "S": 4}, {"stride": 3}, 9),
)
"""Operators, sizes, attributes, and how many products there are, one for each residue that has terms."""


COPIED = (
    ("three channels", {"N": 3, "C": 3, "H": 31, "W": 29, "O": 40, "D": 3, "R": 7, "S": 7}, {"stride": 2, "pad": 3}, True),
    ("five channels", {"N": 8, "C": 5, "H": 31, "W": 32, "O": 48, "D": 5, "R": 5, "S": 5}, {"stride": 1, "pad": 2}, True),
    ("strides, first", {"N": 4, "C": 40, "H": 24, "W": 20, "O": 48, "D": 40, "R": 3, "S": 3}, {"stride": 2, "pad": 1}, False),
    ("channels first", {"N": 2, "C": 40, "H": 13, "W": 11, "O": 48, "D": 40, "R": 3, "S": 3}, {"stride": 1, "pad": 1}, False),
)
"""Pictures that are copied with their zeros: names, sizes, attributes, and whether channels are last."""


def on_matrix_units(op: str, dims: dict[str, int], attrs: dict[str, int], target: str, last: Collection[str]) -> KernelGraph:
    """The graph of an operator some of whose tensors have channels last, which is right beside PyTorch: each contraction on
    matrix units, no finding."""
    backend = registry.get(target)
    device = backend.devices[backend.default_device]
    program = program_of(Workload(op, dims, attrs), "f16")
    shapes = {name: tuple(static(extent) or 0 for extent in tensor.shape) for name, tensor in program.tensors.items()}
    layouts = {name: channels_last(shape) for name, shape in shapes.items() if len(shape) == 4 and name in last}
    graph = lower(program, backend, layouts)
    kernels = []
    for spec in graph.specs:
        tiles = [s for s in backend.schedules(spec, device) if isinstance(s, MatrixTile)]
        assert tiles or not isinstance(spec, Contract)
        kernels.append(backend.render(spec, next(iter(tiles or backend.schedules(spec, device))), device))
    values = {tensor.name: integers(*shapes[tensor.name]) for tensor in program.by_role("in")}
    (run,) = execute_many([Job(backend.assemble(graph, kernels, device), all_laid_out(values, layouts), {})])
    assert not run.findings, run.findings
    given = {name: torch.from_numpy(array.astype(np.float64)) for name, array in values.items()}
    for name, value in expected_of(op, given, attrs).items():
        assert np.array_equal(widened(run.outputs[name], "f64"), value.to(torch.float16).double().numpy()), name
    return graph


def expected_of(op: str, given: dict[str, torch.Tensor], attrs: dict[str, int]) -> dict[str, torch.Tensor]:
    """What PyTorch computes."""
    options = {"stride": attrs["stride"], "padding": attrs.get("pad", 0)}
    if op in ("conv2d", "conv2d_bias"):
        return {"y": torch.conv2d(given["x"], given["w"], given.get("b"), **options)}
    if op == "conv_transpose2d":
        return {"y": torch.conv_transpose2d(given["x"], given["w"], output_padding=attrs.get("output_pad", 0), **options)}
    return {
        "dx": grad.conv2d_input(given["x"].shape, given["w"], given["dy"], **options),
        "dw": grad.conv2d_weight(given["x"], given["w"].shape, given["dy"], **options),
    }


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("filters", ["with channels last", "as PyTorch has them"])
@pytest.mark.parametrize("number", range(len(STRIDED)))
def test_strides_are_products_of_residues(number: int, filters: str, target: str) -> None:
    op, dims, attrs, products = STRIDED[number]
    last = {"x", "y", "dx", "dy"} | ({"w", "dw"} if filters == "with channels last" else set())
    graph = on_matrix_units(op, dims, attrs, target, last)
    of_pictures = [spec for spec in graph.specs if isinstance(spec, Contract) and spec.epilogue[-1].tensor in ("dx", "y")]
    assert len(of_pictures) == products


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("number", range(len(COPIED)), ids=[name for name, *_ in COPIED])
@pytest.mark.parametrize("op", ["conv2d", "conv2d_bias", "conv2d_grad"])
def test_pictures_are_copied_with_their_zeros(op: str, number: int, target: str) -> None:
    _, dims, attrs, is_last = COPIED[number]
    graph = on_matrix_units(op, dims, attrs, target, {"x", "y", "dx", "dy"} if is_last else ())
    assert any(isinstance(spec, Pack) and "_pad_" in spec.name for spec in graph.specs)


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_factors_that_are_computed_are_not_copied(target: str) -> None:
    """A copy has the type of what lies in memory, and would round them."""
    backend = registry.get(target)
    text = """op f(x: f16[4, 40, 32, 32], w: f16[48, 40, 3, 3], scale: f16[48, 40, 3, 3]) -> (y: f32[4, 48, 32, 32]) {
      y[n, o, p, q] = sum[c, r, s](acc(x[n, c, p + r - 1, q + s - 1] else 0) * (acc(w[o, c, r, s]) * acc(scale[o, c, r, s])))
    }"""
    ops = parse(text)
    graph = lower(instantiate(ops[0], Library(ops), dims={}, types={}), backend, {})
    assert not any(isinstance(spec, Pack) for spec in graph.specs)
