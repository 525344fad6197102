"""`uol check`: is a bundle what uol writes for its request, and do its kernels compute what the operator means?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uol.binding.sample_sizes import samples_for_every_kernel
from uol.bundle.edit import record_edit
from uol.bundle.held import Held, any_failed
from uol.bundle.hold import Bundle, hold
from uol.cli.options import ImportOption, JsonOption
from uol.cli.output import print_json, print_text, working
from uol.compilation.explain import Json
from uol.ir.errors import ToolchainError, UolError
from uol.operators.sources import import_operators

if TYPE_CHECKING:
    from uol.cli.trial import Trial

DeviceOption = Annotated[bool, typer.Option("--device", help="Run on the device instead of in the twin.")]
EditedOption = Annotated[
    bool,
    typer.Option("--edited", help="Kernels may differ from what uol generates: run them on every kind of inputs instead."),
]
RecordOption = Annotated[
    bool, typer.Option("--record", help="With --edited: first write the hashes, launcher and binaries of the edited kernels.")
]
AllowOption = Annotated[
    bool, typer.Option("--allow-unverified", help="Exit 0 where all that can be checked here holds, and something cannot be.")
]

SAMPLES = 3
"""Choices of sizes on which a kernel with open dims is run."""


def check(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder that `uol compile -o` wrote.")],
    device: DeviceOption = False,
    edited: EditedOption = False,
    record: RecordOption = False,
    allow_unverified: AllowOption = False,
    modules: ImportOption = [],  # noqa: B006 - typer's way to say "none"
    as_json: JsonOption = False,
) -> None:
    """Check a bundle: write it anew and compare every file and every field, then run its kernels. Exit 1 on a failure, and
    where something cannot be checked here."""
    for module in modules:
        import_operators(module)  # which may register the bundle's target
    if record and not edited:
        raise UolError("--record is for kernels that were edited", hint="give --edited, too")
    if record:
        record_edit(bundle)
    with working(f"checking {bundle.name}"), hold(bundle, edited=edited) as found:
        held = list(found.held)
        if not any_failed(held):
            held += hold_kernels(found, on_device=device)
    failed, unverified = any_failed(held), any(h.state == "unverified" for h in held)
    passed = not failed and (allow_unverified or not unverified)
    if as_json:
        print_json(_as_json(bundle, found, held, passed))
    else:
        print_text("\n".join(_lines(held, passed)))
    if not passed:
        raise typer.Exit(1)


def hold_kernels(bundle: Bundle, *, on_device: bool = False) -> list[Held]:
    """Runs the kernels on seeded inputs, in the twin or on the device: those that uol generates, which the bundle's are byte by
    byte, or the bundle's own."""
    if bundle.anew is None:
        return []
    if bundle.anew.elsewhere:
        return _not_run(bundle, bundle.anew.elsewhere)
    try:
        return _hold_shipped(bundle, on_device) if bundle.shipped is not None else _hold_generated(bundle, on_device)
    except ToolchainError as error:
        return _not_run(bundle, error.message)


def _not_run(bundle: Bundle, why: str) -> list[Held]:
    return [Held("kernels", "kernels", "unverified", f"they do not run here: {why}"), *_hold_record(bundle, None)]


def _hold_shipped(bundle: Bundle, on_device: bool) -> list[Held]:
    from uol.conformance.cases.shipped_kernels import kinds_of, shipped_failures

    whose = f"of another version ({bundle.version})" if bundle.version else "edited"
    if failures := shipped_failures(bundle, on_device=on_device):
        return [Held("kernels", "kernels", "wrong", f"{whose}: {failure}") for failure in failures]
    right = f"{whose}: they compute what the operator means, on {', '.join(kinds_of(bundle))} inputs"
    return [Held("kernels", "kernels", "ok", right), *_hold_record(bundle, None)]


def _hold_generated(bundle: Bundle, on_device: bool) -> list[Held]:
    from uol.cli.trial import try_compiled

    assert bundle.anew is not None
    compiled = bundle.anew.compiled
    in_twin = False if on_device else None
    trials = [try_compiled(compiled, in_twin=in_twin, instance=at) for at in samples_for_every_kernel(compiled, SAMPLES)]
    wrong = [Held("kernels", "kernels", "wrong", f"{trial.failure}{trial.at}") for trial in trials if not trial.passed]
    right = Held("kernels", "kernels", "ok", "they compute what the operator means, on random inputs")
    return [*(wrong or [right]), *_hold_record(bundle, trials[0])]


def _hold_record(bundle: Bundle, trial: Trial | None) -> list[Held]:
    """The manifest's `conformance`, against the same run here; None where the kernels that uol generates were not run."""
    from uol.cli.trial import same_outcome

    record = bundle.found.record["conformance"]
    if record is None:
        return [Held("field", "conformance", "ok", "no run is recorded")]
    if trial is None:
        return [Held("field", "conformance", "unverified", "the kernels that it tells of were not run here")]
    if not same_outcome(record, trial):
        return [Held("field", "conformance", "changed", "a run here has another outcome")]
    if record != trial.as_json_text():
        return [Held("field", "conformance", "unverified", "a run here has the same outcome, with other numbers")]
    return [Held("field", "conformance", "ok", "a run here gives the same")]


def _as_json(folder: Path, bundle: Bundle, held: list[Held], passed: bool) -> Json:
    parts = {"files": "file", "manifest": "field", "kernels": "kernels"}
    listed: Json = {name: [h.as_json() for h in held if h.part == part] for name, part in parts.items()}
    failures = [str(h) for h in held if h.failed]
    unverified = [str(h) for h in held if h.state == "unverified"]
    head = {"bundle": str(folder), "passed": passed, "another_version": bundle.version or None}
    return head | listed | {"failures": failures, "unverified": unverified}


def _lines(held: list[Held], passed: bool) -> list[str]:
    """What is not as uol writes it, and a line that sums up."""
    lines = [f"{'FAILED' if h.failed else h.state}  {h.place}{_state(h)}: {h.what}" for h in held if h.state != "ok"]
    lines += [f"ran  kernels: {h.what}" for h in held if h.part == "kernels" and h.state == "ok" and lines]
    if passed:
        files, fields = (sum(h.part == part for h in held) for part in ("file", "field"))
        ran = "kernels" if any(h.part == "kernels" and h.state == "ok" for h in held) else "no kernel was run"
        lines.append(f"passed  {files} files, {fields} fields of the manifest, {ran}")
    return lines


def _state(held: Held) -> str:
    """`" was changed"`, of a file or a field that failed."""
    if not held.failed or held.part == "kernels":
        return ""
    return f" is {held.state}" if held.state == "missing" else f" was {held.state}"
