"""`uol doctor`: which tools there are, and what the absence of the others costs."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from uol.backends import registry
from uol.backends.cache.files import chosen_folder, distrust
from uol.cli.limits import Limits
from uol.cli.options import ImportOption, JsonOption
from uol.cli.output import print_json, print_table, print_text
from uol.codegen.backend import ToolState
from uol.operators.sources import import_operators

RATES_HELP = "Show what each device can do instead, with the source of each figure."
RatesOption = Annotated[bool, typer.Option("--rates", help=RATES_HELP)]


def doctor(
    rates: RatesOption = False,
    modules: ImportOption = [],  # noqa: B006 - typer's way to say "none"
    as_json: JsonOption = False,
) -> None:
    """Show the tools of every target, what a missing one costs, and the limits. A tool that is absent is no error."""
    for module in modules:
        import_operators(module)
    if rates:
        _show_rates(as_json)
        return
    states = {name: registry.get(name).doctor() for name in registry.names()}
    if as_json:
        of_targets = {name: [_as_json(s) for s in tools] for name, tools in states.items()}
        print_json(of_targets | {"cache": _cache(), "limits": asdict(Limits.found())})
        return
    rows = [(name, s.name, "found" if s.found else "absent", s.detail) for name, tools in states.items() for s in tools]
    print_table(("target", "tool", "state", "detail"), [*rows, ("", "cache", *_cache_row())])
    for name, tools in states.items():
        for state in tools:
            if not state.found:
                print_text(f"\n{name}: without {state.name}, {state.cost_if_absent}\n  help: {state.install_hint}")
    print_text("\nlimits\n" + "\n".join(f"  {line}" for line in Limits.found().lines()))


def _show_rates(as_json: bool) -> None:
    devices = {f"{name}:{d.name}": d for name in registry.names() for d in registry.get(name).devices.values()}
    if as_json:
        print_json({name: {rate: asdict(each) for rate, each in d.rates.items()} for name, d in devices.items()})
        return
    rows = [
        (name, rate, f"{each.value:g} {each.unit}", each.grade, each.source)
        for name, device in devices.items()
        for rate, each in device.rates.items()
    ]
    print_table(("device", "rate", "value", "grade", "source"), rows)


def _as_json(state: ToolState) -> dict[str, object]:
    fields = ("name", "found", "detail", "cost_if_absent", "install_hint")
    return {field: getattr(state, field) for field in fields}


def _cache() -> dict[str, object]:
    state, folder = _cache_row()
    return {"folder": folder, "writable": state == "writable", "state": state}


def _cache_row() -> tuple[str, str]:
    root = chosen_folder()
    existing = next(p for p in (root, *root.parents) if p.exists())
    if existing == root and (reason := distrust(Path(os.path.realpath(root)))) is not None:
        return f"not used: {reason} (set UOL_CACHE_DIR)", str(root)
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    return ("writable" if writable else "not writable (set UOL_CACHE_DIR)"), str(root)
