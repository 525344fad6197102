"""One operator shipped for four targets: one C signature, and the vendors' compilers take the files as they are."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from c_interface import Tensor

import uol
from uol.backends import registry
from uol.bundle import write_bundles

DIMS = {"N": 1, "C": 8, "H": 9, "W": 9, "O": 4, "D": 8, "R": 3, "S": 3}
TARGETS = ("cpu", "cuda", "hip", "ascendc")
COMPILERS = {"cpu": "cc", "cuda": "nvcc", "hip": "hipcc"}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    compiled = [uol.compile("conv2d_bias", target, "f32", DIMS, {"pad": 1, "stride": 2}) for target in TARGETS]
    return dict(zip(TARGETS, write_bundles(compiled, tmp_path_factory.mktemp("build")), strict=True))


def declarations(header: str) -> str:
    """A C header without its comments."""
    return " ".join(re.sub(r"//[^\n]*|/\*.*?\*/", "", header, flags=re.DOTALL).split())


def test_the_c_interface_is_one(bundles: dict[str, Path]) -> None:
    for name in ("uol_conv2d_bias.h", "uol_abi.h"):
        texts = {declarations((folder / name).read_text()) for folder in bundles.values()}
        assert len(texts) == 1, name
    (text,) = {declarations((folder / "uol_conv2d_bias.h").read_text()) for folder in bundles.values()}
    assert "int uol_conv2d_bias(void* stream, void* workspace, int64_t workspace_bytes, const uol_tensor* tensors," in text


def test_every_source_shows_the_printed_operator(bundles: dict[str, Path]) -> None:
    for target, folder in bundles.items():
        binaries = json.loads((folder / "manifest.json").read_text())["binaries"]
        files = [f for f in folder.iterdir() if f.name.startswith("conv2d_bias") and f.name not in binaries]
        sources = [f.read_text() for f in files]
        assert any("op conv2d_bias(x: T[N, C, H, W], w: T[O, D, R, S], b: T[O];" in s for s in sources), target


def test_the_cuda_bundle_carries_a_cubin_and_ptx(bundles: dict[str, Path]) -> None:
    if not any(tool.found for tool in registry.get("cuda").doctor() if tool.name in ("NVRTC", "nvcc")):
        pytest.skip("neither NVRTC nor nvcc is installed")
    folder = bundles["cuda"]
    names = ["conv2d_bias.cubin", "conv2d_bias.ptx"]
    assert json.loads((folder / "manifest.json").read_text())["binaries"] == names
    assert (folder / names[0]).read_bytes().startswith(b"\x7fELF")
    ptx = (folder / names[1]).read_text()
    assert ".target sm_80" in ptx
    assert ".visible .entry conv2d_bias_kernel(" in ptx


@pytest.mark.parametrize("target", COMPILERS)
def test_the_build_line_works(target: str, bundles: dict[str, Path]) -> None:
    if shutil.which(COMPILERS[target]) is None:
        pytest.skip(f"{COMPILERS[target]} is not installed")
    run = subprocess.run(["sh", "build.sh"], cwd=bundles[target], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (bundles[target] / "libuol_conv2d_bias.so").is_file()


def as_tensor(array: np.ndarray) -> Tensor:
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    return Tensor(array.ctypes.data, shape, None, array.ndim, 1)  # UOL_F32, dense


@pytest.mark.skipif(shutil.which("cc") is None, reason="cc is not installed")
def test_the_cpu_bundle_computes_through_the_c_interface(bundles: dict[str, Path]) -> None:
    import torch

    subprocess.run(["sh", "build.sh"], cwd=bundles["cpu"], check=True, capture_output=True)
    library = ctypes.CDLL(str(bundles["cpu"] / "libuol_conv2d_bias.so"))
    library.uol_conv2d_bias_workspace.restype = ctypes.c_int64
    library.uol_conv2d_bias_message.restype = ctypes.c_char_p
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in ((1, 8, 9, 9), (4, 8, 3, 3), (4,)))
    y = np.zeros((1, 4, 5, 5), np.float32)
    tensors = (Tensor * 4)(*map(as_tensor, (x, w, b, y)))
    size_bytes = library.uol_conv2d_bias_workspace(tensors, 4, None, 0)
    room = np.zeros(size_bytes + 256, np.uint8)
    workspace = ctypes.c_void_p(room.ctypes.data + -room.ctypes.data % 256)

    assert library.uol_conv2d_bias(None, workspace, ctypes.c_int64(size_bytes), tensors, 4, None, 0) == 0
    expected = torch.nn.functional.conv2d(*map(torch.from_numpy, (x, w, b)), stride=2, padding=1)
    assert np.allclose(y, expected.numpy(), atol=1e-4)

    code = library.uol_conv2d_bias(None, workspace, ctypes.c_int64(size_bytes), tensors, 3, None, 0)
    assert code != 0
    assert library.uol_conv2d_bias_message(code)
