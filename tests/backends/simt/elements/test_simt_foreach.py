"""Many runs in one launch: the kernel in the twin beside PyTorch's optimisers, the table and the launch on the stub driver."""

from __future__ import annotations

import ctypes
import shutil
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
from uol.backends.twin import Job, execute_many
from uol.codegen.backend import Module
from uol.codegen.extensions import ForeachBackend
from uol.compilation.foreach_launch import foreach_kernel
from uol.compilation.request import resolve_target
from uol.ir.errors import DeviceError, ShapeError

Table = NDArray[np.int64]
LENGTHS = (1, 300, 5, RUN, 0, 257)
ADAMW = {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01, "bias1": 0.1, "bias2": 0.001}
MOMENTUM = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}


def module_of(target: str, name: str, dtype: str = "f32") -> Module:
    attributes = {"adamw": {k: ADAMW[k] for k in ("lr", "bias1", "bias2")}, "sgd_momentum": {"lr": 0.1}}[name]
    backend = registry.get(target)
    assert isinstance(backend, ForeachBackend)
    whole = uol.compile(name, target, dtype, {"S": (RUN,)}, attributes).module
    found = backend.foreach_module(whole)
    assert found is not None
    return found


def scattered(columns: int) -> Table:
    """Places of runs side by side, in another order in each column."""
    rng = np.random.default_rng(0)
    places = np.empty((len(LENGTHS), columns), np.int64)
    for column in range(columns):
        order = rng.permutation(len(LENGTHS))
        places[order, column] = np.cumsum([0, *(LENGTHS[n] for n in order)])[:-1]
    return places


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_the_kernel_is_adamw_of_every_run(target: str) -> None:
    module = module_of(target, "adamw")
    places, span = scattered(7), sum(LENGTHS)
    rng = np.random.default_rng(1)
    p, g = (rng.standard_normal(span).astype(np.float32) for _ in range(2))
    zeros = np.zeros(span, np.float32)
    tables = {foreach_plan.PLACES: places.ravel(), foreach_plan.LENGTHS: np.array(LENGTHS, np.int64)}
    numbers = {**ADAMW, foreach_plan.ROWS: len(LENGTHS), foreach_plan.SPAN: span}
    (run,) = execute_many([Job(module, {"p": p, "g": g, "m": zeros, "v": zeros, **tables}, numbers)])
    assert not run.findings, run.findings  # every element is written, and by one thread
    for row, length in enumerate(LENGTHS):
        of_p, of_g, _, _, of_new_p, of_new_m, of_new_v = (slice(place, place + length) for place in places[row])
        own = torch.nn.Parameter(torch.from_numpy(p[of_p].astype(np.float64)))
        own.grad = torch.from_numpy(g[of_g].astype(np.float64))
        optimiser = torch.optim.AdamW([own], lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, foreach=False)
        optimiser.step()
        np.testing.assert_allclose(run.outputs["new_p"][of_new_p], own.detach().numpy(), rtol=2e-5, atol=1e-6)
        state: dict[str, Any] = optimiser.state[own]
        np.testing.assert_allclose(run.outputs["new_m"][of_new_m], state["exp_avg"].numpy(), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(run.outputs["new_v"][of_new_v], state["exp_avg_sq"].numpy(), rtol=1e-4, atol=1e-9)


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
def test_a_long_tensor_is_cut_into_runs_of_one_launch(
    stub: Stub, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = resolve_target("cuda")
    monkeypatch.setattr(target.backend, "driver", stub.source(VENDORS["cuda"].source))
    required = {"lr": 0.0, "nesterov": 1}
    kernel = foreach_kernel("sgd_momentum", target, "f32", required, index=1)
    assert kernel is not None
    kernel.launch(ADDRESSES, (40_000, 7), 4, {**MOMENTUM, "nesterov": 1})
    (launch,) = stub.records("cuLaunchKernel")
    assert (launch["name"], launch["grid"], launch["device"]) == ("sgd_momentum_foreach_kernel", [4, 1, 1], 1)
    assert foreach_kernel("sgd_momentum", target, "f32", required) is not None  # from the cache
    plain = uol.compile("sgd_momentum", "cuda", "f32", {"S": (RUN,)}, {"lr": 0.0, "nesterov": 1})
    assert plain.loaded.workspace_bytes == 0  # it has a binary of its own in the cache: the driver finds its kernel
