"""The device of PyTorch's that a command is given."""

from __future__ import annotations

import torch

from uol.ir.errors import UolError


def device_of(name: str) -> str:
    """The name, where tensors can be made there. Raises UolError where PyTorch knows no such device, or has none here."""
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # A name that there is not, a PyTorch that was built without the device, a device whose tensors are made elsewhere.
        said = str(error).strip().splitlines()[0]
        raise UolError(f"PyTorch makes no tensor on {name!r}: {said}", hint="--device cpu, or cuda where a card is") from error
    return name
