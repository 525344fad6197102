"""The command that runs one case of a report again, and no other."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from uol.conformance.cases.verdict import Case
from uol.ir.library import GRADIENT


@dataclass(frozen=True, slots=True)
class Repeat:
    """How a run was asked for.

    gradients   were the gradients of operators checked, in their place?
    options     what selects cases beside operator, target, type and setting: "--first", "--import mine.py"
    files       the file of each operator that was read from one
    """

    gradients: bool = False
    options: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def command(self, case: Case) -> str:
        """`"uol conform --op softmax --target cuda:a100 --dtype f16 --case 'softmax[S=3, C=33] on random inputs, gaps'"`."""
        op = case.op.removesuffix(GRADIENT) if self.gradients else case.op
        named = f"{self.files[op]}:{op}" if op in self.files else op
        types = dict.fromkeys(part.partition("=")[2] or part for part in case.dtype.split(","))
        setting = f"{case.dtype} {case.setting}" if "=" in case.dtype else case.setting
        words = ["uol", "conform", "--op", named, "--target", case.target, "--dtype", ",".join(types), "--case", setting]
        words += ["--gradients"] * self.gradients + ["--any-size"] * (case.sizes == "open")
        words += ["--deterministic"] * case.deterministic + ["--tf32"] * case.tf32
        words += ["--seed", str(case.seed)] if case.seed else []
        return shlex.join([*words, *self.options])
