"""The wheel: everything that runs is in it, and it runs from another folder, in another environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROOMS = {"uol": "uol"} | {room: f"uol/{room}" for room in ("ir", "codegen", "backends", "ops", "conformance")}
COMPILE = ("-m", "uol.cli", "compile", "softmax", "--target", "cuda,hip", "--dims", "S=4,C=8", "-o", "build")
RUN = ("-m", "uol.cli", "run", "softmax", "--target", "cuda", "--twin", "--dims", "S=4,C=8")
NOT_SHIPPED = {"__pycache__"}


def sources() -> dict[str, Path]:
    """The files of the rooms, by the names that they have in a wheel."""
    found: dict[str, Path] = {}
    for room, package in ROOMS.items():
        for file in (ROOT / room).rglob("*"):
            inside = file.relative_to(ROOT / room)
            if file.is_file() and not NOT_SHIPPED & set(inside.parts):
                found[f"{package}/{inside}"] = file
    return found


def test_every_package_is_declared() -> None:
    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    present = {str(Path(name).parent).replace("/", ".") for name in sources() if name.endswith("/__init__.py")}
    assert declared == present


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources."""
    copy = tmp_path_factory.mktemp("sources")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(copy / "dist"), str(copy)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    (built,) = (copy / "dist").glob("*.whl")
    return built


def test_the_wheel_carries_every_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert set(sources()) - names == set()


def test_nothing_lands_outside_the_package(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"uol", f"uol-{wheel.name.split('-')[1]}.dist-info"}


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, which sees this one's dependencies but not its uol. Gives its Python."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python"


def run_there(python: Path, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "UOL_CACHE_DIR": str(folder / "cache")}
    run = subprocess.run([python, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_it_runs_from_another_folder(environment: Path, tmp_path: Path) -> None:
    place = run_there(environment, tmp_path, "-c", "import uol.ir; print(uol.ir.__file__)").strip()
    assert Path(place).is_relative_to(environment.parent.parent)
    assert "softmax" in run_there(environment, tmp_path, "-m", "uol.cli", "list")
    run_there(environment, tmp_path, *COMPILE)
    assert sorted(p.name for p in (tmp_path / "build").iterdir()) == ["softmax-cuda-a100", "softmax-hip-mi250x"]


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("g++") is None, reason="the twin needs g++")
def test_its_twin_runs_from_another_folder(environment: Path, tmp_path: Path) -> None:
    assert "within the contract" in run_there(environment, tmp_path, *RUN)
