"""What holds for every test: a cache of the checkout's own, every pass on specs checked, and no memory that is zero by luck."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import stale_memory

if TYPE_CHECKING:
    from uol.backends.stub_driver.stub import Stub

pytest.register_assert_rewrite("before_after")

# Trees of immutable nodes are made and dropped by the million, and none of them is in a circle: looking for circles takes a
# twentieth of the time of all tests. What the process has loaded by now, it keeps.
gc.freeze()
gc.set_threshold(200_000, 20, 100)

# Threads of kernels sleep between two calls: those that wait awake take a core from the other process of tests.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("UOL_VERIFY", "1")
os.environ.setdefault("UOL_CACHE_DIR", str(Path(__file__).parent.parent / "build" / "test-cache"))
SHARED_CACHE = os.environ["UOL_CACHE_DIR"]


def pytest_configure() -> None:
    """Kernels on the CPU find a pattern in memory that they have not written."""
    stale_memory.install(Path(__file__).parent.parent / "build")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the kernels under tests/golden/ anew")
    parser.addoption("--seed", type=int, default=0, help="of PyTorch's random numbers, before each test")


@pytest.fixture(autouse=True)
def same_random_numbers(request: pytest.FixtureRequest) -> None:
    """A test draws what it draws alone, whatever its process has run before it."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(request.config.getoption("--seed"))


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def toy() -> Iterator[str]:
    """The name of a target that is numpy text, registered for one test."""
    from toy_backend import ToyBackend

    from uol.backends import registry

    registry.register("toy", ToyBackend)
    yield "toy"
    registry.unregister("toy")


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A driver of no card, with two devices of each vendor's."""
    from uol.backends.stub_driver.stub import opened

    with opened("sm_80", "sm_80", "gfx90a", "gfx90a") as driver:
        yield driver


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def own_cache_with_twins(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for one test that holds nothing but the runtimes of the twins, which take a compiler seconds."""
    from uol.backends.twin.build import runtime_objects
    from uol.backends.twin.kind import kind_of

    with monkeypatch.context() as patch:
        patch.setenv("UOL_CACHE_DIR", SHARED_CACHE)
        places = [runtime_objects(kind_of(name))[0].parent for name in ("ascendc", "cuda", "hip")]
    for place in places:
        shutil.copytree(place, own_cache / "twin" / "objects" / place.name)
    return own_cache
