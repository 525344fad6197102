"""`uol check`: does a bundle's text compute what the operator means?"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from uol.bundle_selftest import check_files
from uol.catalogue import catalogue
from uol.cli.options import JsonOption
from uol.cli.output import print_json, print_text, working
from uol.compiler import Compiled, compile
from uol.ir.errors import ResourceError, UolError
from uol.ir.parser import parse

DeviceOption = Annotated[bool, typer.Option("--device", help="Run on the device instead of in the twin.")]

SAMPLES = 3
"""Choices of sizes on which a kernel with open dims is run."""

NOT_A_MANIFEST = (KeyError, ValueError, AttributeError, TypeError)
"""What reading JSON of another form, or no JSON, raises."""


def check(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder that `uol compile -o` wrote.")],
    device: DeviceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check a bundle: its files against the manifest, its kernels against the operator's meaning. Exit 1 on a failure."""
    if not (bundle / "manifest.json").is_file():
        raise ResourceError(f"{str(bundle)!r} holds no manifest.json", hint="give a folder that `uol compile -o` wrote")
    with working(f"checking {bundle.name}"):
        failures = _check_files(bundle) or check_kernels(bundle, on_device=device)
    if as_json:
        print_json({"bundle": str(bundle), "passed": not failures, "failures": failures})
    else:
        print_text("\n".join(f"FAILED  {f}" for f in failures) or "passed  files, kernels")
    if failures:
        raise typer.Exit(1)


def _check_files(folder: Path) -> list[str]:
    try:
        return check_files(folder)
    except NOT_A_MANIFEST as error:
        raise _no_manifest(folder, error) from error


def check_kernels(folder: Path, *, on_device: bool = False) -> list[str]:
    """Runs the kernels of a bundle on seeded inputs, in the twin or on the device. Gives what is wrong."""
    from uol.cli.trial import samples_of, try_compiled

    compiled = _compiled_of(folder)
    text = folder / compiled.module.device.name
    if not text.is_file() or text.read_text() != compiled.source:
        return [f"this uol does not generate the text of {text.name}: the bundle is of another version"]
    in_twin = False if on_device else None
    trials = [try_compiled(compiled, in_twin=in_twin, instance=at) for at in islice(samples_of(compiled), SAMPLES)]
    return [f"{trial.failure}{trial.at}" for trial in trials if not trial.passed]


def _compiled_of(folder: Path) -> Compiled:
    """The request of a manifest, compiled anew."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        for text in (*manifest["callees"], manifest["text"]):
            for op in parse(text, "manifest.json"):
                catalogue().add(op)
        packs = {name: None if sizes is None else tuple(sizes) for name, sizes in manifest["packs"].items()}
        strides = {name: tuple(each) for name, each in manifest["layouts"].items()}
        dims = {**manifest["dims"], **packs}
        return compile(
            manifest["op"], manifest["target"], manifest["types"], dims, manifest["attributes"], strides=strides
        )
    except NOT_A_MANIFEST as error:
        raise _no_manifest(folder, error) from error


def _no_manifest(folder: Path, error: Exception) -> UolError:
    hint = "write the bundle anew with `uol compile -o`"
    return UolError(f"{folder / 'manifest.json'} is no manifest of a bundle: {error!r}", hint=hint)
