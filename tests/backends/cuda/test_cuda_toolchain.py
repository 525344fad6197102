"""NVRTC and nvcc take the emitted texts; the built launcher refuses wrong calls with a message."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from c_interface import Tensor
from simt_cases import Case, conv, image, module_of
from turns import by_turns

from uol.backends import registry
from uol.backends.cuda import driver, nvrtc, toolchain
from uol.codegen.backend import Module, SourceFile
from uol.ir.errors import ToolchainError

needs_nvrtc = pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed")
needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")

CASES = [
    Case(op, dims, dtype, rank=rank)
    for dtype in ("f32", "f16", "bf16", "f64")
    for op, dims, rank in (
        ("relu", {"S": 1000}, 1),
        ("add", {"S": 1000}, 1),
        ("softmax", {"S": 5, "C": 257}, 1),
        ("softmax", {"S": 500, "C": 7}, 1),
        ("linear", {"S": 33, "N": 65, "K": 17}, 1),
        ("conv2d", conv(1, 3, 9, 9, 5, 3, 3), None),
        ("max_pool2d", image(1, 3, 9, 9), None),
    )
]
LARGE = [
    Case("relu", {"S": 3_000_000_000}, "f16", rank=1),
    Case("softmax", {"S": 3_000_000, "C": 1000}, "f16", rank=1),
    Case("softmax", {"S": 700_000_000, "C": 5}, "f16", rank=1),
    Case("linear", {"S": 70_000, "N": 70_000, "K": 64}, "f16", rank=1),
    Case("max_pool2d", image(2000, 64, 224, 224), "f16"),
]


@needs_nvrtc
@pytest.mark.parametrize("case", by_turns(2, [*CASES, *LARGE]), ids=str)
def test_nvrtc_takes_the_text(case: Case) -> None:
    artifact = registry.get("cuda").build(module_of(case, "cuda"))
    assert artifact.binary.startswith(b"\x7fELF")
    ptx = artifact.files[f"{case.op}.ptx"].decode()
    assert f".visible .entry {case.op}_kernel(" in ptx
    assert ".target sm_80" in ptx
    assert artifact.log == ""


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_large_tensors_are_indexed_with_64_bits(case: Case) -> None:
    assert "const long long" in module_of(case, "cuda").kernels[0].text


@needs_nvrtc
@pytest.mark.parametrize("device", sorted(registry.get("cuda").devices))
def test_every_device_has_an_architecture_that_the_compiler_knows(device: str) -> None:
    module = replace(module_of(CASES[0], "cuda"), device_name=device)
    assert registry.get("cuda").build(module).binary


def broken(case: Case) -> Module:
    module = module_of(case, "cuda")
    return replace(module, device=SourceFile(module.device.name, module.device.text.replace("uol::exp", "uol::expp")))


@needs_nvrtc
def test_a_refused_text_names_the_line_of_the_op() -> None:
    with pytest.raises(ToolchainError) as caught:
        registry.get("cuda").build(broken(CASES[2]))
    assert caught.value.span is not None
    assert caught.value.span.line == 3
    assert "expp" in caught.value.message


@needs_nvrtc
def test_nvrtc_has_the_builtins_that_lie_beside_it() -> None:
    """In a process without PyTorch, which loads them."""
    program = """
from pathlib import Path
from uol.backends.cuda import nvrtc
beside = nvrtc.builtins_beside(nvrtc.library()._name)
loaded = Path("/proc/self/maps").read_text()
print(*(Path(b).name for b in beside if Path(b).name not in loaded))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@needs_nvcc
def test_nvcc_takes_the_text_where_there_is_no_nvrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "library", lambda: None)
    artifact = registry.get("cuda").build(module_of(CASES[4], "cuda"))
    assert artifact.binary.startswith(b"\x7fELF")
    assert b"linear_kernel" in artifact.files["linear.ptx"]
    with pytest.raises(ToolchainError) as caught:
        registry.get("cuda").build(broken(CASES[2]))
    assert caught.value.span is not None
    assert caught.value.span.line == 3


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "library", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ToolchainError, match="no CUDA compiler was found") as caught:
        registry.get("cuda").build(module_of(CASES[0], "cuda"))
    assert "pip install nvidia-cuda-nvrtc" in str(caught.value)
    states = {s.name: s for s in toolchain.states()}
    assert not states["nvcc"].found
    assert states["nvcc"].cost_if_absent


def test_without_a_driver_loading_says_so() -> None:
    absent = replace(driver.SOURCE, libraries=("libabsent.so",))
    with pytest.raises(ToolchainError, match="no CUDA driver was found: kernels can be built here, not run"):
        absent.open()
    assert not absent.state().found


F32, F16 = 1, 2


def tensor(shape: tuple[int, ...], dtype: int = F32, strides: tuple[int, ...] | None = None, data: int = 4096) -> Tensor:
    def array(values: tuple[int, ...]) -> ctypes.Array[ctypes.c_int64]:
        return (ctypes.c_int64 * len(values))(*values)

    return Tensor(data, array(shape), None if strides is None else array(strides), len(shape), dtype)


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The bundle of an empty linear, built with its own build line: a good call launches nothing and succeeds."""
    module = module_of(Case("linear", {"S": 4, "N": 0, "K": 3}, rank=1), "cuda")
    folder = tmp_path_factory.mktemp("bundle")
    for file in (module.device, *module.host):
        (folder / file.name).write_text(file.text)
    done = subprocess.run(["sh", "-c", module.build], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    library = ctypes.CDLL(str(folder / "libuol_linear.so"))
    library.uol_linear_message.restype = ctypes.c_char_p
    library.uol_linear_workspace.restype = ctypes.c_int64
    return library


GOOD = (tensor((4, 3)), tensor((0, 3)), tensor((0,)), tensor((4, 0)))
CALLS = [
    (GOOD, "success"),
    ((tensor((4, 3), strides=(3, 1)), *GOOD[1:]), "success"),
    (GOOD[:3], "linear takes 4 tensors: x, w, b, y"),
    ((tensor((4, 3), F16), *GOOD[1:]), "x must be f32"),
    ((tensor((4, 3, 1)), *GOOD[1:]), "x must have 2 dims"),
    ((tensor((3, 4)), *GOOD[1:]), "x must have the shape [4, 3]"),
    ((tensor((4, 3), strides=(1, 4)), *GOOD[1:]), "x must have the strides [3, 1]"),
    ((tensor((4, 3), data=0), *GOOD[1:]), "x: null, or not aligned to 4 bytes"),
    ((tensor((4, 3), data=4098), *GOOD[1:]), "x: null, or not aligned to 4 bytes"),
    ((*GOOD[:3], tensor((4, 1))), "y must have the shape [4, 0]"),
]


@needs_nvcc
@pytest.mark.parametrize(("tensors", "message"), CALLS, ids=[m for _, m in CALLS])
def test_the_launcher_checks_its_call(launcher: ctypes.CDLL, tensors: tuple[Tensor, ...], message: str) -> None:
    array = (Tensor * len(tensors))(*tensors)
    code = launcher.uol_linear(None, None, ctypes.c_int64(0), array, len(tensors), None, 0)
    assert launcher.uol_linear_message(code).decode() == message
    assert (code == 0) == (message == "success")


@needs_nvcc
def test_the_launcher_checks_attributes_and_names_its_workspace(launcher: ctypes.CDLL) -> None:
    array = (Tensor * 4)(*GOOD)
    code = launcher.uol_linear(None, None, ctypes.c_int64(0), array, 4, None, 1)
    assert launcher.uol_linear_message(code).decode() == "linear takes 0 attributes"
    assert launcher.uol_linear_workspace(array, 4, None, 0) == 0
    assert launcher.uol_linear_message(-3).decode() == "not a code of linear"


@needs_nvcc
def test_a_launch_without_a_device_fails_and_says_so(tmp_path: Path) -> None:
    if driver.SOURCE.state().found:
        pytest.skip("a CUDA device is present: the launch would succeed on memory that is none")
    module = module_of(Case("relu", {"S": 8}, rank=1), "cuda")
    for file in (module.device, *module.host):
        (tmp_path / file.name).write_text(file.text)
    subprocess.run(["sh", "-c", module.build], cwd=tmp_path, check=True, capture_output=True)
    library = ctypes.CDLL(str(tmp_path / "libuol_relu.so"))
    library.uol_relu_message.restype = ctypes.c_char_p
    array = (Tensor * 2)(tensor((8,)), tensor((8,)))
    code = library.uol_relu(None, None, ctypes.c_int64(0), array, 2, None, 0)
    assert library.uol_relu_message(code).decode() == "libcuda.so.1 failed: the device's driver was not found"


@pytest.fixture
def copied_nvrtc(tmp_path: Path) -> Path:
    """The NVRTC that is found here, under another path, with what it opens beside it."""
    own = Path(nvrtc.place())
    for file in (own, *map(Path, nvrtc.builtins_beside(str(own)))):
        (tmp_path / file.name).symlink_to(file.resolve())
    return tmp_path / own.name


@needs_nvrtc
def test_the_environment_names_the_nvrtc(copied_nvrtc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Binaries of one compiler are not those of another: its file stands in their keys."""
    usual = toolchain.identities()
    monkeypatch.setenv("UOL_CUDA_COMPILER", str(copied_nvrtc))
    assert nvrtc.place() == str(copied_nvrtc)
    assert registry.get("cuda").build(module_of(CASES[0], "cuda")).compiler == f"NVRTC {nvrtc.version()}"
    assert toolchain.identities() != usual and str(copied_nvrtc) in toolchain.identities()["UOL_CUDA_COMPILER"]
    states = {state.name: state for state in toolchain.states()}
    assert states["UOL_CUDA_COMPILER"].detail == f"{copied_nvrtc} compiles CUDA kernels"
    assert states["NVRTC"].detail == f"version {nvrtc.version()}, {copied_nvrtc}"


@needs_nvrtc
def test_headers_ask_for_no_builtin_that_nvrtc_12_lacks() -> None:
    """NVRTC 12.4 refuses `__builtin_LINE` as an unknown identifier (tried); here another name stands for it."""
    module = module_of(CASES[2], "cuda")
    headers = {f.name: f.text for f in module.host if f.name.endswith(".h")}
    options = ["--gpu-architecture=sm_80", "--std=c++17", "-D__builtin_LINE=unknown_to_nvrtc_12"]
    made = nvrtc.compile_text(module.device.name, module.device.text, headers, options)
    assert made.cubin, made.log


@needs_nvrtc
@needs_nvcc
def test_the_environment_names_the_nvcc_in_place_of_nvrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    nvcc = shutil.which("nvcc")
    assert nvcc is not None
    monkeypatch.setenv("UOL_CUDA_COMPILER", nvcc)
    assert registry.get("cuda").build(module_of(CASES[0], "cuda")).compiler.startswith("nvcc ")
    assert nvcc in toolchain.identities()["UOL_CUDA_COMPILER"]


@pytest.mark.parametrize(
    ("named", "message"),
    [("/absent/libnvrtc.so.12", "UOL_CUDA_COMPILER names no NVRTC that opens"), ("/absent/nvcc", "which is no program")],
)
def test_a_named_compiler_that_is_absent_is_an_error(named: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UOL_CUDA_COMPILER", named)
    with pytest.raises(ToolchainError, match=message) as caught:
        registry.get("cuda").build(module_of(CASES[0], "cuda"))
    assert "name the file of an NVRTC" in str(caught.value)
    state = toolchain.states()[0]
    assert (state.name, state.found) == ("UOL_CUDA_COMPILER", False)
    assert toolchain.identities()
