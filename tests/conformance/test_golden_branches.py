"""Every branch of the templates of kernels for machines with threads is in the text of a golden kernel, which is read and whose
mutants are judged, and what an `if` has is missing from another; the branches that are not are listed, each with what keeps it
out. So is every form that the printer has for the statements of a kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import jinja2
import pytest
from jinja2.ext import Extension

from uol.backends import registry
from uol.backends.simt.choosing import rendering
from uol.backends.simt.kernel import nodes, templates
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.simt_backend import SimtBackend
from uol.conformance.cases.twin_check import prepare
from uol.conformance.mutation.golden import golden_cases

TAG = re.compile(r"\{%-?\s*(if|elif|else|for|endif|endfor)\b\s*(.*?)\s*-?%\}")
OTHER_FILES = frozenset({"host_file.j2", "device_file.j2", "example_memory.j2", "foreach.j2"})
"""Templates of no kernel of one operator."""

_UNSEEN = "attention of the library weighs nothing where nothing is seen: test_simt_attention"
_LONG = "rows of any length of which few elements are wanted, behind fourteen kernels more: test_parts_of_sizes"
_STRIDED = "more elements than the largest grid has threads: test_simt_forms, by a small grid"
_COUNTED = "the golden dispatch has a tail, and counts: test_counted_orders"
OUTSIDE = {
    "attention.j2: if plan.width0 is not none": "attention of any size has eight kernels of one text: test_sizes_as_arguments",
    "attention.j2: if maximum.has_lost": _UNSEEN,
    "attention.j2: if end.unseen": _UNSEEN,
    "attention.j2: for total, count, terms in end.lost": _UNSEEN,
    "attention.j2: if count is none": _UNSEEN,
    "attention.j2: else of if count is none": _UNSEEN,
    "attention.j2: for line in end.row.body": "attention of the library stores no sum of a row: test_simt_attention",
    "buckets.j2: if plan.is_whole": _COUNTED,
    "buckets.j2: for line in plan.order": _COUNTED,
    "buckets.j2: else of if plan.tally is not none": _COUNTED,
    "histogram.j2: for keys in plan.keys": "a mutant dies only where the greatest edge is negative and met: test_simt_forms",
    "map.j2: if plan.stride": _STRIDED,
    "map.j2: for line in plan.body": _STRIDED,
    "scan.j2: for line in plan.after": "many mutants of a long recurrence live, which forgets where it began: test_simt_forms",
    "select.j2: else of if plan.runs is none": _LONG,
    "select.j2: for line in plan.load (2)": _LONG,
    "select.j2: for line in plan.sort (2)": _LONG,
    "select.j2: for merge in runs.merges": _LONG,
}
"""Why no golden kernel takes a branch, and the tests that run it."""


class Branches:
    """Those of the templates that were loaded, and those that were taken."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.taken: set[str] = set()

    def marked(self, source: str, template: str) -> str:
        """A template that says which of its branches it takes."""
        parts, at = [], 0
        for name, end, before in _branches(source):
            branch = f"{template}: {name}"
            parts.append(f"{source[at:end]}{before}{{% set _ = take({branch!r}) %}}")
            self.known.add(branch)
            at = end
        return "".join([*parts, source[at:]])

    def environment(self) -> jinja2.Environment:
        """That of kernels, whose templates are marked."""
        branches = self

        class Marks(Extension):
            def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
                return branches.marked(source, str(name))

        made = jinja2.Environment(loader=jinja2.FileSystemLoader(templates.TEMPLATES), extensions=[Marks])
        made.globals["take"] = self.taken.add
        return made


def _branches(source: str) -> Iterator[tuple[str, int, str]]:
    """The name of each, where it begins, and what must be put there for it to begin: an `if` may have no `else`. A name of
    several has their number behind it."""
    open_tags: list[str] = []
    seen: dict[str, int] = {}

    def numbered(name: str) -> str:
        seen[name] = seen.get(name, 0) + 1
        return name if seen[name] == 1 else f"{name} ({seen[name]})"

    for tag in TAG.finditer(source):
        word, condition = tag.groups()
        if word == "else":
            yield numbered(f"else of {open_tags.pop()}"), tag.end(), ""
            open_tags.append(word)
        elif word in ("endif", "endfor"):
            if (opened := open_tags.pop()).startswith("if "):
                yield numbered(f"else of {opened}"), tag.start(), "{% else %}"
        else:
            if word != "elif":
                open_tags.append(f"{word} {condition}")
            yield numbered(f"{word} {condition}"), tag.end(), ""


def machine_of(backend: SimtBackend) -> Machine:
    return backend.machine_of(backend.devices[backend.default_device])


@pytest.mark.parametrize("target", [n for n in registry.names() if isinstance(registry.get(n), SimtBackend)])
def test_every_branch_is_in_a_golden_text(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, branches = registry.get(target), Branches()
    assert isinstance(backend, SimtBackend)
    kernels = [kernel for case in golden_cases([target]) for kernel in prepare(case).compiled.module.kernels]
    environment = branches.environment()
    monkeypatch.setattr(rendering, "template", environment.get_template)
    for file in templates.TEMPLATES.glob("*.j2"):
        if file.name not in OTHER_FILES:
            environment.get_template(file.name)
    for kernel in kernels:
        rendering.render(kernel.spec, kernel.schedule, machine_of(backend))
    assert branches.known - branches.taken == OUTSIDE.keys()


FORMS = {
    "Assign +=", "Assign *=", "Assign =", "Assign under a condition", "Barrier", "Block",
    "Buffer by warps", "Buffer of shared elements",
    "Buffer of rows of shared elements", "Declare a variable", "Declare an array", "Declare an array of zeros",
    "Declare one without a value", "Declare a constant", "Do", "If", "Leave continue", "Leave return", "Loop", "Loop by steps",
    "Loop unrolled", "Loop left as it is", "Loop of few turns", "Loop without braces", "Loop within another's braces", "Runs",
    "Multiply", "Store", "Store under a condition",
}  # fmt: skip
"""Of what kernels are made of, as they are printed. Rows of any length that are kept (`break`) are in no golden kernel:
test_sizes_as_arguments runs them."""
OF_COPIES = {"CopyAsync", "Commit", "Wait", "LoadMatrix"}
"""Of the target whose tiles come to shared memory by asynchronous copies."""


def forms_of(kernel: nodes.Kernel) -> Iterator[str]:
    """The forms that a kernel has."""
    for buffer in kernel.buffers:
        if buffer.memory == "shared":
            match buffer.elements:
                case nodes.PerWarp():
                    yield "Buffer by warps"
                case elements:
                    yield "Buffer of rows of shared elements" if isinstance(elements, tuple) else "Buffer of shared elements"
    for statement in nodes.statements_of(kernel.body):
        match statement:
            case nodes.Declare(extent=extent, zeroed=zeroed) if extent is not None:
                yield "Declare an array of zeros" if zeroed else "Declare an array"
            case nodes.Declare(value=None):
                yield "Declare one without a value"
            case nodes.Declare(constant=constant):
                yield "Declare a constant" if constant else "Declare a variable"
            case nodes.Assign(how=how, when=when):
                yield f"Assign {how}" if when is None else "Assign under a condition"
            case nodes.Store(when=when):
                yield "Store" if when is None else "Store under a condition"
            case nodes.Leave(what=what):
                yield f"Leave {what}"
            case nodes.Loop():
                yield from forms_of_loop(statement)
            case _:
                yield type(statement).__name__


def forms_of_loop(loop: nodes.Loop) -> Iterator[str]:
    yield "Loop unrolled" if loop.unrolled else "Loop" if loop.step == 1 else "Loop by steps"
    if loop.times is not None:
        yield "Loop left as it is"
    if loop.few:
        yield "Loop of few turns"
    if loop.bare:
        yield "Loop without braces"
    elif len(loop.body) == 1 and isinstance(inner := loop.body[0], nodes.Loop) and not inner.unrolled:
        yield "Loop within another's braces"


@pytest.mark.parametrize("target", [n for n in registry.names() if isinstance(registry.get(n), SimtBackend)])
def test_every_form_of_a_statement_is_in_a_golden_text(target: str) -> None:
    backend, found = registry.get(target), set[str]()
    assert isinstance(backend, SimtBackend)
    for case in golden_cases([target]):
        for kernel in prepare(case).compiled.module.kernels:
            plan = rendering.plan_of(kernel.spec, kernel.schedule, machine_of(backend))
            found |= set(forms_of(plan)) if isinstance(plan, nodes.Kernel) else set()
    assert found == FORMS | (OF_COPIES if target == "cuda" else set())
