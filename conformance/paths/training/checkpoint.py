"""The file that a training goes on from: written whole or not at all, held against what it is asked to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from uol.ir.errors import ResourceError, UolError
from uol.whole_file import replacing

FILE = "checkpoint.pt"


def save(folder: Path, state: Mapping[str, Any]) -> None:
    """Puts a new checkpoint in the place of the last one. Raises ResourceError where it cannot; the last one stays then."""
    try:
        with replacing(folder / FILE) as file:
            torch.save(dict(state), file)
    except (OSError, RuntimeError) as error:
        message = f"the checkpoint {str(folder / FILE)!r} could not be written: {error}"
        raise ResourceError(message, hint="the last one is still there; free space, then --resume") from error


def exists(folder: Path) -> bool:
    """Whether there is one to go on from."""
    return (folder / FILE).exists()


def load(folder: Path, of: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint of a folder. Raises ResourceError where there is none or it cannot be read, and UolError where it is not
    `of` what is to be trained (path, seed, recipe)."""
    path = folder / FILE
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except FileNotFoundError as error:
        raise ResourceError(f"there is no checkpoint {str(path)!r}", hint="train without --resume first") from error
    except Exception as error:  # a damaged file raises whatever it meets
        message = f"the checkpoint {str(path)!r} cannot be read: {error}"
        raise ResourceError(message, hint="train anew, without --resume") from error
    for name, value in of.items():
        if state.get(name) != value:
            message = f"the checkpoint {str(path)!r} is of another {name}: {state.get(name)!r}, not {value!r}"
            raise UolError(message, hint=f"give its {name}, or another folder")
    return state
