"""clang and hipcc take the emitted texts, device and host, and make the same of them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from simt_cases import Case, conv, image, module_of
from turns import by_turns

from uol.backends import registry
from uol.backends.hip import clang, driver, hiprtc
from uol.bundle.elf import loaded
from uol.codegen.backend import SourceFile
from uol.ir.errors import ToolchainError

needs_hipcc = pytest.mark.skipif(shutil.which("hipcc") is None, reason="hipcc is not installed")

CASES = [
    Case("relu", {"S": 1000}, "bf16", rank=1),
    Case("add", {"S": 1000}, "f16", rank=1),
    Case("softmax", {"S": 5, "C": 257}, "f16", rank=1),
    Case("linear", {"S": 33, "N": 65, "K": 17}, "f32", rank=1),
    Case("conv2d", conv(1, 3, 9, 9, 5, 3, 3), "f16"),
    Case("max_pool2d", image(1, 3, 9, 9), "f64"),
    Case("linear", {"S": 70_000, "N": 70_000, "K": 64}, "f16", rank=1),
]


@needs_hipcc
@pytest.mark.parametrize("case", by_turns(4, CASES), ids=str)
def test_the_text_is_taken(case: Case) -> None:
    artifact = registry.get("hip").build(module_of(case, "hip"))
    assert b"gfx90a" in artifact.binary
    assert f"{case.op}_kernel".encode() in artifact.binary
    assert artifact.log == ""


@needs_hipcc
def test_hipcc_takes_the_text_for_every_architecture() -> None:
    backend = registry.get("hip")
    module = replace(module_of(CASES[2], "hip"), device_name="mi300x")
    assert backend.devices["mi300x"].architecture == "gfx942"
    assert b"gfx942" in backend.build(module).binary


@needs_hipcc
@pytest.mark.parametrize("case", [Case("softmax", {"S": 5, "C": 257}, "f64", rank=1), CASES[3]], ids=str)
def test_without_headers_the_machine_code_is_that_of_hipcc(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    module, hip = module_of(case, "hip"), registry.get("hip")
    made = [hip.build(module)]
    monkeypatch.setattr(clang, "find", lambda: None)
    made.append(hip.build(module))
    monkeypatch.setattr(hiprtc, "find", lambda: None)
    bundled = hip.build(module)
    assert bundled.compiler.startswith("hipcc ")
    expected = loaded(bundled.binary[bundled.binary.index(b"\x7fELF") :])
    assert expected
    quick = [each for each in made if each.compiler.startswith(("clang ", "hiprtc "))]
    if not quick:
        pytest.skip("there is neither a clang with the device's libraries nor hiprtc")
    assert all(loaded(each.binary) == expected for each in quick)


@pytest.mark.skipif(clang.find() is None, reason="there is no clang with the device's libraries")
@pytest.mark.parametrize("case", [CASES[3], CASES[4], CASES[5]], ids=str)
def test_clang_takes_the_text_without_help(case: Case) -> None:
    """What it refuses, hipcc decides in several times the time, and nothing else would show it."""
    module, compiler = module_of(case, "hip"), clang.find()
    assert compiler is not None
    binary, _ = clang.build(compiler, module, registry.get("hip").devices["mi250x"], "c++17")
    assert f"{case.op}_kernel".encode() in binary


@pytest.mark.skipif(hiprtc.find() is None, reason="hiprtc is not installed")
def test_hiprtc_s_refusal_names_the_line_of_the_op(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clang, "find", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    module = module_of(CASES[2], "hip")
    broken = SourceFile(module.device.name, module.device.text.replace("uol::exp", "uol::expp"))
    with pytest.raises(ToolchainError, match="hiprtc refused") as caught:
        registry.get("hip").build(replace(module, device=broken))
    assert caught.value.span is not None
    assert caught.value.span.line == 3


@needs_hipcc
def test_what_clang_refuses_hipcc_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clang, "PRELUDE", tmp_path)  # which has no hip_runtime.h
    artifact = registry.get("hip").build(module_of(CASES[0], "hip"))
    assert artifact.compiler.startswith("hipcc ")


@needs_hipcc
def test_hipcc_builds_the_bundle(tmp_path: Path) -> None:
    module = module_of(CASES[2], "hip")
    for file in (module.device, *module.host):
        (tmp_path / file.name).write_text(file.text)
    done = subprocess.run(["sh", "-c", module.build], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "libuol_softmax.so").exists()


@needs_hipcc
def test_a_refused_text_names_the_line_of_the_op() -> None:
    module = module_of(CASES[2], "hip")
    broken = SourceFile(module.device.name, module.device.text.replace("uol::exp", "uol::expp"))
    with pytest.raises(ToolchainError) as caught:
        registry.get("hip").build(replace(module, device=broken))
    assert caught.value.span is not None
    assert caught.value.span.line == 3
    assert "expp" in caught.value.message


def test_without_hipcc_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(clang, "find", lambda: None)
    monkeypatch.setattr(hiprtc, "find", lambda: None)
    with pytest.raises(ToolchainError, match="neither clang with the device's libraries nor hiprtc nor hipcc") as caught:
        registry.get("hip").build(module_of(CASES[0], "hip"))
    assert "Debian's package hipcc" in str(caught.value)


def test_without_a_runtime_loading_says_so() -> None:
    absent = replace(driver.SOURCE, libraries=("libabsent.so",))
    with pytest.raises(ToolchainError, match="no HIP runtime was found: kernels can be built here, not run"):
        absent.open()
    assert not absent.state().found
