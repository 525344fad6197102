"""A built operator as a function of buffers, where an Ascend device is present: through its C interface and AscendCL.

No device was at hand when this was written: it is tested against a runtime that records its calls, and has not run on
hardware. Calls and constants: CANN's aclrt reference (acl_rt.h).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import SupportsFloat, SupportsInt

from uol.backends.abi.arguments import device_address, host_address, span_bytes
from uol.backends.abi.interface import static_extent, workspace_layout
from uol.backends.toolchain.shared_library import load_bytes
from uol.codegen.backend import Artifact, ToolState
from uol.codegen.specs.nodes import Arg, KernelGraph
from uol.ir.errors import ShapeError, ToolchainError
from uol.ir.program.nodes import Scalar
from uol.ir.types import DTYPES, is_float

HINT = "install CANN's driver and runtime where an Ascend 910B is; without one, `uol run OP --twin` runs the text on this CPU"
COST = "Ascend C kernels run in the twin, not on a device"
HUGE_PAGES_FIRST = 0
TO_DEVICE, TO_HOST = 1, 2
SATURATION = 0
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
    """AscendCL, opened. `library` has the aclrt calls, each of which gives 0 for success."""

    library: ctypes.CDLL

    def allocate(self, size_bytes: int) -> int:
        """Device memory; its address, 0 for no bytes."""
        if size_bytes == 0:
            return 0
        address = ctypes.c_void_p()
        self.call("aclrtMalloc", ctypes.byref(address), ctypes.c_size_t(size_bytes), HUGE_PAGES_FIRST)
        return address.value or 0

    def free(self, address: int) -> None:
        if address:
            self.call("aclrtFree", ctypes.c_void_p(address))

    def copy(self, to: int, source: int, size_bytes: int, direction: int) -> None:
        if size_bytes:
            size = ctypes.c_size_t(size_bytes)
            self.call("aclrtMemcpy", ctypes.c_void_p(to), size, ctypes.c_void_p(source), size, direction)

    def synchronise(self, stream: int) -> None:
        self.call("aclrtSynchronizeStream", ctypes.c_void_p(stream))

    def call(self, name: str, *arguments: object) -> None:
        if (status := getattr(self.library, name)(*arguments)) != 0:
            raise ToolchainError(f"{name} failed with status {status}", hint="CANN's aclError reference says what it means")


class Loaded:
    """Call it with the operator's inputs, results and run-time attributes, in order.

    A buffer is device memory (an address, or anything with `data_ptr()`, as torch_npu's tensors have), which is enqueued on
    `stream` and not waited for; or a numpy array, which is copied to the device and back.
    """

    def __init__(self, graph: KernelGraph, runtime: Runtime, operator: Callable[..., int]) -> None:
        self.graph, self.runtime, self.operator = graph, runtime, operator
        self.workspace_bytes = workspace_layout(graph.workspaces).bytes
        self.workspace = runtime.allocate(self.workspace_bytes)

    def __call__(self, *arguments: object, stream: int = 0) -> None:
        args, scalars = self.graph.args, self.graph.scalars
        if len(arguments) != len(args) + len(scalars):
            names = [a.name for a in args] + [s.name for s in scalars]
            raise ShapeError(f"{self.graph.name} takes {len(names)} arguments: {', '.join(names)}")
        given = dict(zip((s.name for s in scalars), arguments[len(args) :], strict=True))
        attrs = (Attr * len(scalars))(*(attr_of(s, given[s.name]) for s in scalars))
        with self._on_device(arguments[: len(args)], stream) as addresses:
            tensors = (Tensor * len(args))(*map(_tensor, args, addresses))
            workspace = ctypes.c_void_p(self.workspace), ctypes.c_int64(self.workspace_bytes)
            counts = ctypes.c_int32(len(args)), ctypes.c_int32(len(scalars))
            code = self.operator(ctypes.c_void_p(stream), *workspace, tensors, counts[0], attrs, counts[1])
        if code != 0:
            raise ToolchainError(f"{self.graph.name} refused the call with code {code}", hint="uol_abi.h lists the codes")

    @contextmanager
    def _on_device(self, arguments: Sequence[object], stream: int) -> Iterator[list[int]]:
        """Addresses in order. Host arrays are copied in before and, where they are results, out after."""
        staged: list[tuple[Arg, int, int]] = []
        addresses: list[int] = []
        try:
            for arg, argument in zip(self.graph.args, arguments, strict=True):
                address = device_address(argument)
                if address is None:
                    host = host_address(arg.name, argument)
                    address = self.runtime.allocate(span_bytes(arg))
                    staged.append((arg, host, address))
                    self.runtime.copy(address, host, span_bytes(arg), TO_DEVICE)
                addresses.append(address)
            yield addresses
            if staged:
                self.runtime.synchronise(stream)
            for arg, host, address in staged:
                if arg.role != "in":
                    self.runtime.copy(host, address, span_bytes(arg), TO_HOST)
        finally:
            for _, _, address in staged:
                self.runtime.free(address)


def load(artifact: Artifact) -> Loaded:
    """The operator on the current device. Raises ToolchainError where there is none."""
    runtime = _runtime()
    graph = artifact.module.graph
    return Loaded(graph, runtime, getattr(load_bytes(artifact.binary), f"uol_{graph.name}"))


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
    runtime.call("aclInit", None)
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
