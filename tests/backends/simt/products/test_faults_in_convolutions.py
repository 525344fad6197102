"""Faults planted by hand in emitted convolutions, the golden ones: each is a finding of the twin, or breaks the contract."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest
from turns import by_turns

from uol.backends.twin import execute_many
from uol.conformance.mutation.golden import golden_cases, text_of
from uol.conformance.mutation.judge import Trial


@dataclass(frozen=True)
class Fault:
    """The first match of `right` in the kernel that `kernel` ends the name of, replaced by `wrong`; all matches, where `every`
    says so."""

    name: str
    right: str
    wrong: str
    kernel: str = "_kernel"
    every: bool = False

    def planted(self, text: str) -> str:
        """Raises AssertionError where the kernel has no such place."""
        begin = text.index(f"{self.kernel}(\n")
        end = text.find("\n}\n", begin)
        inner, count = re.subn(self.right, self.wrong, text[begin:end], count=0 if self.every else 1)
        assert count, f"{self.name}: nothing to replace"
        return text[:begin] + inner + text[end:]


EDGES = (
    Fault("no zeros beside the picture", r"uol::has_none\(x_beside\[i\], x_tap\)", "true", every=True),
    Fault("no zeros beside it in the loop", r"(tile.*(?:\n.*)*?)uol::has_none\(x_beside\[i\], x_tap\)", r"\1true"),
    Fault("no zeros above", r"p \+ r_ - 6 >= 0 && ", ""),
    Fault("no zeros below", r" && p \+ r_ - 6 < 21", ""),
    Fault("no zeros on the left", r"q \* 2 \+ s - 3 >= 0 && ", ""),
    Fault("no zeros on the right", r" && q \* 2 \+ s - 3 < 7", ""),
    Fault("a column too many", r"q \* 2 \+ s - 3 < 7", "q * 2 + s - 3 < 8"),
    Fault("columns where lines are", r"uol::bit\(s \+ 23,", "uol::bit(s + 22,"),
    Fault("the window of the first pixel", r"uol::has_none\(x_beside\[i\]", "uol::has_none(x_beside[0]", every=True),
    Fault("a column of the window that is one late", r"x_k / 8 % 3 \+ 23\)", "x_k / 8 % 3 + 22)"),
)
RESIDUES = (
    Fault(
        "a residue doubled",
        r"y_vec\.at\[v\] = uol::f16\(sums\[v\]\)",
        "y_vec.at[v] = uol::f16(sums[v] + sums[v])",
        "_at_1_kernel",
    ),
    Fault("a residue in the place of the other", r"72 \+ at_m \* 144", "at_m * 144", "_at_1_kernel"),
    Fault("the filter of the other residue", r"1152(\)?;)", r"0\1", "_at_0_kernel"),
    Fault("a bound of the other residue", r"q \+ 1 - s < 6", "q + 1 - s < 7", "_at_1_kernel"),
    Fault("a line too few", r"p \+ 13 - r_ >= 0", "p + 13 - r_ >= 1", "_at_0_kernel"),
)
PARTS = (
    Fault("a part added twice", r"dw_sum = 0\.0f;", "dw_sum = conv2d_grad_dw_sum_parts[row];", "_dw_sum_kernel"),
    Fault("a part left out", r"int part = 0;", "int part = 1;", "_dw_sum_kernel"),
    Fault("all parts of the first pixels", r"part_ = blockIdx\.x / \d+;", "part_ = 0;", "_parts_kernel"),
    Fault("pixels of the line before", r"x_term % 33 \+ x_outer / 16 % 3 - 1 >= 0 && ", "", "_parts_kernel", every=True),
    Fault("pixels of the line behind", r" && x_term % 33 \+ x_outer / 16 % 3 - 1 < 33", "", "_parts_kernel", every=True),
    Fault("lines above", r"part_ \* 4 \+ x_term / 33 % 4 \+ x_outer / 48 - 1 >= 0 && ", "", "_parts_kernel", every=True),
)
COPIES = (
    Fault("no zeros for a channel that is not there", r" && c < 3", "", "_pad_a_kernel"),
    Fault("no zeros on the left", r" && x_at1 >= 0", "", "_pad_a_kernel"),
)
FORMS = {
    "conv2d_on_matrix_units": EDGES,
    "data_gradient_by_residues": RESIDUES,
    "conv2d_grad_on_matrix_units": PARTS,
    "stem_on_matrix_units": COPIES,
}


@pytest.mark.parametrize(("form", "target"), by_turns(4, list(FORMS), ["cuda", "hip"]))
def test_faults_are_found_in_convolutions(form: str, target: str) -> None:
    (case,) = (each for each in golden_cases([target], ["f16"]) if text_of(each) == form)
    trial = Trial.of(replace(case, inputs="exact"))
    text = trial.module.device.text
    runs = execute_many([trial.job(fault.planted(text)) for fault in FORMS[form]])
    missed = []
    for fault, run in zip(FORMS[form], runs, strict=True):
        kinds = {finding.kind for finding in run.findings}
        assert "compile-error" not in kinds, f"{fault.name}: {run.findings[0]}"
        if not kinds and trial.breach(run) is None:
            missed.append(fault.name)
    assert not missed
