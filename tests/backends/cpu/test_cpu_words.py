"""Products by dot and tile instructions, emulated, against numpy: sizes around tiles, words and blocks of k, signs, layouts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cpu_cases import HOST, as_numbers, graph_of, inputs_of, program_of, require_close, run_compiled
from emulated_instructions import emulate, machine
from turns import by_turns

import uol
from uol.backends.cpu.backend import BACKEND
from uol.backends.cpu.caches import MOST
from uol.backends.cpu.dots.words import has_words
from uol.backends.cpu.operands.panels import LEAST_DEPTH
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.cpu.schedules.legality import TILE_REGISTERS, defect
from uol.backends.cpu.schedules.tasks import FEWEST_REGISTER_TILES
from uol.backends.cpu.scheduling import candidates
from uol.codegen.schedule import schedule_text
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Contract, Reduce
from uol.ir.program.dtype_encoding import STORAGE, decode, encode
from uol.ir.program.nodes import Program

UNITS = ("dots", "tiles")
EXTREMES = {"i8": (-128, 127), "u8": (0, 255)}


def schedule_of(graph: KernelGraph) -> Panels:
    """That of the graph's one kernel, a product of words as they lie."""
    (found,) = graph.specs
    assert isinstance(found, Contract)
    assert has_words(found)
    schedule = next(iter(BACKEND.schedules(found, HOST)))
    assert isinstance(schedule, Panels)
    return schedule


def require_product(program: Program, formula: str, unit: str, k: int, dtype: str = "bf16") -> None:
    """`formula` is what `numpy.einsum` calls it."""
    graph = graph_of(program)
    assert schedule_of(graph).unit == unit
    inputs = inputs_of(program)
    a, b, *rest = as_numbers(program, inputs).values()
    golden, magnitude = (np.einsum(formula, f(a), f(b), optimize=True) for f in (np.array, np.abs))
    for added in rest:
        golden, magnitude = golden + added, magnitude + np.abs(added)
    require_close(run_compiled(graph, inputs)["y"], golden, dtype, k + 8, magnitude)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [(193, 511, 130), (77, 1027, 33), (16, 4095, 17)],
    ids=["rests", "blocks of two lengths", "the fewest rows"],
)
def test_sizes_around_tiles_words_and_blocks(unit: str, m: int, k: int, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch, machine(f"{unit} of bf16"))
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": m, "K": k, "N": n})
    require_product(program, "mk,kn->mn", unit, k)


@pytest.mark.parametrize(("m", "k", "n"), [(192, 64, 96), (300, 513, 16)], ids=["whole tiles", "one step in the last block"])
def test_more_sizes_in_tile_registers(m: int, k: int, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    test_sizes_around_tiles_words_and_blocks("tiles", m, k, n, monkeypatch)


@pytest.mark.parametrize(("unit", "k"), [("dots", 515), ("tiles", 515), ("tiles", 70)])
def test_weights_that_lie_along_k_and_a_bias(unit: str, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch, machine(f"{unit} of bf16"))
    program = program_of("linear", types={"T": "bf16"}, ranks={"S": 1}, dims={"S": 210, "K": k, "N": 90})
    require_product(program, "mk,nk->mn", unit, k)


@pytest.mark.parametrize("unit", UNITS)
def test_a_batch_and_rows_that_lie_apart_along_k(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch, machine(f"{unit} of bf16"))
    program = program_of("batched_matmul", types={"T": "bf16"}, dims={"B": 3, "M": 99, "K": 75, "N": 50})
    require_product(program, "bmk,bkn->bmn", unit, 75)
    program = program_of("matmul_transposed", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 122, "K": 233, "N": 44})
    require_product(program, "km,kn->mn", unit, 233)


@pytest.mark.parametrize(("unit", "c"), [("dots", 32), ("tiles", 32), ("tiles", 33)])
def test_a_convolution_with_a_border(unit: str, c: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taps are three by three: the channels go innermost in k. Where they are odd, too, the product is one of f32."""
    emulate(monkeypatch, machine(f"{unit} of bf16"))
    text = """
op taps(x: bf16[N, C, H, W], w: bf16[O, C, 3, 3]) -> (y: bf16[N, O, H, W]) {
  y[n, o, p, q] = bf16(sum[c, r, s](select(1 <= p + r and p + r < H + 1 and 1 <= q + s and q + s < W + 1,
      f32(x[n, c, p + r - 1, q + s - 1]), 0) * f32(w[o, c, r, s])))
}"""
    program = program_of(text, types={}, dims={"N": 2, "C": c, "H": 11, "W": 13, "O": 24})
    graph, inputs = graph_of(program), inputs_of(program)
    if c % 2 == 0:
        assert schedule_of(graph).unit == unit
    else:
        assert not any(has_words(s) for s in graph.specs if isinstance(s, Contract))
    x, w = as_numbers(program, inputs).values()
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
    golden, magnitude = (np.einsum("ncpqrs,ocrs->nopq", f(windows), f(w), optimize=True) for f in (np.array, np.abs))
    require_close(run_compiled(graph, inputs)["y"], golden, "bf16", 9 * c + 8, magnitude)


def bytes_program(a: str, b: str, m: int, k: int, n: int, along_k: bool = False) -> Program:
    shape, at = ("N, K", "n, k") if along_k else ("K, N", "k, n")
    text = f"op words(a: {a}[M, K], b: {b}[{shape}]) -> (y: i32[M, N]) {{ y[m, n] = sum[k](i32(a[m, k]) * i32(b[{at}])) }}"
    return program_of(text, types={}, dims={"M": m, "K": k, "N": n})


def require_exact(program: Program, unit: str) -> Panels:
    """Of any bytes in one half of the terms, and of the least and greatest alone in the other."""
    rng, inputs = np.random.default_rng(3), {}
    for t in program.by_role("in"):
        low, high = EXTREMES[t.dtype]
        shape = [int(getattr(e, "value", 0)) for e in t.shape]
        numbers = rng.integers(low, high + 1, shape)
        inputs[t.name] = np.where(rng.random(shape) < 0.5, rng.choice([low, high], shape), numbers).astype(STORAGE[t.dtype])
    graph = graph_of(program)
    schedule = schedule_of(graph)
    assert schedule.unit == unit
    a, b = (v.astype(np.int64) for v in inputs.values())
    golden = a @ (b if len(a.T) == len(b) else b.T)
    np.testing.assert_array_equal(run_compiled(graph, inputs)["y"], golden)
    return schedule


@pytest.mark.parametrize(("unit", "a", "b"), by_turns(2, UNITS, ["i8", "u8"], ["i8", "u8"]))
def test_bytes_of_all_signs_are_exact(unit: str, a: str, b: str, monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch, machine(f"{unit} of bytes"))
    require_exact(bytes_program(a, b, 70, 2051, 67), unit)


@pytest.mark.parametrize("unit", UNITS)
def test_weights_of_bytes(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch, machine(f"{unit} of bytes"))
    require_exact(bytes_program("u8", "i8", 70, 301, 67, along_k=True), unit)


def test_dots_of_half_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """AVX-VNNI without AVX-512."""
    emulate(monkeypatch, machine("dots of bytes", vector_bytes=32))
    assert require_exact(bytes_program("i8", "i8", 100, 203, 67), "dots").lanes == 8


@pytest.mark.parametrize("unit", UNITS)
def test_what_is_not_finite_stays_in_its_row_and_column(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is subnormal counts as zero, as documented of the instructions."""
    emulate(monkeypatch, machine(f"{unit} of bf16"))
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 101, "K": 129, "N": 98})
    inputs = inputs_of(program)
    numbers = as_numbers(program, inputs)
    numbers["a"][3, 128], numbers["a"][5, 0], numbers["b"][7, 97] = np.inf, np.nan, -np.inf
    numbers["a"][9] = 2.0**-130
    given = {name: encode(value, "bf16") for name, value in numbers.items()}
    a, b = (decode(given[name], "bf16") for name in ("a", "b"))
    with np.errstate(invalid="ignore"):
        golden = np.where(np.abs(a) < 2.0**-126, 0, a) @ b
    result = run_compiled(graph_of(program), given)["y"]
    require_close(result, golden, "bf16", 200, 100.0)
    assert (decode(result, "bf16")[9, :97] == 0).all()


def test_every_task_gives_its_tiles_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = emulate(monkeypatch, machine("tiles of bf16"))
    before = library.emulated_tiles_configured()
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 300, "K": 64, "N": 300})
    run_compiled(graph_of(program), inputs_of(program))
    assert library.emulated_tiles_configured() > before
    assert library.emulated_tiles_held() == 0


def test_words_for_a_machine_without_units_are_a_product_of_f32(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph that is prepared on one machine and scheduled for another."""
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 100, "K": 300, "N": 70})
    with monkeypatch.context() as patch:
        emulate(patch, machine("dots of bf16"))
        graph = graph_of(program)
    (spec,) = graph.specs
    schedule = candidates(spec, machine())[0]
    assert getattr(schedule, "unit", "") == ""
    inputs = inputs_of(program)
    a, b = as_numbers(program, inputs).values()
    require_close(run_compiled(graph, inputs)["y"], a @ b, "bf16", 308, np.abs(a) @ np.abs(b))


def test_what_is_not_worth_words(monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch, machine("dots of bf16", "dots of bytes"))
    for dims in ({"M": 15, "K": 4096, "N": 512}, {"M": 100, "K": 1024, "N": 12}, {"M": 64, "K": 64, "N": 64}):
        graph = graph_of(program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims=dims))
        assert not any(has_words(s) for s in graph.specs if isinstance(s, Contract))
    graph = graph_of(program_of("matmul", types={"T": "f16"}, ranks={"S": 0}, dims={"M": 200, "K": 200, "N": 200}))
    assert not any(has_words(s) for s in graph.specs if isinstance(s, Contract))


@pytest.mark.parametrize("unit", UNITS)
def test_what_a_user_may_ask_of_words(unit: str, own_cache: object, monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch, machine(f"{unit} of bf16"))
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 100, "K": 300, "N": 70})
    own, known = schedule_of(graph_of(program)), candidates(graph_of(program).specs[0], machine(f"{unit} of bf16"))
    assert "no instruction" in str(defect(replace(own, lanes=32), known))
    assert "prepared for" in str(defect(replace(own, unit=""), known))
    if unit == "tiles":
        assert "tile registers" in str(defect(replace(own, rows=16, vectors=3), known))
        assert "tile register" in str(defect(replace(own, rows=3), known))
    tile = "rows=16,vectors=1" if unit == "tiles" else "rows=3,vectors=2"
    given = f"{tile},row_tiles=3,column_tiles=2,slivers=true"
    kernel = uol.compile("matmul", "cpu", "bf16", {"S": (), "M": 100, "K": 300, "N": 70}, schedule=given)
    inputs = inputs_of(program)
    a, b = as_numbers(program, inputs).values()
    require_close(kernel(inputs["a"], inputs["b"]), a @ b, "bf16", 308, np.abs(a) @ np.abs(b))


def test_blocks_are_as_deep_as_their_words_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch, machine("tiles of bf16", "dots of bytes"))
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 1024, "K": 1024, "N": 1024})
    schedule = schedule_of(graph_of(program))
    assert (schedule.depth, schedule.word, schedule.column_tiles) == (2 * LEAST_DEPTH, 2, 8)
    schedule = schedule_of(graph_of(bytes_program("i8", "i8", 256, 3072, 256)))
    assert (schedule.depth, schedule.word) == (4 * LEAST_DEPTH, 4)


@pytest.mark.parametrize("unit", UNITS)
def test_blocks_follow_from_the_caches(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a sliver and the panels of a task are no more than these allow. Tile registers are loaded from the second
    level: a block is as deep as it has room for the panels that must read the rows."""
    found = replace(machine(f"{unit} of bf16", registers=32), caches=MOST)
    emulate(monkeypatch, found)
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 20000, "K": 4090, "N": 8192})
    schedule = schedule_of(graph_of(program))
    words = schedule.depth // schedule.word
    assert words > LEAST_DEPTH
    assert words * schedule.vectors * schedule.lanes * schedule.column_tiles * 4 <= found.caches.block_bytes
    if unit == "dots":
        assert words * schedule.rows * 4 <= found.caches.sliver_bytes
    else:
        assert schedule.column_tiles == FEWEST_REGISTER_TILES
    assert defect(schedule, [schedule]) is None


def test_tile_registers_read_rows_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the words of a row are neighbours; all else is copied."""
    emulate(monkeypatch, machine("tiles of bf16"))
    dims = {"M": 128, "K": 256, "N": 128}
    for op, is_copied in (("matmul", False), ("matmul_transposed", True)):
        assert schedule_of(graph_of(program_of(op, types={"T": "bf16"}, ranks={"S": 0}, dims=dims))).slivers == is_copied


@pytest.mark.parametrize("k", [1024, 1600, 1056 + 17], ids=["two blocks", "of whole registers", "and a rest"])
def test_rows_in_place_end_with_their_block(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not finite lies just beyond a block of k and beyond the last row's end: it is multiplied once."""
    emulate(monkeypatch, machine("tiles of bf16"))
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 96, "K": k, "N": 32})
    graph, inputs = graph_of(program), inputs_of(program)
    assert not schedule_of(graph).slivers
    numbers = as_numbers(program, inputs)
    numbers["a"][40, 0] = np.inf
    result = run_compiled(graph, {name: encode(value, "bf16") for name, value in numbers.items()})["y"]
    a, b = (decode(encode(numbers[name], "bf16"), "bf16") for name in ("a", "b"))
    require_close(np.delete(result, 40, 0), np.delete(a @ b, 40, 0), "bf16", k + 8, np.abs(np.delete(a, 40, 0)) @ np.abs(b))
    assert not np.isfinite(decode(result, "bf16")[40]).any()


@pytest.mark.parametrize(("cores", "task"), [(2, (32, 8)), (32, (8, 2))], ids=["few copies", "a task for every core"])
def test_tasks_of_tile_registers(cores: int, task: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """b is copied once for all rows, as long as there are tasks enough."""
    found = replace(machine("tiles of bf16"), cores=cores)
    emulate(monkeypatch, found)
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 1024, "K": 1024, "N": 1024})
    (spec,) = graph_of(program).specs
    schedule = candidates(spec, found)[0]
    assert isinstance(schedule, Panels)
    assert (schedule.row_tiles, schedule.column_tiles) == task


@pytest.mark.parametrize("unit", UNITS)
def test_a_long_k_in_parts(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch, machine(f"{unit} of bf16"))
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 33, "K": 4112, "N": 17})
    graph, inputs = graph_of(program), inputs_of(program)
    products, total = graph.specs
    assert isinstance(products, Contract) and isinstance(total, Reduce)
    assert getattr(candidates(products, machine(f"{unit} of bf16"))[0], "unit", "") == unit
    a, b = as_numbers(program, inputs).values()
    require_close(run_compiled(graph, inputs)["y"], a @ b, "bf16", 4120, np.abs(a) @ np.abs(b))


@pytest.mark.parametrize("unit", UNITS)
def test_schedules_beside_the_preferred_one(unit: str, own_cache: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What timing may choose is of the same unit, and tile registers stay as they are; the first of them is tried."""
    found = machine(f"{unit} of bf16")
    emulate(monkeypatch, found)
    program = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 70, "K": 1027, "N": 33})
    _, *others, _ = candidates(graph_of(program).specs[0], found)
    for other in others:
        assert isinstance(other, Panels) and other.unit == unit
        assert unit == "dots" or (other.rows, other.vectors) == TILE_REGISTERS
    dims = {"S": (), "M": 70, "K": 1027, "N": 33}
    kernel = uol.compile("matmul", "cpu", "bf16", dims, schedule=schedule_text(others[0]))
    inputs = inputs_of(program)
    a, b = as_numbers(program, inputs).values()
    require_close(kernel(inputs["a"], inputs["b"]), a @ b, "bf16", 1035, np.abs(a) @ np.abs(b))
