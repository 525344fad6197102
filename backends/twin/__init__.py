"""Emitted kernel text, run unchanged on the CPU with checks: races, bounds, uninitialised reads, limits. See README.md."""

from uol.backends.twin.kind import TwinKind, kind_of, register_kind
from uol.backends.twin.record import Finding, Job, TwinRun
from uol.backends.twin.room import ensure_room
from uol.backends.twin.run import execute, execute_many

__all__ = ["Finding", "Job", "TwinKind", "TwinRun", "ensure_room", "execute", "execute_many", "kind_of", "register_kind"]
