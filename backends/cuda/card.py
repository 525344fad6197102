"""NVIDIA's cards, for packs. It travels with them (`uol.backends.loading.card`). Calls and numbers: CUDA Driver API reference.

Not run on hardware so far.
"""

from __future__ import annotations

import ctypes
import re
import subprocess

from uol.backends.loading.card import Card, Kind, NoCardError
from uol.backends.simt.running.card_driver import Calls, DriverCard, opened

CALLS = Calls(
    load="cuModuleLoadData",
    unload="cuModuleUnload",
    function="cuModuleGetFunction",
    allow_shared="cuFuncSetAttribute",
    launch="cuLaunchKernel",
    allocate="cuMemAlloc_v2",
    free="cuMemFree_v2",
    write="cuMemcpyHtoD_v2",
    read="cuMemcpyDtoH_v2",
    fill="cuMemsetD8Async",
    stream="cuStreamCreate",
    synchronise="cuStreamSynchronize",
    event="cuEventCreate",
    record="cuEventRecord",
    elapsed="cuEventElapsedTime",
)
LIBRARIES = ("libcuda.so.1",)
DYNAMIC_SHARED = 8
"""CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES"""
CLOCK_KHZ, CORES, MEMORY_CLOCK_KHZ, CACHE_BYTES, MAJOR, MINOR = 13, 16, 36, 38, 75, 76
"""CU_DEVICE_ATTRIBUTE_CLOCK_RATE, _MULTIPROCESSOR_COUNT, _MEMORY_CLOCK_RATE, _L2_CACHE_SIZE, _COMPUTE_CAPABILITY_*"""


def open_card(number: int) -> Card:
    """The device of that number, in its primary context, which is PyTorch's, too. Raises NoCardError where there is none."""
    library = opened(LIBRARIES, "CUDA driver")
    if status := library.cuInit(0):
        raise NoCardError(f"the CUDA driver found no card: {explain(library, status)}")
    count, device, context = ctypes.c_int(), ctypes.c_int(), ctypes.c_void_p()
    library.cuDeviceGetCount(ctypes.byref(count))
    if number >= count.value:
        raise NoCardError(f"there is no card {number}: the CUDA driver has {count.value}; --device takes one of them")
    for status in (
        library.cuDeviceGet(ctypes.byref(device), number),
        library.cuDevicePrimaryCtxRetain(ctypes.byref(context), device),
        library.cuCtxSetCurrent(context),
    ):
        if status:
            raise NoCardError(f"card {number} cannot be used: {explain(library, status)}")
    major, minor = (_attribute(library, device, which) for which in (MAJOR, MINOR))
    return DriverCard(
        library,
        CALLS,
        lambda status: explain(library, status),
        lambda architecture: _kind(architecture, major * 10 + minor),
        lambda: _clocks(number),
        _facts(library, device, f"sm_{major}{minor}"),
        _attribute(library, device, CACHE_BYTES),
        f"cuda:{number}",
        DYNAMIC_SHARED,
    )


def _kind(architecture: str, own: int) -> Kind:
    """A cubin is for the minors of its major from its own on (sm_80 runs on 8.6 and 8.9, too), PTX for all that come later."""
    found = re.fullmatch(r"sm_(\d+)", architecture)
    built = int(found[1]) if found else own + 1
    if built // 10 == own // 10 and built <= own:
        return "native"
    return "portable" if built <= own else ""


def _facts(library: ctypes.CDLL, device: ctypes.c_int, architecture: str) -> dict[str, object]:
    name, driver, memory = ctypes.create_string_buffer(256), ctypes.c_int(), ctypes.c_size_t()
    library.cuDeviceGetName(name, 256, device)
    library.cuDriverGetVersion(ctypes.byref(driver))
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return {
        "name": name.value.decode(errors="replace"),
        "architecture": architecture,
        "driver": version_text(driver.value),
        "cores": _attribute(library, device, CORES),
        "memory_bytes": memory.value,
        "clock_mhz": _attribute(library, device, CLOCK_KHZ) / 1e3,
        "memory_clock_mhz": _attribute(library, device, MEMORY_CLOCK_KHZ) / 1e3,
    }


def version_text(number: int) -> str:
    """A version as the driver tells it: "CUDA 12.4" of 12040."""
    return f"CUDA {number // 1000}.{number % 1000 // 10}"


def _clocks(number: int) -> dict[str, object]:
    """By nvidia-smi, whose numbers are those of CUDA_DEVICE_ORDER=PCI_BUS_ID."""
    query = ("clocks.sm", "clocks.mem", "clocks.max.sm", "clocks.max.mem", "power.limit", "temperature.gpu", "driver_version")
    command = ["nvidia-smi", f"--query-gpu={','.join(query)}", "--format=csv,noheader", "-i", str(number)]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(query, (part.strip() for part in said.strip().split(",")), strict=False))


def _attribute(library: ctypes.CDLL, device: ctypes.c_int, which: int) -> int:
    value = ctypes.c_int()
    library.cuDeviceGetAttribute(ctypes.byref(value), which, device)
    return value.value


def explain(library: ctypes.CDLL, status: int) -> str:
    """What a status of the driver means, in its own words."""
    text = ctypes.c_char_p()
    library.cuGetErrorString(status, ctypes.byref(text))
    return text.value.decode(errors="replace") if text.value else "unknown error"
