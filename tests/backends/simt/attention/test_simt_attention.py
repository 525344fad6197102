"""Attention on machines with threads: emitted kernels in the checked twin, without findings and within the contract."""

from __future__ import annotations

import pytest
from attention_cases import FORWARD, GRADIENTS, SIZES, attention_case
from every_floor import Ready, ready, require_stored
from turns import by_turns

from uol.backends import registry
from uol.backends.simt.attention import candidates
from uol.backends.simt.attention.candidates import ROW_TILES
from uol.backends.simt.attention.schedule import RowTile
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin import Job, execute_many
from uol.codegen.backend import Module, Refusal
from uol.codegen.choice import compile_graph
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Attention
from uol.ir import Library, instantiate
from uol.ir.errors import MissingToolError
from uol.operators.registry import find_operator

NAMES = (*FORWARD, *(f"{n}_by_lse" for n in GRADIENTS))
TYPES = ("f32", "f16", "bf16", "f64")


def backend(name: str) -> SimtBackend:
    found = registry.get(name)
    assert isinstance(found, SimtBackend)
    return found


def made(name: str, sizes: str, dtype: str = "f32", special: str = "") -> Ready:
    case = ready(attention_case(name, sizes, dtype, special))
    assert case is not None
    return case


def module_of(item: Ready, target: str) -> Module:
    machine = backend(target)
    return compile_graph(lower(item.program, machine, {}), machine, machine.devices[machine.default_device])


def require_right(items: list[Ready], target: str, modules: list[Module] | None = None) -> None:
    """All in one twin."""
    modules = modules or [module_of(item, target) for item in items]
    runs = execute_many([Job(m, item.buffers, item.scalars) for m, item in zip(modules, items, strict=True)])
    for item, run in zip(items, runs, strict=True):
        assert not run.findings, f"{run.findings[0]}\n{item.case}"
        require_stored(item, target, run.outputs, item.admitted(target))


@pytest.mark.parametrize(("turn", "target"), by_turns(4, range(4), ["cuda", "hip"]))
def test_types(turn: int, target: str) -> None:
    """An attention in one type a turn, a type in two attentions a turn."""
    items = [made(name, "odd", TYPES[(turn + number) % 4]) for number, name in enumerate(("bare", *NAMES))]
    modules = [module_of(item, target) for item in items]
    assert all(any(isinstance(k.spec, Attention) for k in module.kernels) for module in modules)
    require_right(items, target, modules)


@pytest.mark.parametrize(
    ("name", "target"), by_turns(2, ["attention", "masked_attention", "causal_attention_by_lse"], ["cuda", "hip"])
)
def test_sizes(name: str, target: str) -> None:
    require_right([made(name, sizes) for sizes in SIZES], target)


@pytest.mark.parametrize(("turn", "target"), by_turns(2, [0, 1], ["cuda", "hip"]))
def test_special_values(turn: int, target: str) -> None:
    """An attention on two of the four a turn."""
    names = enumerate(("bare", *NAMES))
    pairs = [(name, special) for number, name in names for special in ("nan", "inf", "low", "late")[(number + turn) % 2 :: 2]]
    require_right([made(name, "wide", special=special) for name, special in pairs], target)


@pytest.mark.parametrize(("tile", "turn"), by_turns(8, ROW_TILES, range(4)), ids=str)
def test_every_tile(tile: RowTile, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the cases a turn, on a target."""
    half, target = turn // 2, ("cuda", "hip")[turn % 2]
    monkeypatch.setattr(candidates, "ROW_TILES", (tile,))
    items = [made(name, sizes) for name in ("masked_attention", "attention_by_lse") for sizes in ("odd", "tall", "whole")]
    items += [made("bare", "wide", special=special) for special in ("low", "late")]
    items = items[half::2]
    modules = [module_of(item, target) for item in items]
    fused = [k for module in modules for k in module.kernels if isinstance(k.spec, Attention)]
    assert fused
    assert {k.schedule for k in fused} == {tile}
    require_right(items, target, modules)


def test_one_that_is_too_wide_for_a_block_is_several_kernels() -> None:
    dims = dict(zip("BHGLMDE", SIZES["odd"], strict=True))
    for width, is_fused in ((256, True), (4000, False)):
        program = instantiate(find_operator("attention"), Library(), types={"T": "f32"}, dims={**dims, "E": width})
        specs = lower(program, backend("cuda"), {}).specs
        assert any(isinstance(s, Attention) for s in specs) == is_fused


def test_a_tile_that_is_too_large_names_one_that_fits() -> None:
    item = made("attention_by_lse", "odd", "f64")
    spec = next(s for s in lower(item.program, backend("cuda"), {}).specs if isinstance(s, Attention))
    refusal = backend("cuda").check(spec, RowTile(128, 64, 16, 8), backend("cuda").devices["a100"])
    assert isinstance(refusal, Refusal)
    assert "shared memory" in refusal.reason
    assert refusal.hint is not None
    for defect, reason in ((RowTile(64, 64, 16, 3), "do not divide"), (RowTile(64, 64, 16, 32), "accumulators")):
        refused = backend("cuda").check(spec, defect, backend("cuda").devices["a100"])
        assert isinstance(refused, Refusal)
        assert reason in refused.reason


@pytest.mark.parametrize(("dtype", "target"), by_turns(2, ["f16", "f64"], ["cuda", "hip"]))
def test_the_vendor_s_compiler_takes_it(dtype: str, target: str) -> None:
    for name in ("masked_attention", "causal_attention_by_lse"):
        try:
            artifact = backend(target).build(module_of(made(name, "odd", dtype), target))
        except MissingToolError as error:
            pytest.skip(error.message)
        assert artifact.binary
