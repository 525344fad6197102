"""Which emitted texts has a change of the compiler changed? `python -m uol.conformance.emitted_texts -o texts.json` writes the
hash of every file that is emitted for every operator and every gradient at its representative workload.

    python -m uol.conformance.emitted_texts [--target cuda,hip,ascendc] [--dtype f32,f16] [--op ...] -o FILE [--against FILE]
    python -m uol.conformance.emitted_texts --any-size -o FILE [--against FILE]

With --any-size they are the texts of kernels that take their dims as arguments. `--against` names what differs from a file that
was written before: changed, new, gone. A refusal counts as a text of its own. Exit status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

from uol.backends import registry
from uol.backends.cpu.host import usable_cores
from uol.compilation.pipeline import module_of
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.twin_check import has_twin
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.ir.errors import UolError
from uol.ops.texts import names
from uol.ops.workloads import workloads_of

Hashes = dict[str, str]
"""By `target operator type file`, with `any size` before the file where dims are arguments."""


def emitted(name: str, targets: Sequence[str], dtypes: Sequence[str], sizes: Sizes = "fixed") -> Hashes:
    """The texts of one operator."""
    found: Hashes = {}
    for target in targets:
        for dtype in types_of(name, tuple(dtypes)):
            at = f"{target} {name} {dtype}" + (" any size" if sizes == "open" else "")
            try:
                module = module_of(request_of(Case(name, target, dtype, workloads_of(name)[0], sizes=sizes)))
            except UolError as error:
                found[f"{at} refusal"] = hashed(error.message)
                continue
            for file in (module.device, *module.host):
                found[f"{at} {file.name}"] = hashed(file.text)
    return found


def hashed(text: str) -> str:
    """SHA-256, in hexadecimal digits."""
    return sha256(text.encode()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.emitted_texts", description=__doc__)
    parser.add_argument("--target", default=",".join(n for n in registry.names() if has_twin(n)), help="targets, by commas")
    parser.add_argument("--dtype", default="f32,f16", help="types, by commas")
    parser.add_argument("--op", default=",".join(names()), help="operators, by commas")
    parser.add_argument("--any-size", action="store_true", help="kernels that take dims as arguments")
    parser.add_argument("--processes", type=int, default=usable_cores())
    parser.add_argument("-o", "--output", type=Path, help="the file that the hashes are written to")
    parser.add_argument("--against", type=Path, help="a file that was written before")
    options = parser.parse_args(arguments)
    forward = options.op.split(",")
    sizes: Sizes = "open" if options.any_size else "fixed"
    each = partial(emitted, targets=options.target.split(","), dtypes=options.dtype.split(","), sizes=sizes)
    found: Hashes = {}
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for part in pool.map(each, [*forward, *differentiable(forward)], chunksize=4):
            found |= part
    if options.output is not None:
        options.output.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    whole = sha256("".join(f"{k} {v}\n" for k, v in sorted(found.items())).encode()).hexdigest()
    print(f"{len(found)} texts: {whole[:16]}")
    if options.against is None:
        return 0
    differ = differences(json.loads(options.against.read_text(encoding="utf-8")), found)
    print("\n".join(differ) or "no difference")
    return 1 if differ else 0


def differences(before: Hashes, after: Hashes) -> list[str]:
    """What changed, came and went."""
    lines = [f"changed: {n}" for n in sorted(before) if n in after and before[n] != after[n]]
    lines += [f"new: {n}" for n in sorted(after) if n not in before]
    return lines + [f"gone: {n}" for n in sorted(before) if n not in after]


if __name__ == "__main__":
    run_command(main)
