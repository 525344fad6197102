"""A built operator as a function of buffers, where an Ascend device is present: through its C interface and AscendCL.

No device was at hand when this was written: it is tested against a runtime that records its calls, and has not run on
hardware. Calls and constants: CANN's aclrt reference (acl_rt.h).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import SupportsFloat, SupportsInt

from uol.backends.abi.interface import static_extent, workspace_layout
from uol.backends.ascendc.target import CAPABILITY
from uol.backends.loading.loaded import DeviceOperator
from uol.backends.toolchain.shared_library import load_bytes
from uol.codegen.backend import Artifact, ToolState
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import ShapeError, ToolchainError
from uol.ir.program.nodes import Scalar
from uol.ir.types import DTYPES, is_float

HINT = "install CANN's driver and runtime where an Ascend 910B is; without one, `uol run OP --twin` runs the text on this CPU"
COST = "Ascend C kernels run in the twin, not on a device"
HUGE_PAGES_FIRST = 0
TO_DEVICE, TO_HOST = 1, 2
SATURATION = 0
INITIALISED_BEFORE = 100002
"""ACL_ERROR_REPEAT_INITIALIZE of CANN's acl_base.h: aclInit is for once in a process, and torch_npu has called it."""
DTYPE_CODES = {name: code for code, name in enumerate(DTYPES)}
"""The order of `uol_dtype` in uol_abi.h is that of the language's types."""


class Tensor(ctypes.Structure):
    """`uol_tensor`."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("ndim", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
    ]


class AttrValue(ctypes.Union):
    _fields_ = [("f", ctypes.c_double), ("i", ctypes.c_int64)]


class Attr(ctypes.Structure):
    """`uol_attr`."""

    _fields_ = [("kind", ctypes.c_int32), ("value", AttrValue)]


@dataclass(frozen=True, slots=True)
class Runtime:
    """AscendCL, opened. `library` has the aclrt calls, each of which gives 0 for success. `blocks` are what was allocated, by
    the addresses that were handed out."""

    library: ctypes.CDLL
    blocks: dict[int, int] = field(default_factory=dict)

    where = "Ascend device 0"
    index = 0

    def activate(self) -> None:
        """Device 0 is current from `opened` on."""

    def restore(self, before: int) -> None:
        """Nothing else was."""

    def allocate(self, size_bytes: int) -> int:
        """Device memory, aligned as workspaces are; its address, 0 for no bytes. aclrtMalloc itself promises 64 bytes (CANN's
        reference of it)."""
        if size_bytes == 0:
            return 0
        alignment, block = CAPABILITY.workspace_alignment, ctypes.c_void_p()
        self.call("aclrtMalloc", ctypes.byref(block), ctypes.c_size_t(size_bytes + alignment), HUGE_PAGES_FIRST)
        begin = block.value or 0
        address = begin + -begin % alignment
        self.blocks[address] = begin
        return address

    def free(self, address: int) -> None:
        if address:
            self.call("aclrtFree", ctypes.c_void_p(self.blocks.pop(address)))

    def to_device_on(self, address: int, host: int, size_bytes: int, stream: int) -> None:
        """aclrtMemcpy is over when it returns, whatever the stream."""
        self._copy(address, host, size_bytes, TO_DEVICE)

    def to_host(self, host: int, address: int, size_bytes: int) -> None:
        self._copy(host, address, size_bytes, TO_HOST)

    def synchronise(self, stream: int) -> None:
        self.call("aclrtSynchronizeStream", ctypes.c_void_p(stream))

    def call(self, name: str, *arguments: object, admitted: int = 0) -> None:
        """Calls it. Raises ToolchainError for any status but success and the one that is admitted."""
        if (status := getattr(self.library, name)(*arguments)) not in (0, admitted):
            raise ToolchainError(f"{name} failed with status {status}", hint="CANN's aclError reference says what it means")

    def _copy(self, to: int, source: int, size_bytes: int, direction: int) -> None:
        if size_bytes:
            size = ctypes.c_size_t(size_bytes)
            self.call("aclrtMemcpy", ctypes.c_void_p(to), size, ctypes.c_void_p(source), size, direction)


@dataclass(frozen=True, slots=True)
class InterfaceCall:
    """A call of the operator's C function, `uol_<op>` of uol_abi.h, which enqueues its kernels."""

    graph: KernelGraph
    function: Callable[..., int]

    def __call__(self, addresses: Sequence[int], scalars: Sequence[object], workspace: int, stream: int) -> None:
        graph = self.graph
        tensors = (Tensor * len(graph.args))(*map(_tensor, graph.args, addresses))
        attrs = (Attr * len(graph.scalars))(*map(attr_of, graph.scalars, scalars))
        size = ctypes.c_int64(workspace_layout(graph).bytes)
        counts = ctypes.c_int32(len(graph.args)), ctypes.c_int32(len(graph.scalars))
        code = self.function(
            ctypes.c_void_p(stream), ctypes.c_void_p(workspace), size, tensors, counts[0], attrs, counts[1]
        )
        if code != 0:
            raise ToolchainError(f"{graph.name} refused the call with code {code}", hint="uol_abi.h lists the codes")


def load(artifact: Artifact, index: int = 0) -> DeviceOperator:
    """The operator on device 0, the only one so far. Raises ToolchainError for another, and where there is none."""
    if index != 0:
        hint = "ASCEND_RT_VISIBLE_DEVICES says which that is"
        raise ToolchainError(f"Ascend kernels run on device 0, not on device {index}", hint=hint)
    runtime = _runtime()
    graph = artifact.module.graph
    return loaded(graph, runtime, getattr(load_bytes(artifact.binary), f"uol_{graph.name}"))


def loaded(graph: KernelGraph, runtime: Runtime, function: Callable[..., int]) -> DeviceOperator:
    """The operator behind a C function."""
    return DeviceOperator(graph, runtime, InterfaceCall(graph, function))


def states() -> tuple[ToolState, ...]:
    """The device, as `uol doctor` shows it."""
    try:
        _runtime()
        found, detail = True, "libascendcl.so, with a device"
    except ToolchainError as error:
        found, detail = False, error.message
    return (ToolState("Ascend device", found, detail, COST, HINT),)


@cache
def _runtime() -> Runtime:
    try:
        library = ctypes.CDLL("libascendcl.so")
    except OSError:
        raise ToolchainError("no Ascend runtime (libascendcl.so) was found: kernels cannot run here", hint=HINT) from None
    return opened(Runtime(library))


def opened(runtime: Runtime) -> Runtime:
    """The runtime with device 0 current. A device that saturates is refused: a loss scaler would never see an overflow, and
    the language's casts overflow to inf."""
    runtime.call("aclInit", None, admitted=INITIALISED_BEFORE)
    runtime.call("aclrtSetDevice", 0)
    mode = ctypes.c_int(SATURATION)
    runtime.call("aclrtGetDeviceSatMode", ctypes.byref(mode))
    if mode.value == SATURATION:
        raise ToolchainError(
            "the device is in saturation mode, in which overflow gives the largest number instead of inf",
            hint="switch to INF_NAN mode, the default of Atlas A2: unset INF_NAN_MODE_ENABLE=0",
        )
    return runtime


def _tensor(arg: Arg, address: int) -> Tensor:
    def numbers(values: Sequence[int]) -> ctypes.Array[ctypes.c_int64]:
        return (ctypes.c_int64 * max(len(values), 1))(*values)

    shape = numbers([static_extent(d) for d in arg.shape])
    strides = numbers([static_extent(s) for s in arg.strides])
    return Tensor(address, shape, strides, len(arg.shape), DTYPE_CODES[arg.dtype])


def attr_of(scalar: Scalar, value: object) -> Attr:
    """A run-time attribute as the C interface takes it. Raises ShapeError where it is no number."""
    if is_float(scalar.dtype) and isinstance(value, SupportsFloat):
        return Attr(0, AttrValue(f=float(value)))
    if not is_float(scalar.dtype) and isinstance(value, SupportsInt):
        return Attr(1, AttrValue(i=int(value)))
    raise ShapeError(f"{scalar.name} is a {type(value).__name__}", hint=f"pass a number that {scalar.dtype} holds")
