"""Targets by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from uol.backends import registry
from uol.codegen.extensions import TorchBackend
from uol.ir.errors import UolError


def test_targets_are_the_folders_and_what_was_registered(toy: str) -> None:
    assert {"cuda", "hip", toy} <= set(registry.names())
    assert list(registry.names()) == sorted(registry.names())
    assert registry.get(toy) is registry.get(toy)


@pytest.mark.parametrize("name", ["cuda", "hip"])
def test_a_backend_knows_its_name_and_its_devices(name: str) -> None:
    backend = registry.get(name)
    assert backend.name == name
    assert backend.default_device in backend.devices
    assert all(device.name == key for key, device in backend.devices.items())


def test_the_processor_runs_pytorchs_tensors_and_has_no_streams() -> None:
    backend = registry.get("cpu")
    assert isinstance(backend, TorchBackend)
    assert backend.torch_device(3) is backend.devices[backend.default_device]
    assert backend.torch_stream(3) == 0


def test_a_backend_without_devices_of_pytorchs_is_none_that_runs_its_tensors(toy: str) -> None:
    assert not isinstance(registry.get(toy), TorchBackend)


def test_shared_folders_are_no_targets() -> None:
    assert not {"simt", "twin", "abi"} & set(registry.names())


def test_an_unknown_target_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(UolError, match="there is no target 'cude'") as caught:
        registry.get("cude")
    assert "cuda" in str(caught.value)


def test_a_taken_name_is_refused() -> None:
    with pytest.raises(UolError, match="target 'cuda' is registered already"):
        registry.register("cuda", lambda: registry.get("hip"))


def test_a_name_must_be_an_identifier() -> None:
    with pytest.raises(UolError, match="'my gpu' is not a name"):
        registry.register("my gpu", lambda: registry.get("hip"))


def test_an_unregistered_target_is_gone() -> None:
    registry.register("brief", lambda: registry.get("hip"))
    assert registry.get("brief") is registry.get("hip")
    registry.unregister("brief")
    with pytest.raises(UolError, match="there is no target 'brief'"):
        registry.get("brief")


def test_simt_backends_load_neither_torch_nor_tvm() -> None:
    code = "import sys; from uol.backends import registry; registry.get('cuda'); registry.get('hip'); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "tvm"} & set(modules)
