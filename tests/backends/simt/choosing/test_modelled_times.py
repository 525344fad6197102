"""Modelled times beside counts that share nothing with them: NVIDIA's binaries, Little's law, sums by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sass import INTEGER, marginal, needs_sass, of_module

import uol
from uol.backends import registry
from uol.backends.simt.choosing.occupancy import resident_blocks
from uol.backends.simt.reading.instructions import FUNCTIONS, THREEFRY_BLOCK
from uol.backends.simt.reading.parse import read_kernels
from uol.codegen.backend import Kernel, Module
from uol.codegen.cost import Time, middle, time_of
from uol.codegen.work import Issued
from uol.compilation.request import resolve_target

A100 = resolve_target("cuda:a100")
LATENCY = A100.device.rates["latency"].si
MIB = 2**20


def compiled(op: str, dims: Mapping[str, int], dtype: str = "f16", **attributes: int) -> Module:
    return uol.compile(op, "cuda:a100", dtype, dims, attrs=attributes or None).module


def issued(kernel: Kernel) -> Issued:
    return A100.backend.issued(kernel.spec, kernel.schedule, A100.device)


def modelled(kernel: Kernel) -> Time:
    return time_of(issued(kernel), A100.device)


def integers_a_thread(kernel: Kernel) -> float:
    return middle(issued(kernel).operations["integer"]) / (kernel.launch.blocks({})[0] * kernel.launch.block[0])


CALLS = {
    "floats max": ("float p = a[i];", "p = uol::max(p, a[i + 32 * # + 32]);", "y[i] = p;"),
    "floats pick_max": (
        "uol::Pick<float, int> p{a[i], b[i]};",
        "p = uol::pick_max(p, uol::Pick<float, int>{a[i + 32 * # + 32], #});",
        "y[i] = p.value; z[i] = p.index;",
    ),
    "integers pick_max": (
        "uol::Pick<int, int> p{b[i + 1], b[i]};",
        "p = uol::pick_max(p, uol::Pick<int, int>{b[i + 32 * # + 32], #});",
        "y[i] = p.value; z[i] = p.index;",
    ),
    "integers shift_left": ("int p = b[i];", "p = uol::shift_left(p, b[i + 32 * # + 32]);", "z[i] = p;"),
    "integers shift_right": ("int p = b[i];", "p = uol::shift_right(p, b[i + 32 * # + 32]);", "z[i] = p;"),
}


@needs_sass
@pytest.mark.parametrize("called", CALLS)
def test_a_function_of_the_header_takes_the_instructions_that_it_is_said_to(called: str) -> None:
    kind, name = called.split()
    assert getattr(FUNCTIONS[name], kind) == pytest.approx(marginal(*CALLS[called]), abs=0.5)


@needs_sass
def test_random_words_take_the_instructions_of_their_rounds() -> None:
    call = "{ auto w = uol::random_words<2>(s, (long long)b[i + 32 * # + 32] * 2); p ^= w.at[0] ^ w.at[1]; }"
    found = marginal("int p = 0; long long s = b[i];", call, "z[i] = p;")
    assert found == pytest.approx(THREEFRY_BLOCK, rel=0.05)


@needs_sass
def test_dropout_is_bound_by_its_random_words() -> None:
    """Not by memory, as it was said to be: 12 integer operations a thread were counted."""
    module = compiled("dropout", {"S": 1 << 24}, seed=7)
    (kernel,) = module.kernels
    counts = of_module(module)[kernel.name]
    in_binary = sum(number for name, number in counts.items() if name in INTEGER)
    assert 0.7 * in_binary <= integers_a_thread(kernel) <= in_binary  # where tensors are not aligned, it moves them one by one
    assert modelled(kernel).bound == "integer"
    assert modelled(kernel).parts["integer"] == pytest.approx((1 << 24) / 2 * THREEFRY_BLOCK / 9.7e12, rel=0.3)


@needs_sass
def test_equal_expressions_of_a_pooling_gradient_count_once() -> None:
    """Which tap a place was, is asked for eight places of two taps of two: of 1,569 operations 138 are left."""
    module = compiled("max_pool2d_grad", {"N": 256, "C": 64, "H": 112, "W": 112}, kernel=3, stride=2, pad=1)
    kernel = next(k for k in module.kernels if "dx" in k.name)
    counts = of_module(module)[kernel.name]
    in_binary = sum(number for name, number in counts.items() if name in INTEGER)
    assert 0.5 * in_binary <= integers_a_thread(kernel) <= 2 * in_binary  # its loop has two turns, one for each row of taps


def test_decode_attention_waits_for_its_tiles() -> None:
    """A row of f32, which threads multiply, beside 8192 keys, in tiles of 16: of each, eight steps of k wait for q and for k,
    and v comes in 32 turns, four of which are on their way together."""
    dims = {"B": 16, "H": 32, "G": 32, "L": 1, "M": 8192, "D": 128, "E": 128}
    (kernel,) = compiled("attention", dims, "f32").kernels
    waits = 8192 // 16 * (8 * 2 + 32 // 4)
    assert modelled(kernel).bound == "latency"
    assert modelled(kernel).parts["latency"] == pytest.approx(waits * LATENCY, rel=0.01)


@needs_sass
def test_the_compiler_has_four_loads_on_their_way() -> None:
    module = compiled("attention", {"B": 16, "H": 32, "G": 32, "L": 1, "M": 8192, "D": 128, "E": 128}, "f32")
    assert of_module(module)["attention_kernel"]["LDG"] // 4 == 5  # of q and v in loops, of k in one whose turns are known


def test_few_blocks_draw_what_they_have_on_its_way() -> None:
    """Little's law: 30 blocks of 256 threads that ask for 16 bytes each draw 0.3 TB/s of an A100, whatever it attains."""
    (kernel,) = compiled("cumsum", {"S": 30, "N": 31744}, "f32").kernels
    in_flight = 30 * 256 * 16
    assert (kernel.launch.blocks({})[0], kernel.launch.block[0]) == (30, 256)
    assert modelled(kernel).parts["latency"] == pytest.approx(30 * 31744 * 4 / (in_flight / LATENCY), rel=0.04)
    assert modelled(kernel).bound == "latency"


@pytest.mark.parametrize(("columns", "times"), [(17408, 0), (65536, 2)])
def test_rows_that_the_cache_does_not_hold_are_read_again_from_memory(columns: int, times: int) -> None:
    """A softmax goes over its rows three times. Of 540 blocks at a time rows of 34 KiB, and what comes of them, fit 40 MiB;
    rows of 128 do not."""
    (kernel,) = compiled("softmax", {"S": 8192, "C": columns}).kernels
    assert issued(kernel).again_bytes == times * 8192 * columns * 2


def test_windows_that_neighbouring_blocks_share_pass_memory_once() -> None:
    """A pooling gradient asks for dy, 98 MiB, more than nine times: all of it while it is in the cache."""
    module = compiled("max_pool2d_grad", {"N": 256, "C": 64, "H": 112, "W": 112}, kernel=3, stride=2, pad=1)
    kernel = next(k for k in module.kernels if "dx" in k.name)
    counts = issued(kernel)
    assert middle(counts.read_bytes) > 9 * 98 * MIB and counts.again_bytes == 0


def test_a_factor_of_a_product_passes_memory_once_where_its_tiles_run_together() -> None:
    """Of x, 128 MiB, the eight tiles of a row run at a time; of both factors of 8192 each, b is read in every round."""
    (linear,) = compiled("linear", {"S": 65536, "K": 1024, "N": 1024}).kernels
    assert issued(linear).again_bytes == 0
    (square,) = compiled("matmul", {"S": 1, "M": 8192, "K": 8192, "N": 8192}).kernels
    assert issued(square).again_bytes >= 128 * MIB


CROWDED = (
    ("matmul", "f32", {"S": 1, "M": 4096, "K": 64, "N": 4096}),
    ("softmax", "f32", {"S": 1024, "C": 16384}),
    ("layer_norm", "f16", {"S": 8192, "C": 4096}),
    ("attention", "f16", {"B": 16, "H": 32, "G": 32, "L": 1024, "M": 1024, "D": 64, "E": 64}),
    ("sum", "f32", {"S": 8192, "C": 4096}),
)


@needs_sass
@pytest.mark.parametrize(("op", "dtype", "dims"), CROWDED)
def test_a_core_has_about_as_many_blocks_as_registers_allow(op: str, dtype: str, dims: dict[str, int]) -> None:
    """Of a binary's registers and the shared memory that its launch takes. Those of a product leave room for one block."""
    module = compiled(op, dims, dtype)
    taken = registry.get("cuda").resources(registry.get("cuda").build(module))
    for kernel in module.kernels:
        (text,) = read_kernels(kernel.text)
        threads, registers = kernel.launch.block[0], -(-taken[kernel.name].registers // 8) * 8
        shared = kernel.footprint.buffers.get("shared", 1)
        allowed = min(32, 2048 // threads, 65536 // (threads * registers), 164 * 1024 // shared)
        assert allowed / 2 <= resident_blocks(kernel, text, A100.device) <= 2 * allowed
        assert op != "matmul" or resident_blocks(kernel, text, A100.device) == allowed == 1
