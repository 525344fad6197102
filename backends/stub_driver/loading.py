"""Operators on the stub: no compiler is needed, since a binary is a header with the names of its kernels."""

from __future__ import annotations

from collections.abc import Mapping

from uol.backends import registry
from uol.backends.cuda import driver as cuda
from uol.backends.hip import driver as hip
from uol.backends.loading.loaded import DeviceOperator, OpenOperator
from uol.backends.simt.running.driver_api import DriverSource
from uol.backends.simt.running.driver_device import device_of
from uol.backends.simt.running.loading import load
from uol.backends.stub_driver import images
from uol.backends.stub_driver.stub import Stub
from uol.codegen.backend import Artifact, Module

DRIVERS: Mapping[str, DriverSource] = {"cuda": cuda.SOURCE, "hip": hip.SOURCE}
"""The drivers that the stub stands for, by target."""


def load_module(stub: Stub, module: Module, index: int = 0) -> DeviceOperator:
    """The operator on the device of an index, as if it had been compiled; its launches are recorded with their arguments."""
    loaded = load_artifact(stub, artifact_for(module, architecture_of(module)), index)
    assert isinstance(loaded, DeviceOperator), "its dims are numbers"
    return loaded


def load_artifact(stub: Stub, artifact: Artifact, index: int = 0) -> DeviceOperator | OpenOperator:
    """What was built, on the device of an index. Raises what the loader raises."""
    stub.tell(artifact.module.kernels)
    return load(artifact, device_of(stub.source(DRIVERS[artifact.module.backend]), index))


def artifact_for(module: Module, architecture: str, files: Mapping[str, bytes] | None = None) -> Artifact:
    """What a compiler would have made of it for an architecture. `files`: what it would have made besides."""
    return Artifact(module, images.binary(architecture, [k.name for k in module.kernels]), None, "", files or {})


def architecture_of(module: Module) -> str:
    """That of the device which the module is for."""
    return registry.get(module.backend).devices[module.device_name].architecture
