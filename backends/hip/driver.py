"""The HIP runtime, where a device is present. Not run on hardware so far; see `uol.backends.simt.loading`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from uol.backends.simt.driver_api import DriverNames, DriverSource
from uol.ir.errors import ToolchainError

HINT = "install AMD's driver and ROCm on a machine with a GPU; without one, `uol run OP --twin` runs the text on this CPU"
LIBRARIES = ("libamdhip64.so", "libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5")

# HIP runtime API reference, module management and memory management
NAMES = DriverNames(
    load_module="hipModuleLoadData",
    get_function="hipModuleGetFunction",
    launch="hipModuleLaunchKernel",
    allocate="hipMalloc",
    free="hipFree",
    to_device="hipMemcpyHtoD",
    to_host="hipMemcpyDtoH",
    synchronise="hipStreamSynchronize",
)


def start(library: ctypes.CDLL) -> Callable[[], None]:
    """Asks for a device. A thread's current device is device 0 from the start: there is nothing to activate."""
    library.hipGetErrorString.restype = ctypes.c_char_p
    count = ctypes.c_int()
    status = library.hipGetDeviceCount(ctypes.byref(count))
    if status != 0 or count.value == 0:
        detail = explain(library, status) if status else "no device"
        raise ToolchainError(f"the HIP runtime has no device: {detail}", hint=HINT)
    return lambda: None


def explain(library: ctypes.CDLL, status: int) -> str:
    text: bytes = library.hipGetErrorString(status)
    return text.decode()


SOURCE = DriverSource("HIP", "HIP runtime", LIBRARIES, NAMES, start, explain, HINT)
