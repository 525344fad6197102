"""Targets as users write them: `backend` or `backend:device`, for example `cuda`, `hip:mi250x`."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends import registry
from uol.codegen.backend import Backend, Device
from uol.ir.errors import UolError
from uol.operators.did_you_mean import nearest


@dataclass(frozen=True, slots=True)
class Target:
    """A backend and one of its devices."""

    backend: Backend
    device: Device

    @property
    def name(self) -> str:
        return f"{self.backend.name}:{self.device.name}"


def resolve_target(text: str) -> Target:
    """`"hip:mi250x"` -> the backend and the device; `"hip"` -> the backend's default device.

    Raises UolError, with what there is, for any other text.
    """
    backend_name, colon, device_name = text.strip().partition(":")
    if backend_name not in registry.names():
        hint = nearest(backend_name, registry.names()) or f"the targets are {', '.join(registry.names())}"
        raise UolError(f"unknown target {backend_name!r}", hint=hint)
    backend = registry.get(backend_name)
    if not colon:
        return Target(backend, backend.devices[backend.default_device])
    if device_name not in backend.devices:
        known = ", ".join(f"{backend_name}:{name}" for name in backend.devices)
        raise UolError(f"target {backend_name!r} has no device {device_name!r}", hint=f"its devices are {known}")
    return Target(backend, backend.devices[device_name])


def resolve_targets(text: str) -> tuple[Target, ...]:
    """A comma-separated list of targets, in order, each once."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise UolError("no target given", hint=f"the targets are {', '.join(registry.names())}")
    return tuple(resolve_target(name) for name in names)
