"""Rewrites of types: `dtype=`, what PyTorch promotes, numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from uol.ops import text as texts
from uol.pytorch.arguments import NUMBERS
from uol.pytorch.signatures.call import Call, rewrite


def cast(x: Any, dtype: torch.dtype) -> Any:
    """A tensor in that type, by the library's operator; anything else as it is."""
    return x if not isinstance(x, Tensor) or x.dtype == dtype else texts.cast(x, dtype=dtype)


@rewrite
def typed(call: Call, name: str) -> None:
    """`dtype=` is the type in which PyTorch computes."""
    dtype = call.args["dtype"]
    if dtype is not None:
        call.args[name] = cast(call.args[name], dtype)


@rewrite
def whole(call: Call, name: str) -> None:
    """Sums of whole numbers are in i64, where `dtype=` does not say otherwise."""
    x = call.args[name]
    if isinstance(x, Tensor) and not x.is_floating_point() and call.args.get("dtype") is None:
        call.args[name] = cast(x, torch.int64)


@rewrite
def floating(call: Call, name: str) -> None:
    """A function of real numbers takes whole ones as PyTorch's default type."""
    x = call.args[name]
    if isinstance(x, Tensor) and not x.is_floating_point() and not x.is_complex():
        call.args[name] = cast(x, torch.get_default_dtype())


@rewrite
def promoted(call: Call, names: str) -> None:
    """Tensors and numbers of several types become what `torch.result_type` says."""
    _promote(call, names, floating_point=False)


@rewrite
def floats(call: Call, names: str) -> None:
    """`promoted`, and whole numbers are PyTorch's default type."""
    _promote(call, names, floating_point=True)


def _promote(call: Call, names: str, floating_point: bool) -> None:
    given = [name for name in names.split(",") if call.args[name] is not None]
    dtype = common_type([call.args[name] for name in given])
    if dtype is None:
        return  # the text says what is no tensor and no number
    if floating_point and not dtype.is_floating_point:
        dtype = torch.get_default_dtype()
    for name in given:
        call.args[name] = cast(call.args[name], dtype)


def common_type(values: Sequence[Any]) -> torch.dtype | None:
    """The type of a result by PyTorch's rule, as `torch.result_type`, which has no form for several tensors and none for a
    trace: tensors of no dims, and numbers after them, count only where they are of a higher kind. None where a value is
    neither."""
    found: list[torch.dtype | None] = [None, None, None]
    for value in values:
        if isinstance(value, Tensor):
            rank, dtype = 0 if value.dim() else 1, value.dtype
        elif isinstance(value, NUMBERS):
            rank, dtype = 2, _type_of_number(value)
        else:
            return None
        before = found[rank]
        found[rank] = dtype if before is None else torch.promote_types(before, dtype)
    result: torch.dtype | None = None
    for lower in found:
        if result is None:
            result = lower
        elif lower is not None and _kind(lower) > _kind(result):
            result = torch.promote_types(result, lower)
    return result


def _type_of_number(value: Any) -> torch.dtype:
    if isinstance(value, bool | torch.SymBool):
        return torch.bool
    return torch.int64 if isinstance(value, int | torch.SymInt) else torch.get_default_dtype()


def _kind(dtype: torch.dtype) -> int:
    return 3 if dtype.is_complex else 2 if dtype.is_floating_point else 0 if dtype is torch.bool else 1


@rewrite
def truth(call: Call, names: str) -> None:
    """What is not 0 is true."""
    for name in names.split(","):
        x = call.args[name]
        call.args[name] = cast(x, torch.bool) if isinstance(x, Tensor) else bool(x)


@rewrite
def as_truth(call: Call, name: str) -> None:
    """`truth`, of which PyTorch gives the result of u8 as u8."""
    if call.args[name].dtype is torch.uint8:
        call.finishes.append(lambda r: cast(r, torch.uint8))
    truth(call, name)


@rewrite
def as_bytes(call: Call, name: str) -> None:
    """Truth values are 0 and 1."""
    if call.args[name].dtype is torch.bool:
        call.args[name] = cast(call.args[name], torch.uint8)


@rewrite
def number(call: Call, names: str) -> None:
    """A number of Python, or a tensor of one element that stands for it, is a float."""
    for name in names.split(","):
        value = call.args[name]
        if isinstance(value, Tensor) and (value.numel() != 1 or value.requires_grad):
            raise call.refuse(f"{name}= of a tensor with a gradient, or of several elements", f"{name}={name}.item()")
        call.args[name] = value.item() if isinstance(value, Tensor) else value
        if isinstance(call.args[name], int):
            call.args[name] = float(call.args[name])


@rewrite
def number_of(call: Call, name: str, kind: str) -> None:
    """A truth value as a whole number."""
    del kind
    call.args[name] = int(call.args[name])


@rewrite
def index(call: Call, name: str) -> None:
    """An index is i64 in the texts."""
    x = call.args[name]
    if isinstance(x, Tensor) and not x.is_floating_point():
        call.args[name] = cast(x, torch.int64)


@rewrite
def tensor(call: Call, name: str, like: str) -> None:
    """A number is a tensor of the type of another argument."""
    if not isinstance(call.args[name], Tensor):
        x = call.args[like]
        call.args[name] = torch.tensor(call.args[name], dtype=x.dtype, device=x.device)


@rewrite
def in_i32(call: Call) -> None:
    """`out_int32=` narrows the result."""
    if call.args["out_int32"]:
        call.finishes.append(lambda r: cast(r, torch.int32))


@rewrite
def times(call: Call, name: str, factor: str) -> None:
    """An argument comes times another one."""
    x, by = call.args[name], call.args[factor]
    if by != 1:
        call.args[name] = texts.mul(x, by) if isinstance(x, Tensor) else x * by


@rewrite
def quotient(call: Call) -> None:
    """`rounding_mode=` of a division: floats are rounded after it, whole numbers have a text for floor."""
    mode, dtype = call.args["rounding_mode"], common_type([call.args["input"], call.args["other"]])
    if mode is None or dtype is None or dtype.is_floating_point:
        floats(call, "input,other")
        if mode is not None:
            call.finishes.append(getattr(texts, mode))
        return
    call.text = "floor_divide"
    if mode == "trunc":  # what fmod leaves over has the sign of the dividend
        promoted(call, "input,other")
        call.args["input"] = texts.sub(call.args["input"], texts.fmod(call.args["input"], call.args["other"]))


@rewrite
def real(call: Call, name: str, text: str, then: str) -> None:
    """Floats have another text, and a step behind it."""
    if isinstance(call.args[name], Tensor) and call.args[name].is_floating_point():
        call.text = text
        call.finishes.append(getattr(texts, then))


@rewrite
def of_whole(call: Call, name: str, shape: str) -> None:
    """Whole numbers have another text, `maximum(input,0)`; numbers beside them are whole as well."""
    x = call.args[name]
    if not isinstance(x, Tensor) or x.is_floating_point() or x.dtype is torch.bool:
        return
    text, _, inputs = shape.removesuffix(")").partition("(")
    call.text, call.tensors, call.attributes = text, inputs.split(","), {}
    for each in call.tensors:
        if isinstance(call.args.get(each), float):
            call.args[each] = int(call.args[each])


@rewrite
def largest_where_unsaid(call: Call) -> None:
    """What stands for NaN is 0, what stands for infinity the largest number of the type; whole numbers stay as they are."""
    x = call.args["input"]
    if not x.is_floating_point():
        call.text, call.attributes = "cast", {"dtype": "nan"}
        call.args["nan"] = x.dtype
        return
    limits = torch.finfo(x.dtype)
    for name, value in {"nan": 0.0, "posinf": limits.max, "neginf": limits.min}.items():
        call.args[name] = float(value if call.args[name] is None else call.args[name])


@rewrite
def membership(call: Call, name: str, among: str) -> None:
    """Each element is looked for among the values, which are one row; with `invert=True` the result says which are not there.
    Either may be a number."""
    promoted(call, f"{name},{among}")
    tensor(call, name, among)
    tensor(call, among, name)
    call.args[among] = call.args[among].reshape(-1)
    if call.args["invert"]:
        call.finishes.append(texts.logical_not)


@rewrite
def weighted_positives(call: Call, name: str) -> None:
    """`pos_weight=` is a text with a third input, of the size of the logits."""
    weight = call.args[name]
    if weight is not None:
        call.text = "weighted_binary_cross_entropy_with_logits"
        call.tensors = [*call.tensors, name]
        call.args[name] = weight.expand(call.args["input"].shape)


@rewrite
def term_of_whole(call: Call, name: str, left: str, right: str, factor: str) -> None:
    """A product of whole numbers is added as it is."""
    x = call.args[name]
    if not x.is_floating_point():
        product = texts.mul(call.args[left], call.args[right])
        call.args[left] = texts.mul(product, int(call.args[factor]))
        call.text, call.tensors, call.attributes = "add", [name, left], {}


@rewrite
def product_of_whole(call: Call, name: str, left: str, right: str) -> None:
    """A product of matrices of whole numbers, times a whole number, is added to what is given, times another."""
    x, beta, alpha = (call.args[each] for each in (name, "beta", "alpha"))
    if not x.is_floating_point():
        product = texts.matmul(call.args[left], call.args[right])
        call.args |= {name: texts.mul(x, int(beta)), left: texts.mul(product, int(alpha))}
        call.text, call.tensors, call.attributes = "add", [name, left], {}


@rewrite
def doubled(call: Call, name: str) -> None:
    """Weights that are not f32 are f64."""
    if call.args[name] is not None and call.args[name].dtype is not torch.float32:
        call.args[name] = cast(call.args[name], torch.float64)


@rewrite
def above(call: Call, name: str, least: str, value: str) -> None:
    """Whole numbers above a whole number stay."""
    x = call.args[name]
    if not x.is_floating_point():
        call.args[least] = texts.gt(x, int(call.args[least]))
        call.args[value] = int(call.args[value])
        call.text, call.tensors, call.attributes = "choose", [least, name, value], {}


@rewrite
def rows_of_whole(call: Call, name: str, weight: str, bias: str) -> None:
    """Rows of whole numbers are a product of matrices, to which the bias is added."""
    x, w, b = (call.args[each] for each in (name, weight, bias))
    if not x.is_floating_point():
        call.text, call.tensors = "matmul", [name, weight]
        call.args |= {name: x.reshape(-1, x.shape[-1]), weight: w.t()}
        call.finishes.append(lambda r: texts.add(r, b).reshape(*x.shape[:-1], w.shape[0]))
