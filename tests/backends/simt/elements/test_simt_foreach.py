"""Many runs in one launch: the kernel in the twin beside PyTorch's optimisers, the table and the launch on the stub driver."""

from __future__ import annotations

import ctypes
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from stub_operators import VENDORS, Vendor, launches_of, new_stream

import uol
from uol.backends import registry
from uol.backends.cuda import nvrtc
from uol.backends.simt.elements import foreach_plan
from uol.backends.simt.elements.schedule import RUN
from uol.backends.simt.running.driver_device import device_of
from uol.backends.simt.running.foreach_loading import ForeachOperator, laid_out, load_foreach
from uol.backends.stub_driver.loading import architecture_of, artifact_for
from uol.backends.stub_driver.stub import Stub
from uol.backends.twin import Job, TwinRun, execute_many
from uol.codegen.backend import Module
from uol.codegen.extensions import ForeachBackend
from uol.compilation.foreach_launch import foreach_kernel
from uol.compilation.request import resolve_target
from uol.ir.errors import DeviceError, ShapeError

Table = NDArray[np.int64]
Values = NDArray[Any]
ALIGNED, TAILED, ODD = (64, RUN, 0), (4099,), (7, 1, 300)
LENGTHS = (*ALIGNED, *TAILED, *ODD)
"""Runs that begin on 16 bytes in every tensor, the last of them with a tail, and behind them runs that mostly do not."""
MOMENTUM = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": 1}
ADAMW = {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01, "bias1": 0.271, "bias2": 0.002997001}
OPTIONS = {"sgd": {"lr": 0.1, "weight_decay": 0.01}, "sgd_momentum": MOMENTUM, "adamw": ADAMW}
STEPS = ("sgd", "sgd_momentum", "adamw", "sgd_momentum_mixed", "adamw_mixed")
ATTRIBUTES = {"sgd": ("lr",), "sgd_momentum": ("lr", "nesterov"), "adamw": ("lr", "bias1", "bias2")}


def plain_name(name: str) -> str:
    return name.removesuffix("_mixed")


def types_of(name: str) -> Any:
    return {"T": "f32", "U": "bf16" if name == "adamw_mixed" else "f16"} if name.endswith("_mixed") else "f32"


def whole_of(target: str, name: str, dtype: Any = None, length: int = RUN) -> Module:
    plain = plain_name(name)
    attributes = {k: OPTIONS[plain][k] for k in ATTRIBUTES[plain]}
    return uol.compile(name, target, dtype or types_of(name), {"S": (length,)}, attributes).module


def module_of(target: str, name: str, dtype: Any = None) -> Module:
    backend = registry.get(target)
    assert isinstance(backend, ForeachBackend)
    found = backend.foreach_module(whole_of(target, name, dtype))
    assert found is not None
    return found


def scattered(columns: int) -> Table:
    """Places of runs side by side, in another order in each column; those of a kind lie together."""
    rng = np.random.default_rng(0)
    places = np.empty((len(LENGTHS), columns), np.int64)
    for column in range(columns):
        first = len(ALIGNED) + len(TAILED)
        order = [*rng.permutation(len(ALIGNED)), *range(len(ALIGNED), first), *(first + rng.permutation(len(ODD)))]
        places[order, column] = np.cumsum([0, *(LENGTHS[n] for n in order)])[:-1]
    return places


def drawn(module: Module) -> dict[str, Values]:
    """Values of the inputs: states are what steps before have left."""
    rng = np.random.default_rng(1)
    names = [a.name for a in module.graph.args if a.role == "in" and a.dtype == "f32"]
    values = {name: rng.standard_normal(sum(LENGTHS)).astype(np.float32) for name in names}
    return values | ({"v": np.abs(values["v"])} if "v" in values else {})


def job_of(module: Module, name: str, values: dict[str, Values], places: Table) -> Job:
    numbers = {**OPTIONS[plain_name(name)], foreach_plan.ROWS: len(LENGTHS), foreach_plan.SPAN: sum(LENGTHS)}
    tables = {foreach_plan.PLACES: places.ravel(), foreach_plan.LENGTHS: np.array(LENGTHS, np.int64)}
    return Job(module, {**values, **tables}, {**numbers})


def by_pytorch(name: str, p: Values, g: Values, *state: Values) -> list[Values]:
    """The new values of PyTorch's optimiser in float64."""
    own = torch.nn.Parameter(torch.from_numpy(p.astype(np.float64)))
    own.grad = torch.from_numpy(g.astype(np.float64))
    kept = [torch.from_numpy(each.astype(np.float64)) for each in state]
    optimiser: torch.optim.Optimizer
    if plain_name(name) == "adamw":
        optimiser = torch.optim.AdamW([own], lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, foreach=False)
        optimiser.state[own] = {"step": torch.tensor(2.0), "exp_avg": kept[0], "exp_avg_sq": kept[1]}
    else:
        optimiser = torch.optim.SGD(
            [own], lr=0.1, momentum=0.9 if kept else 0.0, weight_decay=0.01, nesterov=bool(kept), foreach=False
        )
        optimiser.state[own] = dict(zip(["momentum_buffer"], kept, strict=False))
    optimiser.step()
    return [own.detach().numpy(), *(each.numpy() for each in kept)]


def wrong(name: str, module: Module, run: TwinRun, values: dict[str, Values], places: Table) -> list[str]:
    """What a run has not as PyTorch's optimiser has it: findings, and results of runs."""
    found = list(map(str, run.findings))
    inputs, results = ([a.name for a in module.graph.args[:-2] if a.role == role] for role in ("in", "out"))
    for row, length in enumerate(LENGTHS):
        parts = [slice(place, place + length) for place in places[row]]
        given = [values[n][part] for n, part in zip(inputs, parts, strict=False)]
        got = {n: run.outputs[n][part] for n, part in zip(results, parts[len(inputs) :], strict=True)}
        for result, want in zip(results, by_pytorch(name, *given), strict=False):
            if not np.allclose(got[result], want, rtol=2e-5, atol=1e-6):
                found.append(f"{result} of run {row}")
        if "copy" in got and not np.array_equal(got["copy"].view(np.int16), narrow_bits(name, got["new_p"])):
            found.append(f"copy of run {row}")
    return found


def narrow_bits(name: str, wide: Values) -> Values:
    """Values in the type of an operator's copies, by PyTorch, as their bits."""
    dtype = torch.bfloat16 if types_of(name)["U"] == "bf16" else torch.float16
    bits: Values = torch.from_numpy(wide.copy()).to(dtype).view(torch.int16).numpy()
    return bits


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_the_kernel_is_pytorchs_step_of_every_run(target: str) -> None:
    modules = {name: module_of(target, name) for name in STEPS}
    values = {name: drawn(module) for name, module in modules.items()}
    places = {name: scattered(len(module.graph.args) - 2) for name, module in modules.items()}
    runs = execute_many([job_of(m, name, values[name], places[name]) for name, m in modules.items()])
    for (name, module), run in zip(modules.items(), runs, strict=True):
        assert not wrong(name, module, run, values[name], places[name]), name


def test_every_run_is_bit_for_bit_what_the_operators_own_kernel_gives() -> None:
    module, places = module_of("hip", "adamw"), scattered(7)
    values = drawn(module)
    rows = [row for row, length in enumerate(LENGTHS) if length in (64, 4099, 7)]
    alone = []
    for row in rows:
        given = {n: values[n][place : place + LENGTHS[row]] for n, place in zip(values, places[row], strict=False)}
        alone.append(Job(whole_of("hip", "adamw", length=LENGTHS[row]), given, ADAMW))
    together, *single = execute_many([job_of(module, "adamw", values, places), *alone])
    for row, run in zip(rows, single, strict=True):
        for result, place in zip(("new_p", "new_m", "new_v"), places[row][4:], strict=True):
            assert np.array_equal(together.outputs[result][place : place + LENGTHS[row]], run.outputs[result]), (result, row)


FAULTS = {
    "a run's pointer is its neighbour's": ("* 6 + 1]", "* 6 + 2]"),
    "the tail begins an element late": ("count / 4 * 4 + threadIdx.x", "count / 4 * 4 + 1 + threadIdx.x"),
    "the groups end one too far": ("vector < count / 4;", "vector <= count / 4;"),
    "the state is not written": ("uol::store_vector(new_buf, s, new_buf_vec, aligned);", ""),
    "the copy is of the old value": ("copy[s] = uol::f16(new_p_value)", "copy[s] = uol::f16(p[s])"),
    "a run has the next one's length": ("uol_lengths[blockIdx.x]", "uol_lengths[(blockIdx.x + 1) % 7]"),
}


def test_planted_faults_are_found() -> None:
    module, places = module_of("cuda", "sgd_momentum_mixed"), scattered(6)
    values = drawn(module)
    faulty = [replaced(module, *edit) for edit in FAULTS.values()]
    off_by_one = places.copy()
    off_by_one[3, 0] += 1
    jobs = [job_of(each, "sgd_momentum_mixed", values, places) for each in faulty]
    runs = execute_many([*jobs, job_of(module, "sgd_momentum_mixed", values, off_by_one)])
    for fault, run in zip([*FAULTS, "a place is off by one"], runs, strict=True):
        assert wrong("sgd_momentum_mixed", module, run, values, places), fault


def replaced(module: Module, text: str, planted: str) -> Module:
    """The module with another text in its device file."""
    assert text in module.device.text, text
    return replace(module, device=replace(module.device, text=module.device.text.replace(text, planted)))


def test_an_operator_of_more_than_one_flat_map_has_no_such_kernel() -> None:
    backend: Any = registry.get("cuda")
    rows = {"S": (4,), "C": 8}
    for name, dims, has in (("softmax", rows, False), ("sum", rows, False), ("relu", {"S": (64,)}, True)):
        found = backend.foreach_module(uol.compile(name, "cuda", "f32", dims).module)
        assert (found is not None) is has, name


@pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed")
def test_nvrtc_takes_the_text() -> None:
    artifact = registry.get("cuda").build(module_of("cuda", "adamw", "f16"))
    assert b"adamw_foreach_kernel" in artifact.binary


@pytest.mark.skipif(shutil.which("hipcc") is None, reason="hipcc is not installed")
def test_hipcc_takes_the_text() -> None:
    artifact = registry.get("hip").build(module_of("hip", "adamw", "bf16"))
    assert b"adamw_foreach_kernel" in artifact.binary


@pytest.fixture(params=["cuda", "hip"])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


def loaded(stub: Stub, vendor: Vendor, index: int = 0) -> ForeachOperator:
    module = module_of(vendor.target, "sgd_momentum")
    stub.tell(module.kernels)
    artifact = artifact_for(module, architecture_of(module))
    found = load_foreach(artifact, device_of(stub.source(vendor.source), index))
    stub.clear()
    return found


ADDRESSES = np.array([[0x1000, 0x9000, 0x5000, 0x1000, 0x5000], [0x400, 0x8000, 0x6000, 0x400, 0x6000]], np.int64)
SIZES = np.array([[100], [16384]], np.int64)
BASES = [0x400, 0x8000, 0x5000, 0x400, 0x5000]
PLACED = [0x300, 0x400, 0, 0x300, 0, 0, 0, 0x400, 0, 0x400]


def words_at(address: int, count: int) -> list[int]:
    return list((ctypes.c_int64 * count).from_address(address))


def test_many_tensors_are_one_launch_behind_their_table(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    stream = new_stream(stub, vendor)
    stub.clear()
    call(ADDRESSES, SIZES, 0.1, 0.9, 0.01, stream=stream)
    (launch,) = launches_of(stub, vendor)
    *bases, places, lengths = launch["arguments"][:7]
    assert bases == BASES
    assert (launch["stream"], launch["grid"], launch["status"]) == (stream, [2, 1, 1], 0)
    assert words_at(places, 10) == PLACED
    assert words_at(lengths, 2) == [100, 16384]
    (copied,) = (each for each in stub.records() if "Memcpy" in each["call"])
    assert (copied["stream"], copied["to"], copied["bytes"]) == (stream, places, call.workspace_bytes(2))
    names = [each["call"] for each in stub.records()]
    assert names.index(copied["call"]) < names.index(vendor.launch)


def test_a_table_lies_in_the_callers_memory_or_in_the_streams_own(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    streams = [new_stream(stub, vendor) for _ in range(2)]
    for stream in (*streams, streams[0]):
        call(ADDRESSES, SIZES, 0.1, 0.9, 0.01, stream=stream)
    first, second, again = (each["arguments"][5] for each in launches_of(stub, vendor))
    assert first == again != second
    stub.clear()
    memory = device_of(stub.source(vendor.source), 0)
    place = memory.allocate(call.workspace_bytes(2))
    stub.clear()
    call(ADDRESSES, SIZES, 0.1, 0.9, 0.01, stream=streams[0], workspace=place)
    assert launches_of(stub, vendor)[0]["arguments"][5] == place
    assert not stub.records(vendor.allocate, vendor.synchronise)


def test_no_runs_are_no_launch(stub: Stub, vendor: Vendor) -> None:
    loaded(stub, vendor)(ADDRESSES[:0], SIZES[:0], 0.1, 0.9, 0.01)
    assert not stub.records()


def test_errors_are_the_drivers_and_the_next_launch_works(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor, 1)
    stub.fail(vendor.allocate, 2)
    with pytest.raises(DeviceError, match="out of memory"):
        call(ADDRESSES, SIZES, 0.1, 0.9, 0.01)
    stub.fail(vendor.launch, 719)
    with pytest.raises(DeviceError, match="the launch of sgd_momentum_foreach_kernel .* unspecified launch failure"):
        call(ADDRESSES, SIZES, 0.1, 0.9, 0.01)
    with pytest.raises(ShapeError, match="a foreach launch is device memory, aligned to 8 bytes"):
        call(ADDRESSES, SIZES, 0.1, 0.9, 0.01, workspace=12)
    with pytest.raises(ShapeError, match="do not lie whole elements apart"):
        call(ADDRESSES + np.array([[2], [0]]), SIZES, 0.1, 0.9, 0.01)
    call(ADDRESSES, SIZES, 0.1, 0.9, 0.01)
    assert [each["status"] for each in launches_of(stub, vendor)] == [719, 0]
    assert {each["device"] for each in launches_of(stub, vendor)} == {1}


def test_places_are_told_in_elements_of_their_own_tensor() -> None:
    bases, table = laid_out(np.array([[64, 4], [32, 12]]), np.array([[3], [5]]), (4, 2))
    assert (bases, table.tolist()) == ([32, 4], [8, 0, 0, 4, 3, 5])


@pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed")
def test_a_long_tensor_is_cut_into_runs_of_one_launch(stub: Stub, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = resolve_target("cuda")
    monkeypatch.setattr(target.backend, "driver", stub.source(VENDORS["cuda"].source))
    required = {"lr": 0.0, "nesterov": 1}
    kernel = foreach_kernel("sgd_momentum", target, "f32", required, index=1)
    assert kernel is not None
    kernel.launch(ADDRESSES, (40_000, 7), (4,) * 5, {**MOMENTUM, "nesterov": 1})
    (launch,) = stub.records("cuLaunchKernel")
    assert (launch["name"], launch["grid"], launch["device"]) == ("sgd_momentum_foreach_kernel", [4, 1, 1], 1)
    assert foreach_kernel("sgd_momentum", target, "f32", required) is not None  # from the cache
    plain = uol.compile("sgd_momentum", "cuda", "f32", {"S": (RUN,)}, {"lr": 0.0, "nesterov": 1})
    assert plain.loaded.workspace_bytes == 0  # it has a binary of its own in the cache: the driver finds its kernel
