"""The lines of one of PyTorch's functions in a stub file, from its rows.

def softmax(input: Tensor, dim: int | None = None, ..., *, out: Tensor | None = None) -> Tensor: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from uol.operators.registry import find_operator
from uol.ops.signatures import Form, forms_of
from uol.pytorch.signatures.binding import signature_of

NUMBERS = ("promoted", "floats", "truth", "quotient")
"""The rewrites whose tensors may be numbers."""
_DIMS = "int | Sequence[int]"
KINDS = {
    **dict.fromkeys(("kernel_size", "output_size", "normalized_shape", "dims", "shifts"), _DIMS),
    **dict.fromkeys(("stride", "dilation", "output_padding", "size"), "_Sizes"),
    **dict.fromkeys(("num_groups", "groups", "k", "dim0", "dim1", "dim2", "offset", "repeats"), "int"),
    **dict.fromkeys(("upscale_factor", "downscale_factor", "num_classes", "minlength", "decimals"), "int"),
    **dict.fromkeys(("threshold", "scale", "eps", "alpha", "beta", "delta", "margin", "dropout_p"), "float"),
    **dict.fromkeys(("min_val", "max_val", "lambd", "momentum", "label_smoothing", "correction"), "float"),
    **dict.fromkeys(("size_average", "reduce", "stable", "align_corners", "recompute_scale_factor"), "bool"),
    **dict.fromkeys(("weight", "attn_mask", "bias", "prepend", "append", "sorter", "pos_weight"), "Tensor"),
    **dict.fromkeys(("weights", "running_mean", "running_var"), "Tensor"),
    "value": "float",
    "dtype": "torch.dtype",
    "scale_factor": "float | Sequence[float]",
    "pad": "Sequence[int]",
    "padding": "_Sizes | str",
    "reduction": 'Literal["mean", "sum", "none"]',
    "side": 'Literal["left", "right"]',
    "padding_idx": "int",
    "max_norm": "float",
    "divisor_override": "int",
    "p": "float",
    "ord": "float",
}
"""The types of arguments that their defaults do not say."""


def function_lines(name: str) -> Iterator[str]:
    """A line for each form, behind `@overload` where there are several."""
    forms = forms_of(name)
    for form in forms:
        if len(forms) > 1:
            yield "@overload"
        yield f"def {name}({_arguments(form)}) -> {_result(form)}: ..."


def _arguments(form: Form) -> str:
    parts: list[str] = []
    named = False
    for p in signature_of(form).parameters.values():
        if p.name == "out":
            continue
        if p.kind is p.KEYWORD_ONLY and not named:
            parts, named = [*parts, "*"], True
        if p.kind is p.VAR_POSITIONAL:
            parts, named = [*parts, f"*{p.name}: int"], True
            continue
        default = "" if p.default is p.empty else f" = {p.default!r}".replace("'", '"')
        parts.append(f"{p.name}: {_kind(form, p)}{default}")
    out = "Sequence[Tensor]" if _result(form) != "Tensor" else "Tensor"
    return ", ".join([*parts, *([] if named else ["*"]), f"out: {out} | None = None"])


def _kind(form: Form, p: inspect.Parameter) -> str:
    kind = _kind_of_value(form, p)
    return f"{kind} | None" if p.default is None and "None" not in kind and kind != "_Sizes" else kind


def _kind_of_value(form: Form, p: inspect.Parameter) -> str:
    words = [each for rewrite in form.rewrites for each in rewrite[:1] + tuple(",".join(rewrite[1:]).split(","))]
    admitted = form.only.get(p.name, ())
    if p.name in form.tensors:
        is_number = any(r[0] in NUMBERS and (r[0] == "quotient" or p.name in r[1].split(",")) for r in form.rewrites)
        return "_Input" if is_number or form.text == "lerp" else "Tensor"
    if p.name == "dim":
        return _DIMS if "all_dims" in words else "int"
    if admitted and all(isinstance(each, str) for each in admitted):
        named = [each for each in admitted if each != "None"]
        if named:
            return f"Literal[{', '.join(repr(each) for each in named)}]".replace("'", '"')
    if p.name == "value" and form.name == "masked_fill":
        return "_Input"
    if p.name == "reduction" and form.name == "kl_div":
        return 'Literal["mean", "sum", "none", "batchmean"]'
    if p.name == "p" and form.name == "norm":
        return 'float | Literal["fro"]'
    if p.name == "padding" and "same_size" not in words:
        return "_Sizes"
    if p.name == "unbiased":
        return "bool"
    return KINDS.get(p.name) or ("object" if p.default in (p.empty, None) else type(p.default).__name__)


def _result(form: Form) -> str:
    heads = {rewrite[0]: rewrite[1:] for rewrite in form.rewrites}
    if "named" in heads:
        return f"torch.return_types.{heads['named'][0]}"
    count = 1 if {"first", "second"} & heads.keys() else len(find_operator(form.text).results)
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"
