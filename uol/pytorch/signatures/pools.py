"""Pools that give the places of their maxima beside them."""

from __future__ import annotations

from uol.pytorch.signatures.call import Call, rewrite

AXES = ("d", "h", "w")


@rewrite
def with_indices(call: Call, text: str, axes: str) -> None:
    """`return_indices=True` is another text, whose options have a number for each axis."""
    if not call.args["return_indices"]:
        return
    if call.args["ceil_mode"]:
        raise call.refuse("return_indices=True with ceil_mode=True", "a padding that ends with the last window")
    count = int(axes)
    own = {"kernel": call.args["kernel_size"], "pad": call.args["padding"], "dilation": call.args["dilation"]}
    own["stride"] = call.args["stride"] or own["kernel"]
    call.text, call.attributes = text, {}
    for name, value in own.items():
        each = list(value) * (count if len(value) == 1 else 1) if isinstance(value, tuple | list) else [value] * count
        if len(each) != count:
            raise call.refuse(f"{name}={value}", f"one number, or {count}")
        finer = [name] if count == 1 else [name, *(f"{name}_{axis}" for axis in AXES[-count:])]
        for attribute, number in zip(finer, each if count == 1 else [each[0], *each], strict=True):
            call.args[attribute] = number
            call.attributes[attribute] = attribute
