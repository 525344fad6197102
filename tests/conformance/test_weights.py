"""A state dict from a file: every way in which it can be none has its own message."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from uol.conformance.paths.resnet50.weights import load_weights
from uol.ir.errors import UolError


def network() -> torch.nn.Module:
    return torch.nn.Sequential(OrderedDict(conv=torch.nn.Conv2d(3, 4, 3), norm=torch.nn.BatchNorm2d(4)))


def state(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    return {**network().state_dict(), **changed}


def without(*names: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state().items() if name not in names}


def text(path: Path) -> None:
    path.write_text("weights, perhaps\n")


def saved(value: object) -> Callable[[Path], None]:
    return lambda path: torch.save(value, path)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "cannot read the weights '{path}': No such file or directory": (lambda path: None, "write it with torch.save"),
    "cannot read the weights '{path}': Is a directory": (Path.mkdir, "write it with torch.save"),
    "{path} is of another format than torch.save's": (text, "write it with torch.save(network.state_dict(), path)"),
    "{path} holds other objects than tensors, perhaps a whole module": (saved(network()), "write it with torch.save("),
    "{path} holds no state dict, but a value of type list": (saved([torch.ones(2)]), "write it with torch.save("),
    "{path} holds no state dict, but a value of type Tensor": (saved(torch.ones(2)), "write it with torch.save("),
    "{path} holds no state dict, but an empty dict": (saved({}), "write it with torch.save("),
    "{path} holds no state dict: its entry 'model' is a value of type dict, not a tensor": (
        saved({"model": state(), "epoch": 3}),
        "save this entry alone: torch.save(checkpoint['model'], path)",
    ),
    "{path} lacks conv.weight, conv.bias, norm.weight and 3 more, which Tiny has": (
        saved({f"module.{name}": value for name, value in state().items()}),
        "its names begin with 'module.': remove that from each",
    ),
    "{path} lacks norm.bias, which Tiny has": (saved(without("norm.bias")), "write it with torch.save("),
    "{path} has head, which Tiny has not": (saved(state(head=torch.ones(2))), "give the state dict of Tiny"),
    "{path}: conv.bias has the shape [5], in Tiny it is [4]": (
        saved({**state(), "conv.bias": torch.ones(5)}),
        "give the state dict of Tiny",
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_a_file_that_cannot_be_used_says_why(message: str, tmp_path: Path) -> None:
    write, hint = BAD[message]
    path = tmp_path / "weights.pt"
    write(path)
    with pytest.raises(UolError) as raised:
        load_weights(network(), path, "Tiny")
    assert raised.value.message == message.format(path=path)
    assert (raised.value.hint or "").startswith(hint)


@pytest.mark.parametrize("content", [b"", b"\x80", b"\x80\x02.", b"PK\x03\x04", b"}q\x00.", b"(lp0\n.", bytes(range(256))])
def test_no_bytes_make_it_stumble(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(UolError, match="holds no state dict|another format"):
        load_weights(network(), path, "Tiny")


@pytest.mark.parametrize("left_out", [(), ("norm.num_batches_tracked",)])
def test_a_state_dict_is_loaded(left_out: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({**without(*left_out), "conv.bias": torch.tensor([1.0, 2, 3, 4], dtype=torch.float16)}, path)
    loaded = network()
    load_weights(loaded, path, "Tiny")
    assert loaded.get_parameter("conv.bias").tolist() == [1, 2, 3, 4]
