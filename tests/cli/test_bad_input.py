"""Bad input: exit status 2, a message that says what is wrong and what would be right, no traceback, nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import uol

pytestmark = pytest.mark.usefixtures("toy", "own_cache")

TOY = "--target toy"
CONV = f"compile conv2d {TOY} --dims N=1,C=3,H=5,W=5,O=2,D=3,R=3,S=3 --attrs"
SOFTMAX = f"compile softmax {TOY} --dims S=4"
WHOLE = "not a whole number"

BAD = {  # arguments -> message, how the help begins
    "compile softmx": ("UolError: unknown operator 'softmx'", "did you mean softmax"),
    "run softmx": ("UolError: unknown operator 'softmx'", "did you mean softmax"),
    "show nothing_like_it": ("UolError: unknown operator 'nothing_like_it'", "`uol list` shows the operators"),
    "show missing.uol": ("ResourceError: cannot read 'missing.uol': No such file or directory", "give the path of a .uol text"),
    "check nowhere": ("ResourceError: 'nowhere' holds no manifest.json", "give a folder that `uol compile -o` wrote"),
    "compile relu --target vulkan --dims S=4": ("UolError: unknown target 'vulkan'", "the targets are"),
    "compile relu --target toi --dims S=4": ("UolError: unknown target 'toi'", "did you mean toy?"),
    "compile relu --target toy:h100 --dims S=4": ("UolError: target 'toy' has no device 'h100'", "its devices are toy:host"),
    "compile relu --target , --dims S=4": ("UolError: no target given", "the targets are"),
    f"compile relu {TOY} --dims S=4 --dtype f31": ("relu cannot be of the unknown type 'f31' for T", "T is one of f64, f32,"),
    f"compile relu {TOY} --dims S=4 --dtype i8": ("TypeCheckError: relu does not admit 'i8' for T", "T is one of f64"),
    f"compile relu {TOY}": ("ShapeError: relu needs the sizes of *S", "write S=64 for one dim"),
    f"compile relu {TOY} --dims S=33554432": ("RefusalError: relu does not fit toy:host: 33554432", "at most 16777216"),
    f"explain relu {TOY} --dims S=x": (f"ShapeError: the size of S is 'x', {WHOLE}", "write S=64"),
    SOFTMAX: ("ShapeError: softmax needs a size for C", "its dims are C"),
    f"{SOFTMAX},C=-2": ("ShapeError: softmax: the size of C is -2", "a size is 0 or more"),
    f"{SOFTMAX},C=2.5": (f"ShapeError: the size of C is '2.5', {WHOLE}", "write C=64"),
    f"{SOFTMAX},C=many": (f"ShapeError: the size of C is 'many', {WHOLE}", "write C=64"),
    f"{SOFTMAX},C": ("ShapeError: cannot read the dims 'C'", "write them as N=1,C=64"),
    f"{SOFTMAX},C=2,C=3": ("ShapeError: C is given twice", "give each name once"),
    f"{SOFTMAX},C=2x3": (f"ShapeError: softmax: the size of C is (2, 3), {WHOLE}", "write C=64"),
    f"{SOFTMAX},C=2x": (f"ShapeError: the size of C is '2x', {WHOLE}", "write C=64"),
    f"compile linear {TOY} --dims S=4,K=2,N=3,M=1": ("ShapeError: linear has no dim 'M'", "its dims are K, N"),
    f"{CONV} strid=2": ("ShapeError: conv2d has no attribute 'strid'", "did you mean stride"),
    f"{CONV} stride=x": ("ShapeError: the attribute stride is 'x', not a number", "write stride=2"),
    f"{CONV} stride=1.5": ("ShapeError: conv2d: the attribute stride is int, not 1.5", "write stride=2"),
    f"{CONV} groups=2": ("conv2d needs C == D * groups, but C = 3, D = 3, groups = 2", "the left side is 3, the right side"),
    f"{CONV} stride=0": ("ShapeError: conv2d needs stride_h > 0, but stride_h = 0", "the left side is 0"),
    f"{CONV} pad={2**63}": (f"ShapeError: conv2d: the attribute pad is {2**63}", "an int has 64 bits"),
    f"{CONV} pad={2**62}": (f"ShapeError: conv2d: y of 1x2x{2**63 + 3}x{2**63 + 3} elements is beyond", "choose smaller sizes"),
    f"compile relu {TOY} --dims S={2**60}": (f"ShapeError: relu: x of {2**60} elements is beyond", "choose smaller sizes"),
    f"compile relu {TOY} --dims S=0x{2**60}": (f"ShapeError: relu: x of 0x{2**60} elements is", "choose smaller sizes"),
    "conform --op ,": ("UolError: no operator given: ','", "for example softmax"),
    "conform --path ,": ("UolError: no path given: ','", "for example resnet50"),
    f"conform --op relu --dtype , {TOY}": ("UolError: no dtype given: ','", "for example f32,f16"),
    "conform --path resnet50 --dtype f12": ("TypeCheckError: a path is not checked in 'f12'", "--dtype is one of f64"),
    f"compile max_pool2d {TOY} --dims N=1,C=1,H=4,W=4": ("max_pool2d needs the attribute 'kernel'", "give it: kernel=3"),
}


def assert_refused(status: int, err: str) -> None:
    assert status == 2, err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", BAD)
def test_bad_arguments(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    output = ["-o", str(tmp_path / "build")] if command.startswith("compile") else []
    result = uol(*command.split(), *output)
    assert_refused(result.status, result.err)
    message, hint = BAD[command]
    assert message in result.err
    assert f"help: {hint}" in result.err
    assert result.out == ""
    assert not (tmp_path / "build").exists()


USAGE = {
    "compile": "Missing argument 'OP'",
    "list --no-such-option": "No such option: --no-such-option",
    "frobnicate": "No such command 'frobnicate'",
    "run relu --seed many": "Invalid value for '--seed'",
    "run relu --seed -1": "Invalid value for '--seed'",
    "conform --op relu --seed -1": "Invalid value for '--seed'",
    "show relu softmax": "unexpected extra argument",
}


@pytest.mark.parametrize("command", USAGE)
def test_usage_errors_have_the_same_status(command: str) -> None:
    result = uol(*command.split())
    assert_refused(result.status, result.err)
    assert USAGE[command] in " ".join(result.err.replace("│", " ").split())


def test_a_text_with_a_syntax_error_is_shown_at_its_place(tmp_path: Path) -> None:
    file = tmp_path / "broken.uol"
    file.write_text("op broken(x: f32[N]) -> (y: f32[N]) {\n  y[i] = x[i] +\n}\n")
    result = uol("compile", file, "--target", "toy", "--dims", "N=4")
    assert_refused(result.status, result.err)
    assert f"{file}:3:1: ParseError" in result.err
    assert "^" in result.err


def test_a_text_with_a_bound_that_fails_is_shown_at_its_place(tmp_path: Path) -> None:
    file = tmp_path / "outside.uol"
    file.write_text("op outside(x: f32[N]) -> (y: f32[N]) {\n  y[i] = x[i + 1]\n}\n")
    result = uol("compile", file, "--target", "toy", "--dims", "N=4")
    assert_refused(result.status, result.err)
    assert f"{file}:2:12: BoundsError" in result.err


def test_a_text_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "binary.uol"
    file.write_bytes(b"\xff\xfe\x00")
    result = uol("show", file)
    assert_refused(result.status, result.err)
    assert "it is not UTF-8 text" in result.err


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "marked.uol"
    file.write_text("op marked(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }\n", encoding="utf-8-sig")
    assert uol("show", file).status == 0


def test_a_name_of_the_library_cannot_be_taken(tmp_path: Path) -> None:
    file = tmp_path / "relu.uol"
    file.write_text("op relu(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }\n")
    result = uol("show", file)
    assert_refused(result.status, result.err)
    assert "the library has another operator `relu`" in result.err


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    result = uol("compile", "relu", "--target", "toy", "--dims", "S=4", "-o", tmp_path / "build")
    assert result.status == 0
    said = f"the cache folder '{tmp_path}/file/cache' cannot be written: Not a directory. What is compiled is kept for this "
    assert result.err.count(said) == 1 and "set UOL_CACHE_DIR to a folder that can" in result.err
    assert (tmp_path / "build").exists()


def test_a_run_that_is_too_large_for_the_twin() -> None:
    result = uol("run", "relu", "--target", "cuda", "--dims", "S=5000000000", "--twin")
    assert_refused(result.status, result.err)
    assert "the input 'x' takes 18.6 GiB; the twin holds 16.0 GiB a buffer" in result.err
    result = uol("run", "softmax", "--target", "ascendc", "--dims", "S=1000000,C=1000000", "--twin")
    assert_refused(result.status, result.err)
    assert "of memory in the twin and to judge its results, of which 3725.3 GiB are 'x'" in result.err


def test_more_dims_than_an_array_may_have() -> None:
    result = uol("run", "relu", "--dims", f"S={'x'.join('1' * 87)}")
    assert_refused(result.status, result.err)
    assert "ShapeError: relu: x has 87 dims, and a numpy array 64 at most" in result.err
    assert "help: put dims together to have 64 or fewer; PyTorch tensors, in `uol.ops.relu`, may have more" in result.err


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    result = uol("compile", "relu", "--target", "toy", "--dims", "S=4", "-o", tmp_path / "file")
    assert_refused(result.status, result.err)
    assert f"ResourceError: cannot write bundles to '{tmp_path}/file'" in result.err
    assert (tmp_path / "file").read_text() == "kept"


def test_a_place_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "build" / "relu-toy-host"
    place.mkdir(parents=True)
    (place / "thesis.tex").write_text("years of work")
    result = uol("compile", "relu", "--target", "toy", "--dims", "S=4", "-o", tmp_path / "build")
    assert_refused(result.status, result.err)
    assert "exists and is no bundle" in result.err
    assert [p.name for p in (tmp_path / "build").iterdir()] == ["relu-toy-host"]
    assert (place / "thesis.tex").read_text() == "years of work"


def test_one_bad_target_of_several_leaves_nothing(tmp_path: Path) -> None:
    result = uol("compile", "relu", "--target", "toy,tpu", "--dims", "S=4", "-o", tmp_path / "build")
    assert_refused(result.status, result.err)
    assert not (tmp_path / "build").exists()


def test_a_dump_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UOL_DUMP", str(tmp_path / "file"))
    result = uol("compile", "relu", "--target", "toy", "--dims", "S=4")
    assert_refused(result.status, result.err)
    assert "help: set UOL_DUMP to a folder that can be written, or unset it" in result.err


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from toy_backend import ToyBackend

    from uol.ir.errors import ToolchainError

    def build(self: ToyBackend, module: object) -> None:
        raise ToolchainError("toycc was not found", hint="install toycc")

    monkeypatch.setattr(ToyBackend, "build", build)
    result = uol("run", "relu", "--target", "toy", "--dims", "S=4")
    assert_refused(result.status, result.err)
    assert result.err == "ToolchainError: toycc was not found\n  help: install toycc\n"


def test_a_defect_of_uol_is_no_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    from toy_backend import ToyBackend

    def render(self: ToyBackend, spec: object, schedule: object, device: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(ToyBackend, "render", render)
    result = uol("compile", "relu", "--target", "toy", "--dims", "S=4")
    assert result.status == 70
    assert result.err == "uol failed: KeyError: 'x'\n  help: this is a defect; UOL_DEBUG=1 shows where\n"
    monkeypatch.setenv("UOL_DEBUG", "1")
    assert "Traceback" in uol("compile", "relu", "--target", "toy", "--dims", "S=4").err


def test_arrays_that_memory_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    from uol.cli import trial

    def make_inputs(*_: object) -> None:
        raise MemoryError("Unable to allocate 74.5 GiB")

    monkeypatch.setattr(trial, "make_inputs", make_inputs)
    result = uol("run", "relu", "--target", "toy", "--dims", "S=4")
    assert_refused(result.status, result.err)
    assert result.err == (
        "ResourceError: there is not enough memory: Unable to allocate 74.5 GiB\n  help: choose smaller --dims\n"
    )


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"files": 3}', "\xff"])
def test_a_manifest_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    result = uol("check", tmp_path)
    assert_refused(result.status, result.err)
    assert f"UolError: {tmp_path}/manifest.json is no manifest of a bundle" in result.err
    assert "help: write the bundle anew" in result.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "uol.cli", "list"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert_refused(result.returncode, result.stderr)
    assert "ResourceError: [Errno 28] No space left on device" in result.stderr
