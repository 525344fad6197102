"""State dicts from files: read, compared with what a network has, and refused with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from uol.ir.errors import ResourceError, ShapeError, TypeCheckError, UolError

if TYPE_CHECKING:
    import torch

SAVE = "write it with torch.save(network.state_dict(), path)"
NAMED = 3
"""Entries that a message names; the others are counted."""

COUNTERS = "num_batches_tracked"
"""How many batches a norm's statistics are of: no part of the function, and absent from old files."""


def load_weights(network: torch.nn.Module, path: Path, what: str) -> None:
    """Puts the state dict of a file into `network`, which messages call `what`.

    Raises ResourceError for a file that cannot be read, TypeCheckError for one that holds no state dict, ShapeError for
    a state dict of another network.
    """
    state = _state_dict(path)
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in state and not name.endswith(COUNTERS)]
    unknown = [name for name in state if name not in wanted]
    if missing:
        raise ShapeError(f"{path} lacks {_some(missing)}, which {what} has", hint=_other_names(missing, unknown))
    if unknown:
        raise ShapeError(f"{path} has {_some(unknown)}, which {what} has not", hint=f"give the state dict of {what}")
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            have, want = list(tensor.shape), list(wanted[name].shape)
            message = f"{path}: {name} has the shape {have}, in {what} it is {want}"
            raise ShapeError(message, hint=f"give the state dict of {what}")
    network.load_state_dict({**{n: t for n, t in wanted.items() if n.endswith(COUNTERS)}, **state})


def _state_dict(path: Path) -> dict[str, torch.Tensor]:
    import torch

    loaded = _loaded(path)
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(name, str) for name in loaded):
        raise TypeCheckError(f"{path} holds no state dict, but {_kind(loaded)}", hint=SAVE)
    for name, value in loaded.items():
        if not isinstance(value, torch.Tensor):
            inner = isinstance(value, Mapping)
            hint = f"save this entry alone: torch.save(checkpoint[{name!r}], path)" if inner else SAVE
            raise TypeCheckError(f"{path} holds no state dict: its entry {name!r} is {_kind(value)}, not a tensor", hint=hint)
    return dict(loaded)


def _loaded(path: Path) -> object:
    """What torch.save wrote into the file."""
    import pickle

    import torch

    try:
        path.open("rb").close()
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ResourceError(f"cannot read the weights {str(path)!r}: {error.strerror or error}", hint=SAVE) from error
    except pickle.UnpicklingError as error:
        raise _refused(path) from error
    except Exception as error:  # a file of any other form makes torch's reader stumble anywhere
        raise _other_format(path) from error
    return loaded


def _refused(path: Path) -> UolError:
    """torch's unpickler stops at anything but tensors and plain containers, and at bytes that are no pickle."""
    import zipfile

    if not zipfile.is_zipfile(path):
        return _other_format(path)
    return TypeCheckError(f"{path} holds other objects than tensors, perhaps a whole module", hint=SAVE)


def _other_format(path: Path) -> UolError:
    return TypeCheckError(f"{path} is of another format than torch.save's", hint=SAVE)


def _other_names(missing: list[str], unknown: list[str]) -> str:
    """A hint at names with a common prefix, as wrappers of modules write them."""
    prefix = next((u.removesuffix(missing[0]) for u in unknown if u.endswith(f".{missing[0]}")), None)
    if prefix is not None:
        return f"its names begin with {prefix!r}: remove that from each"
    return f"it has {_some(unknown)} instead" if unknown else SAVE


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _kind(value: object) -> str:
    return "an empty dict" if value == {} else f"a value of type {type(value).__name__}"
