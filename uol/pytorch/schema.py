"""The PyTorch schema of an operator, and the types of PyTorch by their names in the language.

conv2d(Tensor x, Tensor w, *, int stride=1, ..., int? stride_h=None, ...) -> Tensor
cast(Tensor x, *, ScalarType dtype) -> Tensor
"""

from __future__ import annotations

from math import isfinite

import torch

from uol.binding.tensor_binding import result_type_variables
from uol.ir.syntax.surface import Attribute, Number, Op, Unary

TORCH_TYPES: dict[str, torch.dtype] = {
    "f64": torch.float64,
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f8e4m3": torch.float8_e4m3fn,
    "f8e5m2": torch.float8_e5m2,
    "i64": torch.int64,
    "i32": torch.int32,
    "i16": torch.int16,
    "i8": torch.int8,
    "u8": torch.uint8,
    "bool": torch.bool,
}
NAMES: dict[torch.dtype, str] = {dtype: name for name, dtype in TORCH_TYPES.items()}


def schemas(op: Op) -> tuple[str, str]:
    """The functional schema and the one of its `out` overload, which gives nothing back: PyTorch's compiler takes no
    operator whose result aliases an argument."""
    tensors = [f"Tensor {p.name}" for p in op.params]
    options = [f"ScalarType {name}" for name in type_options(op)] + [_attribute(a) for a in op.attributes]
    functional = ", ".join([*tensors, *(["*", *options] if options else [])])
    outs = [f"Tensor({chr(97 + i)}!) out{i or ''}" for i in range(len(op.results))]
    with_out = ", ".join([*tensors, "*", *options, *outs])
    plain = "(" + ", ".join(["Tensor"] * len(op.results)) + ")" if len(op.results) > 1 else "Tensor"
    return f"{op.name}({functional}) -> {plain}", f"{op.name}.out({with_out}) -> ()"


def type_options(op: Op) -> dict[str, str]:
    """Keyword by which a call names a result's type -> type variable; `dtype` where there is one."""
    variables = result_type_variables(op)
    return {"dtype": variables[0]} if len(variables) == 1 else {f"dtype_{v}": v for v in variables}


def _attribute(attribute: Attribute) -> str:
    kind = "int" if attribute.type == "int" else "float"
    match attribute.default:
        case None:
            return f"{kind} {attribute.name}"
        case Number(value=value) if isfinite(value):
            return f"{kind} {attribute.name}={value!r}"
        case Unary(op="neg", arg=Number(value=value)) if isfinite(value):
            return f"{kind} {attribute.name}=-{value!r}"
    return f"{kind}? {attribute.name}=None"  # computed from other attributes, or no number of a schema
