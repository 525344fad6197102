"""The HIP runtime, where a device is present. Not run on hardware so far; see `uol.backends.simt.running.loading`.

Calls and statuses: HIP runtime API reference, module management and memory management.
"""

from __future__ import annotations

import ctypes

from uol.backends.hip.card import LIBRARIES, explain, version_text
from uol.backends.loading.ranges import RangeSource
from uol.backends.simt.running.driver_api import DriverNames, DriverSource, Handle

HINT = "install AMD's driver and ROCm on a machine with a GPU; without one, `uol run OP --twin` runs the text on this CPU"
MAX_SHARED_MEMORY_PER_BLOCK = 74
"""hipDeviceAttributeMaxSharedMemoryPerBlock of hip_runtime_api.h, the same from ROCm 5 to 7."""

NAMES = DriverNames(
    count="hipGetDeviceCount",
    attribute="hipDeviceGetAttribute",
    get_current="hipGetDevice",
    set_current="hipSetDevice",
    load_module="hipModuleLoadData",
    get_function="hipModuleGetFunction",
    # hipFuncSetAttribute knows the program's own kernels and refuses those of modules, whose launch takes as much as the
    # device has (hipamd/src/hip_module.cpp of ROCm's clr)
    allow_shared="",
    launch="hipModuleLaunchKernel",
    allocate="hipMalloc",
    free="hipFree",
    to_device_on="hipMemcpyHtoDAsync",
    to_host="hipMemcpyDtoH",
    synchronise="hipStreamSynchronize",
    is_capturing="hipStreamIsCapturing",
    version="hipRuntimeGetVersion",
)


def start(library: ctypes.CDLL) -> int:
    library.hipGetErrorString.restype = ctypes.c_char_p
    status: int = library.hipInit(0)
    return status


def device_number(library: ctypes.CDLL, index: int, number: Handle) -> int:
    """A device is made current by its number."""
    number.value = index
    return 0


SOURCE = DriverSource(
    "HIP",
    "HIP runtime",
    LIBRARIES,
    NAMES,
    MAX_SHARED_MEMORY_PER_BLOCK,
    start=start,
    handle=device_number,
    new_handle=ctypes.c_int,
    explain=explain,
    version=version_text,
    compiler_hint="HIP_CLANG_PATH names the folder of an older clang",
    ranges=RangeSource(("librocprofiler-sdk-roctx.so.1", "libroctx64.so.4"), "roctxRangePushA", "roctxRangePop"),
    hint=HINT,
)
