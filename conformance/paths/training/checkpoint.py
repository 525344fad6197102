"""The file that a training goes on from: written whole or not at all, held against what it is asked to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from uol.ir.errors import ResourceError, UolError
from uol.whole_file import remove_unfinished, replacing

FILE = "checkpoint.pt"
OUTPUTS = (FILE, "training.json", "training.html")
"""What a training leaves in its folder."""


def make_room(folder: Path, *, overwrite: bool) -> None:
    """Readies a folder for a new training: what killed ones left half-written goes, and with `overwrite` all that an earlier
    one left. Raises UolError where there is something of an earlier one otherwise."""
    _sweep(folder)
    there = [name for name in OUTPUTS if (folder / name).exists()]
    if there and not overwrite:
        message = f"{str(folder)!r} holds a training already: {', '.join(there)}"
        raise UolError(message, hint="go on with it by --resume, train anew over it by --force, or give another folder: -o DIR")
    for name in there:
        (folder / name).unlink()


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
    _sweep(folder)
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


def _sweep(folder: Path) -> None:
    """Takes away what killed trainings have left half-written."""
    for name in OUTPUTS:
        remove_unfinished(folder / name)
