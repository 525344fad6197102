"""`example.cpp` of a bundle: a program that calls the operator through its C interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from uol.backends.abi.interface import interface_of
from uol.backends.c_text.template_folder import template_of
from uol.codegen.backend import SourceFile
from uol.codegen.specs.graph import KernelGraph

TEMPLATES = Path(__file__).parent / "templates"
NAME = "example.cpp"


@dataclass(frozen=True, slots=True)
class Memory:
    """How a program gets memory of the device: text in C++ with `allocate`, `to_device` and `to_host`, and the compiler that
    builds it."""

    text: str
    compiler: str


def example_file(graph: KernelGraph, memory: Memory) -> SourceFile:
    """The program: inputs of a few values, one call, and the sum of each result. Sizes that are open are its arguments."""
    text = template_of(TEMPLATES, "example.cpp.j2").render(interface=interface_of(graph), memory=memory)
    return SourceFile(NAME, text)
