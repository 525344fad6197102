"""From `uol.ops` down to a vendor's driver: its loader, on the stub of the driver, for tensors of the test card."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch
from stub_operators import VENDORS, Vendor

import uol
from testcard import backend, device
from testcard.device import NAME, counts
from testcard.overhead import on_stub
from uol.backends import registry
from uol.backends.simt.running import driver_api, driver_device
from uol.backends.stub_driver.stub import Stub, opened
from uol.pytorch import bridge, foreach

MODULES = {"cuda": "cuModuleLoadData", "hip": "hipModuleLoadData"}
CALLS_THAT_WAIT = {
    "cuda": ("cuStreamSynchronize", "cuMemAlloc_v2", "cuMemFree_v2", "cuMemcpyHtoD_v2", "cuMemcpyDtoH_v2"),
    "hip": ("hipStreamSynchronize", "hipMalloc", "hipFree", "hipMemcpyHtoD", "hipMemcpyDtoH"),
}


@pytest.fixture(params=["cuda", "hip"])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


@pytest.fixture(autouse=True)
def stub(vendor: Vendor) -> Iterator[Stub]:
    """The vendor's backend in the place of the test card's, with two devices."""
    registry.unregister(NAME)
    kept = registry.get(vendor.target)
    forget()
    with opened(vendor.architecture, vendor.architecture) as driver:
        registry._instances[vendor.target] = on_stub(vendor.target, driver)
        yield driver
        forget()
    registry._instances[vendor.target] = kept
    backend.register()


def forget() -> None:
    """The kernels that the next call finds are its backend's."""
    bridge.forget_sizes()
    foreach._kernel.cache_clear()
    gc.collect()


def test_a_product_is_launched_on_its_card_with_pytorchs_memory(stub: Stub, vendor: Vendor) -> None:
    x, w, b = (torch.ones(size, device=f"{NAME}:1") for size in ((8, 16), (12, 16), (12,)))
    uol.ops.text.linear(x, w, b)
    stub.clear()
    before = counts(1)
    y = uol.ops.text.linear(x, w, b)
    launched = stub.records(vendor.launch)
    assert launched and {each["device"] for each in launched} == {1} and {each["status"] for each in launched} == {0}
    assert y.device.index == 1 and device.current_card() == 0
    assert not stub.records(*CALLS_THAT_WAIT[vendor.target])
    assert (counts(1).copies_to_host, counts(1).waits) == (before.copies_to_host, before.waits)


def test_sizes_after_the_first_share_the_kernels_of_any_size(stub: Stub, vendor: Vendor) -> None:
    lengths = (64, 100, 1000, 77, 100)
    for length in lengths:
        uol.ops.text.softmax(torch.ones(12, length, device=NAME))
    assert {each["status"] for each in stub.records(vendor.launch)} == {0}
    first, *others = [each["name"] for each in stub.records(vendor.launch)]
    assert len(others) == len(lengths) - 1
    assert len(stub.records(MODULES[vendor.target])) == 1 + len({*others}), "one for the first size, one a kernel of any size"
    before = counts(0)
    stub.clear()
    uol.ops.text.softmax(torch.ones(12, 500, device=NAME))
    assert not stub.records(MODULES[vendor.target], *CALLS_THAT_WAIT[vendor.target])
    assert counts(0).waits == before.waits


def test_a_workspace_of_any_size_comes_from_pytorch(stub: Stub, vendor: Vendor) -> None:
    for length in (5000, 6000, 9000, 6000):
        uol.ops.text.sort(torch.ones(2, length, device=NAME))
    found = stub.records(vendor.launch)
    assert {each["status"] for each in found} == {0}
    of_5000 = ["tiles1_kernel", "merge2_kernel", "kernel"]
    of_6000 = ["tiles1_kernel", "merge2_kernel", "rest2_kernel"]
    of_9000 = ["tiles1_kernel", "merge2_kernel", "merge3_kernel", "rest3_kernel"]
    assert [each["name"].removeprefix("sort_") for each in found] == [*of_5000, *of_6000, *of_9000, *of_6000]
    assert not stub.records(CALLS_THAT_WAIT[vendor.target][1]), "the driver is asked for no memory"


def test_what_the_driver_says_of_a_launch_is_an_error_and_the_next_call_works(stub: Stub, vendor: Vendor) -> None:
    x = torch.ones(8, device=NAME)
    uol.ops.exp(x)
    stub.fail(vendor.launch, 719)
    with uol.fallback(), pytest.raises(uol.DeviceError, match="unspecified launch failure"):
        uol.ops.exp(x)
    uol.ops.exp(x)
    assert [each["status"] for each in stub.records(vendor.launch)] == [0, 719, 0]


def test_an_optimiser_steps_in_one_launch(stub: Stub, vendor: Vendor) -> None:
    params = [torch.nn.Parameter(torch.ones(size, device=NAME)) for size in ((5, 3), (40,), (2, 2, 2))]
    optimiser = uol.SGD(params, lr=0.1)
    for p in params:
        p.grad = torch.ones_like(p)
    optimiser.step()
    assert len(stub.records(vendor.launch)) == 1


def test_no_driver_is_said_with_the_way_out(stub: Stub, vendor: Vendor) -> None:
    stub.reset()  # no device is left, as a process finds it that asks for the first time
    driver_api._open.cache_clear()
    driver_device.device_of.cache_clear()
    with pytest.raises(uol.ToolchainError) as raised:
        uol.ops.exp(torch.ones(9, device=NAME))
    assert "uol.fallback" in (raised.value.hint or "")
