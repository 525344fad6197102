"""The house rules that a machine can check: floors, names, sizes, vendors."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("ir", "codegen", "backends", "ops", "face", "conformance", "cli")
FOLDERS = {"ir": "ir", "codegen": "codegen", "backends": "backends", "ops": "ops", "conformance": "conformance"}
VENDORS = ("cuda", "hip", "ascendc", "cpu")
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


def test_no_vendor_is_tested_by_name_outside_backends() -> None:
    pattern = re.compile(rf"[!=]=\s*['\"]({'|'.join(VENDORS)})['\"]|['\"]({'|'.join(VENDORS)})['\"]\s*[!=]=")
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


def test_a_room_is_seen_at_a_glance() -> None:
    rooms = Counter(str(path.parent.relative_to(ROOT)) for path in SOURCES if path.name != "__init__.py")
    assert not {room: n for room, n in rooms.items() if n > MOST_MODULES and room not in MIRRORS}
    assert not {str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > MOST_LINES}


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
