"""The CUDA driver, where a device is present. Not run on hardware so far; see `uol.backends.simt.loading`."""

from __future__ import annotations

import ctypes
from functools import cache

from uol.backends.simt.driver_api import Driver, DriverNames
from uol.backends.simt.loading import Loaded
from uol.codegen.backend import Artifact, ToolState
from uol.ir.errors import ToolchainError

HINT = "install NVIDIA's driver on a machine with a GPU; without one, run the kernel in the twin"

# CUDA Driver API reference; the _v2 calls take 64-bit addresses
NAMES = DriverNames(
    load_module="cuModuleLoadData",
    get_function="cuModuleGetFunction",
    launch="cuLaunchKernel",
    allocate="cuMemAlloc_v2",
    free="cuMemFree_v2",
    to_device="cuMemcpyHtoD_v2",
    to_host="cuMemcpyDtoH_v2",
    synchronise="cuStreamSynchronize",
)


def load(artifact: Artifact) -> Loaded:
    """The module on the current device. Raises ToolchainError where there is none."""
    return Loaded(artifact, _driver())


@cache
def _driver() -> Driver:
    library = _library()
    if library is None:
        raise ToolchainError("no CUDA driver was found: kernels can be built here, not run", hint=HINT)
    if (status := library.cuInit(0)) != 0:
        raise ToolchainError(f"cuInit failed: {_explain(library, status)}", hint=HINT)
    return Driver("CUDA", library, NAMES, lambda: _activate(library), lambda status: _explain(library, status))


@cache
def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None


def _activate(library: ctypes.CDLL) -> None:
    """The thread's context, else the primary context of device 0: the one that PyTorch uses too."""
    context = ctypes.c_void_p()
    _require(library, library.cuCtxGetCurrent(ctypes.byref(context)))
    if not context.value:
        device = ctypes.c_int()
        _require(library, library.cuDeviceGet(ctypes.byref(device), 0))
        _require(library, library.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
        _require(library, library.cuCtxSetCurrent(context))


def _require(library: ctypes.CDLL, status: int) -> None:
    if status != 0:
        raise ToolchainError(f"the CUDA driver failed: {_explain(library, status)}", hint=HINT)


def _explain(library: ctypes.CDLL, status: int) -> str:
    text = ctypes.c_char_p()
    library.cuGetErrorString(status, ctypes.byref(text))
    return text.value.decode() if text.value else f"status {status}"


def states() -> tuple[ToolState, ...]:
    """The driver, as `uol doctor` shows it."""
    try:
        _driver()
        found, detail = True, "libcuda.so.1, with a device"
    except ToolchainError as error:
        found, detail = False, error.message
    return (ToolState("CUDA device", found, detail, "CUDA kernels run in the twin, not on a device", HINT),)
