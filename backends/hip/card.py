"""AMD's cards, for packs. It travels with them (`uol.backends.loading.card`). Calls: HIP runtime API reference.

Not run on hardware so far.
"""

from __future__ import annotations

import ctypes
import re

from uol.backends.loading.card import Card, NoCardError
from uol.backends.simt.running.card_driver import Calls, DriverCard, opened

CALLS = Calls(
    load="hipModuleLoadData",
    unload="hipModuleUnload",
    function="hipModuleGetFunction",
    allow_shared="",  # a workgroup has all 64 KiB of its LDS without asking
    launch="hipModuleLaunchKernel",
    allocate="hipMalloc",
    free="hipFree",
    write="hipMemcpyHtoD",
    read="hipMemcpyDtoH",
    fill="hipMemsetAsync",
    stream="hipStreamCreateWithFlags",
    synchronise="hipStreamSynchronize",
    event="hipEventCreateWithFlags",
    record="hipEventRecord",
    elapsed="hipEventElapsedTime",
)
LIBRARIES = ("libamdhip64.so", "libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5")
CACHE_BYTES = 256 * 2**20
"""At least what any of them has: the Infinity Cache of an MI300X (CDNA3 white paper); an MI250X's L2 has 8 MiB."""
PROPERTIES_BYTES = 1 << 14
"""More than `hipDeviceProp_t` takes in any version."""


def open_card(number: int) -> Card:
    """The device of that number. Raises NoCardError where there is none."""
    library = opened(LIBRARIES, "HIP runtime")
    library.hipGetErrorString.restype = ctypes.c_char_p
    count = ctypes.c_int()
    if status := library.hipGetDeviceCount(ctypes.byref(count)):
        raise NoCardError(f"the HIP runtime found no card: {explain(library, status)}")
    if number >= count.value:
        raise NoCardError(f"there is no card {number}: the HIP runtime has {count.value}; --device takes one of them")
    if status := library.hipSetDevice(number):
        raise NoCardError(f"card {number} cannot be used: {explain(library, status)}")
    facts = _facts(library, number)
    own = facts["architecture"]
    return DriverCard(
        library,
        CALLS,
        lambda status: explain(library, status),
        lambda architecture: "native" if architecture == own else "",
        lambda: {},  # rocm-smi has no output that is the same in two of its versions
        facts,
        CACHE_BYTES,
        f"cuda:{number}",  # PyTorch's name for AMD's devices, too
    )


def _facts(library: ctypes.CDLL, number: int) -> dict[str, object]:
    name, driver, memory = ctypes.create_string_buffer(256), ctypes.c_int(), ctypes.c_size_t()
    library.hipDeviceGetName(name, 256, number)
    library.hipRuntimeGetVersion(ctypes.byref(driver))
    library.hipDeviceTotalMem(ctypes.byref(memory), number)
    return {
        "name": name.value.decode(errors="replace"),
        "architecture": _architecture(library, number),
        "driver": version_text(driver.value),
        "memory_bytes": memory.value,
    }


def version_text(number: int) -> str:
    """A version as the runtime tells it: "HIP 6.2" of 60200000."""
    return f"HIP {number // 10**7}.{number // 10**5 % 100}"


def _architecture(library: ctypes.CDLL, number: int) -> str:
    """`"gfx90a"`. The fields of the properties lie elsewhere in each version, but one text alone begins so."""
    properties = ctypes.create_string_buffer(PROPERTIES_BYTES)
    for name in ("hipGetDevicePropertiesR0600", "hipGetDeviceProperties"):
        if hasattr(library, name):
            getattr(library, name)(properties, number)
            found = re.search(rb"gfx[0-9a-f]+", properties.raw)
            return found[0].decode() if found else ""
    return ""


def explain(library: ctypes.CDLL, status: int) -> str:
    """What a status of the driver means, in its own words."""
    text: bytes | None = library.hipGetErrorString(status)
    return text.decode(errors="replace") if text else "unknown error"
