"""The CUDA driver, where a device is present. Not run on hardware so far; see `uol.backends.simt.loading`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from uol.backends.simt.driver_api import DriverNames, DriverSource
from uol.ir.errors import ToolchainError

HINT = "install NVIDIA's driver on a machine with a GPU; without one, `uol run OP --twin` runs the text on this CPU"

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


def start(library: ctypes.CDLL) -> Callable[[], None]:
    """The driver, initialised; gives what makes a device current."""
    if (status := library.cuInit(0)) != 0:
        raise ToolchainError(f"cuInit failed: {explain(library, status)}", hint=HINT)
    return lambda: activate(library)


def activate(library: ctypes.CDLL) -> None:
    """The thread's context, else the primary context of device 0: the one that PyTorch uses too."""
    context = ctypes.c_void_p()
    require(library, library.cuCtxGetCurrent(ctypes.byref(context)))
    if not context.value:
        device = ctypes.c_int()
        require(library, library.cuDeviceGet(ctypes.byref(device), 0))
        require(library, library.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
        require(library, library.cuCtxSetCurrent(context))


def require(library: ctypes.CDLL, status: int) -> None:
    if status != 0:
        raise ToolchainError(f"the CUDA driver failed: {explain(library, status)}", hint=HINT)


def explain(library: ctypes.CDLL, status: int) -> str:
    text = ctypes.c_char_p()
    library.cuGetErrorString(status, ctypes.byref(text))
    return text.value.decode() if text.value else f"status {status}"


SOURCE = DriverSource("CUDA", "CUDA driver", ("libcuda.so.1",), NAMES, start, explain, HINT)
