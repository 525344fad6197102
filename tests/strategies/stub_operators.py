"""Operators that are loaded by the stub driver, and tensors that say they lie on a device."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import uol
from uol.backends.cuda.driver import SOURCE as CUDA
from uol.backends.hip.driver import SOURCE as HIP
from uol.backends.stub_driver.loading import artifact_for, load_artifact
from uol.backends.stub_driver.stub import Record, Stub
from uol.codegen.backend import Artifact, Module

THRICE = """
op three_products(x: T[N, K], w: T[K, K]; scale: float = 1.0) -> (y: T[N, K]) for T in (f32, f16) {
  h[n, m] = T(sum[k](acc(x[n, k]) * acc(w[m, k])))
  g[n, m] = T(sum[k](acc(h[n, k]) * acc(w[m, k])))
  y[n, m] = T(sum[k](acc(g[n, k]) * acc(w[m, k])) * scale)
}"""
"""Three kernels with two buffers between them, and a number that is told at the call."""


@dataclass(frozen=True)
class Vendor:
    """What the drivers call alike under other names."""

    target: str
    source: Any
    architecture: str
    number: int
    context: str
    launch: str
    allocate: str
    synchronise: str
    begin: str
    end: str
    new_stream: str


VENDORS = {
    "cuda": Vendor(
        "cuda",
        CUDA,
        "sm_80",
        0,
        "cuCtxSetCurrent",
        "cuLaunchKernel",
        "cuMemAlloc_v2",
        "cuStreamSynchronize",
        "cuStreamBeginCapture_v2",
        "cuStreamEndCapture",
        "cuStreamCreate",
    ),
    "hip": Vendor(
        "hip",
        HIP,
        "gfx90a",
        1,
        "hipSetDevice",
        "hipModuleLaunchKernel",
        "hipMalloc",
        "hipStreamSynchronize",
        "hipStreamBeginCapture",
        "hipStreamEndCapture",
        "hipStreamCreate",
    ),
}


@dataclass
class Elsewhere:
    """A tensor by what a loader asks of it."""

    address: int
    index: int = 0
    nbytes: int = 1 << 20

    def data_ptr(self) -> int:
        return self.address

    def get_device(self) -> int:
        return self.index

    @property
    def device(self) -> str:
        return f"card:{self.index}"


@cache
def module_of_text(target: str, text: str = THRICE, dtype: str = "f32") -> Module:
    """The operator at N = 40, K = 33."""
    return uol.compile(uol.op(text), target, dtype, {"N": 40, "K": 33}).module


def with_shared(module: Module, shared_bytes: int) -> Module:
    """A module whose last kernel takes so much dynamic shared memory."""
    *others, last = module.kernels
    return replace(module, kernels=(*others, replace(last, launch=replace(last.launch, shared_bytes=shared_bytes))))


def loaded(stub: Stub, vendor: Vendor, artifact: Artifact | None = None, index: int = 0) -> Any:
    """The operator on the stub's device; its launches are recorded with arguments, and nothing else has been so far."""
    operator = load_artifact(stub, artifact or artifact_for(module_of_text(vendor.target), vendor.architecture), index)
    stub.clear()
    return operator


def new_stream(stub: Stub, vendor: Vendor) -> int:
    """A stream of the device that is current."""
    stream = ctypes.c_void_p()
    assert getattr(stub.library, vendor.new_stream)(ctypes.byref(stream), 0) == 0
    return stream.value or 0


def launches_of(stub: Stub, vendor: Vendor) -> list[Record]:
    return stub.records(vendor.launch)
