"""A bundle whose dims are open: one library for all sizes, which the shapes of the tensors tell."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from c_interface import Attribute, Tensor

import uol
from uol.ir.syntax.parser import parse

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler to build a bundle with")

F = torch.nn.functional
BAD_COUNT, BAD_WORKSPACE, BAD_SIZES = 1, 4, 6
POINTER, NDIM, SHAPE, STRIDES = 0, 2, 3, 4


def bad_tensor(position: int, reason: int) -> int:
    """UOL_BAD_TENSOR of uol_abi.h."""
    return 16 + position * 5 + reason


class Library:
    """The functions of a bundle that was built by its build.sh."""

    def __init__(self, folder: Path, op: str, *attributes: float) -> None:
        done = subprocess.run(["sh", "build.sh"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        functions = ctypes.CDLL(str(folder / f"libuol_{op}.so"))
        self.function, self.size, self.text = (getattr(functions, f"uol_{op}{end}") for end in ("", "_workspace", "_message"))
        self.size.restype, self.text.restype = ctypes.c_int64, ctypes.c_char_p
        self.attributes = (Attribute * len(attributes))(*(Attribute(0, value) for value in attributes))

    def workspace_bytes(self, tensors: Any) -> int:
        return int(self.size(tensors, len(tensors), self.attributes, len(self.attributes)))

    def call(self, tensors: Any, room: int) -> int:
        memory = np.zeros(room + 256, np.uint8)
        place = ctypes.c_void_p(memory.ctypes.data + -memory.ctypes.data % 256)
        count = len(self.attributes)
        return int(self.function(None, place, ctypes.c_int64(room), tensors, len(tensors), self.attributes, count))

    def message(self, code: int) -> str:
        return str(self.text(code).decode())


def tensors(*arrays: np.ndarray) -> Any:
    """Dense tensors of f32."""
    rows = [Tensor(a.ctypes.data, (ctypes.c_int64 * a.ndim)(*a.shape), None, a.ndim, 1) for a in arrays]
    return (Tensor * len(rows))(*rows)


def seeded(*size: int) -> np.ndarray:
    return np.random.default_rng(sum(size)).standard_normal(size).astype(np.float32)


@pytest.fixture(scope="module")
def softmax(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Library]:
    folder = uol.compile("softmax", dims={"C": 40}).bundle(tmp_path_factory.mktemp("build"))
    return folder, Library(folder, "softmax")


TURNED = """op turned(x: f32[N, C]; factor: float = 2.0) -> (y: f32[N, C]) where C % 2 == 0, C > 0 {
  highest[n] = max[c](x[n, c])
  y[n, c]    = (x[n, c] - highest[N - 1 - n]) * factor
}"""


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """An operator with a buffer between its kernels, a condition on its sizes, and a run-time attribute."""
    kernel = uol.compile(parse(TURNED)[0])
    assert kernel.module.graph.workspaces
    return Library(kernel.bundle(tmp_path_factory.mktemp("build")), "turned", 2.0)


def test_one_library_is_right_at_every_size(softmax: tuple[Path, Library]) -> None:
    _, library = softmax
    for rows in (3, 1, 0, 257):
        x, y = seeded(rows, 40), np.zeros((rows, 40), np.float32)
        assert library.workspace_bytes(tensors(x, y)) == 0
        assert library.call(tensors(x, y), 0) == 0
        np.testing.assert_allclose(y, F.softmax(torch.from_numpy(x), -1).numpy(), rtol=1e-5, atol=1e-6)


def test_the_workspace_is_that_of_the_sizes(turned: Library) -> None:
    sizes = []
    for rows, columns in ((2, 4), (1, 2), (70, 6)):
        x, y = seeded(rows, columns), np.zeros((rows, columns), np.float32)
        given = tensors(x, y)
        sizes.append(turned.workspace_bytes(given))
        assert turned.call(given, sizes[-1]) == 0
        np.testing.assert_array_equal(y, (x - x.max(1, keepdims=True)[::-1]) * 2)
        assert turned.call(given, sizes[-1] - 1) == BAD_WORKSPACE
    assert sizes[0] == sizes[1] < sizes[2]  # each buffer takes whole blocks of 256 bytes
    assert sizes[2] % 256 == 0
    assert sizes[2] >= 70 * 4


def test_what_does_not_fit_is_refused(softmax: tuple[Path, Library], turned: Library) -> None:
    _, library = softmax

    def code(x: np.ndarray, y: np.ndarray) -> int:
        return library.call(tensors(x, y), 0)

    x = seeded(3, 40)
    for wrong in (seeded(4, 40), seeded(3, 41), seeded(2, 40)):
        assert code(x, wrong) == bad_tensor(1, SHAPE)
    assert code(seeded(3, 41), seeded(3, 41)) == bad_tensor(0, SHAPE)
    assert library.message(bad_tensor(0, SHAPE)) == "x must have the shape [S, 40]"
    assert code(seeded(40), x) == bad_tensor(0, NDIM)
    assert library.call(tensors(x), 0) == BAD_COUNT
    assert turned.workspace_bytes(tensors(seeded(2, 3), seeded(2, 3))) == -BAD_SIZES
    assert turned.message(BAD_SIZES) == "turned needs C % 2 == 0, C > 0"


def test_sizes_that_are_none_are_refused(softmax: tuple[Path, Library]) -> None:
    _, library = softmax
    given = tensors(seeded(3, 40), seeded(3, 40))
    for size in (-1, 2**60, 2**63 - 1):
        for tensor in given:
            tensor.shape[0] = size
        assert library.call(given, 0) == bad_tensor(0, SHAPE)
        assert library.workspace_bytes(given) == -bad_tensor(0, SHAPE)
    given[0].shape = None
    assert library.call(given, 0) == bad_tensor(0, POINTER)


def test_strides_are_those_of_the_sizes(softmax: tuple[Path, Library]) -> None:
    _, library = softmax
    x, y = seeded(40, 3), np.zeros((3, 40), np.float32)
    given = tensors(x.T, y)
    given[0].strides = (ctypes.c_int64 * 2)(1, 3)
    assert library.call(given, 0) == bad_tensor(0, STRIDES)


def test_the_header_says_what_is_open(softmax: tuple[Path, Library]) -> None:
    folder, _ = softmax
    header = (folder / "uol_softmax.h").read_text()
    assert "     S  dim 0 of x\n" in header
    assert "     0  in  x: f32[S, 40], strides [40, 1], aligned to 4 bytes\n" in header
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["dims"], manifest["packs"]) == ({"C": 40}, {"S": None})
    assert manifest["arguments"][0]["shape"] == ["S", 40]


def test_the_self_test_runs_the_kernels_at_sizes_of_its_own(softmax: tuple[Path, Library]) -> None:
    folder, _ = softmax
    run = subprocess.run([sys.executable, "selftest.py"], cwd=folder, capture_output=True, text=True)
    assert run.stdout == "passed  files\npassed  11 files, 29 fields of the manifest, kernels\n", run.stderr
    assert run.returncode == 0


def test_the_self_test_sees_a_kernel_that_is_right_at_one_size_only(
    softmax: tuple[Path, Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    from uol.bundle.hold import hold
    from uol.cli import trial
    from uol.cli.check_command import hold_kernels
    from uol.compiler import Compiled

    run = trial.run_fenced

    def wrong(compiled: Compiled, buffers: dict) -> tuple[dict, tuple[str, ...]]:
        found, findings = run(compiled, buffers)
        found["y"][8:] = 0
        return found, findings

    monkeypatch.setattr(trial, "run_fenced", wrong)
    with hold(softmax[0]) as bundle:
        found = hold_kernels(bundle)
    wrong = [held.what for held in found if held.state == "wrong"]
    assert wrong and all(what.startswith("y: beyond the contract") for what in wrong)
    assert any(what.endswith("at S = 33") for what in wrong)
