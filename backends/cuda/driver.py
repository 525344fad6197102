"""The CUDA driver, where a device is present. Not run on hardware so far; see `uol.backends.simt.running.loading`.

Calls and statuses: CUDA Driver API reference; the _v2 calls take 64-bit addresses.
"""

from __future__ import annotations

import ctypes

from uol.backends.cuda.card import LIBRARIES, explain, version_text
from uol.backends.loading.ranges import RangeSource
from uol.backends.simt.running.driver_api import DriverNames, DriverSource, Handle

HINT = "install NVIDIA's driver on a machine with a GPU; without one, `uol run OP --twin` runs the text on this CPU"
MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97

NAMES = DriverNames(
    count="cuDeviceGetCount",
    attribute="cuDeviceGetAttribute",
    get_current="cuCtxGetCurrent",
    set_current="cuCtxSetCurrent",
    load_module="cuModuleLoadData",
    get_function="cuModuleGetFunction",
    allow_shared="cuFuncSetAttribute",
    launch="cuLaunchKernel",
    allocate="cuMemAlloc_v2",
    free="cuMemFree_v2",
    to_device_on="cuMemcpyHtoDAsync_v2",
    to_host="cuMemcpyDtoH_v2",
    synchronise="cuStreamSynchronize",
    is_capturing="cuStreamIsCapturing",
    version="cuDriverGetVersion",
)


def start(library: ctypes.CDLL) -> int:
    status: int = library.cuInit(0)
    return status


def primary_context(library: ctypes.CDLL, index: int, context: Handle) -> int:
    """The primary context of a device, which PyTorch's runtime uses too. It is kept as long as the process lives."""
    device = ctypes.c_int()
    status: int = library.cuDeviceGet(ctypes.byref(device), index)
    return status or int(library.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))


SOURCE = DriverSource(
    "CUDA",
    "CUDA driver",
    LIBRARIES,
    NAMES,
    MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
    start=start,
    handle=primary_context,
    new_handle=ctypes.c_void_p,
    explain=explain,
    version=version_text,
    compiler_hint="UOL_CUDA_COMPILER names an older one, the file of an NVRTC or an nvcc",
    ranges=RangeSource(("libnvtx3interop.so.1", "libnvToolsExt.so.1"), "nvtxRangePushA", "nvtxRangePop"),
    hint=HINT,
)
