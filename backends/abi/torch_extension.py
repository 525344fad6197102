"""The operator of this bundle in PyTorch, without uol: `sh build.sh` first, then

    import torch_extension
    softmax = torch_extension.load()              # or load("another/bundle"): this file serves them all
    y = softmax(torch.randn(64, 128))             # torch.ops.uol_bundles.softmax, under torch.compile too

It takes the inputs in the order of the operator's text, then its run-time attributes by name, and gives the results as new
tensors. On a device it runs on PyTorch's current stream, with a workspace of PyTorch's allocator, and waits for nothing. It has
no gradient. TypeError for a tensor of another type, ValueError for another shape or several devices, RuntimeError where the
launch fails, in the driver's words; OSError where the library is not built.
"""

from __future__ import annotations

import ast
import ctypes
import json
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
NAMESPACE = "uol_bundles"
DEVICE_TYPES = {"cpu": "cpu", "cuda": "cuda", "hip": "cuda", "ascendc": "npu"}
"""What PyTorch calls a target's devices. A PyTorch for ROCm says "cuda", too; that of Ascend is torch_npu."""
TYPES = {
    "f64": (0, torch.float64),
    "f32": (1, torch.float32),
    "f16": (2, torch.float16),
    "bf16": (3, torch.bfloat16),
    "f8e4m3": (4, torch.float8_e4m3fn),
    "f8e5m2": (5, torch.float8_e5m2),
    "i64": (6, torch.int64),
    "i32": (7, torch.int32),
    "i16": (8, torch.int16),
    "i8": (9, torch.int8),
    "u8": (10, torch.uint8),
    "bool": (11, torch.bool),
}
"""uol_dtype of uol_abi.h, and PyTorch's."""
ALIGNMENT = 512
"""UOL_WORKSPACE_ALIGNMENT of uol_abi.h."""
ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,  # of sizes, as the language has it
    ast.Mod: operator.mod,
}


class CTensor(ctypes.Structure):
    """uol_tensor."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("ndim", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
    )


class CValue(ctypes.Union):
    _fields_ = (("f", ctypes.c_double), ("i", ctypes.c_int64))


class CAttribute(ctypes.Structure):
    """uol_attr."""

    _fields_ = (("kind", ctypes.c_int32), ("value", CValue))


@dataclass(frozen=True)
class Bundle:
    """A bundle's manifest and its library."""

    record: Mapping[str, Any]
    library: ctypes.CDLL

    @property
    def symbol(self) -> str:
        return str(self.record["symbol"])

    @property
    def device_type(self) -> str:
        return DEVICE_TYPES[str(self.record["target"]).partition(":")[0]]

    def arguments(self, role: str) -> list[Mapping[str, Any]]:
        return [each for each in self.record["arguments"] if each["role"] == role]

    def schema(self) -> str:
        """`(Tensor x, *, float eps=1e-05) -> Tensor`."""
        taken = [f"Tensor {each['name']}" for each in self.arguments("in")]
        given, named = self.record["attributes"], self.record["run_time_attributes"]
        kinds = {each["name"]: "float" if each["dtype"].startswith("f") else "int" for each in named}
        taken += [*(["*"] if kinds else []), *(f"{kind} {name}={given[name]}" for name, kind in kinds.items())]
        results = ["Tensor"] * len(self.arguments("out"))
        return f"({', '.join(taken)}) -> {results[0] if len(results) == 1 else '(' + ', '.join(results) + ')'}"

    def results(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """New tensors for the results of a call. Raises TypeError or ValueError where the inputs are not the operator's."""
        dims = self._dims(tensors)
        devices = {tensor.device for tensor in tensors}
        if len(devices) > 1:
            raise ValueError(f"{self.symbol}: its tensors lie on {' and '.join(sorted(map(str, devices)))}")
        device = next(iter(devices), torch.device(self.device_type))

        def empty(shape: Sequence[int | str], strides: Sequence[int | str], dtype: str) -> torch.Tensor:
            return torch.empty_strided(sizes(shape, dims), sizes(strides, dims), dtype=TYPES[dtype][1], device=device)

        return [empty(each["shape"], each["strides"], each["dtype"]) for each in self.arguments("out")]

    def _dims(self, tensors: Sequence[torch.Tensor]) -> dict[str, Any]:
        """The sizes that are open, as the tensors tell them."""
        dims: dict[str, Any] = {}
        for each, tensor in zip(self.arguments("in"), tensors, strict=True):
            if tensor.dtype != TYPES[each["dtype"]][1]:
                raise TypeError(f"{self.symbol}: {each['name']} is {tensor.dtype}, not {TYPES[each['dtype']][1]}")
            if tensor.dim() != len(each["shape"]):
                raise ValueError(f"{self.symbol}: {each['name']} has {tensor.dim()} dims, not {len(each['shape'])}")
            for size, found in zip(each["shape"], tensor.shape, strict=True):
                if isinstance(size, str) and size.isidentifier():
                    dims.setdefault(size, found)
        for each, tensor in zip(self.arguments("in"), tensors, strict=True):
            shape = sizes(each["shape"], dims)
            if any(found != size for found, size in zip(tensor.shape, shape, strict=True)):
                raise ValueError(f"{self.symbol}: {each['name']} has the shape {list(tensor.shape)}, not {list(shape)}")
        return dims

    def __call__(self, *tensors: torch.Tensor, **attributes: float) -> Any:
        results = self.results(tensors)
        dims = self._dims(tensors)
        laid = [_laid_out(t, sizes(each["strides"], dims)) for each, t in zip(self.arguments("in"), tensors, strict=True)]
        with _on(results[0].device):
            self._launch([*laid, *results], attributes)
        return results[0] if len(results) == 1 else tuple(results)

    def _launch(self, tensors: Sequence[torch.Tensor], attributes: Mapping[str, float]) -> None:
        """On the current stream of the tensors' device, which is current. A tensor that goes before the work is done stays
        the stream's until then, as PyTorch's allocator has it."""
        codes = [TYPES[each["dtype"]][0] for role in ("in", "out") for each in self.arguments(role)]
        rows = (CTensor * len(tensors))(*(_row(t, code) for t, code in zip(tensors, codes, strict=True)))
        values = self._values(attributes)
        functions = [getattr(self.library, f"uol_{self.symbol}{end}") for end in ("", "_workspace", "_message")]
        functions[1].restype, functions[2].restype = ctypes.c_int64, ctypes.c_char_p
        room = functions[1](rows, len(rows), values, len(values))
        code = -room
        if room >= 0:
            memory = torch.empty(room + ALIGNMENT, dtype=torch.uint8, device=tensors[-1].device)
            place = -(-memory.data_ptr() // ALIGNMENT) * ALIGNMENT
            stream = ctypes.c_void_p(_stream(tensors[-1].device))
            given = (stream, ctypes.c_void_p(place), ctypes.c_int64(room), rows, len(rows), values, len(values))
            code = functions[0](*given)
        if code != 0:
            raise RuntimeError(f"{self.symbol}: {functions[2](code).decode()}")

    def _values(self, attributes: Mapping[str, float]) -> Any:
        known = {**self.record["attributes"], **attributes}
        named = self.record["run_time_attributes"]
        values = (CAttribute * len(named))()
        for value, each in zip(values, named, strict=True):
            is_float = each["dtype"].startswith("f")
            value.kind = 0 if is_float else 1
            setattr(value.value, "f" if is_float else "i", float(known[each["name"]]) if is_float else int(known[each["name"]]))
        return values


def load(folder: str | Path = HERE) -> Any:
    """The operator of a bundle: `torch.ops.uol_bundles.SYMBOL`, registered where the process does not have it.

    Raises OSError where the bundle's library is not built, RuntimeError where another bundle has its symbol on the same kind of
    device: `uol compile --symbol` gives it another.
    """
    folder = Path(folder)
    record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    bundle = Bundle(record, ctypes.CDLL(str(folder.resolve() / f"libuol_{record['symbol']}.so")))
    known = _loaded.setdefault((bundle.symbol, bundle.device_type), bundle)
    if known.record["content_hash"] != record["content_hash"]:
        raise RuntimeError(f"another bundle is loaded as {bundle.symbol}; `uol compile --symbol` gives this one another name")
    if known is bundle:
        _register(bundle)
    return getattr(getattr(torch.ops, NAMESPACE), bundle.symbol)


_loaded: dict[tuple[str, str], Bundle] = {}
_LIBRARY = torch.library.Library(NAMESPACE, "FRAGMENT")


def _register(bundle: Bundle) -> None:
    name = f"{NAMESPACE}::{bundle.symbol}"
    if sum(symbol == bundle.symbol for symbol, _ in _loaded) == 1:  # not of another kind of device before
        _LIBRARY.define(f"{bundle.symbol}{bundle.schema()}", tags=(torch.Tag.pt2_compliant_tag,))

        def fake(*tensors: torch.Tensor, **_: float) -> Any:
            results = bundle.results(tensors)
            return results[0] if len(results) == 1 else tuple(results)

        torch.library.register_fake(name, fake, lib=_LIBRARY)
    torch.library.impl(name, bundle.device_type, lib=_LIBRARY)(bundle)


def sizes(shape: Sequence[int | str], dims: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sizes or strides of the manifest at a call: numbers, and expressions over the dims that are open."""
    return tuple(_value(ast.parse(each, mode="eval").body, dims) if isinstance(each, str) else each for each in shape)


def _value(node: ast.expr, dims: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() as value):
            return value
        case ast.Name(id=name):
            return dims[name]
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in ARITHMETIC:
            return ARITHMETIC[type(sign)](_value(left, dims), _value(right, dims))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, dims)
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[left, right]):
            return (min if name == "min" else max)(_value(left, dims), _value(right, dims))
    raise ValueError(f"{ast.unparse(node)} is no size")


def _laid_out(tensor: torch.Tensor, strides: Sequence[int]) -> torch.Tensor:
    """The tensor at the strides that the kernel was made for: itself, or a copy. Those along dims of one do not count."""
    told = zip(tensor.shape, tensor.stride(), strides, strict=True)
    if tensor.numel() == 0 or all(size == 1 or found == stride for size, found, stride in told):
        return tensor
    return torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype, device=tensor.device).copy_(tensor)


def _row(tensor: torch.Tensor, code: int) -> CTensor:
    rank = tensor.dim()
    numbers = ctypes.c_int64 * rank
    return CTensor(tensor.data_ptr(), numbers(*tensor.shape), numbers(*tensor.stride()), rank, code)


def _on(device: torch.device) -> AbstractContextManager[Any]:
    """Within, the device is current."""
    if device.type == "cpu":
        return nullcontext()
    guard: AbstractContextManager[Any] = torch.get_device_module(device).device(device)
    return guard


def _stream(device: torch.device) -> int | None:
    if device.type == "cpu":
        return None
    stream = torch.get_device_module(device).current_stream(device)
    return int(getattr(stream, f"{device.type}_stream"))
