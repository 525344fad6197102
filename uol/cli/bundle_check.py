"""Does a bundle's text compute what the operator means?"""

from __future__ import annotations

import json
from pathlib import Path

from uol.catalogue import catalogue
from uol.cli.trial import try_compiled
from uol.compiler import Compiled, compile
from uol.ir.errors import UolError
from uol.ir.parser import parse


def check_kernels(folder: Path, *, on_device: bool = False) -> str:
    """Runs the kernels of a bundle on seeded inputs, in the twin or on the device. Gives what is wrong, or nothing."""
    try:
        compiled = compiled_of(folder)
    except UolError as error:
        return str(error)
    device_text = folder / compiled.module.device.name
    if device_text.read_text() != compiled.source:
        return f"this uol does not generate the text of {device_text.name}: the bundle is of another version"
    try:
        return try_compiled(compiled, in_twin=False if on_device else None).failure
    except UolError as error:
        return str(error)


def compiled_of(folder: Path) -> Compiled:
    """The request of a manifest, compiled anew."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for text in (*manifest["callees"], manifest["text"]):
        for op in parse(text, "manifest.json"):
            catalogue().add(op)
    packs = {name: tuple(sizes) for name, sizes in manifest["packs"].items()}
    strides = {name: tuple(each) for name, each in manifest["layouts"].items()}
    return compile(
        manifest["op"],
        manifest["target"],
        manifest["types"],
        {**manifest["dims"], **packs},
        manifest["attributes"],
        strides=strides,
    )
