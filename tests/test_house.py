"""The house rules that a machine can check: floors, names, sizes, vendors."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("ir", "codegen", "backends", "ops", "face", "conformance", "cli")
FOLDERS = {"ir": "ir", "codegen": "codegen", "backends": "backends", "ops": "ops", "conformance": "conformance"}
SOURCES = [p for d in (*FOLDERS, "uol") for p in sorted((ROOT / d).rglob("*.py")) if "templates" not in p.parts]


def floor_of(path: Path) -> str:
    top, *rest = path.relative_to(ROOT).parts
    return FOLDERS.get(top) or ("cli" if rest and rest[0] == "cli" else "face")


def floor_of_module(name: str) -> str | None:
    parts = name.split(".")
    if parts[0] != "uol":
        return None
    if len(parts) == 1:
        return "face"
    return parts[1] if parts[1] in FLOORS else "face"


def imported(tree: ast.AST) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, node.lineno))
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names if node.module == "uol"]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_floor_imports_only_from_the_floors_below_it(path: Path) -> None:
    own = FLOORS.index(floor_of(path))
    for name, line in imported(ast.parse(path.read_text())):
        if name == "uol" or (floor := floor_of_module(name)) is None:
            continue
        assert FLOORS.index(floor) <= own, f"{path.relative_to(ROOT)}:{line} imports {name}"


def module_of(path: Path) -> str:
    top, *rest = path.relative_to(ROOT).with_suffix("").parts
    parts = ["uol", *([] if top == "uol" else [top]), *rest]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def needed(tree: ast.AST) -> set[str]:
    """The modules of the project that a module imports when it runs: at its head, within functions, and by `import_module` with
    a text. Imports for a type checker alone (`if TYPE_CHECKING:`) are left out."""
    found: set[str] = set()
    match tree:
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
            return found.union(*map(needed, otherwise))
        case ast.Import(names=names):
            found = {alias.name for alias in names}
        case ast.ImportFrom(module=str(module), names=names):
            within = {f"{module}.{alias.name}" for alias in names}
            found = {name if name in MODULES else module for name in within}
        case ast.Call(func=ast.Name(id="import_module"), args=[ast.Constant(value=str(name))]):
            found = {name}
    return found.union(*map(needed, ast.iter_child_nodes(tree))) & MODULES.keys()


def circles(needs: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """The sets of modules of which each needs all others, by Tarjan's algorithm: a circle is a strongly connected component."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    pending: list[str] = []
    found: set[frozenset[str]] = set()

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        pending.append(name)
        for other in sorted(needs[name]):
            if other not in number:
                visit(other)
            if other in pending:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == number[name]:
            at = pending.index(name)
            if len(pending) - at > 1 or name in needs[name]:
                found.add(frozenset(pending[at:]))
            del pending[at:]

    for name in needs:
        if name not in number:
            visit(name)
    return found


CIRCLES = (
    # The language is recursive: a value may be a call, a reduction or an access, whose indices are values. This one stays.
    "uol.ir.checker: accesses calls index_ranges reductions scatters sorts statements values",
)


def test_no_modules_import_each_other_in_a_circle() -> None:
    allowed = {frozenset(f"{room}.{name}" for name in names.split()) for room, names in (c.split(": ") for c in CIRCLES)}
    found = circles({name: needed(ast.parse(path.read_text())) - {name} for name, path in MODULES.items()})
    new = [sorted(circle) for circle in found if not any(circle <= known for known in allowed)]
    assert not new, "a circle of imports, lazy ones counted"


ROOMS_BY_FOLDERS = ("uol.backends.simt",)
"""Rooms whose folders need no other in a circle, either."""


def folder_in(room: str, module: str) -> str | None:
    """The folder of a room that a module lies in; None where it lies elsewhere, or in none."""
    path = MODULES[module].parent.relative_to(ROOT)
    within = path.parts[len(room.split(".")) - 1 :]
    return within[0] if within and module.startswith(f"{room}.") else None


@pytest.mark.parametrize("room", ROOMS_BY_FOLDERS)
def test_folders_of_a_room_need_each_other_in_no_circle(room: str) -> None:
    needs: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        if own := folder_in(room, name):
            others = {folder_in(room, each) for each in needed(ast.parse(path.read_text()))} - {own, None}
            needs.setdefault(own, set()).update(each for each in others if each)
    assert len(needs) > 1
    assert not [sorted(circle) for circle in circles(needs)]


def test_a_circle_is_found_wherever_its_imports_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "uol.a": "import uol.b",
        "uol.b": "def late():\n    from uol import c",
        "uol.c": "later = import_module('uol.a')",
        "uol.d": "if TYPE_CHECKING:\n    from uol.e import E\nelse:\n    import uol.f",
        "uol.e": "from uol.d import D",
        "uol.f": "",
    }
    monkeypatch.setattr(sys.modules[__name__], "MODULES", texts)
    needs = {name: needed(ast.parse(text)) for name, text in texts.items()}
    assert needs["uol.d"] == {"uol.f"}
    assert circles(needs) == {frozenset({"uol.a", "uol.b", "uol.c"})}


VENDORS = {"cuda", "hip", "rocm", "ascend", "ascendc", "npu", "nvidia", "amd", "huawei", "nvrtc", "hipcc", "cann", "bisheng"}
EXAMPLES = {"help", "hint", "epilog"}
"""Arguments that are prose for people, as docstrings are: an example may name a target."""
NAMED_FOR_A_REASON = {
    # what it measures, from one record to the next
    "conformance/walk.py": 'PAIRS = (("softmax", "hip"), ("conv2d", "ascendc"))',
}


def words(text: str) -> set[str]:
    """The words of a text or of an identifier, in small letters: `AutocastCUDA`, `is_hip` and `hip:mi250x` have a vendor's."""
    parts = re.findall(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+", text)
    return {part.lower() for part in parts}


def vendors_named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The lines of a program that name a vendor, in a text or in an identifier; docstrings and examples apart."""
    for child in ast.iter_child_nodes(tree):
        is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if not is_docstring and not (isinstance(child, ast.keyword) and child.arg in EXAMPLES):
            yield from vendors_named(child)
    fields = [value for _, value in ast.iter_fields(tree)]
    texts = [each for value in fields for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
    for text in texts:
        if words(text) & VENDORS:
            yield getattr(tree, "lineno", 0), text


def test_no_vendor_is_named_outside_backends() -> None:
    found: list[str] = []
    for path in SOURCES:
        name, text = str(path.relative_to(ROOT)), path.read_text()
        if floor_of(path) != "backends":
            kept = NAMED_FOR_A_REASON.get(name, "")
            assert kept in text, f"{name} has no such line any more"
            found += [f"{name}:{line}: {what}" for line, what in vendors_named(ast.parse(text.replace(kept, "")))]
    assert not found


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('KEYS = {"cpu": 1, "cuda": 2}', [1]),
        ('x = 1\nif name in ("hip", "cpu"): pass', [2]),
        ("if torch.version.hip is None: pass", [1]),
        ('key = "AutocastCUDA"', [1]),
        ("def is_npu(x): pass", [1]),
        ("from uol.backends.ascendc import x", [1]),
        ("f(amd=1)", [1]),
        ('f"{x}:hip:mi250x"', [1]),
        ("match x:\n    case 'cuda': pass", [2]),
        ('"""As CUDA does it."""\nx = f(hint="give hip:mi250x")  # or cuda', []),
        ("ascending, inputs, chip = 1, 2, 3", []),
    ],
)
def test_a_vendor_is_found_in_any_form(text: str, lines: list[int]) -> None:
    assert [line for line, _ in vendors_named(ast.parse(text))] == lines


def test_the_host_is_not_tested_by_name_outside_backends() -> None:
    pattern = re.compile(r"[!=]=\s*['\"]cpu['\"]|['\"]cpu['\"]\s*[!=]=")
    offenders = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        if floor_of(path) != "backends"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert not offenders


MOST_MODULES = 24
"""Of a folder, beside those whose files mirror the library's."""
MIRRORS = ("ops/references",)
MOST_LINES = 400
MOST_LINES_A_FUNCTION = 50
USUAL_LINES_A_FUNCTION = 18
"""Of nine in ten, docstrings included."""


def test_a_room_is_seen_at_a_glance() -> None:
    rooms = Counter(str(path.parent.relative_to(ROOT)) for path in SOURCES if path.name != "__init__.py")
    assert not {room: n for room, n in rooms.items() if n > MOST_MODULES and room not in MIRRORS}
    assert not {str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > MOST_LINES}


def test_functions_are_short() -> None:
    functions = [
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}: {node.name}")
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    ]
    lines = sorted(length for length, _ in functions)
    assert not [each for each in functions if each[0] > MOST_LINES_A_FUNCTION]
    assert lines[int(0.9 * len(lines))] <= USUAL_LINES_A_FUNCTION


def test_no_file_is_a_defect_of_size() -> None:
    kinds = ("*.py", "*.j2", "*.cpp", "*.h", "*.inc", "*.uol")
    files = [p for folder in (*FOLDERS, "uol", "tests") for kind in kinds for p in (ROOT / folder).rglob(kind)]
    large = {
        str(p.relative_to(ROOT)): n for p in files if "golden" not in p.parts and (n := len(p.read_text().splitlines())) > 600
    }
    assert not large


def exported(folder: Path) -> set[str]:
    """What a package offers under its own name: the strings of its `__all__` and of its lazy tables."""
    tree = ast.parse((folder / "__init__.py").read_text())
    lists = [n for n in ast.walk(tree) if isinstance(n, ast.Assign | ast.AnnAssign) and n.value is not None]
    texts = [c.value for n in lists for c in ast.walk(n.value) if isinstance(c, ast.Constant)]  # type: ignore[arg-type]
    return {t for t in texts if isinstance(t, str) and "." not in t}


def test_no_module_bears_the_name_of_a_public_function_or_of_an_operator() -> None:
    from uol.ops.texts import names

    operators = set(names())
    for folder in {path.parent for path in SOURCES}:
        lazy_modules = {p.stem for p in folder.glob("*.py")}
        offered = {n for n in exported(folder) if n in lazy_modules and _defines(folder / f"{n}.py", n)}
        assert not offered, f"{folder.relative_to(ROOT)} offers {offered}, which are modules too"
        assert not lazy_modules & operators


def _defines(path: Path, name: str) -> bool:
    return any(isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name for n in ast.parse(path.read_text()).body)


def test_nothing_lies_loose_in_backends() -> None:
    assert [path.name for path in (ROOT / "backends").glob("*.py")] == ["__init__.py"]


def test_nothing_else_lies_at_the_top() -> None:
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing says which files belong to the project")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    allowed = {
        "uol",
        "ir",
        "codegen",
        "backends",
        "ops",
        "tests",
        "conformance",
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
    }
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their names alone, and stops at the second."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, count in names.items() if count > 1]
