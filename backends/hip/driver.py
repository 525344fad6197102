"""The HIP runtime, where a device is present. Not run on hardware so far; see `uol.backends.simt.loading`."""

from __future__ import annotations

import ctypes
from functools import cache

from uol.backends.simt.driver_api import Driver, DriverNames
from uol.backends.simt.loading import Loaded
from uol.codegen.backend import Artifact, ToolState
from uol.ir.errors import ToolchainError

HINT = "install AMD's driver and ROCm on a machine with a GPU; without one, run the kernel in the twin"
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


def load(artifact: Artifact) -> Loaded:
    """The module on the current device. Raises ToolchainError where there is none."""
    return Loaded(artifact, _driver())


@cache
def _driver() -> Driver:
    library = _library()
    if library is None:
        raise ToolchainError("no HIP runtime was found: kernels can be built here, not run", hint=HINT)
    library.hipGetErrorString.restype = ctypes.c_char_p
    count = ctypes.c_int()
    status = library.hipGetDeviceCount(ctypes.byref(count))
    if status != 0 or count.value == 0:
        detail = _explain(library, status) if status else "no device"
        raise ToolchainError(f"the HIP runtime has no device: {detail}", hint=HINT)
    # The thread's current device is device 0 from the start: nothing to activate.
    return Driver("HIP", library, NAMES, lambda: None, lambda status: _explain(library, status))


@cache
def _library() -> ctypes.CDLL | None:
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _explain(library: ctypes.CDLL, status: int) -> str:
    text: bytes = library.hipGetErrorString(status)
    return text.decode()


def states() -> tuple[ToolState, ...]:
    """The runtime, as `uol doctor` shows it."""
    try:
        _driver()
        found, detail = True, "libamdhip64, with a device"
    except ToolchainError as error:
        found, detail = False, error.message
    return (ToolState("HIP device", found, detail, "HIP kernels run in the twin, not on a device", HINT),)
